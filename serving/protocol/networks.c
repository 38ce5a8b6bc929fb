/*
 * networks.c - what is served.
 *
 * DESIGN: these replies are read by people and asked for seldom, so they are
 * built with Jansson from sy_inspect_json, the same function that the command
 * line prints, and cannot drift from it.
 */
#include "serving/protocol/networks.h"

#include <string.h>

#include "runtime/network/inspect.h"
#include "serving/context.h"
#include "serving/protocol/text.h"
#include "serving/web/web.h"

static int add_piece(const char *data, size_t bytes, void *context)
{
    srv_text_add(context, data, bytes);
    return 0;
}

/* Answers with an owned JSON value, NULL meaning that there was no memory. */
static void reply_json(struct srv_reply *reply, json_t *value)
{
    struct srv_text text = {0};
    if (value == NULL ||
        json_dump_callback(value, add_piece, &text, JSON_COMPACT) != 0) {
        srv_text_release(&text);
    }
    srv_reply_take(reply, 200, "application/json", text.data, text.bytes);
    json_decref(value);
}

static json_t *domain_names(const struct sy_network *network)
{
    json_t *names = json_array();
    for (int d = 0; d < network->domain_count; d++) {
        (void)json_array_append_new(names,
                                    json_string(network->domain[d].name));
    }
    return names;
}

static json_t *entry_json(struct srv_repository *repository, int index)
{
    static const char *const states[] = {"loading", "ready", "failed",
                                         "unloaded"};
    struct srv_entry entry;
    srv_repository_entry(repository, index, &entry);
    json_t *json = json_pack("{s:s,s:s}", "name", entry.name, "state",
                             states[entry.state]);
    struct srv_live *live = NULL;
    if (entry.reason[0] != '\0') {
        (void)json_object_set_new(json, "reason", json_string(entry.reason));
    }
    if (srv_repository_get(repository, entry.name, &live, NULL) == SY_OK) {
        (void)json_object_set_new(json, "snapshot", json_string(live->label));
        (void)json_object_set_new(json, "domains", domain_names(live->network));
        srv_live_unref(live);
    }
    return json;
}

void srv_networks(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later)
{
    (void)in, (void)later;
    struct srv_context *server = context;
    json_t *list = json_array();
    for (int i = 0; i < srv_repository_count(server->repository); i++) {
        (void)json_array_append_new(list, entry_json(server->repository, i));
    }
    reply_json(reply, json_pack("{s:o}", "networks", list));
}

/* What the network has done since it was loaded, and the queue now. */
static json_t *counts_json(struct srv_context *server, struct srv_live *live)
{
    struct srv_batcher_stats stats;
    srv_batcher_stats(server->batcher, &stats);
    json_t *images = json_object();
    json_int_t requests = 0;
    for (int m = 0; m <= live->network->domain_count; m++) {
        struct srv_model_stats model;
        srv_stats_read(live->stats, m, &model);
        requests += model.success.count;
    }
    for (int d = 0; d < live->network->domain_count; d++) {
        (void)json_object_set_new(
            images, live->network->domain[d].name,
            json_integer(srv_stats_images(live->stats, d)));
    }
    return json_pack("{s:I,s:o,s:i,s:I}", "requests", requests, "images",
                     images, "queued", stats.queued, "batches",
                     (json_int_t)stats.batches);
}

void srv_network(void *context, const struct srv_request *in,
                 struct srv_reply *reply, struct srv_later *later)
{
    (void)later;
    struct srv_context *server = context;
    struct sy_error err = {0};
    struct srv_live *live;
    if (srv_repository_get(server->repository, in->capture[0], &live, &err) !=
        SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    json_t *json = sy_inspect_json(live->network);
    if (json != NULL) {
        (void)json_object_set_new(json, "snapshot", json_string(live->label));
        (void)json_object_set_new(json, "counts", counts_json(server, live));
    }
    reply_json(reply, json);
    srv_live_unref(live);
}

void srv_page(void *context, const struct srv_request *in,
              struct srv_reply *reply, struct srv_later *later)
{
    (void)context, (void)in, (void)later;
    struct srv_text text = {0};
    srv_text_add(&text, (const char *)srv_web_index, srv_web_index_bytes);
    srv_reply_take(reply, 200, "text/html; charset=utf-8", text.data,
                   text.bytes);
    srv_reply_header(reply, "Content-Security-Policy",
                     "default-src 'none'; style-src 'unsafe-inline'; "
                     "script-src 'unsafe-inline'; connect-src 'self'; "
                     "img-src blob:");
}
