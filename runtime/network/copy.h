/*
 * copy.h - parts of one network taken over into another that was built to hold
 * them: weights, norms, routes.
 *
 * Thread: one at a time per network written to.
 */
#ifndef SY_NETWORK_COPY_H
#define SY_NETWORK_COPY_H

#include "runtime/network/network.h"

/* The weights of a unit from one of the same plan. */
void sy_network_copy_weights(struct sy_network *to, int unit,
                             const struct sy_network *from, int source);

/* The norms along an expert's path from those of an expert there whose path
   has units of the same plans. */
void sy_network_copy_expert_norms(struct sy_network *to, int expert,
                                  const struct sy_network *from, int source);

/* Takes the route of another network's domain over; experts and gates of the
   same names must be there. */
enum sy_status sy_network_copy_route(struct sy_network *to, int domain,
                                     const struct sy_network *from, int source,
                                     struct sy_error *err) SY_MUST_USE;

#endif
