/*
 * batch.h - batches of a domain for training and evaluation.
 *
 * A loader holds one split of one domain, resized once to the network's
 * input and kept as bytes when it fits under `cache_bytes`, else read again
 * from disk for each batch. Which images make up batch `step`, and how each
 * is changed, is a pure function of (seed, domain index, step): there is no
 * cursor to save, and a resumed run sees the same pixels.
 *
 * Balanced sampling draws the class first; otherwise an epoch is a shuffled
 * pass over all images and batches run across the borders of epochs.
 *
 * Augmentation, in this order: shift by up to `shift` pixels each way (zeros
 * of the normalised image come in, i.e. mid grey), mirror left-right with
 * probability 1/2 where `flip`, cut out one square of side `cutout` at a
 * random centre (clipped at the border) with probability 1/2.
 *
 * Pixels become floats by dom_normalise: (x / 255) * 2 - 1, for all domains.
 *
 * Thread: dom_loader_fill: one at a time per loader (it uses the pool).
 */
#ifndef DOM_BATCH_BATCH_H
#define DOM_BATCH_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "domains/domain.h"
#include "runtime/base/pool.h"

struct dom_augment {
    int shift;  /* pixels, 0 = off */
    bool flip;  /* only where a mirrored image keeps its class */
    int cutout; /* side in pixels, 0 = off */
};

struct dom_loader_options {
    enum dom_split split;
    int height, width; /* the network's input */
    bool balanced;     /* class-balanced sampling */
    bool with_all;     /* TRAIN only: draw from TRAIN and VALID together */
    struct dom_augment augment;
    uint64_t seed;
    uint32_t index;     /* the domain's number in the run */
    size_t cache_bytes; /* 0 takes 1 GiB */
};

struct dom_loader;

/* Borrows `domain` until dom_loader_free. */
enum sy_status dom_loader_new(struct dom_loader **loader,
                              const struct dom_domain *domain,
                              const struct dom_loader_options *options,
                              struct sy_pool *pool,
                              struct sy_error *err) SY_MUST_USE;
void dom_loader_free(struct dom_loader *loader);

/* Images that the loader draws from. */
int dom_loader_images(const struct dom_loader *loader);

/*
 * Training batch number `step`: `count` images as count*H*W*3 floats and
 * their labels.
 */
enum sy_status dom_loader_fill(struct dom_loader *loader, int64_t step,
                               int count, float *images, int *labels,
                               struct sy_pool *pool,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Images first..first+count-1 in the split's own order, as bytes, without
 * augmentation, for evaluation.
 */
enum sy_status dom_loader_read(struct dom_loader *loader, int first, int count,
                               uint8_t *pixels, int *labels,
                               struct sy_error *err) SY_MUST_USE;

/* count floats from count bytes: (x / 255) * 2 - 1, in this order of ops. */
void dom_normalise(const uint8_t *pixels, size_t count, float *out);

#endif
