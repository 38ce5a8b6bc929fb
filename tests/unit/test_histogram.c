/*
 * test_histogram.c - times of any size, kept to within one part in 128.
 */
#include <stdlib.h>

#include "runtime/base/rng.h"
#include "serving/load/histogram.h"
#include "tests/support/check_main.h"

static struct srv_histogram histogram, other;

static void setup(void)
{
    histogram = (struct srv_histogram){0};
    other = (struct srv_histogram){0};
}

START_TEST(an_empty_histogram_has_zeros)
{
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.5), 0);
    ck_assert_double_eq(srv_histogram_mean(&histogram), 0.0);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (int64_t v = 0; v < 100; v++) {
        srv_histogram_add(&histogram, v);
    }
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.0), 0);
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.01), 0);
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.5), 49);
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.99), 98);
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 1.0), 99);
    ck_assert_double_eq_tol(srv_histogram_mean(&histogram), 49.5, 1e-9);
}
END_TEST

START_TEST(every_value_is_told_not_too_low_and_within_a_part_in_128)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < 2000; i++) {
        uint64_t wide = (uint64_t)sy_rng_u32(&rng) << 12;
        int64_t value = (int64_t)(wide >> sy_rng_below(&rng, 44));
        histogram = (struct srv_histogram){0};
        srv_histogram_add(&histogram, value);
        /* One larger value, so that the maximum does not hide the edge. */
        srv_histogram_add(&histogram, INT64_C(1) << 50);
        int64_t told = srv_histogram_quantile(&histogram, 0.5);
        ck_assert_int_ge(told, value);
        ck_assert_int_le(told - value, value / 128);
    }
}
END_TEST

START_TEST(values_outside_go_to_the_ends_and_the_maximum_is_exact)
{
    srv_histogram_add(&histogram, -5);
    srv_histogram_add(&histogram, INT64_MAX);
    ck_assert_int_eq(srv_histogram_quantile(&histogram, 0.5), 0);
    ck_assert(srv_histogram_quantile(&histogram, 1.0) >= INT64_C(1) << 43);
    ck_assert(histogram.max == INT64_MAX);
    ck_assert_int_eq(histogram.count, 2);
}
END_TEST

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

START_TEST(quantiles_agree_with_sorting_and_merging_changes_nothing)
{
    enum { COUNT = 5000 };
    static int64_t values[COUNT];
    static struct srv_histogram whole;
    struct sy_rng rng = sy_rng_stream(2, SY_RNG_TEST, 0, 0);
    whole = (struct srv_histogram){0};
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)sy_rng_below(&rng, 3000000) + 20000;
        srv_histogram_add(&whole, values[i]);
        srv_histogram_add(i % 3 == 0 ? &other : &histogram, values[i]);
    }
    srv_histogram_merge(&histogram, &other);
    qsort(values, COUNT, sizeof values[0], ascending);
    const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        int64_t told = srv_histogram_quantile(&histogram, shares[i]);
        int64_t exact = values[(int)(shares[i] * COUNT) - 1];
        ck_assert_int_eq(told, srv_histogram_quantile(&whole, shares[i]));
        ck_assert_int_ge(told, exact);
        ck_assert_int_le(told - exact, exact / 128);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("histogram");
    TCase *tc = tcase_create("histogram");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_empty_histogram_has_zeros);
    tcase_add_test(tc, small_values_are_exact);
    tcase_add_test(tc,
                   every_value_is_told_not_too_low_and_within_a_part_in_128);
    tcase_add_test(tc, values_outside_go_to_the_ends_and_the_maximum_is_exact);
    tcase_add_test(tc,
                   quantiles_agree_with_sorting_and_merging_changes_nothing);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
