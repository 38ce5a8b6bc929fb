/*
 * kernels.h - what the kernel files of one instruction set show each other
 * and the table (table.c). Contracts: ops/op.h and backend/backend.h.
 */
#ifndef SY_CPU_KERNELS_H
#define SY_CPU_KERNELS_H

#include "runtime/backend/backend.h"
#include "runtime/cpu/blas.h"
#include "runtime/cpu/kernels/vec.h"

#if defined(__AVX512F__)
enum { MAX_VECTORS = 4 };
#else
enum { MAX_VECTORS = 2 };
#endif

/*
 * The most vectors that are summed at a time, a column of a tile or a segment
 * of a row: what the registers allow. EACH_HEIGHT(CASE) is CASE(n) for 1 to
 * that many, for a switch that makes a number known at run time a constant.
 */
#if defined(SY_SMALL_TILES)
enum { MAX_HEIGHT = 3 };
#define EACH_HEIGHT(CASE) CASE(1) CASE(2) CASE(3)
#elif defined(__AVX512F__)
enum { MAX_HEIGHT = 14 };
#define EIGHT_HEIGHTS(CASE)                                                    \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)

#define EACH_HEIGHT(CASE)                                                      \
    EIGHT_HEIGHTS(CASE) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
enum { MAX_HEIGHT = 8 };
#define EACH_HEIGHT(CASE)                                                      \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#endif

/*
 * `total` cut into the fewest parts of at most `most`, as evenly as it goes:
 * the first `more` have low + 1, the others low.
 */
struct cut {
    int parts, low, more;
};
INLINE struct cut cut_evenly(int total, int most)
{
    int parts = (total + most - 1) / most;
    struct cut cut = {parts, 0, 0};
    if (parts > 0) {
        cut.low = total / parts;
        cut.more = total % parts;
    }
    return cut;
}

/*
 * One column panel of a product: C[m][n] = epilogue(A[m][taps * k] * B).
 * A element (i, t, p) stands at a[i * a_row + tap[t] + p * a_step]; B is
 * packed, taps * k rows of `vectors` * VL numbers, zeros behind column n,
 * floats or of half the width. Each element is summed over t, then p, in order,
 * whatever m is.
 */
struct panel {
    const float *a;
    ptrdiff_t a_row, a_step;
    int taps;
    const ptrdiff_t *tap;
    const void *b;
    bool half; /* B holds numbers of half the width */
    int m, n, k;
    int vectors;
    float *c;
    ptrdiff_t c_row;
    bool accumulate; /* start from C instead of zero */
    bool far;        /* C is not in the cache, and asked for beforehand */

    /*
     * Where vectors of a row of C lie apart: c_step floats, 0 for VL. Where C
     * is rows of an image with something between them: after each c_width
     * rows of C come c_gap floats. Without accumulate and residual only.
     */
    ptrdiff_t c_step, c_gap;
    int c_width;

    struct sy_ahead *ahead; /* fetched meanwhile, see backend.h; or NULL */

    /* c = act(scale * sum + bias) + residual; NULL leaves a step out. */
    const float *scale, *bias;
    const float *residual; /* rows c_row apart */
    enum sy_act act;
};
void SY_KERNEL(panel)(const struct panel *panel);

/* Vectors of the panel that begins at column `n` of `columns`: the columns
   are cut into the fewest panels of `most` vectors at most, as evenly as it
   goes. MAX_VECTORS is what a panel can have. */
int SY_KERNEL(panel_vectors)(int n, int columns, int most);

/* Floats of a whole packed B[k][n], and packing it from rows `row` apart
   and elements `step` apart, for panels of `most` vectors at most. */
size_t SY_KERNEL(packed)(int k, int n);
void SY_KERNEL(pack)(float *packed, const float *b, ptrdiff_t row,
                     ptrdiff_t step, int k, int n, int most);

/* Where a packed B goes on after so many of its numbers. */
INLINE const void *packed_at(const void *packed, size_t numbers, bool half)
{
    size_t bytes = half ? sizeof(uint16_t) : sizeof(float);
    return (const char *)packed + numbers * bytes;
}

/* A product without BLAS, same contract as sy_sgemm. */
void SY_KERNEL(gemm)(const struct sy_gemm *gemm, const float *a, const float *b,
                     float *c);

/*
 * The products of training: our own tiles where there are vectors and fused
 * multiply-adds to tile for (up to 1.4 times OpenBLAS at the shapes of
 * training, and the same bits whatever is installed), BLAS otherwise.
 */
