/*
 * batcher.h - an engine thread, fed from bounded queues.
 *
 * Jobs wait in their network's queue (queue.h says who comes next). The
 * engine thread takes what is there the moment it is free, so an idle server
 * adds no delay and a busy one forms batches by itself; only where the
 * operator asked for it, by max_delay_ns, does it wait for company. A batch
 * takes images of jobs that hold the same state of a network (srv_live),
 * whatever their domains; a job with more images than fit is done in several
 * turns, so that it delays others by one batch only.
 *
 * Every submitted job ends once: done, past its deadline (while queued or
 * running), cancelled, or because the batcher stops. Its `done` is then
 * called, by the engine, the timer or the canceller, with no lock of the
 * batcher held. Only the batcher knows who waits.
 */
#ifndef SRV_BATCHER_H
#define SRV_BATCHER_H

#include "serving/queue.h"

struct srv_batcher;

/* Runs requests of one live network; tests put their own in. */
typedef void (*srv_run_fn)(struct srv_live *live, struct sy_request *requests,
                           int count);

struct srv_batcher_options {
    struct srv_queue_options queue;
    srv_run_fn run; /* NULL: sy_executor_run of the live network */
};

/* What has happened since the start. */
struct srv_batcher_stats {
    int64_t batches;
    int64_t images;
    int64_t done;
    int64_t refused; /* no place, or stopping */
    int64_t expired;
    int64_t cancelled;
    int queued; /* now */
};

/* Starts the engine and the timer thread. Owned. Thread: init. */
enum sy_status srv_batcher_new(struct srv_batcher **batcher,
                               const struct srv_batcher_options *options,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Queues a job and returns; `done(waiter)` follows exactly once, perhaps
 * before this returns. Fails without calling `done`: SY_BUSY when there is no
 * place or the batcher stops, SY_CANCELLED when the job was cancelled before.
 * The caller keeps its own reference. Thread: any.
 */
enum sy_status srv_batcher_submit(struct srv_batcher *batcher,
                                  struct srv_job *job, srv_done_fn done,
                                  void *waiter,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * SY_BUSY with a message when one image for that domain (-1: not known yet)
 * would be refused now. Counts the refusal. Thread: any.
 */
enum sy_status srv_batcher_room(struct srv_batcher *batcher,
                                struct srv_live *live, int domain,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Whether more than a quarter of the network's places is taken, which is half
 * of what a single domain may take. Thread: any.
 */
bool srv_batcher_is_pressed(struct srv_batcher *batcher,
                            const struct srv_live *live);

/*
 * Ends a job because nobody waits for it: its place is free at once, and
 * `done` is called if it was submitted and has not ended. The caller has a
 * reference. Thread: any.
 */
void srv_batcher_cancel(struct srv_batcher *batcher, struct srv_job *job);

/* Other limits from now on; max_batch stays as it is. Thread: any. */
void srv_batcher_configure(struct srv_batcher *batcher,
                           const struct srv_queue_options *options);

/*
 * Refuses new jobs, ends all that are left as SRV_JOB_STOPPED, and joins the
 * threads. May be called twice. Thread: init.
 */
void srv_batcher_stop(struct srv_batcher *batcher);

/* Stops and frees. NULL is legal. Thread: init. */
void srv_batcher_free(struct srv_batcher *batcher);

/* Thread: any. */
void srv_batcher_stats(struct srv_batcher *batcher,
                       struct srv_batcher_stats *stats);

#endif
