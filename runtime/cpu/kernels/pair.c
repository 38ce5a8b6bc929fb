/*
 * pair.c - inference: a 1 x 1 convolution and the depthwise convolution that
 * alone reads it, in one pass.
 *
 * DESIGN: what lies between is the widest map of a network and is read once,
 * so it is never there as a whole. A few vectors of channels at a time, rows
 * of the product go to a ring of image rows, one plane a vector, with zeros on
 * both sides of each row; an output row of the depthwise convolution is
 * computed as soon as the rows that it needs are there.
 *
 * From a plane every position is one aligned vector at a distance known when
 * this is compiled, and no column is outside, so a segment of up to
 * MAX_HEIGHT positions is loads and multiply-adds only. Rows outside the
 * image are not visited. The ring is meant to stay in the first-level cache,
 * so a panel is as wide as lets it fit.
 *
 * The ring has a power of two of rows and is filled `step` rows at a time, so
 * that a tile of the product has rows enough; step divides the ring.
 *
 * Each number of the product is summed as in gemm.c, each of the depthwise
 * convolution over [ky][kx] in order by one accumulator.
 */
#include "runtime/cpu/kernels/kernels.h"

#define UNROLL_COLUMNS _Pragma("GCC unroll 64")

enum { RING_BYTES = 32 * 1024, STEP_POSITIONS = 8 };

struct ring {
    int rows, step, pad;
    int vectors;     /* planes, at most */
    ptrdiff_t line;  /* floats of a row with its zeros */
    ptrdiff_t plane; /* floats of a plane */
};

static struct ring ring_of(const struct sy_node *node, struct sy_shape in)
{
    struct ring ring = {.rows = 1, .step = 1, .pad = node->kernel / 2};
    while (ring.step * in.w < STEP_POSITIONS && ring.step < in.h) {
        ring.step *= 2;
    }
    while (ring.rows < node->kernel - 1 + ring.step) {
        ring.rows *= 2;
    }
    ring.line = (ptrdiff_t)(in.w + 2 * ring.pad) * VL;
    ring.plane = ring.rows * ring.line;
    int fit = (int)(RING_BYTES / (ring.plane * (ptrdiff_t)sizeof(float)));
    ring.vectors = fit < 1 ? 1 : fit > MAX_VECTORS ? MAX_VECTORS : fit;
    return ring;
}

static size_t ring_floats(const struct sy_node *node, struct sy_shape in)
{
    struct ring ring = ring_of(node, in);
    return (size_t)ring.plane * (size_t)ring.vectors;
}

/* The zeros on both sides of every row. */
static void clear_sides(float *memory, struct ring ring)
{
    for (int r = 0; r < ring.rows * ring.vectors; r++) {
        float *line = memory + r * ring.line;
        for (int i = 0; i < ring.pad; i++) {
            v_store(line + i * VL, v_zero());
            v_store(line + ring.line - (i + 1) * VL, v_zero());
        }
    }
}

/* One image, one panel of channels. */
struct job {
    struct sy_shape in, out; /* of the depthwise convolution */
    struct ring ring;
    float *memory;
    int channels;         /* of the panel */
    struct panel product; /* all but a, m and c */
    const float *x;       /* the image that the product reads */
    const float *w;       /* first tap of the first vector */
    const float *scale, *bias, *residual;
    float *y; /* first channel */
    enum sy_act act;
};

/* Rows first .. first + rows - 1 of the product to the ring. */
static void fill_ring(struct job *job, int first, int rows)
{
    const struct ring *ring = &job->ring;
    int at = first & (ring->rows - 1);

    job->product.a = job->x + (ptrdiff_t)first * job->in.w * job->product.a_row;
    job->product.m = rows * job->in.w;
    job->product.c = job->memory + at * ring->line + ring->pad * VL;
    SY_KERNEL(panel)(&job->product);
}

/* Writes `count` neighbouring positions of one vector of channels. */
INLINE void put_segment(const struct job *job, const int count, int oy, int ox,
                        int c, struct lanes lanes, vf acc[MAX_HEIGHT])
{
    const ptrdiff_t channels = job->out.c;
    const ptrdiff_t at = ((ptrdiff_t)oy * job->out.w + ox) * channels + c;
    const vf s = v_get(job->scale + c, lanes), b = v_get(job->bias + c, lanes);
    float *y = job->y + at;
    WITH_ACT(
        job->act, UNROLL for (int i = 0; i < count;
                              i++) { acc[i] = v_act(act, acc[i] * s + b); });
    if (job->residual != NULL) {
        const float *r = job->residual + at;
        UNROLL for (int i = 0; i < count; i++)
        {
            acc[i] += v_get(r, lanes);
            r += channels;
        }
    }
    UNROLL for (int i = 0; i < count; i++)
    {
        v_put(y, acc[i], lanes);
        y += channels;
    }
}

/* Positions ox .. ox + count - 1 of row oy. */
INLINE void segment(const struct job *job, const int kernel, const int stride,
                    const int count, struct lanes lanes, int oy, int ox, int c)
{
    const int span = (count - 1) * stride + kernel;
    const int iy = oy * stride - kernel / 2, mask = job->ring.rows - 1;
    const int from = iy < 0 ? -iy : 0;
    const int to = job->in.h - iy < kernel ? job->in.h - iy : kernel;
    const float *x = job->memory + c / VL * job->ring.plane + ox * stride * VL;
    const float *w =
        job->w + (ptrdiff_t)c * kernel * kernel + from * kernel * VL;
    vf acc[MAX_HEIGHT];

    UNROLL for (int i = 0; i < count; i++)
    {
        acc[i] = v_zero();
    }
    for (int ky = from; ky < to; ky++) {
        const float *row = x + ((iy + ky) & mask) * job->ring.line;
        vf wv[7];
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            wv[kx] = v_load(w + kx * VL);
        }
        UNROLL_COLUMNS for (int j = 0; j < span; j++)
        {
            const vf xv = v_load(row + j * VL);
            UNROLL for (int kx = 0; kx < kernel; kx++)
            {
                const int i = (j - kx) / stride;
                if (j >= kx && (j - kx) % stride == 0 && i < count) {
                    acc[i] += xv * wv[kx];
                }
            }
        }
        w += kernel * VL;
    }
    put_segment(job, count, oy, ox, c, lanes, acc);
}

