/*
 * route_gate.c - a small network that chooses among the children.
 *
 *     {"kind": "gate", "gate": "pick", "top": 2, "children": [{...}, ...]}
 *     {"kind": "gate", "gate": "pick", "choose": "each", "children": [...]}
 *
 * The gate (gate.h) has a score for each child. `choose` says what they mean:
 *
 *   top   the softmax over the children; the `top` most probable ones are
 *         asked, and their answers summed with their probabilities over the
 *         sum of these. `top` is 1 where it is left out.
 *   each  every child has its own switch, which is on where its score is 0 or
 *         more; those that are on are asked, and their answers weigh alike.
 *         With all of them off the one of the highest score is asked.
 *
 * Of equal scores the first comes first. A child that cannot be paid makes
 * way for the next one in the order of the scores, so the answer is the best
 * that the budget has. A gate runs only where the cheapest expert below it can
 * still be paid behind it; where it cannot the children come in their order.
 * Scores that are no finite numbers fail the request.
 *
 * DESIGN. The choice depends on the scores alone and what has been paid for
 * stays paid, so a node that is asked again chooses as before.
 *
 * Source: M. Jordan, R. Jacobs, "Hierarchical Mixtures of Experts and the EM
 * Algorithm", 1994; N. Shazeer et al., "Outrageously Large Neural Networks",
 * ICLR 2017 (top-k).
 */
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"

enum { CHOOSE_TOP, CHOOSE_EACH };

static const char *const choose_names[] = {"top", "each", NULL};

struct choice {
    int choose;
    int top; /* of CHOOSE_TOP */
};

/* The children in the order in which they are to be asked. */
struct ranking {
    int count;
    int picks; /* children wanted */
    int child[SY_ROUTE_MAX_CHILDREN];
    double value[SY_ROUTE_MAX_CHILDREN];  /* by child: as told */
    double weight[SY_ROUTE_MAX_CHILDREN]; /* by child: of its answer */
    double threshold;
};

/* Whether the gate's expert, along which it reads, is among those below. */
static bool has_expert(const struct sy_route *node, int expert)
{
    struct sy_route_experts all = sy_route_all_experts(node);
    for (int i = 0; i < all.count && i < SY_ROUTE_MAX_EXPERTS; i++) {
        if (all.expert[i] == expert) {
            return true;
        }
    }
    return false;
}

/* What has to hold between the node and its gate. */
static void check(const struct sy_route *node, struct sy_json *in,
                  const struct sy_network *network)
{
    const struct sy_gate *gate = &network->gate[node->gate];
    const struct choice *choice = node->data;
    if (gate->outputs != node->child_count) {
        sy_json_reject(in, "children",
                       "expected %d, one for each score of gate \"%s\", "
                       "found %d",
                       gate->outputs, gate->name, node->child_count);
    }
    if (choice->choose == CHOOSE_TOP && choice->top > node->child_count) {
        sy_json_reject(in, "top",
                       "expected at most %d, the number of children, found %d",
                       node->child_count, choice->top);
    }
    if (gate->layers > 0 && !has_expert(node, gate->expert)) {
        sy_json_reject(in, "gate",
                       "gate \"%s\" reads along the path of expert \"%s\", "
                       "which is not among its children",
                       gate->name, network->expert[gate->expert].name);
    }
}

