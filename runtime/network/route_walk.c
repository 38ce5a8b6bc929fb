/*
 * route_walk.c - asking a route, what it costs, and what it decided.
 */
#include <string.h>

#include "runtime/network/network.h"

enum sy_route_outcome sy_route_ask(const struct sy_route *route,
                                   struct sy_route_walk *walk,
                                   const float **answer)
{
    walk->wanted.count = 0;
    walk->wanted_gates.count = 0;
    walk->cut = false;
    walk->failed = false;
    walk->decision_count = 0;
    return route->type->ask(route, walk, answer);
}

void sy_route_note(struct sy_route_walk *walk,
                   struct sy_route_decision decision)
{
    if (walk->decision_count < SY_ROUTE_MAX_DECISIONS) {
        walk->decision[walk->decision_count++] = decision;
    }
}

/* A lane, as far as its costs go: so many stages of a path. */
struct way {
    const struct sy_path *path; /* NULL for the stem alone */
    int domain;
    int stages;
};

static int way_unit(const struct sy_network *network, int stage,
                    const struct way *way)
{
    return sy_network_stage_unit(network, stage, way->path, way->domain);
}

/* The first stage of `a` that `b` does not have. */
static int parting(const struct sy_network *network, const struct way *a,
                   const struct way *b)
{
    int stages = a->stages < b->stages ? a->stages : b->stages;

    for (int s = 0; s < stages; s++) {
        if (way_unit(network, s, a) != way_unit(network, s, b)) {
            return s;
        }
    }
    return stages;
}

/* Multiply-adds of the way beyond those before it. */
static int64_t beyond(const struct sy_network *network, const struct way *ways,
                      int i)
{
    int64_t madds = 0;
    int first = 0;

    for (int j = 0; j < i; j++) {
        int s = parting(network, &ways[i], &ways[j]);
        first = s > first ? s : first;
    }
    for (int s = first; s < ways[i].stages; s++) {
        madds += network->unit[way_unit(network, s, &ways[i])].cost.madds;
    }
    return madds;
}

int64_t sy_route_madds(const struct sy_network *network,
                       const struct sy_route_experts *experts,
                       const struct sy_route_gates *gates)
{
    struct way ways[SY_ROUTE_MAX_EXPERTS + SY_ROUTE_MAX_GATES];
    int64_t madds = 0;
    int count = 0;

    SY_ASSERT(experts->count <= SY_ROUTE_MAX_EXPERTS);
    for (int i = 0; i < experts->count; i++) {
        const struct sy_expert *expert = &network->expert[experts->expert[i]];
        ways[count] = (struct way){&expert->path, expert->domain,
                                   sy_network_stages(network)};
        madds += beyond(network, ways, count++);
    }
    for (int i = 0; i < gates->count; i++) {
        const struct sy_gate *gate = &network->gate[gates->gate[i]];
        const struct sy_path *path =
            gate->expert >= 0 ? &network->expert[gate->expert].path : NULL;
        ways[count] = (struct way){path, gate->domain, sy_gate_stages(gate)};
        madds += beyond(network, ways, count++);
        madds +=
            network->unit[sy_network_gate(network, gates->gate[i])].cost.madds;
    }
    return madds;
}

int64_t sy_route_union_madds(const struct sy_network *network,
                             const struct sy_route_experts *experts)
{
    return sy_route_madds(network, experts, &(struct sy_route_gates){0});
}

bool sy_route_can_pay(const struct sy_route_walk *walk, int expert, int gate)
{
    struct sy_route_experts experts = walk->ran;
    struct sy_route_gates gates = walk->asked;

    if (walk->max_madds <= 0) {
        return true;
    }
    for (int i = 0; i < walk->wanted.count; i++) {
        sy_route_add_expert(&experts, walk->wanted.expert[i]);
    }
    for (int i = 0; i < walk->wanted_gates.count; i++) {
        sy_route_add_gate(&gates, walk->wanted_gates.gate[i]);
    }
    sy_route_add_expert(&experts, expert);
    if (gate >= 0) {
        sy_route_add_gate(&gates, gate);
    }
    return sy_route_madds(walk->network, &experts, &gates) <= walk->max_madds;
}

int64_t sy_route_least_madds(const struct sy_route *route,
                             const struct sy_network *network)
{
    struct sy_route_experts all = sy_route_all_experts(route);
    int64_t least = INT64_MAX;

    for (int i = 0; i < all.count; i++) {
        const struct sy_expert *expert = &network->expert[all.expert[i]];
        int64_t madds =
            sy_network_path_cost(network, &expert->path, expert->domain).madds;
        least = madds < least ? madds : least;
    }
    return least;
}

/* One decision as JSON. */
static json_t *decision_json(const struct sy_route *route,
                             const struct sy_network *network,
                             const struct sy_route_decision *decision)
{
    const struct sy_route *node = sy_route_node(route, decision->node);
    json_t *object = json_pack(
        "{s:s, s:i, s:i, s:f, s:f, s:b}", "kind", node->type->name, "node",
        decision->node, "child", decision->child, "value", decision->value,
        "threshold", decision->threshold, "ended", (int)decision->ended);
    if (object != NULL && node->type->explain != NULL &&
        !node->type->explain(node, network, decision->child, object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *sy_route_explain(const struct sy_route *route,
                         const struct sy_network *network,
                         const struct sy_route_taken *taken)
{
    json_t *list = json_array();

    for (int i = 0; list != NULL && i < taken->decision_count; i++) {
        json_t *one = decision_json(route, network, &taken->decision[i]);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
