/*
 * stats.h - what the models of a network have done: counts and times.
 *
 * One set of counters per model: one for each domain (NET.DOMAIN) and one for
 * the network asked as a whole (NET), whose index is the number of domains.
 * The protocol's statistics and the metrics both read them, so they cannot
 * tell different stories.
 *
 *   request   on the HTTP threads: the body became a tensor (input), the
 *             answer became bytes (output); the batcher knows how long it
 *             waited (queue) and was in batches (infer)
 *   batch     on the engine: one execution of a model is one batch that held
 *             images of it
 *
 * Thread: any.
 */
#ifndef SRV_STATS_H
#define SRV_STATS_H

#include <stdint.h>

#include "runtime/base/status.h"

struct srv_stats;

enum { SRV_STATS_SIZES = 128 /* batch sizes that are told apart */ };

struct srv_timed {
    int64_t count;
    int64_t ns;
};

/* Why a request for a known model got no answer. */
enum srv_fail_reason {
    SRV_FAIL_REJECTED, /* queue full, deadline passed in it, stopping */
    SRV_FAIL_CANCELED, /* the client went away */
    SRV_FAIL_OTHER,    /* a bad request, or a deadline while it ran */
    SRV_FAIL_REASONS
};

/* A copy of one model's counters, all of one moment. */
struct srv_model_stats {
    int64_t last_inference_ms; /* since the epoch; 0: none yet */
    int64_t inferences;        /* images of the requests that succeeded */
    int64_t executions;
    struct srv_timed success; /* from the whole request to its answer */
    struct srv_timed fail[SRV_FAIL_REASONS];
    struct srv_timed queue, input, infer, output;
    /* [images of the model in one execution]; the last one and all above it
       share an entry. */
    struct srv_timed batch[SRV_STATS_SIZES + 1];
};

/* The parts of one request that succeeded. */
struct srv_request_times {
    int images;
    int64_t total_ns, queue_ns, input_ns, infer_ns, output_ns;
};

/* Counters for `models` models, all zero. Returns one owned reference. */
enum sy_status srv_stats_new(struct srv_stats **stats, int models,
                             struct sy_error *err) SY_MUST_USE;
struct srv_stats *srv_stats_ref(struct srv_stats *stats);
void srv_stats_unref(struct srv_stats *stats); /* NULL is legal */

/* Where counters are missing (NULL, in tests), counting does nothing. */
void srv_stats_succeed(struct srv_stats *stats, int model,
                       const struct srv_request_times *times);
void srv_stats_fail(struct srv_stats *stats, int model,
                    enum srv_fail_reason reason, int64_t total_ns);
void srv_stats_execute(struct srv_stats *stats, int model, int images,
                       int64_t infer_ns);

void srv_stats_read(struct srv_stats *stats, int model,
                    struct srv_model_stats *copy);

/* Images answered for a domain, whichever model was asked. */
void srv_stats_add_images(struct srv_stats *stats, int domain, int images);
int64_t srv_stats_images(struct srv_stats *stats, int domain);

#endif
