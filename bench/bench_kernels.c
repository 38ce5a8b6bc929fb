/*
 * bench_kernels.c - how fast the kernels are, against what the core can do.
 *
 *   bench_kernels [--backend NAME] [--json] [--filter TEXT] [--threads N]
 *                 [--rounds N]   (rounds of the training step)
 *
 * For typical shapes, per backend: GFLOP/s (2 per multiply-add) and the share
 * of the multiply-add peak, measured in the same run, with registers only, for
 * the same vector width. Operators that only move data: GB/s of what they
 * touch, once each, against a memcpy that touches as many bytes. Rows end with
 * a whole training step of an inverted-bottleneck network of about 8 M
 * multiply-adds, 8 images a shard, on all CPUs.
 *
 * DESIGN: every case repeats for at least REPEAT_NS and keeps the median of
 * ROUNDS rounds; the peak is measured again before every case, so that a
 * noisy neighbour hits both. A case runs on one thread and is measured in
 * that thread's CPU time; the training step in time on the wall, and again in
 * CPU time per image, which is what a loaded machine leaves comparable.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "runtime/backend/backend.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/base/rng.h"
#include "runtime/cpu/blas.h"

enum { ROUNDS = 15, REPEAT_NS = 1000000, MAX_NODES = 64, SHARD = 8 };

/* One operator at one shape, with every buffer it may need. */
struct unit {
    struct sy_node node;
    struct sy_shape in, out;
    int count;
    struct sy_op_args args;
    struct sy_infer_args infer;
};

enum stage { STATS, FORWARD, SUMS, BACKWARD, INFER };
static const char *const stage_names[] = {"stats", "forward", "sums",
                                          "backward", "infer"};

struct bench_case {
    enum stage stage;
    enum sy_op_kind op;
    struct sy_shape in;
    int channels, kernel, stride, groups;
    enum sy_act act;
    int count;
};

/* clang-format off */
static const struct bench_case cases[] = {
    {INFER, SY_OP_CONV, {32, 32, 16}, 64, 1, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_CONV, {16, 16, 24}, 96, 1, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_CONV, {16, 16, 96}, 24, 1, 1, 1, SY_ACT_NONE, 1},
    {INFER, SY_OP_CONV, {8, 8, 40}, 160, 1, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_CONV, {8, 8, 144}, 40, 1, 1, 1, SY_ACT_NONE, 1},
    {INFER, SY_OP_CONV, {8, 8, 144}, 144, 1, 1, 1, SY_ACT_NONE, 1},
    {INFER, SY_OP_CONV, {4, 4, 80}, 320, 1, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_CONV, {4, 4, 320}, 80, 1, 1, 1, SY_ACT_NONE, 1},
    {INFER, SY_OP_CONV, {2, 2, 576}, 96, 1, 1, 1, SY_ACT_NONE, 1},
    {INFER, SY_OP_CONV, {32, 32, 3}, 16, 3, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_CONV, {16, 16, 24}, 96, 3, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_CONV, {8, 8, 64}, 64, 3, 1, 8, SY_ACT_RELU, 1},
    {INFER, SY_OP_DEPTHWISE, {32, 32, 72}, 0, 3, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_DEPTHWISE, {16, 16, 96}, 0, 3, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_DEPTHWISE, {16, 16, 72}, 0, 3, 2, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_DEPTHWISE, {8, 8, 144}, 0, 3, 1, 1, SY_ACT_RELU, 1},
    {INFER, SY_OP_DEPTHWISE, {8, 8, 240}, 0, 5, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_DEPTHWISE, {8, 8, 288}, 0, 5, 2, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_DEPTHWISE, {4, 4, 320}, 0, 5, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_DEPTHWISE, {2, 2, 576}, 0, 5, 1, 1, SY_ACT_HSWISH, 1},
    {INFER, SY_OP_DENSE, {1, 1, 576}, 144, 1, 1, 1, SY_ACT_RELU, 1},
    {FORWARD, SY_OP_CONV, {32, 32, 16}, 64, 1, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {32, 32, 16}, 64, 1, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {16, 16, 24}, 96, 1, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {16, 16, 24}, 96, 1, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {16, 16, 96}, 24, 1, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {16, 16, 96}, 24, 1, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {8, 8, 144}, 40, 1, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {8, 8, 144}, 40, 1, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {4, 4, 320}, 80, 1, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {4, 4, 320}, 80, 1, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {32, 32, 3}, 16, 3, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {32, 32, 3}, 16, 3, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_CONV, {16, 16, 24}, 48, 3, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_CONV, {16, 16, 24}, 48, 3, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_DEPTHWISE, {16, 16, 96}, 0, 3, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_DEPTHWISE, {16, 16, 96}, 0, 3, 1, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_DEPTHWISE, {32, 32, 64}, 0, 3, 2, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_DEPTHWISE, {32, 32, 64}, 0, 3, 2, 1, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_DEPTHWISE, {8, 8, 160}, 0, 5, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_DEPTHWISE, {8, 8, 160}, 0, 5, 1, 1, SY_ACT_NONE, SHARD},
    {BACKWARD, SY_OP_DEPTHWISE, {4, 4, 320}, 0, 3, 1, 1, SY_ACT_NONE, SHARD},
    {STATS, SY_OP_NORM, {16, 16, 96}, 0, 0, 0, 0, SY_ACT_RELU, SHARD},
    {FORWARD, SY_OP_NORM, {16, 16, 96}, 0, 0, 0, 0, SY_ACT_RELU, SHARD},
    {SUMS, SY_OP_NORM, {16, 16, 96}, 0, 0, 0, 0, SY_ACT_RELU, SHARD},
    {BACKWARD, SY_OP_NORM, {16, 16, 96}, 0, 0, 0, 0, SY_ACT_RELU, SHARD},
    {STATS, SY_OP_NORM, {8, 8, 40}, 0, 0, 0, 0, SY_ACT_HSWISH, SHARD},
    {FORWARD, SY_OP_NORM, {8, 8, 40}, 0, 0, 0, 0, SY_ACT_HSWISH, SHARD},
    {SUMS, SY_OP_NORM, {8, 8, 40}, 0, 0, 0, 0, SY_ACT_HSWISH, SHARD},
    {BACKWARD, SY_OP_NORM, {8, 8, 40}, 0, 0, 0, 0, SY_ACT_HSWISH, SHARD},
    {FORWARD, SY_OP_ADD, {16, 16, 24}, 0, 0, 0, 0, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_POOL, {4, 4, 320}, 0, 0, 0, 0, SY_ACT_NONE, SHARD},
    {FORWARD, SY_OP_SCALE, {8, 8, 144}, 0, 0, 0, 0, SY_ACT_NONE, SHARD},
};
/* clang-format on */

