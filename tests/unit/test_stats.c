/*
 * test_stats.c - means with intervals, and Kendall's tau against values
 * worked out by hand and published ones.
 */
#include "search/eval/stats.h"

#include <math.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

static struct sy_error err;

START_TEST(moments_of_a_known_sample)
{
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct nas_moments m = nas_moments(values, 8);
    ck_assert_double_eq_tol(m.mean, 5, 1e-12);
    ck_assert_double_eq_tol(m.std, sqrt(32.0 / 7), 1e-12);
    ck_assert_double_eq_tol(m.error, sqrt(32.0 / 7 / 8), 1e-12);
    m = nas_moments(values, 1);
    ck_assert_double_eq(m.mean, 2);
    ck_assert_double_eq(m.std, 0);
    ck_assert_double_eq(m.error, 0);
}
END_TEST

START_TEST(the_interval_of_two_values_is_all_of_their_means)
{
    /* Resamples: 0, 1/2, 1/2, 1 in equal parts. */
    const double values[] = {0, 1};
    struct nas_interval found;
    sy_check_ok(nas_mean_interval(&found, values, 2, &err), err);
    ck_assert_double_eq_tol(found.value, 0.5, 1e-12);
    ck_assert_double_eq(found.low, 0);
    ck_assert_double_eq(found.high, 1);
    sy_check_ok(nas_mean_interval(&found, values + 1, 1, &err), err);
    ck_assert_double_eq(found.low, 1);
    ck_assert_double_eq(found.high, 1);
}
END_TEST

START_TEST(the_interval_of_a_large_sample_is_two_standard_errors)
{
    enum { COUNT = 200 };
    double values[COUNT];
    struct nas_interval found, again;
    int64_t live = sy_alloc_live();
    struct sy_rng rng = sy_rng_stream(4, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        values[i] = 3.0 + 0.5 * (double)sy_rng_normal(&rng);
    }
    struct nas_moments m = nas_moments(values, COUNT);
    sy_check_ok(nas_mean_interval(&found, values, COUNT, &err), err);
    ck_assert_double_eq_tol(found.value, m.mean, 1e-12);
    ck_assert_double_eq_tol(found.low, m.mean - 1.96 * m.error, 0.1 * m.error);
    ck_assert_double_eq_tol(found.high, m.mean + 1.96 * m.error, 0.1 * m.error);
    sy_check_ok(nas_mean_interval(&again, values, COUNT, &err), err);
    ck_assert_mem_eq(&found, &again, sizeof found);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(tau_counts_pairs_in_the_same_order)
{
    const double a[] = {1, 2, 3, 4, 5};
    const double b[] = {10, 30, 20, 40, 50}; /* one of ten pairs is turned */
    const double turned[] = {5, 4, 3, 2, 1};
    ck_assert_double_eq_tol(nas_kendall(a, a, 5), 1, 1e-12);
    ck_assert_double_eq_tol(nas_kendall(a, b, 5), 0.8, 1e-12);
    ck_assert_double_eq_tol(nas_kendall(a, turned, 5), -1, 1e-12);
}
END_TEST

START_TEST(tau_of_ties_is_that_of_kendall)
{
    /* The example of SciPy's documentation. */
    const double x[] = {12, 2, 1, 12, 2}, y[] = {1, 4, 7, 1, 0};
    /* One of three pairs is tied in a: 2 / sqrt(2 x 3). */
    const double a[] = {1, 1, 2}, b[] = {1, 2, 3}, flat[] = {4, 4, 4};
    ck_assert_double_eq_tol(nas_kendall(x, y, 5), -0.47140452079103173, 1e-12);
    ck_assert_double_eq_tol(nas_kendall(a, b, 3), 2 / sqrt(6), 1e-12);
    ck_assert_double_eq(nas_kendall(a, flat, 3), 0);
    ck_assert_double_eq(nas_kendall(a, b, 1), 0);
}
END_TEST

START_TEST(the_interval_of_tau_holds_it_and_narrows)
{
    enum { COUNT = 60 };
    double a[COUNT], b[COUNT];
    struct nas_interval few, many;
    int64_t live = sy_alloc_live();
    struct sy_rng rng = sy_rng_stream(5, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        a[i] = (double)sy_rng_normal(&rng);
        b[i] = a[i] + (double)sy_rng_normal(&rng);
    }
    sy_check_ok(nas_kendall_interval(&few, a, b, COUNT / 6, &err), err);
    sy_check_ok(nas_kendall_interval(&many, a, b, COUNT, &err), err);
    ck_assert(few.low <= few.value && few.value <= few.high);
    ck_assert(many.low <= many.value && many.value <= many.high);
    ck_assert_double_lt(many.high - many.low, few.high - few.low);
    ck_assert_double_gt(many.low, 0); /* half of the noise is the signal */
    sy_check_ok(nas_kendall_interval(&few, a, a, COUNT, &err), err);
    ck_assert_double_eq(few.value, 1);
    ck_assert_double_eq(few.high, 1);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stats");
    TCase *tc = tcase_create("stats");
    tcase_add_test(tc, moments_of_a_known_sample);
    tcase_add_test(tc, the_interval_of_two_values_is_all_of_their_means);
    tcase_add_test(tc, the_interval_of_a_large_sample_is_two_standard_errors);
    tcase_add_test(tc, tau_counts_pairs_in_the_same_order);
    tcase_add_test(tc, tau_of_ties_is_that_of_kendall);
    tcase_add_test(tc, the_interval_of_tau_holds_it_and_narrows);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
