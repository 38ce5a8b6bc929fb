/*
 * tape_backward.c - writes the program of a backward; running statistics.
 *
 * DESIGN. Stages in reverse, each node once. A value's gradient is written by
 * its first consumer and added to by the others; its memory is free again
 * after the node that made the value. Where nobody else needs it, a norm
 * writes the gradient of its input over that of its output; an addition hands
 * the same memory to both of its inputs. Each unit runs once per step, so a
 * tensor's gradient is written, not accumulated.
 */
#include <string.h>

#include "runtime/tape/tape_private.h"

enum { SUM_PART_FLOATS = 4096 };

/* A node on its way back, for all members of a group. */
struct back {
    struct sy_tape *tape;
    struct tape_group *group;
    const struct sy_node *node;
    float *grads;
    bool first_stage; /* the images get no gradient */
};

/* True if the member alone may write over the buffer from `round` on. */
static bool is_exclusive(const struct tape_buffer *buffer, int round)
{
    return buffer->holders == 1 && buffer->parts_until < round;
}

/* A backward step of the node, bound, with its dy, at the member's cursor. */
static struct tape_step *append(const struct back *b,
                                struct tape_member *member, sy_kernel_fn kernel)
{
    struct tape_step *step =
        tape_append(b->tape, &member->cursor, member->segment, STEP_KERNEL);
    if (step == NULL ||
        tape_bind(b->tape, step, b->group, member, b->node) != SY_OK) {
        return NULL;
    }
    step->kernel = kernel;
    step->args.dy = member->grad[b->node->out]->at;
    return step;
}

/* Memory of our own with the same numbers, for a buffer that others need. */
static enum sy_status copy_gradient(const struct back *b,
                                    struct tape_member *member, int v,
                                    int round)
{
    static const struct sy_node copy = {.op = SY_OP_ADD, .in = {0, -1}};
    struct tape_buffer *before = member->grad[v];
    struct tape_buffer *own = tape_take(
        b->tape, tape_value_floats(b->tape, b->group, member, v), round);
    struct tape_step *step =
        tape_append(b->tape, &member->cursor, member->segment, STEP_KERNEL);
    if (own == NULL || step == NULL) {
        return SY_NO_MEMORY;
    }
    step->kernel = tape_kernel(b->tape, &copy, PASS_BACKWARD);
    step->args = (struct sy_op_args){
        .node = &copy,
        .in = tape_plan(b->tape, b->group)->value[v],
        .out = tape_plan(b->tape, b->group)->value[v],
        .x = member->value[v],
        .y = member->value[v],
        .dy = before->at,
        .dx = own->at,
    };
    tape_give(b->tape, before, member->cursor.round);
    member->grad[v] = own;
    return SY_OK;
}

/*
 * Where a step of `round` writes the gradient of value `v`, and whether it
 * adds to what is there. NULL in `to`: it is not wanted.
 */
static enum sy_status open_gradient(const struct back *b,
                                    struct tape_member *member, int v,
                                    int round, float **to, bool *add)
{
    *to = NULL;
    *add = member->grad[v] != NULL;
    if (b->first_stage && v == 0) {
        return SY_OK;
    }
    if (!*add) {
        size_t floats = tape_value_floats(b->tape, b->group, member, v);
        member->grad[v] = tape_take(b->tape, floats, round);
        if (member->grad[v] == NULL) {
            return SY_NO_MEMORY;
        }
    } else if (!is_exclusive(member->grad[v], round)) {
        SY_TRY(copy_gradient(b, member, v, round));
    }
    *to = member->grad[v]->at;
    return SY_OK;
}

/* The last round in which something stands at a member's cursor. */
static int last_of_members(const struct back *b)
{
    int last = 0;
    for (int m = 0; m < b->group->member_count; m++) {
        int mine = tape_last_round(&b->group->member[m].cursor);
        last = mine > last ? mine : last;
    }
    return last;
}

static int slices_of_members(const struct back *b)
{
    int slices = 0;
    for (int m = 0; m < b->group->member_count; m++) {
        slices += tape_shards(b->tape, b->group->member[m].segment);
    }
    return slices;
}

/* The first round in which any member goes on. */
static int begin_of_members(const struct back *b)
{
    int first = b->group->member[0].cursor.round;
    for (int m = 1; m < b->group->member_count; m++) {
        int mine = b->group->member[m].cursor.round;
        first = mine < first ? mine : first;
    }
    return first;
}

