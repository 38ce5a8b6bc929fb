/* test_ensemble.c - forward selection by hand. */
#include "search/routing/ensemble.h"

#include <math.h>

#include "tests/support/check_main.h"

/* Probabilities of two classes for four images, all of class 0. */
static const float good[] = {0.75f, 0.25f, 0.75f, 0.25f,
                             0.75f, 0.25f, 0.25f, 0.75f};
static const float other[] = {0.5f, 0.5f, 0.25f,   0.75f,
                              0.5f, 0.5f, 0.9375f, 0.0625f};
static const float poor[] = {0.125f, 0.875f, 0.125f, 0.875f,
                             0.125f, 0.875f, 0.125f, 0.875f};
static const int labels[] = {0, 0, 0, 0};

START_TEST(the_best_one_is_first_and_those_who_help_follow)
{
    const float *answers[] = {poor, other, good};
    int chosen[3] = {-1, -1, -1};
    double nll[3], room[4];
    int count =
        nas_forward_select(answers, labels, 3, 4, 2, 0, 3, chosen, nll, room);
    ck_assert_int_eq(count, 2); /* the poor one would make it worse */
    ck_assert_int_eq(chosen[0], 2);
    ck_assert_int_eq(chosen[1], 1);
    ck_assert_double_eq_tol(nll[0], -(3 * log(0.75) + log(0.25)) / 4, 1e-6);
    ck_assert_double_eq_tol(
        nll[1], -(2 * log(0.625) + log(0.5) + log(0.59375)) / 4, 1e-6);
    ck_assert_double_lt(nll[1], nll[0]);
    ck_assert_int_eq(
        nas_forward_select(answers, labels, 3, 4, 2, 0, 1, chosen, NULL, room),
        1);
}
END_TEST

START_TEST(given_ones_stand_before_those_that_help_them)
{
    const float *answers[] = {poor, other, good};
    int chosen[3] = {0, -1, -1};
    double nll[3], room[4];
    int count =
        nas_forward_select(answers, labels, 3, 4, 2, 1, 3, chosen, nll, room);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(chosen[0], 0);
    ck_assert_int_eq(chosen[1], 2);
    ck_assert_int_eq(chosen[2], 1);
    ck_assert_double_eq_tol(nll[0], -log(0.125), 1e-6);
    ck_assert_double_lt(nll[1], nll[0]);
    chosen[0] = 2;
    chosen[1] = 0; /* makes it worse, and stays */
    count =
        nas_forward_select(answers, labels, 3, 4, 2, 2, 2, chosen, nll, room);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(chosen[1], 0);
    ck_assert_double_gt(nll[1], nll[0]);
}
END_TEST

START_TEST(of_equal_ones_the_first_is_taken_once)
{
    const float *answers[] = {good, good};
    int chosen[2];
    double room[4];
    ck_assert_int_eq(
        nas_forward_select(answers, labels, 2, 4, 2, 0, 2, chosen, NULL, room),
        1);
    ck_assert_int_eq(chosen[0], 0);
}
END_TEST

START_TEST(a_probability_of_0_is_floored)
{
    const float never[] = {0.0f, 1.0f};
    const float *answers[] = {never};
    int chosen[1];
    double nll[1], room[1];
    ck_assert_int_eq(
        nas_forward_select(answers, labels, 1, 1, 2, 0, 1, chosen, nll, room),
        1);
    ck_assert_double_eq_tol(nll[0], -log(1e-12), 1e-9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ensemble");
    TCase *tc = tcase_create("ensemble");
    tcase_add_test(tc, the_best_one_is_first_and_those_who_help_follow);
    tcase_add_test(tc, given_ones_stand_before_those_that_help_them);
    tcase_add_test(tc, of_equal_ones_the_first_is_taken_once);
    tcase_add_test(tc, a_probability_of_0_is_floored);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
