/*
 * gate_net.c - the network of a gate while it is fitted.
 *
 * DESIGN. A gate has some ten thousand numbers and its features are there, so
 * this is no case for the tape. The order of samples is a stream of its own,
 * sums go in that order: the same seed gives the same bits.
 *
 * Source: D. Kingma, J. Ba, "Adam", 2015; decoupled decay: I. Loshchilov,
 * F. Hutter, 2019.
 */
#include "search/routing/gate_net.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "search/routing/gate_rows.h"

#define BETA_1 0.9
#define BETA_2 0.999

struct nas_gate_descent nas_gate_descent_defaults(void)
{
    return (struct nas_gate_descent){
        .passes = 30, .batch = 64, .rate = 0.003, .decay = 1e-3, .seed = 1};
}

/* Where the scores' weights begin. */
static size_t behind_hidden(const struct nas_gate_net *net)
{
    return net->hidden > 0 ? ((size_t)net->inputs + 1) * (size_t)net->hidden
                           : 0;
}

enum sy_status nas_gate_net_init(struct nas_gate_net *net, int inputs,
                                 int hidden, int outputs, uint64_t seed,
                                 struct sy_error *err)
{
    size_t in = (size_t)inputs, width = (size_t)(hidden > 0 ? hidden : inputs);
    *net = (struct nas_gate_net){
        .inputs = inputs, .hidden = hidden, .outputs = outputs};
    net->count = behind_hidden(net) + (width + 1) * (size_t)outputs;
    sy_arena_init(&net->arena, 0);
    net->value = sy_arena_zero(&net->arena, net->count, sizeof(double));
    net->mean = sy_arena_zero(&net->arena, in, sizeof(double));
    net->factor = sy_arena_zero(&net->arena, in, sizeof(double));
    net->input = sy_arena_zero(&net->arena, in, sizeof(double));
    net->inner = sy_arena_zero(&net->arena, width, sizeof(double));
    if (net->value == NULL || net->mean == NULL || net->factor == NULL ||
        net->input == NULL || net->inner == NULL) {
        nas_gate_net_release(net);
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory to fit it");
    }
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_GATE, 0, 0);
    double deviation = sqrt(2.0 / inputs);
    for (size_t i = 0; i < in * (size_t)hidden; i++) {
        net->value[i] = deviation * (double)sy_rng_normal(&rng);
    }
    for (size_t i = 0; i < in; i++) {
        net->factor[i] = 1.0;
    }
    return SY_OK;
}

void nas_gate_net_release(struct nas_gate_net *net)
{
    sy_arena_release(&net->arena);
    *net = (struct nas_gate_net){0};
}

void nas_gate_net_standardise(struct nas_gate_net *net, const float *features,
                              int n)
{
    for (int i = 0; i < net->inputs; i++) {
        double sum = 0.0, square = 0.0;
        for (int s = 0; s < n; s++) {
            sum +=
                (double)features[(size_t)s * (size_t)net->inputs + (size_t)i];
        }
        net->mean[i] = n > 0 ? sum / n : 0.0;
        for (int s = 0; s < n; s++) {
            double x =
                (double)features[(size_t)s * (size_t)net->inputs + (size_t)i] -
                net->mean[i];
            square += x * x;
        }
        double deviation = n > 0 ? sqrt(square / n) : 0.0;
        net->factor[i] = deviation > 1e-6 ? 1.0 / deviation : 0.0;
    }
}

/* y = x W + b; y has `outputs` numbers. */
static void product(const double *x, int inputs, const double *weight,
                    int outputs, double *y)
{
    memcpy(y, weight + (size_t)inputs * (size_t)outputs,
           (size_t)outputs * sizeof *y);
    for (int i = 0; i < inputs; i++) {
        const double *row = weight + (size_t)i * (size_t)outputs;
        for (int k = 0; k < outputs; k++) {
            y[k] += x[i] * row[k];
        }
    }
}

void nas_gate_net_scores(struct nas_gate_net *net, const float *features,
                         double *scores)
{
    for (int i = 0; i < net->inputs; i++) {
        net->input[i] = ((double)features[i] - net->mean[i]) * net->factor[i];
    }
    if (net->hidden == 0) {
        product(net->input, net->inputs, net->value, net->outputs, scores);
        return;
    }
    product(net->input, net->inputs, net->value, net->hidden, net->inner);
    for (int h = 0; h < net->hidden; h++) {
        net->inner[h] = net->inner[h] > 0.0 ? net->inner[h] : 0.0;
    }
    product(net->inner, net->hidden, net->value + behind_hidden(net),
            net->outputs, scores);
}

