/*
 * conform_pair.c - a 1 x 1 convolution and its depthwise one in one pass
 * against the two kernels of the same backend, bit for bit, which conform_ops
 * holds against the reference.
 *
 * Shapes do not divide evenly: sides that differ, windows larger than the
 * image, channel counts around the widths of vectors and panels. Inputs are
 * exact-size blocks, so that a sanitizer sees a read past an end; scratch
 * starts as NaN, so that what is read before it is written shows.
 */
#include <math.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

struct pair_case {
    struct sy_shape in;
    int channels, kernel, stride, count;
    enum sy_act expand, act;
    bool residual;
};

static const struct pair_case cases[] = {
    {{1, 1, 1}, 1, 3, 1, 1, SY_ACT_RELU, SY_ACT_NONE, false},
    {{1, 1, 3}, 17, 7, 2, 3, SY_ACT_HSWISH, SY_ACT_RELU, true},
    {{2, 2, 8}, 33, 5, 1, 5, SY_ACT_HSWISH, SY_ACT_HSWISH, true},
    {{2, 2, 104}, 632, 5, 1, 2, SY_ACT_HSWISH, SY_ACT_HSWISH, false},
    {{4, 4, 24}, 100, 5, 1, 3, SY_ACT_HSWISH, SY_ACT_NONE, false},
    {{4, 4, 56}, 72, 5, 2, 2, SY_ACT_RELU, SY_ACT_HSWISH, true},
    {{3, 11, 17}, 40, 3, 1, 2, SY_ACT_RELU, SY_ACT_RELU, false},
    {{11, 3, 9}, 24, 3, 2, 2, SY_ACT_NONE, SY_ACT_HSIGMOID, true},
    {{5, 7, 16}, 65, 7, 1, 2, SY_ACT_HSWISH, SY_ACT_RELU, false},
    {{7, 5, 12}, 48, 7, 2, 1, SY_ACT_RELU, SY_ACT_NONE, false},
    {{13, 1, 8}, 15, 5, 1, 2, SY_ACT_RELU, SY_ACT_NONE, true},
    {{1, 13, 8}, 16, 5, 2, 2, SY_ACT_RELU, SY_ACT_NONE, false},
    {{8, 8, 32}, 72, 5, 1, 2, SY_ACT_HSWISH, SY_ACT_HSWISH, true},
    {{14, 14, 7}, 40, 5, 2, 1, SY_ACT_HSWISH, SY_ACT_HSWISH, false},
    {{16, 15, 24}, 96, 3, 1, 1, SY_ACT_RELU, SY_ACT_RELU, false},
    {{9, 29, 5}, 33, 3, 2, 2, SY_ACT_HSWISH, SY_ACT_RELU, true},
    {{4, 57, 3}, 24, 7, 1, 1, SY_ACT_RELU, SY_ACT_RELU, false},
    {{6, 200, 2}, 20, 3, 1, 1, SY_ACT_RELU, SY_ACT_RELU, false},
};
enum { CASES = sizeof cases / sizeof cases[0], CANARIES = 4 };

static float *random_floats(size_t floats, struct sy_rng *rng)
{
    float *data = sy_alloc(floats * sizeof *data);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < floats; i++) {
        data[i] = sy_rng_normal(rng);
    }
    return data;
}

/* NaN, with `extra` canaries behind it. */
static float *blank_floats(size_t floats, size_t extra)
{
    float *data = sy_alloc((floats + extra) * sizeof *data);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < floats + extra; i++) {
        data[i] = i < floats ? NAN : 77.0f;
    }
    return data;
}

static void check_canaries(const float *data, size_t floats)
{
    for (size_t i = floats; i < floats + CANARIES; i++) {
        ck_assert(data[i] == 77.0f);
    }
}

/* Both steps with random numbers; weights are packed as the backend wants. */
struct setup {
    struct sy_node expand, depthwise;
    struct sy_infer_args first, second;
    float *weight[2], *packed[2], *pair_packed, *norm[4], *x, *residual;
};