/* A segment of a length that is known at run time only. */
INLINE void any_segment(const struct job *job, const int kernel,
                        const int stride, int count, struct lanes lanes, int oy,
                        int ox, int c)
{
    switch (count) {
#define CASE(n)                                                                \
    case n:                                                                    \
        segment(job, kernel, stride, n, lanes, oy, ox, c);                     \
        break;
        EACH_HEIGHT(CASE)
#undef CASE
    default:
        break;
    }
}

/* One row of the output, cut into segments of nearly equal length. */
INLINE void output_row(const struct job *job, const int kernel,
                       const int stride, int oy)
{
    const int width = job->out.w;
    const struct cut segments = cut_evenly(width, MAX_HEIGHT);
    for (int c = 0; c < job->channels; c += VL) {
        const struct lanes lanes = v_lanes(c, job->channels);
        int ox = 0;
        for (int s = 0; s < segments.parts; s++) {
            int count = segments.low + (s < segments.more ? 1 : 0);
            any_segment(job, kernel, stride, count, lanes, oy, ox, c);
            ox += count;
        }
    }
}

INLINE void image(struct job *job, const int kernel, const int stride)
{
    int filled = 0;
    for (int oy = 0; oy < job->out.h; oy++) {
        int needed = oy * stride - kernel / 2 + kernel;
        needed = needed < job->in.h ? needed : job->in.h;
        while (filled < needed) {
            int left = job->in.h - filled;
            int rows = left < job->ring.step ? left : job->ring.step;
            fill_ring(job, filled, rows);
            filled += rows;
        }
        output_row(job, kernel, stride, oy);
    }
}

/* One function per shape of the window. */
#define WINDOW(kernel)                                                         \
    static void image_##kernel##_1(struct job *job)                            \
    {                                                                          \
        image(job, kernel, 1);                                                 \
    }                                                                          \
    static void image_##kernel##_2(struct job *job)                            \
    {                                                                          \
        image(job, kernel, 2);                                                 \
    }
WINDOW(1)
WINDOW(3)
WINDOW(5)
WINDOW(7)

/* By kernel / 2 and stride - 1. */
static void (*const windows[4][2])(struct job *job) = {
    {image_1_1, image_1_2},
    {image_3_1, image_3_2},
    {image_5_1, image_5_2},
    {image_7_1, image_7_2},
};

size_t SY_KERNEL(pair_scratch)(const struct sy_node *expand,
                               const struct sy_node *depthwise,
                               struct sy_shape middle)
{
    (void)expand;
    return ring_floats(depthwise, middle);
}

void SY_KERNEL(pair_pack)(const struct sy_node *expand,
                          const struct sy_node *depthwise, struct sy_shape in,
                          struct sy_shape middle, const float *weight,
                          float *packed)
{
    (void)expand;
    SY_KERNEL(pack)
    (packed, weight, middle.c, 1, in.c, middle.c,
     ring_of(depthwise, middle).vectors);
}

void SY_KERNEL(pair_infer)(const struct sy_infer_args *expand,
                           const struct sy_infer_args *depthwise)
{
    const struct sy_node *node = depthwise->node;
    const ptrdiff_t no_tap = 0;
    const int channels = depthwise->in.c;
    struct job job = {.in = depthwise->in,
                      .out = depthwise->out,
                      .ring = ring_of(node, depthwise->in),
                      .memory = expand->scratch,
                      .w = depthwise->packed,
                      .act = node->act};
    job.product = (struct panel){.a_row = expand->in.c,
                                 .a_step = 1,
                                 .taps = 1,
                                 .tap = &no_tap,
                                 .b = expand->packed,
                                 .half = expand->half,
                                 .k = expand->in.c,
                                 .c_row = VL,
                                 .c_step = job.ring.plane,
                                 .c_width = job.in.w,
                                 .c_gap = (ptrdiff_t)2 * job.ring.pad * VL,
                                 .ahead = expand->ahead,
                                 .act = expand->node->act};
    clear_sides(job.memory, job.ring);
    for (int n = 0; n < channels;) {
        int vectors = SY_KERNEL(panel_vectors)(n, channels, job.ring.vectors);
        int width = vectors * VL;
        job.channels = channels - n < width ? channels - n : width;
        job.scale = depthwise->scale + n;
        job.bias = depthwise->bias + n;
        job.product.vectors = vectors;
        job.product.n = job.channels;
        job.product.scale = expand->scale + n;
        job.product.bias = expand->bias + n;
        for (int i = 0; i < depthwise->count; i++) {
            const struct sy_infer_args one = sy_infer_image(depthwise, i);
            job.x = expand->x + (size_t)i * sy_shape_floats(expand->in);
            job.y = one.y + n;
            job.residual = one.residual != NULL ? one.residual + n : NULL;
            windows[node->kernel / 2][node->stride - 1](&job);
        }
        job.product.b = packed_at(
            job.product.b, (size_t)job.product.k * (size_t)width, expand->half);
        job.w += (ptrdiff_t)width * node->kernel * node->kernel;
        n += width;
    }
}
