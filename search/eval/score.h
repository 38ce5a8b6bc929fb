/*
 * score.h - how good the answers of a domain's route are on a split.
 *
 *   top1   share of images whose most probable class is the label
 *   nll    mean of -ln p(label), natural logarithm, p floored at 1e-12
 *   ece    expected calibration error: 15 equal-width bins (lo, hi] over the
 *          highest probability (Guo et al. 2017)
 *
 * The images run through the executor that also serves, in batches of 32, and
 * each goes the way that the route finds for it. An answer that several
 * experts give together has no temperature of its own: without calibration it
 * is taken as it is.
 *
 * Thread: one at a time.
 */
#ifndef NAS_EVAL_SCORE_H
#define NAS_EVAL_SCORE_H

#include "domains/batch/batch.h"
#include "runtime/executor/executor.h"

enum { NAS_SCORE_BATCH = 32, NAS_ECE_BINS = 15 };

struct nas_score {
    int n;
    double top1;
    double nll;
    double ece;
    double nll_uncalibrated; /* these two with temperature 1 */
    double ece_uncalibrated;
    double madds_mean;            /* multiply-adds an image, as executed */
    int ran[SY_MAX_EXPERTS];      /* images that the expert ran for, */
    int answered[SY_MAX_EXPERTS]; /* and whose answer is its alone */
    /* Images for which a child of a node of the route was decided about, and
       for which it was taken (cascade) or chosen (gate). */
    int decided[SY_ROUTE_MAX_NODES][SY_ROUTE_MAX_CHILDREN];
    int passed[SY_ROUTE_MAX_NODES][SY_ROUTE_MAX_CHILDREN];
    double disagreement; /* mean over the images that several experts ran for */
    int several;         /* how many these are */
    double us_mean;      /* microseconds an image, in batches as asked for */
    char *right; /* where asked for: n digits and a 0, 1 where the image's
                    answer is right; owned by the caller (sy_free) */
};

struct nas_score_options {
    int batch;  /* images at a time, up to NAS_SCORE_BATCH, which 0 takes */
    bool right; /* tell of every image whether its answer is right */
};

/*
 * Scores the domain's route on everything `loader` holds. The executor must
 * take NAS_SCORE_BATCH requests. `options` NULL takes all defaults.
 */
enum sy_status nas_score_domain(struct nas_score *score,
                                struct sy_executor *executor,
                                const struct sy_network *network, int domain,
                                struct dom_loader *loader,
                                const struct nas_score_options *options,
                                struct sy_error *err) SY_MUST_USE;

/*
 * The ECE of `count` confidences (highest probability) and whether each was
 * right. Thread: any.
 */
double nas_ece(const float *confidence, const bool *right, int count);

#endif
