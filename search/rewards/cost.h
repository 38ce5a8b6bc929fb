/*
 * cost.h - what a path costs: multiply-adds, parameters, or microseconds.
 *
 * A cost is a sum: one number per block that the path takes, and one per
 * domain for what every path of that domain has, stem and head. So the mean
 * of several blocks costs the mean of their costs, and the expected cost of a
 * distribution over paths is known without drawing any.
 *
 * Thread: any, once made.
 */
#ifndef NAS_REWARDS_COST_H
#define NAS_REWARDS_COST_H

#include "runtime/latency/latency.h"
#include "runtime/network/network.h"
#include "search/controllers/controller.h"

enum nas_cost_kind {
    NAS_COST_MADDS,
    NAS_COST_PARAMS,
    NAS_COST_LATENCY,
    NAS_COSTS
};

extern const char *const nas_cost_names[NAS_COSTS + 1];

struct nas_cost_table {
    enum nas_cost_kind kind;
    int layer_count;
    int choices[SY_MAX_LAYERS];
    double block[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    double fixed[SY_MAX_DOMAINS];
};

/* Multiply-adds or parameters from the plans of a supernet; parameters count
   one domain's norms. */
void nas_cost_from_network(struct nas_cost_table *table,
                           const struct sy_network *network,
                           enum nas_cost_kind kind);

/* Microseconds, from a table that applies to the same network. */
void nas_cost_from_latency(struct nas_cost_table *table,
                           const struct sy_network *network,
                           const struct sy_latency *latency);

double nas_cost_path(const struct nas_cost_table *table, int domain,
                     const struct sy_path *path);

/* The same with the mean over a layer's blocks where it was replaced. */
double nas_cost_proposal(const struct nas_cost_table *table, int domain,
                         const struct nas_proposal *proposal);

/* The mean over the paths that the controller would propose. */
double nas_cost_expected(const struct nas_cost_table *table, int domain,
                         const struct nas_controller *controller);

/* The cheapest path's cost; *path becomes it unless NULL. */
double nas_cost_least(const struct nas_cost_table *table, int domain,
                      struct sy_path *path);

#endif
