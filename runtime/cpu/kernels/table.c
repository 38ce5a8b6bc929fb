/*
 * table.c - the backend of one instruction set: which kernel serves what.
 */
#if defined(__F16C__)
#include <cpuid.h>
#endif

#include "runtime/cpu/cpu.h"
#include "runtime/cpu/kernels/kernels.h"

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

#if defined(__F16C__)
/* The builtin of older compilers does not know this one by name. */
static bool widens_halves(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

/* Asks for what this file was compiled for; the builtin also asks whether
   the operating system saves the registers. */
static bool available(void)
{
#if defined(__AVX512F__)
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           widens_halves();
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           widens_halves();
#else
    return true;
#endif
}

static size_t scratch(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out, int count)
{
    if (node->op == SY_OP_CONV) {
        return SY_KERNEL(conv_scratch)(node, in, out, count);
    }
    if (node->op == SY_OP_DENSE) {
        return SY_KERNEL(dense_scratch)(node, in, out, count);
    }
    return 0;
}

static size_t infer_scratch(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out)
{
    return node->op == SY_OP_CONV ? SY_KERNEL(conv_infer_scratch)(node, in, out)
                                  : 0;
}

const struct sy_backend SY_PASTE(sy_backend, SY_ISA) = {
    .name = TEXT(SY_ISA),
    .available = available,
    .stats = {[SY_OP_NORM] = SY_KERNEL(norm_stats)},
    .forward = {[SY_OP_CONV] = SY_KERNEL(conv_forward),
                [SY_OP_DEPTHWISE] = SY_KERNEL(depthwise_forward),
                [SY_OP_NORM] = SY_KERNEL(norm_forward),
                [SY_OP_ACT] = SY_KERNEL(act_forward),
                [SY_OP_ADD] = SY_KERNEL(add_forward),
                [SY_OP_POOL] = SY_KERNEL(pool_forward),
                [SY_OP_CELLS] = SY_KERNEL(cells_forward),
                [SY_OP_TEXTURES] = SY_KERNEL(textures_forward),
                [SY_OP_DENSE] = SY_KERNEL(dense_forward),
                [SY_OP_SCALE] = SY_KERNEL(scale_forward)},
    .sums = {[SY_OP_NORM] = SY_KERNEL(norm_sums)},
    .backward = {[SY_OP_CONV] = SY_KERNEL(conv_backward),
                 [SY_OP_DEPTHWISE] = SY_KERNEL(depthwise_backward),
                 [SY_OP_NORM] = SY_KERNEL(norm_backward),
                 [SY_OP_ACT] = SY_KERNEL(act_backward),
                 [SY_OP_ADD] = SY_KERNEL(add_backward),
                 [SY_OP_POOL] = SY_KERNEL(pool_backward),
                 [SY_OP_DENSE] = SY_KERNEL(dense_backward),
                 [SY_OP_SCALE] = SY_KERNEL(scale_backward)},
    .scratch = scratch,
#if defined(__FMA__)
    /* What is left to BLAS is cut by shard. */
    .split = {[SY_OP_CONV] = &SY_KERNEL(conv_split),
              [SY_OP_DENSE] = &SY_KERNEL(dense_split)},
#endif
    .infer = {[SY_OP_CONV] = SY_KERNEL(conv_infer),
              [SY_OP_DEPTHWISE] = SY_KERNEL(depthwise_infer),
              [SY_OP_NORM] = SY_KERNEL(norm_infer),
              [SY_OP_ACT] = SY_KERNEL(act_infer),
              [SY_OP_ADD] = SY_KERNEL(add_infer),
              [SY_OP_POOL] = SY_KERNEL(pool_infer),
              [SY_OP_CELLS] = SY_KERNEL(cells_infer),
              [SY_OP_TEXTURES] = SY_KERNEL(textures_infer),
              [SY_OP_DENSE] = SY_KERNEL(dense_infer),
              [SY_OP_SCALE] = SY_KERNEL(scale_infer)},
    .infer_scratch = infer_scratch,
    .packed_floats = SY_KERNEL(packed_floats),
    .pack = SY_KERNEL(pack_weight),
    .halves = SY_KERNEL(halves),
    .infer_pair = SY_KERNEL(pair_infer),
    .pair_scratch = SY_KERNEL(pair_scratch),
    .pair_pack = SY_KERNEL(pair_pack),
};
