/*
 * classify.c - the classification head.
 *
 * Trunk (shared): 1x1 convolution, norm, activation, mean over H x W, and a
 * dense layer with the same activation where `hidden` is not 0.
 * Domain: dense layer from the trunk's output to the classes.
 * Loss: cross entropy of the softmax with label smoothing s. With the target
 *   t_k = (1 - s)[k = label] + s / K
 * and log Z = log sum exp(z_k), the loss of a sample is
 *   log Z - (1 - s) z_label - (s / K) sum z_k,
 * and its gradient is softmax(z)_k - t_k.
 *
 * Calibration: with s = 1 / temperature the cross entropy against fixed
 * targets t is convex in s, with
 *   slope      mean over samples of sum (p_k - t_k) z_k,
 *   curvature  mean over samples of the variance of z under p,
 * where p = softmax(s z). Newton's steps, within a bracket that halves (in its
 * logarithm) where a step would leave it.
 *
 * DESIGN. log Z is taken after the largest output has been subtracted, in
 * double, so that every finite float gives a finite loss. The classifier has
 * no weight decay (as in TuNAS); all other weights do, biases and norms never.
 *
 * Source: label smoothing, C. Szegedy et al., CVPR 2016; temperature,
 * C. Guo et al., ICML 2017; targets (n + 1) / (n + 2), J. Platt,
 * "Probabilistic Outputs for Support Vector Machines", 1999.
 */
#include "runtime/heads/head.h"

#include <float.h>
#include <math.h>

const char *const sy_sureness_names[SY_SURENESSES + 1] = {
    "confidence", "margin", "entropy", NULL};

enum { NEWTON_STEPS = 100 };

static void emit_trunk(const struct sy_head_spec *spec, struct sy_plan *plan)
{
    int y = sy_plan_conv(plan, 0,
                         &(struct sy_conv_options){
                             .name = "conv",
                             .channels = spec->width,
                             .kernel = 1,
                             .stride = 1,
                             .groups = 1,
                             .act = spec->act,
                         });
    y = sy_plan_pool(plan, y);
    if (spec->hidden > 0) {
        y = sy_plan_dense(plan, y, "hidden", spec->hidden, spec->act,
                          SY_INIT_HE);
    }
    plan->output = y;
}

static void emit_domain(const struct sy_head_spec *spec, int outputs,
                        struct sy_plan *plan)
{
    (void)spec;
    plan->output = sy_plan_dense(plan, 0, "classifier", outputs, SY_ACT_NONE,
                                 SY_INIT_DENSE);
    if (plan->status == SY_OK) {
        plan->param[plan->node[plan->node_count - 1].weight].decay = false;
    }
}

/* The index of the largest output; of equal ones the first. */
static int largest(const float *outputs, int classes)
{
    int best = 0;

    for (int k = 1; k < classes; k++) {
        if (outputs[k] > outputs[best]) {
            best = k;
        }
    }
    return best;
}

static double sum_exp(const float *outputs, int classes, double top,
                      double temperature)
{
    double sum = 0.0;

    for (int k = 0; k < classes; k++) {
        sum += exp(((double)outputs[k] - top) / temperature);
    }
    return sum;
}

static struct sy_head_loss loss(const float *outputs, const int *labels,
                                int count, int classes, double smoothing,
                                double weight, int total, float *d_outputs)
{
    struct sy_head_loss result = {0};
    double spread = smoothing / classes;

    for (int n = 0; n < count; n++) {
        const float *z = outputs + (size_t)n * (size_t)classes;
        SY_ASSERT(labels[n] >= 0 && labels[n] < classes);
        int answer = largest(z, classes);
        double top = (double)z[answer];
        double sum = sum_exp(z, classes, top, 1.0);
        double log_sum = log(sum), cross = 0.0;
        for (int k = 0; k < classes; k++) {
            double below = (double)z[k] - top;
            double target = spread + (k == labels[n] ? 1.0 - smoothing : 0.0);
            cross += target * (log_sum - below);
            if (d_outputs != NULL) {
                d_outputs[(size_t)n * (size_t)classes + (size_t)k] =
                    (float)(weight / total * (exp(below) / sum - target));
            }
        }
        result.loss += cross;
        result.correct += answer == labels[n];
    }
    if (count > 0) {
        result.loss /= count;
    }
    return result;
}

static double imitate(const float *outputs, const float *teacher, int count,
                      int classes, double weight, int total, float *d_outputs)
{
    double loss = 0.0;

    for (int n = 0; n < count; n++) {
        size_t at = (size_t)n * (size_t)classes;
        const float *z = outputs + at, *t = teacher + at;
        double top = (double)z[largest(z, classes)];
        double top_t = (double)t[largest(t, classes)];
        double sum = sum_exp(z, classes, top, 1.0);
        double sum_t = sum_exp(t, classes, top_t, 1.0);
        for (int k = 0; k < classes; k++) {
            double below = (double)z[k] - top;
            double target = exp((double)t[k] - top_t) / sum_t;
            loss += target * (log(sum) - below);
            d_outputs[at + (size_t)k] +=
                (float)(weight / total * (exp(below) / sum - target));
        }
    }
    return count > 0 ? loss / count : 0.0;
}

