/*
 * traffic.h - what ran for the images of a network: experts, exits, units,
 * and how undecided gates were.
 *
 * A unit (a block, the stem, a head) is counted once for an image however many
 * experts share it, exactly as the executor runs it: experts share it where
 * their paths have been the same so far. So the sum over units of images times
 * multiply-adds is what was computed.
 *
 * Thread: srv_traffic_image: the engine. Reading: any.
 */
#ifndef SRV_TRAFFIC_H
#define SRV_TRAFFIC_H

#include <stdatomic.h>

#include "runtime/network/network.h"
#include "runtime/network/route.h"

struct srv_traffic {
    const struct sy_network *network; /* borrowed */
    atomic_llong *expert_images;      /* [expert_count] that it ran for */
    atomic_llong *expert_exits;       /* [expert_count] that it answered */
    atomic_llong *domain_madds;       /* [domain_count] computed */
    atomic_llong *unit_images;        /* [unit_count] */
    atomic_llong *gate_images;   /* [gate_count] that a route asked it of */
    atomic_llong *gate_nanonats; /* [gate_count] entropy, summed over them */
};

/* All zero. Owned. */
enum sy_status srv_traffic_new(struct srv_traffic **traffic,
                               const struct sy_network *network,
                               struct sy_error *err) SY_MUST_USE;
void srv_traffic_free(struct srv_traffic *traffic); /* NULL is legal */

/*
 * Counts one image for which the experts `ran`, of which `exit` answered (-1:
 * several together), for `madds`. NULL (in tests): does nothing.
 */
void srv_traffic_image(struct srv_traffic *traffic,
                       const struct sy_route_experts *ran, int exit,
                       int64_t madds);

/*
 * Counts how undecided the gates of the domain's route were about an image, as
 * its decisions tell (sy_route_gate_doubt). The root gate is not part of a
 * route. NULL: does nothing.
 */
void srv_traffic_gates(struct srv_traffic *traffic, int domain,
                       const struct sy_route_taken *taken);

#endif
