/*
 * heldout.h - how well domains answer on held-out images while they train,
 * for the weightings that look at it.
 *
 * Every NAS_HELDOUT_EVERY steps a batch of at most NAS_HELDOUT_IMAGES held-out
 * images of every domain goes forward on the tape, with the batch's own norm
 * statistics as in a training step: one image in sixteen of a batch of 64,
 * forward only. Which images is a function of the step, the loaders walk
 * through all of them, and nothing is remembered here: a resumed run measures
 * the same.
 *
 * Thread: one at a time; it runs on the tape's pool.
 */
#ifndef NAS_TRAIN_HELDOUT_H
#define NAS_TRAIN_HELDOUT_H

#include "runtime/tape/tape.h"
#include "search/train/data.h"

enum { NAS_HELDOUT_EVERY = 8, NAS_HELDOUT_IMAGES = 32 };

struct nas_heldout {
    int segment_count; /* one per expert; 0: not in use */
    struct sy_segment *segment;
    float *pixels[SY_MAX_DOMAINS];
    int *labels[SY_MAX_DOMAINS];
};

/*
 * For all experts of the network, whose paths are borrowed. In use only when
 * every domain has held-out images. The struct is zeroed at the start.
 */
enum sy_status nas_heldout_init(struct nas_heldout *heldout,
                                const struct sy_network *network,
                                const struct nas_data *data,
                                struct sy_error *err) SY_MUST_USE;
void nas_heldout_release(struct nas_heldout *heldout);

/* Whether step `step` is one that measures. */
bool nas_heldout_due(const struct nas_heldout *heldout, int64_t step);

/*
 * Writes the share of right answers of each domain, the mean over its
 * experts. The tape forgets its last forward, so this comes before a step's.
 */
enum sy_status nas_heldout_measure(struct nas_heldout *heldout,
                                   struct sy_tape *tape,
                                   const struct sy_network *network,
                                   struct nas_data *data, struct sy_pool *pool,
                                   int64_t step, double *accuracy,
                                   struct sy_error *err) SY_MUST_USE;

#endif