static void answer(const float *outputs, int classes, double temperature,
                   float *probabilities)
{
    double top = (double)outputs[largest(outputs, classes)];
    double sum = sum_exp(outputs, classes, top, temperature);

    for (int k = 0; k < classes; k++) {
        probabilities[k] =
            (float)(exp(((double)outputs[k] - top) / temperature) / sum);
    }
}

/* Slope and curvature of a sample's cross entropy at s, added to the sums. */
static void add_slope(const float *outputs, int label, int classes, double s,
                      double rest, double *slope, double *curvature)
{
    double top = (double)outputs[largest(outputs, classes)];
    double sum = 0.0, mean = 0.0, square = 0.0, target = 0.0;

    for (int k = 0; k < classes; k++) {
        double z = (double)outputs[k] - top;
        double e = exp(s * z);
        sum += e;
        mean += e * z;
        square += e * z * z;
        target += (k == label ? 1.0 - rest : rest / (classes - 1)) * z;
    }
    mean /= sum;
    *slope += mean - target;
    *curvature += square / sum - mean * mean;
}

static double calibrate(const float *outputs, const int *labels, int count,
                        int classes)
{
    double low = 1e-3, high = 1e3, s = 1.0;
    double rest = 1.0 / (count + 2.0);

    for (int i = 0; i < NEWTON_STEPS && classes > 1; i++) {
        double slope = 0.0, curvature = 0.0;
        for (int n = 0; n < count; n++) {
            add_slope(outputs + (size_t)n * (size_t)classes, labels[n], classes,
                      s, rest, &slope, &curvature);
        }
        if (!isfinite(slope)) {
            return 1.0;
        }
        if (slope == 0.0) {
            break;
        }
        *(slope > 0.0 ? &high : &low) = s;
        double next = s - slope / curvature;
        if (!(next > low && next < high)) {
            next = sqrt(low * high);
        }
        bool found = fabs(next - s) <= 1e-10 * s;
        s = next;
        if (found) {
            break;
        }
    }
    return 1.0 / s;
}

/* The highest of the probabilities but for one. */
static double next_highest(const float *answer, int classes, int but)
{
    double next = 0.0;

    for (int k = 0; k < classes; k++) {
        if (k != but && (double)answer[k] > next) {
            next = (double)answer[k];
        }
    }
    return next;
}

/* 1 - H / ln K, where 0 ln 0 is 0. */
static double certainty(const float *answer, int classes)
{
    double entropy = 0.0;

    for (int k = 0; k < classes; k++) {
        double p = (double)answer[k];
        entropy -= p > 0.0 ? p * log(p) : 0.0;
    }
    double sure = 1.0 - entropy / log(classes);
    return sure < 0.0 ? 0.0 : sure > 1.0 ? 1.0 : sure;
}

static double sureness(const float *answer, int classes, enum sy_sureness rule)
{
    for (int k = 0; k < classes; k++) {
        if (isnan(answer[k])) {
            return (double)NAN;
        }
    }
    if (classes < 2) {
        return 1.0;
    }
    int best = largest(answer, classes);
    switch (rule) {
    case SY_SURE_MARGIN:
        return (double)answer[best] - next_highest(answer, classes, best);
    case SY_SURE_ENTROPY:
        return certainty(answer, classes);
    case SY_SURE_CONFIDENCE:
    case SY_SURENESSES:
        break;
    }
    return (double)answer[best];
}

static double other_than(const float *answer, int classes, int class)
{
    SY_ASSERT(class >= 0 && class < classes);
    return 1.0 - (double)answer[class];
}

static void combine(const float *const *answers, const double *weights,
                    int count, int classes, float *answer)
{
    for (int k = 0; k < classes; k++) {
        double sum = 0.0;
        for (int i = 0; i < count; i++) {
            sum += weights[i] * (double)answers[i][k];
        }
        answer[k] = (float)sum;
    }
}

static void outputs_of(const float *answer, int classes, float *outputs)
{
    for (int k = 0; k < classes; k++) {
        outputs[k] = logf(answer[k] > FLT_MIN ? answer[k] : FLT_MIN);
    }
}

const struct sy_head_type sy_head_classify = {
    .name = "classify",
    .emit_trunk = emit_trunk,
    .emit_domain = emit_domain,
    .loss = loss,
    .imitate = imitate,
    .answer = answer,
    .calibrate = calibrate,
    .sureness = sureness,
    .other_than = other_than,
    .combine = combine,
    .outputs_of = outputs_of,
};
