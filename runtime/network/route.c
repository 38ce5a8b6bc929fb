/*
 * route.c - the table of route kinds, and what all kinds have in common.
 *
 * DESIGN. A node is read by its type, so this file knows no kind's keys. What
 * holds for every tree is checked here: the depth, the number of children and
 * of nodes, and that one route never names more experts or gates than an
 * executor has room for. It is read from JSON, so it has no cycles: that is a
 * property of the form, and the only one that need not be checked. A type's
 * parse function builds its children through sy_route_child, which leaves the
 * first failure in the reader, as all getters do.
 */
#include "runtime/network/route.h"

#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"

/* One line per kind; the names are apart so that a reader can list them. */
static const struct sy_route_type *const types[] = {
    &sy_route_expert, &sy_route_cascade, &sy_route_ensemble, &sy_route_gate};
static const char *const type_names[] = {"expert", "cascade", "ensemble",
                                         "gate", NULL};

void sy_route_free(struct sy_route *route)
{
    if (route == NULL) {
        return;
    }
    for (int i = 0; i < route->child_count; i++) {
        sy_route_free(route->child[i]);
    }
    if (route->type != NULL && route->type->release != NULL) {
        route->type->release(route);
    }
    sy_free(route);
}

/* Reads one node and, through its type, all below it. */
static enum sy_status read_node(struct sy_route **route, json_t *json,
                                const struct sy_route_context *context,
                                const char *file, const char *place,
                                struct sy_error *err)
{
    int kind = 0;
    struct sy_json in = sy_json_object(json, file, place, err);
    if (context->depth >= SY_ROUTE_MAX_DEPTH) {
        sy_json_reject(&in, "", "routes nested more than %d deep",
                       SY_ROUTE_MAX_DEPTH);
    }
    sy_json_choice(&in, "kind", type_names, &kind);
    if (in.status != SY_OK) {
        return in.status;
    }
    struct sy_route *node = sy_alloc_zero(1, sizeof *node);
    if (node == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory for a route", file);
    }
    node->type = types[kind];
    node->type->parse(node, &in, context);
    enum sy_status status = sy_json_end(&in);
    if (status != SY_OK) {
        sy_route_free(node);
        return status;
    }
    *route = node;
    return SY_OK;
}

void sy_route_child(struct sy_route *node, struct sy_json *in, json_t *value,
                    const char *place, const struct sy_route_context *context)
{
    struct sy_route_context below = *context;
    below.depth++;
    if (in->status != SY_OK) {
        return;
    }
    if (node->child_count == SY_ROUTE_MAX_CHILDREN) {
        sy_json_reject(in, "", "expected at most %d routes below this one",
                       SY_ROUTE_MAX_CHILDREN);
        return;
    }
    in->status = read_node(&node->child[node->child_count], value, &below,
                           in->file, place, in->err);
    if (in->status == SY_OK) {
        node->child_count++;
    }
}

void sy_route_children(struct sy_route *node, struct sy_json *in,
                       const char *key, size_t low, sy_route_inner_fn inner,
                       const struct sy_route_context *context)
{
    char place[SY_JSON_PLACE_BYTES];
    json_t *all = sy_json_array(in, key, low, SY_ROUTE_MAX_CHILDREN);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *entry = json_array_get(all, i);
        int length =
            snprintf(place, sizeof place, "%s.%s[%zu]", in->place, key, i);
        if (length < 0 || (size_t)length >= sizeof place) {
            sy_json_reject(in, key, "is nested too deep to name the place");
            return;
        }
        if (inner == NULL) {
            sy_route_child(node, in, entry, place, context);
            continue;
        }
        struct sy_json at = sy_json_object(entry, in->file, place, in->err);
        if (in->status == SY_OK) {
            inner(node, (int)i, (int)json_array_size(all), &at, context);
            struct sy_json route = sy_json_child(&at, "route");
            sy_route_child(node, &at, route.object, route.place, context);
            in->status = sy_json_end(&at);
        }
    }
}

/* Numbers the nodes from `next` on; returns the number after the last one. */
static int number_nodes(struct sy_route *node, int next)
{
    node->number = next++;
    for (int i = 0; i < node->child_count; i++) {
        next = number_nodes(node->child[i], next);
    }
    return next;
}

/* Nodes that are gates. */
static int count_gates(const struct sy_route *node)
{
    int count = node->type == &sy_route_gate;
    for (int i = 0; i < node->child_count; i++) {
        count += count_gates(node->child[i]);
    }
    return count;
}

