/*
 * batcher.c - the queue, the engine thread and the timer thread.
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
 * The timer sleeps until the earliest deadline it knows. Since deadlines are
 * nearly always later than those before them, a submission seldom has to
 * wake it, and the scan over the bounded queue happens about once a timeout.
 */
#include "serving/batcher.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

/* Images of one job in the running batch. */
struct slice {
    struct srv_job *job;
    int first;
    int count;
};

struct srv_batcher {
    struct srv_batcher_options options;
    pthread_t engine, timer;
    bool engine_runs, timer_runs; /* init thread only */

    /* Engine thread only, except slice_count and slice[].job, which the
       timer reads under the lock. */
    struct sy_request *request; /* [max_batch] */

    pthread_mutex_t lock; /* guards what follows, and the jobs' fields */
    pthread_cond_t work;  /* the queue is not empty, or stopping */
    pthread_cond_t tick;  /* timer_until has moved, or stopping */
    struct srv_job *head, *tail;
    int queued;
    struct slice *slice; /* [max_batch] */
    int slice_count;
    int64_t timer_until;
    bool stopping;
    struct srv_batcher_stats stats;
};

/* Jobs that have ended and whose waiters are still to be told. */
struct told {
    struct srv_job *first;
};

enum sy_status srv_job_new(struct srv_job **job, struct srv_live *live,
                           int domain, int image_count, struct sy_error *err)
{
    size_t count = (size_t)image_count;
    size_t floats = sy_shape_floats(live->network->spec.input);
    int classes = live->network->domain[domain].classes;
    size_t each = floats + 2 * (size_t)classes;
    struct srv_job *made = sy_alloc_zero(1, sizeof *made);
    float *room = count > SIZE_MAX / sizeof(float) / each
                      ? NULL
                      : sy_alloc(count * each * sizeof(float));
    if (made == NULL || room == NULL) {
        sy_free(made);
        sy_free(room);
        return sy_fail(err, SY_NO_MEMORY,
                       "out of memory for a request of %d images", image_count);
    }
    made->live = srv_live_ref(live);
    made->domain = domain;
    made->expert = live->expert[domain];
    made->image_count = image_count;
    made->image_floats = floats;
    made->classes = classes;
    made->images = room;
    made->logits = room + count * floats;
    made->probabilities = made->logits + count * (size_t)classes;
    atomic_init(&made->refs, 1);
    *job = made;
    return SY_OK;
}

void srv_job_unref(struct srv_job *job)
{
    if (job == NULL || atomic_fetch_sub(&job->refs, 1) != 1) {
        return;
    }
    srv_live_unref(job->live);
    sy_free(job->images);
    sy_free(job);
}

/* The functions down to tell() want the lock held. */

static void queue_add(struct srv_batcher *batcher, struct srv_job *job)
{
    job->next = NULL;
    job->previous = batcher->tail;
    if (batcher->tail != NULL) {
        batcher->tail->next = job;
    } else {
        batcher->head = job;
    }
    batcher->tail = job;
    job->queued = true;
    batcher->queued++;
}

static void queue_remove(struct srv_batcher *batcher, struct srv_job *job)
{
    if (job->previous != NULL) {
        job->previous->next = job->next;
    } else {
        batcher->head = job->next;
    }
    if (job->next != NULL) {
        job->next->previous = job->previous;
    } else {
        batcher->tail = job->previous;
    }
    job->next = NULL;
    job->previous = NULL;
    job->queued = false;
    batcher->queued--;
}

/*
 * Ends a job and puts it on the list, with a reference for the telling. Once
 * it has ended a job is in the queue no more, so its link is free.
 */
static void end_job(struct srv_batcher *batcher, struct srv_job *job,
                    enum srv_job_end end, struct told *told)
{
    if (job->queued) {
        queue_remove(batcher, job);
    }
    job->end = end;
    batcher->stats.done += end == SRV_JOB_DONE ? 1 : 0;
    batcher->stats.expired +=
        end == SRV_JOB_EXPIRED || end == SRV_JOB_EXPIRED_AWAKE ? 1 : 0;
    atomic_fetch_add(&job->refs, 1);
    job->next = told->first;
    told->first = job;
}