/* Adds the gradient of a layer's weight and bias. */
static void add_layer(const double *x, int inputs, const double *dy,
                      int outputs, double *gradient)
{
    for (int i = 0; i < inputs; i++) {
        double *row = gradient + (size_t)i * (size_t)outputs;
        for (int k = 0; x[i] != 0.0 && k < outputs; k++) {
            row[k] += x[i] * dy[k];
        }
    }
    double *bias = gradient + (size_t)inputs * (size_t)outputs;
    for (int k = 0; k < outputs; k++) {
        bias[k] += dy[k];
    }
}

void nas_gate_net_gradient(const struct nas_gate_net *net,
                           const double *d_scores, double *gradient)
{
    double d_inner[SY_GATE_MAX_HIDDEN];
    size_t behind = behind_hidden(net);

    if (net->hidden == 0) {
        add_layer(net->input, net->inputs, d_scores, net->outputs, gradient);
        return;
    }
    SY_ASSERT(net->hidden <= SY_GATE_MAX_HIDDEN);
    add_layer(net->inner, net->hidden, d_scores, net->outputs,
              gradient + behind);
    for (int h = 0; h < net->hidden; h++) {
        const double *row =
            net->value + behind + (size_t)h * (size_t)net->outputs;
        double sum = 0.0;
        for (int k = 0; k < net->outputs; k++) {
            sum += row[k] * d_scores[k];
        }
        d_inner[h] = net->inner[h] > 0.0 ? sum : 0.0;
    }
    add_layer(net->input, net->inputs, d_inner, net->hidden, gradient);
}

/* What a descent keeps between its steps. */
struct descending {
    struct nas_gate_net *net;
    struct nas_gate_rows rows;
    const struct nas_gate_descent *options;
    const float *features;
    double *gradient, *first, *second, *best;
    double *scores, *d_scores;
    uint32_t *order;
    int *sample;
    int64_t steps, all;
};

static bool prepare(struct descending *d, struct sy_arena *arena, int n)
{
    size_t count = d->net->count;
    size_t batch = (size_t)d->options->batch * (size_t)d->net->outputs;
    d->gradient = sy_arena_zero(arena, count, sizeof(double));
    d->first = sy_arena_zero(arena, count, sizeof(double));
    d->second = sy_arena_zero(arena, count, sizeof(double));
    d->best = sy_arena_zero(arena, count, sizeof(double));
    d->scores = sy_arena_zero(arena, batch, sizeof(double));
    d->d_scores = sy_arena_zero(arena, batch, sizeof(double));
    d->order = sy_arena_zero(arena, (size_t)n, sizeof *d->order);
    d->sample =
        sy_arena_zero(arena, (size_t)d->options->batch, sizeof *d->sample);
    d->all = (int64_t)d->options->passes *
             ((n + d->options->batch - 1) / d->options->batch);
    return d->gradient && d->first && d->second && d->best && d->scores &&
           d->d_scores && d->order && d->sample &&
           nas_gate_rows_init(&d->rows, d->net, d->options->batch, arena);
}

/* Scores of the batch, and its loss with the slopes. */
static double ask(struct descending *d, int count, nas_gate_loss_fn loss,
                  void *context)
{
    size_t outputs = (size_t)d->net->outputs;
    nas_gate_rows_scores(&d->rows, d->features, d->sample, count, d->scores);
    memset(d->d_scores, 0, (size_t)count * outputs * sizeof(double));
    return loss(context, &(struct nas_gate_batch){.sample = d->sample,
                                                  .count = count,
                                                  .scores = d->scores,
                                                  .d_scores = d->d_scores});
}

/* One step of Adam along the gradient. */
static void step(struct descending *d)
{
    struct nas_gate_net *net = d->net;
    double progress = (double)d->steps++ / (double)(d->all > 0 ? d->all : 1);
    double rate =
        d->options->rate * 0.5 * (1.0 + cos(3.14159265358979 * progress));
    double t = (double)d->steps;
    double unbias_1 = 1.0 - pow(BETA_1, t), unbias_2 = 1.0 - pow(BETA_2, t);

    for (size_t i = 0; i < net->count; i++) {
        double g = d->gradient[i];
        d->first[i] = BETA_1 * d->first[i] + (1.0 - BETA_1) * g;
        d->second[i] = BETA_2 * d->second[i] + (1.0 - BETA_2) * g * g;
        net->value[i] -= rate * (d->first[i] / unbias_1 /
                                     (sqrt(d->second[i] / unbias_2) + 1e-8) +
                                 d->options->decay * net->value[i]);
    }
}

