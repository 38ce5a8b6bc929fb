/*
 * spans.h - requests as spans of OpenTelemetry, sent to a collector.
 *
 * A request whose caller sent a `traceparent` with the sampled flag becomes a
 * span of that trace, one whose caller sent the header without the flag none,
 * and one without the header becomes a trace of its own. Spans are made on the
 * HTTP threads and sent, some at a time, by a thread of their own: a collector
 * that is slow or away delays no request; what does not fit into the bounded
 * buffer, or is not taken, is dropped and counted.
 *
 * The collector is asked over plain HTTP: it, or its agent, is meant to run
 * beside the server.
 *
 * Source: opentelemetry-proto, trace.proto, in its JSON form (OTLP/HTTP);
 * semantic conventions for HTTP server spans.
 *
 * Thread: open, close: init. The rest: any.
 */
#ifndef SRV_LOG_SPANS_H
#define SRV_LOG_SPANS_H

#include "serving/http/record.h"
#include "serving/http/router.h"
#include "serving/protocol/text.h"

struct srv_spans;

/* Of a collector at http://HOST[:PORT], whose path is /v1/traces. A name that
   cannot be looked up now is looked up again. SY_BAD_INPUT: no such URL. */
enum sy_status srv_spans_open(struct srv_spans **spans, const char *url,
                              struct sy_error *err) SY_MUST_USE;

void srv_spans_add(struct srv_spans *spans, const struct srv_record *record);

struct srv_spans_counts {
    int64_t sent, dropped;
};
void srv_spans_counts(struct srv_spans *spans, struct srv_spans_counts *counts);

/* Sends what is left, for some seconds at most. NULL is legal. */
void srv_spans_close(struct srv_spans *spans);

/* One span as JSON; `end_ns` since the epoch, when the exchange had ended. */
void srv_span_put(struct srv_text *text, const struct srv_record *record,
                  const char *trace_id, const char *span_id, int64_t end_ns);

#endif
