/*
 * test_gate_fit.c - gates fitted on generated rows: nets, EM on a tree, noisy
 * top-k with balanced loads, and the root gate's thresholds.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "search/routing/gate_em.h"
#include "search/routing/gate_loss.h"
#include "search/routing/gate_rows.h"
#include "search/routing/root.h"
#include "tests/support/check_main.h"

enum { ROWS = 1200, HELD = 400, INPUTS = 2, LEAVES = 4 };

static struct sy_error err;
static float features[(ROWS + HELD) * INPUTS];
static double likelihood[(ROWS + HELD) * LEAVES];
static int region[ROWS + HELD];

/* Rows uniform in [-1, 1]^2; leaf number = 2 * [x > 0] + [y > 0] is the one
   whose expert knows. */
static void draw_quarters(void)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 901, 0);
    for (int i = 0; i < ROWS + HELD; i++) {
        float *x = features + i * INPUTS;
        x[0] = 2.0f * sy_rng_uniform(&rng) - 1.0f;
        x[1] = 2.0f * sy_rng_uniform(&rng) - 1.0f;
        region[i] = 2 * (x[0] > 0.0f) + (x[1] > 0.0f);
        for (int k = 0; k < LEAVES; k++) {
            likelihood[i * LEAVES + k] = k == region[i] ? 0.9 : 0.1;
        }
    }
}

static const struct nas_em_tree two_levels = {
    .gates = 3,
    .leaves = LEAVES,
    .gate = {{2, {-2, -3}}, {2, {0, 1}}, {2, {2, 3}}},
};

static void start_net(struct nas_gate_net *net, int hidden, int outputs)
{
    sy_check_ok(nas_gate_net_init(net, INPUTS, hidden, outputs, 3, &err), err);
    nas_gate_net_standardise(net, features, ROWS);
}

START_TEST(the_first_step_of_em_is_as_worked_out_by_hand)
{
    /*
     * One row x = (1, 0), likelihoods 0.8, 0.2, 0.1, 0.1, all gates even:
     * P = 0.5 (0.5 * 0.8 + 0.5 * 0.2) + 0.5 (0.1) = 0.3.
     */
    const float x[] = {1.0f, 0.0f};
    const double p[] = {0.8, 0.2, 0.1, 0.1};
    struct nas_gate_net net[3];
    struct nas_gate_net *nets[] = {&net[0], &net[1], &net[2]};
    double trace[2];
    int rounds;
    const struct nas_em_options one = {.rounds = 1, .steps = 1};
    for (int g = 0; g < 3; g++) {
        sy_check_ok(nas_gate_net_init(&net[g], 2, 0, 2, 1, &err), err);
    }
    sy_check_ok(
        nas_em_fit(&two_levels, nets, x, p, 1, &one, trace, &rounds, &err),
        err);
    ck_assert_double_eq_tol(trace[0], log(0.3), 1e-12);
    /* Responsibilities of the root: 0.25 / 0.3 = 5/6; of gate 1, whose node
       has weight 5/6: 0.8 and 0.2. A step of 1 along target less gate. */
    ck_assert_double_eq_tol(net[0].value[0], 5.0 / 6.0 - 0.5, 1e-12);
    ck_assert_double_eq_tol(net[0].value[2], 0.0, 1e-12); /* input 1 is 0 */
    ck_assert_double_eq_tol(net[1].value[0], 5.0 / 6.0 * (0.8 - 0.5), 1e-12);
    ck_assert_double_eq_tol(net[2].value[0], 0.0, 1e-12);
    ck_assert(trace[1] > trace[0]);
    for (int g = 0; g < 3; g++) {
        nas_gate_net_release(&net[g]);
    }
}
END_TEST

START_TEST(em_recovers_a_planted_mixture_of_two_levels)
{
    struct nas_gate_net net[3];
    struct nas_gate_net *nets[] = {&net[0], &net[1], &net[2]};
    struct nas_em_options options = nas_em_defaults();
    double trace[101];
    int rounds, right = 0;
    draw_quarters();
    for (int g = 0; g < 3; g++) {
        start_net(&net[g], 0, 2);
    }
    sy_check_ok(nas_em_fit(&two_levels, nets, features, likelihood, ROWS,
                           &options, trace, &rounds, &err),
                err);
    for (int r = 1; r <= rounds; r++) {
        ck_assert_double_ge(trace[r], trace[r - 1] - 1e-12);
    }
    ck_assert_double_gt(trace[rounds], log(0.8)); /* began at log(0.3) */
    for (int i = ROWS; i < ROWS + HELD; i++) {
        double s[2];
        int leaf;
        nas_gate_net_scores(&net[0], features + i * INPUTS, s);
        int branch = s[1] > s[0];
        nas_gate_net_scores(&net[1 + branch], features + i * INPUTS, s);
        leaf = 2 * branch + (s[1] > s[0]);
        right += leaf == region[i];
    }
    ck_assert_int_ge(right, HELD * 95 / 100);
    for (int g = 0; g < 3; g++) {
        nas_gate_net_release(&net[g]);
    }
}
END_TEST

