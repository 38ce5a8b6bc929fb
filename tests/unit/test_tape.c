/*
 * test_tape.c - the training step on small random networks of every block
 * kind: gradients against finite differences, bits whatever the number of
 * threads, what must not be touched, soft choices, scores, what is frozen.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/tape/tape.h"
#include "tests/support/check_main.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum { SEGMENTS = 4, MAX_IMAGES = 5 };

/* A step ready to run: two segments of domain 0, one of each other. */
struct step {
    struct sy_network *network;
    struct sy_tape *tape;
    struct sy_pool *pool;
    struct sy_path path[SEGMENTS];
    struct sy_soft_choice soft[SEGMENTS][SY_MAX_LAYERS];
    struct sy_segment segment[SEGMENTS];
    float *images;
    float *wanted; /* dL/d outputs: the loss is their product */
    size_t outputs;
    float *grads;
    uint8_t *used;
};

static size_t step_outputs(const struct step *step, int s)
{
    const struct sy_segment *segment = &step->segment[s];
    return (size_t)segment->count *
           (size_t)step->network->domain[segment->domain].classes;
}

/* The path of a segment: a random one or, with experts, the first one's of its
   domain, and the second one's for the domain's second segment. */
static struct sy_path path_of(const struct sy_network *network, int s,
                              struct sy_rng *rng)
{
    if (network->expert_count == 0) {
        return sy_random_path(&network->spec, rng);
    }
    for (int e = 0, nth = s / 3;; e++) {
        SY_ASSERT(e < network->expert_count);
        if (network->expert[e].domain == s % 3 && nth-- == 0) {
            return network->expert[e].path;
        }
    }
}

static void step_open(struct step *step, uint64_t seed, enum sy_norm_mode norm,
                      int threads, const struct sy_backend *backend)
{
    struct sy_error err = {0};
    struct sy_random_options options = {.seed = seed,
                                        .domains = 3,
                                        .experts =
                                            norm == SY_NORM_PER_EXPERT ? 2 : 0,
                                        .norm = norm};
    struct sy_tape_options tape = {.shards = 3, .backend = backend};
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, 0);
    size_t images = 0;
    memset(step, 0, sizeof *step);
    step->network = sy_random_network(&options);
    sy_check_ok(sy_pool_new(&step->pool, threads, &err), err);
    sy_check_ok(
        sy_tape_new(&step->tape, step->network, step->pool, &tape, &err), err);
    for (int s = 0; s < SEGMENTS; s++) {
        step->path[s] = path_of(step->network, s, &rng);
        step->segment[s].path = &step->path[s];
        step->segment[s].domain = s % 3;
        step->segment[s].count = 2 + (int)sy_rng_below(&rng, MAX_IMAGES - 1);
        images += (size_t)step->segment[s].count;
        step->outputs += step_outputs(step, s);
    }
    size_t floats = images * sy_shape_floats(step->network->spec.input);
    step->images = sy_alloc(floats * sizeof(float));
    step->wanted = sy_alloc(step->outputs * sizeof(float));
    step->grads = sy_alloc_zero(step->network->value_count, sizeof(float));
    step->used = sy_alloc_zero((size_t)step->network->tensor_count, 1);
    for (size_t i = 0; i < floats; i++) {
        step->images[i] = sy_rng_normal(&rng);
    }
    for (size_t i = 0; i < step->outputs; i++) {
        step->wanted[i] = sy_rng_normal(&rng);
    }
}

/*
 * Makes about half of the choices of segments 0 and 2 soft: all candidates,
 * with weights of both signs, one of them 0 now and then.
 */
static void step_soften(struct step *step, uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 2, 0);
    for (int s = 0; s < SEGMENTS; s += 2) {
        step->segment[s].soft = step->soft[s];
        for (int l = 0; l < step->network->spec.layer_count; l++) {
            struct sy_soft_choice *choice = &step->soft[s][l];
            if (sy_rng_below(&rng, 2) == 0) {
                continue;
            }
            choice->count = step->network->spec.layer[l].block_count;
            for (int b = 0; b < choice->count; b++) {
                /* from the last to the first: entries are not indices */
                choice->block[b] = choice->count - 1 - b;
                choice->weight[b] = 1.5f * sy_rng_uniform(&rng) - 0.5f;
            }
            if (sy_rng_below(&rng, 3) == 0) {
                choice->weight[sy_rng_below(&rng, 2)] = 0.0f;
            }
        }
    }
}

