/*
 * test_weights.c - domain weightings: every member's formula by hand, and
 * what must hold for all of them.
 */
#include "search/weights/weights.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/tape/tape.h"
#include "search/weights/members.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

enum { MOST = 5, STEPS = 40, LONG = 4000 };

static const int classes[MOST] = {10, 2, 43, 5, 1};
static float state[MOST * NAS_WEIGHT_STATE_FLOATS];
static double weights[MOST];

static void clear(void)
{
    memset(state, 0, sizeof state);
    memset(weights, 0, sizeof weights);
}

static void update(const struct nas_weighting_config *config, int domains,
                   const double *loss, const double *accuracy)
{
    const struct nas_weighting_step step = {domains, loss, accuracy, classes};
    nas_weighting_update(config, &step, state, weights);
}

/* Losses and accuracies that are unlike between domains and steps. */
static void make_step(int step, double *loss, double *accuracy)
{
    for (int d = 0; d < MOST; d++) {
        loss[d] = 0.25 + d * 1.5 + (double)((step * 7 + d * 3) % 5) / 8.0;
        accuracy[d] = (double)((step * 5 + d * 11) % 17) / 16.0;
    }
}

START_TEST(the_mean_weight_is_one_and_none_is_below_the_floor)
{
    struct nas_weighting_config config =
        nas_weighting_defaults((enum nas_weighting)_i);
    double loss[MOST], accuracy[MOST];
    clear();
    for (int step = 0; step < STEPS; step++) {
        double sum = 0;
        make_step(step, loss, accuracy);
        update(&config, MOST, loss, step % 3 == 0 ? accuracy : NULL);
        for (int d = 0; d < MOST; d++) {
            ck_assert_double_ge(weights[d], config.floor);
            sum += weights[d];
        }
        ck_assert_double_eq_tol(sum / MOST, 1.0, 1e-12);
    }
}
END_TEST

START_TEST(a_single_domain_has_weight_one)
{
    struct nas_weighting_config config =
        nas_weighting_defaults((enum nas_weighting)_i);
    double loss[MOST], accuracy[MOST];
    clear();
    for (int step = 0; step < STEPS; step++) {
        make_step(step, loss, accuracy);
        update(&config, 1, loss, accuracy);
        ck_assert_double_eq_tol(weights[0], 1.0, 1e-12);
    }
}
END_TEST

START_TEST(domains_that_are_alike_weigh_alike)
{
    struct nas_weighting_config config =
        nas_weighting_defaults((enum nas_weighting)_i);
    const int alike[3] = {10, 10, 10};
    clear();
    for (int step = 0; step < STEPS; step++) {
        double l = 3.0 / (1 + step), a = 1.0 - 0.9 / (1 + step);
        const double loss[3] = {l, l, l}, accuracy[3] = {a, a, a};
        const struct nas_weighting_step seen = {3, loss, accuracy, alike};
        nas_weighting_update(&config, &seen, state, weights);
        for (int d = 0; d < 3; d++) {
            ck_assert_double_eq_tol(weights[d], 1.0, 1e-12);
        }
    }
}
END_TEST

START_TEST(extreme_losses_leave_finite_weights)
{
    struct nas_weighting_config config =
        nas_weighting_defaults((enum nas_weighting)_i);
    static const double extremes[3] = {0.0, 1e-6, 20.0};
    const double accuracy[3] = {1.0, 0.0, 0.5};
    config.floor = 0;
    config.rate = 1;
    for (int first = 0; first < 3; first++) {
        clear();
        for (int step = 0; step < 500; step++) {
            /* In the second half every domain falls into another extreme. */
            int turn = first + (step >= 250);
            const double loss[3] = {extremes[turn % 3],
                                    extremes[(turn + 1) % 3],
                                    extremes[(turn + 2) % 3]};
            update(&config, 3, loss, accuracy);
            for (int d = 0; d < 3; d++) {
                ck_assert(isfinite(weights[d]) && weights[d] >= 0);
            }
            for (int i = 0; i < 3 * NAS_WEIGHT_STATE_FLOATS; i++) {
                ck_assert(isfinite(state[i]));
            }
        }
    }
}
END_TEST

START_TEST(the_state_is_all_that_is_remembered)
{
    struct nas_weighting_config config =
        nas_weighting_defaults((enum nas_weighting)_i);
    double loss[MOST], accuracy[MOST], expected[MOST];
    float saved[MOST * NAS_WEIGHT_STATE_FLOATS];
    clear();
    for (int step = 0; step < 10; step++) {
        make_step(step, loss, accuracy);
        update(&config, MOST, loss, accuracy);
    }
    memcpy(saved, state, sizeof saved);
    make_step(10, loss, accuracy);
    update(&config, MOST, loss, accuracy);
    memcpy(expected, weights, sizeof expected);
    clear();
    memcpy(state, saved, sizeof saved);
    update(&config, MOST, loss, accuracy);
    ck_assert_mem_eq(weights, expected, sizeof expected);
}
END_TEST

