/*
 * tape_backward.c - the backward pass: stages in reverse, each node once.
 *
 * A value's gradient is written by its first consumer to run and added to by
 * the others. Each unit runs once per step, so a tensor's gradient is written
 * here, not accumulated; sharing between domains has already happened in the
 * group.
 */
#include <string.h>

#include "runtime/tape/tape_private.h"

/* A buffer for value `v` of a member in the stage's gradient arena. */
static float *grad_buffer(struct sy_tape *tape, struct sy_arena *arena,
                          const struct tape_group *group,
                          const struct tape_member *member, int v)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    size_t images = (size_t)tape->segment[member->segment].count;
    return sy_arena_alloc(arena, images * sy_shape_floats(plan->value[v]) *
                                     sizeof(float));
}

/*
 * Gradient buffers of a group; the output's is what flows in. A part of a mix
 * has got its own already, and shares that of the input with the other parts.
 */
static enum sy_status open_group(struct sy_tape *tape, int stage,
                                 struct tape_group *group)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    struct sy_arena *arena = &tape->grads[stage % 2];
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        memset(member->grad_written, 0,
               (size_t)plan->value_count * sizeof *member->grad_written);
        for (int v = stage == 0 ? 1 : 0; v < plan->value_count; v++) {
            if (v == plan->output && v != 0) {
                if (member->mix == NULL) {
                    member->grad[v] = tape->flow[member->segment];
                }
                member->grad_written[v] = true;
                continue;
            }
            if (v == 0 && member->mix != NULL) {
                member->grad[v] = member->mix->input_grad;
                member->grad_written[v] = member->mix->input_written;
                member->mix->input_written = true;
                continue;
            }
            member->grad[v] = grad_buffer(tape, arena, group, member, v);
            if (member->grad[v] == NULL) {
                return SY_NO_MEMORY;
            }
        }
    }
    return SY_OK;
}

/* Remembers that the node's inputs now have a gradient, for all members. */
static void mark_written(struct tape_group *group, const struct sy_node *node)
{
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        member->grad_written[node->in[0]] = true;
        if (node->in[1] >= 0) {
            member->grad_written[node->in[1]] = true;
        }
    }
}

/* Norm: parameter gradients per slot, kept as the totals of the second go. */
static enum sy_status norm_totals(struct tape_job *job, float *grads,
                                  struct sy_error *err)
{
    struct sy_tape *tape = job->tape;
    const struct tape_group *group = job->group;
    int norm = job->node->norm;
    size_t size = 2 * (size_t)tape_unit(tape, group)->plan.norm[norm].channels;
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
        int domain = tape->segment[group->member[m].segment].domain;
        size_t at = sy_network_norm(tape->network, group->unit, domain, norm);
        tape_sum(job, list, count);
        memcpy(grads + at, tape_slice(job, list[0]), size * sizeof(float));
        for (int i = 0; i < count; i++) {
            int member = group->task[list[i]].member;
            group->member[member].moments[norm]->totals = grads + at;
        }
    }
    return SY_OK;
}

/* Copies reduced weight (and bias) gradients to their place. */
static void store_gradient(struct tape_job *job, int *list, float *grads)
{
    const struct sy_unit *unit = tape_unit(job->tape, job->group);
    const struct sy_node *node = job->node;
    const float *sum = NULL;
    size_t weights = job->partial_size;
    for (int t = 0; t < job->group->task_count; t++) {
        list[t] = t;
    }
    tape_sum(job, list, job->group->task_count);
    sum = tape_slice(job, 0);
    if (node->bias >= 0) {
        size_t biases = (size_t)unit->plan.param[node->bias].dim[0];
        weights -= biases;
        memcpy(grads + unit->weight[node->bias], sum + weights,
               biases * sizeof(float));
    }
    memcpy(grads + unit->weight[node->weight], sum, weights * sizeof(float));
}

/* One node of a group: parameter gradients, then input gradients. */
static enum sy_status backward_node(struct sy_tape *tape,
                                    struct tape_group *group,
                                    const struct sy_node *node, float *grads,
                                    struct sy_error *err)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    const struct sy_op *op = sy_op_of(node->op);
    struct tape_job job = {
        .tape = tape, .group = group, .node = node, .backward = true};
    SY_TRY(tape_reserve_scratch(tape, group, node, err));
    if (node->op == SY_OP_NORM) {
        job.kernel = tape->backend->sums[node->op];
        job.kernel = job.kernel != NULL ? job.kernel : op->sums;
        SY_TRY(norm_totals(&job, grads, err));
        job.partial_size = 0;
    } else {
        job.partial_size =
            op->partial(node, plan->value[node->in[0]], plan->value[node->out]);
        SY_TRY(tape_reserve_partial(tape, group->task_count, job.partial_size,
                                    err));
    }
    job.kernel = tape->backend->backward[node->op];
    job.kernel = job.kernel != NULL ? job.kernel : op->backward;
    tape_run(&job);
    if (job.partial_size > 0) {
        int *list =
            sy_arena_zero(&tape->step, (size_t)group->task_count, sizeof *list);
        if (list == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
        }
        store_gradient(&job, list, grads);
    }
    mark_written(group, node);
    return SY_OK;
}

