/*
 * tape.c - life of a tape, and the forward pass.
 *
 * DESIGN. The forward builds the step's stages and groups in the step arena
 * as it goes: which segments meet in which unit is known from their paths
 * alone. Every value of every plan keeps its buffer until the next forward,
 * because the backward reads it.
 */
#include "runtime/tape/tape.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/tape/tape_private.h"

enum { TAPE_SHARDS = 8, TAPE_ARENA_BYTES = 16 << 20 };

enum sy_status sy_tape_new(struct sy_tape **tape, struct sy_network *network,
                           struct sy_pool *pool,
                           const struct sy_tape_options *options,
                           struct sy_error *err)
{
    struct sy_tape *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    made->network = network;
    made->pool = pool;
    made->shards = options->shards > 0 ? options->shards : TAPE_SHARDS;
    made->backend =
        options->backend != NULL ? options->backend : sy_backend_best();
    sy_arena_init(&made->step, TAPE_ARENA_BYTES);
    sy_arena_init(&made->grads[0], TAPE_ARENA_BYTES);
    sy_arena_init(&made->grads[1], TAPE_ARENA_BYTES);
    made->scratch =
        sy_alloc_zero((size_t)sy_pool_threads(pool), sizeof(float *));
    if (made->scratch == NULL) {
        sy_tape_free(made);
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    *tape = made;
    return SY_OK;
}

void sy_tape_free(struct sy_tape *tape)
{
    if (tape == NULL) {
        return;
    }
    if (tape->scratch != NULL) {
        for (int i = 0; i < sy_pool_threads(tape->pool); i++) {
            sy_free(tape->scratch[i]);
        }
    }
    sy_free(tape->scratch);
    sy_free(tape->partial);
    sy_arena_release(&tape->step);
    sy_arena_release(&tape->grads[0]);
    sy_arena_release(&tape->grads[1]);
    sy_free(tape);
}

/* Copies the segments and finds where each one's images begin. */
static enum sy_status take_segments(struct sy_tape *tape,
                                    const struct sy_segment *segments,
                                    int count)
{
    size_t n = (size_t)count;
    size_t at = 0;
    tape->segment = sy_arena_zero(&tape->step, n, sizeof *tape->segment);
    tape->image_at = sy_arena_zero(&tape->step, n, sizeof *tape->image_at);
    tape->flow = sy_arena_zero(&tape->step, n, sizeof *tape->flow);
    tape->output_grad =
        sy_arena_zero(&tape->step, n, sizeof *tape->output_grad);
    if (tape->segment == NULL || tape->image_at == NULL || tape->flow == NULL ||
        tape->output_grad == NULL) {
        return SY_NO_MEMORY;
    }
    tape->segment_count = count;
    memcpy(tape->segment, segments, n * sizeof *segments);
    for (int i = 0; i < count; i++) {
        tape->image_at[i] = at;
        at += (size_t)segments[i].count *
              sy_shape_floats(tape->network->spec.input);
    }
    return SY_OK;
}

/* Cuts a member's images into virtual shards and appends their tasks. */
static void add_tasks(const struct sy_tape *tape, struct tape_group *group,
                      int member)
{
    int images = tape->segment[group->member[member].segment].count;
    for (int s = 0; s < tape->shards; s++) {
        int first = (int)((int64_t)images * s / tape->shards);
        int end = (int)((int64_t)images * (s + 1) / tape->shards);
        if (end > first) {
            group->task[group->task_count++] =
                (struct tape_task){member, first, end - first};
        }
    }
}

/* Gives a member its buffers; value 0 is what the stage before left. */
static enum sy_status add_member(struct sy_tape *tape, struct tape_group *group,
                                 int segment, float *input)
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
    member->value[0] = input;
    for (int v = 1; v < plan->value_count; v++) {
        member->value[v] = sy_arena_alloc(
            arena, images * sy_shape_floats(plan->value[v]) * sizeof(float));
        if (member->value[v] == NULL) {
            return SY_NO_MEMORY;
        }
    }
    add_tasks(tape, group, group->member_count);
    group->member_count++;
    return SY_OK;
}

/* The stage's group for `unit`, made empty when it is not there yet. */
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

