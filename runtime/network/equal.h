/*
 * equal.h - what is the same in two networks, bit for bit: the ground on which
 * blocks are shared between them, and on which a promise that an answer does
 * not change is checked.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_EQUAL_H
#define SY_NETWORK_EQUAL_H

#include "runtime/network/network.h"

/* Whether the unit is the same in both: plan and weights. */
bool sy_unit_equal(const struct sy_network *a, int unit_a,
                   const struct sy_network *b, int unit_b);

/* Whether their norms in these slots are, of which they must have as many; both
   absent counts as equal. */
bool sy_norms_equal(const struct sy_network *a, int unit_a, int slot_a,
                    const struct sy_network *b, int unit_b, int slot_b);

/* Whether one block can stand for both, whatever its id: the same unit, and in
   shared mode the one set of norms that belongs to it. */
bool sy_block_equal(const struct sy_network *a, int unit_a,
                    const struct sy_network *b, int unit_b);

/*
 * What keeps the two from standing in one network ("the stem"), or NULL: input,
 * layers, mode of norms, stem and trunk are the same.
 */
const char *sy_form_difference(const struct sy_network *a,
                               const struct sy_network *b);

/*
 * Whether a domain, of which the index in either network is given, is answered
 * alike by both: labels, experts, calibration, route, and every number on its
 * paths.
 */
bool sy_domain_equal(const struct sy_network *a, int domain_a,
                     const struct sy_network *b, int domain_b);

/*
 * Whether an index of a domain, of an expert or of a gate means the same in
 * both: all of them stand in the same order, with the same labels,
 * temperatures, thresholds and routes. Blocks may stand in another order.
 * Numbers of units are not looked at, so networks that have given theirs back
 * can be asked too.
 */
bool sy_layout_equal(const struct sy_network *a, const struct sy_network *b);

#endif
