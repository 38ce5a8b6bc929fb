/*
 * depthwise.c - window products channel by channel, and their gradients.
 *
 * DESIGN: one row of the output at a time, one vector of channels, a segment
 * of up to 8 positions in registers. Each input column of a window row is
 * loaded once and multiplied into every position it belongs to, so a 3 x 3
 * window costs 10 loads instead of 24 for 8 positions. Which tap meets which
 * position is known at compile time; at the image's edge a column outside is
 * skipped by one predictable branch, and rows outside are not visited, so no
 * padded copy is made and padding costs nothing. The test is made in the
 * middle of the image too: a copy of the code without it was not faster.
 *
 * The gradient of the input with stride 1 is the same product with the taps
 * in reverse order (a negative distance between taps); with stride 2 it is a
 * segment of its own, in which the parity of a position decides its taps.
 *
 * The gradient of the weight keeps the taps in registers while it walks over
 * one image; images are added up in order.
 *
 * Training reads the plain weight [k][k][C]; inference the packed one,
 * [C/VL][k][k][VL] with zeros behind channel C. Both sum the taps of a
 * position in the same order.
 */
#include "runtime/cpu/kernels/kernels.h"

#define UNROLL_COLUMNS _Pragma("GCC unroll 32")

enum { MAX_SEGMENT = 8 };

/* One image. */
struct job {
    const float *x;
    struct sy_shape in, out;
    float *y;
    const float *w;     /* first tap of channel 0 */
    ptrdiff_t tap;      /* floats between taps */
    ptrdiff_t group;    /* floats between vectors of channels */
    bool padded;        /* weights are whole vectors */
    bool add;           /* y += */
    bool far;           /* y is not in the cache, and asked for beforehand */
    const float *ahead; /* as large as y, read afterwards, or NULL */
    const float *scale, *bias, *residual;
    enum sy_act act;
};

/* Writes `count` neighbouring positions of one vector of channels. */
INLINE void put_segment(const struct job *job, const int count, int oy, int ox,
                        int c, struct lanes lanes, vf acc[MAX_SEGMENT])
{
    ptrdiff_t channels = job->out.c;
    ptrdiff_t at = ((ptrdiff_t)oy * job->out.w + ox) * channels + c;
    if (job->scale != NULL) {
        vf s = v_get(job->scale + c, lanes), b = v_get(job->bias + c, lanes);
        UNROLL for (int i = 0; i < count; i++)
        {
            acc[i] = acc[i] * s + b;
        }
    }
    if (job->act != SY_ACT_NONE) {
        WITH_ACT(
            job->act, UNROLL for (int i = 0; i < count;
                                  i++) { acc[i] = v_act(act, acc[i]); });
    }
    if (job->residual != NULL) {
        UNROLL for (int i = 0; i < count; i++)
        {
            acc[i] += v_get(job->residual + at + i * channels, lanes);
        }
    }
    if (job->add) {
        UNROLL for (int i = 0; i < count; i++)
        {
            acc[i] += v_get(job->y + at + i * channels, lanes);
        }
    }
    UNROLL for (int i = 0; i < count; i++)
    {
        v_put(job->y + at + i * channels, acc[i], lanes);
    }
}

/*
 * Asks for what put_segment writes, and for as many lines of what is read
 * after this image, in the order of memory.
 */
INLINE void fetch_segment(const struct job *job, const int count, int oy,
                          int ox, int c)
{
    ptrdiff_t channels = job->out.c, row = (ptrdiff_t)oy * job->out.w;
    if (job->far) {
        UNROLL for (int i = 0; i < count; i++)
        {
            v_fetch_to_write(job->y, (row + ox + i) * channels + c);
        }
    }
    if (job->ahead != NULL) {
        ptrdiff_t line = row * channels + (ptrdiff_t)c * job->out.w;
        UNROLL for (int i = 0; i < count; i++)
        {
            v_fetch(job->ahead, line + (ox + i) * VL);
        }
    }
}

