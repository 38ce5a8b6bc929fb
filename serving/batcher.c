/*
 * batcher.c - the engine thread, the timer thread, and the end of jobs.
 *
 * DESIGN
 * One mutex guards the queue and every job in it. It is held to link and
 * unlink, never while a batch runs or a waiter is told. What a batch touches
 * without the mutex (the images, the outputs) belongs to the engine from the
 * moment a slice of the job is taken until the slice is given back.
 *
 * The batcher holds one reference to each job it knows of. A job leaves when
 * it has ended and the engine has none of its images. Ending has one place,
 * end_job, which puts the job on a list of those to tell; telling happens
 * after the mutex has been let go.
 *
 * The engine is a batch thread to the scheduler: one that is woken does not
 * take the processor from an HTTP thread in the middle of its turn, only to
 * run a batch of the one image that it has read. Where a processor is free the
 * engine runs there at once, as ever.
 *
 * The timer sleeps until the earliest deadline it knows. Since deadlines are
 * nearly always later than those before them, a submission seldom has to
 * wake it, and the scan over the bounded queue happens about once a timeout.
 */
#include "serving/batcher.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "serving/batch.h"

enum { PRESSED_PART = 4 /* of the places of a queue */ };

struct srv_batcher {
    srv_run_fn run;
    int max_batch;
    pthread_t engine, timer;
    bool engine_runs, timer_runs; /* init thread only */

    /* Engine thread only, except slice_count and slice[].job, which the
       timer reads under the lock. */
    struct sy_request *request; /* [2 * max_batch]: each may run twice */

    pthread_mutex_t lock; /* guards what follows, and the jobs' fields */
    pthread_cond_t work;  /* somebody came, or stopping */
    pthread_cond_t tick;  /* timer_until has moved, or stopping */
    struct srv_queue queue;
    struct srv_slice *slice; /* [max_batch] */
    int slice_count;
    int64_t timer_until;
    bool stopping;
    struct srv_batcher_stats stats;
};

/* Jobs that have ended, and jobs that nobody knows any more. */
struct ended {
    struct srv_job *told;      /* their waiters are still to be told */
    struct srv_job *forgotten; /* the batcher's own reference is to go */
};

/* The functions down to tell() want the lock held. */

/*
 * Ends a job and puts it on the list, with a reference for the telling. Once
 * it has ended a job is in the queue no more, so its links are free.
 */
static void end_job(struct srv_batcher *batcher, struct srv_job *job,
                    enum srv_job_end end, struct ended *ended)
{
    if (job->queued) {
        srv_queue_remove(&batcher->queue, job);
    }
    job->end = end;
    batcher->stats.done += end == SRV_JOB_DONE ? 1 : 0;
    batcher->stats.cancelled += end == SRV_JOB_CANCELLED ? 1 : 0;
    batcher->stats.expired +=
        end == SRV_JOB_EXPIRED || end == SRV_JOB_EXPIRED_AWAKE ? 1 : 0;
    atomic_fetch_add(&job->refs, 1);
    job->next = ended->told;
    ended->told = job;
}

static void forget_job(struct srv_job *job, struct ended *ended)
{
    job->previous = ended->forgotten;
    ended->forgotten = job;
}

/* A look at every open job, for its deadline. */
struct look {
    struct srv_batcher *batcher;
    int64_t until_ns; /* jobs up to this deadline end */
    bool stopping;
    struct ended *ended;
    int64_t earliest_ns; /* deadline of those that stay */
};

static void look_at_queued(void *context, struct srv_job *job)
{
    struct look *look = context;
    if (job->deadline_ns > look->until_ns) {
        if (job->deadline_ns < look->earliest_ns) {
            look->earliest_ns = job->deadline_ns;
        }
        return;
    }
    end_job(look->batcher, job,
            look->stopping ? SRV_JOB_STOPPED : SRV_JOB_EXPIRED, look->ended);
    if (job->running == 0) {
        forget_job(job, look->ended);
    }
}

/* Ends every open job whose deadline is at or before `until_ns`; returns the
   earliest deadline of those that stay, or INT64_MAX. */
