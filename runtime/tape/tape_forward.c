/*
 * tape_forward.c - writes the program of a forward.
 *
 * DESIGN. Members are followed node by node. A shard goes on by itself until
 * a norm needs the moments of all shards, or until a node is cut into parts.
 * In training every value keeps its memory until the next forward, because
 * the backward reads it; in a score a value's memory is free again after the
 * stage that reads it, norms write over what they read, and segments follow
 * each other (waves, tape_groups.c), so that most of it stays in the cache.
 */
#include "runtime/tape/tape_private.h"

/* True if nothing but the node reads what it reads, in a score. */
static bool reads_alone(const struct sy_tape *tape,
                        const struct tape_group *group,
                        const struct sy_node *node)
{
    const struct sy_plan *plan = tape_plan(tape, group);
    int readers = node->in[0] == 0 || node->in[0] == plan->output;
    for (int n = 0; n < plan->node_count; n++) {
        readers += plan->node[n].in[0] == node->in[0];
        readers += plan->node[n].in[1] == node->in[0];
    }
    return tape->scoring && readers == 1;
}

/* Memory of what the node computes, which is first written in `round`. */
static enum sy_status make_value(struct sy_tape *tape,
                                 const struct tape_group *group,
                                 struct tape_member *member,
                                 const struct sy_node *node, int round)
{
    int v = node->out, x = node->in[0];
    size_t floats = tape_value_floats(tape, group, member, v);
    if (node->op == SY_OP_NORM && reads_alone(tape, group, node)) {
        /* Number by number, so over what it reads: half the memory moves. */
        member->held[v] = member->held[x];
        member->value[v] = member->value[x];
        member->held[x] = NULL;
    } else if (tape->scoring) {
        member->held[v] = tape_take(tape, floats, round);
        member->value[v] = member->held[v] != NULL ? member->held[v]->at : NULL;
    } else {
        member->value[v] = sy_arena_alloc(&tape->step, floats * sizeof(float));
    }
    return member->value[v] != NULL ? SY_OK : SY_NO_MEMORY;
}

/* The moments of the slot of member `first`, and where its slices begin. */
static struct tape_moments *make_moments(struct sy_tape *tape,
                                         struct tape_group *group, int first,
                                         const struct sy_node *node)
{
    struct sy_shape shape = tape_plan(tape, group)->value[node->in[0]];
    size_t size = 2 * (size_t)shape.c;
    struct sy_arena *arena = &tape->step;
    struct tape_moments *moments = sy_arena_zero(arena, 1, sizeof *moments);
    if (moments == NULL) {
        return NULL;
    }
    moments->channels = shape.c;
    for (int m = first; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        if (tape_counts_together(tape, group, first, m)) {
            moments->slice_count += tape_shards(tape, member->segment);
            member->moments[node->norm] = moments;
        }
    }
    size_t slices = (size_t)moments->slice_count;
    moments->slice_rows = sy_arena_zero(arena, slices, sizeof(int64_t));
    moments->slices = sy_arena_alloc(arena, slices * size * sizeof(float));
    moments->batch = sy_arena_zero(arena, 2 * size, sizeof(float));
    if (moments->slice_rows == NULL || moments->slices == NULL ||
        moments->batch == NULL) {
        return NULL;
    }
    moments->applied = moments->batch + size;
    return moments;
}

