/*
 * fit_gate.h - the gates of a domain's route, from what its experts said of
 * held-out images.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_FIT_GATE_H
#define NAS_ROUTING_FIT_GATE_H

#include "search/routing/gate_em.h"
#include "search/routing/held_out.h"

enum nas_gate_method {
    NAS_GATE_GRADIENT, /* mixture likelihood, noisy top-k, balanced */
    NAS_GATE_EM, /* the same likelihood by EM, two levels from 4 experts */
    NAS_GATE_CHEAPEST, /* the cheapest expert that is right */
    NAS_GATE_SWITCHES, /* on or off, each expert at a price */
    NAS_GATE_METHODS
};

extern const char *const nas_gate_method_names[NAS_GATE_METHODS + 1];

/* "train.routes.gate" of a configuration. */
struct nas_gate_config {
    enum nas_gate_method method;
    int layers; /* that a gate reads behind */
    int cells;  /* of a side */
    int hidden; /* 0: none */
    int top;    /* children that are asked; not of switches */
    int passes;
    double rate;
    double balance; /* of importance and load, for `gradient` */
    double price;   /* of the dearest expert, in nats, for `switches` */
};

struct nas_gate_config nas_gate_defaults(void);

/* Gates and the tree that they stand in, before the network has them. */
struct nas_gate_route {
    int count;
    struct sy_gate gate[NAS_EM_GATES];
    struct nas_gate_net net[NAS_EM_GATES]; /* owned */
    json_t *json;                          /* owned: the route */
};

/*
 * Fits gates named "gate0", "gate1", ... on three of four of the loader's
 * images; which pass is kept is chosen on the others. The experts are those of
 * `held`, by cost. `seed` makes noise and order.
 */
enum sy_status nas_gate_route_fit(struct nas_gate_route *route,
                                  const struct nas_gate_config *config,
                                  struct sy_executor *executor, int domain,
                                  struct dom_loader *loader,
                                  const struct nas_held_out *held,
                                  const double *temperature, uint64_t seed,
                                  struct sy_error *err) SY_MUST_USE;
void nas_gate_route_release(struct nas_gate_route *route);

#endif
