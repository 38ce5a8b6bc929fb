/*
 * plan.c - building and costing plans.
 *
 * A plan is written down by the builder calls in an order in which its nodes
 * can run: a call can only name values that stand already, so there is no
 * cycle to look for and no sorting to do.
 *
 * DESIGN. The first failure sticks in the plan and every later call returns
 * value 0, which always exists; a block kind therefore emits straight through
 * and its caller checks once, at sy_plan_end. Shapes come from the operators'
 * own shape rules, so that nothing about an operator is repeated here.
 *
 * Source of squeeze-and-excite: J. Hu, L. Shen, G. Sun, CVPR 2018, in the form
 * of A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
 */
#include "runtime/plan/plan.h"

#include <stdio.h>
#include <string.h>

static void plan_fail(struct sy_plan *plan, const char *what, int limit)
{
    plan->status = sy_fail(plan->err, SY_BAD_INPUT,
                           "a plan holds at most %d %s", limit, what);
}

/* "PREFIX.SUFFIX", or the prefix alone; the result must fit and be new. */
static bool make_name(struct sy_plan *plan, char out[SY_PARAM_NAME_BYTES],
                      const char *prefix, const char *suffix)
{
    int length = snprintf(out, SY_PARAM_NAME_BYTES, "%s%s%s", prefix,
                          suffix[0] != '\0' ? "." : "", suffix);
    if (length < 0 || length >= SY_PARAM_NAME_BYTES) {
        plan->status =
            sy_fail(plan->err, SY_BAD_INPUT,
                    "parameter name \"%s.%s\" is longer than %d characters",
                    prefix, suffix, SY_PARAM_NAME_BYTES - 1);
        return false;
    }
    bool taken = false;
    for (int i = 0; suffix[0] != '\0' && i < plan->param_count; i++) {
        taken = taken || strcmp(plan->param[i].name, out) == 0;
    }
    for (int i = 0; suffix[0] == '\0' && i < plan->norm_count; i++) {
        taken = taken || strcmp(plan->norm[i].name, out) == 0;
    }
    if (taken) {
        plan->status = sy_fail(plan->err, SY_BAD_INPUT,
                               "two parameters are named \"%s\"", out);
    }
    return !taken;
}

/* Adds a parameter whose dims, fans, init and decay stand in `param`. */
static int add_param(struct sy_plan *plan, const char *prefix,
                     const char *suffix, struct sy_plan_param param)
{
    if (plan->status != SY_OK) {
        return -1;
    }
    if (plan->param_count == SY_PLAN_MAX_PARAMS) {
        plan_fail(plan, "parameters", SY_PLAN_MAX_PARAMS);
        return -1;
    }
    if (!make_name(plan, param.name, prefix, suffix)) {
        return -1;
    }
    plan->param[plan->param_count] = param;
    return plan->param_count++;
}

static int add_norm(struct sy_plan *plan, const char *name, int channels)
{
    struct sy_plan_norm norm = {.channels = channels};

    if (plan->status != SY_OK) {
        return -1;
    }
    if (plan->norm_count == SY_PLAN_MAX_NORMS) {
        plan_fail(plan, "norms", SY_PLAN_MAX_NORMS);
        return -1;
    }
    if (!make_name(plan, norm.name, name, "")) {
        return -1;
    }
    plan->norm[plan->norm_count] = norm;
    return plan->norm_count++;
}

/*
 * Appends the node and its result value, whose shape the operator's rule
 * gives; `channels` is what conv and dense are asked for.
 */
static int add_node(struct sy_plan *plan, struct sy_node node, int channels)
{
    if (plan->status != SY_OK) {
        return 0;
    }
    if (plan->node_count == SY_PLAN_MAX_NODES ||
        plan->value_count == SY_PLAN_MAX_VALUES) {
        plan_fail(plan, "nodes", SY_PLAN_MAX_NODES);
        return 0;
    }
    const struct sy_op *op = sy_op_of(node.op);
    struct sy_shape in[2] = {{0}, {0}};
    for (int i = 0; i < op->inputs; i++) {
        SY_ASSERT(node.in[i] >= 0 && node.in[i] < plan->value_count);
        in[i] = plan->value[node.in[i]];
    }
    struct sy_shape out = {.c = channels};
    plan->status = op->shape(&node, in, &out, plan->err);
    if (plan->status != SY_OK) {
        return 0;
    }
    node.out = plan->value_count;
    plan->value[plan->value_count++] = out;
    plan->node[plan->node_count++] = node;
    return node.out;
}

