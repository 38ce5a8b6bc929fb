/*
 * page.c - GET /metrics: Prometheus' text format, version 0.0.4.
 *
 * DESIGN: all lines of one metric stand together under its HELP and TYPE, so
 * the page is written metric by metric, each with a walk over the networks.
 * Those are taken once, with a reference each, so that a network that goes in
 * the middle does not make half a page. Names of networks, domains and
 * experts are other people's texts: they are escaped. A histogram's count is
 * the sum of the buckets that were read, so it never contradicts them.
 *
 * The names that begin with nv_ are those that dashboards of other servers
 * ask for; ours say switchyard_ and use base units.
 */
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "serving/context.h"
#include "serving/http/front.h"
#include "serving/log/spans.h"
#include "serving/metrics/codes.h"
#include "serving/metrics/metrics.h"
#include "serving/protocol/routes.h"
#include "serving/protocol/text.h"
#include "serving/swap/swap.h"

enum { LABELS_BYTES = 512 };

struct page {
    struct srv_text text;
    struct srv_context *server;
    int count;
    struct srv_live *live[SRV_MAX_NETWORKS]; /* a reference each */
};

static void begin(struct page *page, const char *name, const char *type,
                  const char *help)
{
    srv_text_printf(&page->text, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                    name, type);
}

/* A label's value between quotes. */
static void put_value(struct srv_text *text, const char *value)
{
    srv_text_puts(text, "\"");
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            srv_text_puts(text, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\') {
            srv_text_puts(text, "\\");
        }
        srv_text_add(text, value, 1);
    }
    srv_text_puts(text, "\"");
}

static void put_model(struct srv_text *text, const char *name,
                      const struct srv_live *live, int model)
{
    char full[2 * SY_NAME_BYTES];
    const struct sy_network *network = live->network;
    bool whole = model == network->domain_count;
    snprintf(full, sizeof full, "%s%s%s", live->name, whole ? "" : ".",
             whole ? "" : network->domain[model].name);
    srv_text_printf(text, "%s{model=", name);
    put_value(text, full);
    srv_text_puts(text, ",version=");
    put_value(text, live->label);
}

static void put_number(struct srv_text *text, int64_t value)
{
    srv_text_puts(text, "} ");
    srv_text_int(text, value);
    srv_text_puts(text, "\n");
}

/* What is read from a model's statistics, one metric each. */
static const struct model_metric {
    const char *name, *help;
    size_t offset; /* of an int64_t in struct srv_model_stats */
    int64_t divide;
} model_metrics[] = {
#define COUNT(name, help, member)                                              \
    {                                                                          \
        name, help, offsetof(struct srv_model_stats, member), 1                \
    }
#define MICROS(name, help, member)                                             \
    {                                                                          \
        name, help, offsetof(struct srv_model_stats, member.ns), 1000          \
    }
    COUNT("nv_inference_request_success", "Requests that were answered",
          success.count),
    COUNT("nv_inference_count", "Images of requests that were answered",
          inferences),
    COUNT("nv_inference_exec_count", "Batches that held images of the model",
          executions),
    MICROS("nv_inference_request_duration_us", "Time of answered requests",
           success),
    MICROS("nv_inference_queue_duration_us", "Time in the queue", queue),
    MICROS("nv_inference_compute_input_duration_us", "Time to read inputs",
           input),
    MICROS("nv_inference_compute_infer_duration_us", "Time in batches", infer),
    MICROS("nv_inference_compute_output_duration_us", "Time to write outputs",
           output),
#undef COUNT
#undef MICROS
};

static void put_model_metrics(struct page *page)
{
    size_t count = sizeof model_metrics / sizeof model_metrics[0];
    for (size_t m = 0; m < count; m++) {
        const struct model_metric *metric = &model_metrics[m];
        begin(page, metric->name, "counter", metric->help);
        for (int i = 0; i < page->count; i++) {
            struct srv_live *live = page->live[i];
            for (int d = 0; d <= live->network->domain_count; d++) {
                struct srv_model_stats stats;
                srv_stats_read(live->stats, d, &stats);
                const char *at = (const char *)&stats + metric->offset;
                put_model(&page->text, metric->name, live, d);
                put_number(&page->text,
                           *(const int64_t *)(const void *)at / metric->divide);
            }
        }
    }
}

