/*
 * head.h - heads: what turns a path's last features into an answer.
 *
 * A head is an interface: the plan it emits for a domain, loss and gradient,
 * and what an answer is. Classification is the first; routes and the trainer
 * go through this table and never assume a softmax.
 *
 * The classification head is a trunk shared by all domains (a 1x1
 * convolution with per-domain norm, hard-swish, mean pool), which is an
 * ordinary block with the id "trunk", then a dense layer per domain.
 */
#ifndef SY_HEADS_HEAD_H
#define SY_HEADS_HEAD_H

#include "runtime/plan/plan.h"

struct sy_head_spec {
    int width;  /* channels of the shared trunk's convolution */
    int hidden; /* a dense layer after the mean, shared too; 0: none */
    enum sy_act act;
};

struct sy_head_loss {
    double loss; /* mean over this call's `count` samples, 0 for none */
    int correct; /* samples whose answer is right */
};

/* How the sureness of an answer is measured: by a rule with this name. */
enum sy_sureness {
    SY_SURE_CONFIDENCE, /* the highest probability */
    SY_SURE_MARGIN,     /* the highest less the next one */
    SY_SURE_ENTROPY,    /* 1 - H / ln K: 0 for a uniform answer, 1 for one
                           without doubt; natural logarithms */
    SY_SURENESSES
};

extern const char *const sy_sureness_names[SY_SURENESSES + 1];

struct sy_head_type {
    const char *name; /* "classify" */

    /*
     * The trunk, shared by all domains: from the last layer's shape. Like a
     * block's emit, both emit into a begun plan and set plan->output; the
     * caller ends it with sy_plan_end(plan, plan->output).
     */
    void (*emit_trunk)(const struct sy_head_spec *spec, struct sy_plan *plan);
    /* The domain's own part: trunk features to `outputs` raw outputs. */
    void (*emit_domain)(const struct sy_head_spec *spec, int outputs,
                        struct sy_plan *plan);

    /*
     * Loss of `count` samples and its gradient with respect to the raw
     * outputs, of weight * mean loss over `total` samples. d_outputs may be
     * NULL. classify: cross entropy with label smoothing s: target
     * (1-s) at the label plus s/K everywhere; argmax ties go to the lower
     * index. Sums in double, in order of samples.
     */
    struct sy_head_loss (*loss)(const float *outputs, const int *labels,
                                int count, int classes, double smoothing,
                                double weight, int total, float *d_outputs);

    /*
     * Adds to d_outputs the gradient of weight * mean cross entropy against
     * the teacher's answers, which count as constants, and returns that mean.
     * classify: targets are the softmax of the teacher's outputs (G. Hinton et
     * al., "Distilling the Knowledge in a Neural Network", 2015, at
     * temperature 1).
     */
    double (*imitate)(const float *outputs, const float *teacher, int count,
                      int classes, double weight, int total, float *d_outputs);

    /*
     * Raw outputs of one sample to its answer. classify: softmax of
     * outputs / temperature, in double, rounded once.
     */
    void (*answer)(const float *outputs, int classes, double temperature,
                   float *answer);

    /*
     * The temperature under which answers are as sure as they are right, from
     * the outputs of `count` held-out samples. classify: the one of least mean
     * cross entropy, against targets of (count + 1) / (count + 2) at the label
     * and the rest spread over the other classes, within 1e-3 to 1e3. So few
     * samples that are all right do not make it certain, and with many the
     * targets are the labels. 1 where the samples cannot tell: there are none,
     * or no output differs from another, or one is not finite.
     */
    double (*calibrate)(const float *outputs, const int *labels, int count,
                        int classes);

    /*
     * How sure an answer is, in [0, 1], more is surer; NaN where the answer
     * has one. classify: as the rules say; with one class always 1.
     */
    double (*sureness)(const float *answer, int classes, enum sy_sureness rule);

    /*
     * How sure an answer is that the sample is something else than `class`.
     * classify: 1 less that class's probability.
     */
    double (*other_than)(const float *answer, int classes, int class);

    /*
     * One answer from several, by weights that sum to 1. classify: the mean
     * of the probabilities, summed in double in the order given.
     */
    void (*combine)(const float *const *answers, const double *weights,
                    int count, int classes, float *answer);

    /*
     * Raw outputs that give this answer under temperature 1, for an answer
     * that several experts have part in. classify: logarithms, of at least
     * FLT_MIN.
     */
    void (*outputs_of)(const float *answer, int classes, float *outputs);
};

extern const struct sy_head_type sy_head_classify;

#endif
