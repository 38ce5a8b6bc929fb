/*
 * oip_repository.c - POST /v2/repository/...: the model repository extension.
 *
 * DESIGN: a network is what is loaded and unloaded, and its domains with it;
 * loading one of its domains alone is refused with the network's name. A load
 * is answered when it is done, but no HTTP thread waits for it: the
 * connection sleeps, as it does for an inference, and the housekeeper wakes
 * it.
 *
 * Source: Triton's extension_model_repository.md.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/protocol/oip.h"
#include "serving/protocol/states.h"

/* The body as an object (owned); an empty one stands for {}. */
static enum sy_status read_body(json_t **root, const struct srv_request *in,
                                struct sy_error *err)
{
    bool empty = in->body_bytes == 0;
    return sy_json_parse(empty ? "{}" : in->body, empty ? 2 : in->body_bytes,
                         "request body", root, err);
}

static enum sy_status read_ready(bool *ready_only, const struct srv_request *in,
                                 struct sy_error *err)
{
    json_t *root;
    SY_TRY(read_body(&root, in, err));
    struct sy_json reader = sy_json_object(root, "request body", "", err);
    sy_json_opt_bool(&reader, "ready", ready_only);
    enum sy_status status = sy_json_end(&reader);
    json_decref(root);
    return status;
}

SRV_HANDLER(srv_oip_index)
{
    (void)later;
    struct srv_context *server = context;
    struct sy_error err = {0};
    bool ready_only = false;
    if (read_ready(&ready_only, in, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    struct srv_text text = {0};
    srv_states_put(&text, server, ready_only);
    srv_oip_reply(reply, &text);
}

/* Parameters of a load: none that this server has. */
static enum sy_status check_load(json_t *root, struct sy_error *err)
{
    struct sy_json reader = sy_json_object(root, "request body", "", err);
    struct sy_json inner = {.status = SY_OK};
    if (sy_json_has(&reader, "parameters")) {
        inner = sy_json_child(&reader, "parameters");
        const char *key;
        json_t *value;
        json_object_foreach(inner.object, key, value)
        {
            if (strcmp(key, "config") == 0 || strncmp(key, "file:", 5) == 0) {
                return sy_fail(err, SY_UNSUPPORTED,
                               "parameters.%s: a network is loaded as it "
                               "stands in the repository",
                               key);
            }
        }
        SY_TRY(sy_json_end(&inner));
    }
    return sy_json_end(&reader);
}

/* unload_dependents makes no difference: domains go with their network. */
static enum sy_status check_unload(json_t *root, struct sy_error *err)
{
    struct sy_json reader = sy_json_object(root, "request body", "", err);
    if (sy_json_has(&reader, "parameters")) {
        struct sy_json inner = sy_json_child(&reader, "parameters");
        bool dependents = false;
        sy_json_opt_bool(&inner, "unload_dependents", &dependents);
        SY_TRY(sy_json_end(&inner));
    }
    return sy_json_end(&reader);
}

/* What both have in common: a body to check, and a name that is a network. */
static enum sy_status check(struct srv_context *server,
                            const struct srv_request *in,
                            enum sy_status (*check_body)(json_t *root,
                                                         struct sy_error *err),
                            struct sy_error *err)
{
    json_t *root;
    struct srv_model model;
    SY_TRY(read_body(&root, in, err));
    enum sy_status status = check_body(root, err);
    json_decref(root);
    SY_TRY(status);
    if (srv_model_find(&model, server->repository, in->capture[0], NULL,
                       NULL) != SY_OK) {
        return SY_OK; /* the repository knows more */
    }
    if (model.domain >= 0) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "model '%s' is a domain of network '%s': load or "
                         "unload the network",
                         model.name, model.live->name);
    }
    srv_model_release(&model);
    return status;
}

struct load_call {
    struct srv_load load;
    struct srv_repository *repository;
    char name[SRV_MODEL_NAME_BYTES];
};

static void start_load(void *state, srv_wake_fn wake, void *waiter)
{
    struct load_call *call = state;
    struct sy_error err = {0};
    call->load.done = wake;
    call->load.waiter = waiter;
    if (srv_repository_load(call->repository, call->name, &call->load, &err) !=
        SY_OK) {
        call->load.err = err;
        wake(waiter, false);
    }
}

/* 200 without a body: what clients of the extension expect. */
static void reply_empty(struct srv_reply *reply)
{
    srv_reply_take(reply, 200, NULL, sy_strdup(""), 0);
}

static void finish_load(void *state, struct srv_reply *reply)
{
    struct load_call *call = state;
    if (call->load.err.status != SY_OK) {
        srv_reply_failure(reply, &call->load.err);
    } else {
        reply_empty(reply);
    }
}

SRV_HANDLER(srv_oip_load)
{
    struct srv_context *server = context;
    struct sy_error err = {0};
    if (check(server, in, check_load, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    struct load_call *call = sy_alloc_zero(1, sizeof *call);
    if (call == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        return;
    }
    call->repository = server->repository;
    snprintf(call->name, sizeof call->name, "%s", in->capture[0]);
    *later = (struct srv_later){.state = call,
                                .start = start_load,
                                .finish = finish_load,
                                .release = sy_free};
}

SRV_HANDLER(srv_oip_unload)
{
    (void)later;
    struct srv_context *server = context;
    struct sy_error err = {0};
    if (check(server, in, check_unload, &err) != SY_OK ||
        srv_repository_unload(server->repository, in->capture[0], &err) !=
            SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    reply_empty(reply);
}

SRV_HANDLER(srv_oip_named_repository)
{
    (void)context, (void)later;
    srv_reply_error(reply, 501,
                    "'repository_name' is not supported: this server has one "
                    "repository, without a name; found '%s'",
                    in->capture[0]);
}