/* Parameter gradients of one slot of a norm, added up after a round. */
static enum sy_status write_sums(const struct back *b, int first)
{
    struct sy_tape *tape = b->tape;
    int norm = b->node->norm;
    const struct tape_member *of_slot = &b->group->member[first];
    struct tape_moments *moments = of_slot->moments[norm];
    size_t size = 2 * (size_t)moments->channels;
    int slice = 0;
    int round = 0;
    moments->totals = b->grads + sy_network_norm(tape->network, b->group->unit,
                                                 of_slot->slot, norm);
    for (int m = first; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        if (member->moments[norm] != moments) {
            continue;
        }
        struct tape_step *step =
            append(b, member, tape_kernel(tape, b->node, PASS_SUMS));
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        /* The forward's slices: their numbers are merged and not needed. */
        step->args.partial = moments->slices + (size_t)slice * size;
        step->slice_floats = size;
        slice += tape_shards(tape, member->segment);
        round = member->cursor.round > round ? member->cursor.round : round;
    }
    struct tape_after *after = tape_add_after(tape, round);
    if (after == NULL) {
        return SY_NO_MEMORY;
    }
    after->moments = moments;
    for (int m = first; m < b->group->member_count; m++) {
        if (b->group->member[m].moments[norm] == moments) {
            tape_go_to(&b->group->member[m].cursor, round + 1);
        }
    }
    return SY_OK;
}

static enum sy_status write_norm(const struct back *b)
{
    int v = b->node->in[0];
    for (int m = 0; m < b->group->member_count; m++) {
        if (tape_is_first_of_slot(b->tape, b->group, m) &&
            !b->group->member[m].moments[b->node->norm]->frozen) {
            SY_TRY(write_sums(b, m));
        }
    }
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct tape_buffer *dy = member->grad[b->node->out];
        struct tape_step *step =
            append(b, member, tape_kernel(b->tape, b->node, PASS_BACKWARD));
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        if (member->grad[v] == NULL && is_exclusive(dy, member->cursor.round) &&
            !(b->first_stage && v == 0)) {
            member->grad[v] = dy; /* written over, and handed on */
            step->args.dx = dy->at;
            continue;
        }
        SY_TRY(open_gradient(b, member, v, member->cursor.round, &step->args.dx,
                             &step->args.add_dx));
        tape_give(b->tape, dy, member->cursor.round);
    }
    return SY_OK;
}

/* Both inputs get the same gradient, and the same memory where they can. */
static enum sy_status write_add(const struct back *b)
{
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct tape_buffer *dy = member->grad[b->node->out];
        for (int k = 0; k < 2; k++) {
            int v = b->node->in[k];
            if (b->first_stage && v == 0) {
                continue;
            }
            if (member->grad[v] == NULL) {
                member->grad[v] = dy;
                dy->holders++;
                continue;
            }
            float *to;
            bool add;
            SY_TRY(
                open_gradient(b, member, v, member->cursor.round, &to, &add));
            struct tape_step *step =
                append(b, member, tape_kernel(b->tape, b->node, PASS_BACKWARD));
            if (step == NULL) {
                return SY_NO_MEMORY;
            }
            step->args.dx = to;
            step->args.add_dx = add;
        }
        tape_give(b->tape, dy, member->cursor.round);
    }
    return SY_OK;
}

/* Sums up the slices of a weight's (and bias's) gradient, in parts. */
static enum sy_status write_weight_sum(const struct back *b, float *slices,
                                       size_t size, int round)
{
    const struct sy_unit *unit = &b->tape->network->unit[b->group->unit];
    size_t biases = 0;
    if (b->node->bias >= 0) {
        biases = (size_t)unit->plan.param[b->node->bias].dim[0];
    }
    int parts = (int)((size + SUM_PART_FLOATS - 1) / SUM_PART_FLOATS);
    struct tape_item *item = tape_add_parts(b->tape, round, parts);
    struct tape_step *step =
        item != NULL ? tape_add_step(b->tape, item, STEP_SUM) : NULL;
    if (step == NULL) {
        return SY_NO_MEMORY;
    }
    step->args.partial = slices;
    step->slice_floats = size;
    step->slice_count = slices_of_members(b);
    step->to = b->grads + unit->weight[b->node->weight];
    step->to_floats = size - biases;
    step->rest = biases > 0 ? b->grads + unit->weight[b->node->bias] : step->to;
    return SY_OK;
}

/*
 * The node by shard: gradients of the inputs and, unless that is done in
 * parts, slices of the weight's, which the round after the last member's sums
 * up.
 */
