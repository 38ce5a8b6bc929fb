/*
 * infer.c - inference: packing of weights, convolution and dense layers over
 * packed panels with everything that follows fused in (gemm.c's epilogue).
 *
 * DESIGN: a 1 x 1 window with stride 1 multiplies the activations where they
 * lie. For other windows the image is copied into scratch with its padding
 * around it, band by band, and each output row is a product whose rows overlap:
 * the window of the next position begins stride * C floats further on. So
 * nothing is gathered window by window; with three input channels, gathering
 * cost more than the product. A weight of a grouped convolution is packed group
 * by group; groups narrower than a vector have a kernel of their own (group.c).
 *
 * Each output number is summed over [ky][kx][c] in order by one accumulator.
 */
#include "runtime/cpu/kernels/kernels.h"

enum { MAX_TAPS = 49 };

/* A band of an image: as much as a part of the second-level cache takes, but
   so many windows that few rows are copied for two bands. */
enum { BAND_BYTES = 64 * 1024, BAND_LEAST_WINDOWS = 3 };

static bool is_direct(const struct sy_node *node)
{
    return node->kernel == 1 && node->stride == 1;
}

/* Products per output number. */
static int depth_of(const struct sy_node *node, struct sy_shape in)
{
    return node->kernel * node->kernel * (in.c / node->groups);
}

/* A line of the image with its padding, in floats. */
static ptrdiff_t padded_line(const struct sy_node *node, struct sy_shape in)
{
    return (ptrdiff_t)(in.w + node->kernel / 2 * 2) * in.c;
}

/* Rows of the image that so many rows of the output are computed from. */
static int rows_below(const struct sy_node *node, int rows)
{
    return (rows - 1) * node->stride + node->kernel;
}

/* Output rows of a band. */
static int band_rows(const struct sy_node *node, struct sy_shape in,
                     struct sy_shape out)
{
    ptrdiff_t bytes = padded_line(node, in) * (ptrdiff_t)sizeof(float);
    int rows = BAND_LEAST_WINDOWS * node->kernel;
    while (rows < out.h && rows_below(node, rows + 1) * bytes <= BAND_BYTES) {
        rows++;
    }
    return rows < out.h ? rows : out.h;
}

size_t SY_KERNEL(conv_infer_scratch)(const struct sy_node *node,
                                     struct sy_shape in, struct sy_shape out)
{
    if (node->kernel == 1 || SY_KERNEL(group_is_narrow)(node, in, out)) {
        return 0;
    }
    int rows = rows_below(node, band_rows(node, in, out));
    return (size_t)rows * (size_t)padded_line(node, in);
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

bool SY_KERNEL(halves)(const struct sy_node *node, struct sy_shape in,
                       struct sy_shape out)
{
    return node->op == SY_OP_DENSE ||
           (node->op == SY_OP_CONV &&
            !SY_KERNEL(group_is_narrow)(node, in, out));
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
    const float *a;
    const void *packed;
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
                          .half = args->half,
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
        panel.b = packed_at(panel.b, depth * (size_t)width, args->half);
        n += width;
    }
}

/* The packed weight of a group. */
static const void *group_at(const struct sy_infer_args *args, int group)
{
    int depth = depth_of(args->node, args->in);
    size_t each = SY_KERNEL(packed)(depth, args->out.c / args->node->groups);
    return packed_at(args->packed, (size_t)group * each, args->half);
}

/* Copies `rows` rows of the image from `first` on, and what is beside, above
   and below it as zeros. */
static void pad_rows(float *to, const float *x, struct sy_shape in, int pad,
                     int first, int rows)
{
    size_t side = (size_t)pad * (size_t)in.c;
    size_t line = (size_t)in.w * (size_t)in.c, whole = line + 2 * side;
    for (int y = first; y < first + rows; y++) {
        if (y < 0 || y >= in.h) {
            memset(to, 0, whole * sizeof(float));
        } else {
            memset(to, 0, side * sizeof(float));
            memcpy(to + side, x + (size_t)y * line, line * sizeof(float));
            memset(to + side + line, 0, side * sizeof(float));
        }
        to += whole;
    }
}

/* Output rows first .. first + rows - 1; x: the row of the image with which
   the window of the first begins. */
static void window_band(const struct sy_infer_args *args, const float *x,
                        int first, int rows)
{
    const struct sy_node *node = args->node;
    const int kernel = node->kernel, groups = node->groups;
    const int part = args->out.c / groups;
    const ptrdiff_t channels = args->in.c, line = padded_line(node, args->in);
    ptrdiff_t tap[MAX_TAPS] = {0};
    struct product product = {.a_row = node->stride * channels,
                              .taps = groups == 1 ? kernel : kernel * kernel,
                              .tap = tap,
                              .rows = args->out.w,
                              .columns = part};

    /* The taps of a line lie together unless a group takes a part of each. */
    product.run = depth_of(node, args->in) / product.taps;
    for (int t = 0; t < product.taps; t++) {
        tap[t] =
            groups == 1 ? t * line : t / kernel * line + t % kernel * channels;
    }
    for (int g = 0; g < groups; g++) {
        product.packed = group_at(args, g);
        product.first = g * part;
        for (int oy = 0; oy < rows; oy++) {
            product.a = x + oy * node->stride * line + g * (channels / groups);
            product.at = (ptrdiff_t)(first + oy) * args->out.w;
            run_product(args, &product);
        }
    }
}

/* One image; any convolution but those in narrow groups and direct ones. */
static void window_infer(const struct sy_infer_args *args)
{
    const struct sy_node *node = args->node;
    const int pad = node->kernel / 2;

    if (pad == 0) {
        window_band(args, args->x, 0, args->out.h);
        return;
    }
    const int most = band_rows(node, args->in, args->out);
    for (int oy = 0; oy < args->out.h; oy += most) {
        int rows = args->out.h - oy < most ? args->out.h - oy : most;
        pad_rows(args->scratch, args->x, args->in, pad, oy * node->stride - pad,
                 rows_below(node, rows));
        window_band(args, args->scratch, oy, rows);
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
        product.packed = group_at(args, g);
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
