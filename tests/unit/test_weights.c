/* test_weights.c - domain weightings. */
#include "search/weights/weights.h"

#include <string.h>

#include "tests/support/check_main.h"

enum { DOMAINS = 5, STEPS = 4 };

/* Losses of a step that are unlike between domains and steps. */
static void make_losses(double *losses, int domains, int step)
{
    for (int d = 0; d < domains; d++) {
        losses[d] = 0.25 + d * 1.5 + (double)((step * 7 + d * 3) % 5) / 8.0;
    }
}

START_TEST(the_mean_weight_is_one_in_every_step)
{
    const struct nas_weighting_rule *rule =
        nas_weighting_of((enum nas_weighting)_i);
    float state[DOMAINS * NAS_WEIGHT_STATE_FLOATS] = {0};
    double losses[DOMAINS];
    double weights[DOMAINS] = {0};
    for (int step = 0; step < STEPS; step++) {
        double sum = 0;
        make_losses(losses, DOMAINS, step);
        rule->update(losses, DOMAINS, state, weights);
        for (int d = 0; d < DOMAINS; d++) {
            ck_assert(weights[d] >= 0);
            sum += weights[d];
        }
        ck_assert_double_eq_tol(sum / DOMAINS, 1.0, 1e-6);
    }
}
END_TEST

START_TEST(a_single_domain_has_weight_one)
{
    const struct nas_weighting_rule *rule =
        nas_weighting_of((enum nas_weighting)_i);
    float state[NAS_WEIGHT_STATE_FLOATS] = {0};
    double losses[1];
    double weights[1] = {0};
    for (int step = 0; step < STEPS; step++) {
        make_losses(losses, 1, step);
        rule->update(losses, 1, state, weights);
        ck_assert_double_eq_tol(weights[0], 1.0, 1e-6);
    }
}
END_TEST

START_TEST(uniform_weights_are_one_whatever_the_losses)
{
    const struct nas_weighting_rule *rule =
        nas_weighting_of(NAS_WEIGHT_UNIFORM);
    float state[3 * NAS_WEIGHT_STATE_FLOATS] = {0};
    const double losses[3] = {0.0, 1e6, 3.0};
    double weights[3] = {0};
    rule->update(losses, 3, state, weights);
    for (int d = 0; d < 3; d++) {
        ck_assert_double_eq(weights[d], 1.0);
    }
}
END_TEST

START_TEST(every_weighting_has_a_name)
{
    for (int w = 0; w < NAS_WEIGHTINGS; w++) {
        ck_assert_ptr_nonnull(nas_weighting_names[w]);
    }
    ck_assert_ptr_null(nas_weighting_names[NAS_WEIGHTINGS]);
    ck_assert_str_eq(nas_weighting_names[NAS_WEIGHT_UNIFORM], "uniform");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("weights");
    TCase *tc = tcase_create("weights");
    tcase_add_loop_test(tc, the_mean_weight_is_one_in_every_step, 0,
                        NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, a_single_domain_has_weight_one, 0, NAS_WEIGHTINGS);
    tcase_add_test(tc, uniform_weights_are_one_whatever_the_losses);
    tcase_add_test(tc, every_weighting_has_a_name);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