/* Statistics of all members of one slot, merged at the end of a round. */
static enum sy_status write_stats(struct sy_tape *tape,
                                  struct tape_group *group, int first,
                                  const struct sy_node *node)
{
    struct tape_moments *moments = make_moments(tape, group, first, node);
    struct sy_shape shape = tape_plan(tape, group)->value[node->in[0]];
    int slice = 0;
    int round = 0;
    for (int m = first; moments != NULL && m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        if (member->moments[node->norm] != moments) {
            continue;
        }
        struct tape_step *step =
            tape_append(tape, &member->cursor, member->segment, STEP_KERNEL);
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(tape_bind(tape, step, group, member, node));
        step->kernel = tape_kernel(tape, node, PASS_STATS);
        step->slice_floats = 2 * (size_t)shape.c;
        step->args.partial =
            moments->slices + (size_t)slice * step->slice_floats;
        for (int s = 0; s < tape_shards(tape, member->segment); s++) {
            int image, count;
            tape_shard(tape, member->segment, s, &image, &count);
            moments->slice_rows[slice++] = (int64_t)count * shape.h * shape.w;
        }
        moments->rows += (int64_t)step->args.count * shape.h * shape.w;
        round = member->cursor.round > round ? member->cursor.round : round;
    }
    struct tape_after *after =
        moments != NULL ? tape_add_after(tape, round) : NULL;
    if (after == NULL) {
        return SY_NO_MEMORY;
    }
    after->moments = moments;
    for (int m = first; m < group->member_count; m++) {
        if (group->member[m].moments[node->norm] == moments) {
            tape_go_to(&group->member[m].cursor, round + 1);
        }
    }
    return SY_OK;
}

/* The node in parts over all images of each member. */
static enum sy_status write_parts(struct sy_tape *tape,
                                  struct tape_group *group,
                                  const struct sy_node *node, int parts)
{
    int round = 0;
    for (int m = 0; m < group->member_count; m++) {
        if (tape_is_now(tape, group->member[m].segment)) {
            int ready = tape_ready(&group->member[m].cursor);
            round = ready > round ? ready : round;
        }
    }
    struct tape_item *item = tape_add_parts(tape, round, parts);
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        if (!tape_is_now(tape, member->segment)) {
            continue;
        }
        SY_TRY(make_value(tape, group, member, node, round));
        struct tape_step *step =
            item != NULL ? tape_add_step(tape, item, STEP_KERNEL) : NULL;
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(tape_bind(tape, step, group, member, node));
        step->kernel = tape->backend->split[node->op]->forward;
        tape_go_to(&member->cursor, round + 1);
    }
    return SY_OK;
}

static enum sy_status write_node(struct sy_tape *tape, struct tape_group *group,
                                 const struct sy_node *node)
{
    for (int m = 0; node->norm >= 0 && m < group->member_count; m++) {
        if (!tape_is_now(tape, group->member[m].segment) ||
            !tape_is_first_of_slot(tape, group, m)) {
            continue;
        }
        SY_TRY(tape_is_frozen_norm(tape, group, m, node->norm)
                   ? tape_frozen_moments(tape, group, m, node->norm)
                   : write_stats(tape, group, m, node));
    }
    int parts = tape_parts(tape, group, node, SY_SPLIT_FORWARD);
    if (parts > 0) {
        return write_parts(tape, group, node, parts);
    }
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        if (!tape_is_now(tape, member->segment)) {
            continue;
        }
        SY_TRY(make_value(tape, group, member, node, member->cursor.round));
        struct tape_step *step =
            tape_append(tape, &member->cursor, member->segment, STEP_KERNEL);
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(tape_bind(tape, step, group, member, node));
        step->kernel = tape_kernel(tape, node, PASS_FORWARD);
    }
    return SY_OK;
}

/* What a segment leaves enters the next stage; what entered is not held. */
static void leave_stage(struct sy_tape *tape, int segment, float *output,
                        struct tape_buffer *held, struct tape_cursor cursor)
{
    struct tape_buffer *before = tape->input_held[segment];
    tape->cursor[segment] = cursor;
    if (output == tape->input[segment]) {
        return; /* passed on */
    }
    tape->input[segment] = output;
    tape->input_held[segment] = held;
    if (held != NULL) {
        held->holders++;
    }
    tape_give(tape, before, tape_last_round(&cursor));
}

/* One choice less that reads what the part leaves. */
static void give_output(struct sy_tape *tape, const struct tape_part *part,
                        int last)
{
    if (part->group != NULL) {
        struct tape_member *member = &part->group->member[part->member];
        SY_ASSERT(member->users > 0);
        if (--member->users == 0) {
            int output = tape_plan(tape, part->group)->output;
            tape_give(tape, member->held[output], last);
        }
    }
}

/*
 * Members do not hold values any more; mixes may read them until the end, and
 * what a member leaves may be for segments of a later wave.
 */
