/*
 * work.c - a request's way from its body to its answer.
 *
 * DESIGN: a deadline that passes in the queue is the server's shortage of
 * room (503, try again); one that passes while the job runs is 504. The texts
 * of both are those that clients of other servers look for.
 */
#include "serving/protocol/work.h"

#include <stdio.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "serving/protocol/way.h"

/*
 * Under pressure an image may cost `degrade_percent` of its route, but no less
 * than the route's cheapest answer: routes without one go on as ever. Two
 * routes cut at two places compare badly, so a trial does not see it.
 */
static void degrade(struct srv_work *work)
{
    struct srv_job *job = work->job;
    int percent = atomic_load(&work->server->degrade_percent);
    if (percent == 0 || job->expert >= 0 || job->found != NULL ||
        !(work->pressed ||
          srv_batcher_is_pressed(work->server->batcher, job->live))) {
        return;
    }
    const struct sy_network *network = srv_job_network(job);
    int domain = job->pick.named_domain;
    int64_t whole = job->pick.named->cost_madds[domain];
    int64_t least = sy_route_least_madds(network->route[domain], network);
    int64_t most = whole * percent / 100;
    most = most > least ? most : least;
    if (most < whole && (job->max_madds == 0 || most < job->max_madds)) {
        job->max_madds = most;
        job->degraded = true;
        job->pick.compare = false;
    }
}

static void start(void *state, srv_wake_fn wake, void *waiter)
{
    struct srv_work *work = state;
    struct srv_job *job = work->job;
    int64_t timeout_ns = work->server->request_timeout_ns;
    if (job->timeout_ns > 0 && job->timeout_ns < timeout_ns) {
        timeout_ns = job->timeout_ns;
    }
    degrade(work);
    work->filled_ns = sy_now_ns();
    job->deadline_ns = work->opened_ns + timeout_ns;
    if (srv_batcher_submit(work->server->batcher, job, wake, waiter,
                           &work->refused) != SY_OK) {
        wake(waiter, false);
    }
}

static void cancel(void *state)
{
    struct srv_work *work = state;
    srv_batcher_cancel(work->server->batcher, work->job);
}

static void fail(const struct srv_work *work, enum srv_fail_reason reason)
{
    const struct srv_job *job = work->job;
    srv_stats_fail(job->live->stats, job->model, reason,
                   sy_now_ns() - work->opened_ns);
}

/* True when the outputs are there; else answers and counts the failure. */
static bool is_done(struct srv_work *work, struct srv_reply *reply)
{
    work->woken_ns = sy_now_ns();
    if (work->refused.status != SY_OK) {
        fail(work, work->refused.status == SY_CANCELLED ? SRV_FAIL_CANCELED
                                                        : SRV_FAIL_REJECTED);
        srv_reply_failure(reply, &work->refused);
        return false;
    }
    switch (work->job->end) {
    case SRV_JOB_DONE:
        return true;
    case SRV_JOB_EXPIRED:
        fail(work, SRV_FAIL_REJECTED);
        srv_reply_error(reply, 503, "Request timeout expired in the queue");
        return false;
    case SRV_JOB_EXPIRED_AWAKE:
        fail(work, SRV_FAIL_OTHER);
        srv_reply_error(reply, 504, "Request timeout expired while running");
        return false;
    case SRV_JOB_CANCELLED:
        fail(work, SRV_FAIL_CANCELED);
        srv_reply_error(reply, 499, "the client went away");
        return false;
    case SRV_JOB_STOPPED:
        fail(work, SRV_FAIL_REJECTED);
        srv_reply_error(reply, 503, "the server is stopping");
        return false;
    case SRV_JOB_FAILED:
        fail(work, SRV_FAIL_OTHER);
        srv_reply_error(reply, 500,
                        "the network's answer is not made of finite numbers");
        return false;
    case SRV_JOB_OPEN:
        break;
    }
    fail(work, SRV_FAIL_OTHER);
    srv_reply_error(reply, 500, "the request ended without an answer");
    return false;
}

/* What logs and metrics tell of it. */
static void put_facts(const struct srv_job *job, struct srv_facts *facts)
{
    const struct srv_live *live = job->live;
    const char *domain = srv_job_domain_name(job);
    bool whole = job->model == live->network->domain_count;
    snprintf(facts->model, sizeof facts->model, "%s%s%s", live->name,
             whole ? "" : ".", whole ? "" : domain);
    srv_copy_text(facts->snapshot, sizeof facts->snapshot, srv_job_label(job));
    srv_copy_text(facts->domain, sizeof facts->domain, domain);
    (void)srv_way_experts(job, facts->experts);
    srv_copy_text(facts->exit, sizeof facts->exit, srv_way_exit(job));
    facts->images = job->image_count;
    facts->madds = job->madds;
    facts->degraded_madds = job->degraded ? job->max_madds : 0;
    facts->queue_ns = job->queue_ns;
    facts->compute_ns = job->compute_ns;
}

