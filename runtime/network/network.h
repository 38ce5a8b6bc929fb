/*
 * network.h - a multi-path network: blocks, domains, experts, parameters.
 *
 * All numbers live in one array (`values`), so that an optimiser, an average
 * or a checkpoint is a loop over it; gradients and optimiser state use the
 * same offsets. A unit is whatever owns parameters: stem, each block, the
 * head's shared trunk, each domain's own head, and each gate (gate.h). A tensor
 * is a named range of `values`:
 *
 *   block.ID.PARAM               weights of stem, blocks, trunk
 *   norm.SLOT.ID.NORM.{scale,bias,mean,var}
 *   head.DOMAIN.PARAM            the domain's dense layer
 *   gate.DOMAIN.NAME.PARAM       a gate of the domain; gate.NAME.PARAM: the
 * root
 *
 * SLOT says whose norms they are: a domain's name, or "all" for the stem and in
 * shared mode. In mode per_expert it is DOMAIN for the domain's first expert
 * and DOMAIN.EXPERT for the others; experts of a domain have norms in common as
 * far as their paths are the same, those of the first of them.
 *
 * In a supernet every domain has a norm at every block; in a network with
 * experts only those on some expert's path exist (offset SY_ABSENT).
 *
 * Thread: one at a time while it is built or trained; reading: any.
 */
#ifndef SY_NETWORK_NETWORK_H
#define SY_NETWORK_NETWORK_H

#include <stdint.h>

#include "runtime/network/gate.h"
#include "runtime/network/path.h"
#include "runtime/network/route.h"

#define SY_ABSENT SIZE_MAX

/* Calibration stays within these. */
#define SY_TEMPERATURE_MIN 1e-6
#define SY_TEMPERATURE_MAX 1e6

enum {
    SY_SLOT_NAME_BYTES = 2 * SY_NAME_BYTES,
    SY_TENSOR_NAME_BYTES = SY_SLOT_NAME_BYTES + 3 * SY_NAME_BYTES,
    SY_LABEL_BYTES = 256, /* of a class; model.json has none that is longer */
    SY_NETWORK_MAX_VALUES = 1 << 28 /* 1 GiB of float32 */
};

struct sy_domain {
    char name[SY_NAME_BYTES];
    int classes;
    char **labels; /* owned, `classes` texts */
};

struct sy_expert {
    char name[SY_NAME_BYTES];
    int domain; /* index */
    struct sy_path path;
    double temperature; /* calibration, 1 until fitted */
};

struct sy_unit {
    char id[2 * SY_NAME_BYTES + 8]; /* "stem", "l3b1", "trunk", "head.mnist" */
    int layer;                      /* -1 outside the layers */
    int block;
    struct sy_plan plan;
    struct sy_cost cost;
    size_t weight[SY_PLAN_MAX_PARAMS]; /* offsets into values */
    /* [slot * norm_count + norm]: offset of scale; bias, mean, var follow,
       each `channels` floats; or SY_ABSENT. Owned. */
    size_t *norm;
};

struct sy_tensor {
    char name[SY_TENSOR_NAME_BYTES];
    size_t offset;
    size_t count;
    int dims;
    int dim[4];
    bool trained; /* has a gradient; false for mean and var */
    bool decay;
    int unit;
    int slot; /* -1 for weights */
    enum sy_init init;
    int fan_in, fan_out;
};

struct sy_sums;

struct sy_network {
    char name[SY_NAME_BYTES];
    struct sy_network_spec spec;
    int domain_count;
    struct sy_domain *domain;
    int expert_count;
    struct sy_expert *expert;
    /* One per domain, owned; NULL in a supernet. Set by sy_network_set_route,
       at first the domain's expert "main", or its first one. */
    struct sy_route **route;
    int gate_count;
    struct sy_gate *gate;

    int unit_count;
    struct sy_unit *unit;
    int stem, trunk;                /* unit indices */
    int first_block[SY_MAX_LAYERS]; /* unit of block 0 of a layer */
    int first_head;                 /* unit of domain 0's head */
    int first_gate;                 /* unit of gate 0; gates are the last */

