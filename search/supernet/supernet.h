/*
 * supernet.h - the weights of a search: one network with every candidate,
 * trained on one path per domain and step, and scored on held-out images.
 *
 * A training step takes a batch of every domain along that domain's proposal;
 * gradients add up where paths share a block, and a block that no proposal
 * takes gets neither gradient nor decay. Where a proposal has a layer
 * replaced by the mean of its candidates, all of them run with the weight 1/n.
 *
 * Norms use the statistics of their batch, in scoring too, so a supernet keeps
 * none: those of a mixture of paths would fit no path.
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef NAS_SUPERNET_SUPERNET_H
#define NAS_SUPERNET_SUPERNET_H

#include "runtime/tape/tape.h"
#include "search/controllers/controller.h"
#include "search/train/data.h"

/* Read freely; changed by the functions below only. */
struct nas_supernet {
    const struct nas_config *config; /* borrowed */
    struct sy_pool *pool;            /* borrowed */
    struct nas_data data;
    struct sy_network *network;
    struct sy_tape *tape;
    struct nas_optimiser optimiser;
    float *grads;
    uint8_t *used;
    uint8_t *held; /* by tensor: does not move; NULL: all does */
    char start_sha256[SY_HASH_TEXT_BYTES]; /* of what it began with, or "" */
    int images[SY_MAX_DOMAINS];            /* in a training step */
    int scored[SY_MAX_DOMAINS];            /* in a score */
    int segment_room;
    struct sy_segment *segment;
    struct sy_soft_choice *soft; /* segment_room x layers */
    float *pixels;               /* of all domains */
    int *labels[SY_MAX_DOMAINS];
};

/* What a training step saw, by domain. */
struct nas_supernet_seen {
    double loss[SY_MAX_DOMAINS];
    double right[SY_MAX_DOMAINS]; /* share of right answers */
};

/*
 * Opens the data, of which `config` must hold out a part, and makes the
 * network with its first weights. With `start` (or NULL) these are those of
 * that MODEL where it has them, and what its other domains need does not move:
 * see nas_start_from, for the one domain of `config`. On failure nothing is
 * left open.
 */
enum sy_status nas_supernet_open(struct nas_supernet *net,
                                 const struct nas_config *config,
                                 const char *data, const char *start,
                                 struct sy_pool *pool,
                                 struct sy_error *err) SY_MUST_USE;
void nas_supernet_close(struct nas_supernet *net);

/*
 * Training step `step` at learning rate `rate`: proposal d and weight d are
 * those of domain d. A loss that is no number is SY_INTERNAL, names domain
 * and step, and leaves the weights as they were.
 */
enum sy_status nas_supernet_train(struct nas_supernet *net, int64_t step,
                                  double rate,
                                  const struct nas_proposal *proposals,
                                  const double *weights,
                                  struct nas_supernet_seen *seen,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * Scores `paths` proposals of every domain on the domain's held-out batch
 * number `batch`, without augmentation: proposal s of domain d is
 * proposals[d * paths + s], and so is its accuracy. The proposals of a domain
 * see the same images, and none depends on which others are scored.
 */
enum sy_status nas_supernet_score(struct nas_supernet *net, int64_t batch,
                                  const struct nas_proposal *proposals,
                                  int paths, double *accuracy,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * The accuracy of one path per domain on its held-out images: as many batches
 * as cover the domain that has most of them.
 */
enum sy_status nas_supernet_accuracy(struct nas_supernet *net,
                                     const struct sy_path *paths,
                                     double *accuracy,
                                     struct sy_error *err) SY_MUST_USE;

/*
 * The probability of the label of each held-out image, nas_supernet_images of
 * them in p[domain] (NULL: not wanted), for one path per domain, a whole one
 * whether it is wanted or not. The images are those of
 * nas_supernet_accuracy; a domain that has fewer shows some again.
 */
int nas_supernet_images(const struct nas_supernet *net, int domain);
enum sy_status nas_supernet_likelihood(struct nas_supernet *net,
                                       const struct sy_path *paths,
                                       float *const *p,
                                       struct sy_error *err) SY_MUST_USE;

#endif
