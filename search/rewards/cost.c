/*
 * cost.c - tables of costs, and sums over them.
 */
#include "search/rewards/cost.h"

#include <string.h>

const char *const nas_cost_names[NAS_COSTS + 1] = {"madds", "params", "latency",
                                                   NULL};

/* Multiply-adds or parameters of a unit. */
static double unit_cost(const struct sy_network *network, int unit,
                        enum nas_cost_kind kind)
{
    const struct sy_cost *cost = &network->unit[unit].cost;
    return (double)(kind == NAS_COST_PARAMS ? cost->params : cost->madds);
}

void nas_cost_from_network(struct nas_cost_table *table,
                           const struct sy_network *network,
                           enum nas_cost_kind kind)
{
    SY_ASSERT(kind != NAS_COST_LATENCY);
    memset(table, 0, sizeof *table);
    table->kind = kind;
    table->layer_count = network->spec.layer_count;
    for (int l = 0; l < table->layer_count; l++) {
        table->choices[l] = network->spec.layer[l].block_count;
        for (int b = 0; b < table->choices[l]; b++) {
            int unit = sy_network_block(network, l, b);
            table->block[l][b] = unit_cost(network, unit, kind);
        }
    }
    for (int d = 0; d < network->domain_count; d++) {
        table->fixed[d] = unit_cost(network, network->stem, kind) +
                          unit_cost(network, network->trunk, kind) +
                          unit_cost(network, sy_network_head(network, d), kind);
    }
}

void nas_cost_from_latency(struct nas_cost_table *table,
                           const struct sy_network *network,
                           const struct sy_latency *latency)
{
    memset(table, 0, sizeof *table);
    table->kind = NAS_COST_LATENCY;
    table->layer_count = network->spec.layer_count;
    for (int l = 0; l < table->layer_count; l++) {
        table->choices[l] = network->spec.layer[l].block_count;
        for (int b = 0; b < table->choices[l]; b++) {
            table->block[l][b] = latency->block_us[l][b];
        }
    }
    for (int d = 0; d < network->domain_count; d++) {
        table->fixed[d] =
            latency->constant_us +
            sy_latency_head_us(latency, network->domain[d].classes);
    }
}

static double layer_mean(const struct nas_cost_table *table, int layer)
{
    double sum = 0;
    for (int b = 0; b < table->choices[layer]; b++) {
        sum += table->block[layer][b];
    }
    return sum / table->choices[layer];
}

double nas_cost_path(const struct nas_cost_table *table, int domain,
                     const struct sy_path *path)
{
    double sum = table->fixed[domain];
    for (int l = 0; l < table->layer_count; l++) {
        sum += table->block[l][path->block[l]];
    }
    return sum;
}

double nas_cost_proposal(const struct nas_cost_table *table, int domain,
                         const struct nas_proposal *proposal)
{
    double sum = table->fixed[domain];
    for (int l = 0; l < table->layer_count; l++) {
        sum += proposal->pick[l] == NAS_PICK_MEAN
                   ? layer_mean(table, l)
                   : table->block[l][proposal->path.block[l]];
    }
    return sum;
}

double nas_cost_expected(const struct nas_cost_table *table, int domain,
                         const struct nas_controller *controller)
{
    double p[SY_MAX_BLOCKS];
    double sum = table->fixed[domain];
    for (int l = 0; l < table->layer_count; l++) {
        nas_controller_probabilities(controller, l, p);
        for (int b = 0; b < table->choices[l]; b++) {
            sum += p[b] * table->block[l][b];
        }
    }
    return sum;
}

double nas_cost_least(const struct nas_cost_table *table, int domain,
                      struct sy_path *path)
{
    struct sy_path least = {.layer_count = table->layer_count};
    for (int l = 0; l < table->layer_count; l++) {
        for (int b = 1; b < table->choices[l]; b++) {
            if (table->block[l][b] < table->block[l][least.block[l]]) {
                least.block[l] = b;
            }
        }
    }
    if (path != NULL) {
        *path = least;
    }
    return nas_cost_path(table, domain, &least);
}