START_TEST(a_domain_that_stays_hard_gains_weight)
{
    static const enum nas_weighting kinds[] = {
        NAS_WEIGHT_DIFFICULTY, NAS_WEIGHT_ABDP, NAS_WEIGHT_RATIO};
    struct nas_weighting_config config = nas_weighting_defaults(kinds[_i]);
    double early = 0;
    clear();
    for (int step = 0; step < 400; step++) {
        double left = exp(-step / 60.0); /* of what there was to learn */
        const double loss[3] = {2.5, 0.3 + 2.2 * left, 0.4 + 2.1 * left};
        const double accuracy[3] = {0.2, 0.95 - 0.75 * left,
                                    0.97 - 0.45 * left};
        update(&config, 3, loss, accuracy);
        if (step == 0) {
            early = weights[0];
        }
    }
    ck_assert_double_gt(weights[0], early);
    ck_assert_double_gt(weights[0], 1.2);
}
END_TEST

START_TEST(uniform_weights_are_one_whatever_the_losses)
{
    struct nas_weighting_config config =
        nas_weighting_defaults(NAS_WEIGHT_UNIFORM);
    const double loss[3] = {0.0, 1e6, 3.0};
    clear();
    update(&config, 3, loss, NULL);
    for (int d = 0; d < 3; d++) {
        ck_assert_double_eq(weights[d], 1.0);
    }
}
END_TEST

/* One step of a member before its weights are scaled. */
static void raw(nas_weighting_fn member, double rate, double gamma,
                const double *loss, const double *accuracy)
{
    struct nas_weighting_config config =
        nas_weighting_defaults(NAS_WEIGHT_UNIFORM);
    const struct nas_weighting_step step = {2, loss, accuracy, classes};
    config.rate = rate;
    config.gamma = gamma;
    member(&config, &step, state, weights);
}

START_TEST(log_rests_at_one_half_for_a_loss_of_one)
{
    const double loss[2] = {1.0, 3.0};
    clear();
    raw(nas_weights_log, 0.1, 0, loss, NULL);
    ck_assert_float_eq(state[NAS_SLOT_LEARNED], 0.0F); /* c = 1 */
    ck_assert_double_eq(weights[0], 0.5);
    /* slope -3 + 1 = -2: c = 1 + 0.1 x 2 */
    ck_assert_double_eq_tol(weights[1], 1.0 / (2 * 1.2 * 1.2), 1e-12);
}
END_TEST

START_TEST(log_comes_to_rest_where_its_slope_is_zero)
{
    static const double losses[] = {0.05, 0.3, 1.0, 3.0, 20.0};
    clear();
    for (int i = 0; i < 5; i++) {
        double l = losses[i];
        const double loss[2] = {l, l};
        for (int step = 0; step < LONG; step++) {
            raw(nas_weights_log, 0.025, 0, loss, NULL);
        }
        double c2 = (l + sqrt(l * l + 8 * l)) / 4;
        ck_assert_double_eq_tol(weights[0], 1 / (2 * c2), 1e-4 / c2);
    }
}
END_TEST

START_TEST(uncertainty_lets_every_domain_add_one_half)
{
    const double loss[2] = {3.0, 0.2};
    clear();
    raw(nas_weights_uncertainty, 0.1, 0, loss, NULL);
    /* slope (1 - 3) / 2 = -1: s = 0.1; slope (1 - 0.2) / 2: s = -0.04 */
    ck_assert_double_eq_tol(weights[0], exp(-0.1) / 2, 1e-12);
    ck_assert_double_eq_tol(weights[1], exp(0.04) / 2, 1e-12);
    for (int step = 0; step < LONG; step++) {
        raw(nas_weights_uncertainty, 0.025, 0, loss, NULL);
    }
    ck_assert_double_eq_tol(weights[0] * loss[0], 0.5, 1e-4);
    ck_assert_double_eq_tol(weights[1] * loss[1], 0.5, 1e-4);
}
END_TEST

