/*
 * test_optimiser.c - the update rules against steps worked by hand.
 *
 * The network is three tensors of one number each: one that decays, one that
 * does not, one that the step has not used.
 */
#include "search/train/optimiser.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

enum { DECAYS, PLAIN, UNUSED, TENSORS };

static struct sy_error err;

/* Runs two steps from weights 1 and gradients `first`, `second`. */
static void run_two(const struct nas_optimiser_config *config, float first,
                    float second, double after_one[TENSORS],
                    double after_two[TENSORS])
{
    float values[TENSORS] = {1, 1, 1};
    struct sy_tensor tensor[TENSORS] = {0};
    const uint8_t used[TENSORS] = {1, 1, 0};
    struct nas_optimiser optimiser;
    struct sy_pool *pool = NULL;
    for (int t = 0; t < TENSORS; t++) {
        tensor[t].offset = (size_t)t;
        tensor[t].count = 1;
        tensor[t].trained = true;
        tensor[t].decay = t != PLAIN;
    }
    struct sy_network network = {.tensor_count = TENSORS,
                                 .tensor = tensor,
                                 .value_count = TENSORS,
                                 .values = values};
    sy_check_ok(sy_pool_new(&pool, 1, &err), err);
    sy_check_ok(nas_optimiser_init(&optimiser, config, TENSORS, &err), err);
    for (int step = 0; step < 2; step++) {
        float g = step == 0 ? first : second;
        const float grads[TENSORS] = {g, g, g};
        double *after = step == 0 ? after_one : after_two;
        nas_optimiser_step(&optimiser, &network, grads, used, config->rate,
                           step, pool);
        for (int t = 0; t < TENSORS; t++) {
            after[t] = (double)values[t];
        }
    }
    ck_assert_float_eq(optimiser.slot[0][UNUSED], 0.0f);
    nas_optimiser_release(&optimiser);
    sy_pool_free(pool);
}

START_TEST(sgd_moves_by_its_momentum)
{
    struct nas_optimiser_config config = {
        .kind = NAS_SGD, .rate = 0.125, .momentum = 0.5, .decay = 0.25};
    double one[TENSORS], two[TENSORS];
    run_two(&config, 2, -1, one, two);
    /* m = 2.25; then g = -1 + 0.25 w, m = 1.125 + g. */
    ck_assert_double_eq(one[DECAYS], 0.71875);
    ck_assert_double_eq(two[DECAYS], 0.6806640625);
    /* m = 2, then 0. */
    ck_assert_double_eq(one[PLAIN], 0.75);
    ck_assert_double_eq(two[PLAIN], 0.75);
}
END_TEST

START_TEST(nesterov_looks_ahead)
{
    struct nas_optimiser_config config = {.kind = NAS_SGD,
                                          .rate = 0.125,
                                          .momentum = 0.5,
                                          .nesterov = true,
                                          .decay = 0.25};
    double one[TENSORS], two[TENSORS];
    run_two(&config, 2, -1, one, two);
    /* 2.25 + 2.25 / 2; then m = 0.26953125, g = -0.85546875. */
    ck_assert_double_eq(one[DECAYS], 0.578125);
    ck_assert_double_eq(two[DECAYS], 0.668212890625);
    /* 2 + 2 / 2; then m = 0, g = -1. */
    ck_assert_double_eq(one[PLAIN], 0.625);
    ck_assert_double_eq(two[PLAIN], 0.75);
}
END_TEST

START_TEST(rmsprop_divides_by_the_root_of_its_mean_square)
{
    struct nas_optimiser_config config = {.kind = NAS_RMSPROP,
                                          .rate = 0.125,
                                          .momentum = 0.5,
                                          .rho = 0.5,
                                          .epsilon = 1.5,
                                          .decay = 1.0};
    double one[TENSORS], two[TENSORS];
    run_two(&config, 2, 1, one, two);
    /* v = 1/2 + 4/2 = 2.5, root of v + 1.5 is 2, m = 0.125. */
    ck_assert_double_eq(one[PLAIN], 0.875);
    /* v = 1.75, root of 3.25 is 1.8027756, m = 0.0625 + 0.0693375. */
    ck_assert_double_eq_tol(two[PLAIN], 0.7431625, 1e-6);
    /* g = 3: v = 5, root of 6.5 is 2.5495098, m = 0.1470871. */
    ck_assert_double_eq_tol(one[DECAYS], 0.8529129, 1e-6);
    /* g = 1.8529129: v = 4.2166431, root of v + 1.5 is 2.3909502,
       m = 0.0735435 + 0.0968710. */
    ck_assert_double_eq_tol(two[DECAYS], 0.6824984, 1e-6);
}
END_TEST

