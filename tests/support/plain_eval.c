/*
 * plain_eval.c - the oracle of inference.
 *
 * DESIGN. Every value of every plan gets a block of its own from the heap, so
 * that the address sanitizer sees each read and write that goes astray.
 */
#include "tests/support/plain_eval.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"

static float *new_floats(size_t count)
{
    float *block = sy_alloc(count * sizeof(float));
    SY_ASSERT(block != NULL);
    return block;
}

/* mean[C] then 1 / sqrt(var + eps)[C] of the running statistics. */
static float *moments_of(const float *mean, int channels)
{
    size_t count = (size_t)channels;
    float *moments = new_floats(2 * count);
    for (size_t c = 0; c < count; c++) {
        moments[c] = mean[c];
        moments[count + c] = (float)(1.0 / sqrt((double)mean[count + c] +
                                                (double)SY_NORM_EPSILON));
    }
    return moments;
}

static void run_node(const struct sy_network *network, int unit, int slot,
                     const struct sy_node *node, float *const *value)
{
    const struct sy_plan *plan = &network->unit[unit].plan;
    const size_t *weight = network->unit[unit].weight;
    float *moments = NULL;
    struct sy_op_args args = {
        .node = node,
        .in = plan->value[node->in[0]],
        .out = plan->value[node->out],
        .count = 1,
        .x = value[node->in[0]],
        .x2 = node->in[1] >= 0 ? value[node->in[1]] : NULL,
        .w = node->weight >= 0 ? network->values + weight[node->weight] : NULL,
        .b = node->bias >= 0 ? network->values + weight[node->bias] : NULL,
        .y = value[node->out],
    };
    if (node->norm >= 0) {
        int channels = plan->norm[node->norm].channels;
        size_t at = sy_network_norm(network, unit, slot, node->norm);
        SY_ASSERT(at != SY_ABSENT);
        args.w = network->values + at;
        args.b = args.w + channels;
        moments = moments_of(args.b + channels, channels);
        args.moments = moments;
        args.total_rows = 1;
    }
    sy_op_of(node->op)->forward(&args);
    sy_free(moments);
}

/* Runs one unit and returns its result, owned. */
static float *run_unit(const struct sy_network *network, int unit, int slot,
                       const float *input)
{
    const struct sy_plan *plan = &network->unit[unit].plan;
    float *value[SY_PLAN_MAX_VALUES];
    for (int v = 0; v < plan->value_count; v++) {
        value[v] = new_floats(sy_shape_floats(plan->value[v]));
    }
    memcpy(value[0], input, sy_shape_floats(plan->value[0]) * sizeof(float));
    for (int i = 0; i < plan->node_count; i++) {
        run_node(network, unit, slot, &plan->node[i], value);
    }
    for (int v = 0; v < plan->value_count; v++) {
        if (v != plan->output) {
            sy_free(value[v]);
        }
    }
    return value[plan->output];
}

/* What the first `stages` stages leave of an image, owned. */
static float *run_stages(const struct sy_network *network,
                         const struct sy_path *path, int domain, int stages,
                         const float *image)
{
    size_t floats = sy_shape_floats(network->spec.input);
    float *x = new_floats(floats);
    memcpy(x, image, floats * sizeof(float));
    for (int s = 0; s < stages; s++) {
        int unit = sy_network_stage_unit(network, s, path, domain);
        float *y = run_unit(network, unit,
                            sy_network_slot(network, unit, domain, path), x);
        sy_free(x);
        x = y;
    }
    return x;
}

void sy_plain_gate(const struct sy_network *network, int gate,
                   const float *image, float *scores)
{
    const struct sy_gate *at = &network->gate[gate];
    const struct sy_path *path =
        at->expert >= 0 ? &network->expert[at->expert].path : NULL;
    int domain = at->domain >= 0 ? at->domain : 0;
    float *x = run_stages(network, path, domain, at->layers + 1, image);
    float *y = run_unit(network, network->first_gate + gate, 0, x);
    memcpy(scores, y, (size_t)at->outputs * sizeof(float));
    sy_free(x);
    sy_free(y);
}

void sy_plain_eval(const struct sy_network *network, const struct sy_path *path,
                   int domain, const float *image, float *outputs)
{
    float *x =
        run_stages(network, path, domain, sy_network_stages(network), image);
    memcpy(outputs, x, (size_t)network->domain[domain].classes * sizeof(float));
    sy_free(x);
}
