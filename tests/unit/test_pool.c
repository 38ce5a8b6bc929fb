/*
 * test_pool.c - every task once, on one worker at a time, however many
 * threads; and the waking and sleeping between jobs.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/check_main.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { MOST_TASKS = 3000, MOST_THREADS = 16 };

/* What the tasks of a job write; plain fields, so that the thread sanitizer
 * sees any two tasks or workers that are not kept apart. */
struct job {
    int threads;
    int done[MOST_TASKS];
    int by_worker[MOST_THREADS];
    double result[MOST_TASKS];
};

static void count_task(void *context, int task, int worker)
{
    struct job *job = context;
    job->done[task]++;
    job->by_worker[worker]++;
    double value = task;
    for (int i = 0; i < 50; i++) {
        value = value * 0.75 + i;
    }
    job->result[task] = value;
}

static struct sy_pool *make_pool(int threads)
{
    struct sy_pool *pool = NULL;
    struct sy_error err = {0};
    sy_check_ok(sy_pool_new(&pool, threads, &err), err);
    ck_assert_int_eq(sy_pool_threads(pool), threads);
    return pool;
}

/* Runs a job of `tasks` and checks that each was done once. */
static void run_and_check(struct sy_pool *pool, struct job *job, int tasks)
{
    *job = (struct job){.threads = sy_pool_threads(pool)};
    sy_pool_run(pool, tasks, count_task, job);
    int sum = 0;
    for (int i = 0; i < MOST_TASKS; i++) {
        ck_assert_int_eq(job->done[i], i < tasks);
    }
    for (int i = 0; i < MOST_THREADS; i++) {
        sum += job->by_worker[i];
        ck_assert(i < job->threads || job->by_worker[i] == 0);
    }
    ck_assert_int_eq(sum, tasks);
}

static const int thread_counts[] = {1, 2, 3, 4, 16};

START_TEST(every_task_runs_once)
{
    static const int task_counts[] = {0, 1, 2, 3, 17, MOST_TASKS};
    static struct job job;
    struct sy_pool *pool = make_pool(thread_counts[_i]);
    for (size_t i = 0; i < sizeof task_counts / sizeof task_counts[0]; i++) {
        run_and_check(pool, &job, task_counts[i]);
    }
    sy_pool_free(pool);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(results_do_not_depend_on_the_number_of_threads)
{
    static struct job alone;
    static struct job shared;
    run_and_check(NULL, &alone, MOST_TASKS);
    struct sy_pool *pool = make_pool(thread_counts[_i]);
    run_and_check(pool, &shared, MOST_TASKS);
    ck_assert_mem_eq(alone.result, shared.result, sizeof alone.result);
    sy_pool_free(pool);
}
END_TEST

START_TEST(a_null_pool_is_the_caller)
{
    static struct job job;
    ck_assert_int_eq(sy_pool_threads(NULL), 1);
    run_and_check(NULL, &job, 100);
    ck_assert_int_eq(job.by_worker[0], 100);
    sy_pool_free(NULL);
}
END_TEST

START_TEST(a_negative_number_of_tasks_is_none)
{
    struct sy_pool *pool = make_pool(2);
    sy_pool_run(pool, -3, count_task, NULL);
    sy_pool_run(NULL, -3, count_task, NULL);
    sy_pool_free(pool);
}
END_TEST

static void note_worker(void *context, int task, int worker)
{
    (void)task;
    *(int *)context = worker;
}

START_TEST(the_caller_is_the_last_worker)
{
    int worker = -1;
    struct sy_pool *pool = make_pool(3);
    sy_pool_run(pool, 1, note_worker, &worker);
    ck_assert_int_eq(worker, 2);
    sy_pool_free(pool);
}
END_TEST

START_TEST(many_short_jobs_follow_each_other)
{
    struct sy_pool *pool = make_pool(thread_counts[_i]);
    struct job *job = calloc(1, sizeof *job);
    ck_assert_ptr_nonnull(job);
    for (int i = 0; i < 3000; i++) {
        sy_pool_run(pool, 1 + i % 8, count_task, job);
    }
    for (int task = 0; task < 8; task++) {
        ck_assert_int_eq(job->done[task], 3000 / 8 * (8 - task));
    }
    free(job);
    sy_pool_free(pool);
}
END_TEST

START_TEST(workers_wake_after_they_have_slept)
{
    static struct job job;
    struct sy_pool *pool = make_pool(thread_counts[_i]);
    for (int i = 0; i < 30; i++) {
        usleep((useconds_t)(i % 5) * 300);
        run_and_check(pool, &job, 20);
    }
    sy_pool_free(pool);
}
END_TEST

/* Each task waits until the others have begun: it ends only in parallel. */
static void meet(void *context, int task, int worker)
{
    atomic_int *arrived = context;
    (void)task;
    (void)worker;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 3) {
        usleep(50);
    }
}

