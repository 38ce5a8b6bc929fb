/*
 * gate_loss.c - what a gate's scores are worth.
 */
#include "search/routing/gate_loss.h"

#include <math.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/network/route.h"

enum { MOST = SY_ROUTE_MAX_CHILDREN };

#define LEAST_LIKELIHOOD 1e-12
#define LEAST_NOISE      0.01

static void softmax(const double *scores, int count, double *gate)
{
    double top = scores[0], sum = 0.0;
    for (int k = 1; k < count; k++) {
        top = scores[k] > top ? scores[k] : top;
    }
    for (int k = 0; k < count; k++) {
        gate[k] = exp(scores[k] - top);
        sum += gate[k];
    }
    for (int k = 0; k < count; k++) {
        gate[k] /= sum;
    }
}

double nas_gate_soft_loss(const double *scores, const double *target,
                          double weight, int count, double *d_scores)
{
    double gate[MOST], loss = 0.0;
    softmax(scores, count, gate);
    for (int k = 0; k < count; k++) {
        loss -= target[k] * log(fmax(gate[k], 1e-300));
        d_scores[k] = weight * (gate[k] - target[k]);
    }
    return weight * loss;
}

double nas_gate_mixture_loss(const double *scores, const double *likelihood,
                             double weight, int count, double *d_scores)
{
    double gate[MOST], sum = 0.0;
    softmax(scores, count, gate);
    for (int k = 0; k < count; k++) {
        sum += gate[k] * likelihood[k];
    }
    sum = fmax(sum, LEAST_LIKELIHOOD);
    for (int k = 0; k < count; k++) {
        d_scores[k] = weight * (gate[k] - gate[k] * likelihood[k] / sum);
    }
    return -weight * log(sum);
}

void nas_gate_top(const double *scores, int count, int top, double *gate,
                  int *rank)
{
    double kept[MOST] = {0};
    int kept_of[MOST], n = 0;
    for (int k = 0; k < count; k++) {
        rank[k] = 0;
        for (int j = 0; j < count; j++) {
            rank[k] +=
                scores[j] > scores[k] || (scores[j] == scores[k] && j < k);
        }
        gate[k] = 0.0;
        if (rank[k] < top) {
            kept_of[n] = k;
            kept[n++] = scores[k];
        }
    }
    softmax(kept, n, kept);
    for (int i = 0; i < n; i++) {
        gate[kept_of[i]] = kept[i];
    }
}

double nas_gate_cv2(const double *values, int count, double *slope)
{
    double mean = 0.0, var = 0.0;
    for (int k = 0; k < count; k++) {
        mean += values[k] / count;
    }
    for (int k = 0; k < count; k++) {
        var += (values[k] - mean) * (values[k] - mean) / count;
    }
    double below = mean * mean + 1e-10;
    for (int k = 0; k < count; k++) {
        slope[k] = 2.0 * (values[k] - mean) / count / below -
                   var * 2.0 * mean / count / (below * below);
    }
    return var / below;
}

/* One sample of a noisy batch. */
struct noisy {
    double sigma[MOST], noisy[MOST], gate[MOST];
    double z[MOST]; /* (clean - threshold) / sigma; unused with top = E */
    double chance;  /* of the label under the gate */
};

static double normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

static double normal_density(double z)
{
    return exp(-0.5 * z * z) / sqrt(2.0 * 3.14159265358979323846);
}

static double softplus(double x)
{
    return x > 30.0 ? x : log1p(exp(x));
}

/* The noisy score that stands at this place of the order. */
static double at_rank(const struct noisy *s, const int *rank, int count,
                      int place)
{
    for (int k = 0; k < count; k++) {
        if (rank[k] == place) {
            return s->noisy[k];
        }
    }
    SY_ASSERT(place < count);
    return 0.0;
}