/* Where the domain is on trial: who answered, and after how long. */
static void count_trial(const struct srv_job *job, int64_t total_ns)
{
    if (job->pick.trial == NULL) {
        return;
    }
    struct srv_tally *tally = &job->pick.trial->tally;
    bool next = job->pick.named != job->live;
    srv_tally_add(next ? &tally->answered : &tally->stayed, job->image_count);
    srv_tally_add(next ? &tally->answered_requests : &tally->stayed_requests,
                  1);
    srv_tally_add(next ? &tally->answered_ns : &tally->stayed_ns, total_ns);
}

/* The answer is encoded in the reply: counts it, and adds its headers. */
static void note_answer(struct srv_work *work, struct srv_reply *reply)
{
    const struct srv_job *job = work->job;
    struct srv_live *live = job->live;
    int64_t now_ns = sy_now_ns();
    struct srv_request_times times = {
        .images = job->image_count,
        .total_ns = now_ns - work->opened_ns,
        .queue_ns = job->queue_ns,
        .input_ns = work->filled_ns - work->opened_ns,
        .infer_ns = job->compute_ns,
        .output_ns = now_ns - work->woken_ns,
    };
    srv_stats_succeed(live->stats, job->model, &times);
    put_facts(job, &reply->facts);
    if (job->found == NULL) {
        srv_stats_add_images(live->stats, job->domain, job->image_count);
    }
    for (int i = 0; job->found != NULL && i < job->image_count; i++) {
        if (job->found[i].domain >= 0) {
            srv_stats_add_images(live->stats, job->found[i].domain, 1);
        }
    }
    count_trial(job, times.total_ns);
    srv_reply_header_text(reply, "Switchyard-Snapshot", srv_job_label(job));
    srv_reply_header_text(reply, "Switchyard-Domain", srv_job_domain_name(job));
    srv_reply_header_text(reply, "Switchyard-Experts", reply->facts.experts);
    srv_reply_header_text(reply, "Switchyard-Exit", srv_way_exit(job));
    srv_reply_header(reply, "Switchyard-Madds", "%lld", (long long)job->madds);
    if (job->timed) {
        srv_reply_header(reply, "Switchyard-Max-Madds", "%lld",
                         (long long)job->max_madds);
    }
    if (job->degraded) {
        srv_reply_header(reply, "Switchyard-Degraded", "%lld",
                         (long long)job->max_madds);
    }
}

static void finish(void *state, struct srv_reply *reply)
{
    struct srv_work *work = state;
    if (is_done(work, reply)) {
        work->kind->answer(work, reply);
        note_answer(work, reply);
    }
}

static void release(void *state)
{
    struct srv_work *work = state;
    if (work->kind->release != NULL) {
        work->kind->release(work);
    } else {
        srv_job_unref(work->job);
    }
    sy_free(work);
}

/* Answers and counts a failure that came before there was work to do. */
static void refuse(const struct srv_work *work, const struct srv_model *model,
                   const struct sy_error *err, struct srv_reply *reply)
{
    srv_stats_fail(model->live->stats, srv_model_index(model),
                   err->status == SY_BUSY ? SRV_FAIL_REJECTED : SRV_FAIL_OTHER,
                   sy_now_ns() - work->opened_ns);
    srv_reply_failure(reply, err);
}

void srv_work_run(const struct srv_work_kind *kind, struct srv_context *server,
                  struct srv_model *model, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later)
{
    struct sy_error err = {0};
    model->ticket = srv_trial_ticket(in->id);
    SY_ASSERT(kind->bytes >= sizeof(struct srv_work));
    struct srv_work *work = sy_alloc_zero(1, kind->bytes);
    if (work == NULL) {
        srv_reply_error(reply, 500, "out of memory");
        srv_model_release(model);
        return;
    }
    work->server = server;
    work->kind = kind;
    work->opened_ns = sy_now_ns();
    work->pressed = in->is_pressed;
    if (kind->parse(work, model, in, &err) == SY_OK) {
        *later = (struct srv_later){.state = work,
                                    .start = start,
                                    .cancel = cancel,
                                    .finish = finish,
                                    .release = release};
    } else {
        refuse(work, model, &err, reply);
        release(work);
    }
    srv_model_release(model);
}

int srv_job_class(const struct srv_job *job, int image)
{
    const float *row =
        job->probabilities + (size_t)image * (size_t)job->classes;
    int best = 0, domain = srv_job_image_domain(job, image);
    if (domain >= 0) {
        (void)sy_top_classes(row, srv_job_network(job)->domain[domain].classes,
                             &best, 1);
    }
    return best;
}
