/*
 * lanes.c - opening lanes, and sharing what they have in common.
 *
 * DESIGN. How many states a stage can hold is known beforehand: a request has
 * at most SY_MAX_LANES lanes, and no more different prefixes than the experts
 * of its domain have; a request with a path of its own has one lane. So every
 * array has its final size from the start, and the results' buffers are cut
 * from an arena whose one block is large enough for the fullest batch.
 *
 * Buffers are handed out when a stage is about to run, from the beginning of
 * that block: small batches use the same few cache lines again and again. The
 * states of one unit get theirs in one piece, so that a task on several images
 * sees them as rows of one matrix, and so may the next stage. Results of all
 * stages are kept until the next batch, so that a lane opened late finds what
 * it can start from.
 *
 * Two lanes of a request are in the same state exactly if they were in the
 * same state at the stage before and take the same unit; a request has one
 * domain, whose experts have norms in common as far as their paths are the
 * same, so they then use the same norms as well. What was computed before
 * the domain was known, for the root gate, is the stem, which has one norm for
 * all.
 *
 * A gate reads along the path of an expert of its route, so the lanes that
 * lead to gates have no prefixes but those of experts and the bounds hold.
 */
#include "runtime/executor/lanes.h"

#include <string.h>

#include "runtime/base/memory.h"

enum { BUFFER_GAP_BYTES = 2 * SY_ALIGN_BYTES };

/* True if experts a and b take the same units up to the stage. */
static bool same_prefix(const struct sy_network *network, int stage, int a,
                        int b)
{
    const struct sy_expert *x = &network->expert[a];
    const struct sy_expert *y = &network->expert[b];

    if (x->domain != y->domain) {
        return false;
    }
    for (int s = 0; s <= stage; s++) {
        if (sy_network_stage_unit(network, s, &x->path, x->domain) !=
            sy_network_stage_unit(network, s, &y->path, y->domain)) {
            return false;
        }
    }
    return true;
}

/* The most states that one request can have at the stage. */
static int stage_width(const struct sy_network *network, int stage)
{
    int width = 1;
    int prefixes[SY_MAX_DOMAINS] = {0};

    for (int e = 0; e < network->expert_count; e++) {
        bool is_new = true;
        for (int f = 0; is_new && f < e; f++) {
            is_new = !same_prefix(network, stage, e, f);
        }
        int *count = &prefixes[network->expert[e].domain];
        *count += is_new ? 1 : 0;
        width = *count > width ? *count : width;
    }
    return width < SY_MAX_LANES ? width : SY_MAX_LANES;
}

/* Which units can stand at the stage. */
static void set_units(const struct sy_network *network, int stage,
                      struct sy_lane_stage *out)
{
    int layer = stage - 1;

    out->unit_count = 1;
    if (stage == 0) {
        out->first_unit = network->stem;
    } else if (layer < network->spec.layer_count) {
        out->first_unit = sy_network_block(network, layer, 0);
        out->unit_count = network->spec.layer[layer].block_count;
    } else if (layer == network->spec.layer_count) {
        out->first_unit = network->trunk;
    } else if (layer == network->spec.layer_count + 1) {
        out->first_unit = sy_network_head(network, 0);
        out->unit_count = network->domain_count;
    } else {
        out->first_unit = sy_network_gate(network, 0);
        out->unit_count = network->gate_count;
    }
}

/* The most gates that one request can ask: those of its domain, the root's. */
static int most_gates(const struct sy_network *network)
{
    int count[SY_MAX_DOMAINS] = {0}, most = 0;

    for (int g = 0; g < network->gate_count; g++) {
        int domain = network->gate[g].domain;
        int of_domain = domain >= 0 ? ++count[domain] : 0;
        most = of_domain > most ? of_domain : most;
    }
    most += sy_network_root_gate(network) >= 0;
    return most < SY_ROUTE_MAX_GATES ? most : SY_ROUTE_MAX_GATES;
}

