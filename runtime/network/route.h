/*
 * route.h - routes: which experts a request of a domain runs, as data.
 *
 * A route is a small tree. Its leaves are experts of one domain; what stands
 * above them decides. In model.json a node is an object whose "kind" names
 * its type, the other keys are the type's own:
 *
 *     {"kind": "expert", "expert": "main"}
 *
 * A kind of node is one file of this folder and one line of the table in
 * route.c: how it is read, checked and printed, and which experts it may run.
 *
 * Thread: one at a time while it is built; any afterwards.
 */
#ifndef SY_NETWORK_ROUTE_H
#define SY_NETWORK_ROUTE_H

#include <jansson.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

enum {
    SY_ROUTE_MAX_CHILDREN = 8,
    SY_ROUTE_MAX_EXPERTS = 8, /* experts of one route */
    SY_ROUTE_MAX_DEPTH = 8
};

struct sy_network;
struct sy_route_type;

struct sy_route {
    const struct sy_route_type *type;
    int expert; /* of an expert node: index into the network's experts */
    int child_count;
    struct sy_route *child[SY_ROUTE_MAX_CHILDREN]; /* owned */
    void *data; /* the type's own, owned; NULL where it needs none */
};

/* What a route is read for: one domain of a network, at a depth of the tree. */
struct sy_route_context {
    const struct sy_network *network;
    int domain;
    int depth;
};

/* The indices of experts, in the order in which a request may run them. */
struct sy_route_experts {
    int count; /* may pass the limit; only the first ones are kept */
    int expert[SY_ROUTE_MAX_EXPERTS];
};

struct sy_route_type {
    const char *name;

    /*
     * Reads the keys beside "kind" into a zeroed node; a failure is left in
     * `in`. Children are read by sy_route_child.
     */
    void (*parse)(struct sy_route *node, struct sy_json *in,
                  const struct sy_route_context *context);

    /* Adds the node's own keys to an object; false: no memory. */
    bool (*print)(const struct sy_route *node, const struct sy_network *network,
                  json_t *object);

    /* Adds the experts that the node runs at first, in order. */
    void (*experts)(const struct sy_route *node, struct sy_route_experts *out);

    /* Gives `data` back; NULL where there is none. Children are freed apart. */
    void (*release)(struct sy_route *node);
};

extern const struct sy_route_type sy_route_expert;

/*
 * Reads and checks the tree at `place` of `file`: kinds and keys are known,
 * leaves name experts of the domain, no limit is passed. Returns an owned
 * route. The network must have its domains and experts.
 */
enum sy_status sy_route_from_json(struct sy_route **route, json_t *json,
                                  const struct sy_network *network, int domain,
                                  const char *file, const char *place,
                                  struct sy_error *err) SY_MUST_USE;

/* The JSON of a route; owned reference, NULL: no memory. */
json_t *sy_route_to_json(const struct sy_route *route,
                         const struct sy_network *network);

/* A route of the one expert; NULL: no memory. */
struct sy_route *sy_route_new_expert(int expert);

/* For parse functions: appends the child under `value` at `place`. */
void sy_route_child(struct sy_route *node, struct sy_json *in, json_t *value,
                    const char *place, const struct sy_route_context *context);

/* Adds one expert, unless it is in the list already. */
void sy_route_add_expert(struct sy_route_experts *out, int expert);

/* Frees the whole tree. NULL is legal. */
void sy_route_free(struct sy_route *route);

#endif