static void put_failures(struct page *page)
{
    static const char *const reasons[SRV_FAIL_REASONS] = {"REJECTED",
                                                          "CANCELED", "OTHER"};
    const char *name = "nv_inference_request_failure";
    begin(page, name, "counter", "Requests that got no answer, by reason");
    for (int i = 0; i < page->count; i++) {
        struct srv_live *live = page->live[i];
        for (int d = 0; d <= live->network->domain_count; d++) {
            struct srv_model_stats stats;
            srv_stats_read(live->stats, d, &stats);
            for (int r = 0; r < SRV_FAIL_REASONS; r++) {
                put_model(&page->text, name, live, d);
                srv_text_puts(&page->text, ",reason=");
                put_value(&page->text, reasons[r]);
                put_number(&page->text, stats.fail[r].count);
            }
        }
    }
}

static void put_network(struct srv_text *text, const char *name,
                        const struct srv_live *live)
{
    srv_text_printf(text, "%s{network=", name);
    put_value(text, live->name);
}

/* What each expert did. An exit rate is exits over images. */
static void put_experts(struct page *page)
{
    static const struct {
        const char *name, *help;
    } metrics[] = {
        {"switchyard_expert_images_total", "Images that an expert ran for"},
        {"switchyard_expert_exits_total",
         "Images that an expert's own answer went out for"}};
    for (int m = 0; m < 2; m++) {
        begin(page, metrics[m].name, "counter", metrics[m].help);
        for (int i = 0; i < page->count; i++) {
            struct srv_live *live = page->live[i];
            const struct sy_network *network = live->network;
            for (int e = 0; e < network->expert_count; e++) {
                const struct sy_expert *expert = &network->expert[e];
                put_network(&page->text, metrics[m].name, live);
                srv_text_puts(&page->text, ",domain=");
                put_value(&page->text, network->domain[expert->domain].name);
                srv_text_puts(&page->text, ",expert=");
                put_value(&page->text, expert->name);
                put_number(&page->text, m == 0
                                            ? live->traffic->expert_images[e]
                                            : live->traffic->expert_exits[e]);
            }
        }
    }
}

static void put_domains(struct page *page)
{
    const char *name = "switchyard_domain_madds_total";
    begin(page, name, "counter", "Multiply-adds computed for a domain");
    for (int i = 0; i < page->count; i++) {
        struct srv_live *live = page->live[i];
        for (int d = 0; d < live->network->domain_count; d++) {
            put_network(&page->text, name, live);
            srv_text_puts(&page->text, ",domain=");
            put_value(&page->text, live->network->domain[d].name);
            put_number(&page->text, live->traffic->domain_madds[d]);
        }
    }
}

/* How undecided the gates of routes were: nats over images is the mean. */
static void put_gates(struct page *page)
{
    static const struct {
        const char *name, *help;
    } metrics[] = {
        {"switchyard_gate_images_total", "Images that a route asked a gate of"},
        {"switchyard_gate_entropy_nats_total",
         "How undecided a gate was, in nats, summed over images"}};
    for (int m = 0; m < 2; m++) {
        begin(page, metrics[m].name, "counter", metrics[m].help);
        for (int i = 0; i < page->count; i++) {
            const struct srv_live *live = page->live[i];
            const struct sy_network *network = live->network;
            for (int g = 0; g < network->gate_count; g++) {
                const struct sy_gate *gate = &network->gate[g];
                if (gate->domain < 0) { /* the root's */
                    continue;
                }
                put_network(&page->text, metrics[m].name, live);
                srv_text_puts(&page->text, ",domain=");
                put_value(&page->text, network->domain[gate->domain].name);
                srv_text_puts(&page->text, ",gate=");
                put_value(&page->text, gate->name);
                if (m == 0) {
                    put_number(&page->text, live->traffic->gate_images[g]);
                } else {
                    srv_text_printf(&page->text, "} %.9g\n",
                                    (double)live->traffic->gate_nanonats[g] /
                                        1e9);
                }
            }
        }
    }
}

