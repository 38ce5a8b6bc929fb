/*
 * join.h - a served network and a candidate for some of its domains as one
 * network, so that both can run in one batch.
 *
 * The joined network is the served one, with every index of a domain, expert
 * and (within its layer) block as it is there; behind them stand, for each
 * domain on trial, one more domain with the candidate's head, norms, experts
 * and route, and the blocks that the served network does not have. A block is
 * had when it has the same form and the same weights, whatever its id.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_JOIN_H
#define SY_NETWORK_JOIN_H

#include "runtime/network/network.h"

/* Whether the unit is the same in both: plan and weights, bit for bit. */
bool sy_unit_equal(const struct sy_network *a, int unit_a,
                   const struct sy_network *b, int unit_b);

/* Whether their norms in these slots are; both absent counts as equal. */
bool sy_norms_equal(const struct sy_network *a, int unit_a, int slot_a,
                    const struct sy_network *b, int unit_b, int slot_b);

/*
 * What keeps the two from standing in one network ("the stem"), or NULL: input,
 * layers, mode of norms, stem and trunk are the same.
 */
const char *sy_form_difference(const struct sy_network *a,
                               const struct sy_network *b);

/* Takes the route of another network's domain over; experts and gates of the
   same names must be there. */
enum sy_status sy_network_copy_route(struct sy_network *to, int domain,
                                     const struct sy_network *from, int source,
                                     struct sy_error *err) SY_MUST_USE;

/*
 * Whether a domain, of which the index in either network is given, is answered
 * alike by both: labels, experts, calibration, route, and every number on its
 * paths.
 */
bool sy_domain_equal(const struct sy_network *a, int domain_a,
                     const struct sy_network *b, int domain_b);

/*
 * Joins the domains `on_trial` (indices into the candidate's, `count` of them;
 * 0 gives a copy of the served network). Domain i on trial becomes domain
 * served->domain_count + i. Stem, trunk and form must be those of the served
 * network. Owned.
 */
enum sy_status sy_network_join(struct sy_network **joined,
                               const struct sy_network *served,
                               const struct sy_network *candidate,
                               const int *on_trial, int count,
                               struct sy_error *err) SY_MUST_USE;

#endif
