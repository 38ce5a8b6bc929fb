/*
 * norm.c - batch normalisation with its activation: statistics, forward,
 * sums and backward.
 *
 * DESIGN: these are passes over memory with little arithmetic, so the number
 * of passes decides: stats reads x once, forward reads x and writes y, sums
 * reads x and dy, backward reads both and writes dx; xhat and the slope of
 * the activation are computed again from x and never stored. Rows are taken
 * in groups of GROUP, one vector of channels at a time, so that the
 * parameters of a channel are loaded once per group; groups are small, since
 * memory is only fast in a line: with 8 rows the forward took 2.3 times as
 * long. What is not in the cache is asked for AHEAD floats before it is used.
 *
 * The statistics of a chunk that fits L1 are taken in two passes (mean, then
 * squared deviations from it) and merged after Chan, Golub and LeVeque
 * (1979): as exact as two passes over memory, for the price of one. Chunks
 * depend on the number of channels only, and everything is added in a fixed
 * order.
 */
#include "runtime/cpu/kernels/kernels.h"

enum { GROUP = 2, AHEAD = 1024, CHUNK_FLOATS = 4096, CHUNK_STEP = 8 };

static ptrdiff_t rows_of(const struct sy_op_args *args)
{
    return (ptrdiff_t)args->count * args->in.h * args->in.w;
}

/* Rows of a chunk: a multiple of CHUNK_STEP. */
static ptrdiff_t chunk_rows(int channels)
{
    ptrdiff_t rows = CHUNK_FLOATS / channels / CHUNK_STEP * CHUNK_STEP;
    return rows < CHUNK_STEP ? CHUNK_STEP : rows;
}

/* Merges the moments of rows [first, first + rows) of one vector. */
INLINE void stats_lanes(const struct sy_op_args *args, ptrdiff_t first,
                        ptrdiff_t rows, int c, struct lanes lanes)
{
    ptrdiff_t channels = args->in.c;
    const float *x = args->x + first * channels + c;
    vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    vf m2[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    ptrdiff_t i = 0;

    for (; i + 4 <= rows; i += 4) {
        UNROLL for (int j = 0; j < 4; j++)
        {
            sum[j] += v_get(x + (i + j) * channels, lanes);
        }
    }
    for (; i < rows; i++) {
        sum[0] += v_get(x + i * channels, lanes);
    }
    vf mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) * (1.0f / (float)rows);
    for (i = 0; i + 4 <= rows; i += 4) {
        UNROLL for (int j = 0; j < 4; j++)
        {
            vf d = v_get(x + (i + j) * channels, lanes) - mean;
            m2[j] += d * d;
        }
    }
    for (; i < rows; i++) {
        vf d = v_get(x + i * channels, lanes) - mean;
        m2[0] += d * d;
    }
    vf total = (m2[0] + m2[1]) + (m2[2] + m2[3]);
    float *to_mean = args->partial + c, *to_m2 = to_mean + channels;
    if (first > 0) {
        float all = (float)(first + rows);
        vf before = v_get(to_mean, lanes), delta = mean - before;
        mean = before + delta * ((float)rows / all);
        total = v_get(to_m2, lanes) + total +
                delta * delta * ((float)first * ((float)rows / all));
    }
    v_put(to_mean, mean, lanes);
    v_put(to_m2, total, lanes);
}

void SY_KERNEL(norm_stats)(const struct sy_op_args *args)
{
    int channels = args->in.c, whole = channels / VL * VL;
    ptrdiff_t rows = rows_of(args), chunk = chunk_rows(channels);

    if (rows == 0) {
        memset(args->partial, 0, 2 * (size_t)channels * sizeof(float));
    }
    for (ptrdiff_t first = 0; first < rows; first += chunk) {
        ptrdiff_t part = rows - first < chunk ? rows - first : chunk;
        struct lanes lanes = {true, v_mask(VL)};
        for (int c = 0; c < whole; c += VL) {
            stats_lanes(args, first, part, c, lanes);
        }
        if (whole < channels) {
            lanes = (struct lanes){false, v_mask(channels - whole)};
            stats_lanes(args, first, part, whole, lanes);
        }
    }
}

