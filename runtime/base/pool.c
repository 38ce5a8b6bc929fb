/*
 * pool.c - the one thread pool.
 *
 * DESIGN. A job is published by raising the generation in `state`, one word
 * that also holds whether the job is open and how many workers are inside:
 *
 *     bits 0-15   workers inside      bit 16   open      bits 17-63 generation
 *
 * A worker enters with one compare-and-swap, only while the job is open, and
 * at most once for each generation; inside, it takes task numbers until they
 * run out, and leaves. Each worker has a range of numbers of its own, and when
 * that is empty goes round those of the others: so loops over the same things
 * find a worker, and its core's cache, at the same ones again, and still
 * nobody waits while there is work. The caller works as well, closes the job
 * when the numbers have run out, and waits until nobody is inside. So:
 *
 *   - the job's fields (fn, context, ranges) are written only while no
 *     worker is inside and none can enter, and are plain, but for `next`;
 *   - a worker that is still asleep is not waited for, and later finds the
 *     job closed: a short loop costs the caller nothing but the wake-up call.
 *
 * Waiting. A worker that runs out of work spins for SPIN_NS, then sleeps on
 * `wake`; the caller spins likewise and then sleeps on `done`. Each side says
 * that it is going to sleep (sequentially consistent store) before it looks
 * at `state` for the last time, and the other changes `state` before it looks
 * for sleepers, so that one of the two always sees the other. With more
 * threads than CPUs nobody spins: the spinner would hold the CPU on which the
 * work it waits for has to run.
 */
#include "runtime/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

enum { MAX_THREADS = 1024, SPIN_NS = 30000, SPINS_PER_LOOK = 32 };

static const uint64_t inside_mask = 0xFFFF;
static const uint64_t open_bit = UINT64_C(1) << 16;
enum { GENERATION_SHIFT = 17 };

/* The numbers that one worker takes first: next .. end - 1 are left. */
struct range {
    _Alignas(SY_ALIGN_BYTES) atomic_int next;
    int end;
};

struct worker {
    pthread_t thread;
    struct sy_pool *pool;
    int index;
};

struct sy_pool {
    /* The job; see the top for when these may be written. */
    sy_task_fn task;
    void *context;
    struct range *range; /* one of each worker */

    /* Fixed after the start. */
    int threads;
    bool spins;
    struct worker *workers; /* threads - 1 of them */

    _Alignas(SY_ALIGN_BYTES) atomic_uint_least64_t state;
    _Alignas(SY_ALIGN_BYTES) atomic_int sleepers;
    atomic_bool caller_sleeps;
    atomic_bool stopping;
    atomic_bool running; /* for the check that there is one caller */