static float *numbers(size_t floats)
{
    float *p = sy_alloc((floats + 1) * sizeof(float));
    if (p == NULL) {
        exit(1);
    }
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_BENCH, 0, 0);
    for (size_t i = 0; i < floats; i++) {
        p[i] = i < 4099 ? 2.0f * sy_rng_uniform(&rng) - 1.0f : p[i - 4099];
    }
    return p;
}

static size_t weight_floats(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    size_t taps = (size_t)node->kernel * (size_t)node->kernel;
    if (node->op == SY_OP_CONV) {
        return taps * (size_t)(in.c / node->groups) * (size_t)out.c;
    }
    if (node->op == SY_OP_DENSE) {
        return (size_t)in.c * (size_t)out.c;
    }
    return node->op == SY_OP_DEPTHWISE ? taps * (size_t)in.c : (size_t)in.c;
}

/* Shapes, and every buffer that any stage may need. */
static void unit_init(struct unit *u, const struct bench_case *c,
                      const struct sy_backend *backend)
{
    *u = (struct unit){.node = {.op = c->op,
                                .act = c->act,
                                .kernel = c->kernel,
                                .stride = c->stride,
                                .groups = c->groups},
                       .in = c->in,
                       .out = {.c = c->channels},
                       .count = c->count};
    struct sy_shape ins[2] = {c->in, c->in};
    if (c->op == SY_OP_SCALE) {
        ins[1] = (struct sy_shape){1, 1, c->in.c};
    }
    const struct sy_op *op = sy_op_of(c->op);
    if (op->shape(&u->node, ins, &u->out, NULL) != SY_OK) {
        exit(1);
    }
    size_t n = (size_t)c->count, in = n * sy_shape_floats(c->in);
    size_t out = n * sy_shape_floats(u->out);
    size_t scratch = backend->scratch(&u->node, c->in, u->out, c->count);
    u->args = (struct sy_op_args){
        .node = &u->node,
        .in = c->in,
        .out = u->out,
        .count = c->count,
        .x = numbers(in),
        .x2 = numbers(n * sy_shape_floats(ins[1])),
        .w = numbers(weight_floats(&u->node, c->in, u->out)),
        .b = numbers((size_t)u->out.c),
        .y = numbers(out),
        .moments = numbers(2 * (size_t)c->in.c),
        .totals = numbers(2 * (size_t)c->in.c),
        .total_rows = (int64_t)c->count * c->in.h * c->in.w,
        .dy = numbers(out),
        .dx = numbers(in),
        .dx2 = numbers(n * sy_shape_floats(ins[1])),
        .partial = numbers(op->partial(&u->node, c->in, u->out)),
        .scratch = numbers(scratch)};
    float *packed = numbers(backend->packed_floats(&u->node, c->in, u->out));
    if (backend->pack != NULL) {
        backend->pack(&u->node, c->in, u->out, u->args.w, packed);
    }
    bool norm = c->op == SY_OP_CONV || c->op == SY_OP_DEPTHWISE;
    u->infer = (struct sy_infer_args){
        .node = &u->node,
        .in = c->in,
        .out = u->out,
        .count = 1,
        .x = u->args.x,
        .x2 = u->args.x2,
        .packed = packed,
        .scale = norm ? numbers((size_t)u->out.c) : NULL,
        .bias = numbers((size_t)u->out.c),
        .y = u->args.y,
        .scratch = numbers(backend->infer_scratch(&u->node, c->in, u->out))};
}

