/*
 * route.h - routes: which experts a request of a domain runs, and what becomes
 * of their answers.
 *
 * A route is a small tree. Its leaves are experts of one domain; what stands
 * above them decides. In model.json a node is an object whose "kind" names
 * its type, the other keys are the type's own:
 *
 *     {"kind": "expert", "expert": "main"}
 *     {"kind": "cascade", "stages": [
 *         {"exit": "confidence", "threshold": 0.9, "route": {...}},
 *         {"route": {...}}]}
 *     {"kind": "ensemble", "members": [{...}, {...}], "weights": [2, 1]}
 *     {"kind": "gate", "gate": "pick", "top": 1, "children": [{...}, {...}]}
 *
 * A kind of node is one file of this folder and one line of the table in
 * route.c: how it is read, checked and printed, and how it decides.
 *
 * Deciding has no state of its own. A route is asked with the answers that
 * are there (struct sy_route_walk) and says which experts and gates it wants
 * next, or what the answer is; when those have run it is asked again from its
 * root. So
 * what a request gets is a function of the request alone, and what serves,
 * measures and fits routes is the same function.
 *
 * Thread: one at a time while it is built; any afterwards.
 */
#ifndef SY_NETWORK_ROUTE_H
#define SY_NETWORK_ROUTE_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

enum {
    SY_ROUTE_MAX_CHILDREN = 8,
    SY_ROUTE_MAX_EXPERTS = 8, /* different experts of one route */
    SY_ROUTE_MAX_GATES = 8,   /* different gates of one route, and the root's */
    SY_ROUTE_MAX_DEPTH = 8,
    SY_ROUTE_MAX_NODES = 64,
    SY_ROUTE_MAX_DECISIONS = 32
};

/* A cascade's threshold that no sureness reaches: the stage never ends it. */
#define SY_ROUTE_NEVER 2.0

struct sy_network;
struct sy_route_type;

struct sy_route {
    const struct sy_route_type *type;
    int number; /* in the tree: 0 is the root, a node before its children */
    int expert; /* of an expert node: index into the network's experts */
    int gate;   /* of a gate node: index into the network's gates */
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

/* The indices of experts, each once. */
struct sy_route_experts {
    int count; /* may pass the limit; only the first ones are kept */
    int expert[SY_ROUTE_MAX_EXPERTS];
};

/* The indices of gates, each once. */
struct sy_route_gates {
    int count;
    int gate[SY_ROUTE_MAX_GATES];
};

/* Why an answer is what it is: one decision that a node took. */
struct sy_route_decision {
    int node;         /* its number in the tree */
    int child;        /* that it was about */
    double value;     /* what was measured: of a cascade the child's answer, of
                         a gate how much it wants the child */
    double threshold; /* that it was held against */
    bool ended;       /* cascade: it took the answer and asked no further; gate:
                         it sent the sample to the child */
};

/* The way that a request took. */
struct sy_route_taken {
    struct sy_route_experts ran; /* in the order in which they were opened */
    struct sy_route_gates asked; /* the root gate among them */
    int expert;                  /* whose answer it is; -1: of several */
    bool cut;                    /* the budget kept an expert from running */
    /*
     * How far the experts that ran are apart, as uncertainty: the mean over
     * them of half the summed distance of their probabilities from those of
     * their plain mean, from 0 (they say the same) to nearly 1. 0 for one.
     */
    double disagreement;
    int decision_count;
    struct sy_route_decision decision[SY_ROUTE_MAX_DECISIONS];
};

enum sy_route_outcome {
    SY_ROUTE_ANSWERED,
    SY_ROUTE_WAITS,  /* for the experts in `wanted` */
    SY_ROUTE_NOTHING /* nothing below can be paid */
};

/* One request on its way through a route. */
struct sy_route_walk {
    /* Set by the caller. */
    const struct sy_network *network;
    int domain;
    int64_t max_madds; /* what the request may cost in all; 0: no limit */
    struct sy_route_experts ran;
    const float *answer[SY_ROUTE_MAX_EXPERTS]; /* of those, calibrated */
    struct sy_route_gates asked;
    const float *score[SY_ROUTE_MAX_GATES]; /* of those */
    float *room; /* sy_route_nodes * classes floats, for combined answers */

    /* Found by sy_route_ask. */
    struct sy_route_experts wanted;     /* to run next, none of them in `ran` */
    struct sy_route_gates wanted_gates; /* likewise, none in `asked` */
    bool cut;
    bool failed; /* a gate's scores are no numbers: there is no answer */
    int decision_count;
    struct sy_route_decision decision[SY_ROUTE_MAX_DECISIONS];
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

