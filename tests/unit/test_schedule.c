/*
 * test_schedule.c - when the requests of an open loop are due.
 */
#include <math.h>

#include "serving/load/schedule.h"
#include "tests/support/check_main.h"

START_TEST(fixed_arrivals_have_equal_gaps_and_start_at_once)
{
    struct srv_schedule schedule;
    srv_schedule_init(&schedule, SRV_FIXED, 3.0, 1);
    for (int i = 0; i < 3000000; i += 1000) {
        int64_t due_ns = 0;
        for (int j = 0; j < 1000; j++) {
            due_ns = srv_schedule_next(&schedule);
        }
        /* The gap is no whole number of nanoseconds; nothing adds up. */
        double exact_ns = (i + 999) * (1e9 / 3.0);
        ck_assert(fabs((double)due_ns - exact_ns) <= 1e-9 * exact_ns + 1.0);
    }
}
END_TEST

START_TEST(poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process)
{
    enum { COUNT = 200000 };
    struct srv_schedule schedule;
    double sum = 0.0, squares = 0.0;
    int64_t before_ns = 0;
    int long_gaps = 0;
    srv_schedule_init(&schedule, SRV_POISSON, 1000.0, 7);
    for (int i = 0; i < COUNT; i++) {
        int64_t due_ns = srv_schedule_next(&schedule);
        double gap_ms = (double)(due_ns - before_ns) / 1e6;
        ck_assert_int_ge(due_ns, before_ns);
        sum += gap_ms;
        squares += gap_ms * gap_ms;
        long_gaps += gap_ms > 2.0;
        before_ns = due_ns;
    }
    double mean = sum / COUNT, variance = squares / COUNT - mean * mean;
    ck_assert_double_eq_tol(mean, 1.0, 0.01);
    ck_assert_double_eq_tol(variance, 1.0, 0.03); /* exponential: mean^2 */
    ck_assert_double_eq_tol((double)long_gaps / COUNT, exp(-2.0), 0.005);
}
END_TEST

START_TEST(the_seed_decides_the_times)
{
    struct srv_schedule a, b, c;
    int differ = 0;
    srv_schedule_init(&a, SRV_POISSON, 50.0, 1);
    srv_schedule_init(&b, SRV_POISSON, 50.0, 1);
    srv_schedule_init(&c, SRV_POISSON, 50.0, 2);
    for (int i = 0; i < 100; i++) {
        int64_t due_ns = srv_schedule_next(&a);
        ck_assert_int_eq(due_ns, srv_schedule_next(&b));
        differ += due_ns != srv_schedule_next(&c);
    }
    ck_assert_int_ge(differ, 99);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *tc = tcase_create("schedule");
    tcase_add_test(tc, fixed_arrivals_have_equal_gaps_and_start_at_once);
    tcase_add_test(
        tc, poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process);
    tcase_add_test(tc, the_seed_decides_the_times);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