static void give_values(struct sy_tape *tape, const struct tape_stage *stage)
{
    int last = 0;
    for (int i = 0; i < tape->segment_count; i++) {
        int mine = tape_last_round(&tape->cursor[i]);
        last = mine > last ? mine : last;
    }
    for (int g = 0; g < stage->group_count; g++) {
        const struct tape_group *group = &stage->group[g];
        const struct sy_plan *plan = tape_plan(tape, group);
        for (int m = 0; m < group->member_count; m++) {
            bool now = tape_is_now(tape, group->member[m].segment);
            for (int v = 1; now && v < plan->value_count; v++) {
                if (v != plan->output) {
                    tape_give(tape, group->member[m].held[v], last);
                }
            }
        }
    }
    for (int m = 0; m < stage->mix_count; m++) {
        const struct tape_mix *mix = &stage->mix[m];
        if (tape_is_now(tape, mix->segment)) {
            for (int i = 0; i < mix->choice->count; i++) {
                give_output(tape, &mix->part[i], last);
            }
            tape_give(tape, mix->held, last);
        }
    }
    for (int i = 0; i < tape->segment_count; i++) {
        if (tape_is_now(tape, i)) {
            give_output(tape, &stage->hard[i], last);
        }
    }
}

/*
 * Members begin where their segments stand; parts of a mix run beside each
 * other, so in items of their own.
 */
static void enter_stage(struct sy_tape *tape, const struct tape_stage *stage)
{
    for (int g = 0; g < stage->group_count; g++) {
        const struct tape_group *group = &stage->group[g];
        for (int m = 0; m < group->member_count; m++) {
            struct tape_member *member = &group->member[m];
            if (!tape_is_now(tape, member->segment)) {
                continue;
            }
            member->value[0] = tape->input[member->segment];
            member->cursor = tape->cursor[member->segment];
            if (member->mix != NULL) {
                tape_go_to(&member->cursor, tape_ready(&member->cursor));
            }
            if (member->cursor.round < tape->wave_round) {
                tape_go_to(&member->cursor, tape->wave_round);
            }
        }
    }
}

static enum sy_status write_stage(struct sy_tape *tape, int s)
{
    struct tape_stage *stage = &tape->stage[s];
    enter_stage(tape, stage);
    for (int g = 0; g < stage->group_count; g++) {
        struct tape_group *group = &stage->group[g];
        const struct sy_plan *plan = tape_plan(tape, group);
        for (int n = 0; n < plan->node_count; n++) {
            SY_TRY(write_node(tape, group, &plan->node[n]));
        }
    }
    for (int m = 0; m < stage->mix_count; m++) {
        struct tape_mix *mix = &stage->mix[m];
        if (!tape_is_now(tape, mix->segment)) {
            continue;
        }
        SY_TRY(tape_mix_forward(tape, mix));
        leave_stage(tape, mix->segment, mix->output, mix->held,
                    tape->cursor[mix->segment]);
    }
    for (int i = 0; i < tape->segment_count; i++) {
        const struct tape_part *part = &stage->hard[i];
        if (part->group != NULL && tape_is_now(tape, i)) {
            const struct tape_member *member =
                &part->group->member[part->member];
            int output = tape_plan(tape, part->group)->output;
            leave_stage(tape, i, member->value[output], member->held[output],
                        member->cursor);
        }
    }
    if (tape->scoring) {
        give_values(tape, stage);
    }
    return SY_OK;
}

enum sy_status tape_write_forward(struct sy_tape *tape)
{
    for (int s = 0; s < tape->stage_count; s++) {
        SY_TRY(tape_build_stage(tape, s));
    }
    tape->wave = TAPE_ALL_WAVES;
    tape->wave_round = 0;
    SY_TRY(write_stage(tape, 0));
    for (int w = 0; w < tape->wave_count; w++) {
        tape->wave = w;
        tape->wave_round = w > 0 ? tape->round_end : 0;
        for (int s = 1; s < tape->stage_count; s++) {
            SY_TRY(write_stage(tape, s));
        }
    }
    tape->wave = TAPE_ALL_WAVES;
    return SY_OK;
}