static int64_t end_until(struct srv_batcher *batcher, int64_t until_ns,
                         bool stopping, struct ended *ended)
{
    struct look look = {batcher, until_ns, stopping, ended, INT64_MAX};
    srv_queue_each(&batcher->queue, look_at_queued, &look);
    for (int i = 0; i < batcher->slice_count; i++) {
        struct srv_job *job = batcher->slice[i].job;
        if (job->end != SRV_JOB_OPEN) {
            continue;
        }
        if (job->deadline_ns <= until_ns) {
            end_job(batcher, job,
                    stopping ? SRV_JOB_STOPPED : SRV_JOB_EXPIRED_AWAKE, ended);
        } else if (job->deadline_ns < look.earliest_ns) {
            look.earliest_ns = job->deadline_ns;
        }
    }
    return look.earliest_ns;
}

/* Gives the slices of the batch that ran back to their jobs. */
static void give_back(struct srv_batcher *batcher, int64_t compute_ns,
                      struct ended *ended)
{
    const struct sy_request *request = batcher->request;
    srv_queue_ran(&batcher->queue, compute_ns);
    for (int i = 0; i < batcher->slice_count; i++) {
        struct srv_slice *slice = &batcher->slice[i];
        struct srv_job *job = slice->job;
        job->running = 0;
        if (job->end == SRV_JOB_OPEN) {
            for (int n = 0; n < slice->count; n++) {
                srv_batch_take(job, slice->first + n, &request[n]);
            }
            job->blocks = request[0].blocks;
            job->reused = request[0].reused;
            job->compute_ns += compute_ns;
            job->finished += slice->count;
            if (job->finished == job->image_count) {
                end_job(batcher, job,
                        job->failed ? SRV_JOB_FAILED : SRV_JOB_DONE, ended);
            }
        }
        if (job->end != SRV_JOB_OPEN) {
            forget_job(job, ended);
        }
        request += slice->count;
    }
    batcher->slice_count = 0;
}

/* The functions from here on take the lock themselves. */

/* Tells the waiters, then drops the batcher's references. */
static void tell(struct ended ended)
{
    while (ended.told != NULL) {
        struct srv_job *job = ended.told;
        ended.told = job->next;
        job->done(job->waiter, ended.told != NULL);
        srv_job_unref(job);
    }
    while (ended.forgotten != NULL) {
        struct srv_job *job = ended.forgotten;
        ended.forgotten = job->previous;
        srv_job_unref(job);
    }
}

/* The batch counts once for each model that has images in it. */
static void count_executions(const struct srv_batcher *batcher,
                             int64_t compute_ns)
{
    int images[SY_MAX_DOMAINS + 1] = {0};
    for (int i = 0; i < batcher->slice_count; i++) {
        images[batcher->slice[i].job->model] += batcher->slice[i].count;
    }
    struct srv_stats *stats = batcher->slice[0].job->live->stats;
    for (int m = 0; m <= SY_MAX_DOMAINS; m++) {
        if (images[m] > 0) {
            srv_stats_execute(stats, m, images[m], compute_ns);
        }
    }
}

static void run_executor(struct srv_live *live, struct sy_request *requests,
                         int count)
{
    struct sy_executor_stats stats;
    sy_executor_run(live->executor, requests, count, &stats);
}

/* Waits on a condition (lock held) until somebody signals it or `until_ns`. */
static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                       int64_t until_ns)
{
    if (until_ns == INT64_MAX) {
        pthread_cond_wait(condition, lock);
        return;
    }
    struct timespec until = {.tv_sec = until_ns / 1000000000,
                             .tv_nsec = until_ns % 1000000000};
    pthread_cond_timedwait(condition, lock, &until);
}

