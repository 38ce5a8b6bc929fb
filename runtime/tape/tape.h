/*
 * tape.h - forward and backward of a training step over many domains.
 *
 * A step is a list of segments: some images of one domain on one path. The
 * tape walks the stages (stem, layers, trunk, heads) once; at each stage it
 * groups the segments by block and runs each needed block once on its group,
 * so a shared block sees all its domains together and its gradients add up;
 * blocks that nobody needs are not touched.
 *
 * DESIGN. Bits do not depend on the number of threads: each segment is cut
 * into a fixed number of virtual shards, kernels run on shards, and whatever
 * is summed over images (weight gradients, batch statistics) is written per
 * shard and reduced in a fixed tree. Norm statistics are over all rows of a
 * slot in the batch: of one domain, or of all in a shared norm (the stem).
 * Memory comes from arenas that keep their blocks, so a steady run allocates
 * nothing.
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef SY_TAPE_TAPE_H
#define SY_TAPE_TAPE_H

#include "runtime/backend/backend.h"
#include "runtime/base/pool.h"
#include "runtime/network/network.h"

struct sy_tape;

struct sy_segment {
    int domain;
    int count; /* images */
    const struct sy_path *path;
};

struct sy_tape_options {
    int shards;                       /* per segment; 0 takes 8 */
    const struct sy_backend *backend; /* NULL takes the best */
};

/* Borrows network and pool until sy_tape_free. */
enum sy_status sy_tape_new(struct sy_tape **tape, struct sy_network *network,
                           struct sy_pool *pool,
                           const struct sy_tape_options *options,
                           struct sy_error *err) SY_MUST_USE;
void sy_tape_free(struct sy_tape *tape);

/*
 * Forward of all segments. `images` holds the segments one behind the other,
 * each count x H x W x C, and is borrowed until the next call.
 * Errors: SY_NO_MEMORY.
 */
enum sy_status sy_tape_forward(struct sy_tape *tape,
                               const struct sy_segment *segments,
                               int segment_count, const float *images,
                               struct sy_error *err) SY_MUST_USE;

/* Raw outputs of a segment, count x classes, until the next forward. */
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
 * Moves the running mean and variance of every norm used by the last forward
 * by `momentum` towards the batch's (variance unbiased, as in training
 * frameworks).
 */
void sy_tape_update_norms(struct sy_tape *tape, float momentum);

#endif
