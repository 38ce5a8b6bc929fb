/*
 * route.c - the table of route kinds, and what all kinds have in common.
 *
 * DESIGN. A node is read by its type, so this file knows no kind's keys. What
 * holds for every tree is checked here: the depth, the number of children, and
 * that one route never runs more experts than an executor has lanes for a
 * request. A type's parse function builds its children through sy_route_child,
 * which leaves the first failure in the reader, as all getters do.
 */
#include "runtime/network/route.h"

#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"

/* One line per kind; the names are apart so that a reader can list them. */
static const struct sy_route_type *const types[] = {&sy_route_expert};
static const char *const type_names[] = {"expert", NULL};

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

enum sy_status sy_route_from_json(struct sy_route **route, json_t *json,
                                  const struct sy_network *network, int domain,
                                  const char *file, const char *place,
                                  struct sy_error *err)
{
    struct sy_route *read = NULL;
    struct sy_route_experts list = {0};
    struct sy_route_context context = {.network = network, .domain = domain};
    SY_TRY(read_node(&read, json, &context, file, place, err));
    SY_ASSERT(read != NULL);
    read->type->experts(read, &list);
    if (list.count > SY_ROUTE_MAX_EXPERTS) {
        sy_route_free(read);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected at most %d experts in one route, "
                       "found %d",
                       file, place, SY_ROUTE_MAX_EXPERTS, list.count);
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
    struct sy_route_experts list = {0};
    SY_ASSERT(domain >= 0 && domain < network->domain_count);
    const struct sy_route *route = network->route[domain];
    if (route == NULL) {
        return 0;
    }
    route->type->experts(route, &list);
    int count = list.count < max ? list.count : max;
    for (int i = 0; i < count; i++) {
        experts[i] = list.expert[i];
    }
    return count;
}
