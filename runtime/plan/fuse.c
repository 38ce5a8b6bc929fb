/*
 * fuse.c - the inference form of a plan.
 *
 * At inference a norm is one multiply-add per channel, so the convolution
 * before it can apply it, the activation and a residual add while its result
 * is still in registers.
 *
 * DESIGN. A node is taken into the convolution before it only where nobody
 * else reads the value between them. An add is taken only where its other
 * operand stands already when the convolution runs; the step stays at the
 * convolution's place, so whoever reads its result still comes later. Since
 * the fused steps name the same values, every fused form is checked against
 * the operators it replaces.
 *
 * A pair goes further: a 1 x 1 convolution and its depthwise one, which lets
 * the widest map of a bottleneck stay out of memory. Which backends can run a
 * pair is not known here; who can, calls sy_plan_pair.
 */
#include <string.h>

#include "runtime/plan/plan.h"

/* The only node that reads `value`, or -1: none, several, or the output. */
static int sole_reader(const struct sy_plan *plan, int value)
{
    int reader = -1, reads = value == plan->output ? 1 : 0;

    for (int i = 0; i < plan->node_count; i++) {
        for (int j = 0; j < sy_op_of(plan->node[i].op)->inputs; j++) {
            if (plan->node[i].in[j] == value) {
                reader = i;
                reads++;
            }
        }
    }
    return reads == 1 ? reader : -1;
}

/* The node that writes `value`, or -1 for the input. */
static int writer(const struct sy_plan *plan, int value)
{
    for (int i = 0; i < plan->node_count; i++) {
        if (plan->node[i].out == value) {
            return i;
        }
    }
    return -1;
}

/* Takes into the convolution at `index` what follows it. */
static void fuse_tail(const struct sy_plan *plan, int index,
                      struct sy_step *step, bool *taken)
{
    int norm = sole_reader(plan, step->node.out);
    if (norm < 0 || plan->node[norm].op != SY_OP_NORM) {
        return;
    }
    step->node.norm = plan->node[norm].norm;
    step->node.act = plan->node[norm].act;
    step->node.out = plan->node[norm].out;
    taken[norm] = true;

    int add = sole_reader(plan, step->node.out);
    if (add < 0 || plan->node[add].op != SY_OP_ADD) {
        return;
    }
    const struct sy_node *sum = &plan->node[add];
    int other = sum->in[0] == step->node.out ? sum->in[1] : sum->in[0];
    if (writer(plan, other) < index) {
        step->residual = other;
        step->node.out = sum->out;
        taken[add] = true;
    }
}

void sy_plan_fuse(const struct sy_plan *plan, struct sy_infer_plan *fused)
{
    bool taken[SY_PLAN_MAX_NODES] = {false};

    fused->step_count = 0;
    fused->output = plan->output;
    for (int i = 0; i < plan->node_count; i++) {
        if (taken[i]) {
            continue;
        }
        struct sy_step *step = &fused->step[fused->step_count++];
        *step = (struct sy_step){.node = plan->node[i], .residual = -1};
        if (step->node.op == SY_OP_CONV || step->node.op == SY_OP_DEPTHWISE) {
            fuse_tail(plan, i, step, taken);
        }
    }
}

int sy_step_out(const struct sy_step *step)
{
    return step->pair ? step->then.out : step->node.out;
}

/* How often the steps read `value`; the result of the plan counts as read. */
static int count_reads(const struct sy_infer_plan *fused, int value)
{
    int reads = fused->output == value ? 1 : 0;

    for (int i = 0; i < fused->step_count; i++) {
        const struct sy_step *step = &fused->step[i];
        for (int j = 0; j < sy_op_of(step->node.op)->inputs; j++) {
            reads += step->node.in[j] == value;
        }
        reads += step->residual == value;
    }
    return reads;
}

static bool is_pair(const struct sy_infer_plan *fused, int index)
{
    const struct sy_step *first = &fused->step[index];
    const struct sy_step *second = first + 1;

    return index + 1 < fused->step_count && first->node.op == SY_OP_CONV &&
           first->node.kernel == 1 && first->node.stride == 1 &&
           first->node.groups == 1 && first->residual < 0 &&
           second->node.op == SY_OP_DEPTHWISE &&
           second->node.in[0] == first->node.out &&
           count_reads(fused, first->node.out) == 1;
}

void sy_plan_pair(struct sy_infer_plan *fused)
{
    for (int i = 0; i < fused->step_count; i++) {
        if (is_pair(fused, i)) {
            struct sy_step *step = &fused->step[i];
            step->pair = true;
            step->then = step[1].node;
            step->residual = step[1].residual;
            fused->step_count--;
            memmove(step + 1, step + 2,
                    (size_t)(fused->step_count - i - 1) * sizeof *step);
        }
    }
}
