/*
 * gate.h - gates: small networks that look at features which a lane has
 * already, and say where it should go on.
 *
 * A gate reads the result of the stem or of a layer. It takes means over a
 * grid of cells, with `textures` those of the differences between neighbours
 * too (ops/textures.c), then a dense layer, with one hidden layer between where
 * `hidden` is not 0, and gives a score per way. It has no convolution and no
 * norm, so it costs a small part of a block. Its numbers are those of a unit
 * of the network, "gate.DOMAIN.NAME", behind the heads.
 *
 * The gate of a domain stands in that domain's route (route_gate.c), where its
 * scores choose among the node's children. It reads behind the first `layers`
 * layers of the path of `expert`; with 0 layers behind the stem, where all
 * paths are alike.
 *
 * The root gate belongs to no domain, "gate.NAME", and there is at most one.
 * It reads behind the stem, which has one norm for all domains, and has a
 * score for each of the first `outputs` - 1 domains, in their order, and a last
 * one for images that are of none of them. (Domains that were added to the
 * network after it was fitted have to be named.) The domain with the highest
 * score is found, unless its probability is below that domain's `threshold`:
 * then the gate abstains.
 *
 * Thread: as for networks.
 */
#ifndef SY_NETWORK_GATE_H
#define SY_NETWORK_GATE_H

#include "runtime/network/spec.h"

enum {
    SY_MAX_GATES = 256,
    SY_GATE_MAX_CELLS = 16,   /* of a side */
    SY_GATE_MAX_HIDDEN = 512, /* it is to stay small */
    SY_GATE_MAX_OUTPUTS = SY_MAX_DOMAINS + 1
};

struct sy_gate {
    char name[SY_NAME_BYTES];
    int domain;    /* index; -1: the root gate */
    int expert;    /* whose path it reads along; -1 with 0 layers */
    int layers;    /* that lie before it */
    int cells;     /* of a side: cells * cells means of every channel */
    bool textures; /* it reads differences too */
    int hidden;    /* 0: none */
    int outputs;   /* scores */
    /* Of the root gate: below it no domain is found, for each domain that it
       may find, 0 to 1; else 0. */
    double threshold[SY_MAX_DOMAINS];
};

struct sy_network;
struct sy_network_parts;

/* For sy_network_new: judges gate `g` of the parts. */
enum sy_status sy_gate_check(const struct sy_network_parts *parts, int g,
                             struct sy_error *err) SY_MUST_USE;

/* For sy_network_new: the gate's plan, from the features that it reads. */
enum sy_status sy_gate_plan(const struct sy_gate *gate,
                            const struct sy_network_spec *spec,
                            struct sy_plan *plan,
                            struct sy_error *err) SY_MUST_USE;

/* The unit of a gate. */
int sy_network_gate(const struct sy_network *network, int gate);

/* Index of the domain's gate of that name, or -1; domain -1: the root's. */
int sy_network_find_gate(const struct sy_network *network, int domain,
                         const char *name);

/* Index of the root gate, or -1. */
int sy_network_root_gate(const struct sy_network *network);

/*
 * The stages that a lane must have run before the gate: stem and `layers`.
 * Multiply-adds of the gate itself are its unit's cost.
 */
int sy_gate_stages(const struct sy_gate *gate);

/*
 * The probability of each score (softmax, in double), and the index of the
 * highest; of equal ones the first. -1 where a score is no finite number.
 */
int sy_gate_softmax(const float *scores, int count, double *probability);

/*
 * Puts these gates in the place of the network's. Those whose name and place
 * it had before, with the same shape, keep their numbers; those of others are
 * zero. Everything else keeps its values and its routes, which must name no
 * gate that is left out. On failure *network is as it was.
 */
enum sy_status sy_network_set_gates(struct sy_network **network,
                                    const struct sy_gate *gates, int count,
                                    struct sy_error *err) SY_MUST_USE;

#endif
