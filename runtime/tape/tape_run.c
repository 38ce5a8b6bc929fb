/*
 * tape_run.c - running one node of a group on the pool, and the fixed-tree
 * reductions of what its tasks leave behind.
 *
 * The tree adds slice i + d to slice i for d = 1, 2, 4, ...: which numbers
 * meet depends on the number of tasks only, never on who computed them.
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/tape/tape_private.h"

enum { SUM_CHUNK_FLOATS = 4096 };

const struct sy_unit *tape_unit(const struct sy_tape *tape,
                                const struct tape_group *group)
{
    return &tape->network->unit[group->unit];
}

enum sy_status tape_reserve_partial(struct sy_tape *tape, int tasks,
                                    size_t size, struct sy_error *err)
{
    size_t needed = (size_t)tasks * size;
    if (needed <= tape->partial_floats) {
        return SY_OK;
    }
    sy_free(tape->partial);
    tape->partial_floats = 0;
    tape->partial = sy_alloc(needed * sizeof(float));
    if (tape->partial == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory for %zu floats",
                       needed);
    }
    tape->partial_floats = needed;
    return SY_OK;
}

enum sy_status tape_reserve_scratch(struct sy_tape *tape,
                                    const struct tape_group *group,
                                    const struct sy_node *node,
                                    struct sy_error *err)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    int count = 0;
    for (int t = 0; t < group->task_count; t++) {
        count = group->task[t].count > count ? group->task[t].count : count;
    }
    struct sy_shape in = plan->value[node->in[0]];
    struct sy_shape out = plan->value[node->out];
    size_t needed = tape->backend->scratch(node, in, out, count);
    if (tape->backend->forward[node->op] == NULL ||
        tape->backend->backward[node->op] == NULL) {
        size_t plain = sy_backend_reference.scratch(node, in, out, count);
        needed = needed > plain ? needed : plain;
    }
    if (needed <= tape->scratch_floats) {
        return SY_OK;
    }
    for (int i = 0; i < sy_pool_threads(tape->pool); i++) {
        sy_free(tape->scratch[i]);
        tape->scratch[i] = sy_alloc(needed * sizeof(float));
        if (tape->scratch[i] == NULL) {
            tape->scratch_floats = 0;
            return sy_fail(err, SY_NO_MEMORY,
                           "tape: no memory for %zu floats of scratch", needed);
        }
    }
    tape->scratch_floats = needed;
    return SY_OK;
}

float *tape_slice(const struct tape_job *job, int task)
{
    return job->tape->partial + (size_t)task * job->partial_size;
}

/* Parameters of the node for this member: weights or the norm's affine. */
static void bind_parameters(const struct tape_job *job,
                            const struct tape_member *member,
                            struct sy_op_args *args)
{
    const struct sy_tape *tape = job->tape;
    const struct sy_network *network = tape->network;
    const struct sy_unit *unit = tape_unit(tape, job->group);
    const struct sy_node *node = job->node;
    if (node->weight >= 0) {
        args->w = network->values + unit->weight[node->weight];
    }
    if (node->bias >= 0) {
        args->b = network->values + unit->weight[node->bias];
    }
    if (node->norm >= 0) {
        int domain = tape->segment[member->segment].domain;
        size_t at =
            sy_network_norm(network, job->group->unit, domain, node->norm);
        SY_ASSERT(at != SY_ABSENT);
        args->w = network->values + at;
        args->b = args->w + unit->plan.norm[node->norm].channels;
        const struct tape_moments *moments = member->moments[node->norm];
        if (moments != NULL) {
            args->moments = moments->applied;
            args->total_rows = moments->rows;
        }
    }
}

/* Activations and gradients of the task's images. */
static void bind_values(const struct tape_job *job,
                        const struct tape_member *member,
                        const struct tape_task *task, struct sy_op_args *args)
{
    const struct sy_plan *plan = &tape_unit(job->tape, job->group)->plan;
    const struct sy_node *node = job->node;
    size_t first = (size_t)task->first;
    size_t in_at = first * sy_shape_floats(args->in);
    size_t out_at = first * sy_shape_floats(args->out);
    int second = node->in[1];
    args->x = member->value[node->in[0]] + in_at;
    args->y = member->value[node->out] + out_at;
    size_t second_at = 0;
    if (second >= 0) {
        second_at = first * sy_shape_floats(plan->value[second]);
        args->x2 = member->value[second] + second_at;
    }
    if (!job->backward) {
        return;
    }
    args->dy = member->grad[node->out] + out_at;
    if (member->grad[node->in[0]] != NULL) {
        args->dx = member->grad[node->in[0]] + in_at;
        args->add_dx = member->grad_written[node->in[0]];
    }
    if (second >= 0 && member->grad[second] != NULL) {
        args->dx2 = member->grad[second] + second_at;
        args->add_dx2 = member->grad_written[second];
    }
}

