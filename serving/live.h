/*
 * live.h - a network that is being served: snapshot, executor, counters.
 *
 * Everything that an answer depends on hangs on one of these, and a request
 * holds one reference from admission to reply: so a later publication never
 * changes a request that is under way, and the old state goes when its last
 * request has gone.
 *
 * Thread: srv_live_load: one at a time; srv_live_ref/unref: any. The
 * executor is the engine thread's alone; the rest never changes.
 */
#ifndef SRV_LIVE_H
#define SRV_LIVE_H

#include <stdatomic.h>

#include "runtime/base/pool.h"
#include "runtime/executor/executor.h"
#include "runtime/executor/snapshot.h"
#include "serving/budget.h"
#include "serving/deadline.h"
#include "serving/stats.h"
#include "serving/swap/trial.h"
#include "serving/traffic.h"
#include "serving/waiting.h"

enum { SRV_LABEL_BYTES = 160 };

struct srv_live {
    atomic_int refs;             /* private */
    char name[SY_NAME_BYTES];    /* as the repository calls it */
    char label[SRV_LABEL_BYTES]; /* of the snapshot: version and packs */
    int version;
    struct sy_snapshot *snapshot; /* owned reference */
    /* What is served, as requests and answers name it. The snapshot's, or,
       while a candidate is on trial and the snapshot holds both, trial->base's:
       domains and experts have the same numbers in the snapshot's. */
    const struct sy_network *network;
    struct srv_trial *trial;      /* owned; NULL: nobody is on trial */
    struct sy_executor *executor; /* owned; engine thread only */
    bool served;                  /* ever; the swaps' acting thread */
    int64_t loaded_ns;            /* how long loading took */
    int64_t weights_bytes;        /* of the snapshot */
    /* Of one image, at most; behind the domains: of one without a domain. */
    int64_t cost_madds[SY_MAX_DOMAINS + 1];
    struct srv_deadlines deadlines; /* of `network` */
    struct srv_budget *budget;      /* of its jobs' memory; borrowed, or NULL */

    /* Shares of the engine that domains get when several wait; 0 is 1. */
    atomic_int weight[SY_MAX_DOMAINS + 1];
    struct srv_waiting waiting; /* the batcher's */

    /* Owned reference: a model per domain, then the whole. States that follow
       each other with the same domains count on in the same one. */
    struct srv_stats *stats;

    struct srv_traffic *traffic; /* owned: what ran */
};

struct srv_live_options {
    const char *repository;    /* folder; NULL: no latency table */
    const char *name;          /* the network's folder in it */
    struct sy_pool *pool;      /* borrowed until the last unref */
    int max_batch;             /* images that the executor takes at once */
    bool half_weights;         /* SY_WEIGHTS_HALF */
    struct srv_budget *budget; /* borrowed until the last unref; or NULL */
};

/*
 * Loads what CURRENT of REPOSITORY/NAME names and makes it ready to run.
 * Returns one owned reference. A network with a domain that no expert
 * answers for is refused. A latency table beside the versions
 * (SRV_LATENCY_FILE) turns deadlines into budgets; one that cannot be read, or
 * is of another network, is left alone with a warning in the log.
 */
enum sy_status srv_live_load(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct sy_error *err) SY_MUST_USE;

/* What a state is made of that was not loaded from a folder. */
struct srv_live_parts {
    const char *label;
    int version;
    struct sy_network *network; /* taken, also on failure */
    /* What was served before: packed weights and counters go on where they
       are the same. Or NULL. */
    const struct srv_live *before;
    const struct srv_live *beside; /* another one to share weights with */
};

/* Makes a network ready to run; as srv_live_load otherwise. Of `repository`
   only the latency table is read. */
enum sy_status srv_live_new(struct srv_live **live,
                            const struct srv_live_options *options,
                            const struct srv_live_parts *parts,
                            struct sy_error *err) SY_MUST_USE;

/* The candidate `next` beside `base`: `joined` is what sy_network_join made
   of both for `count` domains (taken, also on failure). */
enum sy_status srv_live_join(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct srv_live *base, struct srv_live *next,
                             struct sy_network *joined, const int *on_trial,
                             int count, struct sy_error *err) SY_MUST_USE;

struct srv_live *srv_live_ref(struct srv_live *live);
void srv_live_unref(struct srv_live *live); /* NULL is legal */

#endif