/* What a channel's rows share; `factor` = scale / sqrt(var + eps). */
struct channel {
    vf mean, inverse, scale, bias, factor;
};

INLINE struct channel channel_of(const struct sy_op_args *args, int c,
                                 struct lanes lanes)
{
    struct channel v;
    v.mean = v_get(args->moments + c, lanes);
    v.inverse = v_get(args->moments + args->in.c + c, lanes);
    v.scale = v_get(args->w + c, lanes);
    v.bias = v_get(args->b + c, lanes);
    v.factor = v.scale * v.inverse;
    return v;
}

INLINE void forward_lanes(const struct sy_op_args *args, const enum sy_act act,
                          const int rows, ptrdiff_t first, int c,
                          struct lanes lanes)
{
    ptrdiff_t channels = args->in.c, at = first * channels + c;
    struct channel v = channel_of(args, c, lanes);
    UNROLL for (int i = 0; i < rows; i++)
    {
        const float *from = args->x + at + i * channels;
        float *to = args->y + at + i * channels;
        v_fetch(from, AHEAD);
        v_fetch_to_write(to, AHEAD);
        vf z = (v_get(from, lanes) - v.mean) * v.factor + v.bias;
        v_put(to, v_act(act, z), lanes);
    }
}

INLINE void backward_lanes(const struct sy_op_args *args, const enum sy_act act,
                           const bool add, const int rows, ptrdiff_t first,
                           int c, struct lanes lanes)
{
    ptrdiff_t channels = args->in.c, at = first * channels + c;
    struct channel v = channel_of(args, c, lanes);
    float share = 1.0f / (float)args->total_rows;
    vf of_scale = v_get(args->totals + c, lanes) * share;
    vf of_bias = v_get(args->totals + channels + c, lanes) * share;
    vf slant = of_scale * v.inverse;
    UNROLL for (int i = 0; i < rows; i++)
    {
        v_fetch(args->x + at + i * channels, AHEAD);
        v_fetch(args->dy + at + i * channels, AHEAD);
        vf d = v_get(args->x + at + i * channels, lanes) - v.mean;
        vf dz = v_get(args->dy + at + i * channels, lanes);
        if (act != SY_ACT_NONE) {
            dz *= v_slope(act, d * v.factor + v.bias);
        }
        vf dx = v.factor * (dz - of_bias - d * slant);
        float *to = args->dx + at + i * channels;
        v_put(to, add ? v_get(to, lanes) + dx : dx, lanes);
    }
}

/* BODY(rows, first, c, lanes) for every group of rows and vector. */
#define FOR_GROUPS(args, BODY)                                                 \
    do {                                                                       \
        int channels_ = (args)->in.c, whole_ = channels_ / VL * VL;            \
        ptrdiff_t rows_ = rows_of(args), first_ = 0;                           \
        const struct lanes full_ = {true, v_mask(VL)};                         \
        const struct lanes part_ = {false, v_mask(channels_ - whole_)};        \
        for (; first_ + GROUP <= rows_; first_ += GROUP) {                     \
            for (int c_ = 0; c_ < whole_; c_ += VL) {                          \
                BODY(GROUP, first_, c_, full_);                                \
            }                                                                  \
            if (whole_ < channels_) {                                          \
                BODY(GROUP, first_, whole_, part_);                            \
            }                                                                  \
        }                                                                      \
        for (; first_ < rows_; first_++) {                                     \
            for (int c_ = 0; c_ < whole_; c_ += VL) {                          \
                BODY(1, first_, c_, full_);                                    \
            }                                                                  \
            if (whole_ < channels_) {                                          \
                BODY(1, first_, whole_, part_);                                \
            }                                                                  \
        }                                                                      \
    } while (0)

void SY_KERNEL(norm_forward)(const struct sy_op_args *args)
{
#define BODY(rows, first, c, lanes)                                            \
    forward_lanes(args, act, rows, first, c, lanes)
    WITH_ACT(args->node->act, FOR_GROUPS(args, BODY));
#undef BODY
}

