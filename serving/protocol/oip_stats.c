/*
 * oip_stats.c - GET /v2/models/M[/versions/V]/stats and /v2/models/stats: the
 * statistics extension.
 *
 * DESIGN: compute_input and compute_output of a request are the parsing of
 * its body and the writing of its answer, which happen on the HTTP threads.
 * An execution takes its images where they were parsed and writes its outputs
 * where they are read, so those two are zero in batch_stats. The network's
 * memory is shared by its models and stands at the whole network only.
 *
 * Source: Triton's extension_statistics.md.
 */
#include <stdio.h>

#include "serving/protocol/oip.h"

static void put_timed(struct srv_text *text, const char *name,
                      struct srv_timed timed)
{
    srv_text_printf(text, "\"%s\":{\"count\":%lld,\"ns\":%lld}", name,
                    (long long)timed.count, (long long)timed.ns);
}

static struct srv_timed all_failures(const struct srv_model_stats *stats)
{
    struct srv_timed sum = {0};
    for (int i = 0; i < SRV_FAIL_REASONS; i++) {
        sum.count += stats->fail[i].count;
        sum.ns += stats->fail[i].ns;
    }
    return sum;
}

static void put_requests(struct srv_text *text,
                         const struct srv_model_stats *stats)
{
    const struct {
        const char *name;
        struct srv_timed timed;
    } members[] = {
        {"success", stats->success},
        {"fail", all_failures(stats)},
        {"queue", stats->queue},
        {"compute_input", stats->input},
        {"compute_infer", stats->infer},
        {"compute_output", stats->output},
        {"cache_hit", (struct srv_timed){0}},
        {"cache_miss", (struct srv_timed){0}},
    };
    srv_text_puts(text, "\"inference_stats\":{");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        srv_text_puts(text, i > 0 ? "," : "");
        put_timed(text, members[i].name, members[i].timed);
    }
    srv_text_puts(text, "}");
}

static void put_batches(struct srv_text *text,
                        const struct srv_model_stats *stats)
{
    bool first = true;
    srv_text_puts(text, "\"batch_stats\":[");
    for (int size = 1; size <= SRV_STATS_SIZES; size++) {
        struct srv_timed infer = stats->batch[size];
        struct srv_timed none = {.count = infer.count};
        if (infer.count == 0) {
            continue;
        }
        srv_text_printf(text, "%s{\"batch_size\":%d,", first ? "" : ",", size);
        put_timed(text, "compute_input", none);
        srv_text_puts(text, ",");
        put_timed(text, "compute_infer", infer);
        srv_text_puts(text, ",");
        put_timed(text, "compute_output", none);
        srv_text_puts(text, "}");
        first = false;
    }
    srv_text_puts(text, "]");
}

/* Model `index` of a network, as in its statistics; see stats.h. */
static void put_model(struct srv_text *text, const struct srv_live *live,
                      int index)
{
    struct srv_model_stats stats;
    bool whole = index == live->network->domain_count;
    char name[SRV_MODEL_NAME_BYTES + 1];
    srv_stats_read(live->stats, index, &stats);
    snprintf(name, sizeof name, "%s%s%s", live->name, whole ? "" : ".",
             whole ? "" : live->network->domain[index].name);
    srv_text_puts(text, "{\"name\":");
    srv_text_string(text, name);
    srv_text_printf(text,
                    ",\"version\":\"%s\",\"last_inference\":%lld,"
                    "\"inference_count\":%lld,\"execution_count\":%lld,",
                    live->label, (long long)stats.last_inference_ms,
                    (long long)stats.inferences, (long long)stats.executions);
    put_requests(text, &stats);
    srv_text_puts(text, ",\"response_stats\":{},");
    put_batches(text, &stats);
    srv_text_puts(text, ",\"memory_usage\":[");
    if (whole) {
        srv_text_printf(text, "{\"type\":\"CPU\",\"id\":0,\"byte_size\":%lld}",
                        (long long)live->weights_bytes);
    }
    srv_text_puts(text, "]}");
}

SRV_HANDLER(srv_oip_stats)
{
    (void)later;
    struct srv_model model;
    if (!srv_oip_find(context, in, &model, reply)) {
        return;
    }
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"model_stats\":[");
    put_model(&text, model.live, srv_model_index(&model));
    srv_text_puts(&text, "]}");
    srv_oip_reply(reply, &text);
    srv_model_release(&model);
}

SRV_HANDLER(srv_oip_all_stats)
{
    (void)in, (void)later;
    struct srv_context *server = context;
    struct srv_text text = {0};
    bool first = true;
    srv_text_puts(&text, "{\"model_stats\":[");
    for (int i = 0; i < srv_repository_count(server->repository); i++) {
        struct srv_entry entry;
        struct srv_live *live;
        srv_repository_entry(server->repository, i, &entry);
        if (srv_repository_get(server->repository, entry.name, &live, NULL) !=
            SY_OK) {
            continue;
        }
        for (int m = 0; m <= live->network->domain_count; m++) {
            srv_text_puts(&text, first ? "" : ",");
            put_model(&text, live, m);
            first = false;
        }
        srv_live_unref(live);
    }
    srv_text_puts(&text, "]}");
    srv_oip_reply(reply, &text);
}
