/*
 * infer.c - inference: packing of weights, convolution and dense layers over
 * packed panels with everything that follows fused in (gemm.c's epilogue).
 *
 * DESIGN: a 1 x 1 window with stride 1 multiplies the activations where they
 * lie. For other windows the image is copied once into scratch with its
 * padding around it, and each output row is a product whose rows overlap: the
 * window of the next position begins stride * C floats further on. So nothing
 * is gathered window by window; with three input channels, gathering cost
 * more than the product. A weight of a grouped convolution is packed group by
 * group; groups narrower than a vector have a kernel of their own (group.c).
 *
 * Each output number is summed over [ky][kx][c] in order by one accumulator.
 */
#include "runtime/cpu/kernels/kernels.h"

enum { MAX_TAPS = 49 };

static bool is_direct(const struct sy_node *node)
{
    return node->kernel == 1 && node->stride == 1;
}

/* Products per output number. */
static int depth_of(const struct sy_node *node, struct sy_shape in)
{
    return node->kernel * node->kernel * (in.c / node->groups);
}

size_t SY_KERNEL(conv_infer_scratch)(const struct sy_node *node,
                                     struct sy_shape in, struct sy_shape out)
{
    int pad = node->kernel / 2;
    struct sy_shape padded = {in.h + 2 * pad, in.w + 2 * pad, in.c};
    if (SY_KERNEL(group_is_narrow)(node, in, out)) {
        return 0;
    }
    return pad > 0 ? sy_shape_floats(padded) : 0;
}

