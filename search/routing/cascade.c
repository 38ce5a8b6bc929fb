/*
 * cascade.c - thresholds of cascades from held-out images.
 */
#include "search/routing/cascade.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/status.h"
#include "runtime/network/route.h"

/*
 * The grid of thresholds: 1 - 10^(-4 i / GRID), i from GRID down to 0, that is
 * from 0.9999 to 0. It is dense where calibrated answers are. It must not
 * depend on the images, or the test would.
 */
enum { GRID = 400, QUANTILES = 20 };

struct nas_cascade_result nas_cascade_play(const struct nas_stage *stages,
                                           int count, int n,
                                           const double *thresholds)
{
    struct nas_cascade_result result = {0};
    const struct nas_stage *last = &stages[count - 1];
    double madds = 0.0;

    SY_ASSERT(count >= 1 && count <= NAS_CASCADE_STAGES);
    for (int i = 0; i < n; i++) {
        int k = 0;
        madds += stages[0].madds;
        while (k + 1 < count && !(stages[k].value[i] >= thresholds[k])) {
            madds += stages[++k].madds;
        }
        result.ended[k]++;
        result.right += stages[k].right[i];
        result.worse += !stages[k].right[i] && last->right[i];
    }
    result.madds_mean = n > 0 ? madds / n : 0.0;
    return result;
}

double nas_binomial_tail(int k, int n, double p)
{
    double sum = 0.0;

    if (k >= n || p <= 0.0) {
        return 1.0;
    }
    if (p >= 1.0) {
        return 0.0;
    }
    for (int i = 0; i <= k; i++) {
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) +
                   i * log(p) + (n - i) * log1p(-p));
    }
    return sum < 1.0 ? sum : 1.0;
}

/* True if the image reaches stage k. */
static bool reaches(const struct nas_stage *stages, int k, int image,
                    const double *thresholds)
{
    for (int j = 0; j < k; j++) {
        if (stages[j].value[image] >= thresholds[j]) {
            return false;
        }
    }
    return true;
}

/* The images of fold k that end at stage k and become worse by it. */
static int count_worse(const struct nas_stage *stages, int count, int k, int n,
                       const double *thresholds)
{
    const struct nas_stage *last = &stages[count - 1];
    int worse = 0;

    for (int i = k; i < n; i += count - 1) {
        worse += stages[k].value[i] >= thresholds[k] && !stages[k].right[i] &&
                 last->right[i] && reaches(stages, k, i, thresholds);
    }
    return worse;
}

void nas_cascade_epsilon(const struct nas_stage *stages, int count, int n,
                         double epsilon, double delta, double *thresholds)
{
    int folds = count - 1;

    SY_ASSERT(count >= 2 && count <= NAS_CASCADE_STAGES);
    for (int k = 0; k < folds; k++) {
        int images = n > k ? (n - k + folds - 1) / folds : 0;
        double found = SY_ROUTE_NEVER;
        for (int g = GRID; g >= 0; g--) {
            thresholds[k] = 1.0 - pow(10.0, -4.0 * g / GRID);
            int worse = count_worse(stages, count, k, n, thresholds);
            if (nas_binomial_tail(worse, images, epsilon / folds) >
                delta / folds) {
                break;
            }
            found = thresholds[k];
        }
        thresholds[k] = found;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/*
 * The threshold that lets `share` twentieths of the images that reach stage k
 * end there: the value at that place from the top. `room` has n doubles.
 */
static double quantile(const struct nas_stage *stages, int k, int n, int share,
                       const double *thresholds, double *room)
{
    int count = 0;

    for (int i = 0; i < n; i++) {
        if (reaches(stages, k, i, thresholds)) {
            room[count++] = stages[k].value[i];
        }
    }
    int ending = count * share / QUANTILES;
    if (ending == 0) {
        return SY_ROUTE_NEVER;
    }
    qsort(room, (size_t)count, sizeof *room, compare);
    return room[count - ending];
}

/* The best so far of a search over thresholds. */
struct best {
    bool found; /* something within the budget */
    struct nas_cascade_result result;
    double threshold[NAS_CASCADE_STAGES];
};

/* Whether `result` is to be preferred to the best one, under the budget. */
static bool better(const struct nas_cascade_result *result,
                   const struct best *best, double madds)
{
    bool within = result->madds_mean <= madds;

    if (within != best->found) {
        return within;
    }
    if (within && result->right != best->result.right) {
        return result->right > best->result.right;
    }
    return result->madds_mean < best->result.madds_mean;
}

/* Tries all shares at stage k and at those after it. */
static void try_stage(const struct nas_stage *stages, int count, int n, int k,
                      double madds, double *thresholds, double *room,
                      struct best *best)
{
    if (k + 1 == count) {
        struct nas_cascade_result result =
            nas_cascade_play(stages, count, n, thresholds);
        if (better(&result, best, madds)) {
            best->found = result.madds_mean <= madds;
            best->result = result;
            for (int j = 0; j < k; j++) {
                best->threshold[j] = thresholds[j];
            }
        }
        return;
    }
    for (int share = 0; share <= QUANTILES; share++) {
        thresholds[k] = quantile(stages, k, n, share, thresholds, room);
        try_stage(stages, count, n, k + 1, madds, thresholds, room, best);
    }
}

bool nas_cascade_madds(const struct nas_stage *stages, int count, int n,
                       double madds, double *thresholds, double *room)
{
    struct best best = {.result.madds_mean = INFINITY};
    double tried[NAS_CASCADE_STAGES];

    SY_ASSERT(count >= 2 && count <= NAS_CASCADE_STAGES);
    try_stage(stages, count, n, 0, madds, tried, room, &best);
    for (int k = 0; k + 1 < count; k++) {
        thresholds[k] = best.threshold[k];
    }
    return best.found;
}

double nas_reject_threshold(double *values, int count, double detection)
{
    if (count == 0) {
        return 0.0;
    }
    qsort(values, (size_t)count, sizeof *values, compare);
    int lost = (int)floor((1.0 - detection) * count + 1e-9);
    double threshold = values[lost < count ? lost : count - 1];
    return threshold < 0.5 ? threshold : 0.5;
}
