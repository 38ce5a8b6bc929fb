/*
 * network.c - finding one's way in a network: slots, stages, names, costs.
 *
 * DESIGN. A network is laid out once (network_build.c) and then only looked
 * into, so everything here is arithmetic on indices and offsets. The stages of
 * a lane are numbered stem, layers, trunk, head; search, training and serving
 * walk them by these numbers and know no other order.
 */
#include "runtime/network/network.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

void sy_network_free(struct sy_network *network)
{
    if (network == NULL) {
        return;
    }
    for (int d = 0; network->domain != NULL && d < network->domain_count; d++) {
        const struct sy_domain *domain = &network->domain[d];
        for (int k = 0; domain->labels != NULL && k < domain->classes; k++) {
            sy_free(domain->labels[k]);
        }
        sy_free(domain->labels);
    }
    for (int d = 0; network->route != NULL && d < network->domain_count; d++) {
        sy_route_free(network->route[d]);
    }
    for (int u = 0; network->unit != NULL && u < network->unit_count; u++) {
        sy_free(network->unit[u].norm);
    }
    sy_free(network->domain);
    sy_free(network->expert);
    sy_free(network->gate);
    sy_free(network->route);
    sy_free(network->unit);
    sy_free(network->tensor);
    sy_free(network->values);
    sy_free(network->sums);
    sy_free(network);
}

/* True if every expert has its slot. A supernet has no experts yet. */
static bool slot_per_expert(const struct sy_network *network)
{
    return network->spec.norm == SY_NORM_PER_EXPERT &&
           network->expert_count > 0;
}

int sy_network_slots(const struct sy_network *network)
{
    if (network->spec.norm == SY_NORM_SHARED) {
        return 1;
    }
    return slot_per_expert(network) ? network->expert_count
                                    : network->domain_count;
}

/* The first expert of the domain that takes these blocks at the layers
   [first, end), or -1. */
static int first_on(const struct sy_network *network, int domain,
                    const struct sy_path *path, int first, int end)
{
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        bool on = expert->domain == domain;
        for (int l = first; on && l < end; l++) {
            on = expert->path.block[l] == path->block[l];
        }
        if (on) {
            return e;
        }
    }
    return -1;
}

int sy_network_slot(const struct sy_network *network, int unit, int domain,
                    const struct sy_path *path)
{
    if (network->spec.norm == SY_NORM_SHARED || unit == network->stem ||
        unit >= network->first_gate) {
        return 0;
    }
    if (!slot_per_expert(network)) {
        return domain;
    }
    int layers = network->spec.layer_count;
    int layer = network->unit[unit].layer;
    int end = layer >= 0 ? layer + 1 : layers;
    int slot = first_on(network, domain, path, 0, end);
    if (slot < 0 && layer >= 0) {
        slot = first_on(network, domain, path, layer, end);
    }
    return slot >= 0 ? slot : first_on(network, domain, path, 0, 0);
}

void sy_network_slot_name(const struct sy_network *network, int unit, int slot,
                          char name[SY_SLOT_NAME_BYTES])
{
    if (network->spec.norm == SY_NORM_SHARED || unit == network->stem) {
        (void)snprintf(name, SY_SLOT_NAME_BYTES, "all");
        return;
    }
    if (!slot_per_expert(network)) {
        (void)snprintf(name, SY_SLOT_NAME_BYTES, "%s",
                       network->domain[slot].name);
        return;
    }
    const struct sy_expert *expert = &network->expert[slot];
    bool first = first_on(network, expert->domain, &expert->path, 0, 0) == slot;
    (void)snprintf(name, SY_SLOT_NAME_BYTES, "%s%s%s",
                   network->domain[expert->domain].name, first ? "" : ".",
                   first ? "" : expert->name);
}

size_t sy_network_norm(const struct sy_network *network, int unit, int slot,
                       int norm)
{
    const struct sy_unit *at = &network->unit[unit];
    SY_ASSERT(norm >= 0 && norm < at->plan.norm_count);
    return at->norm[slot * at->plan.norm_count + norm];
}

int sy_network_block(const struct sy_network *network, int layer, int block)
{
    SY_ASSERT(layer >= 0 && layer < network->spec.layer_count);
    SY_ASSERT(block >= 0 && block < network->spec.layer[layer].block_count);
    return network->first_block[layer] + block;
}

int sy_network_head(const struct sy_network *network, int domain)
{
    SY_ASSERT(domain >= 0 && domain < network->domain_count);
    return network->first_head + domain;
}

int sy_network_stages(const struct sy_network *network)
{
    return network->spec.layer_count + 3;
}

int sy_network_stage_unit(const struct sy_network *network, int stage,
                          const struct sy_path *path, int domain)
{
    int layers = network->spec.layer_count;
    SY_ASSERT(stage >= 0 && stage < layers + 3);
    if (stage == 0) {
        return network->stem;
    }
    if (stage <= layers) {
        return sy_network_block(network, stage - 1, path->block[stage - 1]);
    }
    return stage == layers + 1 ? network->trunk
                               : sy_network_head(network, domain);
}

int sy_network_find_domain(const struct sy_network *network, const char *name)
{
    for (int d = 0; d < network->domain_count; d++) {
        if (strcmp(network->domain[d].name, name) == 0) {
            return d;
        }
    }
    return -1;
}

int sy_network_find_expert(const struct sy_network *network, int domain,
                           const char *name)
{
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        if (expert->domain == domain && strcmp(expert->name, name) == 0) {
            return e;
        }
    }
    return -1;
}

struct sy_cost sy_network_path_cost(const struct sy_network *network,
                                    const struct sy_path *path, int domain)
{
    struct sy_cost sum = {0};
    for (int s = 0; s < sy_network_stages(network); s++) {
        int unit = sy_network_stage_unit(network, s, path, domain);
        const struct sy_cost *cost = &network->unit[unit].cost;
        sum.madds += cost->madds;
        sum.params += cost->params;
        sum.bytes += cost->bytes;
    }
    return sum;
}

int64_t sy_network_params(const struct sy_network *network)
{
    /* The values have no padding: they are the parameters, each one once. */
    return (int64_t)network->value_count;
}
