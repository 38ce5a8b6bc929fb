/*
 * oip_infer.c - POST /v2/models/M[/versions/V]/infer.
 *
 * DESIGN: what can be refused cheaply is refused first: an unknown model, an
 * encoding that is not offered, a full queue; only then is the body parsed.
 */
#include "runtime/base/memory.h"
#include "serving/protocol/infer.h"
#include "serving/protocol/oip.h"
#include "serving/protocol/work.h"

#include <inttypes.h>
#include <strings.h>

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
    srv_infer_encode(&call->infer, &text);
    srv_reply_take(reply, 200, "application/json", text.data, text.bytes);
    srv_work_headers(&call->work, reply);
}

static void release(void *state)
{
    struct infer_call *call = state;
    srv_infer_release(&call->infer);
    sy_free(call);
}

/* Refuses what the headers announce and this server does not offer. */
static bool headers_are_fine(const struct srv_request *in,
                             struct srv_reply *reply)
{
    if (in->content_encoding[0] != '\0' &&
        strcasecmp(in->content_encoding, "identity") != 0) {
        srv_reply_error(reply, 501, "Content-Encoding '%s' is not supported",
                        in->content_encoding);
        srv_reply_header(reply, "Accept-Encoding", "identity");
        return false;
    }
    /* Some clients send it for all-JSON requests too: then it is the size. */
    if (in->inference_header[0] != '\0') {
        char *end;
        uintmax_t bytes = strtoumax(in->inference_header, &end, 10);
        if (*end != '\0' || bytes > in->body_bytes) {
            srv_reply_error(reply, 400,
                            "Inference-Header-Content-Length must be a "
                            "number up to the size of the body");
            return false;
        }
        if (bytes != in->body_bytes) {
            srv_reply_error(reply, 501,
                            "only JSON tensors are supported by this server");
            return false;
        }
    }
    return true;
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
    struct infer_call *call = NULL;
    if (!headers_are_fine(in, reply)) {
        goto out;
    }
    if (srv_batcher_room(server->batcher, model.live, model.domain, &err) !=
        SY_OK) {
        srv_reply_failure(reply, &err);
        goto out;
    }
    call = sy_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        goto out;
    }
    if (srv_infer_parse(&call->infer, &model, in->body, in->body_bytes,
                        server->max_images, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        goto out;
    }
    call->work.server = server;
    call->work.job = call->infer.job;
    *later = (struct srv_later){.state = call,
                                .start = start,
                                .cancel = cancel,
                                .finish = finish,
                                .release = release};
    call = NULL;
out:
    sy_free(call);
    srv_model_release(&model);
}
