/*
 * group.c - inference: convolutions in groups narrower than a vector.
 *
 * DESIGN: products of matrices would fill 4 or 6 of 16 lanes, so a vector
 * holds as many whole groups as fit instead. Its output lanes and its input
 * lanes are then the same channels, and step i of a group needs input i of
 * the own group in every lane: one permutation of the input vector that was
 * loaded once per tap. A segment of neighbouring positions shares each weight
 * vector. Outside the image an input is zero.
 *
 * Packed weight: [chunk of groups][ky][kx][i][VL], zeros in unused lanes.
 * Each output number is summed over [ky][kx][i] in order by one accumulator.
 */
#include "runtime/cpu/kernels/kernels.h"

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
    return node->groups > 1 && in.c == out.c && width <= VL;
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

/* The input at row iy, column ix of the chunk's channels. */
INLINE vf input(const struct chunk *chunk, int iy, int ix)
{
    struct sy_shape in = chunk->args->in;
    if (ix < 0 || ix >= in.w) {
        return v_zero();
    }
    return v_get(chunk->args->x + ((ptrdiff_t)iy * in.w + ix) * in.c +
                     chunk->first,
                 chunk->load);
}

/* Positions ox .. ox + count - 1 of row oy. */
INLINE void segment(const struct chunk *chunk, const int count, int oy, int ox)
{
    const struct sy_infer_args *args = chunk->args;
    const int kernel = args->node->kernel, stride = args->node->stride;
    int iy = oy * stride - kernel / 2, ix = ox * stride - kernel / 2;
    ptrdiff_t channels = args->out.c;
    ptrdiff_t at = ((ptrdiff_t)oy * args->out.w + ox) * channels + chunk->first;
    vf acc[SEGMENT], x[SEGMENT];

    UNROLL for (int p = 0; p < count; p++)
    {
        acc[p] = v_zero();
    }
    for (int ky = 0; ky < kernel; ky++) {
        if (iy + ky < 0 || iy + ky >= args->in.h) {
            continue;
        }
        const float *w =
            chunk->packed + (ptrdiff_t)ky * kernel * chunk->width * VL;
        for (int kx = 0; kx < kernel; kx++) {
            UNROLL for (int p = 0; p < count; p++)
            {
                x[p] = input(chunk, iy + ky, ix + kx + p * stride);
            }
            for (int i = 0; i < chunk->width; i++, w += VL) {
                vf weight = v_load(w);
                vi from = chunk->step[i];
                UNROLL for (int p = 0; p < count; p++)
                {
                    acc[p] += weight * permute(x[p], from);
                }
            }
        }
    }
    vf scale = v_get(args->scale + chunk->first, chunk->store);
    vf bias = v_get(args->bias + chunk->first, chunk->store);
    WITH_ACT(
        args->node->act, UNROLL for (int p = 0; p < count; p++) {
            vf y = v_act(act, acc[p] * scale + bias);
            if (args->residual != NULL) {
                y += v_get(args->residual + at + p * channels, chunk->store);
            }
            v_put(args->y + at + p * channels, y, chunk->store);
        });
}

static void run_chunk(const struct chunk *chunk)
{
    struct sy_shape out = chunk->args->out;
    for (int oy = 0; oy < out.h; oy++) {
        int ox = 0;
        for (; ox + SEGMENT <= out.w; ox += SEGMENT) {
            segment(chunk, SEGMENT, oy, ox);
        }
        for (; ox < out.w; ox++) {
            segment(chunk, 1, oy, ox);
        }
    }
}

void SY_KERNEL(group_infer)(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    struct chunk chunk = {.args = args,
                          .packed = args->packed,
                          .width = args->in.c / node->groups};
    int lanes = groups_per_chunk(chunk.width) * chunk.width;
    for (int i = 0; i < chunk.width; i++) {
        for (int l = 0; l < VL; l++) {
            chunk.step[i][l] =
                l < lanes ? l / chunk.width * chunk.width + i : l;
        }
    }
    for (int c = 0; c < args->in.c; c += lanes) {
        int end = args->in.c - c < lanes ? args->in.c : c + lanes;
        chunk.first = c;
        chunk.load = v_lanes(c, args->in.c);
        chunk.store = v_lanes(c, end);
        run_chunk(&chunk);
        chunk.packed += chunk_floats(node, chunk.width);
    }
}
