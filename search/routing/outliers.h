/*
 * outliers.h - images that are of no domain, made up from those that are.
 *
 * Thread: any.
 */
#ifndef NAS_ROUTING_OUTLIERS_H
#define NAS_ROUTING_OUTLIERS_H

#include "runtime/base/rng.h"
#include "runtime/network/network.h"

/* Images of the domains to make them from. */
struct nas_outlier_source {
    const struct sy_network *network;
    const uint8_t *pixels; /* [domain][each][H * W * 3] */
    int each;
};

/*
 * Draws one image. In one half of the cases an image of a domain, changed in
 * one way or in two: a negative, other colours, outlines only, thicker or
 * thinner, a part enlarged, blurred, four small ones. In the other half,
 * evenly: halves or the mean of images of two domains (of two of one domain
 * where there is only one), coarse or fine noise, an image of a generated
 * domain that the network does not have.
 */
enum sy_status nas_outlier_draw(const struct nas_outlier_source *source,
                                struct sy_rng *rng, uint8_t *pixels,
                                struct sy_error *err) SY_MUST_USE;

#endif
