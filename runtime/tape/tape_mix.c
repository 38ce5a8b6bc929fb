/*
 * tape_mix.c - soft choices: weighted sums of what several blocks leave.
 *
 * DESIGN. y = sum w_i v_i, in the order of the entries. Backward, with dy the
 * gradient of y: part i's own is w_i dy, that of w_i is <dy, v_i>, summed in
 * double over each shard and in a fixed tree over the shards. The parts'
 * plans then run backward as ever, beside each other; what they give their
 * common input is added up in the order of the entries.
 */
#include <string.h>

#include "runtime/tape/tape_private.h"

enum { MIX_LANES = 8 };

static struct tape_member *part_member(const struct tape_part *part)
{
    return &part->group->member[part->member];
}

/* The value that a part leaves; 0: its plan has no nodes. */
static int part_output(const struct sy_tape *tape, const struct tape_part *part)
{
    return tape_plan(tape, part->group)->output;
}

/* The first round in which all parts can be read. */
static int parts_ready(const struct sy_tape *tape, const struct tape_mix *mix)
{
    int round = tape_ready(&tape->cursor[mix->segment]);
    for (int i = 0; i < mix->choice->count; i++) {
        if (mix->part[i].group != NULL) {
            int ready = tape_ready(&part_member(&mix->part[i])->cursor);
            round = ready > round ? ready : round;
        }
    }
    return round;
}

/* Appends one of the steps of this file for the mix's segment. */
static enum sy_status append(struct sy_tape *tape, struct tape_mix *mix,
                             enum tape_step_kind kind)
{
    struct tape_step *step =
        tape_append(tape, &tape->cursor[mix->segment], mix->segment, kind);
    if (step == NULL) {
        return SY_NO_MEMORY;
    }
    step->mix = mix;
    return SY_OK;
}

enum sy_status tape_mix_forward(struct sy_tape *tape, struct tape_mix *mix)
{
    int round = parts_ready(tape, mix);
    size_t floats =
        (size_t)tape->segment[mix->segment].count * mix->output_floats;
    if (tape->scoring) {
        mix->held = tape_take(tape, floats, round);
        mix->output = mix->held != NULL ? mix->held->at : NULL;
    } else {
        mix->output = sy_arena_alloc(&tape->step, floats * sizeof(float));
    }
    tape_go_to(&tape->cursor[mix->segment], round);
    return mix->output != NULL ? append(tape, mix, STEP_MIX) : SY_NO_MEMORY;
}

/* What backward needs of a mix besides the parts' own memory. */
static enum sy_status open_mix(struct sy_tape *tape, struct tape_mix *mix)
{
    size_t count = (size_t)mix->choice->count;
    size_t shards = (size_t)tape_shards(tape, mix->segment);
    struct sy_arena *arena = &tape->step;
    mix->part_grad = sy_arena_zero(arena, count, sizeof *mix->part_grad);
    mix->part_input = sy_arena_zero(arena, count, sizeof *mix->part_input);
    mix->weight_grad = sy_arena_zero(arena, count, sizeof(float));
    mix->weight_slices =
        sy_arena_zero(arena, shards * SY_MAX_BLOCKS, sizeof(float));
    return mix->part_grad != NULL && mix->part_input != NULL &&
                   mix->weight_grad != NULL && mix->weight_slices != NULL
               ? SY_OK
               : SY_NO_MEMORY;
}

