/*
 * tile.c - one unit on a tile of images: the body of a task.
 *
 * DESIGN. A kernel takes images that lie one behind the other. Values between
 * the steps lie so in the worker's memory, outputs in the buffer that the
 * lanes cut for the unit; inputs mostly do as well, since the stage before
 * wrote them that way, and are gathered where they do not. A step with a norm
 * runs once for each slot in the tile, on the images of that slot; all others,
 * the dense layers of squeeze-excite and heads among them, run once.
 *
 * Weights ahead. One image needs each weight of a late layer a few times, so
 * its time is that of bringing the weights from the last-level cache, while
 * early layers compute and bring nothing. A step therefore gets to know what
 * the steps behind it will read, in this unit and the next, and asks for some
 * of it. How far that has come is kept from task to task.
 */
#include "runtime/executor/tile.h"

#include <string.h>

enum { AHEAD_BYTES = 1024 * 1024 };

/* What the steps of one task share. */
struct tile_run {
    const struct sy_ready_unit *unit;
    const struct sy_ready_unit *next; /* or NULL */
    struct sy_tile_memory *memory;
    const struct sy_lane_state *states; /* of the stage */
    const int *order;                   /* of the tile, `count` long */
    int count;
    const float *input; /* `count` images, one behind the other */
    float *output;      /* likewise */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

enum sy_status sy_tile_memory_init(struct sy_tile_memory *memory,
                                   const struct sy_snapshot *snapshot,
                                   struct sy_arena *arena)
{
    size_t values = 0, scratch = 0, gathered = 0;

