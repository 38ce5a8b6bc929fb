/*
 * spans.c - a buffer of spans that is sent when it is old or long enough.
 *
 * DESIGN: the buffer holds finished JSON. The sender takes it whole, puts the
 * envelope around it, and posts it; meanwhile the next one fills. Nothing is
 * sent twice: spans are a sample anyway, and a collector that has trouble is
 * not helped by more of them.
 */
#include "serving/log/spans.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "serving/load/wire.h"

#define SECOND_NS INT64_C(1000000000)

enum {
    BUFFER_BYTES = 1 << 20,
    ENOUGH_BYTES = 256 << 10, /* is sent at once */
    SEND_MS = 5000,           /* for an answer */
    URL_BYTES = 512
};

struct srv_spans {
    char url[URL_BYTES];
    pthread_t sender;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    struct srv_text filling;
    int64_t filled; /* spans in it */
    struct srv_spans_counts counts;
    bool closing;
};

static const char head[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"switchyard\"}},"
    "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" SY_VERSION
    "\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"switchyard\"},\"spans\":[";
static const char tail[] = "]}]}]}";

static void put_key(struct srv_text *text, const char *key, const char *kind)
{
    srv_text_puts(text, "{\"key\":\"");
    srv_text_puts(text, key);
    srv_text_puts(text, "\",\"value\":{\"");
    srv_text_puts(text, kind);
    srv_text_puts(text, "\":");
}

static void put_string(struct srv_text *text, const char *key,
                       const char *value)
{
    put_key(text, key, "stringValue");
    srv_text_string(text, value);
    srv_text_puts(text, "}},");
}

/* 64-bit numbers are texts in the JSON form of protobuf. */
static void put_number(struct srv_text *text, const char *key, int64_t value)
{
    put_key(text, key, "intValue");
    srv_text_printf(text, "\"%lld\"}},", (long long)value);
}

static void put_facts(struct srv_text *text, const struct srv_record *record)
{
    const struct srv_facts *facts = record->facts;
    put_string(text, "switchyard.model", facts->model);
    put_string(text, "switchyard.snapshot", facts->snapshot);
    put_string(text, "switchyard.domain", facts->domain);
    put_string(text, "switchyard.experts", facts->experts);
    put_string(text, "switchyard.exit", facts->exit);
    put_number(text, "switchyard.images", facts->images);
    put_number(text, "switchyard.madds", facts->madds);
    put_number(text, "switchyard.parse_ns", record->parse_ns);
    put_number(text, "switchyard.queue_ns", facts->queue_ns);
    put_number(text, "switchyard.compute_ns", facts->compute_ns);
    put_number(text, "switchyard.wake_ns", record->wake_ns);
    put_number(text, "switchyard.encode_ns", record->encode_ns);
}

void srv_span_put(struct srv_text *text, const struct srv_record *record,
                  const char *trace_id, const char *span_id, int64_t end_ns)
{
    const struct srv_request *request = record->request;
    const char *route =
        request->route != NULL ? request->route->pattern : "none";
    srv_text_printf(text, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", trace_id,
                    span_id);
    if (request->span_id[0] != '\0') {
        srv_text_printf(text, "\"parentSpanId\":\"%s\",", request->span_id);
    }
    srv_text_puts(text, "\"name\":");
    srv_text_string(text, route);
    srv_text_printf(text,
                    ",\"kind\":2,\"startTimeUnixNano\":\"%lld\","
                    "\"endTimeUnixNano\":\"%lld\",\"attributes\":[",
                    (long long)(end_ns - record->total_ns), (long long)end_ns);
    put_string(text, "http.request.method", request->method_text);
    put_string(text, "http.route", route);
    put_string(text, "client.address", request->address);
    put_string(text, "switchyard.request_id", request->id);
    if (record->facts->images > 0) {
        put_facts(text, record);
    }
    put_number(text, "switchyard.read_ns", record->read_ns);
    put_number(text, "switchyard.write_ns", record->write_ns);
    put_key(text, "http.response.status_code", "intValue");
    srv_text_printf(text, "\"%d\"}}],\"status\":{", record->status);
    /* Of a server only its own failures are errors; 0: lost on the way. */
    srv_text_puts(text, record->status == 0 || record->status >= 500
                            ? "\"code\":2}}"
                            : "}}");
}

void srv_spans_add(struct srv_spans *spans, const struct srv_record *record)
{
    const struct srv_request *request = record->request;
    char trace_id[SRV_TRACE_ID_BYTES], span_id[SRV_SPAN_ID_BYTES];
    struct timespec now;
    struct srv_text text = {0};
    if (request->trace_id[0] != '\0' && !request->is_sampled) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    srv_trace_new(trace_id, span_id);
    srv_span_put(&text, record,
                 request->trace_id[0] != '\0' ? request->trace_id : trace_id,
                 span_id, now.tv_sec * SECOND_NS + now.tv_nsec);
    pthread_mutex_lock(&spans->lock);
    struct srv_text *all = &spans->filling;
    bool fits = !text.failed && all->bytes + text.bytes < BUFFER_BYTES;
    if (fits) {
        srv_text_puts(all, all->bytes > 0 ? "," : "");
        srv_text_add(all, text.data, text.bytes);
    }
    if (fits && !all->failed) {
        spans->filled++;
    } else {
        /* A text that failed has lost what it held. */
        spans->counts.dropped += 1 + (all->failed ? spans->filled : 0);
        spans->filled = all->failed ? 0 : spans->filled;
        all->failed = false;
    }
    if (all->bytes >= ENOUGH_BYTES) {
        pthread_cond_signal(&spans->work);
    }
    pthread_mutex_unlock(&spans->lock);
    srv_text_release(&text);
}

/* Posts spans; true when the collector took them. */
static bool post(const struct srv_spans *spans, const struct srv_text *all)
{
    struct srv_wire_target target;
    struct srv_text body = {0};
    struct sy_error err = {0};
    char *answer = NULL;
    size_t bytes = 0;
    int code = 0;
    srv_text_puts(&body, head);
    srv_text_add(&body, all->data, all->bytes);
    srv_text_puts(&body, tail);
    struct srv_wire_request request = {
        .method = "POST",
        .path = "/v1/traces",
        .headers = "Content-Type: application/json\r\nConnection: close\r\n",
        .body = body.data,
        .body_bytes = body.bytes,
        .timeout_ms = SEND_MS};
    enum sy_status status = body.failed
                                ? sy_fail(&err, SY_NO_MEMORY, "out of memory")
                                : srv_wire_find(&target, spans->url, &err);
    if (status == SY_OK) {
        status = srv_wire_ask(&target, &request, &code, &answer, &bytes, &err);
    }
    bool taken = status == SY_OK && code >= 200 && code < 300;
    if (status != SY_OK) {
        sy_log_debug("spans: %s", err.message);
    } else if (!taken) {
        sy_log_debug("spans: %s answers %d", spans->url, code);
    }
    sy_free(answer);
    srv_text_release(&body);
    return taken;
}

/* Waits (lock held) until there is enough, a second has passed, or the end. */
static void await_spans(struct srv_spans *spans)
{
    int64_t until_ns = sy_now_ns() + SECOND_NS;
    struct timespec until = {.tv_sec = until_ns / SECOND_NS,
                             .tv_nsec = until_ns % SECOND_NS};
    while (!spans->closing && spans->filling.bytes < ENOUGH_BYTES &&
           pthread_cond_timedwait(&spans->work, &spans->lock, &until) == 0) {
    }
}

static void *sender_main(void *context)
{
    struct srv_spans *spans = context;
    bool taken = true;
    pthread_mutex_lock(&spans->lock);
    while (!spans->closing || spans->filled > 0) {
        await_spans(spans);
        struct srv_text all = spans->filling;
        int64_t count = spans->filled;
        spans->filling = (struct srv_text){0};
        spans->filled = 0;
        if (count == 0) {
            continue;
        }
        pthread_mutex_unlock(&spans->lock);
        bool before = taken;
        taken = post(spans, &all);
        if (taken != before) {
            sy_log_info("spans: the collector at %s %s", spans->url,
                        taken ? "takes them again" : "does not take them");
        }
        srv_text_release(&all);
        pthread_mutex_lock(&spans->lock);
        *(taken ? &spans->counts.sent : &spans->counts.dropped) += count;
    }
    pthread_mutex_unlock(&spans->lock);
    return NULL;
}

enum sy_status srv_spans_open(struct srv_spans **spans, const char *url,
                              struct sy_error *err)
{
    struct srv_wire_target target;
    struct sy_error found = {0};
    if (strlen(url) >= URL_BYTES ||
        srv_wire_find(&target, url, &found) == SY_BAD_INPUT) {
        return sy_fail(err, SY_BAD_INPUT, "otlp_endpoint: %s",
                       found.message[0] != '\0' ? found.message : "too long");
    }
    struct srv_spans *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "spans: out of memory");
    }
    memcpy(made->url, url, strlen(url) + 1);
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&made->sender, NULL, sender_main, made);
    if (code != 0) {
        sy_free(made);
        return sy_fail_errno(err, SY_INTERNAL, code,
                             "starting the spans' "
                             "thread");
    }
    *spans = made;
    return SY_OK;
}

void srv_spans_counts(struct srv_spans *spans, struct srv_spans_counts *counts)
{
    pthread_mutex_lock(&spans->lock);
    *counts = spans->counts;
    pthread_mutex_unlock(&spans->lock);
}

void srv_spans_close(struct srv_spans *spans)
{
    if (spans == NULL) {
        return;
    }
    pthread_mutex_lock(&spans->lock);
    spans->closing = true;
    pthread_cond_signal(&spans->work);
    pthread_mutex_unlock(&spans->lock);
    pthread_join(spans->sender, NULL);
    srv_text_release(&spans->filling);
    pthread_cond_destroy(&spans->work);
    pthread_mutex_destroy(&spans->lock);
    sy_free(spans);
}