/* One kernel call: some images of one member. */
static void run_task(void *context, int index, int worker)
{
    const struct tape_job *job = context;
    const struct tape_task *task = &job->group->task[index];
    const struct tape_member *member = &job->group->member[task->member];
    const struct sy_plan *plan = &tape_unit(job->tape, job->group)->plan;
    struct sy_op_args args = {
        .node = job->node,
        .in = plan->value[job->node->in[0]],
        .out = plan->value[job->node->out],
        .count = task->count,
        .scratch = job->tape->scratch[worker],
    };
    bind_parameters(job, member, &args);
    bind_values(job, member, task, &args);
    if (job->partial_size > 0) {
        args.partial = tape_slice(job, index);
    }
    if (job->node->norm >= 0 && job->backward) {
        args.totals = member->moments[job->node->norm]->totals;
    }
    job->kernel(&args);
}

void tape_run(struct tape_job *job)
{
    sy_pool_run(job->tape->pool, job->group->task_count, run_task, job);
}

/* The reduction as the pool sees it: one chunk of elements per task. */
struct sum_job {
    const struct tape_job *job;
    const int *list;
    int count;
};

static void sum_chunk(void *context, int chunk, int worker)
{
    const struct sum_job *sum = context;
    size_t size = sum->job->partial_size;
    size_t begin = (size_t)chunk * SUM_CHUNK_FLOATS;
    size_t end =
        begin + SUM_CHUNK_FLOATS < size ? begin + SUM_CHUNK_FLOATS : size;
    (void)worker;
    for (int stride = 1; stride < sum->count; stride *= 2) {
        for (int i = 0; i + stride < sum->count; i += 2 * stride) {
            float *into = tape_slice(sum->job, sum->list[i]);
            const float *from = tape_slice(sum->job, sum->list[i + stride]);
            for (size_t k = begin; k < end; k++) {
                into[k] += from[k];
            }
        }
    }
}

void tape_sum(struct tape_job *job, const int *list, int count)
{
    struct sum_job sum = {job, list, count};
    size_t chunks =
        (job->partial_size + SUM_CHUNK_FLOATS - 1) / SUM_CHUNK_FLOATS;
    sy_pool_run(job->tape->pool, (int)chunks, sum_chunk, &sum);
}

int64_t tape_merge_moments(struct tape_job *job, const int *list, int count)
{
    const struct sy_plan *plan = &tape_unit(job->tape, job->group)->plan;
    struct sy_shape shape = plan->value[job->node->in[0]];
    int64_t pixels = (int64_t)shape.h * shape.w;
    int64_t before[2] = {0, 0};
    int64_t total = 0;
    for (int stride = 1; stride < count; stride *= 2) {
        for (int i = 0; i + stride < count; i += 2 * stride) {
            before[0] = before[1] = 0;
            for (int k = i; k < i + 2 * stride && k < count; k++) {
                before[k >= i + stride] += job->group->task[list[k]].count;
            }
            sy_norm_merge(tape_slice(job, list[i]), before[0] * pixels,
                          tape_slice(job, list[i + stride]), before[1] * pixels,
                          shape.c);
        }
    }
    for (int i = 0; i < count; i++) {
        total += job->group->task[list[i]].count * pixels;
    }
    return total;
}

/* True if the norms of two members of a group count their rows together. */
static bool counts_together(const struct sy_tape *tape,
                            const struct tape_group *group, int a, int b)
{
    const struct sy_network *network = tape->network;
    int of_a = tape->segment[group->member[a].segment].domain;
    int of_b = tape->segment[group->member[b].segment].domain;
    bool shared =
        network->spec.norm == SY_NORM_SHARED || group->unit == network->stem;
    return a == b || shared || (of_a == of_b && !tape->scoring);
}

int tape_slot_tasks(const struct sy_tape *tape, const struct tape_group *group,
                    int first, int *list)
{
    int count = 0;
    for (int t = 0; t < group->task_count; t++) {
        int member = group->task[t].member;
        if (!counts_together(tape, group, first, member)) {
            continue;
        }
        if (member < first) {
            return 0;
        }
        list[count++] = t;
    }
    return count;
}