    for (int i = 0; i < sy_snapshot_network(snapshot)->unit_count; i++) {
        const struct sy_ready_unit *unit = sy_snapshot_unit(snapshot, i);
        size_t tile = (size_t)unit->tile;
        size_t input = tile > 1 ? tile * sy_shape_floats(unit->value[0]) : 0;
        values = larger(values, tile * unit->value_floats);
        scratch = larger(scratch, unit->scratch_floats);
        gathered = larger(gathered, input);
    }
    memory->values = sy_arena_zero(arena, values, sizeof(float));
    memory->scratch = sy_arena_zero(arena, scratch, sizeof(float));
    memory->gathered = sy_arena_zero(arena, gathered, sizeof(float));
    return memory->values != NULL && memory->scratch != NULL &&
                   memory->gathered != NULL
               ? SY_OK
               : SY_NO_MEMORY;
}

/* Where a value of image `n` lies while the tile is computed; NULL: nowhere,
   which is so inside a pair, and for the input, which is only read. */
static float *locate(const struct tile_run *run, int value, int n)
{
    const struct sy_ready_unit *unit = run->unit;
    size_t image = (size_t)n * sy_shape_floats(unit->value[value]);

    if (value == unit->output) {
        return run->output + image;
    }
    if (unit->at[value] == SY_ABSENT) {
        return NULL;
    }
    return run->memory->values + unit->at[value] * (size_t)run->count + image;
}

/* As above, for a value that is read. */
static const float *locate_input(const struct tile_run *run, int value, int n)
{
    size_t image = (size_t)n * sy_shape_floats(run->unit->value[value]);

    return value == 0 ? run->input + image : locate(run, value, n);
}

/* The step on images first .. first + count - 1, which are of one slot. */
static struct sy_infer_args make_args(const struct tile_run *run,
                                      const struct sy_ready_step *step,
                                      int first, int count)
{
    const struct sy_ready_unit *unit = run->unit;
    const struct sy_node *node = &step->node;
    struct sy_infer_args args = {
        .node = node,
        .in = step->in,
        .out = step->out,
        .count = count,
        .x = locate_input(run, node->in[0], first),
        .packed = step->packed,
        .half = step->half,
        .bias = step->bias,
        .y = locate(run, node->out, first),
        .scratch = run->memory->scratch,
        .ahead = &run->memory->ahead,
    };
    if (node->in[1] >= 0) {
        args.x2 = locate_input(run, node->in[1], first);
    }
    if (step->residual >= 0) {
        args.residual = locate_input(run, step->residual, first);
    }
    if (node->norm >= 0) {
        int slot = run->states[run->order[first]].slot;
        const struct sy_folded_norm *norm =
            &unit->norm[slot * unit->norm_count + node->norm];
        SY_ASSERT(norm->scale != NULL);
        args.scale = norm->scale;
        args.bias = norm->bias;
    }
    return args;
}

static void run_images(const struct tile_run *run,
                       const struct sy_ready_step *step, int first, int count)
{
    const struct sy_infer_args args = make_args(run, step, first, count);

    if (step->pair != NULL) {
        const struct sy_infer_args then =
            make_args(run, step->then, first, count);
        step->pair(&args, &then);
    } else {
        step->infer(&args);
    }
}

/* The step on all images; one that has a norm slot by slot. */
static void run_step(const struct tile_run *run,
                     const struct sy_ready_step *step)
{
    if (step->node.norm < 0) {
        run_images(run, step, 0, run->count);
        return;
    }
    for (int i = 0, end; i < run->count; i = end) {
        int slot = run->states[run->order[i]].slot;
        for (end = i + 1;
             end < run->count && run->states[run->order[end]].slot == slot;) {
            end++;
        }
        run_images(run, step, i, end - i);
    }
}

/* The inputs of the tile's images, one behind the other. */
static const float *gather(const struct tile_run *run)
{
    size_t floats = sy_shape_floats(run->unit->value[0]);
    const float *first = run->states[run->order[0]].input;
    bool apart = false;

    for (int i = 1; i < run->count; i++) {
        apart |= run->states[run->order[i]].input != first + (size_t)i * floats;
    }
    if (!apart) {
        return first;
    }
    for (int i = 0; i < run->count; i++) {
        memcpy(run->memory->gathered + (size_t)i * floats,
               run->states[run->order[i]].input, floats * sizeof(float));
    }
    return run->memory->gathered;
}

/* True if the weight to be asked for next is one of the unit's. */
static bool reaches(const struct sy_ahead *ahead,
                    const struct sy_ready_unit *unit)
{
    return unit != NULL && ahead->at >= unit->weights &&
           ahead->at <= unit->weights_end;
}

/*
 * Sets what may be asked for while the step runs: weights behind its own, in
 * this unit and then the next, but not so many that they drive each other out
 * of the cache.
 */
static void look_ahead(const struct tile_run *run,
                       const struct sy_ready_step *step)
{
    struct sy_ahead *ahead = &run->memory->ahead;
    const char *behind = step->behind;
    const char *end = run->unit->weights_end;
    bool here = reaches(ahead, run->unit), beyond = reaches(ahead, run->next);

    if (here ? ahead->at < behind : !beyond) {
        ahead->at = behind;
        beyond = false;
    }
    if (ahead->at == end && run->next != NULL) {
        ahead->at = run->next->weights;
        beyond = true;
    }
    ptrdiff_t held = ahead->at - behind; /* there and not read yet */
    if (beyond) {
        held = end - behind + (ahead->at - run->next->weights);
        end = run->next->weights_end;
    }
    ptrdiff_t room = held < AHEAD_BYTES ? AHEAD_BYTES - held : 0;
    ahead->end = end - ahead->at < room ? end : ahead->at + room;
}

void sy_tile_run(const struct sy_ready_unit *unit,
                 const struct sy_ready_unit *next,
                 struct sy_tile_memory *memory,
                 const struct sy_lane_state *states, const int *order,
                 int count)
{
    struct tile_run run = {
        .unit = unit,
        .next = next,
        .memory = memory,
        .states = states,
        .order = order,
        .count = count,
        .output = states[order[0]].buffer,
    };

    SY_ASSERT(count >= 1 && count <= unit->tile);
    run.input = gather(&run);
    for (int i = 0; i < unit->step_count; i++) {
        look_ahead(&run, &unit->step[i]);
        run_step(&run, &unit->step[i]);
    }
}