static void look(const struct nas_gate_noisy *o, const double *scores,
                 const double *noise, const double *likelihood, struct noisy *s)
{
    int rank[MOST];
    s->chance = 0.0;
    for (int k = 0; k < o->children; k++) {
        s->sigma[k] = softplus(scores[o->children + k]) + LEAST_NOISE;
        s->noisy[k] = scores[k] + s->sigma[k] * noise[k];
    }
    nas_gate_top(s->noisy, o->children, o->top, s->gate, rank);
    for (int k = 0; k < o->children; k++) {
        s->chance += s->gate[k] * likelihood[k];
        if (o->top < o->children) {
            int place = rank[k] < o->top ? o->top : o->top - 1;
            s->z[k] = (scores[k] - at_rank(s, rank, o->children, place)) /
                      s->sigma[k];
        }
    }
    s->chance = fmax(s->chance, LEAST_LIKELIHOOD);
}

/* The slopes of one sample, from those of importance and load. */
static void slopes(const struct nas_gate_noisy *o, const struct noisy *s,
                   const double *scores, const double *noise,
                   const double *likelihood, int samples,
                   const double *d_importance, const double *d_load,
                   double *d_scores)
{
    double d_gate[MOST], mean = 0.0;
    for (int k = 0; k < o->children; k++) {
        d_gate[k] =
            o->balance * d_importance[k] - likelihood[k] / s->chance / samples;
        mean += s->gate[k] * d_gate[k];
    }
    for (int k = 0; k < o->children; k++) {
        double d_noisy = s->gate[k] * (d_gate[k] - mean);
        double d_clean = d_noisy, d_sigma = d_noisy * noise[k];
        if (o->top < o->children) {
            double density =
                o->balance * d_load[k] * normal_density(s->z[k]) / s->sigma[k];
            d_clean += density;
            d_sigma -= density * s->z[k];
        }
        d_scores[k] = d_clean;
        d_scores[o->children + k] =
            d_sigma / (1.0 + exp(-scores[o->children + k]));
    }
}

double nas_gate_noisy_loss(const struct nas_gate_noisy *options, int samples,
                           const double *scores, const double *noise,
                           const double *likelihood, double *d_scores)
{
    int count = options->children;
    double importance[MOST] = {0}, load[MOST] = {0};
    double d_importance[MOST], d_load[MOST], loss = 0.0;
    struct noisy s;

    SY_ASSERT(count <= MOST && options->top >= 1 && options->top <= count);
    for (int i = 0; i < samples; i++) {
        size_t at = (size_t)i * (size_t)count;
        look(options, scores + 2 * at, noise + at, likelihood + at, &s);
        loss -= log(s.chance) / samples;
        for (int k = 0; k < count; k++) {
            importance[k] += s.gate[k];
            load[k] += options->top < count ? normal_below(s.z[k]) : 1.0;
        }
    }
    loss += options->balance * (nas_gate_cv2(importance, count, d_importance) +
                                nas_gate_cv2(load, count, d_load));
    for (int i = 0; i < samples; i++) {
        size_t at = (size_t)i * (size_t)count;
        look(options, scores + 2 * at, noise + at, likelihood + at, &s);
        slopes(options, &s, scores + 2 * at, noise + at, likelihood + at,
               samples, d_importance, d_load, d_scores + 2 * at);
    }
    return loss;
}

double nas_gate_switch_loss(const struct nas_gate_switch *options,
                            const double *scores, const double *noise,
                            const double *likelihood, double *d_scores)
{
    int count = options->children, on = 0, best = 0;
    double x[MOST], chance = 0.0, cost = 0.0;
    bool is_on[MOST];

    for (int k = 0; k < count; k++) {
        x[k] = scores[k] + (noise != NULL ? noise[k] : 0.0);
        best = x[k] > x[best] ? k : best;
        is_on[k] = x[k] >= 0.0;
        on += is_on[k];
    }
    if (on == 0) {
        is_on[best] = true;
        on = 1;
    }
    for (int k = 0; k < count; k++) {
        chance += is_on[k] ? likelihood[k] / on : 0.0;
        cost += is_on[k] ? options->price * options->cost[k] : 0.0;
    }
    chance = fmax(chance, LEAST_LIKELIHOOD);
    for (int k = 0; k < count; k++) {
        double soft = 1.0 / (1.0 + exp(-x[k] / options->temperature));
        double d_switch = options->price * options->cost[k] -
                          (likelihood[k] - chance) / (on * chance);
        d_scores[k] = d_switch * soft * (1.0 - soft) / options->temperature;
    }
    return cost - log(chance);
}