/* Bytes that a state of the stage can take from the buffers. */
static size_t state_bytes(const struct sy_lanes *lanes,
                          const struct sy_lane_stage *stage)
{
    size_t most = 0;

    for (int i = 0; i < stage->unit_count; i++) {
        const struct sy_ready_unit *unit =
            sy_snapshot_unit(lanes->snapshot, stage->first_unit + i);
        if (unit->step_count > 0 && unit->output_floats > most) {
            most = unit->output_floats;
        }
    }
    return most > 0 ? most * sizeof(float) + BUFFER_GAP_BYTES : 0;
}

static enum sy_status init_stages(struct sy_lanes *lanes, size_t *bytes)
{
    for (int s = 0; s < lanes->stage_count; s++) {
        struct sy_lane_stage *stage = &lanes->stage[s];
        size_t each, all;
        set_units(lanes->network, s, stage);
        stage->capacity =
            lanes->max_requests * (s > lanes->head_stage
                                       ? most_gates(lanes->network)
                                       : stage_width(lanes->network, s));
        each = state_bytes(lanes, stage);
        if (__builtin_mul_overflow(each, (size_t)stage->capacity, &all) ||
            __builtin_add_overflow(*bytes, all, bytes)) {
            return SY_NO_MEMORY;
        }
        stage->state = sy_arena_zero(&lanes->memory, (size_t)stage->capacity,
                                     sizeof *stage->state);
        if (stage->state == NULL) {
            return SY_NO_MEMORY;
        }
    }
    return SY_OK;
}

static enum sy_status allocate(struct sy_lanes *lanes)
{
    size_t lane_count = (size_t)lanes->max_requests * (size_t)lanes->slots;
    size_t stages = (size_t)lanes->stage_count;
    size_t bytes = 0;

    lanes->stage = sy_arena_zero(&lanes->memory, stages, sizeof *lanes->stage);
    lanes->at =
        sy_arena_zero(&lanes->memory, lane_count * stages, sizeof *lanes->at);
    lanes->open = sy_arena_zero(&lanes->memory, (size_t)lanes->max_requests,
                                sizeof *lanes->open);
    if (lanes->stage == NULL || lanes->at == NULL || lanes->open == NULL) {
        return SY_NO_MEMORY;
    }
    SY_TRY(init_stages(lanes, &bytes));
    lanes->buffer_bytes = bytes;
    return sy_arena_alloc(&lanes->buffers, bytes) != NULL ? SY_OK
                                                          : SY_NO_MEMORY;
}

enum sy_status sy_lanes_init(struct sy_lanes *lanes,
                             const struct sy_snapshot *snapshot,
                             int max_requests, struct sy_error *err)
{
    const struct sy_network *network = sy_snapshot_network(snapshot);

    *lanes = (struct sy_lanes){
        .snapshot = snapshot,
        .network = network,
        .max_requests = max_requests,
        .stage_count = sy_network_stages(network) + (network->gate_count > 0),
        .head_stage = sy_network_stages(network) - 1,
        .slots = SY_MAX_LANES + most_gates(network),
    };
    sy_arena_init(&lanes->memory, 0);
    sy_arena_init(&lanes->buffers, 0);
    if (allocate(lanes) != SY_OK) {
        sy_lanes_release(lanes);
        return sy_fail(err, SY_NO_MEMORY,
                       "executor: no memory for batches of %d requests",
                       max_requests);
    }
    return SY_OK;
}

void sy_lanes_release(struct sy_lanes *lanes)
{
    sy_arena_release(&lanes->memory);
    sy_arena_release(&lanes->buffers);
}

void sy_lanes_warm(struct sy_lanes *lanes)
{
    sy_arena_reset(&lanes->buffers);
    void *buffers = sy_arena_alloc(&lanes->buffers, lanes->buffer_bytes);
    SY_ASSERT(buffers != NULL);
    memset(buffers, 0, lanes->buffer_bytes);
    sy_arena_reset(&lanes->buffers);
}