size_t SY_KERNEL(packed_floats)(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out)
{
    if (node->op == SY_OP_CONV && SY_KERNEL(group_is_narrow)(node, in, out)) {
        return SY_KERNEL(group_packed)(node, in);
    }
    if (node->op == SY_OP_CONV) {
        return (size_t)node->groups *
               SY_KERNEL(packed)(depth_of(node, in), out.c / node->groups);
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
    if (node->op == SY_OP_CONV && SY_KERNEL(group_is_narrow)(node, in, out)) {
        SY_KERNEL(group_pack)(node, in, weight, packed);
    } else if (node->op == SY_OP_CONV) {
        int depth = depth_of(node, in), part = out.c / node->groups;
        for (int g = 0; g < node->groups; g++) {
            SY_KERNEL(pack)
            (packed, weight + g * part, out.c, 1, depth, part, MAX_VECTORS);
            packed += SY_KERNEL(packed)(depth, part);
        }
    } else if (node->op == SY_OP_DEPTHWISE) {
        pack_depthwise(packed, weight, node->kernel * node->kernel, in.c);
    } else if (node->op == SY_OP_DENSE) {
        SY_KERNEL(pack)(packed, weight, out.c, 1, in.c, out.c, MAX_VECTORS);
    }
}

/* A product with all column panels of one group (or of the whole weight). */
struct product {
    const float *a, *packed;
    ptrdiff_t a_row;
    int taps, run; /* run: steps per tap */
    const ptrdiff_t *tap;
    ptrdiff_t at;       /* first output position */
    int rows;           /* output positions */
    int first, columns; /* output channels */
};

static void run_product(const struct sy_infer_args *args,
                        const struct product *product)
{
    struct panel panel = {.a = product->a,
                          .a_row = product->a_row,
                          .a_step = 1,
                          .ahead = product->rows > 1 ? args->ahead : NULL,
                          .taps = product->taps,
                          .tap = product->tap,
                          .b = product->packed,
                          .m = product->rows,
                          .k = product->run,
                          .c_row = args->out.c,
                          .act = args->node->act};
    size_t depth = (size_t)product->taps * (size_t)product->run;
    for (int n = 0; n < product->columns;) {
        panel.vectors =
            SY_KERNEL(panel_vectors)(n, product->columns, MAX_VECTORS);
        int width = panel.vectors * VL, left = product->columns - n;
        int c = product->first + n;
        ptrdiff_t to = product->at * args->out.c + c;
        panel.n = left < width ? left : width;
        panel.c = args->y + to;
        panel.scale = args->scale != NULL ? args->scale + c : NULL;
        panel.bias = args->bias != NULL ? args->bias + c : NULL;
        panel.residual = args->residual != NULL ? args->residual + to : NULL;
        SY_KERNEL(panel)(&panel);
        panel.b += depth * (size_t)width;
        n += width;
    }
}

/* Copies the image into `to` with `pad` zeros on every side. */
static void pad_image(float *to, const float *x, struct sy_shape in, int pad)
{
    size_t side = (size_t)pad * (size_t)in.c, line = (size_t)in.w * in.c;
    size_t above = (size_t)pad * (line + 2 * side);
    memset(to, 0, above * sizeof(float));
    to += above;
    for (int y = 0; y < in.h; y++) {
        memset(to, 0, side * sizeof(float));
        memcpy(to + side, x, line * sizeof(float));
        memset(to + side + line, 0, side * sizeof(float));
        to += line + 2 * side;
        x += line;
    }
    memset(to, 0, above * sizeof(float));
}

/* One image; any convolution but those in narrow groups and direct ones. */
static void window_infer(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    const int kernel = node->kernel, pad = kernel / 2, groups = node->groups;
    const int depth = depth_of(node, args->in), part = args->out.c / groups;
    const ptrdiff_t channels = args->in.c;
    const ptrdiff_t line = (args->in.w + 2 * pad) * channels;
    ptrdiff_t tap[MAX_TAPS] = {0};
    const float *x = args->x;
    struct product product = {.a_row = node->stride * channels,
                              .taps = groups == 1 ? kernel : kernel * kernel,
                              .tap = tap,
                              .rows = args->out.w,
                              .columns = part};

    if (pad > 0) {
        pad_image(args->scratch, x, args->in, pad);
        x = args->scratch;
    }
    /* The taps of a line lie together unless a group takes a part of each. */
    product.run = depth / product.taps;
    for (int t = 0; t < product.taps; t++) {
        tap[t] =
            groups == 1 ? t * line : t / kernel * line + t % kernel * channels;
    }
    for (int g = 0; g < groups; g++) {
        product.packed =
            args->packed + (size_t)g * SY_KERNEL(packed)(depth, part);
        product.first = g * part;
        for (int oy = 0; oy < args->out.h; oy++) {
            product.a = x + oy * node->stride * line + g * (channels / groups);
            product.at = (ptrdiff_t)oy * args->out.w;
            run_product(args, &product);
        }
    }
}

/* 1 x 1 with stride 1: all positions of all images are rows of one product. */
static void direct_infer(const struct sy_infer_args *args)
{
    const int groups = args->node->groups, part = args->out.c / groups;
    const int depth = args->in.c / groups;
    const ptrdiff_t no_tap = 0;
    struct product product = {.a_row = args->in.c,
                              .taps = 1,
                              .run = depth,
                              .tap = &no_tap,
                              .rows = args->count * args->out.h * args->out.w,
                              .columns = part};
    for (int g = 0; g < groups; g++) {
        product.a = args->x + g * depth;
        product.packed =
            args->packed + (size_t)g * SY_KERNEL(packed)(depth, part);
        product.first = g * part;
        run_product(args, &product);
    }
}

void SY_KERNEL(conv_infer)(const struct sy_infer_args *args)
{
    if (SY_KERNEL(group_is_narrow)(args->node, args->in, args->out)) {
        for (int n = 0; n < args->count; n++) {
            const struct sy_infer_args one = sy_infer_image(args, n);
            SY_KERNEL(group_infer)(&one);
        }
    } else if (is_direct(args->node)) {
        direct_infer(args);
    } else {
        for (int n = 0; n < args->count; n++) {
            const struct sy_infer_args one = sy_infer_image(args, n);
            window_infer(&one);
        }
    }
}

void SY_KERNEL(dense_infer)(const struct sy_infer_args *args)
{
    const ptrdiff_t no_tap = 0;
    struct product product = {.a = args->x,
                              .packed = args->packed,
                              .a_row = args->in.c,
                              .taps = 1,
                              .run = args->in.c,
                              .tap = &no_tap,
                              .rows = args->count,
                              .columns = args->out.c};
    run_product(args, &product);
}