static void unit_run(const struct unit *u, const struct sy_backend *backend,
                     enum stage stage)
{
    enum sy_op_kind op = u->node.op;
    if (stage == INFER) {
        backend->infer[op](&u->infer);
        return;
    }
    sy_kernel_fn run = stage == STATS     ? backend->stats[op]
                       : stage == FORWARD ? backend->forward[op]
                       : stage == SUMS    ? backend->sums[op]
                                          : backend->backward[op];
    run(&u->args);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Median nanoseconds of one run. */
static double time_unit(const struct unit *u, const struct sy_backend *backend,
                        enum stage stage)
{
    double round[ROUNDS];
    long repeat = 1;
    for (int r = -1; r < ROUNDS; r++) {
        for (;;) {
            int64_t start = bench_thread_ns();
            for (long i = 0; i < repeat; i++) {
                unit_run(u, backend, stage);
            }
            int64_t took = bench_thread_ns() - start;
            if (r >= 0 || took > REPEAT_NS) {
                round[r < 0 ? 0 : r] = (double)took / (double)repeat;
                break;
            }
            repeat *= 2;
        }
    }
    qsort(round, ROUNDS, sizeof *round, by_value);
    return round[ROUNDS / 2];
}

/* Buffers that the stage reads and writes, each once, in floats. */
static double touched(const struct unit *u, enum stage stage)
{
    double in = (double)u->count * (double)sy_shape_floats(u->in);
    double out = (double)u->count * (double)sy_shape_floats(u->out);
    double second = u->node.op == SY_OP_ADD ? in : 0.0;
    switch (stage) {
    case STATS:
        return in;
    case SUMS:
        return in + out;
    case BACKWARD:
        return 2.0 * in + out;
    case FORWARD:
    case INFER:
    default:
        return in + second + out;
    }
}

struct report {
    json_t *rows; /* NULL: print text */
    const char *filter;
};

/* Median GB/s (read and written) of a copy that touches so many bytes. */
static double copy_gbytes(double bytes)
{
    size_t floats = (size_t)(bytes / 8.0) + 1;
    float *from = numbers(floats), *to = numbers(floats);
    double round[ROUNDS];
    long repeat = 1 + (long)(4e6 / bytes);
    for (int r = -1; r < ROUNDS; r++) {
        int64_t start = bench_thread_ns();
        for (long i = 0; i < repeat; i++) {
            memcpy(to, from, floats * sizeof *to);
            __asm__ volatile("" : : "r"(to) : "memory");
        }
        round[r < 0 ? 0 : r] = 8.0 * (double)floats * (double)repeat /
                               (double)(bench_thread_ns() - start);
    }
    sy_free(from);
    sy_free(to);
    qsort(round, ROUNDS, sizeof *round, by_value);
    return round[ROUNDS / 2];
}

static void report_row(struct report *report, const char *name,
                       const char *peer, double ours, double theirs, double us)
{
    bool flops = strcmp(peer, "fma peak") == 0;
    const char *unit = flops ? "GFLOP/s" : "GB/s";
    if (report->rows == NULL) {
        printf("%-44s %8.2f us %7.1f %-7s %5.1f %% of %s\n", name, us, ours,
               unit, 100.0 * ours / theirs, peer);
        fflush(stdout);
        return;
    }
    (void)bench_row(report->rows, name, peer, unit, ours, theirs);
}

static void bench_one(struct report *report, const struct sy_backend *backend,
                      const struct bench_case *c)
{
    struct unit u;
    char name[96];
    (void)snprintf(name, sizeof name, "%s %s %s %dx%dx%d", backend->name,
                   stage_names[c->stage], sy_op_of(c->op)->name, c->in.h,
                   c->in.w, c->in.c);
    size_t used = strlen(name);
    if (c->channels > 0) {
        (void)snprintf(name + used, sizeof name - used, "->%d", c->channels);
    }
    used = strlen(name);
    if (c->kernel > 0) {
        (void)snprintf(name + used, sizeof name - used, " k%d s%d g%d n%d",
                       c->kernel, c->stride, c->groups, c->count);
    }
    if (report->filter != NULL && strstr(name, report->filter) == NULL) {
        return;
    }
    unit_init(&u, c, backend);
    double flops = 2.0 * (double)c->count *
                   (double)sy_op_of(c->op)->madds(&u.node, u.in, u.out) *
                   (c->stage == BACKWARD ? 2.0 : 1.0);
    double bytes = 4.0 * touched(&u, c->stage);
    double theirs =
        flops > 0.0 ? bench_peak_gflops(backend) : copy_gbytes(bytes);
    double ns = time_unit(&u, backend, c->stage);
    if (flops > 0.0) {
        report_row(report, name, "fma peak", flops / ns, theirs, ns / 1e3);
    } else {
        report_row(report, name, "memcpy", bytes / ns, theirs, ns / 1e3);
    }
}

/* A network as a plain list of operators, one per shard worker. */
struct step {
    struct unit unit[MAX_NODES];
    int count;
    double madds;   /* of one image */
    int64_t cpu_ns; /* of all runs */
};

static struct sy_shape step_op(struct step *step,
                               const struct sy_backend *backend,
                               enum sy_op_kind op, struct sy_shape in,
                               int channels, int kernel, int stride,
                               enum sy_act act)
{
    struct bench_case c = {FORWARD, op, in,  channels, kernel,
                           stride,  1,  act, SHARD};
    struct unit *u = &step->unit[step->count++];
    unit_init(u, &c, backend);
    step->madds += (double)sy_op_of(op)->madds(&u->node, in, u->out);
    /* As in training, one operator's output is the next one's input. */
    if (u > step->unit) {
        u->args.x = u[-1].args.y;
        u[-1].args.dy = u->args.dx;
    } else {
        u->args.dx = NULL;
    }
    return u->out;
}

static struct sy_shape step_bottleneck(struct step *step,
                                       const struct sy_backend *backend,
                                       struct sy_shape x, int channels,
                                       int kernel, int stride, enum sy_act act)
{
    struct sy_shape in = x;
    x = step_op(step, backend, SY_OP_CONV, x, 4 * x.c, 1, 1, SY_ACT_NONE);
    x = step_op(step, backend, SY_OP_NORM, x, 0, 0, 0, act);
    x = step_op(step, backend, SY_OP_DEPTHWISE, x, 0, kernel, stride,
                SY_ACT_NONE);
    x = step_op(step, backend, SY_OP_NORM, x, 0, 0, 0, act);
    x = step_op(step, backend, SY_OP_CONV, x, channels, 1, 1, SY_ACT_NONE);
    x = step_op(step, backend, SY_OP_NORM, x, 0, 0, 0, SY_ACT_NONE);
    if (sy_shape_equal(in, x)) {
        x = step_op(step, backend, SY_OP_ADD, x, 0, 0, 0, SY_ACT_NONE);
    }
    return x;
}

static void step_init(struct step *step, const struct sy_backend *backend)
{
    struct sy_shape x = {32, 32, 3};
    step->count = 0;
    step->madds = 0.0;
    x = step_op(step, backend, SY_OP_CONV, x, 16, 3, 1, SY_ACT_NONE);
    x = step_op(step, backend, SY_OP_NORM, x, 0, 0, 0, SY_ACT_HSWISH);
    x = step_bottleneck(step, backend, x, 24, 3, 2, SY_ACT_RELU);
    x = step_bottleneck(step, backend, x, 24, 3, 1, SY_ACT_RELU);
    x = step_bottleneck(step, backend, x, 40, 5, 2, SY_ACT_HSWISH);
    x = step_bottleneck(step, backend, x, 40, 5, 1, SY_ACT_HSWISH);
    x = step_bottleneck(step, backend, x, 80, 3, 2, SY_ACT_HSWISH);
    x = step_bottleneck(step, backend, x, 80, 3, 1, SY_ACT_HSWISH);
    x = step_bottleneck(step, backend, x, 80, 3, 1, SY_ACT_HSWISH);
    x = step_op(step, backend, SY_OP_CONV, x, 320, 1, 1, SY_ACT_NONE);
    x = step_op(step, backend, SY_OP_NORM, x, 0, 0, 0, SY_ACT_HSWISH);
    x = step_op(step, backend, SY_OP_POOL, x, 0, 0, 0, SY_ACT_NONE);
    (void)step_op(step, backend, SY_OP_DENSE, x, 10, 0, 0, SY_ACT_NONE);
}

struct step_run {
    const struct sy_backend *backend;
    struct step *steps; /* one per task */
};

static void step_task(void *context, int task, int worker)
{
    const struct step_run *run = context;
    const struct step *step = &run->steps[task];
    int64_t start = bench_thread_ns();
    (void)worker;
    for (int i = 0; i < step->count; i++) {
        if (step->unit[i].node.op == SY_OP_NORM) {
            unit_run(&step->unit[i], run->backend, STATS);
        }
        unit_run(&step->unit[i], run->backend, FORWARD);
    }
    for (int i = step->count - 1; i >= 0; i--) {
        if (step->unit[i].node.op == SY_OP_NORM) {
            unit_run(&step->unit[i], run->backend, SUMS);
        }
        unit_run(&step->unit[i], run->backend, BACKWARD);
    }
    run->steps[task].cpu_ns += bench_thread_ns() - start;
}

static void bench_step(struct report *report, const struct sy_backend *backend,
                       struct sy_pool *pool, int rounds)
{
    int threads = sy_pool_threads(pool);
    char name[96];
    (void)snprintf(name, sizeof name, "%s training step, %d threads",
                   backend->name, threads);
    if (report->filter != NULL && strstr(name, report->filter) == NULL) {
        return;
    }
    struct step *steps = sy_alloc_zero((size_t)threads, sizeof *steps);
    struct step_run run = {backend, steps};
    double *round = sy_alloc((size_t)rounds * sizeof *round);
    if (round == NULL || steps == NULL) {
        exit(1);
    }
    for (int t = 0; t < threads; t++) {
        step_init(&steps[t], backend);
    }
    double peak = bench_peak_gflops(backend) * threads;
    for (int r = -2; r < rounds; r++) {
        int64_t start = sy_now_ns();
        sy_pool_run(pool, threads, step_task, &run);
        round[r < 0 ? 0 : r] = (double)(sy_now_ns() - start);
    }
    qsort(round, (size_t)rounds, sizeof *round, by_value);
    double images = (double)threads * SHARD;
    if (report->rows == NULL) {
        double cpu = (double)steps[0].cpu_ns / (SHARD * (rounds + 2.0));
        printf("%.2f M multiply-adds, %.0f images/s forward and backward, "
               "%.0f us of CPU an image\n",
               steps[0].madds / 1e6, images / round[rounds / 2] * 1e9,
               cpu / 1e3);
    }
    report_row(report, name, "fma peak",
               6.0 * images * steps[0].madds / round[rounds / 2], peak,
               round[rounds / 2] / 1e3);
}

int main(int argc, char **argv)
{
    struct report report = {NULL, NULL};
    const char *only = NULL;
    int threads = 0, rounds = 15;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            report.rows = json_array();
        } else if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            report.filter = argv[++i];
        } else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            threads = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = (int)strtol(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: bench_kernels [--backend NAME] [--json] "
                            "[--filter TEXT] [--threads N] [--rounds N]\n");
            return 2;
        }
    }
    struct sy_pool *pool = NULL;
    if (sy_pool_new(&pool, threads, NULL) != SY_OK) {
        return 1;
    }
    rounds = rounds < 1 ? 1 : rounds;
    if (report.rows == NULL) {
        printf("products by %s\n", sy_blas_name());
    }
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        if (!(*b)->available() || strcmp((*b)->name, "reference") == 0 ||
            (only != NULL && strcmp((*b)->name, only) != 0)) {
            continue;
        }
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            bench_one(&report, *b, &cases[i]);
        }
        bench_step(&report, *b, pool, rounds);
    }
    if (report.rows != NULL) {
        json_t *machine = bench_machine(sy_backend_best());
        (void)json_object_set_new(machine, "threads",
                                  json_integer(sy_pool_threads(pool)));
        (void)json_object_set_new(machine, "blas", json_string(sy_blas_name()));
        bench_print(machine, report.rows);
    }
    sy_pool_free(pool);
    return 0;
}
