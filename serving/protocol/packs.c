/*
 * packs.c - requests about packs to calls of the swaps, and back.
 *
 * DESIGN: no HTTP thread waits for a swap. The connection sleeps, as it does
 * for an inference, and the swaps' thread wakes it. A body that is staged is
 * copied, because the request ends before its turn has come.
 */
#include "serving/protocol/packs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "serving/context.h"
#include "serving/protocol/text.h"
#include "serving/swap/swap.h"

struct pack_call {
    struct srv_swap_call call;
    struct srv_swaps *swaps;
    struct sy_error refused; /* not taken at all */
};

static int add_piece(const char *data, size_t bytes, void *context)
{
    srv_text_add(context, data, bytes);
    return 0;
}

static void reply_json(struct srv_reply *reply, const json_t *value)
{
    struct srv_text text = {0};
    if (value == NULL ||
        json_dump_callback(value, add_piece, &text,
                           JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0) {
        srv_text_release(&text);
    }
    srv_reply_take(reply, 200, "application/json", text.data, text.bytes);
}

static void start(void *state, srv_wake_fn wake, void *waiter)
{
    struct pack_call *pack = state;
    pack->call.done = wake;
    pack->call.waiter = waiter;
    if (srv_swaps_ask(pack->swaps, &pack->call, &pack->refused) != SY_OK) {
        wake(waiter, false);
    }
}

static void finish(void *state, struct srv_reply *reply)
{
    struct pack_call *pack = state;
    const struct sy_error *err =
        pack->refused.status != SY_OK ? &pack->refused : &pack->call.err;
    if (err->status == SY_OK) {
        reply_json(reply, pack->call.answer);
    } else if (pack->call.conflict) {
        srv_reply_error(reply, 409, "%s", err->message);
    } else {
        srv_reply_failure(reply, err);
    }
}

static void release(void *state)
{
    struct pack_call *pack = state;
    json_decref(pack->call.answer);
    sy_free(pack->call.body);
    sy_free(pack);
}

/* A call about the network that the request names; NULL after an answer. */
static struct pack_call *new_call(struct srv_context *server,
                                  const struct srv_request *in,
                                  enum srv_swap_act act,
                                  struct srv_reply *reply)
{
    if (server->swaps == NULL) {
        srv_reply_error(reply, 501, "this server swaps no packs");
        return NULL;
    }
    if (strlen(in->capture[0]) >= SY_NAME_BYTES ||
        (in->capture[1] != NULL &&
         strlen(in->capture[1]) >= SRV_PACK_ID_BYTES)) {
        srv_reply_error(reply, 404, "network or pack is not found");
        return NULL;
    }
    struct pack_call *pack = sy_alloc_zero(1, sizeof *pack);
    if (pack == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        return NULL;
    }
    pack->swaps = server->swaps;
    pack->call.act = act;
    pack->call.shadow_share = -1;
    pack->call.canary_share = -1;
    memcpy(pack->call.network, in->capture[0], strlen(in->capture[0]) + 1);
    if (in->capture[1] != NULL) {
        memcpy(pack->call.id, in->capture[1], strlen(in->capture[1]) + 1);
    }
    return pack;
}

static void hand_over(struct pack_call *pack, struct srv_later *later)
{
    *later = (struct srv_later){
        .state = pack, .start = start, .finish = finish, .release = release};
}

/* The network must be served: what there is to swap. */
static bool check_network(struct srv_context *server,
                          const struct srv_request *in, struct srv_reply *reply)
{
    struct sy_error err = {0};
    struct srv_live *live;
    if (srv_repository_get(server->repository, in->capture[0], &live, &err) !=
        SY_OK) {
        srv_reply_failure(reply, &err);
        return false;
    }
    srv_live_unref(live);
    return true;
}

/* What the query of a staging says. */
static enum sy_status read_query(struct srv_swap_call *call,
                                 const struct srv_request *in,
                                 struct sy_error *err)
{
    const char *dry = srv_target_query(&in->target, "dry_run");
    const char *us = srv_target_query(&in->target, "max_us");
    char *end = NULL;
    if (dry != NULL && strcmp(dry, "true") != 0 && strcmp(dry, "false") != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "dry_run: expected true or false, found \"%s\"", dry);
    }
    call->dry_run = dry != NULL && strcmp(dry, "true") == 0;
    if (us == NULL) {
        return SY_OK;
    }
    errno = 0;
    call->max_us = strtoll(us, &end, 10);
    if (errno != 0 || end == us || *end != '\0' || call->max_us < 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "max_us: expected a whole number from 1 on, found "
                       "\"%s\"",
                       us);
    }
    return SY_OK;
}