enum sy_status sy_route_from_json(struct sy_route **route, json_t *json,
                                  const struct sy_network *network, int domain,
                                  const char *file, const char *place,
                                  struct sy_error *err)
{
    struct sy_route *read = NULL;
    struct sy_route_context context = {.network = network, .domain = domain};
    SY_TRY(read_node(&read, json, &context, file, place, err));
    SY_ASSERT(read != NULL);
    int nodes = number_nodes(read, 0), gates = count_gates(read);
    int experts = sy_route_all_experts(read).count;
    if (nodes > SY_ROUTE_MAX_NODES || experts > SY_ROUTE_MAX_EXPERTS) {
        sy_route_free(read);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected at most %d experts and %d nodes in "
                       "one route, found %d and %d",
                       file, place, SY_ROUTE_MAX_EXPERTS, SY_ROUTE_MAX_NODES,
                       experts, nodes);
    }
    /* One place is the root gate's, which comes before the route. */
    if (gates >= SY_ROUTE_MAX_GATES) {
        sy_route_free(read);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected at most %d gates in one route, "
                       "found %d",
                       file, place, SY_ROUTE_MAX_GATES - 1, gates);
    }
    *route = read;
    return SY_OK;
}

json_t *sy_route_to_json(const struct sy_route *route,
                         const struct sy_network *network)
{
    json_t *object = json_object();
    if (object == NULL) {
        return NULL;
    }
    if (json_object_set_new(object, "kind", json_string(route->type->name)) !=
            0 ||
        !route->type->print(route, network, object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

struct sy_route *sy_route_new_expert(int expert)
{
    struct sy_route *route = sy_alloc_zero(1, sizeof *route);
    if (route != NULL) {
        route->type = &sy_route_expert;
        route->expert = expert;
    }
    return route;
}

void sy_route_add_expert(struct sy_route_experts *out, int expert)
{
    int kept =
        out->count < SY_ROUTE_MAX_EXPERTS ? out->count : SY_ROUTE_MAX_EXPERTS;
    for (int i = 0; i < kept; i++) {
        if (out->expert[i] == expert) {
            return;
        }
    }
    if (kept < SY_ROUTE_MAX_EXPERTS) {
        out->expert[kept] = expert;
    }
    out->count++;
}

static void add_experts(const struct sy_route *node,
                        struct sy_route_experts *out)
{
    if (node->child_count == 0) {
        sy_route_add_expert(out, node->expert);
    }
    for (int i = 0; i < node->child_count; i++) {
        add_experts(node->child[i], out);
    }
}

struct sy_route_experts sy_route_all_experts(const struct sy_route *route)
{
    struct sy_route_experts all = {0};
    add_experts(route, &all);
    return all;
}

void sy_route_add_gate(struct sy_route_gates *out, int gate)
{
    for (int i = 0; i < out->count; i++) {
        if (out->gate[i] == gate) {
            return;
        }
    }
    SY_ASSERT(out->count < SY_ROUTE_MAX_GATES);
    out->gate[out->count++] = gate;
}

static void add_gates(const struct sy_route *node, struct sy_route_gates *out)
{
    if (node->type == &sy_route_gate) {
        sy_route_add_gate(out, node->gate);
    }
    for (int i = 0; i < node->child_count; i++) {
        add_gates(node->child[i], out);
    }
}

struct sy_route_gates sy_route_all_gates(const struct sy_route *route)
{
    struct sy_route_gates all = {0};
    add_gates(route, &all);
    return all;
}

int sy_route_domain(const struct sy_route *route,
                    const struct sy_network *network)
{
    while (route->child_count > 0) {
        route = route->child[0];
    }
    return network->expert[route->expert].domain;
}

int sy_route_nodes(const struct sy_route *route)
{
    int count = 1;
    for (int i = 0; i < route->child_count; i++) {
        count += sy_route_nodes(route->child[i]);
    }
    return count;
}

const struct sy_route *sy_route_node(const struct sy_route *route, int number)
{
    int i = 0;
    if (route->number == number) {
        return route;
    }
    /* The child before the first one that begins after `number`. */
    while (i + 1 < route->child_count &&
           route->child[i + 1]->number <= number) {
        i++;
    }
    SY_ASSERT(route->child_count > 0 && number > route->number);
    return sy_route_node(route->child[i], number);
}

void sy_network_set_route(struct sy_network *network, int domain,
                          struct sy_route *route)
{
    SY_ASSERT(domain >= 0 && domain < network->domain_count);
    SY_ASSERT(network->expert_count > 0 && route != NULL);
    sy_route_free(network->route[domain]);
    network->route[domain] = route;
}

int sy_network_route_experts(const struct sy_network *network, int domain,
                             int *experts, int max)
{
    SY_ASSERT(domain >= 0 && domain < network->domain_count);
    const struct sy_route *route = network->route[domain];
    if (route == NULL) {
        return 0;
    }
    struct sy_route_experts list = sy_route_all_experts(route);
    int count = list.count < max ? list.count : max;
    for (int i = 0; i < count; i++) {
        experts[i] = list.expert[i];
    }
    return count;
}
