/*
 * walks.c - the routes of a batch on their way.
 *
 * DESIGN. A walk knows the lane of each of its experts and gates. A request
 * without a domain first waits for the root gate, as if a route above all
 * domains had asked it; from then on it is like any other. Asking only reads
 * what other requests share, and writes into the walk, the worker's room and
 * the request: that is why a batch can be asked on all workers, and why a
 * request's way does not depend on its batch.
 */
#include "runtime/executor/walks.h"

#include <math.h>
#include <string.h>

struct sy_walk {
    struct sy_route_walk at;
    const struct sy_route *route;      /* NULL: the root gate is to find it */
    bool open;                         /* waits for experts or gates */
    int lane[SY_ROUTE_MAX_EXPERTS];    /* by place in at.ran, then .wanted */
    int gate_lane[SY_ROUTE_MAX_GATES]; /* likewise */
};

/* Most experts, classes and nodes over the domains with a route. */
static void measure(struct sy_walks *walks)
{
    const struct sy_network *network = walks->network;
    size_t nodes = 0;

    for (int d = 0; d < network->domain_count; d++) {
        const struct sy_route *route = network->route[d];
        if (route == NULL) {
            continue;
        }
        int experts = sy_route_all_experts(route).count;
        int classes = network->domain[d].classes;
        size_t tree = (size_t)sy_route_nodes(route);
        walks->width = experts > walks->width ? experts : walks->width;
        walks->classes = classes > walks->classes ? classes : walks->classes;
        nodes = tree > nodes ? tree : nodes;
    }
    walks->room_floats = nodes * (size_t)walks->classes;
}

enum sy_status sy_walks_init(struct sy_walks *walks,
                             const struct sy_network *network, int max_requests,
                             int workers, struct sy_arena *memory)
{
    size_t requests = (size_t)max_requests;

    *walks = (struct sy_walks){.network = network};
    measure(walks);
    size_t answer = (size_t)walks->width * (size_t)walks->classes;
    walks->walk = sy_arena_zero(memory, requests, sizeof *walks->walk);
    walks->answers = sy_arena_zero(memory, requests * answer, sizeof(float));
    walks->room = sy_arena_zero(memory, (size_t)workers * walks->room_floats,
                                sizeof(float));
    return walks->walk != NULL && walks->answers != NULL && walks->room != NULL
               ? SY_OK
               : SY_NO_MEMORY;
}

void sy_walks_begin(struct sy_walks *walks, int index,
                    const struct sy_request *request)
{
    struct sy_walk *walk = &walks->walk[index];

    walk->open = true;
    walk->at.network = walks->network;
    walk->at.domain = request->domain;
    walk->at.max_madds = request->max_madds;
    walk->at.ran.count = 0;
    walk->at.asked.count = 0;
    walk->at.wanted.count = 0;
    walk->at.wanted_gates.count = 0;
    walk->route = NULL;
    if (request->domain >= 0) {
        walk->route = walks->network->route[request->domain];
        SY_ASSERT(walk->route != NULL);
    } else {
        int root = sy_network_root_gate(walks->network);
        SY_ASSERT(root >= 0);
        sy_route_add_gate(&walk->at.wanted_gates, root);
    }
}

/* The scores of the gates that have just run. */
static void take_scores(struct sy_walks *walks, int index,
                        const struct sy_lanes *lanes)
{
    struct sy_walk *walk = &walks->walk[index];
    struct sy_route_walk *at = &walk->at;

    for (int i = 0; i < at->wanted_gates.count; i++) {
        int place = at->asked.count;
        at->score[place] =
            sy_lanes_outputs(lanes, index, walk->gate_lane[place], true);
        sy_route_add_gate(&at->asked, at->wanted_gates.gate[i]);
    }
    at->wanted_gates.count = 0;
}

/* The calibrated answers of the experts that have just run. */
static void take_answers(struct sy_walks *walks, int index,
                         const struct sy_lanes *lanes)
{
    struct sy_walk *walk = &walks->walk[index];
    struct sy_route_walk *at = &walk->at;

    if (at->wanted.count == 0) {
        return;
    }
    int classes = walks->network->domain[at->domain].classes;

    for (int i = 0; i < at->wanted.count; i++) {
        int place = at->ran.count;
        const struct sy_expert *expert =
            &walks->network->expert[at->wanted.expert[i]];
        float *answer =
            walks->answers +
            (size_t)(index * walks->width + place) * (size_t)walks->classes;
        sy_head_classify.answer(
            sy_lanes_outputs(lanes, index, walk->lane[place], false), classes,
            expert->temperature, answer);
        at->answer[place] = answer;
        sy_route_add_expert(&at->ran, at->wanted.expert[i]);
    }
    at->wanted.count = 0;
}

static bool all_finite(const float *values, int count)
{
    for (int k = 0; k < count; k++) {
        if (!isfinite(values[k])) {
            return false;
        }
    }
    return true;
}

/* Hands the request its answer and tells whose it is. */
static void give_answer(const struct sy_walks *walks, int index,
                        const struct sy_lanes *lanes, const float *answer,
                        struct sy_request *request)
{
    const struct sy_walk *walk = &walks->walk[index];
    const struct sy_route_walk *at = &walk->at;
    struct sy_lane_result *result = &request->result[0];
    int classes = walks->network->domain[at->domain].classes;
    size_t bytes = (size_t)classes * sizeof(float);
    int place = 0;

    while (place < at->ran.count && at->answer[place] != answer) {
        place++;
    }
    bool one = place < at->ran.count;
    request->status = all_finite(answer, classes) ? SY_OK : SY_INTERNAL;
    request->taken.expert = one ? at->ran.expert[place] : -1;
    if (result->probabilities != NULL) {
        memcpy(result->probabilities, answer, bytes);
    }
    if (result->outputs != NULL && one) {
        memcpy(result->outputs,
               sy_lanes_outputs(lanes, index, walk->lane[place], false), bytes);
    } else if (result->outputs != NULL) {
        sy_head_classify.outputs_of(answer, classes, result->outputs);
    }
}