/* Runs the batch that was taken; the lock is held before and after. */
static void run_batch(struct srv_batcher *batcher, int count)
{
    struct ended ended = {0};
    batcher->stats.batches++;
    batcher->stats.images += count;
    pthread_mutex_unlock(&batcher->lock);

    int requests =
        srv_batch_fill(batcher->request, batcher->slice, batcher->slice_count);
    int64_t start_ns = sy_now_ns();
    batcher->run(batcher->slice[0].job->live, batcher->request, requests);
    int64_t compute_ns = sy_now_ns() - start_ns;
    count_executions(batcher, compute_ns);
    srv_batch_count_pairs(batcher->request, count, batcher->slice,
                          batcher->slice_count);

    pthread_mutex_lock(&batcher->lock);
    give_back(batcher, compute_ns, &ended);
    pthread_mutex_unlock(&batcher->lock);
    tell(ended);
    pthread_mutex_lock(&batcher->lock);
}

/* What was set for the whole process, as real time, stays. */
static void be_patient(void)
{
    struct sched_param param;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &param) == 0 &&
        policy == SCHED_OTHER) {
        (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &param);
    }
}

static void *engine_main(void *context)
{
    struct srv_batcher *batcher = context;
    be_patient();
    pthread_mutex_lock(&batcher->lock);
    for (;;) {
        int64_t wake_ns;
        int count = srv_queue_take(&batcher->queue, sy_now_ns(), batcher->slice,
                                   &batcher->slice_count, &wake_ns);
        if (count > 0) {
            run_batch(batcher, count);
        } else if (batcher->stopping) {
            break;
        } else {
            wait_until(&batcher->work, &batcher->lock, wake_ns);
        }
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

static void *timer_main(void *context)
{
    struct srv_batcher *batcher = context;
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->stopping) {
        struct ended ended = {0};
        int64_t earliest_ns = end_until(batcher, sy_now_ns(), false, &ended);
        if (ended.told != NULL) {
            pthread_mutex_unlock(&batcher->lock);
            tell(ended);
            pthread_mutex_lock(&batcher->lock);
            continue;
        }
        batcher->timer_until = earliest_ns;
        wait_until(&batcher->tick, &batcher->lock, earliest_ns);
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

static enum sy_status start_threads(struct srv_batcher *batcher,
                                    struct sy_error *err)
{
    int code = pthread_create(&batcher->engine, NULL, engine_main, batcher);
    batcher->engine_runs = code == 0;
    if (code == 0) {
        code = pthread_create(&batcher->timer, NULL, timer_main, batcher);
        batcher->timer_runs = code == 0;
    }
    return code == 0 ? SY_OK
                     : sy_fail_errno(err, SY_INTERNAL, code,
                                     "starting the engine's threads");
}

enum sy_status srv_batcher_new(struct srv_batcher **batcher,
                               const struct srv_batcher_options *options,
                               struct sy_error *err)
{
    SY_ASSERT(options->queue.max_batch > 0 && options->queue.max_queue > 0);
    struct srv_batcher *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "batcher: out of memory");
    }
    made->queue.options = options->queue;
    made->max_batch = options->queue.max_batch;
    made->run = options->run != NULL ? options->run : run_executor;
    made->timer_until = INT64_MAX;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->work, &monotonic);
    pthread_cond_init(&made->tick, &monotonic);
    pthread_condattr_destroy(&monotonic);
    size_t batch = (size_t)made->max_batch;
    made->request = sy_alloc_zero(2 * batch, sizeof *made->request);
    made->slice = sy_alloc_zero(batch, sizeof *made->slice);
    enum sy_status status =
        made->request == NULL || made->slice == NULL
            ? sy_fail(err, SY_NO_MEMORY, "batcher: out of memory")
            : start_threads(made, err);
    if (status != SY_OK) {
        srv_batcher_free(made);
        return status;
    }
    *batcher = made;
    return SY_OK;
}

/* Whether one more job is taken; the lock is held. */
static enum sy_status check_room(struct srv_batcher *batcher,
                                 const struct srv_arrival *arrival,
                                 int64_t now_ns, struct sy_error *err)
{
    enum sy_status status =
        batcher->stopping
            ? sy_fail(err, SY_BUSY, "the server is stopping")
            : srv_queue_room(&batcher->queue, arrival, now_ns, err);
    batcher->stats.refused += status == SY_OK ? 0 : 1;
    return status;
}

