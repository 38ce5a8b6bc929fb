/*
 * backend.h - the device interface: one small table of functions.
 *
 * A backend is one way to compute every operator: the plain C reference, and
 * the CPU kernels compiled for each instruction set. A table entry that is
 * NULL means "not here": the caller falls back to the reference, and
 * `support` in the conformance program shows it.
 *
 * Training kernels see a shard (some images of a batch) and may use BLAS for
 * products; inference kernels see one or some images, use weights packed when
 * the snapshot was built, and sum in an order that depends on the shapes only,
 * so that an image's result never depends on what it is computed with.
 *
 * (A device with its own memory adds buffers and streams here; nothing
 * outside runtime/ knows where a buffer lives.)
 */
#ifndef SY_BACKEND_BACKEND_H
#define SY_BACKEND_BACKEND_H

#include "runtime/ops/op.h"

/*
 * Memory that is read soon. A kernel that computes more than it reads may ask
 * for some of it meanwhile, and moves `at` on by what it asked for.
 */
struct sy_ahead {
    const char *at, *end;
};

/*
 * One fused step of inference on `count` images with the same norm, which lie
 * one behind the other in x, x2, residual and y:
 *   conv, depthwise   y = act(scale * (x (*) w) + bias) [+ residual]
 *   dense             y = act(x * w + bias)
 *   pool, scale, act, add, as the operators
 *   norm              y = act(scale * x + bias)   (only where it stands alone)
 * `scale` and `bias` are the norm's, folded: scale/sqrt(var+eps) and
 * bias - mean*scale/sqrt(var+eps). They are per (block, domain); `packed` is
 * per block. All vectors hold exactly as many floats as channels; both may be
 * NULL for conv, which is then y = x (*) w.
 */
struct sy_infer_args {
    const struct sy_node *node;
    struct sy_shape in, out; /* of one image */
    int count;
    const float *x;
    const float *x2;       /* add: other operand; scale: the 1 x 1 x C */
    const void *packed;    /* weights as `pack` left them */
    bool half;             /* packed: of half the width, see `halves` */
    const float *scale;    /* [K] */
    const float *bias;     /* [K] */
    const float *residual; /* shape of out, or NULL */
    float *y;
    float *scratch;         /* infer_scratch() floats */
    struct sy_ahead *ahead; /* may be NULL */
};

typedef void (*sy_infer_fn)(const struct sy_infer_args *args);

/* The n-th image of a call as a call of its own. */
static inline struct sy_infer_args sy_infer_image(
    const struct sy_infer_args *args, int n)
{
    struct sy_infer_args one = *args;
    size_t in = sy_shape_floats(args->in), out = sy_shape_floats(args->out);
    size_t other = args->node->op == SY_OP_SCALE ? (size_t)args->in.c : in;

    one.count = 1;
    one.x += (size_t)n * in;
    one.y += (size_t)n * out;
    one.x2 = args->x2 != NULL ? args->x2 + (size_t)n * other : NULL;
    one.residual =
        args->residual != NULL ? args->residual + (size_t)n * out : NULL;
    return one;
}

/* Two steps in one; x of the second and y of the first are not looked at. */
typedef void (*sy_pair_fn)(const struct sy_infer_args *first,
                           const struct sy_infer_args *second);

/*
 * Training of an operator in parts of its result instead of shards of its
 * images: each part goes over all images of a segment, so that weights are
 * read once, and their gradient is written once and not once for each shard.
 * A kernel computes part `args->part` of `args->parts`; what an element is
 * summed from, and in which order, does not depend on `parts`.
 */
enum sy_split_pass { SY_SPLIT_FORWARD, SY_SPLIT_BACKWARD };
struct sy_split {
    /*
     * Parts to cut a pass over `images` images of `shards` shards into, or 0:
     * work by shard. Depends on its arguments only. Where a backward is cut,
     * `weight` takes the place of what `backward` leaves in partial, and
     * `data`, if there is one, that of dx.
     */
    int (*parts)(enum sy_split_pass pass, const struct sy_node *node,
                 struct sy_shape in, struct sy_shape out, int images,
                 int shards);
    sy_kernel_fn forward; /* a range of the columns of y; or NULL */
    /* By shard, before data and weight where the node has an activation:
       dx2, of the shape of out, = dy * the activation's slope; may be dy. */
    sy_kernel_fn slope;
    sy_kernel_fn data; /* a range of the columns of dx, from dy; or NULL */
    /* A range of the weight's gradient, to partial, and of the bias's, to db,
       with or without add_partial. */
    sy_kernel_fn weight;
};

struct sy_backend {
    const char *name; /* "reference", "portable", "avx2", "avx512" */

    /* True when this machine can run it. */
    bool (*available)(void);

    /* Training, by sy_op_kind; contracts in ops/op.h. */
    sy_kernel_fn stats[SY_OP_COUNT];
    sy_kernel_fn forward[SY_OP_COUNT];
    sy_kernel_fn sums[SY_OP_COUNT];
    sy_kernel_fn backward[SY_OP_COUNT];
    /* Floats of scratch for a call on `count` images, forward or backward. */
    size_t (*scratch)(const struct sy_node *node, struct sy_shape in,
                      struct sy_shape out, int count);
    const struct sy_split *split[SY_OP_COUNT];

    /* Inference, by sy_op_kind. */
    sy_infer_fn infer[SY_OP_COUNT];
    size_t (*infer_scratch)(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out);
    /* Floats of a packed weight, and packing it from the plain layout. */
    size_t (*packed_floats)(const struct sy_node *node, struct sy_shape in,
                            struct sy_shape out);
    void (*pack)(const struct sy_node *node, struct sy_shape in,
                 struct sy_shape out, const float *weight, float *packed);
    /*
     * True if the node's kernel, alone or as the first of a pair, also takes
     * its packed weight in half the width: the same numbers in the same order,
     * each rounded by sy_half. It computes in float as ever, and gives the
     * bits that the rounded numbers give as floats. NULL: no kernel does.
     */
    bool (*halves)(const struct sy_node *node, struct sy_shape in,
                   struct sy_shape out);

    /*
     * A 1 x 1 convolution of stride 1 without groups and residual, and the
     * depthwise convolution that alone reads it, without the map between them
     * in memory. NULL: they run one after the other. The first's weight takes
     * packed_floats(), and is packed by pair_pack.
     */
    sy_pair_fn infer_pair;
    size_t (*pair_scratch)(const struct sy_node *first,
                           const struct sy_node *second,
                           struct sy_shape middle);
    void (*pair_pack)(const struct sy_node *first, const struct sy_node *second,
                      struct sy_shape in, struct sy_shape middle,
                      const float *weight, float *packed);
};

/* The plain C reference: every entry is there. */
extern const struct sy_backend sy_backend_reference;

/* All backends compiled in, best first, ends with NULL. */
const struct sy_backend *const *sy_backends(void);

/* The best available one, or the one named in SWITCHYARD_BACKEND. */
const struct sy_backend *sy_backend_best(void);

/* The backend of that name if it is available here, else NULL. */
const struct sy_backend *sy_backend_find(const char *name);

#endif
