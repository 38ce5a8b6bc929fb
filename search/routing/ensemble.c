/*
 * ensemble.c - forward selection of experts.
 *
 * DESIGN. Only the label's probability counts, so the chosen ones are one sum
 * per image.
 */
#include "search/routing/ensemble.h"

#include <math.h>
#include <string.h>

/* The mean of -ln((sum + p(label)) / members). */
static double mean_nll(const double *sum, const float *answers,
                       const int *labels, int n, int classes, int members)
{
    double loss = 0.0;

    for (int i = 0; i < n; i++) {
        double p =
            (double)answers[(size_t)i * (size_t)classes + (size_t)labels[i]];
        loss -= log(fmax((sum[i] + p) / members, 1e-12));
    }
    return n > 0 ? loss / n : 0.0;
}

static bool is_chosen(const int *chosen, int count, int expert)
{
    for (int i = 0; i < count; i++) {
        if (chosen[i] == expert) {
            return true;
        }
    }
    return false;
}

int nas_forward_select(const float *const *answers, const int *labels,
                       int experts, int n, int classes, int given, int most,
                       int *chosen, double *nll, double *room)
{
    double *sum = room, least = INFINITY;
    int count = 0;

    memset(sum, 0, (size_t)n * sizeof *sum);
    while (count < most) {
        int best = count < given ? chosen[count] : -1;
        double best_nll = best < 0 ? least
                                   : mean_nll(sum, answers[best], labels, n,
                                              classes, count + 1);
        for (int e = 0; e < experts && count >= given; e++) {
            if (is_chosen(chosen, count, e)) {
                continue;
            }
            double loss =
                mean_nll(sum, answers[e], labels, n, classes, count + 1);
            if (loss < best_nll) {
                best = e;
                best_nll = loss;
            }
        }
        if (best < 0) {
            break;
        }
        least = best_nll;
        for (int i = 0; i < n; i++) {
            sum[i] += (double)
                answers[best][(size_t)i * (size_t)classes + (size_t)labels[i]];
        }
        if (nll != NULL) {
            nll[count] = least;
        }
        chosen[count++] = best;
    }
    return count;
}
