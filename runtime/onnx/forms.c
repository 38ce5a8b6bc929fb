/*
 * forms.c - the ONNX form of every operator of ours.
 *
 *   conv, depthwise   Conv with bias [+ activation] [+ Add of the residual]
 *   norm (alone)      Mul, Add [+ activation]
 *   act               Relu, HardSwish, HardSigmoid
 *   add               Add
 *   pool              GlobalAveragePool, Flatten
 *   dense             Gemm [+ activation]
 *   scale             Unsqueeze of the vector, Mul
 *
 * DESIGN. A norm in front of which a convolution stands is y = f (W * x) + g
 * per output channel; f goes into the weights and g becomes the bias, each in
 * double and rounded once. Runtimes fold a BatchNormalization the same way,
 * but not all do it, and the graph is smaller without.
 *
 * Names are UNIT.PARAMETER as in the weights' file ("l3b1.expand"), and
 * UNIT.OPERATOR with the plan's value number where there is no parameter.
 *
 * Source: the ONNX operators, opset 17. HardSwish is x * hardsigmoid(x) with
 * alpha = 1/6 and beta = 1/2, which is ours.
 */
#include "runtime/onnx/forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct sy_unit *unit_of(const struct sy_onnx_context *c)
{
    return &c->network->unit[c->unit];
}

static struct sy_shape shape_of(const struct sy_onnx_context *c, int value)
{
    return unit_of(c)->plan.value[value];
}

/* "l3b1.expand" for the parameter "expand.weight", or "l3b1.pool7". */
static const char *step_name(const struct sy_onnx_context *c,
                             const struct sy_node *node)
{
    const struct sy_unit *unit = unit_of(c);

    if (node->weight < 0) {
        return sy_onnx_text(c->model, "%s.%s%d", unit->id,
                            sy_op_of(node->op)->name, node->out);
    }
    const char *param = unit->plan.param[node->weight].name;
    const char *end = strrchr(param, '.');
    int length = end != NULL ? (int)(end - param) : (int)strlen(param);
    return sy_onnx_text(c->model, "%s.%.*s", unit->id, length, param);
}

/* A node of one output, "STEP.OP"; the name of the output is the node's. */
static const char *add_node(const struct sy_onnx_context *c, const char *step,
                            struct sy_onnx_node node)
{
    node.name = sy_onnx_text(c->model, "%s.%s", step, node.op);
    node.output = node.name;
    sy_onnx_add_node(c->model, &node);
    return node.output;
}

static const char *add_act(const struct sy_onnx_context *c, const char *step,
                           enum sy_act act, const char *x)
{
    static const char *const ops[SY_ACT_COUNT] = {
        [SY_ACT_RELU] = "Relu",
        [SY_ACT_HSWISH] = "HardSwish",
        [SY_ACT_HSIGMOID] = "HardSigmoid",
    };
    struct sy_onnx_node node = {.op = ops[act], .input = {x}};

    if (act == SY_ACT_NONE) {
        return x;
    }
    if (act == SY_ACT_HSIGMOID) {
        node.attribute[0] = (struct sy_onnx_attribute){
            .name = "alpha", .kind = SY_ONNX_FLOAT, .real = 1.0F / 6.0F};
        node.attribute[1] = (struct sy_onnx_attribute){
            .name = "beta", .kind = SY_ONNX_FLOAT, .real = 0.5F};
    }
    return add_node(c, step, node);
}

/* The value as [N, C]; what is not flat yet is 1 x 1 x C. */
static const char *flat(const struct sy_onnx_context *c, const char *step,
                        struct sy_onnx_value value)
{
    if (value.flat) {
        return value.name;
    }
    return add_node(c, step,
                    (struct sy_onnx_node){.op = "Flatten",
                                          .input = {value.name},
                                          .attribute = {{.name = "axis",
                                                         .kind = SY_ONNX_INT,
                                                         .whole = {1}}}});
}

/* The value as [N, C, H, W]. */
static const char *square(const struct sy_onnx_context *c, const char *step,
                          struct sy_onnx_value value)
{
    static const int64_t sides[2] = {2, 3};

    if (!value.flat) {
        return value.name;
    }
    const char *axes = sy_onnx_text(c->model, "%s.axes", step);
    sy_onnx_int64s(c->model, axes, sides, 2);
    return add_node(
        c, step,
        (struct sy_onnx_node){.op = "Unsqueeze", .input = {value.name, axes}});
}

/* A norm as factor and offset of each channel; without one, 1 and 0. */
struct fold {
    const float *norm; /* scale, bias, mean, var; or NULL */
    int channels;
};

