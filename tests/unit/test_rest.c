/*
 * test_rest.c - a thread that rests while others work, told by how often it
 * gives its processor away of itself, and not by a clock.
 */
#include "runtime/base/rest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static atomic_bool over;
static atomic_ulong turns;

static void *work_on(void *context)
{
    (void)context;
    while (!atomic_load(&over)) {
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void ask_for_memory(void)
{
    sy_free(sy_alloc_zero(1, 64));
}

/* How often this thread slept while it did this for some milliseconds. */
static long sleeps_in(double ms, void (*work)(void))
{
    struct rusage before, after;
    double end = cpu_ms() + ms;
    getrusage(RUSAGE_THREAD, &before);
    while (cpu_ms() < end) {
        work();
    }
    getrusage(RUSAGE_THREAD, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
}

START_TEST(a_thread_that_has_not_asked_for_it_never_rests)
{
    ck_assert_int_eq(sleeps_in(3, sy_rest), 0);
    sy_rest_set(0.5);
    sy_rest_set(1.0);
    ck_assert_int_eq(sleeps_in(3, sy_rest), 0);
}
END_TEST

START_TEST(one_that_has_rests_between_short_pieces_while_others_work)
{
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, work_on, NULL), 0);
    while (atomic_load(&turns) == 0) {
    }
    sy_rest_set(0.5);
    long sleeps = sleeps_in(12, _i == 0 ? sy_rest : ask_for_memory);
    atomic_store(&over, true);
    pthread_join(other, NULL);
    ck_assert_int_gt(sleeps, 12); /* pieces are well below a millisecond */
}
END_TEST

START_TEST(alone_it_does_not)
{
    sy_rest_set(0.5);
    ck_assert_int_eq(sleeps_in(3, sy_rest), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rest");
    TCase *tc = tcase_create("rest");
    tcase_add_test(tc, a_thread_that_has_not_asked_for_it_never_rests);
    tcase_add_loop_test(
        tc, one_that_has_rests_between_short_pieces_while_others_work, 0, 2);
    tcase_add_test(tc, alone_it_does_not);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