/* Positions ox .. ox + count - 1 of row oy. */
INLINE void segment(const struct job *job, const int kernel, const int stride,
                    const int count, struct lanes lanes, int oy, int ox, int c)
{
    const int pad = kernel / 2, span = (count - 1) * stride + kernel;
    int iy = oy * stride - pad, ix = ox * stride - pad;
    int from = iy < 0 ? -iy : 0;
    int to = job->in.h - iy < kernel ? job->in.h - iy : kernel;
    int low = ix < 0 ? -ix : 0;
    int high = job->in.w - ix < span ? job->in.w - ix : span;
    ptrdiff_t channels = job->in.c;
    vf acc[MAX_SEGMENT];

    fetch_segment(job, count, oy, ox, c);
    UNROLL for (int i = 0; i < count; i++)
    {
        acc[i] = v_zero();
    }
    for (int ky = from; ky < to; ky++) {
        const float *w = job->w + c / VL * job->group + ky * kernel * job->tap;
        ptrdiff_t at = ((ptrdiff_t)(iy + ky) * job->in.w + ix) * channels + c;
        vf wv[7];
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            wv[kx] = v_get(w + kx * job->tap, lanes);
        }
        UNROLL_COLUMNS for (int j = 0; j < span; j++)
        {
            if (j < low || j >= high) {
                continue;
            }
            vf xv = v_get(job->x + at + j * channels, lanes);
            UNROLL for (int kx = 0; kx < kernel; kx++)
            {
                int i = (j - kx) / stride;
                if (j >= kx && (j - kx) % stride == 0 && i < count) {
                    acc[i] += xv * wv[kx];
                }
            }
        }
    }
    put_segment(job, count, oy, ox, c, lanes, acc);
}

/* As segment, for the gradient of the input with stride 2; ix is even. */
INLINE void segment_back2(const struct job *job, const int kernel,
                          const int count, struct lanes lanes, int iy, int ix,
                          int c)
{
    const int pad = kernel / 2, first = -(pad / 2);
    const int span = (count - 1 + pad) / 2 - first + 1;
    int ox = ix / 2 + first;
    int low = ox < 0 ? -ox : 0;
    int high = job->in.w - ox < span ? job->in.w - ox : span;
    ptrdiff_t channels = job->in.c;
    vf acc[MAX_SEGMENT];

    fetch_segment(job, count, iy, ix, c);
    UNROLL for (int i = 0; i < count; i++)
    {
        acc[i] = v_zero();
    }
    for (int ky = (iy + pad) % 2; ky < kernel; ky += 2) {
        int oy = (iy + pad - ky) / 2;
        if (iy + pad < ky || oy >= job->in.h) {
            continue;
        }
        const float *w = job->w + c / VL * job->group + ky * kernel * job->tap;
        ptrdiff_t at = ((ptrdiff_t)oy * job->in.w + ox) * channels + c;
        vf wv[7];
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            wv[kx] = v_get(w + kx * job->tap, lanes);
        }
        UNROLL_COLUMNS for (int j = 0; j < span; j++)
        {
            if (j < low || j >= high) {
                continue;
            }
            vf dy = v_get(job->x + at + j * channels, lanes);
            UNROLL for (int i = 0; i < count; i++)
            {
                int kx = i + pad - 2 * (j + first);
                if (kx >= 0 && kx < kernel) {
                    acc[i] += dy * wv[kx];
                }
            }
        }
    }
    put_segment(job, count, iy, ix, c, lanes, acc);
}

/* One row of one vector of channels: segments of 8, 4, 2 and 1. All but the
   last begin at an even position, which segment_back2 relies on. */
INLINE void row(const struct job *job, const int kernel, const int stride,
                const bool back2, struct lanes lanes, int oy, int c)
{
    int ox = 0, width = job->out.w;
#define SEGMENT(count)                                                         \
    do {                                                                       \
        if (back2) {                                                           \
            segment_back2(job, kernel, count, lanes, oy, ox, c);               \
        } else {                                                               \
            segment(job, kernel, stride, count, lanes, oy, ox, c);             \
        }                                                                      \
        ox += (count);                                                         \
    } while (0)

    while (width - ox >= 8) {
        SEGMENT(8);
    }
#ifndef SY_SMALL_TILES
    if (width - ox >= 4) {
        SEGMENT(4);
    }
#endif
    while (width - ox >= 2) {
        SEGMENT(2);
    }
    if (width - ox >= 1) {
        SEGMENT(1);
    }
#undef SEGMENT
}

