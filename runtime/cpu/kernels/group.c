/*
 * group.c - convolutions in groups narrower than a vector.
 * Used with 16 lanes only: with 8 or 4 the products of matrices are as fast.
 *
 * DESIGN: products of matrices would fill 4 or 6 of 16 lanes, so a vector
 * holds as many whole groups as fit instead. Its output lanes and its input
 * lanes are then the same channels, and step i of a group needs input i of
 * the own group in every lane: one permutation of the input vector. Of a
 * segment of neighbouring positions each input column is loaded and permuted
 * once per row and step, and multiplied into every position it belongs to.
 * Columns and rows outside the image are skipped.
 *
 * Training, with stride 1: the gradient of the input is the same with the
 * weight turned about its middle and each group's transposed. That of the
 * weight keeps a few inputs of one line of the window in registers and walks
 * over an image; images are added up in order.
 *
 * Packed weight: [chunk of groups][ky][kx][i][VL], zeros in unused lanes.
 * Each output number is summed over [ky][i][kx] in order by one accumulator.
 */
#include "runtime/cpu/kernels/kernels.h"
#include "runtime/cpu/kernels/narrow.h"

#define UNROLL_COLUMNS _Pragma("GCC unroll 32")

enum { SEGMENT = VL == 16 ? 8 : 4 };

/* One chunk of whole groups on one image. */
struct chunk {
    const struct sy_infer_args *args;
    const float *packed;
    int first; /* channel of lane 0 */
    int width; /* channels in a group */
    struct lanes load, store;
    vi step[VL]; /* lane -> lane of input i of its group */
};

bool SY_KERNEL(group_is_narrow)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out)
{
    int width = in.c / node->groups;
    return VL == 16 && node->groups > 1 && in.c == out.c && width <= VL;
}

/* Whole groups in one vector. */
static int groups_per_chunk(int width)
{
    return VL / width;
}

static size_t chunk_floats(const struct sy_node *node, int width)
{
    return (size_t)node->kernel * (size_t)node->kernel * (size_t)width * VL;
}

size_t SY_KERNEL(group_packed)(const struct sy_node *node, struct sy_shape in)
{
    int width = in.c / node->groups, per = groups_per_chunk(width);
    int chunks = (node->groups + per - 1) / per;
    return (size_t)chunks * chunk_floats(node, width);
}

void SY_KERNEL(group_pack)(const struct sy_node *node, struct sy_shape in,
                           const float *weight, float *packed)
{
    int width = in.c / node->groups;
    int lanes = groups_per_chunk(width) * width;
    int rows = node->kernel * node->kernel * width;
    for (int first = 0; first < in.c; first += lanes) {
        int used = in.c - first < lanes ? in.c - first : lanes;
        for (int r = 0; r < rows; r++) {
            for (int l = 0; l < VL; l++) {
                *packed++ = l < used ? weight[r * in.c + first + l] : 0.0f;
            }
        }
    }
}

/* Lanes of `v` in the order `from` says. */
INLINE vf permute(vf v, vi from)
{
#if defined(__AVX512F__)
    return (vf)_mm512_permutexvar_ps((__m512i)from, (__m512)v);
#elif defined(__AVX2__)
    return (vf)_mm256_permutevar8x32_ps((__m256)v, (__m256i)from);
#else
    vf moved;
    for (int l = 0; l < VL; l++) {
        moved[l] = v[from[l]];
    }
    return moved;
#endif
}