void srv_packs_stage(void *context, const struct srv_request *in,
                     struct srv_reply *reply, struct srv_later *later)
{
    struct srv_context *server = context;
    struct sy_error err = {0};
    if (!check_network(server, in, reply)) {
        return;
    }
    struct pack_call *pack = new_call(server, in, SRV_SWAP_DO_ACCEPT, reply);
    if (pack == NULL) {
        return;
    }
    if (read_query(&pack->call, in, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        release(pack);
        return;
    }
    pack->call.body = sy_alloc(in->body_bytes + 1);
    if (pack->call.body == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        release(pack);
        return;
    }
    memcpy(pack->call.body, in->body, in->body_bytes + 1);
    pack->call.body_bytes = in->body_bytes;
    hand_over(pack, later);
}

/* A share in percent, to hundredths of a percent. */
static void read_percent(struct sy_json *in, const char *key, int *share)
{
    double percent = -1;
    sy_json_opt_real(in, key, 0, 100, &percent);
    if (percent >= 0) {
        *share = (int)lround(percent * SRV_SHARE_ALL / 100);
    }
}

/*
 * The body of an act. shadow: {"percent", "canary", "rules"}; canary:
 * {"percent", "shadow", "rules"}; others take none.
 */
static enum sy_status read_body(struct srv_swap_call *call,
                                const struct srv_request *in,
                                struct sy_error *err)
{
    bool empty = in->body_bytes == 0;
    bool canary = call->act == SRV_SWAP_DO_CANARY;
    json_t *root = NULL;
    SY_TRY(sy_json_parse(empty ? "{}" : in->body, empty ? 2 : in->body_bytes,
                         "request body", &root, err));
    struct sy_json own = sy_json_object(root, "request body", "", err);
    if (canary || call->act == SRV_SWAP_DO_SHADOW) {
        call->rules = srv_rules_default;
        call->has_rules = sy_json_has(&own, "rules");
        srv_rules_read(&call->rules, &own);
        int *main = canary ? &call->canary_share : &call->shadow_share;
        *main = canary ? SRV_SHARE_ALL / 10 : SRV_SHARE_ALL;
        read_percent(&own, "percent", main);
        read_percent(&own, canary ? "shadow" : "canary",
                     canary ? &call->shadow_share : &call->canary_share);
    }
    enum sy_status status = sy_json_end(&own);
    json_decref(root);
    return status;
}

void srv_pack_act(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later)
{
    struct sy_error err = {0};
    int act = SRV_SWAP_DO_SHADOW;
    while (act <= SRV_SWAP_DO_ROLLBACK &&
           strcmp(srv_swap_act_names[act], in->capture[2]) != 0) {
        act++;
    }
    if (act > SRV_SWAP_DO_ROLLBACK) {
        srv_reply_error(reply, 404,
                        "'%s' is nothing that a pack can: expected shadow, "
                        "canary, promote or rollback",
                        in->capture[2]);
        return;
    }
    struct pack_call *pack =
        new_call(context, in, (enum srv_swap_act)act, reply);
    if (pack == NULL) {
        return;
    }
    if (read_body(&pack->call, in, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        release(pack);
        return;
    }
    hand_over(pack, later);
}

void srv_pack_drop(void *context, const struct srv_request *in,
                   struct srv_reply *reply, struct srv_later *later)
{
    struct pack_call *pack = new_call(context, in, SRV_SWAP_DO_DROP, reply);
    if (pack != NULL) {
        hand_over(pack, later);
    }
}

/* The network's swap (owned), or NULL; false after an answer. */
static bool find_swap(struct srv_context *server, const struct srv_request *in,
                      struct srv_reply *reply, json_t **swap)
{
    bool failed = false;
    if (!check_network(server, in, reply)) {
        return false;
    }
    *swap = server->swaps != NULL
                ? srv_swaps_json(server->swaps, in->capture[0], &failed)
                : NULL;
    if (failed) {
        srv_reply_error(reply, 500, "out of memory");
    }
    return !failed;
}

void srv_packs(void *context, const struct srv_request *in,
               struct srv_reply *reply, struct srv_later *later)
{
    (void)later;
    json_t *swap, *list = json_array();
    if (find_swap(context, in, reply, &swap)) {
        if (swap != NULL) {
            (void)json_array_append_new(list, swap);
        }
        json_t *root = json_pack("{s:O}", "packs", list);
        reply_json(reply, root);
        json_decref(root);
    }
    json_decref(list);
}

void srv_pack(void *context, const struct srv_request *in,
              struct srv_reply *reply, struct srv_later *later)
{
    (void)later;
    json_t *swap;
    if (!find_swap(context, in, reply, &swap)) {
        return;
    }
    const char *id = json_string_value(json_object_get(swap, "id"));
    if (id != NULL && strcmp(id, in->capture[1]) == 0) {
        reply_json(reply, swap);
    } else {
        srv_reply_error(reply, 404, "network '%s' has no pack '%s' staged",
                        in->capture[0], in->capture[1]);
    }
    json_decref(swap);
}