    /*
     * Asks the node (children through their own `ask`). With an answer,
     * *answer points into the walk's answers or room. Otherwise what it waits
     * for has been added to `wanted`.
     */
    enum sy_route_outcome (*ask)(const struct sy_route *node,
                                 struct sy_route_walk *walk,
                                 const float **answer);

    /*
     * Adds what a reader of a decision about the child wants to know of the
     * node; false: no memory. NULL where it decides nothing.
     */
    bool (*explain)(const struct sy_route *node,
                    const struct sy_network *network, int child,
                    json_t *object);

    /* Gives `data` back; NULL where there is none. Children are freed apart. */
    void (*release)(struct sy_route *node);
};

extern const struct sy_route_type sy_route_expert;
extern const struct sy_route_type sy_route_cascade;
extern const struct sy_route_type sy_route_ensemble;
extern const struct sy_route_type sy_route_gate;

/*
 * How undecided a gate node was, in nats, from its decisions, one a child: the
 * entropy of its shares for the children; where it chooses each for itself,
 * the mean of theirs. 0: no doubt.
 */
double sy_route_gate_doubt(const struct sy_route *node,
                           const struct sy_route_decision *decision);

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

/* Frees the whole tree. NULL is legal. */
void sy_route_free(struct sy_route *route);

/* All experts that the tree names, in its order. */
struct sy_route_experts sy_route_all_experts(const struct sy_route *route);

/* All gates that the tree names, in its order. */
struct sy_route_gates sy_route_all_gates(const struct sy_route *route);

/* The domain of its experts. */
int sy_route_domain(const struct sy_route *route,
                    const struct sy_network *network);

/* Nodes of the tree, and the one with this number. */
int sy_route_nodes(const struct sy_route *route);
const struct sy_route *sy_route_node(const struct sy_route *route, int number);

/*
 * The least multiply-adds for which some answer can be had: the cheapest
 * expert's. A walk with this limit or a higher one ends with an answer.
 */
int64_t sy_route_least_madds(const struct sy_route *route,
                             const struct sy_network *network);

/* Asks the route from its root; what an earlier question found is forgotten. */
enum sy_route_outcome sy_route_ask(const struct sy_route *route,
                                   struct sy_route_walk *walk,
                                   const float **answer);

/* Multiply-adds of the experts together, beginnings that they share once. */
int64_t sy_route_union_madds(const struct sy_network *network,
                             const struct sy_route_experts *experts);

/*
 * The same with gates: each adds its own cost, and that of the way to the
 * features that it reads where no expert goes along there.
 */
int64_t sy_route_madds(const struct sy_network *network,
                       const struct sy_route_experts *experts,
                       const struct sy_route_gates *gates);

/*
 * The decisions as JSON: [{"kind": "cascade", "node": 0, "child": 1, "exit":
 * "confidence", "value": 0.97, "threshold": 0.93, "ended": true}, ...]; those
 * of gates say "gate" and "chosen" for "exit" and "ended". Owned; NULL: no
 * memory.
 */
json_t *sy_route_explain(const struct sy_route *route,
                         const struct sy_network *network,
                         const struct sy_route_taken *taken);

/* For node types. */

/* Reads the child under `value` at `place` and appends it. */
void sy_route_child(struct sy_route *node, struct sy_json *in, json_t *value,
                    const char *place, const struct sy_route_context *context);

/*
 * Reads the array of `low` to SY_ROUTE_MAX_CHILDREN children under `key`.
 * With `inner` NULL its entries are routes; otherwise they are objects, in
 * which the route stands under the key "route" and of which `inner` reads the
 * other keys.
 */
typedef void (*sy_route_inner_fn)(struct sy_route *node, int child, int count,
                                  struct sy_json *in,
                                  const struct sy_route_context *context);
void sy_route_children(struct sy_route *node, struct sy_json *in,
                       const char *key, size_t low, sy_route_inner_fn inner,
                       const struct sy_route_context *context);

/* Adds one expert, unless it is in the list already. */
void sy_route_add_expert(struct sy_route_experts *out, int expert);

/*
 * Whether the expert can be paid besides all that has run or is wanted, and
 * besides this gate, unless it is -1. Without a limit always.
 */
bool sy_route_can_pay(const struct sy_route_walk *walk, int expert, int gate);

/* Adds one gate, unless it is in the list already. */
void sy_route_add_gate(struct sy_route_gates *out, int gate);

/* Notes a decision; those after SY_ROUTE_MAX_DECISIONS are left out. */
void sy_route_note(struct sy_route_walk *walk,
                   struct sy_route_decision decision);

#endif
