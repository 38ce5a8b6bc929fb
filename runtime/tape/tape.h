/*
 * tape.h - forward and backward of a training step over many domains.
 *
 * A step is a list of segments: some images of one domain on one path. The
 * tape walks the stages (stem, layers, trunk, heads) once; at each stage it
 * groups the segments by block and runs each needed block once on its group,
 * so a shared block sees all its domains together and its gradients add up;
 * blocks that nobody needs are not touched. Where a segment's choice is soft,
 * the segment takes part in several groups of the layer and goes on with
 * their weighted sum.
 *
 * DESIGN. Bits do not depend on the number of threads: each segment is cut
 * into a fixed number of virtual shards, kernels run on shards, and whatever
 * is summed over images (weight gradients, batch statistics) is written per
 * shard and reduced in a fixed tree; what is cut into parts of the result
 * instead sums all images in order. Norm statistics are over all rows of a
 * slot in the batch: of one domain, or of all in a shared norm (the stem);
 * sy_tape_score differs, see there. Memory comes from arenas that keep their
 * blocks, so a steady run allocates nothing.
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef SY_TAPE_TAPE_H
#define SY_TAPE_TAPE_H

#include "runtime/backend/backend.h"
#include "runtime/base/pool.h"
#include "runtime/network/network.h"

struct sy_tape;

/*
 * What a layer executes for a segment, when that is not one block: the sum of
 * weight[i] * block[i](x). Blocks are different candidates of the layer;
 * weights are any finite numbers (1/n each in warm-up, a softmax in soft
 * searches). What has weight 0 is not computed. A single block with weight 1
 * gives the bits of the hard choice.
 */
struct sy_soft_choice {
    int count; /* 0: hard, the block that the path names */
    int block[SY_MAX_BLOCKS];
    float weight[SY_MAX_BLOCKS];
};

/* Borrowed, with all that it points at, until the next forward or score. */
struct sy_segment {
    int domain;
    int count;                  /* images, at least 1 */
    const struct sy_path *path; /* one block at each layer */
    /* By layer, or NULL: all are hard. The path's entry of a soft layer is
       not looked at. */
    const struct sy_soft_choice *soft;
    /* The segment's images, or NULL: those of the call, see there. */
    const float *images;
};

struct sy_tape_options {
    int shards;                       /* per segment; 0 takes 8 */
    const struct sy_backend *backend; /* NULL takes the best */
    /* By tensor: not 0 where training does not move it; borrowed until
       sy_tape_free. A norm whose scale is frozen applies its running
       statistics, which do not move either. NULL: nothing is frozen. */
    const uint8_t *frozen;
};

/* Borrows network and pool until sy_tape_free. */
enum sy_status sy_tape_new(struct sy_tape **tape, struct sy_network *network,
                           struct sy_pool *pool,
                           const struct sy_tape_options *options,
                           struct sy_error *err) SY_MUST_USE;
void sy_tape_free(struct sy_tape *tape);

/*
 * Forward of all segments. `images` holds, one behind the other, those of the
 * segments that bring none of their own, each count x H x W x C, and is
 * borrowed until the next call. Errors: SY_NO_MEMORY.
 *
 * Several segments of one domain are legal, on the same images or on others.
 * Where they meet in a block, its norms count all their rows together, as
 * those of one batch.
 */
enum sy_status sy_tape_forward(struct sy_tape *tape,
                               const struct sy_segment *segments,
                               int segment_count, const float *images,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Forward only, to score paths on a batch: outputs as above, and nothing is
 * kept for a backward, which must not follow (nor sy_tape_update_norms).
 * Norms use the batch, as in training, so that a supernet needs no running
 * statistics. For a path's score not to depend on which others are scored
 * beside it, a domain's norm counts the rows of one segment only; a norm that
 * domains share counts all segments, as in training.
 *
 * Segments of one domain with the same `images` are one lane until their
 * paths part: stem and common blocks are computed, and counted in shared
 * norms, once.
 */
enum sy_status sy_tape_score(struct sy_tape *tape,
                             const struct sy_segment *segments,
                             int segment_count, const float *images,
                             struct sy_error *err) SY_MUST_USE;

/* Raw outputs of a segment, count x classes, until the next forward/score. */
const float *sy_tape_outputs(const struct sy_tape *tape, int segment);

/* Where the caller writes the gradient of the loss by those outputs. */
float *sy_tape_output_grads(struct sy_tape *tape, int segment);

/*
 * Backward. Writes the gradients of every tensor that the step used to
 * `grads` (value_count floats) and marks those tensors in `used`
 * (tensor_count entries, 1 or 0); other ranges of `grads` are not touched.
 */
enum sy_status sy_tape_backward(struct sy_tape *tape, float *grads,
                                uint8_t *used,
                                struct sy_error *err) SY_MUST_USE;

/*
 * After a backward, the gradients of a soft choice's weights, one for each
 * entry: the sum over the segment's images of <gradient of the layer's
 * output, block[i](x)>; 0 for what was not computed. NULL where the choice
 * was hard. Valid until the next forward or score.
 */
const float *sy_tape_choice_grads(const struct sy_tape *tape, int segment,
                                  int layer);

/*
 * Moves the running mean and variance of every norm used by the last forward
 * by `momentum` towards the batch's (variance unbiased, as in training
 * frameworks).
 */
void sy_tape_update_norms(struct sy_tape *tape, float momentum);

#endif
