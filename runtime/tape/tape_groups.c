/*
 * tape_groups.c - which segments meet in which unit.
 *
 * DESIGN. That is known from the segments' choices alone. A stage's groups
 * stand in the order in which its segments first ask for them, and a group's
 * members in the order of the segments: sums over members have a fixed order.
 */
#include "runtime/tape/tape_private.h"

/*
 * Waves: in a score a segment is alone in each of its norms, and so can be
 * computed to its end before the next one begins, in memory that stays in the
 * cache. Segments whose norms count together are one wave.
 */
void tape_build_waves(struct sy_tape *tape)
{
    bool apart = tape->scoring && tape->network->spec.norm != SY_NORM_SHARED;
    tape->wave_count = apart ? tape->segment_count : 1;
    tape->lane_count = tape->segment_count;
    for (int i = 0; i < tape->segment_count; i++) {
        tape->wave_of[i] = apart ? i : 0;
        tape->lane[i] = i;
        for (int k = 0; k < i; k++) {
            if (tape->input[k] == tape->input[i]) {
                tape->lane[i] = tape->lane[k];
            }
        }
    }
}

bool tape_is_now(const struct sy_tape *tape, int segment)
{
    return tape->wave == TAPE_ALL_WAVES || tape->wave == tape->wave_of[segment];
}

/* Appends a member; what enters the stage is known when it is written. */
static enum sy_status add_member(struct sy_tape *tape, struct tape_group *group,
                                 int segment)
{
    const struct sy_plan *plan = tape_plan(tape, group);
    struct tape_member *member = &group->member[group->member_count];
    size_t values = (size_t)plan->value_count;
    struct sy_arena *arena = &tape->step;
    member->segment = segment;
    member->slot = sy_network_slot(tape->network, group->unit,
                                   tape->segment[segment].domain,
                                   tape->segment[segment].path);
    member->input_lane = tape->lane[segment];
    member->lane = tape->lane_count++;
    member->held = sy_arena_zero(arena, values, sizeof *member->held);
    member->value = sy_arena_zero(arena, values, sizeof *member->value);
    member->grad = sy_arena_zero(arena, values, sizeof *member->grad);
    member->moments =
        sy_arena_zero(arena, (size_t)plan->norm_count, sizeof *member->moments);
    if (member->held == NULL || member->value == NULL || member->grad == NULL ||
        member->moments == NULL) {
        return SY_NO_MEMORY;
    }
    group->member_count++;
    return SY_OK;
}

/* The stage's group for `unit`, made empty when it is not there; or NULL. */
static struct tape_group *find_group(struct sy_tape *tape,
                                     struct tape_stage *stage, int unit)
{
    for (int g = 0; g < stage->group_count; g++) {
        if (stage->group[g].unit == unit) {
            return &stage->group[g];
        }
    }
    size_t members = (size_t)tape->segment_count;
    struct tape_group *group = &stage->group[stage->group_count];
    group->unit = unit;
    group->member = sy_arena_zero(&tape->step, members, sizeof *group->member);
    if (group->member == NULL) {
        return NULL;
    }
    stage->group_count++;
    return group;
}

/* In a score: the member that computes the same lane, or -1. */
static int find_lane(const struct sy_tape *tape, const struct tape_group *group,
                     int segment)
{
    const struct sy_segment *wanted = &tape->segment[segment];
    for (int m = 0; tape->scoring && m < group->member_count; m++) {
        const struct sy_segment *other =
            &tape->segment[group->member[m].segment];
        if (group->member[m].input_lane == tape->lane[segment] &&
            other->domain == wanted->domain && other->count == wanted->count) {
            return m;
        }
    }
    return -1;
}

/* Puts a segment into the group of `unit`: the part that it takes. */
static enum sy_status join(struct sy_tape *tape, int s, int unit, int segment,
                           struct tape_part *part)
{
    part->group = find_group(tape, &tape->stage[s], unit);
    if (part->group == NULL) {
        return SY_NO_MEMORY;
    }
    part->member = find_lane(tape, part->group, segment);
    if (part->member < 0) {
        part->member = part->group->member_count;
        SY_TRY(add_member(tape, part->group, segment));
    }
    part->group->member[part->member].users++;
    return SY_OK;
}

/* A soft choice: a part in the group of each block with weight. */
static enum sy_status join_mix(struct sy_tape *tape, int s, int segment,
                               const struct sy_soft_choice *choice)
{
    struct tape_stage *stage = &tape->stage[s];
    struct tape_mix *mix = &stage->mix[stage->mix_count++];
    size_t count = (size_t)choice->count;
    int layer = s - 1;
    *mix = (struct tape_mix){.segment = segment, .choice = choice};
    mix->part = sy_arena_zero(&tape->step, count, sizeof *mix->part);
    if (mix->part == NULL) {
        return SY_NO_MEMORY;
    }
    for (int i = 0; i < choice->count; i++) {
        int unit = sy_network_block(tape->network, layer, choice->block[i]);
        for (int k = 0; k < i; k++) {
            SY_ASSERT(choice->block[k] != choice->block[i]);
        }
        if (choice->weight[i] == 0.0f) {
            continue;
        }
        struct tape_part *part = &mix->part[i];
        SY_TRY(join(tape, s, unit, segment, part));
        part->group->member[part->member].mix = mix;
    }
    const struct sy_plan *plan =
        &tape->network->unit[sy_network_block(tape->network, layer, 0)].plan;
    mix->input_floats = sy_shape_floats(plan->value[0]);
    mix->output_floats = sy_shape_floats(plan->value[plan->output]);
    tape->lane[segment] = tape->lane_count++;
    return SY_OK;
}

/* The segment's choice at a stage if it is soft, else NULL. */
static const struct sy_soft_choice *soft_choice(const struct sy_tape *tape,
                                                int s, int segment)
{
    const struct sy_soft_choice *soft = tape->segment[segment].soft;
    bool is_layer = s > 0 && s <= tape->network->spec.layer_count;
    return soft != NULL && is_layer && soft[s - 1].count > 0 ? &soft[s - 1]
                                                             : NULL;
}

enum sy_status tape_build_stage(struct sy_tape *tape, int s)
{
    struct tape_stage *stage = &tape->stage[s];
    size_t segments = (size_t)tape->segment_count;
    size_t groups = segments;
    for (int i = 0; i < tape->segment_count; i++) {
        const struct sy_soft_choice *choice = soft_choice(tape, s, i);
        groups += choice != NULL ? (size_t)choice->count : 0;
    }
    stage->hard = sy_arena_zero(&tape->step, segments, sizeof *stage->hard);
    stage->group = sy_arena_zero(&tape->step, groups, sizeof *stage->group);
    stage->mix = sy_arena_zero(&tape->step, segments, sizeof *stage->mix);
    if (stage->hard == NULL || stage->group == NULL || stage->mix == NULL) {
        return SY_NO_MEMORY;
    }
    for (int i = 0; i < tape->segment_count; i++) {
        const struct sy_soft_choice *choice = soft_choice(tape, s, i);
        if (choice != NULL) {
            SY_TRY(join_mix(tape, s, i, choice));
        } else {
            const struct sy_segment *segment = &tape->segment[i];
            struct tape_part *part = &stage->hard[i];
            int unit = sy_network_stage_unit(tape->network, s, segment->path,
                                             segment->domain);
            SY_TRY(join(tape, s, unit, i, part));
            tape->lane[i] = part->group->member[part->member].lane;
        }
    }
    return SY_OK;
}