static void setup_new(struct setup *s, const struct sy_backend *backend,
                      const struct pair_case *c, uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 0, 0);
    struct sy_shape middle = {c->in.h, c->in.w, c->channels};
    struct sy_shape out = {(c->in.h - 1) / c->stride + 1,
                           (c->in.w - 1) / c->stride + 1, c->channels};
    size_t count = (size_t)c->count, k = (size_t)c->channels;
    s->expand = (struct sy_node){.op = SY_OP_CONV,
                                 .act = c->expand,
                                 .kernel = 1,
                                 .stride = 1,
                                 .groups = 1};
    s->depthwise = (struct sy_node){.op = SY_OP_DEPTHWISE,
                                    .act = c->act,
                                    .kernel = c->kernel,
                                    .stride = c->stride,
                                    .groups = 1};
    s->weight[0] = random_floats((size_t)c->in.c * k, &rng);
    s->weight[1] = random_floats((size_t)(c->kernel * c->kernel) * k, &rng);
    s->x = random_floats(count * sy_shape_floats(c->in), &rng);
    s->residual = random_floats(count * sy_shape_floats(out), &rng);
    for (int i = 0; i < 4; i++) {
        s->norm[i] = random_floats(k, &rng);
    }
    s->packed[0] =
        blank_floats(backend->packed_floats(&s->expand, c->in, middle), 0);
    s->pair_packed =
        blank_floats(backend->packed_floats(&s->expand, c->in, middle), 0);
    s->packed[1] =
        blank_floats(backend->packed_floats(&s->depthwise, middle, out), 0);
    backend->pack(&s->expand, c->in, middle, s->weight[0], s->packed[0]);
    backend->pack(&s->depthwise, middle, out, s->weight[1], s->packed[1]);
    backend->pair_pack(&s->expand, &s->depthwise, c->in, middle, s->weight[0],
                       s->pair_packed);
    s->first = (struct sy_infer_args){.node = &s->expand,
                                      .in = c->in,
                                      .out = middle,
                                      .count = c->count,
                                      .x = s->x,
                                      .packed = s->packed[0],
                                      .scale = s->norm[0],
                                      .bias = s->norm[1]};
    s->second =
        (struct sy_infer_args){.node = &s->depthwise,
                               .in = middle,
                               .out = out,
                               .count = c->count,
                               .packed = s->packed[1],
                               .scale = s->norm[2],
                               .bias = s->norm[3],
                               .residual = c->residual ? s->residual : NULL};
}

static void setup_free(struct setup *s)
{
    for (int i = 0; i < 4; i++) {
        sy_free(s->norm[i]);
    }
    for (int i = 0; i < 2; i++) {
        sy_free(s->weight[i]);
        sy_free(s->packed[i]);
    }
    sy_free(s->pair_packed);
    sy_free(s->x);
    sy_free(s->residual);
}

static void check_pair(const struct sy_backend *backend,
                       const struct pair_case *c, int index)
{
    struct setup s;
    setup_new(&s, backend, c, (uint64_t)index);
    size_t between = (size_t)c->count * sy_shape_floats(s.first.out);
    size_t floats = (size_t)c->count * sy_shape_floats(s.second.out);
    size_t room = backend->pair_scratch(&s.expand, &s.depthwise, s.first.out);
    float *middle = blank_floats(between, 0);
    float *expected = blank_floats(floats, 0);
    float *found = blank_floats(floats, CANARIES);
    float *scratch = blank_floats(room, CANARIES);

    s.first.y = middle;
    s.second.x = middle;
    s.second.y = expected;
    backend->infer[SY_OP_CONV](&s.first);
    backend->infer[SY_OP_DEPTHWISE](&s.second);
    s.first.y = NULL;
    s.first.packed = s.pair_packed;
    s.first.scratch = s.second.scratch = scratch;
    s.second.x = NULL;
    s.second.y = found;
    backend->infer_pair(&s.first, &s.second);
    for (size_t i = 0; i < floats; i++) {
        ck_assert(!isnan(expected[i]));
        ck_assert_msg(found[i] == expected[i],
                      "%s, case %d, number %d: %.9g, not %.9g", backend->name,
                      index, (int)i, (double)found[i], (double)expected[i]);
    }
    check_canaries(found, floats);
    check_canaries(scratch, room);
    sy_free(middle);
    sy_free(expected);
    sy_free(found);
    sy_free(scratch);
    setup_free(&s);
}

START_TEST(a_pair_gives_the_bits_of_its_two_operators)
{
    int pairs = 0;
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        for (int i = 0;
             (*b)->infer_pair != NULL && (*b)->available() && i < CASES; i++) {
            check_pair(*b, &cases[i], i);
            pairs++;
        }
    }
    ck_assert_int_gt(pairs, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pairs of operators");
    TCase *tc = tcase_create("conformance");
    tcase_add_test(tc, a_pair_gives_the_bits_of_its_two_operators);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