/* A plan without nodes hands its gradient on; in a mix, weighted. */
static void pass_through(struct sy_tape *tape, struct tape_group *group)
{
    const struct sy_plan *plan = &tape_unit(tape, group)->plan;
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        const float *flow = tape->flow[member->segment];
        float *grad = member->grad[0];
        size_t floats = (size_t)tape->segment[member->segment].count *
                        sy_shape_floats(plan->value[0]);
        if (member->mix == NULL) {
            memcpy(grad, flow, floats * sizeof(float));
            continue;
        }
        float w = member->mix->choice->weight[member->entry];
        for (size_t i = 0; i < floats; i++) {
            grad[i] = w * flow[i] + (member->grad_written[0] ? grad[i] : 0.0f);
        }
    }
}

/* Marks the tensors of every unit and norm slot that the step used. */
static enum sy_status mark_used(struct sy_tape *tape, uint8_t *used)
{
    const struct sy_network *network = tape->network;
    size_t slots = (size_t)sy_network_slots(network) + 1;
    bool *seen = sy_arena_zero(&tape->step, (size_t)network->unit_count * slots,
                               sizeof *seen);
    if (seen == NULL) {
        return SY_NO_MEMORY;
    }
    for (int s = 0; s < tape->stage_count; s++) {
        for (int g = 0; g < tape->stage[s].group_count; g++) {
            const struct tape_group *group = &tape->stage[s].group[g];
            bool *row = seen + (size_t)group->unit * slots;
            row[0] = true;
            for (int m = 0; m < group->member_count; m++) {
                int domain = tape->segment[group->member[m].segment].domain;
                row[1 + sy_network_slot(network, group->unit, domain)] = true;
            }
        }
    }
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        const bool *row = seen + (size_t)tensor->unit * slots;
        used[t] = tensor->trained && row[1 + tensor->slot];
    }
    return SY_OK;
}

/* All groups of a stage; afterwards `flow` is the gradient of its input. */
static enum sy_status backward_stage(struct sy_tape *tape, int s, float *grads,
                                     struct sy_error *err)
{
    struct tape_stage *stage = &tape->stage[s];
    sy_arena_reset(&tape->grads[s % 2]);
    SY_TRY(tape_mix_open(tape, stage, &tape->grads[s % 2], err));
    for (int g = 0; g < stage->group_count; g++) {
        struct tape_group *group = &stage->group[g];
        const struct sy_plan *plan = &tape_unit(tape, group)->plan;
        if (open_group(tape, s, group) != SY_OK) {
            return sy_fail(err, SY_NO_MEMORY,
                           "tape: no memory for the gradients of stage %d", s);
        }
        for (int n = plan->node_count - 1; n >= 0; n--) {
            SY_TRY(backward_node(tape, group, &plan->node[n], grads, err));
        }
        if (plan->node_count == 0 && s > 0) {
            pass_through(tape, group);
        }
        for (int m = 0; m < group->member_count; m++) {
            const struct tape_member *member = &group->member[m];
            if (member->mix == NULL) {
                tape->flow[member->segment] = member->grad[0];
            }
        }
    }
    tape_mix_close(tape, stage);
    return SY_OK;
}

enum sy_status sy_tape_backward(struct sy_tape *tape, float *grads,
                                uint8_t *used, struct sy_error *err)
{
    SY_ASSERT(!tape->scoring);
    memcpy(tape->flow, tape->output_grad,
           (size_t)tape->segment_count * sizeof *tape->flow);
    for (int s = tape->stage_count - 1; s >= 0; s--) {
        SY_TRY(backward_stage(tape, s, grads, err));
    }
    if (mark_used(tape, used) != SY_OK) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    return SY_OK;
}

/* Moves one norm of one slot towards the batch. */
static void update_norm(struct sy_tape *tape, const struct tape_group *group,
                        const struct tape_member *member, int norm,
                        float momentum)
{
    int channels = tape_unit(tape, group)->plan.norm[norm].channels;
    int domain = tape->segment[member->segment].domain;
    const struct tape_moments *moments = member->moments[norm];
    float *mean = tape->network->values +
                  sy_network_norm(tape->network, group->unit, domain, norm) +
                  2 * (size_t)channels;
    float *var = mean + channels;
    float rows = (float)(moments->rows > 1 ? moments->rows - 1 : 1);
    for (int c = 0; c < channels; c++) {
        mean[c] += momentum * (moments->batch[c] - mean[c]);
        var[c] += momentum * (moments->batch[channels + c] / rows - var[c]);
    }
}

void sy_tape_update_norms(struct sy_tape *tape, float momentum)
{
    SY_ASSERT(!tape->scoring);
    for (int s = 0; s < tape->stage_count; s++) {
        for (int g = 0; g < tape->stage[s].group_count; g++) {
            const struct tape_group *group = &tape->stage[s].group[g];
            int norms = tape_unit(tape, group)->plan.norm_count;
            for (int m = 0; m < group->member_count; m++) {
                const struct tape_member *member = &group->member[m];
                for (int n = 0; n < norms; n++) {
                    bool first = true; /* one update for each shared slot */
                    for (int k = 0; k < m; k++) {
                        first = first && group->member[k].moments[n] !=
                                             member->moments[n];
                    }
                    if (first) {
                        update_norm(tape, group, member, n, momentum);
                    }
                }
            }
        }
    }
}