static enum sy_status write_by_shard(const struct back *b, bool weights)
{
    const struct sy_plan *plan = tape_plan(b->tape, b->group);
    const struct sy_node *node = b->node;
    size_t size =
        weights ? sy_op_of(node->op)->partial(node, plan->value[node->in[0]],
                                              plan->value[node->out])
                : 0;
    struct tape_buffer *slices = NULL;
    int slice = 0;
    if (size > 0) {
        slices = tape_take(b->tape, size * (size_t)slices_of_members(b),
                           begin_of_members(b));
        if (slices == NULL) {
            return SY_NO_MEMORY;
        }
    }
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct sy_op_args to = {0};
        SY_TRY(open_gradient(b, member, node->in[0], member->cursor.round,
                             &to.dx, &to.add_dx));
        if (node->in[1] >= 0) {
            SY_TRY(open_gradient(b, member, node->in[1], member->cursor.round,
                                 &to.dx2, &to.add_dx2));
        }
        struct tape_step *step =
            append(b, member, tape_kernel(b->tape, node, PASS_BACKWARD));
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        step->args.dx = to.dx;
        step->args.add_dx = to.add_dx;
        step->args.dx2 = to.dx2;
        step->args.add_dx2 = to.add_dx2;
        if (size > 0) {
            step->args.partial = slices->at + (size_t)slice * size;
            step->slice_floats = size;
            slice += tape_shards(b->tape, member->segment);
        }
        if (weights) {
            tape_give(b->tape, member->grad[node->out], member->cursor.round);
        }
    }
    if (size == 0) {
        return SY_OK;
    }
    int round = last_of_members(b) + 1;
    tape_give(b->tape, slices, round);
    return write_weight_sum(b, slices->at, size, round);
}

/* Gradients of weight and bias in parts, once all members have left dy. */
static enum sy_status write_weight_parts(const struct back *b, int parts,
                                         int round)
{
    const struct sy_unit *unit = &b->tape->network->unit[b->group->unit];
    const struct sy_node *node = b->node;
    struct tape_item *item = tape_add_parts(b->tape, round, parts);
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct tape_buffer *dy = member->grad[node->out];
        struct tape_step *step =
            item != NULL ? tape_add_step(b->tape, item, STEP_KERNEL) : NULL;
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(tape_bind(b->tape, step, b->group, member, node));
        step->kernel = b->tape->backend->split[node->op]->weight;
        step->args.dy = dy->at;
        step->args.partial = b->grads + unit->weight[node->weight];
        step->args.add_partial = m > 0;
        if (node->bias >= 0) {
            step->args.db = b->grads + unit->weight[node->bias];
        }
        dy->parts_until = round > dy->parts_until ? round : dy->parts_until;
        tape_give(b->tape, dy, round);
    }
    return SY_OK;
}

/* Turns the gradient after the activation into that before it, by shard. */
static enum sy_status write_slope(const struct back *b)
{
    const struct sy_split *split = b->tape->backend->split[b->node->op];
    int v = b->node->out;
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct tape_buffer *dy = member->grad[v];
        struct tape_step *step = append(b, member, split->slope);
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        if (!is_exclusive(dy, member->cursor.round)) {
            member->grad[v] = tape_take(
                b->tape, tape_value_floats(b->tape, b->group, member, v),
                member->cursor.round);
            tape_give(b->tape, dy, member->cursor.round);
            if (member->grad[v] == NULL) {
                return SY_NO_MEMORY;
            }
        }
        step->args.dx2 = member->grad[v]->at;
        step->second_floats = sy_shape_floats(step->args.out);
    }
    return SY_OK;
}

/* Gradients of the input and of the weight, both in parts. */
static enum sy_status write_all_parts(const struct back *b, int parts)
{
    const struct sy_node *node = b->node;
    if (node->act != SY_ACT_NONE) {
        SY_TRY(write_slope(b));
    }
    int round = last_of_members(b) + 1;
    struct tape_item *item = tape_add_parts(b->tape, round, parts);
    for (int m = 0; m < b->group->member_count; m++) {
        struct tape_member *member = &b->group->member[m];
        struct sy_op_args to = {0};
        SY_TRY(
            open_gradient(b, member, node->in[0], round, &to.dx, &to.add_dx));
        struct tape_step *step =
            item != NULL ? tape_add_step(b->tape, item, STEP_KERNEL) : NULL;
        if (step == NULL) {
            return SY_NO_MEMORY;
        }
        SY_TRY(tape_bind(b->tape, step, b->group, member, node));
        step->kernel = b->tape->backend->split[node->op]->data;
        step->args.dy = member->grad[node->out]->at;
        step->args.dx = to.dx;
        step->args.add_dx = to.add_dx;
    }
    SY_TRY(write_weight_parts(b, parts, round));
    for (int m = 0; m < b->group->member_count; m++) {
        tape_go_to(&b->group->member[m].cursor, round + 1);
    }
    return SY_OK;
}

