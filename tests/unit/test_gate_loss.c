/*
 * test_gate_loss.c - what gates are fitted by, against numbers worked out by
 * hand and against finite differences.
 */
#include "search/routing/gate_loss.h"

#include <math.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

#define NEAR(a, b) ck_assert_double_eq_tol(a, b, 1e-9)

START_TEST(the_mixtures_slope_is_gate_less_responsibility)
{
    /* g = (1/4, 3/4), p = (0.8, 0.2): sum 0.35, h = (4/7, 3/7). */
    const double scores[] = {0.0, log(3.0)}, likelihood[] = {0.8, 0.2};
    double d[2];
    NEAR(nas_gate_mixture_loss(scores, likelihood, 1.0, 2, d), -log(0.35));
    NEAR(d[0], 0.25 - 4.0 / 7.0);
    NEAR(d[1], 0.75 - 3.0 / 7.0);
}
END_TEST

START_TEST(soft_targets_pull_the_gate_towards_them)
{
    const double scores[] = {0.0, log(3.0)}, target[] = {0.5, 0.5};
    double d[2];
    NEAR(nas_gate_soft_loss(scores, target, 2.0, 2, d),
         -(log(0.25) + log(0.75)));
    NEAR(d[0], 2.0 * (0.25 - 0.5));
    NEAR(d[1], 2.0 * (0.75 - 0.5));
}
END_TEST

START_TEST(the_top_two_of_three_share_what_there_is)
{
    const double scores[] = {log(2.0), log(6.0), log(2.0)};
    double gate[3];
    int rank[3];
    nas_gate_top(scores, 3, 2, gate, rank);
    NEAR(gate[0], 0.25); /* ties go to the lower index */
    NEAR(gate[1], 0.75);
    NEAR(gate[2], 0.0);
    ck_assert_int_eq(rank[0], 1);
    ck_assert_int_eq(rank[1], 0);
    ck_assert_int_eq(rank[2], 2);
}
END_TEST

START_TEST(cv2_of_one_and_three_is_a_quarter)
{
    const double values[] = {1.0, 3.0};
    double slope[2];
    NEAR(nas_gate_cv2(values, 2, slope), 0.25);
    /* 2 (x - m) / n / m^2 - 2 var m / n / m^4, with m = 2 and var = 1. */
    ck_assert_double_eq_tol(slope[0], -0.375, 1e-9);
    ck_assert_double_eq_tol(slope[1], 0.125, 1e-9);
}
END_TEST

START_TEST(one_sample_of_noisy_top_1_is_as_worked_out_by_hand)
{
    /*
     * Clean scores 1 and 0, raw noise such that softplus + 0.01 is 0.5, noise
     * 1 and 2: noisy 1.5 and 1.0, so the first is chosen. Threshold of the
     * first: 1.0 (the second one's), of the second 1.5. Load: P(z = 0) = 1/2
     * and P(z = (0 - 1.5) / 0.5 = -3). Importance 1 and 0.
     */
    double raw = log(exp(0.49) - 1.0);
    const double scores[] = {1.0, 0.0, raw, raw}, noise[] = {1.0, 2.0};
    const double likelihood[] = {0.5, 0.9};
    const struct nas_gate_noisy options = {2, 1, 0.1};
    double d[4];
    double load[] = {0.5, 0.5 * erfc(3.0 / sqrt(2.0))};
    double mean = (load[0] + load[1]) / 2, half = (load[0] - load[1]) / 2;
    double loss =
        nas_gate_noisy_loss(&options, 1, scores, noise, likelihood, d);
    /* CV2 of (1, 0) is (1/4) / (1/4) = 1. */
    NEAR(loss, -log(0.5) + 0.1 * (1.0 + half * half / (mean * mean)));
}
END_TEST

/* A random batch in which no order is near to changing. */
enum { SAMPLES = 5, CHILDREN = 4 };
struct batch {
    double scores[SAMPLES * 2 * CHILDREN];
    double noise[SAMPLES * CHILDREN], likelihood[SAMPLES * CHILDREN];
};

static void draw(struct batch *batch, uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 900, 0);
    for (int i = 0; i < SAMPLES * CHILDREN; i++) {
        batch->scores[2 * i] = (double)sy_rng_normal(&rng);
        batch->scores[2 * i + 1] = (double)sy_rng_normal(&rng);
        batch->noise[i] = (double)sy_rng_normal(&rng);
        batch->likelihood[i] = 0.05 + 0.9 * (double)sy_rng_uniform(&rng);
    }
}