static void one_pass(struct descending *d, int pass, int n,
                     nas_gate_loss_fn loss, void *context)
{
    struct sy_rng rng =
        sy_rng_stream(d->options->seed, SY_RNG_GATE, (uint64_t)pass + 1, 0);
    sy_rng_permutation(&rng, d->order, (uint32_t)n);
    for (int at = 0; at < n; at += d->options->batch) {
        int count = n - at < d->options->batch ? n - at : d->options->batch;
        for (int i = 0; i < count; i++) {
            d->sample[i] = (int)d->order[at + i];
        }
        (void)ask(d, count, loss, context);
        nas_gate_rows_gradient(&d->rows, d->d_scores, count, d->gradient);
        step(d);
    }
}

/* The mean of `judge` over samples first .. first + count - 1. */
static double mean_of(struct descending *d, int first, int count,
                      nas_gate_loss_fn judge, void *context)
{
    double sum = 0.0;
    for (int at = 0; at < count; at += d->options->batch) {
        int some =
            count - at < d->options->batch ? count - at : d->options->batch;
        for (int i = 0; i < some; i++) {
            d->sample[i] = first + at + i;
        }
        sum += some * ask(d, some, judge, context);
    }
    return count > 0 ? sum / count : 0.0;
}

enum sy_status nas_gate_net_fit(struct nas_gate_net *net,
                                const struct nas_gate_descent *descent,
                                const float *features, int n, int held,
                                nas_gate_loss_fn loss, nas_gate_loss_fn judge,
                                void *context, struct sy_error *err)
{
    struct descending d = {
        .net = net, .options = descent, .features = features};
    struct sy_arena arena;
    double least = INFINITY;
    enum sy_status status = SY_OK;

    SY_ASSERT(net->outputs <= 2 * SY_GATE_MAX_OUTPUTS && descent->batch > 0);
    sy_arena_init(&arena, 0);
    if (!prepare(&d, &arena, n)) {
        status = sy_fail(err, SY_NO_MEMORY, "gate: no memory to fit it");
        goto out;
    }
    for (int pass = 0; pass < descent->passes && n > 0; pass++) {
        if (descent->begin != NULL) {
            SY_TRY_OUT(descent->begin(context, pass, err));
        }
        one_pass(&d, pass, n, loss, context);
        double now = held > 0 ? mean_of(&d, n, held, judge, context) : -pass;
        if (now < least) {
            least = now;
            memcpy(d.best, net->value, net->count * sizeof(double));
        }
    }
    if (isfinite(least)) {
        memcpy(net->value, d.best, net->count * sizeof(double));
    }
out:
    sy_arena_release(&arena);
    return status;
}

/* One dense layer into the unit's parameters; `mean` NULL: as it is. */
static void export_layer(const double *from, int inputs, int outputs,
                         const double *mean, const double *factor,
                         float *weight, float *bias, int taken)
{
    for (int k = 0; k < taken; k++) {
        double shift = from[(size_t)inputs * (size_t)outputs + (size_t)k];
        for (int i = 0; i < inputs; i++) {
            double w = from[(size_t)i * (size_t)outputs + (size_t)k];
            if (mean != NULL) {
                w *= factor[i];
                shift -= w * mean[i];
            }
            weight[(size_t)i * (size_t)taken + (size_t)k] = (float)w;
        }
        bias[k] = (float)shift;
    }
}

void nas_gate_net_export(const struct nas_gate_net *net,
                         struct sy_network *network, int gate)
{
    const struct sy_unit *unit = &network->unit[sy_network_gate(network, gate)];
    int outputs = network->gate[gate].outputs;
    float *values = network->values;
    const double *mean = net->mean;
    int width = net->inputs, p = 0;

    SY_ASSERT(outputs <= net->outputs &&
              net->hidden == network->gate[gate].hidden);
    if (net->hidden > 0) {
        export_layer(net->value, net->inputs, net->hidden, net->mean,
                     net->factor, values + unit->weight[0],
                     values + unit->weight[1], net->hidden);
        mean = NULL;
        width = net->hidden;
        p = 2;
    }
    export_layer(net->value + behind_hidden(net), width, net->outputs, mean,
                 net->factor, values + unit->weight[p],
                 values + unit->weight[p + 1], outputs);
}
