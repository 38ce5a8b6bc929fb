/*
 * root.h - the root gate: fitted to find the domain of an image that comes
 * without one.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_ROOT_H
#define NAS_ROUTING_ROOT_H

#include "domains/batch/batch.h"
#include "runtime/executor/executor.h"

/* "train.root" of a configuration. */
struct nas_root_config {
    bool wanted;
    int cells;     /* of a side */
    bool textures; /* it reads differences too */
    int hidden;    /* 0: none */
    int images;    /* of each domain, in a pass */
    int passes;
    double rate;    /* of Adam */
    double abstain; /* share of held-out images on which it may abstain */
};

struct nas_root_config nas_root_defaults(void);

/*
 * Fits a root gate named "domain" behind the stem, which stays as it is, and
 * puts it into the network, in place of one that was there. It is fitted on
 * training images, each time moved by up to two pixels; which pass is kept, and
 * below which probability it abstains, is chosen on held-out ones (where a
 * domain has none, on every tenth of its training images). "None of them" is
 * learned from images that are made up (outliers.h). How many it finds is
 * logged. The same seed gives the same bits.
 */
enum sy_status nas_root_fit(struct sy_network **network,
                            const struct nas_root_config *config,
                            struct dom_loader *const *train,
                            struct dom_loader *const *held_out, uint64_t seed,
                            struct sy_pool *pool,
                            struct sy_error *err) SY_MUST_USE;

/* What the gate says of a held-out image. */
struct nas_sureness {
    double value;  /* probability of the domain that it finds */
    double weight; /* of the image */
    int found;     /* that domain */
};

/*
 * For each of the domains the highest threshold such that, of the images that
 * are found as it, at most the share `abstain` by weight lies below. An image
 * is more easily taken for a domain of many looks than for another, and one
 * threshold for all would spend the whole share there. The images are sorted
 * in place; a domain as which none is found gets 0.
 */
void nas_root_thresholds(struct nas_sureness *sure, int n, double abstain,
                         int domains, double *threshold);

#endif
