/*
 * tape_program.c - rounds of items, and running them on the pool.
 *
 * DESIGN. Between two barriers of the pool as much as possible: a shard walks
 * through all steps that need nothing from other shards, while what it has
 * just written is in its core's cache. Tasks by shard stand in the order of
 * the shards, whatever their segment, so that the pool gives a worker the
 * same shards in every round; tasks by part come behind them.
 *
 * Sums over slices add slice i + d to slice i for d = 1, 2, 4, ...: which
 * numbers meet depends on the number of slices only, never on who computed
 * them.
 */
#include <math.h>
#include <string.h>

#include "runtime/tape/tape_private.h"

enum sy_status tape_program_begin(struct sy_tape *tape, bool backward)
{
    tape->backward = backward;
    tape->round_count = tape->wave_rounds * tape->wave_count;
    tape->round_end = 0;
    tape->round = sy_arena_zero(&tape->step, (size_t)tape->round_count,
                                sizeof *tape->round);
    for (int i = 0; i < tape->segment_count; i++) {
        tape->cursor[i] = (struct tape_cursor){0};
    }
    return tape->round != NULL ? SY_OK : SY_NO_MEMORY;
}

/* Appends an item to a round. */
static struct tape_item *add_item(struct sy_tape *tape, int round, int segment,
                                  int tasks)
{
    SY_ASSERT(round < tape->round_count);
    struct tape_round *in = &tape->round[round];
    struct tape_item *item = sy_arena_zero(&tape->step, 1, sizeof *item);
    if (item != NULL) {
        item->segment = segment;
        item->tasks = tasks;
        *(in->first == NULL ? &in->first : &in->last->next) = item;
        in->last = item;
        in->tasks += tasks;
        tape->round_end = round < tape->round_end ? tape->round_end : round + 1;
    }
    return item;
}

struct tape_item *tape_add_parts(struct sy_tape *tape, int round, int parts)
{
    return add_item(tape, round, -1, parts);
}

struct tape_step *tape_add_step(struct sy_tape *tape, struct tape_item *item,
                                enum tape_step_kind kind)
{
    struct tape_step *step = sy_arena_zero(&tape->step, 1, sizeof *step);
    if (step != NULL) {
        step->kind = kind;
        *(item->first == NULL ? &item->first : &item->last->next) = step;
        item->last = step;
    }
    return step;
}

struct tape_step *tape_append(struct sy_tape *tape, struct tape_cursor *cursor,
                              int segment, enum tape_step_kind kind)
{
    if (cursor->item == NULL) {
        cursor->item =
            add_item(tape, cursor->round, segment, tape_shards(tape, segment));
    }
    return cursor->item != NULL ? tape_add_step(tape, cursor->item, kind)
                                : NULL;
}

struct tape_after *tape_add_after(struct sy_tape *tape, int round)
{
    SY_ASSERT(round < tape->round_count);
    struct tape_after *after = sy_arena_zero(&tape->step, 1, sizeof *after);
    if (after != NULL) {
        after->next = tape->round[round].after;
        tape->round[round].after = after;
    }
    return after;
}

int tape_ready(const struct tape_cursor *cursor)
{
    return cursor->item != NULL ? cursor->round + 1 : cursor->round;
}

int tape_last_round(const struct tape_cursor *cursor)
{
    return tape_ready(cursor) - 1;
}

void tape_go_to(struct tape_cursor *cursor, int round)
{
    *cursor = (struct tape_cursor){.round = round};
}

int tape_shards(const struct sy_tape *tape, int segment)
{
    int images = tape->segment[segment].count;
    return images < tape->shards ? images : tape->shards;
}

void tape_shard(const struct sy_tape *tape, int segment, int s, int *first,
                int *count)
{
    int64_t images = tape->segment[segment].count;
    int shards = tape_shards(tape, segment);
    *first = (int)(images * s / shards);
    *count = (int)(images * (s + 1) / shards) - *first;
}

/* The kernel on some images of the segment. */
static void run_shard(const struct sy_tape *tape, const struct tape_step *step,
                      int shard, int first, int count, int worker)
{
    struct sy_op_args args = step->args;
    size_t in_at = (size_t)first * sy_shape_floats(args.in);
    size_t out_at = (size_t)first * sy_shape_floats(args.out);
    size_t second_at = (size_t)first * step->second_floats;
    args.count = count;
    args.scratch = tape->scratch[worker];
    args.x += in_at;
    args.y += out_at;
    args.x2 = args.x2 != NULL ? args.x2 + second_at : NULL;
    args.dy = args.dy != NULL ? args.dy + out_at : NULL;
    args.dx = args.dx != NULL ? args.dx + in_at : NULL;
    args.dx2 = args.dx2 != NULL ? args.dx2 + second_at : NULL;
    if (args.partial != NULL) {
        args.partial += (size_t)shard * step->slice_floats;
    }
    step->kernel(&args);
}

