/*
 * test_act.c - activations and their derivatives, at the kinks too.
 */
#include <math.h>

#include "runtime/ops/op.h"
#include "tests/support/check_main.h"

static const float far[] = {-1e30f, -100.0f, -3.5f, 3.5f, 100.0f, 1e30f};

START_TEST(values_are_those_of_the_formulas)
{
    ck_assert(sy_act_value(SY_ACT_NONE, -2.5f) == -2.5f);
    ck_assert(sy_act_value(SY_ACT_RELU, -2.5f) == 0.0f);
    ck_assert(sy_act_value(SY_ACT_RELU, 2.5f) == 2.5f);
    ck_assert(sy_act_value(SY_ACT_HSIGMOID, 0.0f) == 0.5f);
    ck_assert(sy_act_value(SY_ACT_HSIGMOID, -3.0f) == 0.0f);
    ck_assert(sy_act_value(SY_ACT_HSIGMOID, 3.0f) == 1.0f);
    ck_assert(sy_act_value(SY_ACT_HSWISH, 0.0f) == 0.0f);
    ck_assert(sy_act_value(SY_ACT_HSWISH, -3.0f) == 0.0f);
    ck_assert(sy_act_value(SY_ACT_HSWISH, 3.0f) == 3.0f);
    ck_assert(fabsf(sy_act_value(SY_ACT_HSWISH, -1.5f) + 0.375f) < 1e-7f);
    for (int i = 0; i < 6; i++) {
        float on = far[i] > 0.0f ? far[i] : 0.0f;
        ck_assert(sy_act_value(SY_ACT_RELU, far[i]) == on);
        ck_assert(sy_act_value(SY_ACT_HSWISH, far[i]) == on);
        ck_assert(sy_act_value(SY_ACT_HSIGMOID, far[i]) ==
                  (far[i] > 0.0f ? 1.0f : 0.0f));
    }
}
END_TEST

START_TEST(slopes_at_the_kinks_are_the_outer_ones)
{
    ck_assert(sy_act_slope(SY_ACT_RELU, 0.0f) == 0.0f);
    ck_assert(sy_act_slope(SY_ACT_HSWISH, -3.0f) == 0.0f);
    ck_assert(sy_act_slope(SY_ACT_HSWISH, 3.0f) == 1.0f);
    ck_assert(sy_act_slope(SY_ACT_HSIGMOID, -3.0f) == 0.0f);
    ck_assert(sy_act_slope(SY_ACT_HSIGMOID, 3.0f) == 0.0f);
    ck_assert(sy_act_slope(SY_ACT_NONE, 17.0f) == 1.0f);
}
END_TEST

START_TEST(slopes_agree_with_differences_away_from_the_kinks)
{
    for (int a = 0; a < SY_ACT_COUNT; a++) {
        for (int i = -400; i <= 400; i++) {
            float x = (float)i / 64.0f + 0.007f;
            float step = 1.0f / 256.0f;
            bool kink = fabsf(x) < 0.01f || fabsf(fabsf(x) - 3.0f) < 0.01f;
            enum sy_act act = (enum sy_act)a;
            float slope =
                (sy_act_value(act, x + step) - sy_act_value(act, x - step)) /
                (2.0f * step);
            ck_assert(kink || fabsf(slope - sy_act_slope(act, x)) < 2e-4f);
        }
    }
}
END_TEST

START_TEST(a_diverged_value_is_not_hidden)
{
    for (int a = 0; a < SY_ACT_COUNT; a++) {
        ck_assert(isnan(sy_act_value((enum sy_act)a, NAN)));
    }
}
END_TEST

START_TEST(every_activation_has_a_name)
{
    ck_assert_str_eq(sy_act_names[SY_ACT_NONE], "none");
    ck_assert_str_eq(sy_act_names[SY_ACT_RELU], "relu");
    ck_assert_str_eq(sy_act_names[SY_ACT_HSWISH], "hswish");
    ck_assert_str_eq(sy_act_names[SY_ACT_HSIGMOID], "hsigmoid");
    ck_assert_ptr_null(sy_act_names[SY_ACT_COUNT]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("act");
    TCase *tc = tcase_create("act");

    tcase_add_test(tc, values_are_those_of_the_formulas);
    tcase_add_test(tc, slopes_at_the_kinks_are_the_outer_ones);
    tcase_add_test(tc, slopes_agree_with_differences_away_from_the_kinks);
    tcase_add_test(tc, a_diverged_value_is_not_hidden);
    tcase_add_test(tc, every_activation_has_a_name);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
