/*
 * tape.c - life of a tape, and the forward pass.
 *
 * DESIGN. The forward builds the step's stages and groups in the step arena
 * as it goes (tape_groups.c). Every value of every plan keeps its buffer until
 * the next forward, because the backward reads it; a score keeps those of two
 * stages, and uses the arenas of the gradients for them.
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

/* Copies the segments; each one's images enter the first stage. */
static enum sy_status take_segments(struct sy_tape *tape,
                                    const struct sy_segment *segments,
                                    int count, const float *images)
{
    size_t n = (size_t)count;
    tape->segment = sy_arena_zero(&tape->step, n, sizeof *tape->segment);
    tape->input = sy_arena_zero(&tape->step, n, sizeof *tape->input);
    tape->flow = sy_arena_zero(&tape->step, n, sizeof *tape->flow);
    tape->output_grad =
        sy_arena_zero(&tape->step, n, sizeof *tape->output_grad);
    tape->stage_count = sy_network_stages(tape->network);
    tape->stage = sy_arena_zero(&tape->step, (size_t)tape->stage_count,
                                sizeof *tape->stage);
    if (tape->segment == NULL || tape->input == NULL || tape->flow == NULL ||
        tape->output_grad == NULL || tape->stage == NULL) {
        return SY_NO_MEMORY;
    }
    tape->segment_count = count;
    memcpy(tape->segment, segments, n * sizeof *segments);
    for (int i = 0; i < count; i++) {
        const float *from = segments[i].images;
        if (from == NULL) {
            from = images;
            images += (size_t)segments[i].count *
                      sy_shape_floats(tape->network->spec.input);
        }
        /* Only read through: a stem never writes its value 0. */
        memcpy(&tape->input[i], &from, sizeof from);
    }
    return SY_OK;
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
    for (int m = 0; plan->output == 0 && m < group->member_count; m++) {
        const struct tape_member *member = &group->member[m];
        if (member->output != member->value[0]) {
            size_t images = (size_t)tape->segment[member->segment].count;
            memcpy(member->output, member->value[0],
                   images * sy_shape_floats(plan->value[0]) * sizeof(float));
        }
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

/* All stages; in scoring a stage's values live until the one after next. */
static enum sy_status run_stages(struct sy_tape *tape, struct sy_error *err)
{
    for (int s = 0; s < tape->stage_count; s++) {
        struct tape_stage *stage = &tape->stage[s];
        if (tape->scoring) {
            sy_arena_reset(&tape->grads[s % 2]);
        }
        if (tape_build_stage(tape, s) != SY_OK) {
            return sy_fail(err, SY_NO_MEMORY,
                           "tape: no memory for the activations of stage %d",
                           s);
        }
        for (int g = 0; g < stage->group_count; g++) {
            SY_TRY(forward_group(tape, &stage->group[g], err));
        }
        tape_mix_forward(tape, stage);
    }
    return SY_OK;
}

enum sy_status sy_tape_forward(struct sy_tape *tape,
                               const struct sy_segment *segments,
                               int segment_count, const float *images,
                               struct sy_error *err)
{
    sy_arena_reset(&tape->step);
    tape->scoring = false;
    if (take_segments(tape, segments, segment_count, images) != SY_OK) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory for a step");
    }
    SY_TRY(run_stages(tape, err));
    return make_output_grads(tape) == SY_OK
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "tape: no memory for gradients");
}

enum sy_status sy_tape_score(struct sy_tape *tape,
                             const struct sy_segment *segments,
                             int segment_count, const float *images,
                             struct sy_error *err)
{
    sy_arena_reset(&tape->step);
    tape->scoring = true;
    if (take_segments(tape, segments, segment_count, images) != SY_OK) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory for a score");
    }
    return run_stages(tape, err);
}

const float *sy_tape_outputs(const struct sy_tape *tape, int segment)
{
    return tape->input[segment];
}

float *sy_tape_output_grads(struct sy_tape *tape, int segment)
{
    SY_ASSERT(!tape->scoring);
    return tape->output_grad[segment];
}