static enum sy_status write_node(const struct back *b)
{
    const struct sy_split *split = b->tape->backend->split[b->node->op];
    int parts = tape_parts(b->tape, b->group, b->node, SY_SPLIT_BACKWARD);
    if (b->node->op == SY_OP_NORM) {
        return write_norm(b);
    }
    if (b->node->op == SY_OP_ADD) {
        return write_add(b);
    }
    if (parts > 0 && split->data != NULL) {
        return write_all_parts(b, parts);
    }
    SY_TRY(write_by_shard(b, parts == 0));
    return parts > 0 ? write_weight_parts(b, parts, last_of_members(b) + 1)
                     : SY_OK;
}

static enum sy_status write_group(struct sy_tape *tape, int s,
                                  struct tape_group *group, float *grads)
{
    const struct sy_plan *plan = tape_plan(tape, group);
    for (int m = 0; m < group->member_count; m++) {
        struct tape_member *member = &group->member[m];
        if (member->mix == NULL) {
            member->cursor = tape->cursor[member->segment];
            member->grad[plan->output] = tape->flow[member->segment];
        }
    }
    for (int n = plan->node_count - 1; n >= 0; n--) {
        struct back back = {.tape = tape,
                            .group = group,
                            .node = &plan->node[n],
                            .grads = grads,
                            .first_stage = s == 0};
        SY_TRY(write_node(&back));
    }
    for (int m = 0; m < group->member_count; m++) {
        const struct tape_member *member = &group->member[m];
        if (member->mix == NULL) {
            tape->cursor[member->segment] = member->cursor;
            tape->flow[member->segment] = member->grad[0];
        }
    }
    return SY_OK;
}

static enum sy_status write_backward(struct sy_tape *tape, float *grads)
{
    int last = tape_first_moving(tape);
    for (int s = tape->stage_count - 1; s >= last; s--) {
        struct tape_stage *stage = &tape->stage[s];
        for (int m = 0; m < stage->mix_count; m++) {
            SY_TRY(tape_mix_split(tape, &stage->mix[m]));
        }
        for (int g = 0; g < stage->group_count; g++) {
            SY_TRY(write_group(tape, s, &stage->group[g], grads));
        }
        for (int m = 0; m < stage->mix_count; m++) {
            SY_TRY(tape_mix_join(tape, &stage->mix[m]));
        }
    }
    return SY_OK;
}

/* What the caller left enters the last stage; it is never written over. */
static enum sy_status take_output_grads(struct sy_tape *tape)
{
    for (int i = 0; i < tape->segment_count; i++) {
        struct tape_buffer *buffer =
            sy_arena_zero(&tape->step, 1, sizeof *buffer);
        if (buffer == NULL) {
            return SY_NO_MEMORY;
        }
        *buffer = (struct tape_buffer){.at = tape->output_grad[i],
                                       .holders = 2,
                                       .free_after = -1,
                                       .parts_until = -1};
        tape->flow[i] = buffer;
    }
    return SY_OK;
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
                row[1 + group->member[m].slot] = true;
            }
        }
    }
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        const bool *row = seen + (size_t)tensor->unit * slots;
        used[t] = tensor->trained && row[1 + tensor->slot] &&
                  (tape->frozen == NULL || !tape->frozen[t]);
    }
    return SY_OK;
}

enum sy_status sy_tape_backward(struct sy_tape *tape, float *grads,
                                uint8_t *used, struct sy_error *err)
{
    SY_ASSERT(!tape->scoring);
    tape_forget(tape);
    enum sy_status status = tape_program_begin(tape, true);
    status = status == SY_OK ? take_output_grads(tape) : status;
    status = status == SY_OK ? write_backward(tape, grads) : status;
    if (status != SY_OK) {
        return sy_fail(err, status, "tape: no memory for a backward");
    }
    SY_TRY(tape_program_run(tape, err));
    status = mark_used(tape, used);
    return status == SY_OK ? SY_OK : sy_fail(err, status, "tape: no memory");
}

/* Moves one norm of one slot towards the batch. */
static void update_norm(struct sy_tape *tape, const struct tape_group *group,
                        const struct tape_member *member, int norm,
                        float momentum)
{
    int channels = tape_plan(tape, group)->norm[norm].channels;
    const struct tape_moments *moments = member->moments[norm];
    size_t at = sy_network_norm(tape->network, group->unit, member->slot, norm);
    float *mean = tape->network->values + at + 2 * (size_t)channels;
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
            int norms = tape_plan(tape, group)->norm_count;
            for (int m = 0; m < group->member_count; m++) {
                for (int n = 0; n < norms; n++) {
                    if (tape_is_first_of_slot(tape, group, m) &&
                        !group->member[m].moments[n]->frozen) {
                        update_norm(tape, group, &group->member[m], n,
                                    momentum);
                    }
                }
            }
        }
    }
}
