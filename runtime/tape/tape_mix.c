/*
 * tape_mix.c - soft choices: weighted sums of what several blocks leave.
 *
 * DESIGN. y = sum w_i v_i, in the order of the entries. Backward, with dy the
 * gradient of y: part i's own is w_i dy, that of w_i is <dy, v_i>, summed in
 * double over each shard and in a fixed tree over the shards. The parts'
 * plans then run backward as ever; all add to one gradient of the input.
 */
#include <string.h>

#include "runtime/tape/tape_private.h"

enum { MIX_LANES = 8 };

/* The mixes of a stage as the pool sees them: one task per mix and shard. */
struct mix_job {
    struct sy_tape *tape;
    struct tape_stage *stage;
};

/* The value that a part leaves. */
static int part_output(const struct sy_tape *tape, const struct tape_part *part)
{
    return tape_unit(tape, part->group)->plan.output;
}

static struct tape_member *part_member(const struct tape_part *part)
{
    return &part->group->member[part->member];
}

/* The mix of a task, and its range of floats. */
static struct tape_mix *mix_of_task(const struct mix_job *job, int task,
                                    size_t *at, size_t *floats)
{
    struct tape_mix *mix = &job->stage->mix[task / job->tape->shards];
    int first, count;
    tape_shard(job->tape, mix->segment, task % job->tape->shards, &first,
               &count);
    *at = (size_t)first * mix->output_floats;
    *floats = (size_t)count * mix->output_floats;
    return mix;
}

static void sum_parts(void *context, int task, int worker)
{
    const struct mix_job *job = context;
    size_t at, floats;
    const struct tape_mix *mix = mix_of_task(job, task, &at, &floats);
    float *restrict y = mix->output + at;
    bool written = false;
    (void)worker;
    for (int i = 0; i < mix->choice->count; i++) {
        const struct tape_part *part = &mix->part[i];
        if (part->group == NULL) {
            continue;
        }
        float w = mix->choice->weight[i];
        const float *restrict v = part_member(part)->output + at;
        for (size_t k = 0; k < floats; k++) {
            y[k] = written ? y[k] + w * v[k] : w * v[k];
        }
        written = true;
    }
    if (!written) {
        memset(y, 0, floats * sizeof(float));
    }
}

void tape_mix_forward(struct sy_tape *tape, struct tape_stage *stage)
{
    struct mix_job job = {tape, stage};
    sy_pool_run(tape->pool, stage->mix_count * tape->shards, sum_parts, &job);
}

/* <a, b> in double, in lanes so that it need not wait for each sum. */
static double dot(const float *a, const float *b, size_t count)
{
    double lane[MIX_LANES] = {0};
    double sum = 0;
    size_t k = 0;
    for (; k + MIX_LANES <= count; k += MIX_LANES) {
        for (size_t l = 0; l < MIX_LANES; l++) {
            lane[l] += (double)a[k + l] * (double)b[k + l];
        }
    }
    for (; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    for (size_t l = 0; l < MIX_LANES; l++) {
        sum += lane[l];
    }
    return sum;
}

/* The task's slice: this shard's part of each weight's gradient. */
static float *weight_slice(const struct mix_job *job, int task)
{
    return job->tape->partial + (size_t)task * SY_MAX_BLOCKS;
}

static void split_gradient(void *context, int task, int worker)
{
    const struct mix_job *job = context;
    size_t at, floats;
    const struct tape_mix *mix = mix_of_task(job, task, &at, &floats);
    const float *restrict dy = job->tape->flow[mix->segment] + at;
    float *slice = weight_slice(job, task);
    (void)worker;
    for (int i = 0; i < mix->choice->count; i++) {
        const struct tape_part *part = &mix->part[i];
        slice[i] = 0;
        if (part->group == NULL) {
            continue;
        }
        const struct tape_member *member = part_member(part);
        int output = part_output(job->tape, part);
        float w = mix->choice->weight[i];
        slice[i] = (float)dot(dy, member->output + at, floats);
        if (output == 0) {
            continue; /* the block passes its input on, and later the flow */
        }
        float *restrict grad = member->grad[output] + at;
        for (size_t k = 0; k < floats; k++) {
            grad[k] = w * dy[k];
        }
    }
}

/* Adds the shards' slices up in a tree; the sums are left in the first. */
static void sum_weight_grads(const struct mix_job *job, int mix_index)
{
    struct tape_mix *mix = &job->stage->mix[mix_index];
    int shards = job->tape->shards;
    int first = mix_index * shards;
    for (int stride = 1; stride < shards; stride *= 2) {
        for (int s = 0; s + stride < shards; s += 2 * stride) {
            float *into = weight_slice(job, first + s);
            const float *from = weight_slice(job, first + s + stride);
            for (int i = 0; i < mix->choice->count; i++) {
                into[i] += from[i];
            }
        }
    }
    memcpy(mix->weight_grad, weight_slice(job, first),
           (size_t)mix->choice->count * sizeof(float));
}

/* Buffers for the gradient of the input and of what each part leaves. */
static enum sy_status open_mix(const struct sy_tape *tape, struct tape_mix *mix,
                               struct sy_arena *arena)
{
    size_t images = (size_t)tape->segment[mix->segment].count;
    mix->input_written = false;
    mix->input_grad =
        sy_arena_alloc(arena, images * mix->input_floats * sizeof(float));
    if (mix->input_grad == NULL) {
        return SY_NO_MEMORY;
    }
    for (int i = 0; i < mix->choice->count; i++) {
        const struct tape_part *part = &mix->part[i];
        int output = part->group != NULL ? part_output(tape, part) : 0;
        if (output == 0) {
            continue; /* not computed, or nothing of its own */
        }
        float *grad =
            sy_arena_alloc(arena, images * mix->output_floats * sizeof(float));
        if (grad == NULL) {
            return SY_NO_MEMORY;
        }
        part_member(part)->grad[output] = grad;
    }
    return SY_OK;
}

enum sy_status tape_mix_open(struct sy_tape *tape, struct tape_stage *stage,
                             struct sy_arena *arena, struct sy_error *err)
{
    struct mix_job job = {tape, stage};
    int tasks = stage->mix_count * tape->shards;
    if (tasks == 0) {
        return SY_OK;
    }
    for (int m = 0; m < stage->mix_count; m++) {
        if (open_mix(tape, &stage->mix[m], arena) != SY_OK) {
            return sy_fail(err, SY_NO_MEMORY,
                           "tape: no memory for the gradients of a choice");
        }
    }
    SY_TRY(tape_reserve_partial(tape, tasks, SY_MAX_BLOCKS, err));
    sy_pool_run(tape->pool, tasks, split_gradient, &job);
    for (int m = 0; m < stage->mix_count; m++) {
        sum_weight_grads(&job, m);
    }
    return SY_OK;
}

void tape_mix_close(struct sy_tape *tape, struct tape_stage *stage)
{
    for (int m = 0; m < stage->mix_count; m++) {
        const struct tape_mix *mix = &stage->mix[m];
        size_t images = (size_t)tape->segment[mix->segment].count;
        if (!mix->input_written) {
            memset(mix->input_grad, 0,
                   images * mix->input_floats * sizeof(float));
        }
        tape->flow[mix->segment] = mix->input_grad;
    }
}

const float *sy_tape_choice_grads(const struct sy_tape *tape, int segment,
                                  int layer)
{
    const struct tape_stage *stage = &tape->stage[layer + 1];
    for (int m = 0; m < stage->mix_count; m++) {
        if (stage->mix[m].segment == segment) {
            return stage->mix[m].weight_grad;
        }
    }
    return NULL;
}