INLINE void image(const struct job *job, const int kernel, const int stride,
                  const bool back2)
{
    const int channels = job->in.c, whole = channels / VL * VL;
    const struct lanes full = {true, v_mask(VL)};
    const struct lanes part = {false, v_mask(channels - whole)};
    for (int oy = 0; oy < job->out.h; oy++) {
        for (int c = 0; c < whole; c += VL) {
            row(job, kernel, stride, back2, full, oy, c);
        }
        if (whole < channels) {
            row(job, kernel, stride, back2, part, oy, whole);
        }
    }
}

/* One function per shape of the window; each is a few kilobytes of code. */
#define WINDOW(kernel)                                                         \
    static void image_##kernel##_1(const struct job *job)                      \
    {                                                                          \
        image(job, kernel, 1, false);                                          \
    }                                                                          \
    static void image_##kernel##_2(const struct job *job)                      \
    {                                                                          \
        image(job, kernel, 2, false);                                          \
    }                                                                          \
    static void back_##kernel##_2(const struct job *job)                       \
    {                                                                          \
        image(job, kernel, 2, true);                                           \
    }
WINDOW(1)
WINDOW(3)
WINDOW(5)
WINDOW(7)

/* By kernel / 2: stride 1, stride 2, gradient of the input with stride 2. */
static void (*const windows[4][3])(const struct job *job) = {
    {image_1_1, image_1_2, back_1_2},
    {image_3_1, image_3_2, back_3_2},
    {image_5_1, image_5_2, back_5_2},
    {image_7_1, image_7_2, back_7_2},
};

void SY_KERNEL(depthwise_forward)(const struct sy_op_args *args)
{
    const struct sy_node *node = args->node;
    struct job job = {
        .in = args->in,
        .out = args->out,
        .w = args->w,
        .tap = args->in.c,
        .group = VL,
        .far = true,
        .act = SY_ACT_NONE,
    };
    for (int n = 0; n < args->count; n++) {
        job.x = args->x + (size_t)n * sy_shape_floats(args->in);
        job.y = args->y + (size_t)n * sy_shape_floats(args->out);
        windows[node->kernel / 2][node->stride - 1](&job);
    }
}

void SY_KERNEL(depthwise_infer)(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    int taps = node->kernel * node->kernel;
    struct job job = {
        .in = args->in,
        .out = args->out,
        .w = args->packed,
        .tap = VL,
        .group = (ptrdiff_t)taps * VL,
        .scale = args->scale,
        .bias = args->bias,
        .act = node->act,
    };
    for (int n = 0; n < args->count; n++) {
        const struct sy_infer_args one = sy_infer_image(args, n);
        job.x = one.x;
        job.y = one.y;
        job.residual = one.residual;
        windows[node->kernel / 2][node->stride - 1](&job);
    }
}

/* Of image n; meanwhile asks for the image's x, of which the gradient of the
   weight is made. */
static void backward_data(const struct sy_op_args *args, int n)
{
    const struct sy_node *node = args->node;
    ptrdiff_t channels = args->in.c;
    int taps = node->kernel * node->kernel;
    struct job job = {
        .in = args->out,
        .out = args->in,
        .w = args->w,
        .tap = channels,
        .group = VL,
        .add = args->add_dx,
        .far = true,
        .ahead = args->x + (size_t)n * sy_shape_floats(args->in),
        .act = SY_ACT_NONE,
    };
    int which = 2;
    if (node->stride == 1) {
        which = 0;
        job.w += (taps - 1) * channels;
        job.tap = -channels;
    }
    job.x = args->dy + (size_t)n * sy_shape_floats(args->out);
    job.y = args->dx + (size_t)n * sy_shape_floats(args->in);
    windows[node->kernel / 2][which](&job);
}

/* Rows of taps that are kept in registers together. */
#if defined(__AVX512F__)
#define TAP_ROWS(kernel) ((kernel) == 7 ? 3 : (kernel))
#else
#define TAP_ROWS(kernel) ((kernel) == 7 ? 1 : (kernel) == 5 ? 2 : (kernel))
#endif

/*
 * Adds to acc what rows k0 .. k0 + rows - 1 of the window get from one output
 * position. `inside`: every tap of them lies in the image.
 */
