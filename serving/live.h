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
#include "serving/stats.h"
#include "serving/traffic.h"
#include "serving/waiting.h"

struct srv_live {
    atomic_int refs;           /* private */
    char name[SY_NAME_BYTES];  /* as the repository calls it */
    char label[SY_NAME_BYTES]; /* of the snapshot: the version as text */
    int version;
    struct sy_snapshot *snapshot;       /* owned reference */
    const struct sy_network *network;   /* the snapshot's */
    struct sy_executor *executor;       /* owned; engine thread only */
    int64_t loaded_ns;                  /* how long loading took */
    int64_t cost_madds[SY_MAX_DOMAINS]; /* of one image, at most */
    struct srv_budget *budget; /* of its jobs' memory; borrowed, or NULL */

    /* Shares of the engine that domains get when several wait; 0 is 1. */
    atomic_int weight[SY_MAX_DOMAINS];
    struct srv_waiting waiting; /* the batcher's */

    struct srv_stats *stats; /* owned: a model per domain, then the whole */

    struct srv_traffic *traffic; /* owned: what ran */

    /* Images answered for a domain, whichever model was asked. */
    atomic_llong images[SY_MAX_DOMAINS];
};

struct srv_live_options {
    const char *repository;    /* folder */
    const char *name;          /* the network's folder in it */
    struct sy_pool *pool;      /* borrowed until the last unref */
    int max_batch;             /* images that the executor takes at once */
    struct srv_budget *budget; /* borrowed until the last unref; or NULL */
};

/*
 * Loads the served version of REPOSITORY/NAME and makes it ready to run.
 * Returns one owned reference. A network with a domain that no expert
 * answers for is refused.
 */
enum sy_status srv_live_load(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct sy_error *err) SY_MUST_USE;

struct srv_live *srv_live_ref(struct srv_live *live);
void srv_live_unref(struct srv_live *live); /* NULL is legal */

#endif
