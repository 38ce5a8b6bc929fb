/*
 * metrics.h - what HTTP has done, counted; and GET /metrics.
 *
 * The counts of models are kept elsewhere (stats.h, live.h, batcher.h); here
 * are those of exchanges, refused ones included, and the page that shows all
 * of them in Prometheus' text format.
 *
 * Thread: any.
 */
#ifndef SRV_METRICS_METRICS_H
#define SRV_METRICS_METRICS_H

#include "serving/http/record.h"
#include "serving/http/router.h"
#include "serving/metrics/buckets.h"

enum { SRV_METRIC_ROUTES = 64, SRV_METRIC_CODES = 16 };

enum srv_phase {
    SRV_PHASE_READ,
    SRV_PHASE_PARSE,
    SRV_PHASE_QUEUE,
    SRV_PHASE_COMPUTE,
    SRV_PHASE_WAKE,
    SRV_PHASE_ENCODE,
    SRV_PHASE_WRITE,
    SRV_PHASES
};

struct srv_metrics {
    /* One line a route, and one for requests without. */
    _Atomic int64_t requests[SRV_METRIC_ROUTES + 1][SRV_METRIC_CODES];
    _Atomic int64_t rejected[SRV_METRIC_CODES];
    _Atomic int64_t body_bytes, reply_bytes;
    _Atomic int64_t degraded; /* answered for less than their route costs */
    struct srv_buckets phase[SRV_PHASES];
    struct srv_buckets total;
};

/* Counts one exchange; `routes` is the table that its route is of. */
void srv_metrics_count(struct srv_metrics *metrics,
                       const struct srv_route *routes,
                       const struct srv_record *record);

/* The handler of GET /metrics; `context` is a struct srv_context. */
void srv_metrics_page(void *context, const struct srv_request *in,
                      struct srv_reply *reply, struct srv_later *later);

#endif
