/*
 * tape_groups.c - which segments meet in which unit, and their buffers.
 *
 * DESIGN. That is known from the segments' choices alone. A stage's groups
 * stand in the order in which its segments first ask for them, and a group's
 * members in the order of the segments: sums over members have a fixed order.
 */
#include "runtime/tape/tape_private.h"

void tape_shard(const struct sy_tape *tape, int segment, int s, int *first,
                int *count)
{
    int64_t images = tape->segment[segment].count;
    *first = (int)(images * s / tape->shards);
    *count = (int)(images * (s + 1) / tape->shards) - *first;
}

/* Cuts a member's images into virtual shards and appends their tasks. */
static void add_tasks(const struct sy_tape *tape, struct tape_group *group,
                      int member)
{
    int segment = group->member[member].segment;
    for (int s = 0; s < tape->shards; s++) {
        struct tape_task task = {.member = member};
        tape_shard(tape, segment, s, &task.first, &task.count);
        if (task.count > 0) {
            group->task[group->task_count++] = task;
        }
    }
}

/* Where values live: a score does not keep them. */
static struct sy_arena *value_arena(struct sy_tape *tape, int s)
{
    return tape->scoring ? &tape->grads[s % 2] : &tape->step;
}

/* Appends a member with its buffers; value 0 is what enters the stage. */
static enum sy_status add_member(struct sy_tape *tape, struct tape_group *group,
                                 int s, int segment)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    struct tape_member *member = &group->member[group->member_count];
    size_t values = (size_t)plan->value_count;
    size_t images = (size_t)tape->segment[segment].count;
    struct sy_arena *arena = &tape->step;
    member->segment = segment;
    member->value = sy_arena_zero(arena, values, sizeof *member->value);
    member->grad = sy_arena_zero(arena, values, sizeof *member->grad);
    member->grad_written =
        sy_arena_zero(arena, values, sizeof *member->grad_written);
    member->moments =
        sy_arena_zero(arena, (size_t)plan->norm_count, sizeof *member->moments);
    if (member->value == NULL || member->grad == NULL ||
        member->grad_written == NULL || member->moments == NULL) {
        return SY_NO_MEMORY;
    }
    member->value[0] = tape->input[segment];
    for (int v = 1; v < plan->value_count; v++) {
        member->value[v] = sy_arena_alloc(
            value_arena(tape, s),
            images * sy_shape_floats(plan->value[v]) * sizeof(float));
        if (member->value[v] == NULL) {
            return SY_NO_MEMORY;
        }
    }
    member->output = member->value[plan->output];
    if (tape->scoring && plan->output == 0) {
        /* The input's memory is used again by the next stage. */
        member->output = sy_arena_alloc(
            value_arena(tape, s),
            images * sy_shape_floats(plan->value[0]) * sizeof(float));
    }
    add_tasks(tape, group, group->member_count);
    group->member_count++;
    return member->output != NULL ? SY_OK : SY_NO_MEMORY;
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
    group->task = sy_arena_zero(&tape->step, members * (size_t)tape->shards,
                                sizeof *group->task);
    if (group->member == NULL || group->task == NULL) {
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
        if (group->member[m].value[0] == tape->input[segment] &&
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
        SY_TRY(add_member(tape, part->group, s, segment));
    }
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
    mix->weight_grad = sy_arena_zero(&tape->step, count, sizeof(float));
    if (mix->part == NULL || mix->weight_grad == NULL) {
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
        SY_TRY(join(tape, s, unit, segment, &mix->part[i]));
        struct tape_member *member =
            &mix->part[i].group->member[mix->part[i].member];
        member->mix = mix;
        member->entry = i;
    }
    const struct sy_plan *plan =
        &tape->network->unit[sy_network_block(tape->network, layer, 0)].plan;
    mix->input_floats = sy_shape_floats(plan->value[0]);
    mix->output_floats = sy_shape_floats(plan->value[plan->output]);
    mix->output = sy_arena_alloc(value_arena(tape, s),
                                 (size_t)tape->segment[segment].count *
                                     mix->output_floats * sizeof(float));
    return mix->output != NULL ? SY_OK : SY_NO_MEMORY;
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

/* What every segment leaves, once all are in their groups. */
static void find_outputs(struct sy_tape *tape, int s,
                         const struct tape_part *hard)
{
    const struct tape_stage *stage = &tape->stage[s];
    for (int i = 0; i < tape->segment_count; i++) {
        if (hard[i].group != NULL) {
            tape->input[i] = hard[i].group->member[hard[i].member].output;
        }
    }
    for (int m = 0; m < stage->mix_count; m++) {
        tape->input[stage->mix[m].segment] = stage->mix[m].output;
    }
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
    struct tape_part *hard = sy_arena_zero(&tape->step, segments, sizeof *hard);
    stage->group = sy_arena_zero(&tape->step, groups, sizeof *stage->group);
    stage->mix = sy_arena_zero(&tape->step, segments, sizeof *stage->mix);
    if (hard == NULL || stage->group == NULL || stage->mix == NULL) {
        return SY_NO_MEMORY;
    }
    for (int i = 0; i < tape->segment_count; i++) {
        const struct sy_soft_choice *choice = soft_choice(tape, s, i);
        if (choice != NULL) {
            SY_TRY(join_mix(tape, s, i, choice));
        } else {
            const struct sy_segment *segment = &tape->segment[i];
            int unit = sy_network_stage_unit(tape->network, s, segment->path,
                                             segment->domain);
            SY_TRY(join(tape, s, unit, i, &hard[i]));
        }
    }
    find_outputs(tape, s, hard);
    return SY_OK;
}