/* A node that reads `x`, and nothing else until the caller says so. */
static struct sy_node new_node(enum sy_op_kind op, int x)
{
    return (struct sy_node){.op = op,
                            .kernel = 1,
                            .stride = 1,
                            .groups = 1,
                            .in = {x, -1},
                            .weight = -1,
                            .bias = -1,
                            .norm = -1};
}

static int plan_norm(struct sy_plan *plan, int x, const char *name,
                     enum sy_act act)
{
    struct sy_node node = new_node(SY_OP_NORM, x);

    node.act = act;
    node.norm = add_norm(plan, name, plan->value[x].c);
    return add_node(plan, node, 0);
}

void sy_plan_begin(struct sy_plan *plan, struct sy_shape input,
                   struct sy_error *err)
{
    memset(plan, 0, sizeof *plan);
    plan->err = err;
    plan->value_count = 1;
    plan->value[0] = input;
    if (input.h < 1 || input.h > SY_MAX_SIDE || input.w < 1 ||
        input.w > SY_MAX_SIDE || input.c < 1 || input.c > SY_MAX_CHANNELS) {
        plan->status =
            sy_fail(err, SY_BAD_INPUT,
                    "input of %d x %d x %d: expected sides from 1 to %d and "
                    "channels from 1 to %d",
                    input.h, input.w, input.c, SY_MAX_SIDE, SY_MAX_CHANNELS);
    }
}

int sy_plan_conv(struct sy_plan *plan, int x,
                 const struct sy_conv_options *options)
{
    if (plan->status != SY_OK) {
        return 0;
    }
    struct sy_node node = new_node(SY_OP_CONV, x);
    node.kernel = options->kernel;
    node.stride = options->stride;
    node.groups = options->groups;
    node.weight = plan->param_count;
    int channels_in = plan->value[x].c;
    int y = add_node(plan, node, options->channels);
    if (plan->status != SY_OK) {
        return 0; /* dims below divide by groups, which the rule has checked */
    }
    int k = options->kernel, per_group = channels_in / options->groups;
    (void)add_param(plan, options->name, "weight",
                    (struct sy_plan_param){
                        .init = SY_INIT_HE,
                        .decay = true,
                        .dims = 4,
                        .dim = {k, k, per_group, options->channels},
                        .fan_in = k * k * per_group,
                        .fan_out = k * k * options->channels / options->groups,
                    });
    return plan_norm(plan, y, options->name, options->act);
}

int sy_plan_depthwise(struct sy_plan *plan, int x, const char *name, int kernel,
                      int stride, enum sy_act act)
{
    if (plan->status != SY_OK) {
        return 0;
    }
    struct sy_node node = new_node(SY_OP_DEPTHWISE, x);
    node.kernel = kernel;
    node.stride = stride;
    node.weight = plan->param_count;
    int y = add_node(plan, node, 0);
    (void)add_param(plan, name, "weight",
                    (struct sy_plan_param){
                        .init = SY_INIT_HE,
                        .decay = true,
                        .dims = 3,
                        .dim = {kernel, kernel, plan->value[x].c},
                        .fan_in = kernel * kernel,
                        .fan_out = kernel * kernel,
                    });
    return plan_norm(plan, y, name, act);
}

int sy_plan_add(struct sy_plan *plan, int x, int x2)
{
    struct sy_node node = new_node(SY_OP_ADD, x);
    node.in[1] = x2;
    return add_node(plan, node, 0);
}

int sy_plan_pool(struct sy_plan *plan, int x)
{
    return add_node(plan, new_node(SY_OP_POOL, x), 0);
}

int sy_plan_cells(struct sy_plan *plan, int x, int grid)
{
    struct sy_node node = new_node(SY_OP_CELLS, x);
    node.kernel = grid;
    return add_node(plan, node, 0);
}

