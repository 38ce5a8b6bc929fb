/*
 * routes.h - what is fitted when the weights are final: temperatures, then
 * routes.
 *
 * Thread: init.
 */
#ifndef NAS_ROUTING_ROUTES_H
#define NAS_ROUTING_ROUTES_H

#include "search/routing/fit.h"

/*
 * Fits the temperature of every expert of the domains that have a loader of
 * held-out images, and then the routes of these domains; `held_out[domain]`
 * NULL leaves a domain as it is. The network is borrowed on success; on
 * failure it is freed and *network NULL.
 */
enum sy_status nas_routes_fit(struct sy_network **network,
                              const struct nas_route_config *config,
                              struct dom_loader *const *held_out,
                              struct sy_pool *pool,
                              struct sy_error *err) SY_MUST_USE;

#endif