enum sy_status srv_batcher_submit(struct srv_batcher *batcher,
                                  struct srv_job *job, srv_done_fn done,
                                  void *waiter, struct sy_error *err)
{
    struct srv_arrival arrival = {job->live, job->domain, job->image_count,
                                  job->deadline_ns};
    int64_t now_ns = sy_now_ns();
    pthread_mutex_lock(&batcher->lock);
    enum sy_status status =
        job->cancelled ? sy_fail(err, SY_CANCELLED, "the request was cancelled")
                       : check_room(batcher, &arrival, now_ns, err);
    if (status == SY_OK) {
        job->done = done;
        job->waiter = waiter;
        job->submitted_ns = now_ns;
        atomic_fetch_add(&job->refs, 1);
        srv_queue_add(&batcher->queue, job);
        if (job->deadline_ns < batcher->timer_until) {
            pthread_cond_signal(&batcher->tick);
        }
    }
    pthread_mutex_unlock(&batcher->lock);
    if (status == SY_OK) { /* unlocked: who wakes would run into the lock */
        pthread_cond_signal(&batcher->work);
    }
    return status;
}

bool srv_batcher_is_pressed(struct srv_batcher *batcher,
                            const struct srv_live *live)
{
    pthread_mutex_lock(&batcher->lock);
    int places = batcher->queue.options.max_queue;
    bool pressed = live->waiting.jobs > places / PRESSED_PART;
    pthread_mutex_unlock(&batcher->lock);
    return pressed;
}

enum sy_status srv_batcher_room(struct srv_batcher *batcher,
                                struct srv_live *live, int domain,
                                struct sy_error *err)
{
    struct srv_arrival arrival = {live, domain, 1, INT64_MAX};
    pthread_mutex_lock(&batcher->lock);
    enum sy_status status = check_room(batcher, &arrival, sy_now_ns(), err);
    pthread_mutex_unlock(&batcher->lock);
    return status;
}

void srv_batcher_cancel(struct srv_batcher *batcher, struct srv_job *job)
{
    struct ended ended = {0};
    pthread_mutex_lock(&batcher->lock);
    if (job->done == NULL) {
        job->cancelled = true;
    } else if (job->end == SRV_JOB_OPEN) {
        end_job(batcher, job, SRV_JOB_CANCELLED, &ended);
        if (job->running == 0) {
            forget_job(job, &ended);
        }
    }
    pthread_mutex_unlock(&batcher->lock);
    tell(ended);
}

void srv_batcher_configure(struct srv_batcher *batcher,
                           const struct srv_queue_options *options)
{
    pthread_mutex_lock(&batcher->lock);
    batcher->queue.options = *options;
    batcher->queue.options.max_batch = batcher->max_batch;
    pthread_cond_signal(&batcher->work);
    pthread_mutex_unlock(&batcher->lock);
}

void srv_batcher_stop(struct srv_batcher *batcher)
{
    struct ended ended = {0};
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    end_until(batcher, INT64_MAX, true, &ended);
    pthread_cond_broadcast(&batcher->work);
    pthread_cond_broadcast(&batcher->tick);
    pthread_mutex_unlock(&batcher->lock);
    tell(ended);
    if (batcher->engine_runs) {
        pthread_join(batcher->engine, NULL);
        batcher->engine_runs = false;
    }
    if (batcher->timer_runs) {
        pthread_join(batcher->timer, NULL);
        batcher->timer_runs = false;
    }
}

void srv_batcher_free(struct srv_batcher *batcher)
{
    if (batcher == NULL) {
        return;
    }
    srv_batcher_stop(batcher);
    pthread_cond_destroy(&batcher->tick);
    pthread_cond_destroy(&batcher->work);
    pthread_mutex_destroy(&batcher->lock);
    sy_free(batcher->slice);
    sy_free(batcher->request);
    sy_free(batcher);
}

void srv_batcher_stats(struct srv_batcher *batcher,
                       struct srv_batcher_stats *stats)
{
    pthread_mutex_lock(&batcher->lock);
    *stats = batcher->stats;
    stats->queued = batcher->queue.jobs;
    pthread_mutex_unlock(&batcher->lock);
}