    /* Guards no field: it only orders going to sleep and waking. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t done;
};

/* True on a thread that is inside a task: it must not call a pool. */
static _Thread_local bool inside_task;

/* Tells the CPU that this is a waiting loop. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True if `state` holds a job that the worker has not been in yet. */
static bool has_job(uint64_t state, uint64_t seen)
{
    return (state & open_bit) != 0 && state >> GENERATION_SHIFT != seen;
}

/* True if a worker that was last in job `seen` has a reason to move. */
static bool is_called(struct sy_pool *pool, uint64_t seen)
{
    return has_job(atomic_load(&pool->state), seen) ||
           atomic_load(&pool->stopping);
}

/* True when every worker has left the job. */
static bool is_empty(struct sy_pool *pool)
{
    return (atomic_load(&pool->state) & inside_mask) == 0;
}

/* Waits until the worker is called, first spinning, then asleep. */
static void wait_for_call(struct sy_pool *pool, uint64_t seen)
{
    int64_t until_ns = pool->spins ? sy_now_ns() + SPIN_NS : 0;
    while (pool->spins) {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (is_called(pool, seen)) {
                return;
            }
            relax();
        }
        if (sy_now_ns() >= until_ns) {
            break;
        }
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!is_called(pool, seen)) {
        pthread_cond_wait(&pool->wake, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Waits until nobody is inside the closed job. */
static void wait_until_empty(struct sy_pool *pool)
{
    int64_t until_ns = pool->spins ? sy_now_ns() + SPIN_NS : 0;
    while (pool->spins) {
        for (int i = 0; i < SPINS_PER_LOOK; i++) {
            if (is_empty(pool)) {
                return;
            }
            relax();
        }
        if (sy_now_ns() >= until_ns) {
            break;
        }
    }
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (!is_empty(pool)) {
        pthread_cond_wait(&pool->done, &pool->lock);
    }
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

/* Takes tasks until they run out, the worker's own first. */
static void take_tasks(struct sy_pool *pool, int worker)
{
    inside_task = true;
    for (int i = 0; i < pool->threads; i++) {
        struct range *range = &pool->range[(worker + i) % pool->threads];
        for (;;) {
            int task = atomic_fetch_add(&range->next, 1);
            if (task >= range->end) {
                break;
            }
            pool->task(pool->context, task, worker);
        }
    }
    inside_task = false;
}

/* Leaves the job; the last to leave wakes a caller that sleeps. */
static void leave(struct sy_pool *pool)
{
    uint64_t before = atomic_fetch_sub(&pool->state, 1);
    if ((before & inside_mask) == 1 && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* The life of a worker's thread. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct sy_pool *pool = worker->pool;
    uint64_t seen = 0;
    for (;;) {
        wait_for_call(pool, seen);
        if (atomic_load(&pool->stopping)) {
            return NULL;
        }
        uint64_t state = atomic_load(&pool->state);
        if (has_job(state, seen) &&
            atomic_compare_exchange_strong(&pool->state, &state, state + 1)) {
            seen = state >> GENERATION_SHIFT;
            take_tasks(pool, worker->index);
            leave(pool);
        }
    }
}

/* The CPUs that this process may use, at least 1. */
static int count_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

/*
 * Starts the workers; pool->threads counts those that run and the caller.
 * They block all signals but those of their own faults, so that the program's
 * handlers run on threads of the program.
 */
static int start_workers(struct sy_pool *pool, int threads)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                     SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++) {
        sigdelset(&blocked, own_faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int failure = 0;
    for (int i = 0; i < threads - 1 && failure == 0; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){.pool = pool, .index = i};
        failure = pthread_create(&worker->thread, NULL, work, worker);
        pool->threads += failure == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

enum sy_status sy_pool_new(struct sy_pool **out, int threads,
                           struct sy_error *err)
{
    int cpus = count_cpus();
    if (threads < 0 || threads > MAX_THREADS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "threads: expected 0 (one for each CPU) to %d, "
                       "found %d",
                       (int)MAX_THREADS, threads);
    }
    if (threads == 0) {
        threads = cpus < MAX_THREADS ? cpus : MAX_THREADS;
    }
    struct sy_pool *pool = sy_alloc_zero(1, sizeof *pool);
    struct worker *workers = sy_alloc_zero((size_t)threads, sizeof *workers);
    struct range *ranges = sy_alloc_zero((size_t)threads, sizeof *ranges);
    if (pool == NULL || workers == NULL || ranges == NULL) {
        sy_free(ranges);
        sy_free(workers);
        sy_free(pool);
        return sy_fail(err, SY_NO_MEMORY, "no memory for a pool of %d threads",
                       threads);
    }
    pool->workers = workers;
    pool->range = ranges;
    pool->threads = 1;
    pool->spins = threads <= cpus;
    atomic_init(&pool->state, 0);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    int failure = start_workers(pool, threads);
    if (failure != 0) {
        int started = pool->threads;
        sy_pool_free(pool);
        return sy_fail_errno(err, SY_NO_MEMORY, failure,
                             "cannot start thread %d of %d", started + 1,
                             threads);
    }
    *out = pool;
    return SY_OK;
}

void sy_pool_free(struct sy_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    SY_ASSERT(!atomic_load(&pool->running));
    atomic_store(&pool->stopping, true);
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads - 1; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    sy_free(pool->workers);
    sy_free(pool->range);
    sy_free(pool);
}

int sy_pool_threads(const struct sy_pool *pool)
{
    return pool != NULL ? pool->threads : 1;
}

/* Publishes the job, works on it, closes it and waits for the others. */
static void run_shared(struct sy_pool *pool, int tasks, sy_task_fn task,
                       void *context)
{
    pool->task = task;
    pool->context = context;
    for (int w = 0; w < pool->threads; w++) {
        struct range *range = &pool->range[w];
        atomic_store(&range->next, (int)((int64_t)tasks * w / pool->threads));
        range->end = (int)((int64_t)tasks * (w + 1) / pool->threads);
    }
    uint64_t generation = (atomic_load(&pool->state) >> GENERATION_SHIFT) + 1;
    atomic_store(&pool->state, generation << GENERATION_SHIFT | open_bit);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    take_tasks(pool, pool->threads - 1);
    atomic_fetch_and(&pool->state, ~open_bit);
    wait_until_empty(pool);
}

void sy_pool_run(struct sy_pool *pool, int tasks, sy_task_fn task,
                 void *context)
{
    if (pool != NULL) {
        SY_ASSERT(!inside_task);
        bool was_running = atomic_exchange(&pool->running, true);
        SY_ASSERT(!was_running);
    }
    if (pool != NULL && pool->threads > 1 && tasks > 1) {
        SY_ASSERT(tasks <= INT32_MAX - MAX_THREADS);
        run_shared(pool, tasks, task, context);
    } else {
        bool was_inside = inside_task;
        inside_task = true;
        for (int i = 0; i < tasks; i++) {
            task(context, i, sy_pool_threads(pool) - 1);
        }
        inside_task = was_inside;
    }
    if (pool != NULL) {
        atomic_store(&pool->running, false);
    }
}