static void step_close(struct step *step)
{
    sy_tape_free(step->tape);
    sy_network_free(step->network);
    sy_pool_free(step->pool);
    sy_free(step->images);
    sy_free(step->wanted);
    sy_free(step->grads);
    sy_free(step->used);
}

static double step_forward(struct step *step)
{
    struct sy_error err = {0};
    const float *wanted = step->wanted;
    double loss = 0;
    sy_check_ok(sy_tape_forward(step->tape, step->segment, SEGMENTS,
                                step->images, &err),
                err);
    for (int s = 0; s < SEGMENTS; s++) {
        const float *outputs = sy_tape_outputs(step->tape, s);
        for (size_t i = 0; i < step_outputs(step, s); i++) {
            loss += (double)outputs[i] * (double)*wanted++;
        }
    }
    return loss;
}

static void step_backward(struct step *step)
{
    struct sy_error err = {0};
    const float *wanted = step->wanted;
    for (int s = 0; s < SEGMENTS; s++) {
        size_t count = step_outputs(step, s);
        memcpy(sy_tape_output_grads(step->tape, s), wanted,
               count * sizeof(float));
        wanted += count;
    }
    sy_check_ok(sy_tape_backward(step->tape, step->grads, step->used, &err),
                err);
}

/*
 * The derivative along the tensor's own gradient must be its squared length.
 * Returns the relative error. Steps over a kink of an activation make a
 * difference wrong, so the best of three step lengths counts.
 */
static double tensor_error(struct step *step, const struct sy_tensor *tensor)
{
    float *w = step->network->values + tensor->offset;
    const float *g = step->grads + tensor->offset;
    float saved[4096];
    double square = 0;
    double best = INFINITY;
    ck_assert_uint_le(tensor->count, 4096);
    memcpy(saved, w, tensor->count * sizeof(float));
    for (size_t i = 0; i < tensor->count; i++) {
        square += (double)g[i] * (double)g[i];
    }
    if (sqrt(square) < 1e-4) {
        return 0;
    }
    for (int k = 0; k < 3; k++) {
        double length = (k == 0 ? 3e-3 : k == 1 ? 1e-3 : 1e-2) / sqrt(square);
        double loss[2];
        for (int side = 0; side < 2; side++) {
            double sign = side == 0 ? 1 : -1;
            for (size_t i = 0; i < tensor->count; i++) {
                w[i] = (float)((double)saved[i] + sign * length * (double)g[i]);
            }
            loss[side] = step_forward(step);
        }
        memcpy(w, saved, tensor->count * sizeof(float));
        double slope = (loss[0] - loss[1]) / (2 * length);
        double error = fabs(slope - square) / square;
        best = error < best ? error : best;
    }
    return best;
}

START_TEST(every_tensors_gradient_agrees_with_finite_differences)
{
    struct step step;
    enum sy_norm_mode norm = (enum sy_norm_mode)(_i % SY_NORM_MODES);
    int checked = 0;
    int bad = 0;
    /* The best kernels: the reference agrees with them (below), and would
       take minutes under a sanitizer. */
    step_open(&step, 100 + (uint64_t)_i, norm, 2, NULL);
    (void)step_forward(&step);
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        if (!step.used[t] || tensor->count > 4096) {
            continue;
        }
        checked++;
        double error = tensor_error(&step, tensor);
        ck_assert_msg(error < 0.5, "%s: relative error %g", tensor->name,
                      error);
        bad += error > 0.03;
    }
    ck_assert_int_gt(checked, 20);
    /* A few may straddle kinks at every step length. */
    ck_assert_msg(bad * 20 <= checked, "%d of %d tensors are off", bad,
                  checked);
    step_close(&step);
}
END_TEST