/* Groups all segments at stage `s`; `input` is each one's value 0. */
static enum sy_status build_stage(struct sy_tape *tape, int s, float **input)
{
    struct tape_stage *stage = &tape->stage[s];
    stage->group = sy_arena_zero(&tape->step, (size_t)tape->segment_count,
                                 sizeof *stage->group);
    if (stage->group == NULL) {
        return SY_NO_MEMORY;
    }
    for (int i = 0; i < tape->segment_count; i++) {
        int unit = sy_network_stage_unit(
            tape->network, s, tape->segment[i].path, tape->segment[i].domain);
        struct tape_group *group = find_group(tape, stage, unit);
        if (group == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(add_member(tape, group, i, input[i]));
    }
    return SY_OK;
}

/* Points `input` at what stage `s` left for each segment. */
static void stage_outputs(const struct sy_tape *tape, int s, float **input)
{
    const struct tape_stage *stage = &tape->stage[s];
    for (int g = 0; g < stage->group_count; g++) {
        const struct tape_group *group = &stage->group[g];
        int output = tape_unit(tape, group)->plan.output;
        for (int m = 0; m < group->member_count; m++) {
            input[group->member[m].segment] = group->member[m].value[output];
        }
    }
}

/* From merged moments to what the kernels apply. */
static void finish_moments(struct tape_moments *moments, int channels)
{
    for (int c = 0; c < channels; c++) {
        float variance = moments->batch[channels + c] / (float)moments->rows;
        moments->applied[c] = moments->batch[c];
        moments->applied[channels + c] =
            1.0f / sqrtf(variance + SY_NORM_EPSILON);
    }
}

/* First stage of a norm: moments of each slot over all its rows. */
static enum sy_status norm_moments(struct tape_job *job, struct sy_error *err)
{
    struct sy_tape *tape = job->tape;
    const struct tape_group *group = job->group;
    const struct sy_node *node = job->node;
    int channels = tape_unit(tape, group)->plan.norm[node->norm].channels;
    size_t size = 2 * (size_t)channels;
    int *list =
        sy_arena_zero(&tape->step, (size_t)group->task_count, sizeof *list);
    if (list == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    SY_TRY(tape_reserve_partial(tape, group->task_count, size, err));
    job->partial_size = size;
    tape_run(job);
    for (int m = 0; m < group->member_count; m++) {
        int count = tape_slot_tasks(tape, group, m, list);
        if (count == 0) {
            continue;
        }
        struct tape_moments *moments =
            sy_arena_zero(&tape->step, 1, sizeof *moments);
        float *both = sy_arena_zero(&tape->step, 2 * size, sizeof(float));
        if (moments == NULL || both == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
        }
        moments->rows = tape_merge_moments(job, list, count);
        moments->batch = both;
        moments->applied = both + size;
        memcpy(both, tape_slice(job, list[0]), size * sizeof(float));
        finish_moments(moments, channels);
        for (int i = 0; i < count; i++) {
            int member = group->task[list[i]].member;
            group->member[member].moments[node->norm] = moments;
        }
    }
    return SY_OK;
}

/* Runs every node of a group. */
static enum sy_status forward_group(struct sy_tape *tape,
                                    const struct tape_group *group,
                                    struct sy_error *err)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    for (int n = 0; n < plan->node_count; n++) {
        const struct sy_node *node = &plan->node[n];
        struct tape_job job = {.tape = tape, .group = group, .node = node};
        SY_TRY(tape_reserve_scratch(tape, group, node, err));
        if (node->op == SY_OP_NORM) {
            job.kernel = tape->backend->stats[node->op];
            if (job.kernel == NULL) {
                job.kernel = sy_op_of(node->op)->stats;
            }
            SY_TRY(norm_moments(&job, err));
        }
        job.kernel = tape->backend->forward[node->op];
        if (job.kernel == NULL) {
            job.kernel = sy_op_of(node->op)->forward;
        }
        job.partial_size = 0;
        tape_run(&job);
    }
    return SY_OK;
}

/* Buffers in which the caller leaves the gradient of the outputs. */
static enum sy_status make_output_grads(struct sy_tape *tape)
{
    for (int i = 0; i < tape->segment_count; i++) {
        const struct sy_segment *segment = &tape->segment[i];
        size_t classes = (size_t)tape->network->domain[segment->domain].classes;
        tape->output_grad[i] = sy_arena_zero(
            &tape->step, (size_t)segment->count * classes, sizeof(float));
        if (tape->output_grad[i] == NULL) {
            return SY_NO_MEMORY;
        }
    }
    return SY_OK;
}

enum sy_status sy_tape_forward(struct sy_tape *tape,
                               const struct sy_segment *segments,
                               int segment_count, const float *images,
                               struct sy_error *err)
{
    enum sy_status status = SY_OK;
    sy_arena_reset(&tape->step);
    tape->images = images;
    tape->stage_count = sy_network_stages(tape->network);
    tape->stage = sy_arena_zero(&tape->step, (size_t)tape->stage_count,
                                sizeof *tape->stage);
    float **input =
        sy_arena_zero(&tape->step, (size_t)segment_count, sizeof *input);
    status = take_segments(tape, segments, segment_count);
    if (status != SY_OK || tape->stage == NULL || input == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory for a step");
    }
    /* Only read through: a stem never writes its value 0. */
    for (int i = 0; i < segment_count; i++) {
        memcpy(&input[i], &(const float *){images + tape->image_at[i]},
               sizeof input[i]);
    }
    for (int s = 0; s < tape->stage_count; s++) {
        status = build_stage(tape, s, input);
        if (status != SY_OK) {
            return sy_fail(err, status,
                           "tape: no memory for the activations of stage %d",
                           s);
        }
        for (int g = 0; g < tape->stage[s].group_count; g++) {
            SY_TRY(forward_group(tape, &tape->stage[s].group[g], err));
        }
        stage_outputs(tape, s, input);
    }
    status = make_output_grads(tape);
    return status == SY_OK
               ? SY_OK
               : sy_fail(err, status, "tape: no memory for gradients");
}

const float *sy_tape_outputs(const struct sy_tape *tape, int segment)
{
    const struct tape_stage *last = &tape->stage[tape->stage_count - 1];
    for (int g = 0; g < last->group_count; g++) {
        const struct tape_group *group = &last->group[g];
        for (int m = 0; m < group->member_count; m++) {
            if (group->member[m].segment == segment) {
                int output = tape_unit(tape, group)->plan.output;
                return group->member[m].value[output];
            }
        }
    }
    return NULL;
}

float *sy_tape_output_grads(struct sy_tape *tape, int segment)
{
    return tape->output_grad[segment];
}
