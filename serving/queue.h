/*
 * queue.h - who waits, and who comes next.
 *
 * Every served network has one bounded queue, in which each of its domains
 * has a line of its own (a flow). The next batch is taken for the flow that
 * has had least of the engine in proportion to its weight, and is filled up
 * from the other flows of the same network in the same order: so a domain
 * that is flooded slows itself down and nobody else, and an engine that has
 * room is never kept from it. A flow that is left over when all others have
 * none any more does not fill their batch to the end, but the next one: those
 * who send little do not wait for the many images of one who sends much. What
 * is measured is multiply-adds, not requests: a domain with a heavy path does
 * not get more of the engine than one with a light path.
 *
 * A domain may hold as many places as are still free: one that is flooded
 * fills at most half of the queue, two a third each, and there is always room
 * for the next.
 *
 * Priorities order the jobs of one domain (they are no way around the
 * weights): each step down counts as if the job had come PRIORITY_STEP_NS
 * later, so that a low one waits longer, but not for ever.
 *
 * All of it is arithmetic on what it is given, the time included; there are
 * no threads here and no clock, so a test can play any hour of traffic in a
 * moment and always see the same.
 *
 * Thread: one at a time; batcher.c calls it under its lock.
 */
#ifndef SRV_QUEUE_H
#define SRV_QUEUE_H

#include "serving/job.h"

enum { SRV_MAX_PREFERRED = 8 };

struct srv_queue_options {
    int max_batch;        /* images in one batch; the executors' limit */
    int max_queue;        /* jobs that wait, of one network */
    int64_t max_delay_ns; /* that a batch may be waited for; 0: not at all */
    int preferred_count;  /* sizes at which a batch is not waited for, */
    int preferred[SRV_MAX_PREFERRED]; /* ascending, at most max_batch */
};

struct srv_queue {
    struct srv_queue_options options;
    struct srv_waiting *first; /* networks for which somebody waits */
    int jobs;
    int64_t units;        /* of work that waits; see srv_queue_ran */
    int64_t virtual_pass; /* of the flow that was served last */
    double unit_ns;       /* what a unit takes, as last seen; 0: not known */
    int64_t running_units;
    int64_t running_since_ns;
};

/* Images of one job in a batch. */
struct srv_slice {
    struct srv_job *job;
    int first;
    int count;
};

/* Adds a job, whose `submitted_ns` must be set. The queue does not own it. */
void srv_queue_add(struct srv_queue *queue, struct srv_job *job);

/* Takes a queued job out. */
void srv_queue_remove(struct srv_queue *queue, struct srv_job *job);

/* A job that would come. Domain -1: not known yet; no deadline: INT64_MAX. */
struct srv_arrival {
    struct srv_live *live;
    int domain;
    int image_count;
    int64_t deadline_ns;
};

/*
 * Whether there is a place for it: SY_BUSY when the network's queue is full,
 * when its domain has its share, or when it would be done after its deadline
 * as far as can be told from the work ahead of it.
 */
enum sy_status srv_queue_room(const struct srv_queue *queue,
                              const struct srv_arrival *arrival, int64_t now_ns,
                              struct sy_error *err) SY_MUST_USE;

/*
 * Takes the next batch: fills slice[] (max_batch of them) and returns the
 * number of images; all of one network state. 0: there is nothing to run
 * before *wake_ns (INT64_MAX: until somebody comes). A job of which images
 * are left goes to the end of its line.
 */
int srv_queue_take(struct srv_queue *queue, int64_t now_ns,
                   struct srv_slice *slice, int *slice_count, int64_t *wake_ns);

/* The batch that was taken last has run; how long it took teaches the
   estimate. */
void srv_queue_ran(struct srv_queue *queue, int64_t ns);

/* Calls `see` with every queued job; it may take that job out. */
void srv_queue_each(struct srv_queue *queue,
                    void (*see)(void *context, struct srv_job *job),
                    void *context);

#endif