/* Every unit: stem, blocks, trunk and heads. */
static void put_blocks(struct page *page)
{
    static const struct {
        const char *name, *help;
    } metrics[] = {
        {"switchyard_block_executions_total", "Images that a block computed"},
        {"switchyard_block_madds_total", "Multiply-adds of a block"}};
    for (int m = 0; m < 2; m++) {
        begin(page, metrics[m].name, "counter", metrics[m].help);
        for (int i = 0; i < page->count; i++) {
            struct srv_live *live = page->live[i];
            for (int u = 0; u < live->network->unit_count; u++) {
                const struct sy_unit *unit = &live->network->unit[u];
                int64_t images = live->traffic->unit_images[u];
                put_network(&page->text, metrics[m].name, live);
                srv_text_puts(&page->text, ",block=");
                put_value(&page->text, unit->id);
                put_number(&page->text,
                           m == 0 ? images : images * unit->cost.madds);
            }
        }
    }
}

static void put_histogram(struct page *page, const char *name,
                          const char *phase, struct srv_buckets *histogram)
{
    int64_t count = 0;
    char label[64] = "";
    struct srv_text *text = &page->text;
    if (phase != NULL) {
        snprintf(label, sizeof label, "phase=\"%s\"", phase);
    }
    for (int i = 0; i <= SRV_BUCKETS; i++) {
        count += atomic_load(&histogram->bucket[i]);
        srv_text_printf(text, "%s_bucket{%s%sle=\"", name, label,
                        phase != NULL ? "," : "");
        if (i < SRV_BUCKETS) {
            srv_text_printf(text, "%g", (double)srv_bucket_ns[i] / 1e9);
        } else {
            srv_text_puts(text, "+Inf");
        }
        srv_text_puts(text, "\"");
        put_number(text, count);
    }
    const char *open = phase != NULL ? "{" : "", *close = phase ? "}" : "";
    srv_text_printf(text, "%s_sum%s%s%s %.9g\n", name, open, label, close,
                    (double)atomic_load(&histogram->sum_ns) / 1e9);
    srv_text_printf(text, "%s_count%s%s%s %lld\n", name, open, label, close,
                    (long long)count);
}

static void put_exchanges(struct page *page)
{
    struct srv_metrics *metrics = page->server->metrics;
    const char *name = "switchyard_http_requests_total";
    begin(page, name, "counter", "Requests by route and status");
    for (int r = 0; r <= SRV_METRIC_ROUTES; r++) {
        for (int c = 0; srv_metric_names[c].status != -1; c++) {
            int64_t count = atomic_load(&metrics->requests[r][c]);
            if (count > 0) {
                srv_text_printf(&page->text, "%s{route=", name);
                put_value(&page->text, r < SRV_METRIC_ROUTES
                                           ? srv_routes[r].pattern
                                           : "none");
                srv_text_printf(&page->text, ",code=\"%d\"",
                                srv_metric_names[c].status);
                put_number(&page->text, count);
            }
        }
    }
    name = "switchyard_http_rejected_total";
    begin(page, name, "counter", "Requests that no handler saw, by reason");
    for (int c = 0; srv_metric_names[c].status != -1; c++) {
        if (srv_metric_names[c].status >= 400) {
            srv_text_printf(&page->text, "%s{reason=\"%s\"", name,
                            srv_metric_names[c].reason);
            put_number(&page->text, atomic_load(&metrics->rejected[c]));
        }
    }
}

static void put_phases(struct page *page)
{
    static const char *const phases[SRV_PHASES] = {
        "read", "parse", "queue", "compute", "wake", "encode", "write"};
    struct srv_metrics *metrics = page->server->metrics;
    const char *name = "switchyard_phase_duration_seconds";
    begin(page, name, "histogram",
          "What the time of requests was spent on; parse to encode: of "
          "inference only");
    for (int i = 0; i < SRV_PHASES; i++) {
        put_histogram(page, name, phases[i], &metrics->phase[i]);
    }
    name = "switchyard_http_request_duration_seconds";
    begin(page, name, "histogram", "From the request line to the last byte");
    put_histogram(page, name, NULL, &metrics->total);
}