/* Holds every slope of the loss against a finite difference. */
static void check_noisy_slopes(const struct nas_gate_noisy *options,
                               struct batch *b)
{
    double d[SAMPLES * 2 * CHILDREN], unused[SAMPLES * 2 * CHILDREN];
    (void)nas_gate_noisy_loss(options, SAMPLES, b->scores, b->noise,
                              b->likelihood, d);
    for (int i = 0; i < SAMPLES * 2 * CHILDREN; i++) {
        double at = b->scores[i];
        b->scores[i] = at + 1e-6;
        double up = nas_gate_noisy_loss(options, SAMPLES, b->scores, b->noise,
                                        b->likelihood, unused);
        b->scores[i] = at - 1e-6;
        double down = nas_gate_noisy_loss(options, SAMPLES, b->scores, b->noise,
                                          b->likelihood, unused);
        b->scores[i] = at;
        ck_assert_double_eq_tol(d[i], (up - down) / 2e-6, 1e-5);
    }
}

START_TEST(slopes_of_noisy_gating_without_balance_are_finite_differences)
{
    struct batch b;
    const struct nas_gate_noisy options = {CHILDREN, 1 + _i % CHILDREN, 0.0};
    draw(&b, (uint64_t)_i);
    check_noisy_slopes(&options, &b);
}
END_TEST

START_TEST(the_slope_of_importance_is_a_finite_difference)
{
    /* With top = E the load is constant, so balance is importance alone. */
    struct batch b;
    const struct nas_gate_noisy options = {CHILDREN, CHILDREN, 0.7};
    draw(&b, 77);
    check_noisy_slopes(&options, &b);
}
END_TEST

START_TEST(the_load_moves_the_crowded_child_down)
{
    /* Both samples crowd on child 0: its clean score must fall, the other's
       rise, whatever the answers are worth. */
    double raw = log(exp(0.99) - 1.0);
    const double scores[] = {0.5, 0.0, raw, raw, 0.5, 0.0, raw, raw};
    const double noise[] = {0, 0, 0, 0}, likelihood[] = {0.5, 0.5, 0.5, 0.5};
    const struct nas_gate_noisy options = {2, 1, 1.0};
    double d[8];
    (void)nas_gate_noisy_loss(&options, 2, scores, noise, likelihood, d);
    ck_assert(d[0] > 0.0 && d[1] < 0.0 && d[4] > 0.0 && d[5] < 0.0);
}
END_TEST

START_TEST(switches_that_are_on_share_the_answer_and_cost)
{
    /* On: 0 and 2. Answer (0.9 + 0.5) / 2 = 0.7, cost 0.1 * (1 + 4). */
    const double scores[] = {2.0, -1.0, 0.0}, cost[] = {1.0, 2.0, 4.0};
    const double likelihood[] = {0.9, 0.1, 0.5};
    const struct nas_gate_switch options = {3, 0.1, 1.0, cost};
    double d[3], soft = 1.0 / (1.0 + exp(-2.0));
    NEAR(nas_gate_switch_loss(&options, scores, NULL, likelihood, d),
         0.5 - log(0.7));
    NEAR(d[0], (0.1 - 0.2 / 1.4) * soft * (1.0 - soft));
    NEAR(d[2], (0.4 + 0.2 / 1.4) * 0.25);
    ck_assert(d[1] > 0.0); /* would make it worse and costs: stay off */
}
END_TEST

START_TEST(with_all_switches_off_the_highest_is_on)
{
    const double scores[] = {-2.0, -1.0}, cost[] = {1.0, 1.0};
    const double likelihood[] = {0.9, 0.25};
    const struct nas_gate_switch options = {2, 0.0, 1.0, cost};
    double d[2];
    NEAR(nas_gate_switch_loss(&options, scores, NULL, likelihood, d),
         -log(0.25));
    ck_assert(d[0] < 0.0); /* the better one is wanted on */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate loss");
    TCase *tc = tcase_create("gate loss");
    tcase_add_test(tc, the_mixtures_slope_is_gate_less_responsibility);
    tcase_add_test(tc, soft_targets_pull_the_gate_towards_them);
    tcase_add_test(tc, the_top_two_of_three_share_what_there_is);
    tcase_add_test(tc, cv2_of_one_and_three_is_a_quarter);
    tcase_add_test(tc, one_sample_of_noisy_top_1_is_as_worked_out_by_hand);
    tcase_add_loop_test(
        tc, slopes_of_noisy_gating_without_balance_are_finite_differences, 0,
        8);
    tcase_add_test(tc, the_slope_of_importance_is_a_finite_difference);
    tcase_add_test(tc, the_load_moves_the_crowded_child_down);
    tcase_add_test(tc, switches_that_are_on_share_the_answer_and_cost);
    tcase_add_test(tc, with_all_switches_off_the_highest_is_on);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
