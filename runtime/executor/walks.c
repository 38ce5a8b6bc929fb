/*
 * walks.c - the routes of a batch on their way.
 *
 * DESIGN. A walk's lanes are its experts in the order in which they ran, so
 * lane i of the request gave answer i. Asking only reads what other requests
 * share, and writes into the walk, the worker's room and the request: that is
 * why a batch can be asked on all workers, and why a request's way does not
 * depend on its batch.
 */
#include "runtime/executor/walks.h"

#include <math.h>
#include <string.h>

struct sy_walk {
    struct sy_route_walk at;
    const struct sy_route *route;
    bool open; /* waits for experts */
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

    walk->route = walks->network->route[request->domain];
    SY_ASSERT(walk->route != NULL);
    walk->open = true;
    walk->at.network = walks->network;
    walk->at.domain = request->domain;
    walk->at.max_madds = request->max_madds;
    walk->at.ran.count = 0;
    walk->at.wanted.count = 0;
}

/* Raw outputs of the lane, from its head. */
static const float *lane_outputs(const struct sy_lanes *lanes, int index,
                                 int lane)
{
    return sy_lanes_state(lanes, index, lane, lanes->stage_count - 1)->output;
}

/* The calibrated answers of the experts that have just run. */
static void take_answers(struct sy_walks *walks, int index,
                         const struct sy_lanes *lanes)
{
    struct sy_route_walk *at = &walks->walk[index].at;
    int classes = walks->network->domain[at->domain].classes;

    for (int i = 0; i < at->wanted.count; i++) {
        int lane = at->ran.count;
        const struct sy_expert *expert =
            &walks->network->expert[at->wanted.expert[i]];
        float *answer = walks->answers + (size_t)(index * walks->width + lane) *
                                             (size_t)walks->classes;
        sy_head_classify.answer(lane_outputs(lanes, index, lane), classes,
                                expert->temperature, answer);
        at->answer[lane] = answer;
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
    const struct sy_route_walk *at = &walks->walk[index].at;
    struct sy_lane_result *result = &request->result[0];
    int classes = walks->network->domain[at->domain].classes;
    size_t bytes = (size_t)classes * sizeof(float);
    int lane = 0;

    while (lane < at->ran.count && at->answer[lane] != answer) {
        lane++;
    }
    bool one = lane < at->ran.count;
    request->status = all_finite(answer, classes) ? SY_OK : SY_INTERNAL;
    request->taken.expert = one ? at->ran.expert[lane] : -1;
    if (result->probabilities != NULL) {
        memcpy(result->probabilities, answer, bytes);
    }
    if (result->outputs != NULL && one) {
        memcpy(result->outputs, lane_outputs(lanes, index, lane), bytes);
    } else if (result->outputs != NULL) {
        sy_head_classify.outputs_of(answer, classes, result->outputs);
    }
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
    taken->cut = at->cut;
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
    request->reused = blocks - request->blocks;
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
    walk->at.room = walks->room + (size_t)worker * walks->room_floats;
    enum sy_route_outcome outcome =
        sy_route_ask(walk->route, &walk->at, &answer);
    walk->open = outcome == SY_ROUTE_WAITS;
    if (walk->open) {
        return;
    }
    tell_way(walks, index, request);
    if (outcome == SY_ROUTE_ANSWERED) {
        give_answer(walks, index, lanes, answer, request);
    } else {
        request->status = SY_UNSUPPORTED;
        request->taken.expert = -1;
    }
}

int sy_walks_open(const struct sy_walks *walks, int index,
                  struct sy_lanes *lanes, const struct sy_request *request)
{
    const struct sy_walk *walk = &walks->walk[index];

    if (!walk->open) {
        return 0;
    }
    for (int i = 0; i < walk->at.wanted.count; i++) {
        const struct sy_expert *expert =
            &walks->network->expert[walk->at.wanted.expert[i]];
        (void)sy_lanes_open(lanes, index, sy_lanes_beside(request, index),
                            request->image, request->domain, &expert->path);
    }
    return walk->at.wanted.count;
}