static void put_one(struct page *page, const char *name, const char *type,
                    const char *help, double value)
{
    begin(page, name, type, help);
    srv_text_printf(&page->text, "%s %.15g\n", name, value);
}

static void put_connections(struct page *page)
{
    static const char *const reasons[SRV_LOSSES] = {"idle", "headers", "slow",
                                                    "left", "cancelled"};
    struct srv_front_counts counts;
    const char *name = "switchyard_connections_ended_total";
    struct srv_front *front = atomic_load(&page->server->front);
    if (front == NULL) {
        return;
    }
    srv_front_counts(front, &counts);
    put_one(page, "switchyard_connections", "gauge", "Clients connected now",
            counts.connections);
    begin(page, name, "counter",
          "Connections hung up on, and work cancelled, by reason");
    for (int i = 0; i < SRV_LOSSES; i++) {
        srv_text_printf(&page->text, "%s{reason=\"%s\"", name, reasons[i]);
        put_number(&page->text, counts.losses[i]);
    }
}

static void put_spans(struct page *page)
{
    struct srv_spans_counts counts;
    if (page->server->spans != NULL) {
        srv_spans_counts(page->server->spans, &counts);
        put_one(page, "switchyard_spans_sent_total", "counter",
                "Spans that the collector took", (double)counts.sent);
        put_one(page, "switchyard_spans_dropped_total", "counter",
                "Spans that it did not take, or that did not fit",
                (double)counts.dropped);
    }
}

static void put_batcher(struct page *page)
{
    struct srv_batcher_stats stats;
    srv_batcher_stats(page->server->batcher, &stats);
    put_one(page, "nv_inference_pending_request_count", "gauge",
            "Requests that wait, of all models", stats.queued);
    put_one(page, "switchyard_batches_total", "counter", "Batches run",
            (double)stats.batches);
    put_one(page, "switchyard_batch_images_total", "counter",
            "Images in batches", (double)stats.images);
    put_one(page, "switchyard_queue_refused_total", "counter",
            "Requests for which there was no place", (double)stats.refused);
    put_one(page, "switchyard_queue_expired_total", "counter",
            "Requests whose time passed", (double)stats.expired);
    put_one(page, "switchyard_queue_cancelled_total", "counter",
            "Requests whose client went away", (double)stats.cancelled);
    struct srv_metrics *metrics = page->server->metrics;
    put_one(page, "switchyard_http_body_bytes_total", "counter",
            "Bytes of request bodies",
            (double)atomic_load(&metrics->body_bytes));
    put_one(page, "switchyard_http_reply_bytes_total", "counter",
            "Bytes of answers", (double)atomic_load(&metrics->reply_bytes));
    put_one(page, "switchyard_degraded_total", "counter",
            "Requests answered for less than their route costs",
            (double)atomic_load(&metrics->degraded));
    if (page->server->budget != NULL) {
        put_one(page, "switchyard_request_memory_bytes", "gauge",
                "Memory that bodies and tensors hold",
                (double)atomic_load(&page->server->budget->used_bytes));
    }
}

/* What is read from each view of a swap; domain < 0: of the whole. */
struct swap_lines {
    struct page *page;
    const char *name;
    int64_t (*value)(const struct srv_swap_view *view, int domain);
    bool by_domain;
    const char *label, *label_value; /* one more, or NULL */
};

static void put_swap(void *context, const struct srv_swap_view *view)
{
    const struct swap_lines *lines = context;
    struct srv_text *text = &lines->page->text;
    int count = lines->by_domain ? view->domain_count : 1;
    for (int d = 0; d < count; d++) {
        srv_text_printf(text, "%s{network=", lines->name);
        put_value(text, view->network);
        if (lines->by_domain) {
            srv_text_puts(text, ",domain=");
            put_value(text, view->domain[d].name);
        }
        if (lines->label != NULL) {
            srv_text_printf(text, ",%s=", lines->label);
            put_value(text, lines->label_value);
        }
        put_number(text, lines->value(view, d));
    }
}

