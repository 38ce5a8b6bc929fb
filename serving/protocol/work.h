/*
 * work.h - a job on its way through the batcher, as handlers see it.
 *
 * A handler finds the model and says of what kind the request is: how it is
 * parsed, and how its answer is written. srv_work_run does the rest, for all
 * kinds alike. Each request for a model that was found is counted once.
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
    struct srv_job *job; /* the reference is its embedder's */

    /* Private to work.c. */
    const struct srv_work_kind *kind;
    struct sy_error refused; /* why the batcher did not take it */
    int64_t opened_ns;       /* the whole request was there */
    int64_t filled_ns;       /* the job held its images */
    int64_t woken_ns;        /* the answer's numbers were there */
    bool pressed;            /* the request's thread was behind */
};

/* What is particular to a kind of request. Its state begins with the work. */
struct srv_work_kind {
    size_t bytes; /* of its state, which begins zeroed */
    /* Makes work->job of the request. */
    enum sy_status (*parse)(struct srv_work *work,
                            const struct srv_model *model,
                            const struct srv_request *in, struct sy_error *err);
    /* Writes the outputs of work->job, which are there, into the reply. */
    void (*answer)(struct srv_work *work, struct srv_reply *reply);
    /* Gives back what parse has left; NULL: that is work->job. */
    void (*release)(struct srv_work *work);
};

/*
 * A request for a model: refuses it in `reply`, or leaves it in `later`. When
 * that ends, the reply is the answer with its headers,
 * Switchyard-{Snapshot,Domain,Experts,Exit,Madds,Degraded}, which tell the
 * route; or 499, 503 or 504. Under pressure, where the operator switched that
 * on, images may cost only a part of what their route costs. The model is
 * given back.
 */
void srv_work_run(const struct srv_work_kind *kind, struct srv_context *server,
                  struct srv_model *model, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later);

/* The class of the i-th image: highest probability, ties to the lower; 0 where
   no domain was found. */
int srv_job_class(const struct srv_job *job, int image);

#endif
