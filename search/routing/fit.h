/*
 * fit.h - a domain's route, from what its experts said of held-out images.
 *
 * Thread: any.
 */
#ifndef NAS_ROUTING_FIT_H
#define NAS_ROUTING_FIT_H

#include "search/routing/fit_gate.h"
#include "search/routing/held_out.h"

enum nas_route_kind {
    NAS_ROUTE_EXPERT, /* the expert "main", or the first one */
    NAS_ROUTE_CASCADE,
    NAS_ROUTE_ENSEMBLE,
    NAS_ROUTE_GATE, /* by nas_gate_route_fit */
    NAS_ROUTE_KINDS
};

extern const char *const nas_route_kind_names[NAS_ROUTE_KINDS + 1];

/* The rules of a cascade: enum sy_sureness, and this one after them. */
enum { NAS_EXIT_REJECT = SY_SURENESSES };
extern const char *const nas_exit_names[SY_SURENESSES + 2];

/* "train.routes" of a configuration. */
struct nas_route_config {
    enum nas_route_kind kind;
    int exit;         /* of cascades */
    double epsilon;   /* share of inputs that may become worse, */
    double delta;     /* but for this probability */
    double cost;      /* mean cost over the dearest expert's; 0: by epsilon */
    double detection; /* of `reject`: share that each stage lets pass */
    char background[SY_LABEL_BYTES]; /* of `reject` */
    int members;                     /* of ensembles, at most */
    /* Names of the experts that may take part, of domains that have any of
       them; 0: all. */
    int expert_count;
    char expert[SY_ROUTE_MAX_EXPERTS][SY_NAME_BYTES];
    struct nas_gate_config gate; /* of gates */
    uint64_t seed;               /* of their noise */
};

struct nas_route_config nas_route_defaults(void);

/* Whether the expert may take part in its domain's fitted route. */
bool nas_route_takes(const struct nas_route_config *config,
                     const struct sy_network *network, int expert);

/*
 * Whether routes of this kind can be made for every domain of the network:
 * cascades have at most NAS_CASCADE_STAGES experts, and `reject` knows the
 * background. To be asked before the training.
 */
enum sy_status nas_route_check(const struct nas_route_config *config,
                               const struct sy_network *network,
                               const char *file,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Fits the route of the domain, of which temperature[expert] are the fitted
 * temperatures, and logs what it does on the held-out images. *route is
 * owned; NULL where there is nothing to fit here: kind NAS_ROUTE_EXPERT or
 * NAS_ROUTE_GATE, or a single expert.
 *
 * A cascade has the experts in the order of their cost. A stage that no
 * threshold would let end the cascade is left out, and where the cascade
 * would cost no less than its last expert alone, that one is the route.
 */
enum sy_status nas_route_fit(struct sy_route **route,
                             const struct nas_route_config *config,
                             const struct sy_network *network, int domain,
                             const struct nas_held_out *held,
                             const double *temperature,
                             struct sy_error *err) SY_MUST_USE;

#endif
