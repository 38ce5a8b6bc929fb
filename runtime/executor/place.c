/*
 * place.c - a place in memory for each value inside a block.
 *
 * DESIGN. A value lives from the step that writes it to the last step that
 * reads it. Values are placed in the order in which they are written, each at
 * the lowest address where it meets no placed value whose life overlaps with
 * its own. A step's result and its operands overlap in life (at that step),
 * so a kernel never writes over what it reads. For the chains that most
 * blocks are this is two regions used in turn.
 *
 * Places are multiples of 16 floats: 64 bytes, a cache line and a vector.
 */
#include "runtime/executor/ready.h"

enum { PLACE_FLOATS = 16 };

/* A placed value: its life in steps and its range in floats. */
struct place {
    int born, dies;
    size_t from, to;
};

static int last_reader(const struct sy_infer_plan *fused, int value)
{
    int last = -1;

    for (int i = 0; i < fused->step_count; i++) {
        const struct sy_step *step = &fused->step[i];
        for (int j = 0; j < sy_op_of(step->node.op)->inputs; j++) {
            last = step->node.in[j] == value ? i : last;
        }
        last = step->residual == value ? i : last;
    }
    return last;
}

/* The end of a placed value that `wanted` would run into, or 0. */
static size_t collision(const struct place *placed, int count,
                        const struct place *wanted)
{
    for (int i = 0; i < count; i++) {
        const struct place *other = &placed[i];
        if (other->dies >= wanted->born && other->born <= wanted->dies &&
            other->to > wanted->from && other->from < wanted->to) {
            return other->to;
        }
    }
    return 0;
}

size_t sy_place_values(const struct sy_plan *plan,
                       const struct sy_infer_plan *fused, size_t *at)
{
    struct place placed[SY_PLAN_MAX_NODES];
    int count = 0;
    size_t total = 0;

    for (int v = 0; v < plan->value_count; v++) {
        at[v] = SY_ABSENT;
    }
    for (int i = 0; i < fused->step_count; i++) {
        int value = sy_step_out(&fused->step[i]);
        if (value == fused->output) {
            continue;
        }
        size_t floats = sy_shape_floats(plan->value[value]);
        floats = (floats + PLACE_FLOATS - 1) / PLACE_FLOATS * PLACE_FLOATS;
        struct place best = {.born = i,
                             .dies = last_reader(fused, value),
                             .from = 0,
                             .to = floats};
        /* Moving past a collision only ever goes up, so this ends, at the
           lowest free place. */
        for (size_t end; (end = collision(placed, count, &best)) != 0;) {
            best.from = end;
            best.to = end + floats;
        }
        placed[count++] = best;
        at[value] = best.from;
        total = best.to > total ? best.to : total;
    }
    return total;
}
