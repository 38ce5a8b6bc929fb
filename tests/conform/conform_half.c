/*
 * conform_half.c - kernels on weights of half the width.
 *
 * Each kernel that takes them gives the bits that it gives for the rounded
 * weights stored as floats, which conform_ops holds against the reference; and
 * stays within the rounding of what it gives for the weights themselves.
 * Shapes do not divide evenly, and packed weights are blocks of exactly their
 * size, so that a sanitizer sees a read past an end.
 */
#include <math.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/base/half.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

struct half_case {
    enum sy_op_kind op;
    struct sy_shape in;
    int channels, kernel, stride, groups, count;
    int pair; /* kernel of the depthwise one behind it, or 0 */
};

static const struct half_case cases[] = {
    {SY_OP_DENSE, {1, 1, 1}, 1, 1, 1, 1, 1, 0},
    {SY_OP_DENSE, {1, 1, 37}, 10, 1, 1, 1, 1, 0},
    {SY_OP_DENSE, {1, 1, 160}, 632, 1, 1, 1, 3, 0},
    {SY_OP_DENSE, {1, 1, 65}, 129, 1, 1, 1, 17, 0},
    {SY_OP_CONV, {2, 2, 104}, 632, 1, 1, 1, 1, 0},
    {SY_OP_CONV, {4, 3, 33}, 57, 1, 1, 1, 2, 0},
    {SY_OP_CONV, {1, 13, 7}, 100, 1, 1, 1, 1, 0},
    {SY_OP_CONV, {3, 5, 9}, 31, 3, 1, 1, 2, 0},
    {SY_OP_CONV, {7, 4, 12}, 40, 5, 2, 1, 1, 0},
    {SY_OP_CONV, {3, 3, 34}, 66, 3, 1, 2, 1, 0},
    {SY_OP_CONV, {2, 2, 104}, 632, 1, 1, 1, 3, 5},
    {SY_OP_CONV, {4, 4, 24}, 100, 1, 1, 1, 2, 3},
    {SY_OP_CONV, {3, 7, 5}, 33, 1, 1, 1, 1, 7},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static float *new_floats(size_t count)
{
    float *data = sy_alloc_zero(count + 1, sizeof *data);
    ck_assert_ptr_nonnull(data);
    return data;
}

static float *random_floats(size_t count, struct sy_rng *rng)
{
    float *data = new_floats(count);
    for (size_t i = 0; i < count; i++) {
        data[i] = sy_rng_normal(rng);
    }
    return data;
}

/* The step, and a depthwise one behind it where the case says so. */
struct setup {
    const struct sy_backend *backend;
    const struct half_case *of;
    struct sy_node node, then;
    struct sy_shape in, middle, out;
    size_t weights, packed; /* numbers */
    float *x, *weight, *window, *norm, *scratch;
};

static void setup_new(struct setup *s, const struct sy_backend *backend,
                      const struct half_case *c, uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 0, 0);
    size_t k = (size_t)c->channels, room;
    struct sy_shape out = {(c->in.h - 1) / c->stride + 1,
                           (c->in.w - 1) / c->stride + 1, c->channels};
    *s = (struct setup){.backend = backend,
                        .of = c,
                        .in = c->in,
                        .middle = out,
                        .out = out,
                        .node = {.op = c->op,
                                 .act = SY_ACT_HSWISH,
                                 .kernel = c->kernel,
                                 .stride = c->stride,
                                 .groups = c->groups},
                        .then = {.op = SY_OP_DEPTHWISE,
                                 .kernel = c->pair,
                                 .stride = 1,
                                 .groups = 1}};
    s->weights =
        (size_t)(c->kernel * c->kernel) * (size_t)(c->in.c / c->groups) * k;
    s->packed = backend->packed_floats(&s->node, s->in, s->middle);
    room = c->pair > 0 ? backend->pair_scratch(&s->node, &s->then, s->middle)
                       : backend->infer_scratch(&s->node, s->in, s->middle);
    s->x = random_floats((size_t)c->count * sy_shape_floats(s->in), &rng);
    s->weight = random_floats(s->weights, &rng);
    s->norm = random_floats(4 * k, &rng);
    s->scratch = new_floats(room);
    if (c->pair > 0) {
        float *window = random_floats((size_t)(c->pair * c->pair) * k, &rng);
        s->window =
            new_floats(backend->packed_floats(&s->then, s->middle, s->out));
        backend->pack(&s->then, s->middle, s->out, window, s->window);
        sy_free(window);
    }
}

static void setup_free(struct setup *s)
{
    sy_free(s->x);
    sy_free(s->weight);
    sy_free(s->window);
    sy_free(s->norm);
    sy_free(s->scratch);
}