#define SWAP_VALUE(name, expression)                                           \
    static int64_t name(const struct srv_swap_view *view, int domain)          \
    {                                                                          \
        (void)domain;                                                          \
        return expression;                                                     \
    }
SWAP_VALUE(fresh_bytes, view->bytes.fresh)
SWAP_VALUE(shared_bytes, view->bytes.shared)
SWAP_VALUE(freed_bytes, view->bytes.freed)
SWAP_VALUE(trial_pairs, view->domain[domain].tally.pairs)
SWAP_VALUE(trial_agreed, view->domain[domain].tally.agreed)
SWAP_VALUE(trial_errors, view->domain[domain].tally.errors)
SWAP_VALUE(trial_answered, view->domain[domain].tally.answered)
SWAP_VALUE(trial_extra_madds, view->domain[domain].tally.extra_madds)
SWAP_VALUE(trial_extra_blocks, view->domain[domain].tally.extra_blocks)
#undef SWAP_VALUE

/* What of a candidate on trial, or of memory, is told of every swap. */
static void put_swap_views(struct page *page)
{
    static const struct {
        const char *name, *type, *help;
        int64_t (*value)(const struct srv_swap_view *view, int domain);
    } trials[] = {
        {"switchyard_swap_pairs_total", "counter",
         "Images that a candidate ran beside what is served", trial_pairs},
        {"switchyard_swap_agreed_total", "counter",
         "Those of them that got the same label from both", trial_agreed},
        {"switchyard_swap_errors_total", "counter",
         "Answers of a candidate that are not finite numbers", trial_errors},
        {"switchyard_swap_answered_total", "counter",
         "Images that a candidate answered", trial_answered},
        {"switchyard_swap_extra_madds_total", "counter",
         "Multiply-adds that pairs cost more than one route",
         trial_extra_madds},
        {"switchyard_swap_extra_blocks_total", "counter",
         "Blocks run for pairs beyond those of one route", trial_extra_blocks},
    };
    struct srv_swaps *swaps = page->server->swaps;
    struct swap_lines lines = {.page = page};
    const char *name = "switchyard_swap_bytes";
    begin(page, name, "gauge",
          "Packed weights of a pack: new, shared with what it replaces, and "
          "freed with that");
    lines.name = name;
    lines.label = "kind";
    lines.label_value = "new";
    lines.value = fresh_bytes;
    srv_swaps_each(swaps, put_swap, &lines);
    lines.label_value = "shared";
    lines.value = shared_bytes;
    srv_swaps_each(swaps, put_swap, &lines);
    lines.label_value = "freed";
    lines.value = freed_bytes;
    srv_swaps_each(swaps, put_swap, &lines);
    lines.label = NULL;
    lines.by_domain = true;
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        begin(page, trials[i].name, trials[i].type, trials[i].help);
        lines.name = trials[i].name;
        lines.value = trials[i].value;
        srv_swaps_each(swaps, put_swap, &lines);
    }
}

static void put_phase(void *context, const struct srv_swap_view *view)
{
    struct srv_text *text = context;
    for (int i = 0; i < SRV_SWAP_PHASES; i++) {
        srv_text_puts(text, "switchyard_swap_phase{network=");
        put_value(text, view->network);
        srv_text_printf(text, ",phase=\"%s\"", srv_swap_phase_names[i]);
        put_number(text, (int)view->phase == i);
    }
}