void SY_KERNEL(norm_backward)(const struct sy_op_args *args)
{
    if (args->dx == NULL) {
        return;
    }
#define BODY(rows, first, c, lanes)                                            \
    backward_lanes(args, act, add, rows, first, c, lanes)
    if (args->add_dx) {
        const bool add = true;
        WITH_ACT(args->node->act, FOR_GROUPS(args, BODY));
    } else {
        const bool add = false;
        WITH_ACT(args->node->act, FOR_GROUPS(args, BODY));
    }
#undef BODY
}

INLINE void sums_lanes(const struct sy_op_args *args, const enum sy_act act,
                       ptrdiff_t first, ptrdiff_t rows, int c,
                       struct lanes lanes)
{
    ptrdiff_t channels = args->in.c;
    struct channel v = channel_of(args, c, lanes);
    const float *x = args->x + first * channels + c;
    const float *dy = args->dy + first * channels + c;
    /* The next chunk's part of x, line by line; dy has just been written. */
    const float *next = args->x;
    const ptrdiff_t next_at = (first + rows) * channels + c * rows;
    vf scale[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    vf bias[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    for (ptrdiff_t i = 0; i < rows; i += 4) {
        UNROLL for (int j = 0; j < 4; j++)
        {
            if (i + j >= rows) {
                break;
            }
            v_fetch(next, next_at + (i + j) * VL);
            vf d = v_get(x + (i + j) * channels, lanes) - v.mean;
            vf dz = v_get(dy + (i + j) * channels, lanes);
            if (act != SY_ACT_NONE) {
                dz *= v_slope(act, d * v.factor + v.bias);
            }
            scale[j] += dz * d;
            bias[j] += dz;
        }
    }
    float *to = args->partial + c;
    vf s = ((scale[0] + scale[1]) + (scale[2] + scale[3])) * v.inverse;
    vf b = (bias[0] + bias[1]) + (bias[2] + bias[3]);
    if (first > 0) {
        s += v_get(to, lanes);
        b += v_get(to + channels, lanes);
    }
    v_put(to, s, lanes);
    v_put(to + channels, b, lanes);
}

INLINE void sums_chunks(const struct sy_op_args *args, const enum sy_act act)
{
    int channels = args->in.c, whole = channels / VL * VL;
    ptrdiff_t rows = rows_of(args), chunk = chunk_rows(channels) / 2;

    chunk = chunk < CHUNK_STEP ? CHUNK_STEP : chunk;
    for (ptrdiff_t first = 0; first < rows; first += chunk) {
        ptrdiff_t part = rows - first < chunk ? rows - first : chunk;
        struct lanes lanes = {true, v_mask(VL)};
        for (int c = 0; c < whole; c += VL) {
            sums_lanes(args, act, first, part, c, lanes);
        }
        if (whole < channels) {
            lanes = (struct lanes){false, v_mask(channels - whole)};
            sums_lanes(args, act, first, part, whole, lanes);
        }
    }
}

void SY_KERNEL(norm_sums)(const struct sy_op_args *args)
{
    if (rows_of(args) == 0) {
        memset(args->partial, 0, 2 * (size_t)args->in.c * sizeof(float));
        return;
    }
    WITH_ACT(args->node->act, sums_chunks(args, act));
}

/* y = act(scale * x + bias), norm folded. */
INLINE void infer_row(const struct sy_infer_args *args, const enum sy_act act,
                      ptrdiff_t first, int c, struct lanes lanes)
{
    ptrdiff_t at = first * args->in.c + c;
    vf x = v_get(args->x + at, lanes);
    vf z = x * v_get(args->scale + c, lanes) + v_get(args->bias + c, lanes);
    v_put(args->y + at, v_act(act, z), lanes);
}

void SY_KERNEL(norm_infer)(const struct sy_infer_args *args)
{
    int channels = args->in.c, whole = channels / VL * VL;
    ptrdiff_t rows = (ptrdiff_t)args->count * args->in.h * args->in.w;
    const struct lanes full = {true, v_mask(VL)};
    const struct lanes part = {false, v_mask(channels - whole)};
    WITH_ACT(
        args->node->act, for (ptrdiff_t i = 0; i < rows; i++) {
            for (int c = 0; c < whole; c += VL) {
                infer_row(args, act, i, c, full);
            }
            if (whole < channels) {
                infer_row(args, act, i, whole, part);
            }
        });
}
