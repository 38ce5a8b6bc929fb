/*
 * work.h - a job on its way through the batcher, as handlers see it.
 *
 * A handler notes when it began (srv_work_open), parses, and either refuses
 * (srv_work_refuse) or leaves the work for later; its `finish` asks
 * srv_work_done, encodes, and says srv_work_answered. Each request for a
 * model that was found is counted once, by the one or the other.
 *
 * Thread: any (a work belongs to one request).
 */
#ifndef SRV_PROTOCOL_WORK_H
#define SRV_PROTOCOL_WORK_H

#include "serving/context.h"
#include "serving/http/message.h"
#include "serving/protocol/model.h"

struct srv_work {
    struct srv_context *server;
    struct srv_job *job;     /* the reference is its embedder's */
    struct sy_error refused; /* why the batcher did not take it */

    /* Private to work.c. */
    int64_t opened_ns; /* the whole request was there */
    int64_t filled_ns; /* the job held its images */
    int64_t woken_ns;  /* the answer's numbers were there */
    bool pressed;      /* the request's thread was behind */
};

void srv_work_open(struct srv_work *work, struct srv_context *server,
                   const struct srv_request *in);

/*
 * Answers a failure that came before there was a job, and counts it for the
 * model. `work` may be on the stack.
 */
void srv_work_refuse(const struct srv_work *work, const struct srv_model *model,
                     const struct sy_error *err, struct srv_reply *reply);

/*
 * Hands the job to the batcher; `wake(waiter)` comes in any case, once. Under
 * pressure, where the operator switched that on, its images may then cost only
 * a part of what their route costs.
 */
void srv_work_start(struct srv_work *work, srv_wake_fn wake, void *waiter);

/* Nobody waits any more: ends the job, whose wake comes as ever. */
void srv_work_cancel(struct srv_work *work);

/*
 * After the wake: true when the outputs are there; else answers 499, 503 or
 * 504, counts the failure, and returns false.
 */
bool srv_work_done(struct srv_work *work, struct srv_reply *reply);

/* The answer is encoded in the reply: counts it, and adds its headers,
   Switchyard-{Snapshot,Domain,Experts,Exit,Madds,Max-Madds,Degraded}, which
   tell the route. */
void srv_work_answered(struct srv_work *work, struct srv_reply *reply);

/* The class of the i-th image: highest probability, ties to the lower; 0 where
   no domain was found. */
int srv_job_class(const struct srv_job *job, int image);

#endif