START_TEST(adamw_debiases_and_decays_beside_the_gradient)
{
    struct nas_optimiser_config config = {.kind = NAS_ADAMW,
                                          .rate = 0.125,
                                          .beta1 = 0.5,
                                          .rho = 0.75,
                                          .epsilon = 0.5,
                                          .decay = 0.25};
    double one[TENSORS], two[TENSORS];
    run_two(&config, 2, -2, one, two);
    /* m' = 2, v' = 4: 2 / 2.5 = 0.8, and 0.25 of decay. */
    ck_assert_double_eq_tol(one[PLAIN], 0.9, 1e-6);
    ck_assert_double_eq_tol(one[DECAYS], 0.86875, 1e-6);
    /* m' = -2/3, v' = 4: -0.2666667, and 0.2171875 of decay. */
    ck_assert_double_eq_tol(two[PLAIN], 0.9333333, 1e-6);
    ck_assert_double_eq_tol(two[DECAYS], 0.8749349, 1e-6);
}
END_TEST

START_TEST(what_was_not_used_neither_moves_nor_decays)
{
    struct nas_optimiser_config config =
        nas_optimiser_defaults((enum nas_optimiser_kind)_i);
    double one[TENSORS], two[TENSORS];
    run_two(&config, 2, -1, one, two);
    ck_assert_double_eq(one[UNUSED], 1.0);
    ck_assert_double_eq(two[UNUSED], 1.0);
    ck_assert_double_ne(one[PLAIN], 1.0);
}
END_TEST

enum { MANY = 23, LONGEST = 301 };

/* Three steps of many tensors on `threads` workers; returns owned values. */
static float *run_many(enum nas_optimiser_kind kind, int threads, size_t *count)
{
    struct nas_optimiser_config config = nas_optimiser_defaults(kind);
    struct sy_tensor tensor[MANY] = {0};
    uint8_t used[MANY];
    struct nas_optimiser optimiser;
    struct sy_pool *pool = NULL;
    struct sy_rng rng = sy_rng_stream(7, SY_RNG_TEST, 0, 0);
    *count = 0;
    for (int t = 0; t < MANY; t++) {
        tensor[t].offset = *count;
        tensor[t].count = 1 + (size_t)(t * 97) % LONGEST;
        tensor[t].decay = t % 3 != 0;
        used[t] = t % 5 != 0;
        *count += tensor[t].count;
    }
    float *values = sy_alloc_zero(*count, sizeof *values);
    float *grads = sy_alloc_zero(*count, sizeof *grads);
    for (size_t i = 0; i < *count; i++) {
        values[i] = sy_rng_uniform(&rng) - 0.5f;
        grads[i] = sy_rng_uniform(&rng) - 0.5f;
    }
    struct sy_network network = {.tensor_count = MANY,
                                 .tensor = tensor,
                                 .value_count = *count,
                                 .values = values};
    sy_check_ok(sy_pool_new(&pool, threads, &err), err);
    sy_check_ok(nas_optimiser_init(&optimiser, &config, *count, &err), err);
    for (int step = 0; step < 3; step++) {
        nas_optimiser_step(&optimiser, &network, grads, used, config.rate, step,
                           pool);
    }
    nas_optimiser_release(&optimiser);
    sy_pool_free(pool);
    sy_free(grads);
    return values;
}

START_TEST(the_number_of_threads_does_not_matter)
{
    size_t count = 0;
    float *first = run_many((enum nas_optimiser_kind)_i, 1, &count);
    for (int threads = 2; threads < 6; threads++) {
        float *other = run_many((enum nas_optimiser_kind)_i, threads, &count);
        ck_assert_mem_eq(first, other, count * sizeof *first);
        sy_free(other);
    }
    sy_free(first);
}
END_TEST

