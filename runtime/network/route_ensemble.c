/*
 * route_ensemble.c - several answers as one.
 *
 *     {"kind": "ensemble", "members": [{...}, {...}, {...}],
 *      "weights": [2, 1, 1]}
 *
 * The head combines the members' answers with these weights, or equal ones,
 * divided by their sum. Members that cannot be paid are left out, and the
 * weights of the others divided by what is left.
 */
#include "runtime/base/memory.h"
#include "runtime/network/network.h"

struct ensemble {
    bool given;
    double weight[SY_ROUTE_MAX_CHILDREN];
};

static void read_weights(const struct sy_route *node, struct sy_json *in,
                         struct ensemble *ensemble)
{
    size_t count = (size_t)node->child_count;
    json_t *weights = sy_json_array(in, "weights", count, count);

    for (size_t i = 0; i < json_array_size(weights); i++) {
        json_t *weight = json_array_get(weights, i);
        ensemble->weight[i] = json_number_value(weight);
        if (!(ensemble->weight[i] > 0.0 && ensemble->weight[i] <= 1e6)) {
            sy_json_reject(in, "weights",
                           "[%zu]: expected a number above 0, at most 1e6", i);
        }
    }
}

static void parse(struct sy_route *node, struct sy_json *in,
                  const struct sy_route_context *context)
{
    struct ensemble *ensemble = sy_alloc_zero(1, sizeof *ensemble);
    node->data = ensemble;
    if (ensemble == NULL) {
        in->status = sy_fail(in->err, SY_NO_MEMORY, "%s: no memory for a route",
                             in->file);
        return;
    }
    sy_route_children(node, in, "members", 2, NULL, context);
    ensemble->given = sy_json_has(in, "weights");
    for (int i = 0; i < node->child_count; i++) {
        ensemble->weight[i] = 1.0;
    }
    if (ensemble->given && in->status == SY_OK) {
        read_weights(node, in, ensemble);
    }
}

static bool print(const struct sy_route *node, const struct sy_network *network,
                  json_t *object)
{
    const struct ensemble *ensemble = node->data;
    json_t *members = json_array();
    bool made = json_object_set_new(object, "members", members) == 0;

    for (int i = 0; made && i < node->child_count; i++) {
        made = json_array_append_new(
                   members, sy_route_to_json(node->child[i], network)) == 0;
    }
    if (!made || !ensemble->given) {
        return made;
    }
    json_t *weights = json_array();
    made = json_object_set_new(object, "weights", weights) == 0;
    for (int i = 0; made && i < node->child_count; i++) {
        made =
            json_array_append_new(weights, json_real(ensemble->weight[i])) == 0;
    }
    return made;
}

static enum sy_route_outcome ask(const struct sy_route *node,
                                 struct sy_route_walk *walk,
                                 const float **answer)
{
    const struct ensemble *ensemble = node->data;
    const float *answers[SY_ROUTE_MAX_CHILDREN];
    double weights[SY_ROUTE_MAX_CHILDREN], sum = 0.0;
    bool waits = false;
    int count = 0;

    for (int i = 0; i < node->child_count; i++) {
        const struct sy_route *child = node->child[i];
        enum sy_route_outcome outcome =
            child->type->ask(child, walk, &answers[count]);
        waits |= outcome == SY_ROUTE_WAITS;
        if (outcome == SY_ROUTE_ANSWERED) {
            weights[count] = ensemble->weight[i];
            sum += weights[count++];
        }
    }
    if (waits || count == 0) {
        return waits ? SY_ROUTE_WAITS : SY_ROUTE_NOTHING;
    }
    if (count == 1) {
        *answer = answers[0];
        return SY_ROUTE_ANSWERED;
    }
    int classes = walk->network->domain[walk->domain].classes;
    float *combined = walk->room + (size_t)node->number * (size_t)classes;
    for (int i = 0; i < count; i++) {
        weights[i] /= sum;
    }
    sy_head_classify.combine(answers, weights, count, classes, combined);
    *answer = combined;
    return SY_ROUTE_ANSWERED;
}

static void release(struct sy_route *node)
{
    sy_free(node->data);
}

const struct sy_route_type sy_route_ensemble = {
    .name = "ensemble",
    .parse = parse,
    .print = print,
    .ask = ask,
    .release = release,
};