static void parse(struct sy_route *node, struct sy_json *in,
                  const struct sy_route_context *context)
{
    const struct sy_network *network = context->network;
    const char *names[SY_MAX_GATES + 1] = {NULL};
    char name[SY_NAME_BYTES] = "";
    int count = 0;
    struct choice *choice = sy_alloc_zero(1, sizeof *choice);
    node->data = choice;
    if (choice == NULL) {
        in->status = sy_fail(in->err, SY_NO_MEMORY, "%s: no memory for a route",
                             in->file);
        return;
    }
    choice->top = 1;
    sy_json_text(in, "gate", name, sizeof name);
    sy_json_opt_choice(in, "choose", choose_names, &choice->choose);
    if (choice->choose == CHOOSE_TOP) {
        sy_json_opt_int(in, "top", 1, SY_ROUTE_MAX_CHILDREN, &choice->top);
    }
    sy_route_children(node, in, "children", 2, NULL, context);
    for (int g = 0; g < network->gate_count; g++) {
        if (network->gate[g].domain == context->domain) {
            names[count++] = network->gate[g].name;
        }
    }
    node->gate = sy_network_find_gate(network, context->domain, name);
    if (in->status == SY_OK && node->gate < 0) {
        const char *nearest = sy_nearest_word(name, names);
        sy_json_reject(
            in, "gate", "domain \"%s\" has no gate of that name%s%s%s",
            network->domain[context->domain].name,
            nearest != NULL ? "; did you mean \"" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
    if (in->status == SY_OK) {
        check(node, in, network);
    }
}

static bool print(const struct sy_route *node, const struct sy_network *network,
                  json_t *object)
{
    const struct choice *choice = node->data;
    const char *name = network->gate[node->gate].name;
    json_t *children = json_array();
    bool made = json_object_set_new(object, "gate", json_string(name)) == 0;

    if (made && choice->choose == CHOOSE_TOP) {
        made =
            json_object_set_new(object, "top", json_integer(choice->top)) == 0;
    } else if (made) {
        made =
            json_object_set_new(object, "choose",
                                json_string(choose_names[choice->choose])) == 0;
    }
    made = json_object_set_new(object, "children", children) == 0 && made;
    for (int i = 0; made && i < node->child_count; i++) {
        made = json_array_append_new(
                   children, sy_route_to_json(node->child[i], network)) == 0;
    }
    return made;
}

/* Adds which gate it was; a child that it chose did not end anything. */
static bool explain(const struct sy_route *node,
                    const struct sy_network *network, int child, json_t *object)
{
    (void)child;
    const char *name = network->gate[node->gate].name;
    bool chosen = json_is_true(json_object_get(object, "ended"));
    (void)json_object_del(object, "ended");
    return json_object_set_new(object, "gate", json_string(name)) == 0 &&
           json_object_set_new(object, "chosen", json_boolean(chosen)) == 0;
}

/* The scores, where the gate has been asked. */
static const float *scores_of(const struct sy_route_walk *walk, int gate)
{
    for (int i = 0; i < walk->asked.count; i++) {
        if (walk->asked.gate[i] == gate) {
            return walk->score[i];
        }
    }
    return NULL;
}

/* Whether the gate can be paid, and behind it the cheapest expert below. */
static bool can_ask(const struct sy_route *node,
                    const struct sy_route_walk *walk)
{
    struct sy_route_experts all = sy_route_all_experts(node);

    for (int i = 0; i < all.count; i++) {
        if (sy_route_can_pay(walk, all.expert[i], node->gate)) {
            return true;
        }
    }
    return false;
}

/* Orders the children by their scores; of equal ones the first comes first. */
static void sort(struct ranking *ranking, const float *scores)
{
    for (int i = 0; i < ranking->count; i++) {
        int at = i;
        for (; at > 0 && scores[ranking->child[at - 1]] < scores[i]; at--) {
            ranking->child[at] = ranking->child[at - 1];
        }
        ranking->child[at] = i;
    }
}

/* False where a score is no finite number. */
static bool rank(const struct sy_route *node, const float *scores,
                 struct ranking *ranking)
{
    const struct choice *choice = node->data;
    int count = node->child_count;

    ranking->count = count;
    if (sy_gate_softmax(scores, count, ranking->value) < 0) {
        return false;
    }
    sort(ranking, scores);
    if (choice->choose == CHOOSE_TOP) {
        memcpy(ranking->weight, ranking->value, sizeof ranking->weight);
        ranking->picks = choice->top;
        ranking->threshold = ranking->value[ranking->child[ranking->picks - 1]];
        return true;
    }
    ranking->picks = 0;
    ranking->threshold = 0.5;
    for (int i = 0; i < count; i++) {
        ranking->value[i] = 1.0 / (1.0 + exp(-(double)scores[i]));
        ranking->weight[i] = 1.0;
        ranking->picks += scores[i] >= 0.0f;
    }
    ranking->picks = ranking->picks > 0 ? ranking->picks : 1;
    return true;
}

/* The children in their order, one of them wanted: no gate has been asked. */
static void rank_as_given(const struct sy_route *node, struct ranking *ranking)
{
    ranking->count = node->child_count;
    ranking->picks = 1;
    for (int i = 0; i < node->child_count; i++) {
        ranking->child[i] = i;
        ranking->weight[i] = 1.0;
    }
}

/* One answer of those that there are. */
static const float *combined(const struct sy_route *node,
                             const struct sy_route_walk *walk,
                             const float *const *answers, double *weights,
                             int count)
{
    int classes = walk->network->domain[walk->domain].classes;
    float *room = walk->room + (size_t)node->number * (size_t)classes;
    double sum = 0.0;

    if (count == 1) {
        return answers[0];
    }
    for (int i = 0; i < count; i++) {
        sum += weights[i];
    }
    for (int i = 0; i < count; i++) {
        /* Softmax tails can all be 0 in a double: then they weigh alike. */
        weights[i] = sum > 0.0 ? weights[i] / sum : 1.0 / count;
    }
    sy_head_classify.combine(answers, weights, count, classes, room);
    return room;
}

/* Asks the children in the order of the ranking until enough have a say. */
static enum sy_route_outcome ask_children(const struct sy_route *node,
                                          const struct ranking *ranking,
                                          bool told, struct sy_route_walk *walk,
                                          const float **answer)
{
    const float *answers[SY_ROUTE_MAX_CHILDREN];
    double weights[SY_ROUTE_MAX_CHILDREN];
    bool chosen[SY_ROUTE_MAX_CHILDREN] = {false};
    bool waits = false;
    int count = 0, taken = 0;

    for (int i = 0; i < ranking->count && taken < ranking->picks; i++) {
        int at = ranking->child[i];
        const struct sy_route *child = node->child[at];
        enum sy_route_outcome outcome =
            child->type->ask(child, walk, &answers[count]);
        chosen[at] = outcome != SY_ROUTE_NOTHING;
        taken += chosen[at];
        waits |= outcome == SY_ROUTE_WAITS;
        if (outcome == SY_ROUTE_ANSWERED) {
            weights[count++] = ranking->weight[at];
        }
    }
    for (int i = 0; told && i < ranking->count; i++) {
        sy_route_note(
            walk, (struct sy_route_decision){.node = node->number,
                                             .child = i,
                                             .value = ranking->value[i],
                                             .threshold = ranking->threshold,
                                             .ended = chosen[i]});
    }
    if (waits || count == 0) {
        return waits ? SY_ROUTE_WAITS : SY_ROUTE_NOTHING;
    }
    *answer = combined(node, walk, answers, weights, count);
    return SY_ROUTE_ANSWERED;
}

/* -p ln p, 0 at 0. */
static double surprise(double p)
{
    return p > 0 ? -p * log(p) : 0;
}

double sy_route_gate_doubt(const struct sy_route *node,
                           const struct sy_route_decision *decision)
{
    const struct choice *choice = node->data;
    double nats = 0;
    for (int i = 0; i < node->child_count; i++) {
        double p = decision[i].value;
        nats += surprise(p);
        nats += choice->choose == CHOOSE_TOP ? 0 : surprise(1 - p);
    }
    return choice->choose == CHOOSE_TOP ? nats : nats / node->child_count;
}

static enum sy_route_outcome ask(const struct sy_route *node,
                                 struct sy_route_walk *walk,
                                 const float **answer)
{
    const float *scores = scores_of(walk, node->gate);
    struct ranking ranking = {0};

    if (scores == NULL && can_ask(node, walk)) {
        sy_route_add_gate(&walk->wanted_gates, node->gate);
        return SY_ROUTE_WAITS;
    }
    if (scores == NULL) {
        walk->cut = true;
        rank_as_given(node, &ranking);
    } else if (!rank(node, scores, &ranking)) {
        walk->failed = true;
        return SY_ROUTE_NOTHING;
    }
    return ask_children(node, &ranking, scores != NULL, walk, answer);
}

static void release(struct sy_route *node)
{
    sy_free(node->data);
}

const struct sy_route_type sy_route_gate = {
    .name = "gate",
    .parse = parse,
    .print = print,
    .ask = ask,
    .explain = explain,
    .release = release,
};
