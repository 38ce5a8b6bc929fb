/*
 * infer.c - inference: packing of weights, convolution and dense layers over
 * packed panels with everything that follows fused in (gemm.c's epilogue).
 *
 * DESIGN: a 1 x 1 window with stride 1 multiplies the activations where they
 * lie. Other windows are gathered (columns.h) in tiles of positions that stay
 * in the first-level cache while all panels pass over them. A weight of a
 * grouped convolution is packed group by group.
 *
 * Each output number is summed over [ky][kx][c] in order by one accumulator.
 */
#include "runtime/cpu/kernels/columns.h"
#include "runtime/cpu/kernels/kernels.h"

enum { TILE_FLOATS = 6144, TILE_LEAST_ROWS = 12 };

static bool is_direct(const struct sy_node *node)
{
    return node->kernel == 1 && node->stride == 1;
}

static int tile_rows(int depth, int positions)
{
    int rows = TILE_FLOATS / depth;
    rows = rows < TILE_LEAST_ROWS ? TILE_LEAST_ROWS : rows;
    return rows < positions ? rows : positions;
}

size_t SY_KERNEL(conv_infer_scratch)(const struct sy_node *node,
                                     struct sy_shape in, struct sy_shape out)
{
    if (is_direct(node)) {
        return 0;
    }
    struct columns columns = columns_of(node, in, out);
    int depth = columns_depth(&columns);
    return (size_t)depth * (size_t)tile_rows(depth, out.h * out.w);
}

size_t SY_KERNEL(packed_floats)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out)
{
    if (node->op == SY_OP_CONV) {
        struct columns columns = columns_of(node, in, out);
        return (size_t)node->groups *
               SY_KERNEL(packed)(columns_depth(&columns), out.c / node->groups);
    }
    if (node->op == SY_OP_DEPTHWISE) {
        return SY_KERNEL(packed)(node->kernel * node->kernel, in.c);
    }
    if (node->op == SY_OP_DENSE) {
        return SY_KERNEL(packed)(in.c, out.c);
    }
    return 0;
}

/* [k*k][C] to [C/VL][k*k][VL], zeros behind channel C. */
static void pack_depthwise(float *packed, const float *weight, int taps,
                           int channels)
{
    for (int c = 0; c < channels; c += VL) {
        struct lanes lanes = v_lanes(c, channels);
        for (int t = 0; t < taps; t++) {
            v_store(packed, v_get(weight + (ptrdiff_t)t * channels + c, lanes));
            packed += VL;
        }
    }
}

void SY_KERNEL(pack_weight)(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out, const float *weight,
                            float *packed)
{
    if (node->op == SY_OP_CONV) {
        struct columns columns = columns_of(node, in, out);
        int depth = columns_depth(&columns), part = out.c / node->groups;
        for (int g = 0; g < node->groups; g++) {
            SY_KERNEL(pack)(packed, weight + g * part, out.c, 1, depth, part);
            packed += SY_KERNEL(packed)(depth, part);
        }
    } else if (node->op == SY_OP_DEPTHWISE) {
        pack_depthwise(packed, weight, node->kernel * node->kernel, in.c);
    } else if (node->op == SY_OP_DENSE) {
        SY_KERNEL(pack)(packed, weight, out.c, 1, in.c, out.c);
    }
}

/* All panels of one group over `rows` positions from `at` on. */
static void panels(const struct sy_infer_args *args, const float *packed,
                   const float *a, ptrdiff_t a_row, int depth, ptrdiff_t at,
                   int rows, int first, int columns)
{
    struct panel panel = {.a = a,
                          .a_row = a_row,
                          .a_step = 1,
                          .b = packed,
                          .m = rows,
                          .k = depth,
                          .c_row = args->out.c,
                          .act = args->node->act};
    for (int n = 0; n < columns;) {
        panel.vectors = SY_KERNEL(panel_vectors)(n, columns);
        int width = panel.vectors * VL, c = first + n;
        ptrdiff_t to = at * args->out.c + c;
        panel.n = columns - n < width ? columns - n : width;
        panel.c = args->y + to;
        panel.scale = args->scale != NULL ? args->scale + c : NULL;
        panel.bias = args->bias != NULL ? args->bias + c : NULL;
        panel.residual = args->residual != NULL ? args->residual + to : NULL;
        SY_KERNEL(panel)(&panel);
        panel.b += (size_t)depth * (size_t)width;
        n += width;
    }
}

void SY_KERNEL(conv_infer)(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    struct columns columns = columns_of(node, args->in, args->out);
    int depth = columns_depth(&columns), part = args->out.c / node->groups;
    int positions = args->out.h * args->out.w;
    int rows = is_direct(node) ? positions : tile_rows(depth, positions);
    size_t packed = SY_KERNEL(packed)(depth, part);

    for (int at = 0; at < positions; at += rows) {
        int here = positions - at < rows ? positions - at : rows;
        for (int g = 0; g < node->groups; g++) {
            const float *a = args->x + g * depth;
            ptrdiff_t a_row = args->in.c;
            if (!is_direct(node)) {
                columns_move(&columns, args->x, NULL, args->scratch, at, here,
                             g, false);
                a = args->scratch;
                a_row = depth;
            }
            panels(args, args->packed + (size_t)g * packed, a, a_row, depth, at,
                   here, g * part, part);
        }
    }
}

void SY_KERNEL(dense_infer)(const struct sy_infer_args *args)
{
    panels(args, args->packed, args->x, args->in.c, args->in.c, 0, 1, 0,
           args->out.c);
}