void sy_lanes_begin(struct sy_lanes *lanes)
{
    sy_arena_reset(&lanes->buffers);
    for (int s = 0; s < lanes->stage_count; s++) {
        lanes->stage[s].count = 0;
        lanes->stage[s].done = 0;
    }
    memset(lanes->open, 0, (size_t)lanes->max_requests * sizeof *lanes->open);
}

static int *lane_at(const struct sy_lanes *lanes, int request, int lane)
{
    return lanes->at + (request * lanes->slots + lane) * lanes->stage_count;
}

/*
 * Whether two units do the same to an image: the same steps (packed weights
 * that are shared have one address), and the same norms in these slots.
 */
static bool same_work(const struct sy_lanes *lanes,
                      const struct sy_lane_state *state, int unit, int slot)
{
    const struct sy_ready_unit *a =
        sy_snapshot_unit(lanes->snapshot, state->unit);
    const struct sy_ready_unit *b = sy_snapshot_unit(lanes->snapshot, unit);

    if (state->unit == unit && state->slot == slot) {
        return true;
    }
    return a->step == b->step &&
           (a->norm_count == 0 || a->norm[state->slot * a->norm_count].scale ==
                                      b->norm[slot * b->norm_count].scale);
}

/* The stage whose results the state reads. */
static int stage_before(const struct sy_lanes *lanes, int stage,
                        const struct sy_lane_state *state)
{
    const struct sy_network *network = lanes->network;

    if (stage <= lanes->head_stage) {
        return stage - 1;
    }
    return sy_gate_stages(&network->gate[state->unit - network->first_gate]) -
           1;
}

/* The state that a lane of the request has there already, or -1. */
static int find_shared(const struct sy_lanes *lanes, int request, int stage,
                       const struct sy_lane_state *wanted)
{
    for (int lane = 0; lane < lanes->open[request]; lane++) {
        int index = lane_at(lanes, request, lane)[stage];
        const struct sy_lane_state *state = &lanes->stage[stage].state[index];
        if (index >= 0 && state->parent == wanted->parent &&
            stage_before(lanes, stage, state) ==
                stage_before(lanes, stage, wanted) &&
            same_work(lanes, state, wanted->unit, wanted->slot)) {
            return index;
        }
    }
    return -1;
}

static int add_state(struct sy_lanes *lanes, int stage,
                     const struct sy_lane_state *from)
{
    struct sy_lane_stage *at = &lanes->stage[stage];
    const struct sy_ready_unit *unit =
        sy_snapshot_unit(lanes->snapshot, from->unit);

    SY_ASSERT(at->count < at->capacity);
    SY_ASSERT(from->unit >= at->first_unit &&
              from->unit < at->first_unit + at->unit_count);
    struct sy_lane_state *state = &at->state[at->count];
    *state = *from;
    state->computes = unit->step_count > 0;
    return at->count++;
}

/* Cuts a buffer for the states order[0 .. count), all of one unit. */
static void place_outputs(struct sy_lanes *lanes, struct sy_lane_state *states,
                          const int *order, int count)
{
    size_t floats =
        sy_snapshot_unit(lanes->snapshot, states[order[0]].unit)->output_floats;
    float *buffer =
        sy_arena_alloc(&lanes->buffers, (size_t)count * floats * sizeof(float));

    SY_ASSERT(buffer != NULL);
    for (int i = 0; i < count; i++) {
        states[order[i]].buffer = buffer + (size_t)i * floats;
        states[order[i]].output = states[order[i]].buffer;
    }
}

void sy_lanes_place(struct sy_lanes *lanes, int stage, const int *order,
                    int count)
{
    struct sy_lane_stage *at = &lanes->stage[stage];

    for (int i = at->done; i < at->count; i++) {
        struct sy_lane_state *state = &at->state[i];
        if (stage > 0) {
            int before = stage_before(lanes, stage, state);
            state->input = lanes->stage[before].state[state->parent].output;
        }
        state->output = state->input;
    }
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && at->state[order[end]].unit ==
                                             at->state[order[i]].unit;) {
            end++;
        }
        place_outputs(lanes, at->state, order + i, end - i);
    }
}

