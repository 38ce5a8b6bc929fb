/*
 * op.c - the table of operators, the activations, and merging of moments.
 *
 * Source of sy_norm_merge: T. Chan, G. Golub, R. LeVeque, "Updating Formulae
 * and a Pairwise Algorithm for Computing Sample Variances", 1979.
 * Source of hswish and hsigmoid: A. Howard et al., "MobileNetV3", 2019.
 */
#include "runtime/ops/op.h"

static const struct sy_op *const table[SY_OP_COUNT] = {
    [SY_OP_CONV] = &sy_op_conv,   [SY_OP_DEPTHWISE] = &sy_op_depthwise,
    [SY_OP_NORM] = &sy_op_norm,   [SY_OP_ACT] = &sy_op_act,
    [SY_OP_ADD] = &sy_op_add,     [SY_OP_POOL] = &sy_op_pool,
    [SY_OP_DENSE] = &sy_op_dense, [SY_OP_SCALE] = &sy_op_scale,
    [SY_OP_CELLS] = &sy_op_cells, [SY_OP_TEXTURES] = &sy_op_textures,
};

const char *const sy_act_names[SY_ACT_COUNT + 1] = {"none", "relu", "hswish",
                                                    "hsigmoid", NULL};

const struct sy_op *sy_op_of(enum sy_op_kind kind)
{
    SY_ASSERT((int)kind >= 0 && kind < SY_OP_COUNT);
    return table[kind];
}

/* min(max(x + 3, 0), 6) / 6; not a number stays not a number. */
static float gate(float x)
{
    if (x <= -3.0f) {
        return 0.0f;
    }
    return x >= 3.0f ? 1.0f : (x + 3.0f) / 6.0f;
}

float sy_act_value(enum sy_act act, float x)
{
    switch (act) {
    case SY_ACT_RELU:
        return x <= 0.0f ? 0.0f : x;
    case SY_ACT_HSWISH:
        return x * gate(x);
    case SY_ACT_HSIGMOID:
        return gate(x);
    case SY_ACT_NONE:
    case SY_ACT_COUNT:
        break;
    }
    return x;
}

float sy_act_slope(enum sy_act act, float x)
{
    bool middle = x > -3.0f && x < 3.0f;

    switch (act) {
    case SY_ACT_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case SY_ACT_HSWISH:
        return middle ? (2.0f * x + 3.0f) / 6.0f : (x >= 3.0f ? 1.0f : 0.0f);
    case SY_ACT_HSIGMOID:
        return middle ? 1.0f / 6.0f : 0.0f;
    case SY_ACT_NONE:
    case SY_ACT_COUNT:
        break;
    }
    return 1.0f;
}

void sy_norm_merge(float *into, int64_t into_rows, const float *from,
                   int64_t from_rows, int channels)
{
    double a = (double)into_rows, b = (double)from_rows, rows = a + b;

    if (from_rows == 0) {
        return;
    }
    for (int c = 0; c < channels; c++) {
        double mean = into_rows == 0 ? 0.0 : (double)into[c];
        double m2 = into_rows == 0 ? 0.0 : (double)into[channels + c];
        double delta = (double)from[c] - mean;
        into[c] = (float)(mean + delta * b / rows);
        into[channels + c] = (float)(m2 + (double)from[channels + c] +
                                     delta * delta * a * b / rows);
    }
}