START_TEST(tasks_run_at_the_same_time)
{
    struct sy_pool *pool = make_pool(3);
    for (int i = 0; i < 20; i++) {
        atomic_int arrived = 0;
        sy_pool_run(pool, 3, meet, &arrived);
        ck_assert_int_eq(atomic_load(&arrived), 3);
    }
    sy_pool_free(pool);
}
END_TEST

static void slow_on_one(void *context, int task, int worker)
{
    (void)worker;
    if (task == 0) {
        usleep(5000);
    }
    atomic_fetch_add((atomic_int *)context, 1);
}

START_TEST(the_caller_waits_for_a_slow_task)
{
    struct sy_pool *pool = make_pool(4);
    for (int i = 0; i < 20; i++) {
        atomic_int ended = 0;
        sy_pool_run(pool, 5, slow_on_one, &ended);
        ck_assert_int_eq(atomic_load(&ended), 5);
    }
    sy_pool_free(pool);
}
END_TEST

START_TEST(zero_threads_takes_the_cpus_of_the_process)
{
    struct sy_pool *pool = NULL;
    struct sy_error err = {0};
    sy_check_ok(sy_pool_new(&pool, 0, &err), err);
    ck_assert_int_ge(sy_pool_threads(pool), 1);
    ck_assert_int_le(sy_pool_threads(pool), sysconf(_SC_NPROCESSORS_CONF));
    sy_pool_free(pool);
}
END_TEST

START_TEST(an_impossible_number_of_threads_is_refused)
{
    struct sy_pool *pool = NULL;
    struct sy_error err = {0};
    sy_check_fails(sy_pool_new(&pool, -1, &err), SY_BAD_INPUT, err);
    sy_check_fails(sy_pool_new(&pool, 1 << 20, &err), SY_BAD_INPUT, err);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(pools_come_and_go)
{
    for (int i = 0; i < 100; i++) {
        struct sy_pool *pool = make_pool(1 + i % 4);
        if (i % 3 == 0) {
            static struct job job;
            run_and_check(pool, &job, i);
        }
        sy_pool_free(pool);
    }
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(threads_that_cannot_start_are_a_status)
{
#ifndef SANITIZED
    /* Room for the stacks of some threads, not of a thousand. */
    struct rlimit limit = {UINT64_C(1) << 30, RLIM_INFINITY};
    struct sy_pool *pool = NULL;
    struct sy_error err = {0};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    sy_check_fails(sy_pool_new(&pool, 1000, &err), SY_NO_MEMORY, err);
    ck_assert_ptr_null(pool);
    ck_assert_int_eq(sy_alloc_live(), 0);
#endif
}
END_TEST

static void run_again(void *context, int task, int worker)
{
    (void)task;
    (void)worker;
    sy_pool_run(context, 1, note_worker, NULL);
}

START_TEST(a_task_that_calls_the_pool_stops_the_program)
{
    struct sy_pool *pool = make_pool(2);
    sy_pool_run(pool, 1, run_again, pool);
}
END_TEST

static void *run_from_outside(void *pool)
{
    run_again(pool, 0, 0);
    return NULL;
}

static void start_second_caller(void *context, int task, int worker)
{
    pthread_t thread;
    (void)task;
    (void)worker;
    pthread_create(&thread, NULL, run_from_outside, context);
    pthread_join(thread, NULL);
}

START_TEST(a_second_caller_stops_the_program)
{
    struct sy_pool *pool = make_pool(2);
    sy_pool_run(pool, 1, start_second_caller, pool);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pool");
    TCase *tc = tcase_create("pool");
    tcase_add_loop_test(tc, every_task_runs_once, 0, 5);
    tcase_add_loop_test(tc, results_do_not_depend_on_the_number_of_threads, 0,
                        5);
    tcase_add_test(tc, a_null_pool_is_the_caller);
    tcase_add_test(tc, a_negative_number_of_tasks_is_none);
    tcase_add_test(tc, the_caller_is_the_last_worker);
    tcase_add_loop_test(tc, many_short_jobs_follow_each_other, 0, 5);
    tcase_add_loop_test(tc, workers_wake_after_they_have_slept, 0, 5);
    tcase_add_test(tc, tasks_run_at_the_same_time);
    tcase_add_test(tc, the_caller_waits_for_a_slow_task);
    tcase_add_test(tc, zero_threads_takes_the_cpus_of_the_process);
    tcase_add_test(tc, an_impossible_number_of_threads_is_refused);
    tcase_add_test(tc, pools_come_and_go);
    tcase_add_test(tc, threads_that_cannot_start_are_a_status);
    tcase_add_test_raise_signal(
        tc, a_task_that_calls_the_pool_stops_the_program, SIGABRT);
    tcase_add_test_raise_signal(tc, a_second_caller_stops_the_program, SIGABRT);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
