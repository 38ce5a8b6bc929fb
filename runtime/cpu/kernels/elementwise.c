/*
 * elementwise.c - act, add, scale, pool and cells: one pass over memory each.
 *
 * DESIGN: act and add see plain arrays of floats; the others go row by row of
 * C channels. Sums over positions run in order of the positions, with
 * four partial sums per channel to hide the latency of an addition.
 */
#include "runtime/cpu/kernels/kernels.h"

/* BODY(at, lanes) for every vector of `floats` values. */
#define FOR_FLOATS(floats, BODY)                                               \
    do {                                                                       \
        size_t floats_ = (floats), at_ = 0;                                    \
        const struct lanes full_ = {true, v_mask(VL)};                         \
        for (; at_ + VL <= floats_; at_ += VL) {                               \
            BODY(at_, full_);                                                  \
        }                                                                      \
        if (at_ < floats_) {                                                   \
            const struct lanes part_ = {false, v_mask((int)(floats_ - at_))};  \
            BODY(at_, part_);                                                  \
        }                                                                      \
    } while (0)

/* BODY(c, lanes) for every vector of `channels`. */
#define FOR_CHANNELS(channels, BODY)                                           \
    do {                                                                       \
        int channels_ = (channels), whole_ = channels_ / VL * VL;              \
        const struct lanes full_ = {true, v_mask(VL)};                         \
        const struct lanes part_ = {false, v_mask(channels_ - whole_)};        \
        for (int c_ = 0; c_ < whole_; c_ += VL) {                              \
            BODY(c_, full_);                                                   \
        }                                                                      \
        if (whole_ < channels_) {                                              \
            BODY(whole_, part_);                                               \
        }                                                                      \
    } while (0)

static void activate(float *y, const float *x, size_t floats, enum sy_act kind)
{
#define BODY(at, lanes) v_put(y + at, v_act(act, v_get(x + at, lanes)), lanes)
    WITH_ACT(kind, FOR_FLOATS(floats, BODY));
#undef BODY
}

void SY_KERNEL(act_forward)(const struct sy_op_args *args)
{
    activate(args->y, args->x, (size_t)args->count * sy_shape_floats(args->in),
             args->node->act);
}

void SY_KERNEL(act_infer)(const struct sy_infer_args *args)
{
    activate(args->y, args->x, (size_t)args->count * sy_shape_floats(args->in),
             args->node->act);
}

INLINE void act_back(const struct sy_op_args *args, const enum sy_act act,
                     const bool add, size_t at, struct lanes lanes)
{
    vf d =
        v_get(args->dy + at, lanes) * v_slope(act, v_get(args->x + at, lanes));
    v_put(args->dx + at, add ? v_get(args->dx + at, lanes) + d : d, lanes);
}

void SY_KERNEL(act_backward)(const struct sy_op_args *args)
{
    size_t floats = (size_t)args->count * sy_shape_floats(args->in);
    if (args->dx == NULL) {
        return;
    }
#define BODY(at, lanes) act_back(args, act, add, at, lanes)
    if (args->add_dx) {
        const bool add = true;
        WITH_ACT(args->node->act, FOR_FLOATS(floats, BODY));
    } else {
        const bool add = false;
        WITH_ACT(args->node->act, FOR_FLOATS(floats, BODY));
    }
#undef BODY
}

static void add_arrays(float *y, const float *a, const float *b, size_t floats)
{
#define BODY(at, lanes)                                                        \
    v_put(y + at, v_get(a + at, lanes) + v_get(b + at, lanes), lanes)
    FOR_FLOATS(floats, BODY);
#undef BODY
}

void SY_KERNEL(add_forward)(const struct sy_op_args *args)
{
    add_arrays(args->y, args->x, args->x2,
               (size_t)args->count * sy_shape_floats(args->in));
}

void SY_KERNEL(add_infer)(const struct sy_infer_args *args)
{
    add_arrays(args->y, args->x, args->x2,
               (size_t)args->count * sy_shape_floats(args->in));
}

static void pass_on(float *dx, const float *dy, size_t floats, bool add)
{
    if (dx == NULL) {
        return;
    }
    if (add) {
        add_arrays(dx, dx, dy, floats);
    } else if (dx != dy) {
        memcpy(dx, dy, floats * sizeof(float));
    }
}

void SY_KERNEL(add_backward)(const struct sy_op_args *args)
{
    size_t floats = (size_t)args->count * sy_shape_floats(args->in);
    pass_on(args->dx, args->dy, floats, args->add_dx);
    pass_on(args->dx2, args->dy, floats, args->add_dx2);
}

