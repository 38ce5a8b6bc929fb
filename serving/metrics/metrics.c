/*
 * metrics.c - counting exchanges.
 */
#include "serving/metrics/metrics.h"

#include "serving/metrics/codes.h"

static void add(_Atomic int64_t *counter, int64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void srv_metrics_count(struct srv_metrics *metrics,
                       const struct srv_route *routes,
                       const struct srv_record *record)
{
    const struct srv_route *route = record->request->route;
    long at = route != NULL ? route - routes : SRV_METRIC_ROUTES;
    int code = srv_metric_code(record->status);
    at = at < 0 || at > SRV_METRIC_ROUTES ? SRV_METRIC_ROUTES : at;
    add(&metrics->requests[at][code], 1);
    add(&metrics->body_bytes, (int64_t)record->body_bytes);
    add(&metrics->reply_bytes, (int64_t)record->reply_bytes);
    if (record->rejected) {
        add(&metrics->rejected[code], 1);
    }
    if (record->status == 0) {
        return;
    }
    srv_buckets_add(&metrics->total, record->total_ns);
    srv_buckets_add(&metrics->phase[SRV_PHASE_READ], record->read_ns);
    srv_buckets_add(&metrics->phase[SRV_PHASE_WRITE], record->write_ns);
    if (record->facts->images > 0) {
        add(&metrics->degraded, record->facts->degraded_madds > 0 ? 1 : 0);
        srv_buckets_add(&metrics->phase[SRV_PHASE_PARSE], record->parse_ns);
        srv_buckets_add(&metrics->phase[SRV_PHASE_QUEUE],
                        record->facts->queue_ns);
        srv_buckets_add(&metrics->phase[SRV_PHASE_COMPUTE],
                        record->facts->compute_ns);
        srv_buckets_add(&metrics->phase[SRV_PHASE_WAKE], record->wake_ns);
        srv_buckets_add(&metrics->phase[SRV_PHASE_ENCODE], record->encode_ns);
    }
}
