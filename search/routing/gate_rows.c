/*
 * gate_rows.c - many rows of features at once through the net of a gate.
 *
 * DESIGN. Nearly all of the work is the layer that sees the inputs: three
 * products. What lies behind it is small, and stays in double.
 */
#include "search/routing/gate_rows.h"

#include <string.h>

#include "runtime/cpu/blas.h"

static int width_of(const struct nas_gate_net *net)
{
    return net->hidden > 0 ? net->hidden : net->outputs;
}

bool nas_gate_rows_init(struct nas_gate_rows *rows,
                        const struct nas_gate_net *net, int most,
                        struct sy_arena *arena)
{
    size_t inputs = (size_t)net->inputs, width = (size_t)width_of(net);
    (void)sy_blas_open();
    *rows = (struct nas_gate_rows){.net = net};
    rows->weight = sy_arena_zero(arena, inputs * width, sizeof(float));
    rows->slope = sy_arena_zero(arena, inputs * width, sizeof(float));
    rows->input = sy_arena_zero(arena, (size_t)most * inputs, sizeof(float));
    rows->inner = sy_arena_zero(arena, (size_t)most * width, sizeof(float));
    rows->d_inner = sy_arena_zero(arena, (size_t)most * width, sizeof(float));
    return rows->weight && rows->slope && rows->input && rows->inner &&
           rows->d_inner;
}

/* The weights of the scores, where a hidden layer lies before them. */
static const double *behind_hidden(const struct nas_gate_net *net)
{
    return net->value + ((size_t)net->inputs + 1) * (size_t)net->hidden;
}

/* The scores of one row from its hidden values. */
static void score_row(const struct nas_gate_net *net, const float *inner,
                      double *scores)
{
    const double *weight = behind_hidden(net);
    size_t outputs = (size_t)net->outputs;
    memcpy(scores, weight + (size_t)net->hidden * outputs,
           outputs * sizeof *scores);
    for (int h = 0; h < net->hidden; h++) {
        const double *row = weight + (size_t)h * outputs;
        for (size_t k = 0; inner[h] > 0.0f && k < outputs; k++) {
            scores[k] += (double)inner[h] * row[k];
        }
    }
}

void nas_gate_rows_scores(struct nas_gate_rows *rows, const float *features,
                          const int *sample, int count, double *scores)
{
    const struct nas_gate_net *net = rows->net;
    int inputs = net->inputs, width = width_of(net);
    const double *bias = net->value + (size_t)inputs * (size_t)width;

    for (int i = 0; i < inputs * width; i++) {
        rows->weight[i] = (float)net->value[i];
    }
    for (int r = 0; r < count; r++) {
        const float *from = features + (size_t)sample[r] * (size_t)inputs;
        float *to = rows->input + (size_t)r * (size_t)inputs;
        for (int i = 0; i < inputs; i++) {
            to[i] = (from[i] - (float)net->mean[i]) * (float)net->factor[i];
        }
        for (int k = 0; k < width; k++) {
            rows->inner[r * width + k] = (float)bias[k];
        }
    }
    sy_sgemm(&(struct sy_gemm){.m = count,
                               .n = width,
                               .k = inputs,
                               .lda = inputs,
                               .ldb = width,
                               .ldc = width,
                               .accumulate = true},
             rows->input, rows->weight, rows->inner);
    for (int r = 0; r < count; r++) {
        const float *inner = rows->inner + (size_t)r * (size_t)width;
        double *own = scores + (size_t)r * (size_t)net->outputs;
        if (net->hidden > 0) {
            score_row(net, inner, own);
            continue;
        }
        for (int k = 0; k < width; k++) {
            own[k] = (double)inner[k];
        }
    }
}

/* One row back through the scores: adds to their gradient, and sets what it is
   worth to the hidden values. */
static void back_row(const struct nas_gate_net *net, const float *inner,
                     const double *d_scores, float *d_inner, double *gradient)
{
    const double *weight = behind_hidden(net);
    size_t outputs = (size_t)net->outputs;
    for (int h = 0; h < net->hidden; h++) {
        const double *row = weight + (size_t)h * outputs;
        double *slope = gradient + (size_t)h * outputs;
        double sum = 0.0;
        for (size_t k = 0; inner[h] > 0.0f && k < outputs; k++) {
            slope[k] += (double)inner[h] * d_scores[k];
            sum += row[k] * d_scores[k];
        }
        d_inner[h] = (float)sum;
    }
    for (size_t k = 0; k < outputs; k++) {
        gradient[(size_t)net->hidden * outputs + k] += d_scores[k];
    }
}

void nas_gate_rows_gradient(struct nas_gate_rows *rows, const double *d_scores,
                            int count, double *gradient)
{
    const struct nas_gate_net *net = rows->net;
    int inputs = net->inputs, width = width_of(net);
    double *bias = gradient + (size_t)inputs * (size_t)width;

    memset(gradient, 0, net->count * sizeof *gradient);
    for (int r = 0; r < count; r++) {
        const double *slopes = d_scores + (size_t)r * (size_t)net->outputs;
        float *d_inner = rows->d_inner + (size_t)r * (size_t)width;
        if (net->hidden > 0) {
            back_row(net, rows->inner + (size_t)r * (size_t)width, slopes,
                     d_inner, bias + width);
        }
        for (int k = 0; k < width; k++) {
            d_inner[k] = net->hidden > 0 ? d_inner[k] : (float)slopes[k];
            bias[k] += (double)d_inner[k];
        }
    }
    sy_sgemm(&(struct sy_gemm){.transpose_a = true,
                               .m = inputs,
                               .n = width,
                               .k = count,
                               .lda = inputs,
                               .ldb = width,
                               .ldc = width},
             rows->input, rows->d_inner, rows->slope);
    for (int i = 0; i < inputs * width; i++) {
        gradient[i] = (double)rows->slope[i];
    }
}
