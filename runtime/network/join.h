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
