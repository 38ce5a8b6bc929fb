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
    walk->cut = false;
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

/* The first stage at which expert `a` is on another unit than `b`. */
static int parting(const struct sy_network *network, int a, int b)
{
    const struct sy_expert *x = &network->expert[a];
    const struct sy_expert *y = &network->expert[b];
    int stages = sy_network_stages(network);

    for (int s = 0; s < stages; s++) {
        if (sy_network_stage_unit(network, s, &x->path, x->domain) !=
            sy_network_stage_unit(network, s, &y->path, y->domain)) {
            return s;
        }
    }
    return stages;
}

int64_t sy_route_union_madds(const struct sy_network *network,
                             const struct sy_route_experts *experts)
{
    int64_t madds = 0;

    for (int i = 0; i < experts->count; i++) {
        const struct sy_expert *expert = &network->expert[experts->expert[i]];
        int first = 0;
        for (int j = 0; j < i; j++) {
            int s = parting(network, experts->expert[i], experts->expert[j]);
            first = s > first ? s : first;
        }
        for (int s = first; s < sy_network_stages(network); s++) {
            int unit = sy_network_stage_unit(network, s, &expert->path,
                                             expert->domain);
            madds += network->unit[unit].cost.madds;
        }
    }
    return madds;
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