static void put_swaps(struct page *page)
{
    if (page->server->swaps == NULL) {
        return;
    }
    struct srv_swap_counts *counts = srv_swaps_counts(page->server->swaps);
    const struct {
        const char *result;
        _Atomic int64_t *count;
    } results[] = {
        {"staged", &counts->staged},     {"refused", &counts->refused},
        {"promoted", &counts->promoted}, {"rolled_back", &counts->rolled_back},
        {"dropped", &counts->dropped},   {"automatic", &counts->automatic}};
    const char *name = "switchyard_swaps_total";
    begin(page, name, "counter",
          "Packs by what became of them; automatic: steps taken by rules");
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        srv_text_printf(&page->text, "%s{result=\"%s\"", name,
                        results[i].result);
        put_number(&page->text, atomic_load(results[i].count));
    }
    name = "switchyard_swap_phase";
    begin(page, name, "gauge", "1: where the network's pack stands");
    srv_swaps_each(page->server->swaps, put_phase, &page->text);
    name = "switchyard_swap_stage_duration_seconds";
    begin(page, name, "histogram", "How long staging took");
    put_histogram(page, name, NULL, &counts->stage);
    name = "switchyard_swap_publish_duration_seconds";
    begin(page, name, "histogram",
          "How long the exchange of what is served took");
    put_histogram(page, name, NULL, &counts->publish);
    put_one(page, "switchyard_swap_publish_max_seconds", "gauge",
            "The longest exchange since the start",
            (double)atomic_load(&counts->most_publish_ns) / 1e9);
    put_swap_views(page);
}

/* Pages that the process holds, from /proc/self/statm. */
static double resident_bytes(void)
{
    char *text = NULL, *rest;
    size_t bytes;
    double pages = 0;
    if (sy_file_read("/proc/self/statm", 4096, &text, &bytes, NULL) == SY_OK) {
        (void)strtol(text, &rest, 10);
        pages = (double)strtol(rest, NULL, 10);
    }
    sy_free(text);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static void put_process(struct page *page)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    put_one(page, "process_cpu_seconds_total", "counter",
            "Processor time of user and system",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
                    1e6);
    put_one(page, "process_resident_memory_bytes", "gauge", "Resident memory",
            resident_bytes());
    put_one(page, "process_start_time_seconds", "gauge",
            "When the server started, since the epoch",
            (double)page->server->started_s);
    begin(page, "switchyard_build_info", "gauge", "What is running");
    srv_text_puts(&page->text,
                  "switchyard_build_info{version=\"" SY_VERSION "\"} 1\n");
}

static void put_networks(struct page *page)
{
    struct srv_repository *repository = page->server->repository;
    const char *name = "switchyard_network_ready";
    begin(page, name, "gauge", "1: the network serves");
    for (int i = 0; i < srv_repository_count(repository); i++) {
        struct srv_entry entry;
        srv_repository_entry(repository, i, &entry);
        srv_text_printf(&page->text, "%s{network=", name);
        put_value(&page->text, entry.name);
        put_number(&page->text, entry.state == SRV_READY);
    }
    name = "nv_model_load_duration_secs";
    begin(page, name, "gauge", "How long loading took");
    for (int i = 0; i < page->count; i++) {
        struct srv_live *live = page->live[i];
        put_model(&page->text, name, live, live->network->domain_count);
        srv_text_printf(&page->text, "} %.9g\n", (double)live->loaded_ns / 1e9);
    }
}

void srv_metrics_page(void *context, const struct srv_request *in,
                      struct srv_reply *reply, struct srv_later *later)
{
    (void)in, (void)later;
    struct page page = {.server = context};
    struct srv_repository *repository = page.server->repository;
    for (int i = 0; i < srv_repository_count(repository); i++) {
        struct srv_entry entry;
        srv_repository_entry(repository, i, &entry);
        if (srv_repository_get(repository, entry.name, &page.live[page.count],
                               NULL) == SY_OK) {
            page.count++;
        }
    }
    put_model_metrics(&page);
    put_failures(&page);
    put_networks(&page);
    put_experts(&page);
    put_domains(&page);
    put_gates(&page);
    put_blocks(&page);
    put_batcher(&page);
    if (page.server->metrics != NULL) {
        put_exchanges(&page);
        put_phases(&page);
    }
    put_connections(&page);
    put_spans(&page);
    put_swaps(&page);
    put_process(&page);
    for (int i = 0; i < page.count; i++) {
        srv_live_unref(page.live[i]);
    }
    srv_reply_take(reply, 200, "text/plain; version=0.0.4; charset=utf-8",
                   page.text.data, page.text.bytes);
}
