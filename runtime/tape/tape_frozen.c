/*
 * tape_frozen.c - numbers that training does not move.
 *
 * A frozen weight takes part in the forward and hands gradients on, and its
 * own are not wanted. A frozen norm applies its running statistics, as in
 * inference, so that what a frozen block computes is what it has always
 * computed; its gradient by the input is that of a norm whose statistics do
 * not depend on the batch, which is the usual one with both sums 0.
 */
#include <math.h>
#include <string.h>

#include "runtime/tape/tape_private.h"

/* The tensor that begins at an offset of the values. */
static int find_tensor(const struct sy_network *network, size_t offset)
{
    int low = 0, high = network->tensor_count - 1;
    while (low < high) { /* they stand in order of their offsets */
        int middle = low + (high - low) / 2;
        if (network->tensor[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    SY_ASSERT(network->tensor[low].offset == offset);
    return low;
}

bool tape_is_frozen_norm(const struct sy_tape *tape,
                         const struct tape_group *group, int member, int norm)
{
    int slot = group->member[member].slot;
    return tape->frozen != NULL &&
           tape->frozen[find_tensor(
               tape->network,
               sy_network_norm(tape->network, group->unit, slot, norm))] != 0;
}

enum sy_status tape_frozen_moments(struct sy_tape *tape,
                                   struct tape_group *group, int first,
                                   int norm)
{
    int channels = tape_plan(tape, group)->norm[norm].channels;
    int slot = group->member[first].slot;
    size_t size = (size_t)channels;
    const float *mean =
        tape->network->values +
        sy_network_norm(tape->network, group->unit, slot, norm) + 2 * size;
    struct tape_moments *moments =
        sy_arena_zero(&tape->step, 1, sizeof *moments);
    float *floats = sy_arena_zero(&tape->step, 4 * size, sizeof(float));
    if (moments == NULL || floats == NULL) {
        return SY_NO_MEMORY;
    }
    moments->frozen = true;
    moments->channels = channels;
    moments->rows = 1;
    moments->applied = floats;
    moments->totals = floats + 2 * size;
    memcpy(moments->applied, mean, size * sizeof(float));
    for (size_t c = 0; c < size; c++) {
        moments->applied[size + c] =
            1.0f / sqrtf(mean[size + c] + SY_NORM_EPSILON);
    }
    for (int m = first; m < group->member_count; m++) {
        if (tape_counts_together(tape, group, first, m)) {
            group->member[m].moments[norm] = moments;
        }
    }
    return SY_OK;
}

/* True if the unit has weights or norms that training moves. */
static bool unit_moves(const struct sy_tape *tape, int unit)
{
    for (int t = 0; t < tape->network->tensor_count; t++) {
        const struct sy_tensor *tensor = &tape->network->tensor[t];
        if (tensor->unit == unit && tensor->trained && !tape->frozen[t]) {
            return true;
        }
    }
    return false;
}

int tape_first_moving(const struct sy_tape *tape)
{
    for (int s = 0; tape->frozen != NULL && s < tape->stage_count; s++) {
        for (int g = 0; g < tape->stage[s].group_count; g++) {
            if (unit_moves(tape, tape->stage[s].group[g].unit)) {
                return s;
            }
        }
    }
    return tape->frozen != NULL ? tape->stage_count : 0;
}