/* Positions ox .. ox + count - 1 of row oy. `inside`: no column is outside. */
INLINE void segment(const struct chunk *chunk, const int kernel,
                    const int stride, const int count, const bool inside,
                    const bool full, int oy, int ox)
{
    const struct sy_infer_args *args = chunk->args;
    const int span = (count - 1) * stride + kernel;
    const struct lanes load = {full || chunk->load.full, chunk->load.mask};
    const struct lanes store = {full || chunk->store.full, chunk->store.mask};
    int iy = oy * stride - kernel / 2, ix = ox * stride - kernel / 2;
    ptrdiff_t in_channels = args->in.c, channels = args->out.c;
    ptrdiff_t at = ((ptrdiff_t)oy * args->out.w + ox) * channels + chunk->first;
    ptrdiff_t tap = (ptrdiff_t)chunk->width * VL;
    vf acc[SEGMENT];

    UNROLL for (int p = 0; p < count; p++)
    {
        acc[p] = v_zero();
    }
    for (int ky = 0; ky < kernel; ky++) {
        if (iy + ky < 0 || iy + ky >= args->in.h) {
            continue;
        }
        const float *row =
            args->x + ((ptrdiff_t)(iy + ky) * args->in.w + ix) * in_channels +
            chunk->first;
        for (int i = 0; i < chunk->width; i++) {
            const float *w = chunk->packed + ky * kernel * tap + i * VL;
            const vi from = chunk->step[i];
            vf weight[7];
            UNROLL for (int kx = 0; kx < kernel; kx++)
            {
                weight[kx] = v_load(w + kx * tap);
            }
            UNROLL_COLUMNS for (int j = 0; j < span; j++)
            {
                if (!inside && (ix + j < 0 || ix + j >= args->in.w)) {
                    continue;
                }
                vf x = permute(v_get(row + j * in_channels, load), from);
                UNROLL for (int kx = 0; kx < kernel; kx++)
                {
                    const int p = (j - kx) / stride;
                    if (j >= kx && p < count && p * stride + kx == j) {
                        acc[p] += weight[kx] * x;
                    }
                }
            }
        }
    }
    vf scale = v_set(1.0f), bias = v_zero();
    if (args->scale != NULL) {
        scale = v_get(args->scale + chunk->first, store);
        bias = v_get(args->bias + chunk->first, store);
    }
    WITH_ACT(
        args->node->act, UNROLL for (int p = 0; p < count; p++) {
            vf y = v_act(act, acc[p] * scale + bias);
            if (args->residual != NULL) {
                y += v_get(args->residual + at + p * channels, store);
            }
            v_put(args->y + at + p * channels, y, store);
        });
}

INLINE void run_rows(const struct chunk *chunk, const int kernel,
                     const int stride, const bool full)
{
    struct sy_shape out = chunk->args->out;
    const int span = (SEGMENT - 1) * stride + kernel;
    for (int oy = 0; oy < out.h; oy++) {
        int ox = 0;
        for (; ox + SEGMENT <= out.w; ox += SEGMENT) {
            int ix = ox * stride - kernel / 2;
            if (ix >= 0 && ix + span <= chunk->args->in.w) {
                segment(chunk, kernel, stride, SEGMENT, true, full, oy, ox);
            } else {
                segment(chunk, kernel, stride, SEGMENT, false, full, oy, ox);
            }
        }
        for (; ox < out.w; ox++) {
            segment(chunk, kernel, stride, 1, false, full, oy, ox);
        }
    }
}

/* A copy without masks where every lane is a channel. */
INLINE void run_chunk(const struct chunk *chunk, const int kernel,
                      const int stride)
{
    if (chunk->load.full && chunk->store.full) {
        run_rows(chunk, kernel, stride, true);
    } else {
        run_rows(chunk, kernel, stride, false);
    }
}

/* One copy of the loops for every kernel and stride. */
static void choose(const struct chunk *chunk)
{
    const struct sy_node *node = chunk->args->node;
    switch (node->kernel * 10 + node->stride) {
    case 11:
        run_chunk(chunk, 1, 1);
        break;
    case 12:
        run_chunk(chunk, 1, 2);
        break;
    case 31:
        run_chunk(chunk, 3, 1);
        break;
    case 32:
        run_chunk(chunk, 3, 2);
        break;
    case 51:
        run_chunk(chunk, 5, 1);
        break;
    case 52:
        run_chunk(chunk, 5, 2);
        break;
    case 71:
        run_chunk(chunk, 7, 1);
        break;
    case 72:
        run_chunk(chunk, 7, 2);
        break;
    default:
        SY_ASSERT(false);
    }
}

/* What all chunks share; the channels that one has. */
static int open_chunk(struct chunk *chunk, int width)
{
    int lanes = groups_per_chunk(width) * width;
    chunk->width = width;
    for (int i = 0; i < width; i++) {
        for (int l = 0; l < VL; l++) {
            chunk->step[i][l] = l < lanes ? l / width * width + i : l;
        }
    }
    return lanes;
}

static void move_chunk(struct chunk *chunk, int c, int lanes, int channels)
{
    chunk->first = c;
    chunk->load = v_lanes(c, channels);
    chunk->store = v_lanes(c, channels - c < lanes ? channels : c + lanes);
}

void SY_KERNEL(group_infer)(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    struct chunk chunk = {.args = args, .packed = args->packed};
    int lanes = open_chunk(&chunk, args->in.c / node->groups);
    for (int c = 0; c < args->in.c; c += lanes) {
        move_chunk(&chunk, c, lanes, args->in.c);
        choose(&chunk);
        chunk.packed += chunk_floats(node, chunk.width);
    }
}

/* Inputs of a group whose sums are in registers together. */
enum { INPUTS = 4 };