/* Blocks on the way to the gate. */
static int gate_blocks(const struct sy_network *network,
                       const struct sy_gate *gate)
{
    int blocks = 0;

    for (int l = 0; l < gate->layers; l++) {
        const struct sy_path *path = &network->expert[gate->expert].path;
        int unit = sy_network_block(network, l, path->block[l]);
        blocks += network->unit[unit].plan.node_count > 0;
    }
    return blocks;
}

/* See sy_route_taken. Answers are probabilities, whoever gives them. */
static double disagreement(const struct sy_route_walk *at)
{
    int classes = at->network->domain[at->domain].classes;
    double sum = 0.0;

    for (int k = 0; at->ran.count > 1 && k < classes; k++) {
        double mean = 0.0;
        for (int i = 0; i < at->ran.count; i++) {
            mean += (double)at->answer[i][k] / at->ran.count;
        }
        for (int i = 0; i < at->ran.count; i++) {
            sum += fabs((double)at->answer[i][k] - mean);
        }
    }
    return at->ran.count > 1 ? 0.5 * sum / at->ran.count : 0.0;
}

/* The way that the request took, and the blocks that it found computed. */
static void tell_way(const struct sy_walks *walks, int index,
                     struct sy_request *request)
{
    const struct sy_network *network = walks->network;
    const struct sy_route_walk *at = &walks->walk[index].at;
    struct sy_route_taken *taken = &request->taken;
    int blocks = 0;

    taken->ran = at->ran;
    taken->asked = at->asked;
    taken->expert = -1;
    taken->cut = at->cut;
    taken->disagreement = disagreement(at);
    taken->decision_count = at->decision_count;
    memcpy(taken->decision, at->decision,
           (size_t)at->decision_count * sizeof at->decision[0]);
    for (int i = 0; i < at->ran.count; i++) {
        const struct sy_path *path = &network->expert[at->ran.expert[i]].path;
        for (int l = 0; l < path->layer_count; l++) {
            int unit = sy_network_block(network, l, path->block[l]);
            blocks += network->unit[unit].plan.node_count > 0;
        }
    }
    for (int i = 0; i < at->asked.count; i++) {
        blocks += gate_blocks(network, &network->gate[at->asked.gate[i]]);
    }
    request->reused = blocks - request->blocks;
}

/*
 * Takes what the root gate says: the domain whose route is to be walked. False
 * where there is none, because it abstains or its scores are no numbers.
 */
static bool find_domain(struct sy_walks *walks, int index,
                        struct sy_request *request)
{
    const struct sy_network *network = walks->network;
    struct sy_walk *walk = &walks->walk[index];
    const struct sy_gate *gate = &network->gate[walk->at.asked.gate[0]];
    double probability[SY_GATE_MAX_OUTPUTS];
    int best = sy_gate_softmax(walk->at.score[0], gate->outputs, probability);

    if (best < 0) {
        request->status = SY_INTERNAL;
        return false;
    }
    best = 0;
    for (int d = 1; d + 1 < gate->outputs; d++) {
        best = probability[d] > probability[best] ? d : best;
    }
    request->sureness = probability[best];
    if (!(probability[best] >= gate->threshold[best])) {
        request->status = SY_NOT_FOUND;
        return false;
    }
    request->found = best;
    walk->at.domain = best;
    walk->route = network->route[best];
    return true;
}

void sy_walks_ask(struct sy_walks *walks, int index, int worker,
                  const struct sy_lanes *lanes, struct sy_request *request)
{
    struct sy_walk *walk = &walks->walk[index];
    const float *answer = NULL;

    if (!walk->open) {
        return;
    }
    take_answers(walks, index, lanes);
    take_scores(walks, index, lanes);
    if (walk->route == NULL && !find_domain(walks, index, request)) {
        walk->open = false;
        request->taken =
            (struct sy_route_taken){.expert = -1, .asked = walk->at.asked};
        return;
    }
    walk->at.room = walks->room + (size_t)worker * walks->room_floats;
    enum sy_route_outcome outcome =
        sy_route_ask(walk->route, &walk->at, &answer);
    walk->open = outcome == SY_ROUTE_WAITS && !walk->at.failed;
    if (walk->open) {
        return;
    }
    tell_way(walks, index, request);
    if (walk->at.failed) {
        request->status = SY_INTERNAL;
    } else if (outcome == SY_ROUTE_ANSWERED) {
        give_answer(walks, index, lanes, answer, request);
    } else {
        request->status = SY_UNSUPPORTED;
    }
}

int sy_walks_open(struct sy_walks *walks, int index, struct sy_lanes *lanes,
                  const struct sy_request *request)
{
    struct sy_walk *walk = &walks->walk[index];
    const struct sy_route_walk *at = &walk->at;
    int beside = sy_lanes_beside(request, index);

    if (!walk->open) {
        return 0;
    }
    for (int i = 0; i < at->wanted.count; i++) {
        const struct sy_expert *expert =
            &walks->network->expert[at->wanted.expert[i]];
        walk->lane[at->ran.count + i] = sy_lanes_open(
            lanes, index, beside, request->image, at->domain, &expert->path);
    }
    for (int i = 0; i < at->wanted_gates.count; i++) {
        walk->gate_lane[at->asked.count + i] = sy_lanes_open_gate(
            lanes, index, beside, request->image, at->wanted_gates.gate[i]);
    }
    return at->wanted.count + at->wanted_gates.count;
}
