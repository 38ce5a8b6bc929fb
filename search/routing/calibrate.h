/*
 * calibrate.h - temperatures: answers that are as sure as they are right.
 *
 * Thread: init.
 */
#ifndef NAS_ROUTING_CALIBRATE_H
#define NAS_ROUTING_CALIBRATE_H

#include "search/routing/held_out.h"

/*
 * Fits the temperature of every expert of the domains that have a loader of
 * held-out images; `held_out[domain]` NULL leaves a domain as it is. The
 * network is borrowed on success; on failure it is freed and *network NULL.
 */
enum sy_status nas_calibrate(struct sy_network **network,
                             struct dom_loader *const *held_out,
                             struct sy_pool *pool,
                             struct sy_error *err) SY_MUST_USE;

#endif