/* The state of the unit on what `parent` leaves, found or added. */
static int enter(struct sy_lanes *lanes, int beside, int stage,
                 const struct sy_lane_state *wanted)
{
    int index = find_shared(lanes, wanted->request, stage, wanted);

    if (index < 0 && beside >= 0) {
        index = find_shared(lanes, beside, stage, wanted);
    }
    return index >= 0 ? index : add_state(lanes, stage, wanted);
}

/* Opens a lane over the first `stages` stages; returns its last state. */
static int open_stages(struct sy_lanes *lanes, int request, int beside,
                       const float *image, int domain,
                       const struct sy_path *path, int stages)
{
    int lane = lanes->open[request];
    int *at = lane_at(lanes, request, lane);
    int parent = -1;

    SY_ASSERT(lane < lanes->slots);
    for (int stage = 0; stage < stages; stage++) {
        int unit = sy_network_stage_unit(lanes->network, stage, path, domain);
        struct sy_lane_state wanted = {
            .request = request,
            .unit = unit,
            .slot = sy_network_slot(lanes->network, unit, domain, path),
            .parent = parent,
            .input = image,
        };
        parent = enter(lanes, beside, stage, &wanted);
        at[stage] = parent;
    }
    for (int stage = stages; stage < lanes->stage_count; stage++) {
        at[stage] = -1;
    }
    return parent;
}

int sy_lanes_open(struct sy_lanes *lanes, int request, int beside,
                  const float *image, int domain, const struct sy_path *path)
{
    (void)open_stages(lanes, request, beside, image, domain, path,
                      lanes->head_stage + 1);
    return lanes->open[request]++;
}

int sy_lanes_open_gate(struct sy_lanes *lanes, int request, int beside,
                       const float *image, int gate)
{
    const struct sy_network *network = lanes->network;
    const struct sy_gate *at = &network->gate[gate];
    const struct sy_path *path =
        at->expert >= 0 ? &network->expert[at->expert].path : NULL;
    int last = lanes->stage_count - 1;
    int lane = lanes->open[request];
    struct sy_lane_state wanted = {
        .request = request,
        .unit = sy_network_gate(network, gate),
        .parent = open_stages(lanes, request, beside, image, at->domain, path,
                              sy_gate_stages(at)),
        .input = image,
    };

    lane_at(lanes, request, lane)[last] = enter(lanes, beside, last, &wanted);
    return lanes->open[request]++;
}

int64_t sy_lanes_ns(const struct sy_lanes *lanes, int request)
{
    int64_t ns = 0;

    for (int lane = 0; lane < lanes->open[request]; lane++) {
        const int *at = lane_at(lanes, request, lane);
        for (int stage = 0; stage < lanes->stage_count; stage++) {
            bool first = true;
            for (int other = 0; first && other < lane; other++) {
                first = lane_at(lanes, request, other)[stage] != at[stage];
            }
            first = first && at[stage] >= 0;
            ns += first ? lanes->stage[stage].state[at[stage]].ns : 0;
        }
    }
    return ns;
}

const struct sy_lane_state *sy_lanes_state(const struct sy_lanes *lanes,
                                           int request, int lane, int stage)
{
    SY_ASSERT(lane < lanes->open[request]);
    int index = lane_at(lanes, request, lane)[stage];
    SY_ASSERT(index >= 0);
    return &lanes->stage[stage].state[index];
}

const float *sy_lanes_outputs(const struct sy_lanes *lanes, int request,
                              int lane, bool gate)
{
    int stage = gate ? lanes->stage_count - 1 : lanes->head_stage;
    return sy_lanes_state(lanes, request, lane, stage)->output;
}
