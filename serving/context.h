/*
 * context.h - what handlers see of the server.
 *
 * Thread: any; what changes while it runs is atomic.
 */
#ifndef SRV_CONTEXT_H
#define SRV_CONTEXT_H

#include "serving/batcher.h"
#include "serving/repository.h"

struct srv_front;
struct srv_metrics;
struct srv_spans;
struct srv_swaps;

struct srv_context {
    struct srv_repository *repository;
    struct srv_batcher *batcher;
    _Atomic int64_t request_timeout_ns;
    atomic_int max_images;      /* of one request */
    atomic_int degrade_percent; /* of a route's cost, under pressure; 0: all */
    int64_t started_s;          /* since the epoch */
    struct srv_swaps *swaps;    /* NULL: no packs are swapped */
    struct srv_budget *budget;  /* these four: NULL in tests */
    struct srv_metrics *metrics;
    struct srv_spans *spans; /* NULL too where none are sent */
    _Atomic(struct srv_front *) front;
    atomic_bool draining; /* on the way to the end: not ready any more */
};

#endif
