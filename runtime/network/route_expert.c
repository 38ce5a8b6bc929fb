/*
 * route_expert.c - the leaf of a route: one expert.
 *
 *     {"kind": "expert", "expert": "main"}
 *
 * DESIGN. An expert runs only if everything that has run, is about to run and
 * itself together stay within the walk's limit. That sum only grows, so what
 * could not be paid once cannot be paid later, and a route that is asked again
 * does not change its mind.
 */
#include <string.h>

#include "runtime/network/network.h"

static void parse(struct sy_route *node, struct sy_json *in,
                  const struct sy_route_context *context)
{
    const char *names[SY_MAX_EXPERTS + 1] = {NULL};
    const struct sy_network *network = context->network;
    char name[SY_NAME_BYTES] = "";
    int count = 0;
    sy_json_text(in, "expert", name, sizeof name);
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain == context->domain) {
            names[count++] = network->expert[e].name;
        }
    }
    node->expert = sy_network_find_expert(network, context->domain, name);
    if (in->status != SY_OK || node->expert >= 0) {
        return;
    }
    const char *nearest = sy_nearest_word(name, names);
    sy_json_reject(
        in, "expert", "domain \"%s\" has no expert of that name%s%s%s",
        network->domain[context->domain].name,
        nearest != NULL ? "; did you mean \"" : "",
        nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static bool print(const struct sy_route *node, const struct sy_network *network,
                  json_t *object)
{
    const char *name = network->expert[node->expert].name;
    return json_object_set_new(object, "expert", json_string(name)) == 0;
}

static enum sy_route_outcome ask(const struct sy_route *node,
                                 struct sy_route_walk *walk,
                                 const float **answer)
{
    for (int i = 0; i < walk->ran.count; i++) {
        if (walk->ran.expert[i] == node->expert) {
            *answer = walk->answer[i];
            return SY_ROUTE_ANSWERED;
        }
    }
    if (!sy_route_can_pay(walk, node->expert, -1)) {
        walk->cut = true;
        return SY_ROUTE_NOTHING;
    }
    sy_route_add_expert(&walk->wanted, node->expert);
    return SY_ROUTE_WAITS;
}

const struct sy_route_type sy_route_expert = {
    .name = "expert",
    .parse = parse,
    .print = print,
    .ask = ask,
};