START_TEST(difficulty_is_the_focal_loss_of_a_domain)
{
    /* Above chance of 1/10 and 1/2: 0.55 of 0.9, and 0.25 of 0.5. */
    const double loss[2] = {1.0, 1.0}, accuracy[2] = {0.65, 0.75};
    clear();
    raw(nas_weights_difficulty, 0, 2, loss, accuracy);
    double k = 0.55 / 0.9;
    ck_assert_double_eq_tol(weights[0], -(1 - k) * (1 - k) * log(k), 1e-6);
    ck_assert_double_eq_tol(weights[1], 0.25 * log(2), 1e-6);
    /* The running mean is exact from the first value on; with decay 0.9:
       (0.1 x 0.9 x 0.5 + 0.1 x 1) / (0.1 x 0.9 + 0.1) = 0.145 / 0.19 */
    const double later[2] = {0.65, 1.0};
    raw(nas_weights_difficulty, 0, 0, loss, later);
    ck_assert_double_eq_tol(weights[1], -log(0.145 / 0.19), 1e-6);
    /* A step that measures nothing changes nothing. */
    raw(nas_weights_difficulty, 0, 0, loss, NULL);
    ck_assert_double_eq_tol(weights[1], -log(0.145 / 0.19), 1e-6);
}
END_TEST

START_TEST(skill_is_kept_off_zero_and_one)
{
    struct nas_weighting_config config =
        nas_weighting_defaults(NAS_WEIGHT_ABDP);
    const double accuracy[MOST] = {0.0, 1.0, 0.5, 0.5, 1.0};
    const struct nas_weighting_step step = {MOST, NULL, accuracy, classes};
    const struct nas_weighting_step blind = {MOST, NULL, NULL, NULL};
    clear();
    ck_assert_double_eq(nas_weight_skill(&config, &blind, 0, state), 1e-3);
    ck_assert_double_eq(nas_weight_skill(&config, &step, 0, state), 1e-3);
    ck_assert_double_eq(nas_weight_skill(&config, &step, 1, state), 1 - 1e-3);
    /* One class: chance is all there is. */
    ck_assert_double_eq(nas_weight_skill(&config, &step, 4, state), 1 - 1e-3);
}
END_TEST

START_TEST(abdp_is_log_times_what_is_left_to_learn)
{
    const double loss[2] = {1.0, 3.0}, accuracy[2] = {0.91, 0.75};
    clear();
    raw(nas_weights_abdp, 0.1, 0.5, loss, accuracy);
    ck_assert_double_eq_tol(weights[0], 0.5 * sqrt(0.1), 1e-6);
    ck_assert_double_eq_tol(weights[1], sqrt(0.5) / (2 * 1.2 * 1.2), 1e-6);
}
END_TEST

START_TEST(ratio_compares_a_loss_with_where_it_began)
{
    struct nas_weighting_config config =
        nas_weighting_defaults(NAS_WEIGHT_RATIO);
    const double first[2] = {2.0, 4.0}, second[2] = {1.0, 4.0};
    config.memory = 0;
    config.temperature = 0.5;
    config.floor = 0;
    clear();
    update(&config, 2, first, NULL);
    ck_assert_double_eq(weights[0], 1.0);
    update(&config, 2, second, NULL); /* exp(1) and exp(2) */
    ck_assert_double_eq_tol(weights[0], 2 / (1 + exp(1)), 1e-12);
    /* Half of every weight is 1, whatever was found. */
    config.floor = 0.5;
    update(&config, 2, second, NULL);
    ck_assert_double_eq_tol(weights[0], 0.5 + 1 / (1 + exp(1)), 1e-12);
}
END_TEST

/* A step of two domains on a small network, for derivatives. */
struct step {
    struct sy_network *network;
    struct sy_pool *pool;
    struct sy_tape *tape;
    struct sy_segment segment[2];
    float *images;
    double loss[2];
};

enum { IMAGES = 6 };
static const int labels[IMAGES] = {0, 1, 1, 0, 1, 0};
static struct sy_error err;

static void step_make(struct step *s)
{
    const struct sy_tape_options options = {.shards = 2};
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_BENCH, 0, 0);
    s->network = sy_small_network(5);
    sy_check_ok(sy_pool_new(&s->pool, 1, &err), err);
    sy_check_ok(sy_tape_new(&s->tape, s->network, s->pool, &options, &err),
                err);
    for (int d = 0; d < 2; d++) {
        s->segment[d] =
            (struct sy_segment){.domain = d,
                                .count = IMAGES,
                                .path = &s->network->expert[2 * d].path};
    }
    size_t floats = 2 * IMAGES * sy_shape_floats(s->network->spec.input);
    s->images = sy_alloc(floats * sizeof(float));
    for (size_t i = 0; i < floats; i++) {
        s->images[i] = sy_rng_normal(&rng);
    }
}

static void step_free(struct step *s)
{
    sy_tape_free(s->tape);
    sy_pool_free(s->pool);
    sy_network_free(s->network);
    sy_free(s->images);
}

