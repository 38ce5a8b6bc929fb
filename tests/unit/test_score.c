/* test_score.c - calibration error against cases worked by hand. */
#include "search/eval/score.h"

#include <math.h>

#include "tests/support/check_main.h"

START_TEST(nothing_has_no_error)
{
    ck_assert_double_eq(nas_ece(NULL, NULL, 0), 0.0);
}
END_TEST

START_TEST(certain_and_right_is_calibrated_certain_and_wrong_is_not)
{
    const float confidence[2] = {1.0f, 1.0f};
    const bool right[2] = {true, true};
    const bool wrong[2] = {false, false};
    ck_assert_double_eq(nas_ece(confidence, right, 2), 0.0);
    ck_assert_double_eq(nas_ece(confidence, wrong, 2), 1.0);
}
END_TEST

START_TEST(a_bin_compares_its_mean_confidence_with_its_hits)
{
    /* One bin, (0.8, 0.8667]: mean 0.84375, hits 1/2. */
    const float confidence[2] = {0.8125f, 0.859375f};
    const bool right[2] = {true, false};
    ck_assert_double_eq_tol(nas_ece(confidence, right, 2),
                            (0.8125 + 0.859375) / 2 - 0.5, 1e-12);
}
END_TEST

START_TEST(bins_weigh_by_how_many_they_hold)
{
    /* (0.4667, 0.5]: |0.5 - 1| of one; (0.9333, 1]: |1 - 2/3| of three. */
    const float confidence[4] = {0.5f, 1.0f, 1.0f, 1.0f};
    const bool right[4] = {true, true, true, false};
    ck_assert_double_eq_tol(nas_ece(confidence, right, 4),
                            0.25 * 0.5 + 0.75 / 3.0, 1e-12);
}
END_TEST

START_TEST(errors_in_one_bin_cancel_and_in_two_bins_do_not)
{
    const bool right[2] = {true, false};
    const float together[2] = {0.5f, 0.5f};
    const float apart[2] = {0.5f, 0.75f};
    ck_assert_double_eq(nas_ece(together, right, 2), 0.0);
    ck_assert_double_eq_tol(nas_ece(apart, right, 2), (0.5 + 0.75) / 2, 1e-12);
}
END_TEST

/*
 * Two confidences, one right and one wrong: in one bin the error is
 * |a + b - 1| / 2, in two bins ((1 - a) + b) / 2.
 */
static void check_edge(float a, float b, bool same_bin)
{
    const float confidence[2] = {a, b};
    const bool right[2] = {true, false};
    double one = fabs((double)a + (double)b - 1) / 2;
    double two = (1 - (double)a + (double)b) / 2;
    ck_assert_double_eq_tol(nas_ece(confidence, right, 2), same_bin ? one : two,
                            1e-12);
}

START_TEST(a_bin_holds_its_upper_edge_and_not_its_lower_one)
{
    /* Edges that floats just miss: 3/15 = 0.2 lies a little above itself as
       a float, so the test steps clear of rounding. */
    float below = 0.2f - 1e-6f;
    float above = 0.2f + 1e-6f;
    check_edge(below, above, false);
    check_edge(below, 2.0f / 15.0f + 1e-6f, true);
    check_edge(above, 4.0f / 15.0f - 1e-6f, true);
    /* 1 is the upper edge of the last bin, and 0 falls into the first. */
    check_edge(1.0f, 14.0f / 15.0f + 1e-6f, true);
    check_edge(1.0f, 14.0f / 15.0f - 1e-6f, false);
    check_edge(0.0f, 1.0f / 15.0f - 1e-6f, true);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("score");
    TCase *tc = tcase_create("score");
    tcase_add_test(tc, nothing_has_no_error);
    tcase_add_test(tc,
                   certain_and_right_is_calibrated_certain_and_wrong_is_not);
    tcase_add_test(tc, a_bin_compares_its_mean_confidence_with_its_hits);
    tcase_add_test(tc, bins_weigh_by_how_many_they_hold);
    tcase_add_test(tc, errors_in_one_bin_cancel_and_in_two_bins_do_not);
    tcase_add_test(tc, a_bin_holds_its_upper_edge_and_not_its_lower_one);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