/* Ends every open job whose deadline is at or before `until_ns`. */
static void end_until(struct srv_batcher *batcher, int64_t until_ns,
                      bool stopping, struct told *told, struct told *forgotten)
{
    struct srv_job *next;
    for (struct srv_job *job = batcher->head; job != NULL; job = next) {
        next = job->next;
        if (job->deadline_ns > until_ns) {
            continue;
        }
        end_job(batcher, job, stopping ? SRV_JOB_STOPPED : SRV_JOB_EXPIRED,
                told);
        if (job->running == 0) {
            job->previous = forgotten->first;
            forgotten->first = job;
        }
    }
    for (int i = 0; i < batcher->slice_count; i++) {
        struct srv_job *job = batcher->slice[i].job;
        if (job->end == SRV_JOB_OPEN && job->deadline_ns <= until_ns) {
            end_job(batcher, job,
                    stopping ? SRV_JOB_STOPPED : SRV_JOB_EXPIRED_AWAKE, told);
        }
    }
}

/* The earliest deadline of an open job, or INT64_MAX. */
static int64_t earliest_deadline(const struct srv_batcher *batcher)
{
    int64_t earliest = INT64_MAX;
    for (const struct srv_job *job = batcher->head; job != NULL;
         job = job->next) {
        earliest = job->deadline_ns < earliest ? job->deadline_ns : earliest;
    }
    for (int i = 0; i < batcher->slice_count; i++) {
        const struct srv_job *job = batcher->slice[i].job;
        if (job->end == SRV_JOB_OPEN && job->deadline_ns < earliest) {
            earliest = job->deadline_ns;
        }
    }
    return earliest;
}

/* Takes images of `job` into the batch that is being formed. */
static int take_slice(struct srv_batcher *batcher, struct srv_job *job,
                      int count, int64_t now_ns)
{
    int left = job->image_count - job->taken;
    int room = batcher->options.max_batch - count;
    int take = left < room ? left : room;
    if (job->taken == 0) {
        job->queue_ns = now_ns - job->submitted_ns;
    }
    struct slice *slice = &batcher->slice[batcher->slice_count++];
    *slice = (struct slice){job, job->taken, take};
    job->taken += take;
    job->running = take;
    queue_remove(batcher, job);
    if (take < left) {
        queue_add(batcher, job);
    }
    return take;
}

/* Forms a batch from the head of the queue; returns its images. */
static int form_batch(struct srv_batcher *batcher)
{
    int64_t now_ns = sy_now_ns();
    int count = 0;
    batcher->slice_count = 0;
    struct srv_live *live = batcher->head->live;
    struct srv_job *next;
    for (struct srv_job *job = batcher->head;
         job != NULL && count < batcher->options.max_batch; job = next) {
        next = job->next;
        if (job->live == live) {
            count += take_slice(batcher, job, count, now_ns);
        }
    }
    batcher->stats.batches++;
    batcher->stats.images += count;
    return count;
}

/* Gives the slices of the batch that ran back to their jobs. */
static void give_back(struct srv_batcher *batcher, int64_t compute_ns,
                      struct told *told, struct told *forgotten)
{
    const struct sy_request *request = batcher->request;
    for (int i = 0; i < batcher->slice_count; i++) {
        struct slice *slice = &batcher->slice[i];
        struct srv_job *job = slice->job;
        job->running = 0;
        if (job->end == SRV_JOB_OPEN) {
            for (int n = 0; n < slice->count; n++) {
                job->madds += request[n].madds;
            }
            job->blocks = request[0].blocks;
            job->compute_ns += compute_ns;
            job->finished += slice->count;
            if (job->finished == job->image_count) {
                end_job(batcher, job, SRV_JOB_DONE, told);
            }
        }
        if (job->end != SRV_JOB_OPEN) {
            job->previous = forgotten->first;
            forgotten->first = job;
        }
        request += slice->count;
    }
    batcher->slice_count = 0;
}

/* The functions from here on take the lock themselves. */

/* Tells the waiters, then drops the batcher's references. */
static void tell(struct told told, struct told forgotten)
{
    while (told.first != NULL) {
        struct srv_job *job = told.first;
        told.first = job->next;
        job->done(job->waiter);
        srv_job_unref(job);
    }
    while (forgotten.first != NULL) {
        struct srv_job *job = forgotten.first;
        forgotten.first = job->previous;
        srv_job_unref(job);
    }
}

/* Slices of jobs to the executor's requests. */
static void fill_requests(struct srv_batcher *batcher)
{
    struct sy_request *request = batcher->request;
    for (int i = 0; i < batcher->slice_count; i++) {
        const struct slice *slice = &batcher->slice[i];
        const struct srv_job *job = slice->job;
        for (int n = slice->first; n < slice->first + slice->count; n++) {
            size_t at = (size_t)n;
            size_t classes = (size_t)job->classes;
            *request = (struct sy_request){.image = job->images +
                                                    at * job->image_floats,
                                           .domain = job->domain,
                                           .lane_count = 1};
            request->expert[0] = job->expert;
            request->result[0].outputs = job->logits + at * classes;
            request->result[0].probabilities =
                job->probabilities + at * classes;
            request++;
        }
    }
}