START_TEST(the_number_of_threads_does_not_change_a_bit)
{
    struct step one, many;
    for (int threads = 2; threads <= 5; threads++) {
        step_open(&one, 200 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 1, NULL);
        step_open(&many, 200 + (uint64_t)_i, SY_NORM_PER_DOMAIN, threads, NULL);
        ck_assert(step_forward(&one) == step_forward(&many));
        step_backward(&one);
        step_backward(&many);
        sy_tape_update_norms(one.tape, 0.1f);
        sy_tape_update_norms(many.tape, 0.1f);
        size_t bytes = one.network->value_count * sizeof(float);
        ck_assert_mem_eq(one.grads, many.grads, bytes);
        ck_assert_mem_eq(one.network->values, many.network->values, bytes);
        step_close(&one);
        step_close(&many);
    }
}
END_TEST

START_TEST(what_no_path_uses_is_neither_read_nor_written)
{
    struct step step;
    int domains[SEGMENTS];
    step_open(&step, 300 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    for (int s = 0; s < SEGMENTS; s++) {
        domains[s] = step.segment[s].domain;
    }
    sy_poison_unused(step.network, step.path, domains, SEGMENTS);
    for (size_t i = 0; i < step.network->value_count; i++) {
        step.grads[i] = -77.0f;
    }
    ck_assert(isfinite(step_forward(&step)));
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        for (size_t i = 0; i < tensor->count; i++) {
            float g = step.grads[tensor->offset + i];
            if (step.used[t]) {
                ck_assert_msg(isfinite(g) && g != -77.0f, "%s", tensor->name);
            } else {
                ck_assert_msg(g == -77.0f, "%s", tensor->name);
            }
        }
    }
    step_close(&step);
}
END_TEST

