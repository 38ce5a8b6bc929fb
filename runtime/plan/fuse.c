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
 */
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