static struct fold fold_of(const struct sy_onnx_context *c,
                           const struct sy_node *node)
{
    struct fold fold = {.channels = shape_of(c, node->out).c};

    if (node->norm >= 0) {
        size_t offset =
            sy_network_norm(c->network, c->unit, c->slot, node->norm);
        SY_ASSERT(offset != SY_ABSENT);
        fold.norm = c->network->values + offset;
    }
    return fold;
}

static double fold_factor(struct fold fold, int channel)
{
    if (fold.norm == NULL) {
        return 1.0;
    }
    double var = (double)fold.norm[3 * fold.channels + channel];
    return (double)fold.norm[channel] / sqrt(var + (double)SY_NORM_EPSILON);
}

static double fold_offset(struct fold fold, int channel)
{
    if (fold.norm == NULL) {
        return 0.0;
    }
    return (double)fold.norm[fold.channels + channel] -
           (double)fold.norm[2 * fold.channels + channel] *
               fold_factor(fold, channel);
}

/* A constant [count] or, where it meets an image, [1, count, 1, 1]. */
static const char *channel_constant(const struct sy_onnx_context *c,
                                    const char *step, const char *what,
                                    struct fold fold, bool image,
                                    double (*number)(struct fold, int))
{
    const int64_t plain[1] = {fold.channels};
    const int64_t spread[4] = {1, fold.channels, 1, 1};
    const char *name = sy_onnx_text(c->model, "%s.%s", step, what);
    float *at =
        sy_onnx_floats(c->model, name, image ? spread : plain, image ? 4 : 1);

    for (int k = 0; at != NULL && k < fold.channels; k++) {
        at[k] = (float)number(fold, k);
    }
    return name;
}

/*
 * The weight of a window, ours [kh][kw][per][K], as ONNX wants it,
 * [K][per][kh][kw], times the norm's factor of the output channel. `per` is
 * the input channels of a group: 1 of a depthwise.
 */
static const char *window_weight(const struct sy_onnx_context *c,
                                 const char *step, const struct sy_node *node,
                                 int per, struct fold fold)
{
    const float *weight = c->network->values + unit_of(c)->weight[node->weight];
    const char *name = sy_onnx_text(c->model, "%s.weight", step);
    const int64_t dims[4] = {fold.channels, per, node->kernel, node->kernel};
    size_t channels = (size_t)fold.channels, depth = (size_t)per;
    size_t window = (size_t)(node->kernel * node->kernel);
    float *at = sy_onnx_floats(c->model, name, dims, 4);

    for (size_t k = 0; at != NULL && k < channels; k++) {
        double factor = fold_factor(fold, (int)k);
        for (size_t i = 0; i < depth; i++) {
            for (size_t p = 0; p < window; p++) {
                *at++ = (float)((double)weight[(p * depth + i) * channels + k] *
                                factor);
            }
        }
    }
    return name;
}

static struct sy_onnx_value form_window(struct sy_onnx_context *c,
                                        const char *step,
                                        const struct sy_step *fused)
{
    const struct sy_node *node = &fused->node;
    int channels_in = shape_of(c, node->in[0]).c;
    int groups = node->op == SY_OP_DEPTHWISE ? channels_in : node->groups;
    int64_t k = node->kernel, s = node->stride, pad = node->kernel / 2;
    struct fold fold = fold_of(c, node);
    const char *weight =
        window_weight(c, step, node, channels_in / groups, fold);
    const char *bias =
        channel_constant(c, step, "bias", fold, false, fold_offset);
    const char *y = add_node(
        c, step,
        (struct sy_onnx_node){
            .op = "Conv",
            .input = {square(c, step, c->value[node->in[0]]), weight, bias},
            .attribute = {
                {.name = "kernel_shape",
                 .kind = SY_ONNX_INTS,
                 .count = 2,
                 .whole = {k, k}},
                {.name = "strides",
                 .kind = SY_ONNX_INTS,
                 .count = 2,
                 .whole = {s, s}},
                {.name = "pads",
                 .kind = SY_ONNX_INTS,
                 .count = 4,
                 .whole = {pad, pad, pad, pad}},
                {.name = "group", .kind = SY_ONNX_INT, .whole = {groups}},
            }});

    y = add_act(c, step, node->act, y);
    if (fused->residual >= 0) {
        const char *other = square(c, step, c->value[fused->residual]);
        y = add_node(c, step,
                     (struct sy_onnx_node){.op = "Add", .input = {y, other}});
    }
    return (struct sy_onnx_value){.name = y};
}