START_TEST(the_backends_agree_on_a_whole_step)
{
    struct step plain, fast;
    double scale = 0, difference = 0;
    step_open(&plain, 400 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2,
              &sy_backend_reference);
    step_open(&fast, 400 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    double a = step_forward(&plain);
    double b = step_forward(&fast);
    ck_assert_msg(fabs(a - b) <= 1e-3 * (fabs(a) + 1), "%g and %g", a, b);
    step_backward(&plain);
    step_backward(&fast);
    for (size_t i = 0; i < plain.network->value_count; i++) {
        double d = (double)plain.grads[i] - (double)fast.grads[i];
        difference += d * d;
        scale += (double)plain.grads[i] * (double)plain.grads[i];
    }
    ck_assert_msg(difference <= 1e-6 * scale, "%g of %g", difference, scale);
    step_close(&plain);
    step_close(&fast);
}
END_TEST

START_TEST(a_steady_run_allocates_nothing)
{
    struct step step;
    step_open(&step, 500, SY_NORM_PER_DOMAIN, 2, NULL);
    for (int i = 0; i < 2; i++) {
        (void)step_forward(&step);
        step_backward(&step);
    }
    int64_t before = sy_alloc_calls();
    (void)step_forward(&step);
    step_backward(&step);
    ck_assert_int_eq(sy_alloc_calls(), before);
    step_close(&step);
}
END_TEST

START_TEST(running_statistics_move_to_the_batchs_by_the_momentum)
{
    struct step step;
    struct step again;
    step_open(&step, 600, SY_NORM_SHARED, 1, NULL);
    step_open(&again, 600, SY_NORM_SHARED, 1, NULL);
    (void)step_forward(&step);
    (void)step_forward(&again);
    sy_tape_update_norms(step.tape, 1.0f);
    sy_tape_update_norms(again.tape, 0.25f);
    int moved = 0;
    struct sy_random_options options = {
        .seed = 600, .domains = 3, .norm = SY_NORM_SHARED};
    struct sy_network *start = sy_random_network(&options);
    for (size_t i = 0; i < start->value_count; i++) {
        float from = start->values[i];
        float to = step.network->values[i];
        float part = again.network->values[i];
        ck_assert_float_eq_tol(part, from + 0.25f * (to - from),
                               1e-5f * (fabsf(from) + fabsf(to) + 1));
        moved += from != to;
    }
    ck_assert_int_gt(moved, 50);
    sy_network_free(start);
    step_close(&step);
    step_close(&again);
}
END_TEST

/* The error of entry `i`'s gradient; as in tensor_error the best counts. */
static double choice_error(struct step *step, struct sy_soft_choice *choice,
                           int i, double gradient)
{
    float weight = choice->weight[i];
    double best = INFINITY;
    for (int k = 0; k < 3; k++) {
        float length = k == 0 ? 3e-3f : k == 1 ? 1e-3f : 1e-2f;
        choice->weight[i] = weight + length;
        double up = step_forward(step);
        choice->weight[i] = weight - length;
        double down = step_forward(step);
        double slope = (up - down) / (2 * (double)length);
        double error = fabs(slope - gradient) / (fabs(gradient) + 0.1);
        best = error < best ? error : best;
    }
    choice->weight[i] = weight;
    return best;
}

START_TEST(the_weights_of_soft_choices_get_their_gradients)
{
    struct step step;
    float grads[SEGMENTS][SY_MAX_LAYERS][SY_MAX_BLOCKS];
    int layers, checked = 0, bad = 0;
    step_open(&step, 700 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    step_soften(&step, 700 + (uint64_t)_i);
    layers = step.network->spec.layer_count;
    (void)step_forward(&step);
    step_backward(&step);
    for (int s = 0; s < SEGMENTS; s++) {
        for (int l = 0; l < layers; l++) {
            const float *from = sy_tape_choice_grads(step.tape, s, l);
            ck_assert((from != NULL) == (step.soft[s][l].count > 0));
            if (from != NULL) {
                memcpy(grads[s][l], from,
                       (size_t)step.soft[s][l].count * sizeof(float));
            }
        }
    }
    for (int s = 0; s < SEGMENTS; s++) {
        for (int l = 0; l < layers; l++) {
            struct sy_soft_choice *choice = &step.soft[s][l];
            for (int i = 0; i < choice->count; i++) {
                if (choice->weight[i] == 0.0f) {
                    ck_assert(grads[s][l][i] == 0.0f);
                    continue;
                }
                double error =
                    choice_error(&step, choice, i, (double)grads[s][l][i]);
                ck_assert_msg(error < 0.5, "%d %d %d: error %g", s, l, i,
                              error);
                bad += error > 0.03;
                checked++;
            }
        }
    }
    ck_assert_int_gt(checked, 3);
    ck_assert_msg(bad * 10 <= checked, "%d of %d are off", bad, checked);
    step_close(&step);
}
END_TEST

START_TEST(blocks_of_soft_choices_get_their_gradients)
{
    struct step step;
    int checked = 0;
    int bad = 0;
    step_open(&step, 710 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    step_soften(&step, 710 + (uint64_t)_i);
    (void)step_forward(&step);
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        if (step.used[t] && tensor->count <= 4096) {
            double error = tensor_error(&step, tensor);
            ck_assert_msg(error < 0.5, "%s: relative error %g", tensor->name,
                          error);
            bad += error > 0.03;
            checked++;
        }
    }
    ck_assert_msg(bad * 20 <= checked, "%d of %d tensors are off", bad,
                  checked);
    step_close(&step);
}
END_TEST

START_TEST(a_soft_choice_of_one_block_is_the_hard_choice_bit_for_bit)
{
    struct step hard, soft;
    step_open(&hard, 720 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    step_open(&soft, 720 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    for (int s = 0; s < SEGMENTS; s++) {
        soft.segment[s].soft = soft.soft[s];
        for (int l = 0; l < soft.network->spec.layer_count; l++) {
            int block = soft.path[s].block[l];
            soft.soft[s][l] = (struct sy_soft_choice){
                .count = 1, .block = {block}, .weight = {1.0f}};
            soft.path[s].block[l] = -1;
        }
    }
    ck_assert(step_forward(&hard) == step_forward(&soft));
    step_backward(&hard);
    step_backward(&soft);
    ck_assert_mem_eq(hard.grads, soft.grads,
                     hard.network->value_count * sizeof(float));
    ck_assert_mem_eq(hard.used, soft.used, (size_t)hard.network->tensor_count);
    step_close(&hard);
    step_close(&soft);
}
END_TEST

START_TEST(the_number_of_threads_does_not_change_a_bit_of_soft_choices)
{
    struct step one, many;
    uint64_t seed = 730 + (uint64_t)_i;
    step_open(&one, seed, SY_NORM_PER_DOMAIN, 1, NULL);
    step_open(&many, seed, SY_NORM_PER_DOMAIN, 2 + _i, NULL);
    step_soften(&one, seed);
    step_soften(&many, seed);
    ck_assert(step_forward(&one) == step_forward(&many));
    step_backward(&one);
    step_backward(&many);
    ck_assert_mem_eq(one.grads, many.grads,
                     one.network->value_count * sizeof(float));
    for (int s = 0; s < SEGMENTS; s++) {
        for (int l = 0; l < one.network->spec.layer_count; l++) {
            if (one.soft[s][l].count > 0) {
                ck_assert_mem_eq(sy_tape_choice_grads(one.tape, s, l),
                                 sy_tape_choice_grads(many.tape, s, l),
                                 (size_t)one.soft[s][l].count * sizeof(float));
            }
        }
    }
    step_close(&one);
    step_close(&many);
}
END_TEST

START_TEST(blocks_of_weight_0_are_not_read)
{
    struct step step;
    int domains[SEGMENTS];
    step_open(&step, 740 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    for (int s = 0; s < SEGMENTS; s++) {
        domains[s] = step.segment[s].domain;
        step.segment[s].soft = step.soft[s];
        for (int l = 0; l < step.network->spec.layer_count; l++) {
            struct sy_soft_choice *choice = &step.soft[s][l];
            choice->count = step.network->spec.layer[l].block_count;
            for (int b = 0; b < choice->count; b++) {
                choice->block[b] = b;
                choice->weight[b] = b == step.path[s].block[l] ? 0.5f : 0.0f;
            }
        }
    }
    sy_poison_unused(step.network, step.path, domains, SEGMENTS);
    ck_assert(isfinite(step_forward(&step)));
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        for (size_t i = 0; step.used[t] && i < tensor->count; i++) {
            ck_assert(isfinite(step.network->values[tensor->offset + i]));
            ck_assert(isfinite(step.grads[tensor->offset + i]));
        }
    }
    step_close(&step);
}
END_TEST

/* Copies the outputs of a scored segment. */
static float *scored(struct step *step, const struct sy_segment *segments,
                     int count, int wanted)
{
    struct sy_error err = {0};
    sy_check_ok(sy_tape_score(step->tape, segments, count, step->images, &err),
                err);
    const struct sy_segment *segment = &segments[wanted];
    size_t bytes = (size_t)segment->count *
                   (size_t)step->network->domain[segment->domain].classes *
                   sizeof(float);
    float *copy = sy_alloc(bytes);
    memcpy(copy, sy_tape_outputs(step->tape, wanted), bytes);
    return copy;
}

START_TEST(a_score_of_one_path_a_domain_is_the_forward_bit_for_bit)
{
    struct step step;
    enum sy_norm_mode norm = _i % 2 == 0 ? SY_NORM_PER_DOMAIN : SY_NORM_SHARED;
    step_open(&step, 750 + (uint64_t)_i, norm, 2, NULL);
    step_soften(&step, 750 + (uint64_t)_i);
    struct sy_error err = {0};
    for (int s = 0; s < 3; s++) { /* domains 0, 1, 2 */
        float *outputs = scored(&step, step.segment, 3, s);
        sy_check_ok(
            sy_tape_forward(step.tape, step.segment, 3, step.images, &err),
            err);
        ck_assert_mem_eq(outputs, sy_tape_outputs(step.tape, s),
                         step_outputs(&step, s) * sizeof(float));
        sy_free(outputs);
    }
    step_close(&step);
}
END_TEST

START_TEST(a_paths_score_does_not_depend_on_the_paths_beside_it)
{
    struct step step;
    struct sy_segment segments[SEGMENTS];
    step_open(&step, 760 + (uint64_t)_i, SY_NORM_PER_DOMAIN, 2, NULL);
    step_soften(&step, 760 + (uint64_t)_i);
    /* All on the images of the first, so that later ones go on from what
       earlier ones have computed; 3 leaves the path of 1 at the end. */
    int last = step.network->spec.layer_count - 1;
    step.path[3] = step.path[1];
    step.path[3].block[last] = (step.path[1].block[last] + 1) %
                               step.network->spec.layer[last].block_count;
    for (int s = 0; s < SEGMENTS; s++) {
        segments[s] = step.segment[s];
        segments[s].domain = 0;
        segments[s].count = step.segment[0].count;
        segments[s].images = step.images;
    }
    for (int s = 0; s < SEGMENTS; s++) {
        float *together = scored(&step, segments, SEGMENTS, s);
        float *alone = scored(&step, &segments[s], 1, 0);
        ck_assert_mem_eq(together, alone,
                         step_outputs(&step, 0) * sizeof(float));
        sy_free(together);
        sy_free(alone);
    }
    step_close(&step);
}
END_TEST

START_TEST(steady_scores_and_soft_steps_allocate_nothing)
{
    struct step step;
    step_open(&step, 770, SY_NORM_PER_DOMAIN, 2, NULL);
    step_soften(&step, 770);
    int64_t before = 0;
    struct sy_error err = {0};
    for (int i = 0; i < 3; i++) {
        before = sy_alloc_calls();
        (void)step_forward(&step);
        step_backward(&step);
        sy_check_ok(
            sy_tape_score(step.tape, step.segment, SEGMENTS, step.images, &err),
            err);
    }
    ck_assert_int_eq(sy_alloc_calls(), before);
    step_close(&step);
}
END_TEST

/* Makes a tape in place of the step's own in which units are frozen: those
   whose bit in `units` is set, counted modulo 8. */
static uint8_t *step_freeze(struct step *step, unsigned units)
{
    struct sy_error err = {0};
    uint8_t *frozen = sy_alloc_zero((size_t)step->network->tensor_count, 1);
    struct sy_tape_options options = {.shards = 3, .frozen = frozen};
    for (int t = 0; t < step->network->tensor_count; t++) {
        frozen[t] = units >> (step->network->tensor[t].unit % 8) & 1;
    }
    sy_tape_free(step->tape);
    sy_check_ok(
        sy_tape_new(&step->tape, step->network, step->pool, &options, &err),
        err);
    return frozen;
}

START_TEST(gradients_agree_with_finite_differences_through_what_is_frozen)
{
    static const unsigned units[] = {0x55, 0xaa, 0x0f, 0xf0};
    struct step step;
    int checked = 0, bad = 0;
    enum sy_norm_mode norm = (enum sy_norm_mode)(_i % SY_NORM_MODES);
    step_open(&step, 800 + (uint64_t)_i, norm, 2, NULL);
    uint8_t *frozen = step_freeze(&step, units[_i]);
    (void)step_forward(&step);
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        ck_assert_msg(!frozen[t] || !step.used[t], "%s", tensor->name);
        if (step.used[t] && tensor->count <= 4096) {
            double error = tensor_error(&step, tensor);
            ck_assert_msg(error < 0.5, "%s: relative error %g", tensor->name,
                          error);
            checked++;
            bad += error > 0.03;
        }
    }
    ck_assert_int_gt(checked, 5);
    ck_assert_msg(bad * 20 <= checked, "%d of %d tensors are off", bad,
                  checked);
    sy_free(frozen);
    step_close(&step);
}
END_TEST

START_TEST(a_frozen_network_computes_what_inference_does_and_does_not_move)
{
    struct step step;
    enum sy_norm_mode norm = (enum sy_norm_mode)(_i % SY_NORM_MODES);
    step_open(&step, 850 + (uint64_t)_i, norm, 2, NULL);
    uint8_t *frozen = step_freeze(&step, 0xff);
    size_t image = sy_shape_floats(step.network->spec.input);
    size_t bytes = step.network->value_count * sizeof(float);
    float *before = sy_alloc(bytes);
    memcpy(before, step.network->values, bytes);
    (void)step_forward(&step);
    const float *pixels = step.images;
    for (int s = 0; s < SEGMENTS; s++) {
        int domain = step.segment[s].domain;
        int classes = step.network->domain[domain].classes;
        const float *found = sy_tape_outputs(step.tape, s);
        for (int i = 0; i < step.segment[s].count; i++) {
            float wanted[64];
            sy_plain_eval(step.network, step.segment[s].path, domain, pixels,
                          wanted);
            for (int k = 0; k < classes; k++) {
                ck_assert_float_eq_tol(found[i * classes + k], wanted[k],
                                       1e-3f * (1 + fabsf(wanted[k])));
            }
            pixels += image;
        }
    }
    step_backward(&step);
    sy_tape_update_norms(step.tape, 0.5f);
    for (int t = 0; t < step.network->tensor_count; t++) {
        ck_assert(!step.used[t]);
    }
    ck_assert_mem_eq(before, step.network->values, bytes);
    sy_free(before);
    sy_free(frozen);
    step_close(&step);
}
END_TEST

START_TEST(nothing_is_computed_for_gradients_below_all_that_moves)
{
    struct step step;
    step_open(&step, 870, SY_NORM_PER_DOMAIN, 2, NULL);
    uint8_t *frozen = step_freeze(&step, 0xff);
    for (int t = 0; t < step.network->tensor_count; t++) {
        frozen[t] = step.network->tensor[t].unit < step.network->first_head;
    }
    for (size_t i = 0; i < step.network->value_count; i++) {
        step.grads[i] = -77.0f;
    }
    (void)step_forward(&step);
    step_backward(&step);
    for (int t = 0; t < step.network->tensor_count; t++) {
        const struct sy_tensor *tensor = &step.network->tensor[t];
        ck_assert(step.used[t] == (tensor->trained && !frozen[t]));
        for (size_t i = 0; i < tensor->count; i++) {
            ck_assert((step.grads[tensor->offset + i] == -77.0f) ==
                      !step.used[t]);
        }
    }
    sy_free(frozen);
    step_close(&step);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tape");
    TCase *tc = tcase_create("tape");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(
        tc, every_tensors_gradient_agrees_with_finite_differences, 0, 6);
    tcase_add_loop_test(tc, the_number_of_threads_does_not_change_a_bit, 0, 4);
    tcase_add_loop_test(tc, what_no_path_uses_is_neither_read_nor_written, 0,
                        8);
    tcase_add_loop_test(tc, the_backends_agree_on_a_whole_step, 0, 8);
    tcase_add_test(tc, a_steady_run_allocates_nothing);
    tcase_add_test(tc, running_statistics_move_to_the_batchs_by_the_momentum);
    suite_add_tcase(s, tc);
    tc = tcase_create("soft choices");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, the_weights_of_soft_choices_get_their_gradients, 0,
                        2);
    tcase_add_loop_test(tc, blocks_of_soft_choices_get_their_gradients, 0, 1);
    tcase_add_loop_test(
        tc, a_soft_choice_of_one_block_is_the_hard_choice_bit_for_bit, 0, 4);
    tcase_add_loop_test(
        tc, the_number_of_threads_does_not_change_a_bit_of_soft_choices, 0, 4);
    tcase_add_loop_test(tc, blocks_of_weight_0_are_not_read, 0, 4);
    suite_add_tcase(s, tc);
    tc = tcase_create("scores");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(
        tc, a_score_of_one_path_a_domain_is_the_forward_bit_for_bit, 0, 4);
    tcase_add_loop_test(
        tc, a_paths_score_does_not_depend_on_the_paths_beside_it, 0, 8);
    tcase_add_test(tc, steady_scores_and_soft_steps_allocate_nothing);
    suite_add_tcase(s, tc);
    tc = tcase_create("frozen");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(
        tc, gradients_agree_with_finite_differences_through_what_is_frozen, 0,
        4);
    tcase_add_loop_test(
        tc, a_frozen_network_computes_what_inference_does_and_does_not_move, 0,
        4);
    tcase_add_test(tc, nothing_is_computed_for_gradients_below_all_that_moves);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