/* Noise of the samples of a batch, drawn anew for each. */
struct noisy_fit {
    struct nas_gate_noisy options;
    struct sy_rng rng;
    bool still; /* for judging */
};

static double noisy_loss(void *context, const struct nas_gate_batch *batch)
{
    struct noisy_fit *fit = context;
    double noise[64 * LEAVES], p[64 * LEAVES];
    for (int i = 0; i < batch->count; i++) {
        for (int k = 0; k < LEAVES; k++) {
            noise[i * LEAVES + k] = (double)sy_rng_normal(&fit->rng);
            p[i * LEAVES + k] = likelihood[batch->sample[i] * LEAVES + k];
        }
    }
    return nas_gate_noisy_loss(&fit->options, batch->count, batch->scores,
                               noise, p, batch->d_scores);
}

START_TEST(noisy_top_k_keeps_every_expert_alive)
{
    struct nas_gate_net net;
    struct noisy_fit fit = {.options = {LEAVES, 2, 0.1}};
    struct nas_gate_descent descent = nas_gate_descent_defaults();
    double load[LEAVES] = {0}, slope[LEAVES];
    int right = 0;
    draw_quarters();
    start_net(&net, 8, 2 * LEAVES);
    fit.rng = sy_rng_stream(2, SY_RNG_TEST, 902, 0);
    descent.rate = 0.02;
    sy_check_ok(nas_gate_net_fit(&net, &descent, features, ROWS, 0, noisy_loss,
                                 NULL, &fit, &err),
                err);
    for (int i = ROWS; i < ROWS + HELD; i++) {
        double s[2 * LEAVES];
        int best = 0;
        nas_gate_net_scores(&net, features + i * INPUTS, s);
        for (int k = 1; k < LEAVES; k++) {
            best = s[k] > s[best] ? k : best;
        }
        load[best] += 1.0;
        right += best == region[i];
    }
    ck_assert_double_le(sqrt(nas_gate_cv2(load, LEAVES, slope)), 0.3);
    ck_assert_int_ge(right, HELD * 85 / 100);
    nas_gate_net_release(&net);
}
END_TEST

static double region_loss(void *context, const struct nas_gate_batch *batch)
{
    double sum = 0.0;
    (void)context;
    for (int i = 0; i < batch->count; i++) {
        double target[LEAVES] = {0};
        target[region[batch->sample[i]]] = 1.0;
        sum += nas_gate_soft_loss(batch->scores + i * LEAVES, target,
                                  1.0 / batch->count, LEAVES,
                                  batch->d_scores + i * LEAVES);
    }
    return sum;
}

START_TEST(a_nets_gradient_is_a_finite_difference)
{
    struct nas_gate_net net;
    double s[LEAVES], d[LEAVES], unused[LEAVES];
    const double target[LEAVES] = {0.1, 0.2, 0.3, 0.4};
    static double gradient[1024];
    draw_quarters();
    start_net(&net, 5 * _i, LEAVES);
    for (size_t i = 0; i < net.count; i++) {
        net.value[i] += 0.01 * (double)(i % 7);
    }
    nas_gate_net_scores(&net, features, s);
    (void)nas_gate_soft_loss(s, target, 1.0, LEAVES, d);
    nas_gate_net_gradient(&net, d, gradient);
    for (size_t i = 0; i < net.count; i++) {
        double at = net.value[i], f[2];
        for (int side = 0; side < 2; side++) {
            net.value[i] = at + (side == 0 ? 1e-6 : -1e-6);
            nas_gate_net_scores(&net, features, s);
            f[side] = nas_gate_soft_loss(s, target, 1.0, LEAVES, unused);
        }
        net.value[i] = at;
        ck_assert_double_eq_tol(gradient[i], (f[0] - f[1]) / 2e-6, 1e-5);
    }
    nas_gate_net_release(&net);
}
END_TEST