/* The step on `packed`; returns the result, owned. */
static float *run(const struct setup *s, const void *packed, bool half)
{
    size_t k = (size_t)s->middle.c;
    float *y = new_floats((size_t)s->of->count * sy_shape_floats(s->out));
    struct sy_infer_args args = {.node = &s->node,
                                 .in = s->in,
                                 .out = s->middle,
                                 .count = s->of->count,
                                 .x = s->x,
                                 .packed = packed,
                                 .half = half,
                                 .scale =
                                     s->node.op == SY_OP_CONV ? s->norm : NULL,
                                 .bias = s->norm + k,
                                 .y = y,
                                 .scratch = s->scratch};
    if (s->of->pair == 0) {
        s->backend->infer[s->node.op](&args);
        return y;
    }
    args.y = NULL;
    s->backend->infer_pair(&args,
                           &(struct sy_infer_args){.node = &s->then,
                                                   .in = s->middle,
                                                   .out = s->out,
                                                   .count = s->of->count,
                                                   .packed = s->window,
                                                   .scale = s->norm + 2 * k,
                                                   .bias = s->norm + 3 * k,
                                                   .y = y,
                                                   .scratch = s->scratch});
    return y;
}

static float *pack(const struct setup *s, const float *weight)
{
    float *packed = new_floats(s->packed);
    if (s->of->pair > 0) {
        s->backend->pair_pack(&s->node, &s->then, s->in, s->middle, weight,
                              packed);
    } else {
        s->backend->pack(&s->node, s->in, s->middle, weight, packed);
    }
    return packed;
}

static uint16_t *narrow(const float *packed, size_t count)
{
    uint16_t *half = sy_alloc(count * sizeof *half);
    ck_assert_ptr_nonnull(half);
    for (size_t i = 0; i < count; i++) {
        half[i] = sy_half(packed[i]);
    }
    return half;
}

/* Largest difference, over the largest number of `b`. */
static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0.0, largest = 1e-6;
    for (size_t i = 0; i < count; i++) {
        ck_assert(!isnan(a[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst / largest;
}

static void check_case(const struct sy_backend *backend, int index)
{
    struct setup s;
    setup_new(&s, backend, &cases[index], (uint64_t)index);
    ck_assert(backend->halves(&s.node, s.in, s.middle));
    size_t count = (size_t)s.of->count * sy_shape_floats(s.out);
    float *full = pack(&s, s.weight);
    uint16_t *half = narrow(full, s.packed);
    float *exact = run(&s, full, false);
    float *found = run(&s, half, true);
    for (size_t i = 0; i < s.weights; i++) {
        s.weight[i] = sy_half_float(sy_half(s.weight[i]));
    }
    sy_free(full);
    full = pack(&s, s.weight);
    float *expected = run(&s, full, false);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(found[i] == expected[i],
                      "%s, case %d, number %d: %.9g, not %.9g", backend->name,
                      index, (int)i, (double)found[i], (double)expected[i]);
    }
    double off = difference(found, exact, count);
    ck_assert_msg(off <= 0x1p-11, "%s, case %d: off by %g", backend->name,
                  index, off);
    sy_free(full);
    sy_free(half);
    sy_free(exact);
    sy_free(found);
    sy_free(expected);
    setup_free(&s);
}

START_TEST(a_weight_of_half_the_width_gives_the_bits_of_the_rounded_one)
{
    int run_cases = 0;
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        for (int i = 0; (*b)->halves != NULL && (*b)->available() && i < CASES;
             i++) {
            check_case(*b, i);
            run_cases++;
        }
    }
    ck_assert_int_gt(run_cases, 0);
}
END_TEST

/* A dense layer of one input, 1, gives its weights: all finite halves. */
static void check_widening(const struct sy_backend *backend)
{
    enum { FINITE = 0x7c00, COUNT = 2 * FINITE };
    struct sy_node node = {.op = SY_OP_DENSE, .kernel = 1, .stride = 1};
    struct sy_shape in = {1, 1, 1}, out = {1, 1, COUNT};
    const float one = 1.0f;
    size_t packed = backend->packed_floats(&node, in, out);
    uint16_t *half = sy_alloc_zero(packed, sizeof *half);
    float *y = new_floats(COUNT);
    ck_assert_ptr_nonnull(half);
    for (int i = 0; i < COUNT; i++) {
        half[i] = (uint16_t)(i < FINITE ? i : 0x8000 + i - FINITE);
    }
    backend->infer[SY_OP_DENSE](&(struct sy_infer_args){.node = &node,
                                                        .in = in,
                                                        .out = out,
                                                        .count = 1,
                                                        .x = &one,
                                                        .packed = half,
                                                        .half = true,
                                                        .y = y});
    for (int i = 0; i < COUNT; i++) {
        ck_assert_msg(y[i] == sy_half_float(half[i]), "%s: %04x became %g",
                      backend->name, (unsigned)half[i], (double)y[i]);
    }
    sy_free(half);
    sy_free(y);
}

START_TEST(kernels_widen_every_finite_number_exactly)
{
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        if ((*b)->halves != NULL && (*b)->available()) {
            check_widening(*b);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weights of half the width");
    TCase *tc = tcase_create("conformance");
    tcase_add_test(
        tc, a_weight_of_half_the_width_gives_the_bits_of_the_rounded_one);
    tcase_add_test(tc, kernels_widen_every_finite_number_exactly);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
