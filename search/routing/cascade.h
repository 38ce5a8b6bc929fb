/*
 * cascade.h - thresholds of cascades, from what each stage said of held-out
 * images. Arithmetic on arrays; nothing here knows networks.
 *
 * Thread: any.
 */
#ifndef NAS_ROUTING_CASCADE_H
#define NAS_ROUTING_CASCADE_H

#include <stdbool.h>

enum { NAS_CASCADE_STAGES = 4 };

/* What one stage says of every held-out image. */
struct nas_stage {
    const double *value; /* sureness in [0, 1], by image */
    const bool *right;   /* whether its answer is the label, by image */
    double madds;        /* that it costs beyond all stages before it */
};

/* How a cascade with certain thresholds did on the images. */
struct nas_cascade_result {
    int ended[NAS_CASCADE_STAGES]; /* images whose answer is the stage's */
    int right;                     /* images answered rightly */
    int worse; /* answered wrongly, and rightly by the last stage */
    double madds_mean;
};

/*
 * Plays the cascade of `count` stages with these `count` - 1 thresholds on n
 * images: stage k takes an answer whose value is at the threshold or above.
 */
struct nas_cascade_result nas_cascade_play(const struct nas_stage *stages,
                                           int count, int n,
                                           const double *thresholds);

/*
 * The lowest thresholds with which the cascade is at most `epsilon` (a share
 * of all inputs) worse than its last stage, with probability 1 - `delta` over
 * the draw of the held-out images.
 *
 * With K stages the images go in turn into K - 1 folds. Stage k is fitted on
 * fold k, on the images that the thresholds before it leave over. It may make
 * a share of epsilon / (K - 1) of all inputs worse, which is tested at level
 * delta / (K - 1): thresholds of a fixed grid are tried from the strictest on
 * while P(Bin(n, epsilon / (K - 1)) <= worse) is at most the level, and the
 * last one that passed is taken (fixed sequence testing). An input is "worse"
 * when it ends at the stage with a wrong answer and the last stage has it
 * right; inputs that become better are not counted, so the bound is on the
 * safe side. A stage for which no threshold passes gets SY_ROUTE_NEVER.
 *
 * Source: A. Angelopoulos et al., "Learn then Test", 2021; the exact binomial
 * test is that of C. Clopper, E. Pearson, 1934.
 */
void nas_cascade_epsilon(const struct nas_stage *stages, int count, int n,
                         double epsilon, double delta, double *thresholds);

/*
 * The thresholds with the most right answers whose mean cost on the images is
 * at most `madds`, among those that let 0 %, 5 %, ..., 100 % of the images
 * that reach a stage end there; of equal ones the cheapest. False, and the
 * cheapest thresholds, where none is within the budget. `room` has n doubles.
 */
bool nas_cascade_madds(const struct nas_stage *stages, int count, int n,
                       double madds, double *thresholds, double *room);

/*
 * The highest threshold of a `reject` stage that keeps a share `detection` of
 * the `count` positive images, whose values (how sure the stage is that they
 * are something) are sorted in place: with them in ascending order the one at
 * floor((1 - detection) * count); ties with it are kept. At most 1/2.
 * 0, which rejects nothing, for no images.
 *
 * Source: OpenCV, CvCascadeBoost::isErrDesired. There the product is cut to
 * an int as it is, so that (1 - 0.995) * 200 becomes 0 in place of 1.
 */
double nas_reject_threshold(double *values, int count, double detection);

/* P(X <= k) for X binomial with n trials of probability p; in double. */
double nas_binomial_tail(int k, int n, double p);

#endif
