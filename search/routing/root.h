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
    int cells;      /* of a side */
    int hidden;     /* 0: none */
    int images;     /* of each domain, at most */
    int passes;     /* over them */
    double rate;    /* of Adam */
    double abstain; /* share of held-out images on which it may abstain */
};

struct nas_root_config nas_root_defaults(void);

/*
 * Fits a root gate named "domain" behind the stem, which stays as it is, and
 * puts it into the network, in place of one that was there. It is fitted on
 * training images; which pass is kept, and below which probability it
 * abstains, is chosen on held-out ones (where a domain has none, on every
 * tenth of its training images). "None of them" is learned from images that
 * are made up: halves and mixtures of two domains, negatives, noise, and the
 * generated domains that the network does not have. What it confuses is
 * logged. The same seed gives the same bits.
 */
enum sy_status nas_root_fit(struct sy_network **network,
                            const struct nas_root_config *config,
                            struct dom_loader *const *train,
                            struct dom_loader *const *held_out, uint64_t seed,
                            struct sy_pool *pool,
                            struct sy_error *err) SY_MUST_USE;

/*
 * The threshold below which the share `abstain` of the values lies, each
 * domain counting alike: the highest value t such that the mean over the
 * domains that are there of the share of values < t is at most `abstain`. The
 * values are sorted in place; 0 for none.
 */
struct nas_sureness {
    double value;
    int domain;
};
double nas_root_threshold(struct nas_sureness *sure, int n, double abstain);

#endif
