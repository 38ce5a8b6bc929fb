/*
 * oip_infer.c - POST /v2/models/M[/versions/V]/infer.
 *
 * DESIGN: what can be refused cheaply is refused first: an unknown model, a
 * header that does not fit the body, a full queue; only then is the body
 * parsed.
 */
#include "runtime/base/memory.h"
#include "serving/protocol/infer.h"
#include "serving/protocol/oip.h"
#include "serving/protocol/work.h"

/* A request between parsing and answering. */
struct infer_call {
    struct srv_work work; /* its job is infer.job */
    struct srv_infer infer;
};

static void start(void *state, srv_wake_fn wake, void *waiter)
{
    struct infer_call *call = state;
    srv_work_start(&call->work, wake, waiter);
}

static void cancel(void *state)
{
    struct infer_call *call = state;
    srv_work_cancel(&call->work);
}

static void finish(void *state, struct srv_reply *reply)
{
    struct infer_call *call = state;
    if (!srv_work_done(&call->work, reply)) {
        return;
    }
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
    srv_work_answered(&call->work, reply);
}

static void release(void *state)
{
    struct infer_call *call = state;
    srv_infer_release(&call->infer);
    sy_free(call);
}

static enum sy_status parse(struct infer_call *call,
                            const struct srv_model *model,
                            const struct srv_request *in, struct sy_error *err)
{
    struct srv_context *server = call->work.server;
    struct srv_infer_body body;
    SY_TRY(srv_infer_split(&body, in->inference_header, in->body,
                           in->body_bytes, err));
    SY_TRY(srv_batcher_room(server->batcher, model->live, model->domain, err));
    SY_TRY(
        srv_infer_parse(&call->infer, model, &body, server->max_images, err));
    call->work.job = call->infer.job;
    return SY_OK;
}

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
    model.ticket = srv_trial_ticket(in->id);
    struct infer_call *call = sy_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        goto out;
    }
    srv_work_open(&call->work, server, in);
    if (parse(call, &model, in, &err) != SY_OK) {
        srv_work_refuse(&call->work, &model, &err, reply);
        sy_free(call);
        goto out;
    }
    *later = (struct srv_later){.state = call,
                                .start = start,
                                .cancel = cancel,
                                .finish = finish,
                                .release = release};
out:
    srv_model_release(&model);
}