int sy_plan_textures(struct sy_plan *plan, int x, int grid)
{
    struct sy_node node = new_node(SY_OP_TEXTURES, x);
    node.kernel = grid;
    return add_node(plan, node, 0);
}

int sy_plan_dense(struct sy_plan *plan, int x, const char *name, int channels,
                  enum sy_act act, enum sy_init init)
{
    if (plan->status != SY_OK) {
        return 0;
    }
    struct sy_node node = new_node(SY_OP_DENSE, x);
    node.act = act;
    node.weight = plan->param_count;
    node.bias = plan->param_count + 1;
    int fan_in = plan->value[x].c;
    int y = add_node(plan, node, channels);
    (void)add_param(plan, name, "weight",
                    (struct sy_plan_param){.init = init,
                                           .decay = true,
                                           .dims = 2,
                                           .dim = {fan_in, channels},
                                           .fan_in = fan_in,
                                           .fan_out = channels});
    (void)add_param(plan, name, "bias",
                    (struct sy_plan_param){.init = SY_INIT_ZERO,
                                           .dims = 1,
                                           .dim = {channels},
                                           .fan_in = fan_in,
                                           .fan_out = channels});
    return y;
}

int sy_plan_scale(struct sy_plan *plan, int x, int x2)
{
    struct sy_node node = new_node(SY_OP_SCALE, x);
    node.in[1] = x2;
    return add_node(plan, node, 0);
}

int sy_make_divisible(double width)
{
    int rounded = (int)(width + 4.0) / 8 * 8;

    if (rounded < 8) {
        rounded = 8;
    }
    return (double)rounded < 0.9 * width ? rounded + 8 : rounded;
}

int sy_plan_squeeze_excite(struct sy_plan *plan, int x)
{
    int channels = plan->value[x].c;
    int squeezed = sy_plan_pool(plan, x);
    int hidden = sy_plan_dense(plan, squeezed, "se.reduce",
                               sy_make_divisible(channels / 4.0), SY_ACT_RELU,
                               SY_INIT_HE);
    int gate = sy_plan_dense(plan, hidden, "se.expand", channels,
                             SY_ACT_HSIGMOID, SY_INIT_GLOROT);
    return sy_plan_scale(plan, x, gate);
}

enum sy_status sy_plan_end(struct sy_plan *plan, int output)
{
    bool used[SY_PLAN_MAX_VALUES] = {false};

    for (int i = 0; plan->status == SY_OK && i < plan->node_count; i++) {
        const struct sy_node *node = &plan->node[i];
        for (int j = 0; j < sy_op_of(node->op)->inputs; j++) {
            used[node->in[j]] = true;
        }
    }
    if (plan->status == SY_OK) {
        SY_ASSERT(output >= 0 && output < plan->value_count);
        used[output] = true;
        plan->output = output;
    }
    for (int i = 0; plan->status == SY_OK && i < plan->value_count; i++) {
        if (!used[i]) {
            plan->status = sy_fail(plan->err, SY_BAD_INPUT,
                                   "value %d of the plan is never used", i);
        }
    }
    plan->err = NULL; /* the caller's, and not ours to keep */
    return plan->status;
}

size_t sy_plan_param_count(const struct sy_plan_param *param)
{
    size_t count = 1;

    for (int d = 0; d < param->dims; d++) {
        count *= (size_t)param->dim[d];
    }
    return count;
}

struct sy_cost sy_plan_cost(const struct sy_plan *plan)
{
    struct sy_cost cost = {0};

    for (int i = 0; i < plan->node_count; i++) {
        const struct sy_node *node = &plan->node[i];
        cost.madds += sy_op_of(node->op)->madds(node, plan->value[node->in[0]],
                                                plan->value[node->out]);
    }
    for (int i = 0; i < plan->param_count; i++) {
        cost.params += (int64_t)sy_plan_param_count(&plan->param[i]);
    }
    for (int i = 0; i < plan->norm_count; i++) {
        cost.params += 4 * (int64_t)plan->norm[i].channels;
    }
    cost.bytes = cost.params * (int64_t)sizeof(float);
    return cost;
}
