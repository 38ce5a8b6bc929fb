/*
 * batcher.h - one bounded queue, one engine thread, batches in between.
 *
 * A job is some images of one domain of one network; its answer is the
 * network's outputs for each. Jobs wait in one queue in order of arrival.
 * The engine thread takes what is there the moment it is free, so an idle
 * server adds no delay and a busy one forms batches by itself. A batch takes
 * images of jobs that hold the same state of a network (srv_live), up to
 * max_batch; a job with more images than that is done in several turns and
 * goes to the end of the queue between them, so that it delays others by one
 * batch only.
 *
 * Every submitted job ends once: done, past its deadline (while queued or
 * running), or because the batcher stops. Its `done` is then called, by the
 * engine or the timer thread, with no lock held. Only the batcher knows who
 * waits.
 */
#ifndef SRV_BATCHER_H
#define SRV_BATCHER_H

#include <stdint.h>

#include "serving/live.h"

struct srv_batcher;

enum srv_job_end {
    SRV_JOB_OPEN,          /* not ended yet */
    SRV_JOB_DONE,          /* the outputs are there */
    SRV_JOB_EXPIRED,       /* the deadline passed in the queue */
    SRV_JOB_EXPIRED_AWAKE, /* the deadline passed while it ran */
    SRV_JOB_STOPPED        /* the server stops */
};

typedef void (*srv_done_fn)(void *waiter);

/*
 * Made by srv_job_new, filled by the submitter, then the batcher's until
 * `done` is called. Reference counted, because a job that expired while it
 * ran is still written to by the engine when its waiter has long gone.
 */
struct srv_job {
    struct srv_live *live; /* owned reference */
    int domain;
    int expert; /* index into the network's experts */
    int image_count;
    size_t image_floats; /* of one image */
    int classes;
    int64_t deadline_ns; /* sy_now_ns; set by the submitter */

    float *images;        /* [image_count][image_floats], normalised; in */
    float *logits;        /* [image_count][classes]; out */
    float *probabilities; /* [image_count][classes]; out */

    /* The answer's circumstances; read them after `done`. */
    enum srv_job_end end;
    int blocks;         /* run for one image */
    int64_t madds;      /* spent on all images */
    int64_t queue_ns;   /* from submission to the first batch */
    int64_t compute_ns; /* in batches that held images of it */

    /* Private to batcher.c. */
    atomic_int refs;
    struct srv_job *next, *previous;
    bool queued;
    int taken;    /* images given to batches so far */
    int finished; /* images whose outputs are there */
    int running;  /* images in the batch that runs now */
    int64_t submitted_ns;
    srv_done_fn done;
    void *waiter;
};

/*
 * A job for `image_count` images with room for input and output; takes a
 * reference to `live` of its own. Thread: any.
 */
enum sy_status srv_job_new(struct srv_job **job, struct srv_live *live,
                           int domain, int image_count,
                           struct sy_error *err) SY_MUST_USE;
void srv_job_unref(struct srv_job *job); /* NULL is legal */

/* Runs requests of one live network; tests put their own in. */
typedef void (*srv_run_fn)(struct srv_live *live, struct sy_request *requests,
                           int count);

struct srv_batcher_options {
    int max_batch;  /* images in one batch; the executors' limit */
    int max_queue;  /* jobs that wait; more are refused */
    srv_run_fn run; /* NULL: sy_executor_run of the live network */
};

/* What has happened since the start. */
struct srv_batcher_stats {
    int64_t batches;
    int64_t images;
    int64_t done;
    int64_t refused; /* queue full or stopping */
    int64_t expired;
    int queued; /* now */
};

/* Starts the engine and the timer thread. Owned. Thread: init. */
enum sy_status srv_batcher_new(struct srv_batcher **batcher,
                               const struct srv_batcher_options *options,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Queues a job and returns; `done(waiter)` follows exactly once, perhaps
 * before this returns. Fails with SY_BUSY, without calling `done`, when the
 * queue is full or the batcher stops. The caller keeps its own reference.
 * Thread: any.
 */
enum sy_status srv_batcher_submit(struct srv_batcher *batcher,
                                  struct srv_job *job, srv_done_fn done,
                                  void *waiter,
                                  struct sy_error *err) SY_MUST_USE;

/* SY_BUSY with a message when a submission would be refused now. */
enum sy_status srv_batcher_room(struct srv_batcher *batcher,
                                struct sy_error *err) SY_MUST_USE;

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
