/*
 * work.h - a job on its way through the batcher, as handlers see it.
 *
 * Thread: any (a work belongs to one request).
 */
#ifndef SRV_PROTOCOL_WORK_H
#define SRV_PROTOCOL_WORK_H

#include "serving/context.h"
#include "serving/http/message.h"

struct srv_work {
    struct srv_context *server;
    struct srv_job *job;     /* the reference is its embedder's */
    struct sy_error refused; /* why the batcher did not take it */
};

/* Hands the job to the batcher; `wake(waiter)` comes in any case, once. */
void srv_work_start(struct srv_work *work, srv_wake_fn wake, void *waiter);

/* Nobody waits any more: ends the job, whose wake comes as ever. */
void srv_work_cancel(struct srv_work *work);

/*
 * After the wake: true when the outputs are there, and counts them; else
 * answers 499, 503 or 504 and returns false.
 */
bool srv_work_done(struct srv_work *work, struct srv_reply *reply);

/* Headers that tell the route: Switchyard-{Snapshot,Domain,Experts,Madds}. */
void srv_work_headers(const struct srv_work *work, struct srv_reply *reply);

/* The class of the i-th image: highest probability, ties to the lower. */
int srv_job_class(const struct srv_job *job, int image);

#endif