START_TEST(every_number_of_a_long_tensor_is_stepped_once)
{
    enum { LENGTHS = 3 };
    static const size_t lengths[LENGTHS] = {40001, 33333, 50007};
    const uint8_t used[LENGTHS] = {1, 0, 1};
    struct nas_optimiser_config config =
        nas_optimiser_defaults((enum nas_optimiser_kind)_i);
    struct sy_tensor tensor[LENGTHS] = {0};
    struct nas_optimiser optimiser;
    struct sy_pool *pool = NULL;
    size_t count = 0;
    for (int t = 0; t < LENGTHS; t++) {
        tensor[t].offset = count;
        tensor[t].count = lengths[t];
        tensor[t].decay = true;
        count += lengths[t];
    }
    float *values = sy_alloc_zero(count, sizeof *values);
    float *grads = sy_alloc_zero(count, sizeof *grads);
    float *average = sy_alloc_zero(count, sizeof *average);
    for (size_t i = 0; i < count; i++) {
        values[i] = 0.75f;
        grads[i] = 0.25f;
    }
    struct sy_network network = {.tensor_count = LENGTHS,
                                 .tensor = tensor,
                                 .value_count = count,
                                 .values = values};
    sy_check_ok(sy_pool_new(&pool, 2, &err), err);
    sy_check_ok(nas_optimiser_init(&optimiser, &config, count, &err), err);
    nas_optimiser_step(&optimiser, &network, grads, used, config.rate, 0, pool);
    nas_average_step(average, values, count, 0.5, pool);
    ck_assert(values[0] != 0.75f);
    for (size_t i = 0; i < count; i++) {
        bool stepped = i < lengths[0] || i >= lengths[0] + lengths[1];
        ck_assert_float_eq(values[i], stepped ? values[0] : 0.75f);
        ck_assert_float_eq(average[i], 0.5f * values[i]);
    }
    nas_optimiser_release(&optimiser);
    sy_pool_free(pool);
    sy_free(values);
    sy_free(grads);
    sy_free(average);
}
END_TEST

START_TEST(slots_start_as_their_kind_wants_them)
{
    struct nas_optimiser_config config =
        nas_optimiser_defaults((enum nas_optimiser_kind)_i);
    struct nas_optimiser optimiser;
    ck_assert_int_eq((int)config.kind, _i);
    sy_check_ok(nas_optimiser_init(&optimiser, &config, 3, &err), err);
    ck_assert_int_eq(nas_optimiser_slots(&optimiser), _i == NAS_SGD ? 1 : 2);
    ck_assert_float_eq(optimiser.slot[0][2], 0.0f);
    if (_i == NAS_SGD) {
        ck_assert_ptr_null(optimiser.slot[1]);
    } else {
        ck_assert_float_eq(optimiser.slot[1][2],
                           _i == NAS_RMSPROP ? 1.0f : 0.0f);
    }
    nas_optimiser_release(&optimiser);
    nas_optimiser_release(&optimiser);
}
END_TEST

START_TEST(the_rate_rises_linearly_and_falls_along_a_cosine)
{
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 0, 100), 2.0 / 11, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 4, 100), 10.0 / 11, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 9, 100), 20.0 / 11, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 10, 100), 2.0, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 40, 100), 1.5, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 55, 100), 1.0, 1e-12);
    ck_assert_double_eq_tol(nas_rate(2, 0.1, 70, 100), 0.5, 1e-12);
    ck_assert(nas_rate(2, 0.1, 99, 100) > 0);
    ck_assert(nas_rate(2, 0.1, 99, 100) < 0.001);
}
END_TEST

START_TEST(the_rate_needs_no_warmup_and_can_be_all_warmup)
{
    ck_assert_double_eq(nas_rate(0.5, 0, 0, 10), 0.5);
    ck_assert_double_eq_tol(nas_rate(0.5, 0, 5, 10), 0.25, 1e-12);
    ck_assert_double_eq_tol(nas_rate(0.5, 1, 9, 10), 0.5 * 10 / 11, 1e-12);
    ck_assert_double_eq(nas_rate(0.5, 0, 0, 1), 0.5);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("optimiser");
    TCase *tc = tcase_create("optimiser");
    tcase_add_test(tc, sgd_moves_by_its_momentum);
    tcase_add_test(tc, nesterov_looks_ahead);
    tcase_add_test(tc, rmsprop_divides_by_the_root_of_its_mean_square);
    tcase_add_test(tc, adamw_debiases_and_decays_beside_the_gradient);
    tcase_add_loop_test(tc, what_was_not_used_neither_moves_nor_decays, 0,
                        NAS_OPTIMISERS);
    tcase_add_loop_test(tc, the_number_of_threads_does_not_matter, 0,
                        NAS_OPTIMISERS);
    tcase_add_loop_test(tc, every_number_of_a_long_tensor_is_stepped_once, 0,
                        NAS_OPTIMISERS);
    tcase_add_loop_test(tc, slots_start_as_their_kind_wants_them, 0,
                        NAS_OPTIMISERS);
    tcase_add_test(tc, the_rate_rises_linearly_and_falls_along_a_cosine);
    tcase_add_test(tc, the_rate_needs_no_warmup_and_can_be_all_warmup);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