static void run_executor(struct srv_live *live, struct sy_request *requests,
                         int count)
{
    struct sy_executor_stats stats;
    sy_executor_run(live->executor, requests, count, &stats);
}

static void *engine_main(void *context)
{
    struct srv_batcher *batcher = context;
    pthread_mutex_lock(&batcher->lock);
    for (;;) {
        while (batcher->head == NULL && !batcher->stopping) {
            pthread_cond_wait(&batcher->work, &batcher->lock);
        }
        if (batcher->head == NULL) {
            break;
        }
        int count = form_batch(batcher);
        pthread_mutex_unlock(&batcher->lock);

        fill_requests(batcher);
        int64_t start_ns = sy_now_ns();
        batcher->options.run(batcher->slice[0].job->live, batcher->request,
                             count);
        int64_t compute_ns = sy_now_ns() - start_ns;

        struct told told = {0}, forgotten = {0};
        pthread_mutex_lock(&batcher->lock);
        give_back(batcher, compute_ns, &told, &forgotten);
        pthread_mutex_unlock(&batcher->lock);
        tell(told, forgotten);
        pthread_mutex_lock(&batcher->lock);
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

static void *timer_main(void *context)
{
    struct srv_batcher *batcher = context;
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->stopping) {
        struct told told = {0}, forgotten = {0};
        end_until(batcher, sy_now_ns(), false, &told, &forgotten);
        if (told.first != NULL) {
            pthread_mutex_unlock(&batcher->lock);
            tell(told, forgotten);
            pthread_mutex_lock(&batcher->lock);
            continue;
        }
        batcher->timer_until = earliest_deadline(batcher);
        if (batcher->timer_until == INT64_MAX) {
            pthread_cond_wait(&batcher->tick, &batcher->lock);
        } else {
            struct timespec until = {
                .tv_sec = batcher->timer_until / 1000000000,
                .tv_nsec = batcher->timer_until % 1000000000};
            pthread_cond_timedwait(&batcher->tick, &batcher->lock, &until);
        }
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
    SY_ASSERT(options->max_batch > 0 && options->max_queue > 0);
    struct srv_batcher *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "batcher: out of memory");
    }
    made->options = *options;
    if (made->options.run == NULL) {
        made->options.run = run_executor;
    }
    made->timer_until = INT64_MAX;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->tick, &monotonic);
    pthread_condattr_destroy(&monotonic);
    size_t batch = (size_t)options->max_batch;
    made->request = sy_alloc_zero(batch, sizeof *made->request);
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
                                 struct sy_error *err)
{
    if (!batcher->stopping && batcher->queued < batcher->options.max_queue) {
        return SY_OK;
    }
    batcher->stats.refused++;
    return sy_fail(err, SY_BUSY,
                   batcher->stopping
                       ? "the server is stopping"
                       : "the queue is full: Exceeds maximum queue size");
}

enum sy_status srv_batcher_submit(struct srv_batcher *batcher,
                                  struct srv_job *job, srv_done_fn done,
                                  void *waiter, struct sy_error *err)
{
    job->done = done;
    job->waiter = waiter;
    job->submitted_ns = sy_now_ns();
    pthread_mutex_lock(&batcher->lock);
    enum sy_status status = check_room(batcher, err);
    if (status == SY_OK) {
        atomic_fetch_add(&job->refs, 1);
        queue_add(batcher, job);
        pthread_cond_signal(&batcher->work);
        if (job->deadline_ns < batcher->timer_until) {
            pthread_cond_signal(&batcher->tick);
        }
    }
    pthread_mutex_unlock(&batcher->lock);
    return status;
}

enum sy_status srv_batcher_room(struct srv_batcher *batcher,
                                struct sy_error *err)
{
    pthread_mutex_lock(&batcher->lock);
    enum sy_status status = check_room(batcher, err);
    pthread_mutex_unlock(&batcher->lock);
    return status;
}

void srv_batcher_stop(struct srv_batcher *batcher)
{
    struct told told = {0}, forgotten = {0};
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    end_until(batcher, INT64_MAX, true, &told, &forgotten);
    pthread_cond_broadcast(&batcher->work);
    pthread_cond_broadcast(&batcher->tick);
    pthread_mutex_unlock(&batcher->lock);
    tell(told, forgotten);
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
    stats->queued = batcher->queued;
    pthread_mutex_unlock(&batcher->lock);
}
