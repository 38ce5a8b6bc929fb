/*
 * tape_bind.c - what a kernel sees of a node for one member.
 */
#include "runtime/base/memory.h"
#include "runtime/tape/tape_private.h"

const struct sy_plan *tape_plan(const struct sy_tape *tape,
                                const struct tape_group *group)
{
    return &tape->network->unit[group->unit].plan;
}

size_t tape_value_floats(const struct sy_tape *tape,
                         const struct tape_group *group,
                         const struct tape_member *member, int v)
{
    return (size_t)tape->segment[member->segment].count *
           sy_shape_floats(tape_plan(tape, group)->value[v]);
}

bool tape_counts_together(const struct sy_tape *tape,
                          const struct tape_group *group, int a, int b)
{
    const struct sy_network *network = tape->network;
    bool shared =
        network->spec.norm == SY_NORM_SHARED || group->unit == network->stem;
    bool same = group->member[a].slot == group->member[b].slot;
    return a == b || shared || (same && !tape->scoring);
}

bool tape_is_first_of_slot(const struct sy_tape *tape,
                           const struct tape_group *group, int member)
{
    for (int m = 0; m < member; m++) {
        if (tape_counts_together(tape, group, m, member)) {
            return false;
        }
    }
    return true;
}

sy_kernel_fn tape_kernel(const struct sy_tape *tape, const struct sy_node *node,
                         enum tape_pass pass)
{
    const struct sy_backend *backend = tape->backend;
    const struct sy_op *op = sy_op_of(node->op);
    sy_kernel_fn fast = pass == PASS_STATS     ? backend->stats[node->op]
                        : pass == PASS_FORWARD ? backend->forward[node->op]
                        : pass == PASS_SUMS    ? backend->sums[node->op]
                                               : backend->backward[node->op];
    sy_kernel_fn plain = pass == PASS_STATS     ? op->stats
                         : pass == PASS_FORWARD ? op->forward
                         : pass == PASS_SUMS    ? op->sums
                                                : op->backward;
    return fast != NULL ? fast : plain;
}

/* Room in every worker's scratch for the node on one shard of the segment. */
static enum sy_status reserve_scratch(struct sy_tape *tape,
                                      const struct sy_node *node,
                                      struct sy_shape in, struct sy_shape out,
                                      int segment)
{
    int shards = tape_shards(tape, segment);
    int count =
        shards > 0 ? (tape->segment[segment].count + shards - 1) / shards : 0;
    size_t needed = tape->backend->scratch(node, in, out, count);
    if (tape->backend->forward[node->op] == NULL ||
        tape->backend->backward[node->op] == NULL) {
        size_t plain = sy_backend_reference.scratch(node, in, out, count);
        needed = needed > plain ? needed : plain;
    }
    if (needed <= tape->scratch_floats) {
        return SY_OK;
    }
    tape->scratch_floats = 0;
    for (int i = 0; i < sy_pool_threads(tape->pool); i++) {
        sy_free(tape->scratch[i]);
        tape->scratch[i] = sy_alloc(needed * sizeof(float));
        if (tape->scratch[i] == NULL) {
            return SY_NO_MEMORY;
        }
    }
    tape->scratch_floats = needed;
    return SY_OK;
}

/* Parameters of the node for this member: weights or the norm's affine. */
static void bind_parameters(const struct sy_tape *tape,
                            const struct tape_group *group,
                            const struct tape_member *member,
                            const struct sy_node *node, struct sy_op_args *args)
{
    const struct sy_network *network = tape->network;
    const struct sy_unit *unit = &network->unit[group->unit];
    if (node->weight >= 0) {
        args->w = network->values + unit->weight[node->weight];
    }
    if (node->bias >= 0) {
        args->b = network->values + unit->weight[node->bias];
    }
    if (node->norm >= 0) {
        size_t at =
            sy_network_norm(network, group->unit, member->slot, node->norm);
        const struct tape_moments *moments = member->moments[node->norm];
        SY_ASSERT(at != SY_ABSENT);
        args->w = network->values + at;
        args->b = args->w + unit->plan.norm[node->norm].channels;
        args->moments = moments->applied;
        args->totals = moments->totals;
        args->total_rows = moments->rows;
    }
}

enum sy_status tape_bind(struct sy_tape *tape, struct tape_step *step,
                         const struct tape_group *group,
                         const struct tape_member *member,
                         const struct sy_node *node)
{
    const struct sy_plan *plan = tape_plan(tape, group);
    struct sy_op_args *args = &step->args;
    args->node = node;
    args->in = plan->value[node->in[0]];
    args->out = plan->value[node->out];
    args->count = tape->segment[member->segment].count;
    args->x = member->value[node->in[0]];
    args->y = member->value[node->out];
    if (node->in[1] >= 0) {
        args->x2 = member->value[node->in[1]];
        step->second_floats = sy_shape_floats(plan->value[node->in[1]]);
    }
    bind_parameters(tape, group, member, node, args);
    return reserve_scratch(tape, node, args->in, args->out, member->segment);
}

int tape_parts(const struct sy_tape *tape, const struct tape_group *group,
               const struct sy_node *node, enum sy_split_pass pass)
{
    const struct sy_plan *plan = tape_plan(tape, group);
    const struct sy_split *split = tape->backend->split[node->op];
    int images = 0;
    int shards = 0;
    if (split == NULL || (pass == SY_SPLIT_FORWARD && split->forward == NULL)) {
        return 0;
    }
    for (int m = 0; m < group->member_count; m++) {
        if (!tape_is_now(tape, group->member[m].segment)) {
            continue;
        }
        images += tape->segment[group->member[m].segment].count;
        shards += tape_shards(tape, group->member[m].segment);
    }
    return split->parts(pass, node, plan->value[node->in[0]],
                        plan->value[node->out], images, shards);
}