INLINE void taps_of(const struct sy_op_args *args, const float *x,
                    const int kernel, const int rows, const bool inside, int iy,
                    int ix, vf dy, struct lanes lanes, vf acc[7][7])
{
    ptrdiff_t channels = args->in.c, line = args->in.w * channels;
    ptrdiff_t at = iy * line + ix * channels;
    UNROLL for (int r = 0; r < rows; r++)
    {
        if (!inside && (iy + r < 0 || iy + r >= args->in.h)) {
            continue;
        }
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            if (inside || (ix + kx >= 0 && ix + kx < args->in.w)) {
                acc[r][kx] +=
                    dy * v_get(x + at + r * line + kx * channels, lanes);
            }
        }
    }
}

INLINE void weight_rows(const struct sy_op_args *args, const float *x,
                        const float *dy, const int kernel, const int stride,
                        const int rows, int k0, struct lanes lanes, int c,
                        bool first)
{
    const int pad = kernel / 2;
    ptrdiff_t channels = args->in.c;
    vf acc[7][7];
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            acc[r][kx] = v_zero();
        }
    }
    /* Output columns whose windows lie inside: [left, right). */
    int left = (pad + stride - 1) / stride;
    int right = (args->in.w - kernel + pad) / stride + 1;
    if (args->in.w + pad < kernel || right < left) {
        left = right = args->out.w;
    }
    for (int oy = 0; oy < args->out.h; oy++) {
        int iy = oy * stride - pad + k0;
        if (iy + rows <= 0 || iy >= args->in.h) {
            continue;
        }
        const float *d = dy + (ptrdiff_t)oy * args->out.w * channels + c;
        bool rows_inside = iy >= 0 && iy + rows <= args->in.h;
        int a = rows_inside ? left : args->out.w;
        int b = rows_inside ? right : args->out.w;
        int ox = 0;
        for (; ox < a; ox++) {
            taps_of(args, x + c, kernel, rows, false, iy, ox * stride - pad,
                    v_get(d + ox * channels, lanes), lanes, acc);
        }
        for (; ox < b; ox++) {
            taps_of(args, x + c, kernel, rows, true, iy, ox * stride - pad,
                    v_get(d + ox * channels, lanes), lanes, acc);
        }
        for (; ox < args->out.w; ox++) {
            taps_of(args, x + c, kernel, rows, false, iy, ox * stride - pad,
                    v_get(d + ox * channels, lanes), lanes, acc);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            float *to = args->partial + ((k0 + r) * kernel + kx) * channels + c;
            vf sum = acc[r][kx];
            v_put(to, first ? sum : v_get(to, lanes) + sum, lanes);
        }
    }
}

INLINE void weight_lanes(const struct sy_op_args *args, const float *x,
                         const float *dy, const int kernel, const int stride,
                         struct lanes lanes, int c, bool first)
{
    const int rows = TAP_ROWS(kernel);
    int k0 = 0;
    for (; k0 + rows <= kernel; k0 += rows) {
        weight_rows(args, x, dy, kernel, stride, rows, k0, lanes, c, first);
    }
    for (; k0 < kernel; k0++) {
        weight_rows(args, x, dy, kernel, stride, 1, k0, lanes, c, first);
    }
}

INLINE void backward_images(const struct sy_op_args *args, const int kernel)
{
    int channels = args->in.c, whole = channels / VL * VL;
    for (int n = 0; n < args->count; n++) {
        if (args->dx != NULL) {
            backward_data(args, n);
        }
        const float *x = args->x + (size_t)n * sy_shape_floats(args->in);
        const float *dy = args->dy + (size_t)n * sy_shape_floats(args->out);
        struct lanes lanes = {true, v_mask(VL)};
        for (int c = 0; c < whole; c += VL) {
            if (args->node->stride == 1) {
                weight_lanes(args, x, dy, kernel, 1, lanes, c, n == 0);
            } else {
                weight_lanes(args, x, dy, kernel, 2, lanes, c, n == 0);
            }
        }
        if (whole < channels) {
            lanes = (struct lanes){false, v_mask(channels - whole)};
            weight_lanes(args, x, dy, kernel, args->node->stride, lanes, whole,
                         n == 0);
        }
    }
}

void SY_KERNEL(depthwise_backward)(const struct sy_op_args *args)
{
    switch (args->node->kernel) {
    case 1:
        backward_images(args, 1);
        break;
    case 3:
        backward_images(args, 3);
        break;
    case 5:
        backward_images(args, 5);
        break;
    default:
        backward_images(args, 7);
        break;
    }
}