/* Part `part` of `parts` of a sum of slices. */
static void sum_part(const struct tape_step *step, int part, int parts)
{
    size_t size = step->slice_floats;
    size_t begin = size * (size_t)part / (size_t)parts;
    size_t end = size * ((size_t)part + 1) / (size_t)parts;
    float *slices = step->args.partial;
    for (int stride = 1; stride < step->slice_count; stride *= 2) {
        for (int i = 0; i + stride < step->slice_count; i += 2 * stride) {
            float *restrict into = slices + (size_t)i * size;
            const float *restrict from = slices + (size_t)(i + stride) * size;
            for (size_t k = begin; k < end; k++) {
                into[k] += from[k];
            }
        }
    }
    size_t cut = end < step->to_floats ? end : step->to_floats;
    if (begin < cut) {
        memcpy(step->to + begin, slices + begin, (cut - begin) * sizeof(float));
    }
    cut = cut > begin ? cut : begin;
    if (cut < end) {
        memcpy(step->rest + (cut - step->to_floats), slices + cut,
               (end - cut) * sizeof(float));
    }
}

/* A round as the pool sees it. */
struct round_task {
    const struct tape_item *item;
    int index;
};
struct round_job {
    const struct sy_tape *tape;
    const struct round_task *task;
};

static void run_task(void *context, int index, int worker)
{
    const struct round_job *job = context;
    const struct sy_tape *tape = job->tape;
    const struct tape_item *item = job->task[index].item;
    int at = job->task[index].index;
    int first = 0, count = 0;
    if (item->segment >= 0) {
        tape_shard(tape, item->segment, at, &first, &count);
    }
    for (const struct tape_step *step = item->first; step != NULL;
         step = step->next) {
        if (step->kind == STEP_SUM) {
            sum_part(step, at, item->tasks);
        } else if (step->kind != STEP_KERNEL) {
            tape_run_mix(tape, step, at, first, count);
        } else if (item->segment >= 0) {
            run_shard(tape, step, at, first, count, worker);
        } else {
            struct sy_op_args args = step->args;
            args.part = at;
            args.parts = item->tasks;
            args.scratch = tape->scratch[worker];
            step->kernel(&args);
        }
    }
}

/* Lists a round's tasks: by shard, in the order of the shards, then parts. */
static void list_tasks(const struct sy_tape *tape,
                       const struct tape_round *round, struct round_task *task)
{
    for (int s = 0; s < tape->shards; s++) {
        for (const struct tape_item *item = round->first; item != NULL;
             item = item->next) {
            if (item->segment >= 0 && s < item->tasks) {
                *task++ = (struct round_task){item, s};
            }
        }
    }
    for (const struct tape_item *item = round->first; item != NULL;
         item = item->next) {
        for (int p = 0; item->segment < 0 && p < item->tasks; p++) {
            *task++ = (struct round_task){item, p};
        }
    }
}

/* Adds the slices of a backward's norm up; the sums are left in the first. */
static void add_totals(struct tape_moments *moments)
{
    size_t size = 2 * (size_t)moments->channels;
    for (int stride = 1; stride < moments->slice_count; stride *= 2) {
        for (int i = 0; i + stride < moments->slice_count; i += 2 * stride) {
            float *into = moments->slices + (size_t)i * size;
            const float *from = moments->slices + (size_t)(i + stride) * size;
            for (size_t k = 0; k < size; k++) {
                into[k] += from[k];
            }
        }
    }
    memcpy(moments->totals, moments->slices, size * sizeof(float));
}

/* Merges the slices of a forward's norm to what the kernels apply. */
static void merge_moments(struct tape_moments *moments)
{
    int channels = moments->channels;
    size_t size = 2 * (size_t)channels;
    int64_t *rows = moments->slice_rows;
    for (int stride = 1; stride < moments->slice_count; stride *= 2) {
        for (int i = 0; i + stride < moments->slice_count; i += 2 * stride) {
            sy_norm_merge(moments->slices + (size_t)i * size, rows[i],
                          moments->slices + (size_t)(i + stride) * size,
                          rows[i + stride], channels);
            rows[i] += rows[i + stride];
        }
    }
    memcpy(moments->batch, moments->slices, size * sizeof(float));
    for (int c = 0; c < channels; c++) {
        float variance = moments->batch[channels + c] / (float)moments->rows;
        moments->applied[c] = moments->batch[c];
        moments->applied[channels + c] =
            1.0f / sqrtf(variance + SY_NORM_EPSILON);
    }
}

enum sy_status tape_program_run(struct sy_tape *tape, struct sy_error *err)
{
    int most = 1;
    for (int r = 0; r < tape->round_end; r++) {
        most = tape->round[r].tasks > most ? tape->round[r].tasks : most;
    }
    struct round_task *task =
        sy_arena_zero(&tape->step, (size_t)most, sizeof *task);
    struct round_job job = {tape, task};
    if (task == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory for %d tasks", most);
    }
    for (int r = 0; r < tape->round_end; r++) {
        const struct tape_round *round = &tape->round[r];
        list_tasks(tape, round, task);
        sy_pool_run(tape->pool, round->tasks, run_task, &job);
        for (const struct tape_after *after = round->after; after != NULL;
             after = after->next) {
            if (after->mix != NULL) {
                tape_mix_sum_weights(tape, after->mix);
            } else if (tape->backward) {
                add_totals(after->moments);
            } else {
                merge_moments(after->moments);
            }
        }
    }
    return SY_OK;
}