/* Sum over rows of a (times b where it is given), one vector of channels. */
INLINE vf sum_rows(const float *a, const float *b, int rows, int channels,
                   struct lanes lanes)
{
    vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    for (int i = 0; i < rows; i += 4) {
        UNROLL for (int j = 0; j < 4; j++)
        {
            if (i + j >= rows) {
                break;
            }
            ptrdiff_t at = (ptrdiff_t)(i + j) * channels;
            vf v = v_get(a + at, lanes);
            sum[j] += b != NULL ? v * v_get(b + at, lanes) : v;
        }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void pool_image(float *y, const float *x, struct sy_shape in)
{
    int rows = in.h * in.w;
    float share = 1.0f / (float)rows;
#define BODY(at, lanes)                                                        \
    v_put(y + at, sum_rows(x + at, NULL, rows, in.c, lanes) * share, lanes)
    FOR_CHANNELS(in.c, BODY);
#undef BODY
}

void SY_KERNEL(pool_forward)(const struct sy_op_args *args)
{
    for (int n = 0; n < args->count; n++) {
        pool_image(args->y + (size_t)n * (size_t)args->in.c,
                   args->x + (size_t)n * sy_shape_floats(args->in), args->in);
    }
}

void SY_KERNEL(pool_infer)(const struct sy_infer_args *args)
{
    for (int n = 0; n < args->count; n++) {
        const struct sy_infer_args one = sy_infer_image(args, n);
        pool_image(one.y, one.x, one.in);
    }
}

/* The mean over one cell: rows [h, h_end) of columns [w, w_end). */
static void average_cell(float *y, const float *x, struct sy_shape in, int h,
                         int h_end, int w, int w_end)
{
    float share = 1.0f / (float)((h_end - h) * (w_end - w));
    ptrdiff_t line = (ptrdiff_t)in.w * in.c;
    const float *first = x + h * line + (ptrdiff_t)w * in.c;
#define BODY(at, lanes)                                                        \
    do {                                                                       \
        vf sum = v_zero();                                                     \
        for (int i = 0; i < h_end - h; i++) {                                  \
            sum +=                                                             \
                sum_rows(first + i * line + at, NULL, w_end - w, in.c, lanes); \
        }                                                                      \
        v_put(y + at, sum * share, lanes);                                     \
    } while (0)
    FOR_CHANNELS(in.c, BODY);
#undef BODY
}

/* The grid lies as ops/cells.c says. */
static void cells_image(float *y, const float *x, struct sy_shape in, int grid)
{
    for (int i = 0; i < grid; i++) {
        for (int j = 0; j < grid; j++, y += in.c) {
            average_cell(y, x, in, i * in.h / grid, (i + 1) * in.h / grid,
                         j * in.w / grid, (j + 1) * in.w / grid);
        }
    }
}

void SY_KERNEL(cells_forward)(const struct sy_op_args *args)
{
    for (int n = 0; n < args->count; n++) {
        cells_image(args->y + (size_t)n * sy_shape_floats(args->out),
                    args->x + (size_t)n * sy_shape_floats(args->in), args->in,
                    args->node->kernel);
    }
}

void SY_KERNEL(cells_infer)(const struct sy_infer_args *args)
{
    for (int n = 0; n < args->count; n++) {
        const struct sy_infer_args one = sy_infer_image(args, n);
        cells_image(one.y, one.x, one.in, one.node->kernel);
    }
}

INLINE void pool_back(const struct sy_op_args *args, int n, int c,
                      struct lanes lanes)
{
    int rows = args->in.h * args->in.w;
    ptrdiff_t channels = args->in.c;
    vf d = v_get(args->dy + n * channels + c, lanes) * (1.0f / (float)rows);
    float *dx = args->dx + (ptrdiff_t)n * rows * channels + c;
    for (int i = 0; i < rows; i++) {
        v_put(dx, args->add_dx ? v_get(dx, lanes) + d : d, lanes);
        dx += channels;
    }
}

void SY_KERNEL(pool_backward)(const struct sy_op_args *args)
{
    for (int n = 0; args->dx != NULL && n < args->count; n++) {
#define BODY(c, lanes) pool_back(args, n, c, lanes)
        FOR_CHANNELS(args->in.c, BODY);
#undef BODY
    }
}

/* y (+)= x * factor, row by row of one image. */
static void scale_image(float *y, const float *x, const float *factor,
                        struct sy_shape in, bool add)
{
    int rows = in.h * in.w;
    for (int i = 0; i < rows; i++) {
#define BODY(c, lanes)                                                         \
    do {                                                                       \
        vf v = v_get(x + c, lanes) * v_get(factor + c, lanes);                 \
        v_put(y + c, add ? v_get(y + c, lanes) + v : v, lanes);                \
    } while (0)
        FOR_CHANNELS(in.c, BODY);
#undef BODY
        x += in.c;
        y += in.c;
    }
}

void SY_KERNEL(scale_forward)(const struct sy_op_args *args)
{
    size_t image = sy_shape_floats(args->in);
    for (int n = 0; n < args->count; n++) {
        scale_image(args->y + (size_t)n * image, args->x + (size_t)n * image,
                    args->x2 + (size_t)n * (size_t)args->in.c, args->in, false);
    }
}

void SY_KERNEL(scale_infer)(const struct sy_infer_args *args)
{
    for (int n = 0; n < args->count; n++) {
        const struct sy_infer_args one = sy_infer_image(args, n);
        scale_image(one.y, one.x, one.x2, one.in, false);
    }
}

void SY_KERNEL(scale_backward)(const struct sy_op_args *args)
{
    size_t image = sy_shape_floats(args->in), channels = (size_t)args->in.c;
    int rows = args->in.h * args->in.w;
    for (int n = 0; n < args->count; n++) {
        const float *x = args->x + (size_t)n * image;
        const float *dy = args->dy + (size_t)n * image;
        if (args->dx2 != NULL) {
            float *dx2 = args->dx2 + (size_t)n * channels;
#define BODY(at, lanes)                                                        \
    do {                                                                       \
        vf d = sum_rows(dy + at, x + at, rows, args->in.c, lanes);             \
        d += args->add_dx2 ? v_get(dx2 + at, lanes) : v_zero();                \
        v_put(dx2 + at, d, lanes);                                             \
    } while (0)
            FOR_CHANNELS(args->in.c, BODY);
#undef BODY
        }
        if (args->dx != NULL) {
            scale_image(args->dx + (size_t)n * image, dy,
                        args->x2 + (size_t)n * channels, args->in,
                        args->add_dx);
        }
    }
}