/*
 * Gradient of line `ky` of the window, inputs i .. i + inputs - 1 of each
 * group, on image n.
 */
INLINE void weight_line(const struct sy_op_args *args,
                        const struct chunk *chunk, const int kernel,
                        const int inputs, int n, int ky, int i)
{
    const struct sy_shape in = args->in;
    const ptrdiff_t channels = in.c, image = n * (ptrdiff_t)in.h * in.w;
    const float *x = args->x + image * channels + chunk->first;
    const float *dy = args->dy + image * channels + chunk->first;
    float *to = args->partial + chunk->first +
                ((ptrdiff_t)ky * kernel * chunk->width + i) * channels;
    const ptrdiff_t tap = chunk->width * channels;
    vf acc[INPUTS][7];
    UNROLL for (int b = 0; b < inputs; b++)
    {
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            const float *from = to + kx * tap + b * channels;
            acc[b][kx] = n > 0 ? v_get(from, chunk->store) : v_zero();
        }
    }
    for (int oy = 0; oy < in.h; oy++) {
        int iy = oy - kernel / 2 + ky;
        if (iy < 0 || iy >= in.h) {
            continue;
        }
        for (int ox = 0; ox < in.w; ox++) {
            int ix = ox - kernel / 2;
            vf d = v_get(dy + ((ptrdiff_t)oy * in.w + ox) * channels,
                         chunk->store);
            const float *from = x + ((ptrdiff_t)iy * in.w + ix) * channels;
            UNROLL for (int kx = 0; kx < kernel; kx++)
            {
                if (ix + kx < 0 || ix + kx >= in.w) {
                    continue;
                }
                vf v = v_get(from + kx * channels, chunk->load);
                UNROLL for (int b = 0; b < inputs; b++)
                {
                    acc[b][kx] += permute(v, chunk->step[i + b]) * d;
                }
            }
        }
    }
    UNROLL for (int b = 0; b < inputs; b++)
    {
        UNROLL for (int kx = 0; kx < kernel; kx++)
        {
            v_put(to + kx * tap + b * channels, acc[b][kx], chunk->store);
        }
    }
}

INLINE void weight_chunk(const struct sy_op_args *args,
                         const struct chunk *chunk, const int kernel)
{
    for (int n = 0; n < args->count; n++) {
        for (int ky = 0; ky < kernel; ky++) {
            int i = 0;
            for (; i + INPUTS <= chunk->width; i += INPUTS) {
                weight_line(args, chunk, kernel, INPUTS, n, ky, i);
            }
            for (; i < chunk->width; i++) {
                weight_line(args, chunk, kernel, 1, n, ky, i);
            }
        }
    }
}

static void backward_weight(const struct sy_op_args *args)
{
    struct chunk chunk = {0};
    int lanes = open_chunk(&chunk, args->in.c / args->node->groups);
    for (int c = 0; c < args->in.c; c += lanes) {
        move_chunk(&chunk, c, lanes, args->in.c);
        switch (args->node->kernel) {
        case 3:
            weight_chunk(args, &chunk, 3);
            break;
        case 5:
            weight_chunk(args, &chunk, 5);
            break;
        case 7:
            weight_chunk(args, &chunk, 7);
            break;
        default:
            weight_chunk(args, &chunk, 1);
            break;
        }
    }
}

/* The weight turned about its middle, each group's square transposed. */
static void turn_weight(const struct sy_op_args *args, float *turned)
{
    int channels = args->in.c, width = channels / args->node->groups;
    int taps = args->node->kernel * args->node->kernel;
    for (int t = 0; t < taps; t++) {
        const float *from = args->w + (taps - 1 - t) * width * channels;
        for (int o = 0; o < width; o++) {
            for (int c = 0; c < channels; c++) {
                *turned++ = from[c % width * channels + c / width * width + o];
            }
        }
    }
}

void SY_KERNEL(group_backward)(const struct sy_op_args *args, size_t packed)
{
    float *turned = args->scratch + packed;
    struct sy_infer_args data = {
        .node = args->node,
        .in = args->out,
        .out = args->in,
        .count = args->count,
        .x = args->dy,
        .packed = args->scratch,
        .residual = args->add_dx ? args->dx : NULL,
        .y = args->dx,
    };
    if (args->dx != NULL) {
        turn_weight(args, turned);
        SY_KERNEL(group_pack)(args->node, args->in, turned, args->scratch);
        for (int n = 0; n < args->count; n++) {
            const struct sy_infer_args one = sy_infer_image(&data, n);
            SY_KERNEL(group_infer)(&one);
        }
    }
    backward_weight(args);
}