enum sy_status tape_mix_split(struct sy_tape *tape, struct tape_mix *mix)
{
    struct tape_cursor *cursor = &tape->cursor[mix->segment];
    struct tape_buffer *flow = tape->flow[mix->segment];
    size_t floats =
        (size_t)tape->segment[mix->segment].count * mix->output_floats;
    SY_TRY(open_mix(tape, mix));
    mix->output_grad = flow->at;
    SY_TRY(append(tape, mix, STEP_SPLIT));
    for (int i = 0; i < mix->choice->count; i++) {
        if (mix->part[i].group == NULL) {
            continue;
        }
        struct tape_member *member = part_member(&mix->part[i]);
        struct tape_buffer *grad = tape_take(tape, floats, cursor->round);
        if (grad == NULL) {
            return SY_NO_MEMORY;
        }
        mix->part_grad[i] = grad;
        member->grad[part_output(tape, &mix->part[i])] = grad;
        tape_go_to(&member->cursor, tape_ready(cursor));
    }
    tape_give(tape, flow, cursor->round);
    struct tape_after *after = tape_add_after(tape, cursor->round);
    if (after == NULL) {
        return SY_NO_MEMORY;
    }
    after->mix = mix;
    return SY_OK;
}

enum sy_status tape_mix_join(struct sy_tape *tape, struct tape_mix *mix)
{
    struct tape_cursor *cursor = &tape->cursor[mix->segment];
    size_t floats =
        (size_t)tape->segment[mix->segment].count * mix->input_floats;
    tape_go_to(cursor, parts_ready(tape, mix));
    mix->input_grad = tape_take(tape, floats, cursor->round);
    if (mix->input_grad == NULL) {
        return SY_NO_MEMORY;
    }
    SY_TRY(append(tape, mix, STEP_JOIN));
    for (int i = 0; i < mix->choice->count; i++) {
        if (mix->part[i].group != NULL) {
            mix->part_input[i] = part_member(&mix->part[i])->grad[0];
            tape_give(tape, mix->part_input[i], cursor->round);
        }
    }
    tape->flow[mix->segment] = mix->input_grad;
    return SY_OK;
}

/* y (+)= w * x */
static void add_scaled(float *restrict y, const float *restrict x, float w,
                       size_t floats, bool add)
{
    for (size_t k = 0; k < floats; k++) {
        y[k] = add ? y[k] + w * x[k] : w * x[k];
    }
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

void tape_run_mix(const struct sy_tape *tape, const struct tape_step *step,
                  int shard, int first, int count)
{
    const struct tape_mix *mix = step->mix;
    bool is_join = step->kind == STEP_JOIN;
    size_t image = is_join ? mix->input_floats : mix->output_floats;
    size_t at = (size_t)first * image;
    size_t floats = (size_t)count * image;
    float *sum = is_join ? mix->input_grad->at + at : mix->output + at;
    bool written = false;
    for (int i = 0; i < mix->choice->count; i++) {
        const struct tape_part *part = &mix->part[i];
        if (part->group == NULL) {
            continue;
        }
        float w = mix->choice->weight[i];
        const float *value =
            part_member(part)->value[part_output(tape, part)] + at;
        if (step->kind == STEP_SPLIT) {
            const float *dy = mix->output_grad + at;
            mix->weight_slices[shard * SY_MAX_BLOCKS + i] =
                (float)dot(dy, value, floats);
            add_scaled(mix->part_grad[i]->at + at, dy, w, floats, false);
        } else if (is_join) {
            add_scaled(sum, mix->part_input[i]->at + at, 1.0f, floats, written);
        } else {
            add_scaled(sum, value, w, floats, written);
        }
        written = true;
    }
    if (!written && step->kind != STEP_SPLIT) {
        memset(sum, 0, floats * sizeof(float));
    }
}

void tape_mix_sum_weights(const struct sy_tape *tape, struct tape_mix *mix)
{
    int shards = tape_shards(tape, mix->segment);
    for (int stride = 1; stride < shards; stride *= 2) {
        for (int s = 0; s + stride < shards; s += 2 * stride) {
            float *into = mix->weight_slices + s * SY_MAX_BLOCKS;
            const float *from = into + stride * SY_MAX_BLOCKS;
            for (int i = 0; i < mix->choice->count; i++) {
                into[i] += from[i];
            }
        }
    }
    memcpy(mix->weight_grad, mix->weight_slices,
           (size_t)mix->choice->count * sizeof(float));
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