#if defined(__FMA__)
#define training_gemm SY_KERNEL(gemm)
#else
#define training_gemm sy_sgemm
#endif

/* Training in parts (struct sy_split): ranges of columns begin at vectors. */
enum { SPLIT_PARTS = 8 };
INLINE int split_at(int columns, int part, int parts)
{
    int vectors = (columns + VL - 1) / VL;
    int at = (int)((int64_t)vectors * part / parts) * VL;
    return at < columns ? at : columns;
}
extern const struct sy_split SY_KERNEL(conv_split), SY_KERNEL(dense_split);

/* Training. */
void SY_KERNEL(conv_forward)(const struct sy_op_args *args);
void SY_KERNEL(conv_backward)(const struct sy_op_args *args);
size_t SY_KERNEL(conv_scratch)(const struct sy_node *node, struct sy_shape in,
                               struct sy_shape out, int count);
void SY_KERNEL(depthwise_forward)(const struct sy_op_args *args);
void SY_KERNEL(depthwise_backward)(const struct sy_op_args *args);
void SY_KERNEL(norm_stats)(const struct sy_op_args *args);
void SY_KERNEL(norm_forward)(const struct sy_op_args *args);
void SY_KERNEL(norm_sums)(const struct sy_op_args *args);
void SY_KERNEL(norm_backward)(const struct sy_op_args *args);
void SY_KERNEL(act_forward)(const struct sy_op_args *args);
void SY_KERNEL(act_backward)(const struct sy_op_args *args);
void SY_KERNEL(add_forward)(const struct sy_op_args *args);
void SY_KERNEL(add_backward)(const struct sy_op_args *args);
void SY_KERNEL(pool_forward)(const struct sy_op_args *args);
void SY_KERNEL(pool_backward)(const struct sy_op_args *args);
void SY_KERNEL(cells_forward)(const struct sy_op_args *args);
void SY_KERNEL(textures_forward)(const struct sy_op_args *args);
void SY_KERNEL(dense_forward)(const struct sy_op_args *args);
void SY_KERNEL(dense_backward)(const struct sy_op_args *args);
size_t SY_KERNEL(dense_scratch)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out, int count);
void SY_KERNEL(scale_forward)(const struct sy_op_args *args);
void SY_KERNEL(scale_backward)(const struct sy_op_args *args);

/* Inference. */
void SY_KERNEL(conv_infer)(const struct sy_infer_args *args);
size_t SY_KERNEL(conv_infer_scratch)(const struct sy_node *node,
                                     struct sy_shape in, struct sy_shape out);
/* Convolutions in groups narrower than a vector (group.c). */
bool SY_KERNEL(group_is_narrow)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out);
size_t SY_KERNEL(group_packed)(const struct sy_node *node, struct sy_shape in);
void SY_KERNEL(group_pack)(const struct sy_node *node, struct sy_shape in,
                           const float *weight, float *packed);
void SY_KERNEL(group_infer)(const struct sy_infer_args *args);
void SY_KERNEL(depthwise_infer)(const struct sy_infer_args *args);
/* A 1 x 1 convolution and the depthwise one behind it. */
size_t SY_KERNEL(pair_scratch)(const struct sy_node *expand,
                               const struct sy_node *depthwise,
                               struct sy_shape middle);
void SY_KERNEL(pair_pack)(const struct sy_node *expand,
                          const struct sy_node *depthwise, struct sy_shape in,
                          struct sy_shape middle, const float *weight,
                          float *packed);
void SY_KERNEL(pair_infer)(const struct sy_infer_args *expand,
                           const struct sy_infer_args *depthwise);
void SY_KERNEL(norm_infer)(const struct sy_infer_args *args);
void SY_KERNEL(act_infer)(const struct sy_infer_args *args);
void SY_KERNEL(add_infer)(const struct sy_infer_args *args);
void SY_KERNEL(pool_infer)(const struct sy_infer_args *args);
void SY_KERNEL(cells_infer)(const struct sy_infer_args *args);
void SY_KERNEL(textures_infer)(const struct sy_infer_args *args);
void SY_KERNEL(dense_infer)(const struct sy_infer_args *args);
void SY_KERNEL(scale_infer)(const struct sy_infer_args *args);
size_t SY_KERNEL(packed_floats)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out);
bool SY_KERNEL(halves)(const struct sy_node *node, struct sy_shape in,
                       struct sy_shape out);
void SY_KERNEL(pack_weight)(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out, const float *weight,
                            float *packed);

#endif