/* Only where no convolution stands before it that could take it in. */
static struct sy_onnx_value form_norm(struct sy_onnx_context *c,
                                      const char *step,
                                      const struct sy_step *fused)
{
    const struct sy_node *node = &fused->node;
    struct sy_onnx_value x = c->value[node->in[0]];
    struct fold fold = fold_of(c, node);
    const char *factor =
        channel_constant(c, step, "factor", fold, !x.flat, fold_factor);
    const char *offset =
        channel_constant(c, step, "offset", fold, !x.flat, fold_offset);
    const char *y = add_node(
        c, step, (struct sy_onnx_node){.op = "Mul", .input = {x.name, factor}});

    y = add_node(c, step,
                 (struct sy_onnx_node){.op = "Add", .input = {y, offset}});
    return (struct sy_onnx_value){.name = add_act(c, step, node->act, y),
                                  .flat = x.flat};
}

static struct sy_onnx_value form_act(struct sy_onnx_context *c,
                                     const char *step,
                                     const struct sy_step *fused)
{
    struct sy_onnx_value x = c->value[fused->node.in[0]];

    x.name = add_act(c, step, fused->node.act, x.name);
    return x;
}

static struct sy_onnx_value form_add(struct sy_onnx_context *c,
                                     const char *step,
                                     const struct sy_step *fused)
{
    struct sy_onnx_value x = c->value[fused->node.in[0]];
    struct sy_onnx_value x2 = c->value[fused->node.in[1]];
    const char *other = x.flat ? flat(c, step, x2) : square(c, step, x2);

    x.name = add_node(
        c, step, (struct sy_onnx_node){.op = "Add", .input = {x.name, other}});
    return x;
}

static struct sy_onnx_value form_pool(struct sy_onnx_context *c,
                                      const char *step,
                                      const struct sy_step *fused)
{
    const char *x = square(c, step, c->value[fused->node.in[0]]);
    struct sy_onnx_value mean = {
        .name = add_node(
            c, step,
            (struct sy_onnx_node){.op = "GlobalAveragePool", .input = {x}})};

    return (struct sy_onnx_value){.name = flat(c, step, mean), .flat = true};
}

/* Our [C][K] is what Gemm takes as its second operand. */
static struct sy_onnx_value form_dense(struct sy_onnx_context *c,
                                       const char *step,
                                       const struct sy_step *fused)
{
    const struct sy_node *node = &fused->node;
    const struct sy_unit *unit = unit_of(c);
    const char *x = flat(c, step, c->value[node->in[0]]);
    const char *weight = sy_onnx_text(c->model, "%s.weight", step);
    const char *bias = sy_onnx_text(c->model, "%s.bias", step);
    const int64_t dims[2] = {shape_of(c, node->in[0]).c,
                             shape_of(c, node->out).c};
    float *w = sy_onnx_floats(c->model, weight, dims, 2);
    float *b = sy_onnx_floats(c->model, bias, &dims[1], 1);

    if (w != NULL && b != NULL) {
        size_t floats = (size_t)dims[0] * (size_t)dims[1];
        memcpy(w, c->network->values + unit->weight[node->weight],
               floats * sizeof *w);
        memcpy(b, c->network->values + unit->weight[node->bias],
               (size_t)dims[1] * sizeof *b);
    }
    const char *y = add_node(
        c, step,
        (struct sy_onnx_node){.op = "Gemm", .input = {x, weight, bias}});
    return (struct sy_onnx_value){.name = add_act(c, step, node->act, y),
                                  .flat = true};
}

static struct sy_onnx_value form_scale(struct sy_onnx_context *c,
                                       const char *step,
                                       const struct sy_step *fused)
{
    struct sy_onnx_value x = c->value[fused->node.in[0]];
    struct sy_onnx_value x2 = c->value[fused->node.in[1]];
    const char *other = x.flat ? flat(c, step, x2) : square(c, step, x2);

    x.name = add_node(
        c, step, (struct sy_onnx_node){.op = "Mul", .input = {x.name, other}});
    return x;
}

typedef struct sy_onnx_value (*form_fn)(struct sy_onnx_context *c,
                                        const char *step,
                                        const struct sy_step *fused);

static const form_fn forms[SY_OP_COUNT] = {
    [SY_OP_CONV] = form_window, [SY_OP_DEPTHWISE] = form_window,
    [SY_OP_NORM] = form_norm,   [SY_OP_ACT] = form_act,
    [SY_OP_ADD] = form_add,     [SY_OP_POOL] = form_pool,
    [SY_OP_DENSE] = form_dense, [SY_OP_SCALE] = form_scale,
};

void sy_onnx_add_step(struct sy_onnx_context *context,
                      const struct sy_step *step)
{
    const struct sy_node *node = &step->node;

    context->value[node->out] =
        forms[node->op](context, step_name(context, node), step);
}