/* Losses at the network's values; their gradients are scaled by `scale`. */
static void step_losses(struct step *s, const double *scale)
{
    sy_check_ok(sy_tape_forward(s->tape, s->segment, 2, s->images, &err), err);
    for (int d = 0; d < 2; d++) {
        s->loss[d] = sy_head_classify
                         .loss(sy_tape_outputs(s->tape, d), labels, IMAGES,
                               s->network->domain[d].classes, 0, scale[d],
                               IMAGES, sy_tape_output_grads(s->tape, d))
                         .loss;
    }
}

/* The weights that `config` finds for the step's own losses. */
static void step_weights(const struct step *s,
                         const struct nas_weighting_config *config)
{
    const double accuracy[2] = {0.4, 0.9};
    clear();
    update(config, 2, s->loss, accuracy);
}

START_TEST(weights_are_constants_for_the_derivative)
{
    enum { ENDS = 2 };
    struct nas_weighting_config config =
        nas_weighting_defaults(NAS_WEIGHT_ABDP);
    struct step s;
    double w[2], fixed[ENDS], moving[ENDS], length = 0, reach = 0.02;
    step_make(&s);
    size_t count = s.network->value_count;
    float *grads = sy_alloc_zero(count, sizeof *grads);
    float *home = sy_alloc(count * sizeof *home);
    uint8_t *used = sy_alloc_zero((size_t)s.network->tensor_count, 1);
    config.rate = 0.2;
    config.floor = 0;
    step_losses(&s, (double[2]){1, 1});
    step_weights(&s, &config);
    memcpy(w, weights, sizeof w);
    step_losses(&s, w);
    sy_check_ok(sy_tape_backward(s.tape, grads, used, &err), err);
    memcpy(home, s.network->values, count * sizeof *home);
    for (size_t i = 0; i < count; i++) {
        length += (double)grads[i] * (double)grads[i];
    }
    length = sqrt(length);
    for (int end = 0; end < ENDS; end++) {
        double by = (end == 0 ? -reach : reach) / length;
        for (size_t i = 0; i < count; i++) {
            s.network->values[i] =
                (float)((double)home[i] + by * (double)grads[i]);
        }
        step_losses(&s, w);
        fixed[end] = w[0] * s.loss[0] + w[1] * s.loss[1];
        step_weights(&s, &config);
        moving[end] = weights[0] * s.loss[0] + weights[1] * s.loss[1];
    }
    double slope = (fixed[1] - fixed[0]) / (2 * reach);
    double other = (moving[1] - moving[0]) / (2 * reach);
    ck_assert_double_eq_tol(slope / length, 1.0, 0.01);
    ck_assert_double_gt(fabs(other / length - 1.0), 0.03);
    sy_free(grads);
    sy_free(home);
    sy_free(used);
    step_free(&s);
}
END_TEST

START_TEST(every_weighting_has_a_name)
{
    static const char *const names[] = {"uniform",    "log",  "uncertainty",
                                        "difficulty", "abdp", "ratio"};
    for (int w = 0; w < NAS_WEIGHTINGS; w++) {
        ck_assert_str_eq(nas_weighting_names[w], names[w]);
    }
    ck_assert_ptr_null(nas_weighting_names[NAS_WEIGHTINGS]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("weights");
    TCase *tc = tcase_create("weights");
    tcase_add_loop_test(tc, the_mean_weight_is_one_and_none_is_below_the_floor,
                        0, NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, a_single_domain_has_weight_one, 0, NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, domains_that_are_alike_weigh_alike, 0,
                        NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, extreme_losses_leave_finite_weights, 0,
                        NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, the_state_is_all_that_is_remembered, 0,
                        NAS_WEIGHTINGS);
    tcase_add_loop_test(tc, a_domain_that_stays_hard_gains_weight, 0, 3);
    tcase_add_test(tc, uniform_weights_are_one_whatever_the_losses);
    tcase_add_test(tc, log_rests_at_one_half_for_a_loss_of_one);
    tcase_add_test(tc, log_comes_to_rest_where_its_slope_is_zero);
    tcase_add_test(tc, uncertainty_lets_every_domain_add_one_half);
    tcase_add_test(tc, difficulty_is_the_focal_loss_of_a_domain);
    tcase_add_test(tc, skill_is_kept_off_zero_and_one);
    tcase_add_test(tc, abdp_is_log_times_what_is_left_to_learn);
    tcase_add_test(tc, ratio_compares_a_loss_with_where_it_began);
    tcase_add_test(tc, weights_are_constants_for_the_derivative);
    tcase_add_test(tc, every_weighting_has_a_name);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
