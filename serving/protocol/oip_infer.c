/*
 * oip_infer.c - POST /v2/models/M[/versions/V]/infer.
 *
 * DESIGN: what can be refused cheaply is refused first: an unknown model, a
 * header that does not fit the body, a full queue; only then is the body
 * parsed.
 */
#include "serving/protocol/infer.h"
#include "serving/protocol/oip.h"
#include "serving/protocol/work.h"

/* A request between parsing and answering. */
struct infer_call {
    struct srv_work work; /* first; its job is infer.job */
    struct srv_infer infer;
};

static enum sy_status parse(struct srv_work *work,
                            const struct srv_model *model,
                            const struct srv_request *in, struct sy_error *err)
{
    struct infer_call *call = (struct infer_call *)work;
    struct srv_context *server = work->server;
    struct srv_infer_body body;
    SY_TRY(srv_infer_split(&body, in->inference_header, in->body,
                           in->body_bytes, err));
    SY_TRY(srv_batcher_room(server->batcher, model->live, model->domain, err));
    SY_TRY(
        srv_infer_parse(&call->infer, model, &body, server->max_images, err));
    work->job = call->infer.job;
    return SY_OK;
}

static void answer(struct srv_work *work, struct srv_reply *reply)
{
    struct infer_call *call = (struct infer_call *)work;
    struct srv_text text = {0};
    size_t json_bytes = 0;
    srv_infer_encode(&call->infer, &text, &json_bytes);
    bool binary = text.bytes > json_bytes;
    srv_reply_take(reply, 200,
                   binary ? "application/octet-stream" : "application/json",
                   text.data, text.bytes);
    if (binary) {
        srv_reply_header(reply, SRV_INFER_HEADER, "%zu", json_bytes);
    }
    reply->compressible = true;
}

static void release(struct srv_work *work)
{
    srv_infer_release(&((struct infer_call *)work)->infer);
}

static const struct srv_work_kind kind = {sizeof(struct infer_call), parse,
                                          answer, release};

SRV_HANDLER(srv_oip_infer)
{
    struct srv_context *server = context;
    struct sy_error err = {0};
    struct srv_model model;
    if (srv_model_find(&model, server->repository, in->capture[0],
                       in->capture[1], &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    srv_work_run(&kind, server, &model, in, reply, later);
}
