/*
 * work.c - submitting a job, and what its end means in HTTP.
 *
 * DESIGN: a deadline that passes in the queue is the server's shortage of
 * room (503, try again); one that passes while the job runs is 504. The texts
 * of both are those that clients of other servers look for.
 */
#include "serving/protocol/work.h"

#include "runtime/base/clock.h"
#include "runtime/executor/top.h"

void srv_work_start(struct srv_work *work, srv_wake_fn wake, void *waiter)
{
    struct srv_job *job = work->job;
    int64_t timeout_ns = work->server->request_timeout_ns;
    if (job->timeout_ns > 0 && job->timeout_ns < timeout_ns) {
        timeout_ns = job->timeout_ns;
    }
    job->deadline_ns = sy_now_ns() + timeout_ns;
    if (srv_batcher_submit(work->server->batcher, job, wake, waiter,
                           &work->refused) != SY_OK) {
        wake(waiter);
    }
}

void srv_work_cancel(struct srv_work *work)
{
    srv_batcher_cancel(work->server->batcher, work->job);
}

bool srv_work_done(struct srv_work *work, struct srv_reply *reply)
{
    if (work->refused.status != SY_OK) {
        srv_reply_failure(reply, &work->refused);
        return false;
    }
    struct srv_live *live = work->job->live;
    switch (work->job->end) {
    case SRV_JOB_DONE:
        atomic_fetch_add(&live->requests, 1);
        atomic_fetch_add(&live->images[work->job->domain],
                         work->job->image_count);
        return true;
    case SRV_JOB_EXPIRED:
        srv_reply_error(reply, 503, "Request timeout expired in the queue");
        return false;
    case SRV_JOB_EXPIRED_AWAKE:
        srv_reply_error(reply, 504, "Request timeout expired while running");
        return false;
    case SRV_JOB_CANCELLED:
        srv_reply_error(reply, 499, "the client went away");
        return false;
    case SRV_JOB_STOPPED:
        srv_reply_error(reply, 503, "the server is stopping");
        return false;
    case SRV_JOB_OPEN:
        break;
    }
    srv_reply_error(reply, 500, "the request ended without an answer");
    return false;
}

void srv_work_headers(const struct srv_work *work, struct srv_reply *reply)
{
    const struct srv_job *job = work->job;
    const struct sy_network *network = job->live->network;
    srv_reply_header(reply, "Switchyard-Snapshot", "%s", job->live->label);
    srv_reply_header(reply, "Switchyard-Domain", "%s",
                     network->domain[job->domain].name);
    srv_reply_header(reply, "Switchyard-Experts", "%s",
                     network->expert[job->expert].name);
    srv_reply_header(reply, "Switchyard-Madds", "%lld", (long long)job->madds);
}

int srv_job_class(const struct srv_job *job, int image)
{
    const float *row =
        job->probabilities + (size_t)image * (size_t)job->classes;
    int best = 0;
    (void)sy_top_classes(row, job->classes, &best, 1);
    return best;
}