    int tensor_count;
    struct sy_tensor *tensor;
    size_t value_count;
    float *values;
    struct sy_sums *sums; /* owned; hashes of all this, or NULL: sums.h */
};

/*
 * What a network is built from; everything is copied. A domain whose `labels`
 * are NULL gets the labels "0", "1", ... With experts, every domain must have
 * one and every candidate of the spec must be on some expert's path: call
 * sy_spec_prune first.
 */
struct sy_network_parts {
    const char *name;
    const struct sy_network_spec *spec;
    int domain_count;
    const struct sy_domain *domain;
    int expert_count; /* 0: a supernet */
    const struct sy_expert *expert;
    int gate_count; /* 0: none */
    const struct sy_gate *gate;
    size_t max_values; /* refuse a larger network; 0: SY_NETWORK_MAX_VALUES */
};

/*
 * Lays out units, tensors and zeroed values, in the order stem, blocks by
 * layer, trunk, heads, gates; of a unit its weights, then its norms slot by
 * slot.
 * There is no padding: value_count numbers are the network. Returns an owned
 * network. The parts are checked as input from outside.
 */
enum sy_status sy_network_new(struct sy_network **network,
                              const struct sy_network_parts *parts,
                              struct sy_error *err) SY_MUST_USE;
void sy_network_free(struct sy_network *network);

/* Fills all tensors with their initial values; each tensor's stream depends
   on its name, so a block starts alike in any network of the same seed. */
void sy_network_init(struct sy_network *network, uint64_t seed);

/*
 * Norm slots: one per domain, one per expert, or one in all, by the mode;
 * slot 0 is the stem's.
 */
int sy_network_slots(const struct sy_network *network);

/*
 * The slot of a unit on a path of the domain. What comes before the unit
 * counts too: see SLOT above. A path that is no expert's has the norms of the
 * experts that it follows, and behind them those of the first one that takes
 * the unit. `path` may be NULL at the stem and at gates.
 */
int sy_network_slot(const struct sy_network *network, int unit, int domain,
                    const struct sy_path *path);

/* The slot's name in tensor names. */
void sy_network_slot_name(const struct sy_network *network, int unit, int slot,
                          char name[SY_SLOT_NAME_BYTES]);

/* Offset of the norm's scale in a slot, or SY_ABSENT. */
size_t sy_network_norm(const struct sy_network *network, int unit, int slot,
                       int norm);

/* The unit of block `block` at `layer`, and of a domain's own head. */
int sy_network_block(const struct sy_network *network, int layer, int block);
int sy_network_head(const struct sy_network *network, int domain);

/* Stages of a lane: stem, layers, trunk, the domain's head. */
int sy_network_stages(const struct sy_network *network);
int sy_network_stage_unit(const struct sy_network *network, int stage,
                          const struct sy_path *path, int domain);

/* Index of the domain or expert of that name, or -1. */
int sy_network_find_domain(const struct sy_network *network, const char *name);
int sy_network_find_expert(const struct sy_network *network, int domain,
                           const char *name);

/*
 * Takes the route of a domain in place of the one before. It must name experts
 * of that domain, as sy_route_from_json has checked.
 */
void sy_network_set_route(struct sy_network *network, int domain,
                          struct sy_route *route);

/*
 * The experts that a request of this domain may run, in the order of the
 * route: writes their indices to `experts` and returns how many there are, at
 * most `max` and at most SY_ROUTE_MAX_EXPERTS; 0 in a supernet.
 */
int sy_network_route_experts(const struct sy_network *network, int domain,
                             int *experts, int max);

/* Multiply-adds and parameters of one path, stem and head included. */
struct sy_cost sy_network_path_cost(const struct sy_network *network,
                                    const struct sy_path *path, int domain);

/* Trained numbers and statistics of the whole network, shared ones once. */
int64_t sy_network_params(const struct sy_network *network);

#endif