START_TEST(many_rows_at_once_are_each_row_alone)
{
    enum { MOST = 9 };
    struct nas_gate_net net;
    struct nas_gate_rows rows;
    double scores[MOST * LEAVES], d[MOST * LEAVES], alone[LEAVES];
    static double together[1024], sum[1024];
    int sample[MOST];
    draw_quarters();
    start_net(&net, 5 * _i, LEAVES);
    for (size_t i = 0; i < net.count; i++) {
        net.value[i] += 0.01 * (double)(i % 7);
    }
    memset(sum, 0, sizeof sum);
    for (int i = 0; i < MOST; i++) {
        sample[i] = (5 * i + 3) % ROWS;
        for (int k = 0; k < LEAVES; k++) {
            d[i * LEAVES + k] = 0.1 * (i % 3) - 0.05 * k;
        }
    }
    ck_assert(nas_gate_rows_init(&rows, &net, MOST, &net.arena));
    nas_gate_rows_scores(&rows, features, sample, MOST, scores);
    nas_gate_rows_gradient(&rows, d, MOST, together);
    for (int i = 0; i < MOST; i++) {
        nas_gate_net_scores(&net, features + sample[i] * INPUTS, alone);
        nas_gate_net_gradient(&net, d + i * LEAVES, sum);
        for (int k = 0; k < LEAVES; k++) {
            ck_assert_double_eq_tol(scores[i * LEAVES + k], alone[k], 1e-5);
        }
    }
    for (size_t i = 0; i < net.count; i++) {
        ck_assert_double_eq_tol(together[i], sum[i], 1e-5);
    }
    nas_gate_net_release(&net);
}
END_TEST

START_TEST(the_same_seed_fits_the_same_net)
{
    struct nas_gate_net a, b;
    struct nas_gate_descent descent = nas_gate_descent_defaults();
    descent.passes = 3;
    draw_quarters();
    start_net(&a, 6, LEAVES);
    start_net(&b, 6, LEAVES);
    sy_check_ok(nas_gate_net_fit(&a, &descent, features, ROWS, HELD,
                                 region_loss, region_loss, NULL, &err),
                err);
    sy_check_ok(nas_gate_net_fit(&b, &descent, features, ROWS, HELD,
                                 region_loss, region_loss, NULL, &err),
                err);
    ck_assert_mem_eq(a.value, b.value, a.count * sizeof(double));
    nas_gate_net_release(&a);
    nas_gate_net_release(&b);
}
END_TEST

START_TEST(each_domains_threshold_leaves_the_stated_share_below)
{
    /* Domain 0: ten values 0.1 .. 1.0. Domain 1: two, the lower one with three
       times the weight. Domain 2: none. */
    struct nas_sureness sure[12];
    double threshold[3];
    for (int i = 0; i < 10; i++) {
        sure[9 - i] = (struct nas_sureness){0.1 * (i + 1), 1.0, 0};
    }
    sure[10] = (struct nas_sureness){0.9, 1.0, 1};
    sure[11] = (struct nas_sureness){0.05, 3.0, 1};
    nas_root_thresholds(sure, 12, 0.0, 3, threshold);
    ck_assert_double_eq(threshold[0], 0.1);
    ck_assert_double_eq(threshold[1], 0.05);
    ck_assert_double_eq(threshold[2], 0.0);
    nas_root_thresholds(sure, 12, 0.2, 3, threshold);
    ck_assert_double_eq(threshold[0], 0.1 * 3);
    ck_assert_double_eq(threshold[1], 0.05);
    nas_root_thresholds(sure, 12, 0.75, 3, threshold);
    ck_assert_double_eq(threshold[0], 0.1 * 8);
    ck_assert_double_eq(threshold[1], 0.9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate fit");
    TCase *tc = tcase_create("gate fit");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_first_step_of_em_is_as_worked_out_by_hand);
    tcase_add_test(tc, em_recovers_a_planted_mixture_of_two_levels);
    tcase_add_test(tc, noisy_top_k_keeps_every_expert_alive);
    tcase_add_loop_test(tc, a_nets_gradient_is_a_finite_difference, 0, 2);
    tcase_add_loop_test(tc, many_rows_at_once_are_each_row_alone, 0, 2);
    tcase_add_test(tc, the_same_seed_fits_the_same_net);
    tcase_add_test(tc, each_domains_threshold_leaves_the_stated_share_below);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
