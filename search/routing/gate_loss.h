/*
 * gate_loss.h - what a gate's scores are worth, with their slopes. Each is a
 * function of arrays; `likelihood` is what each child's answer gives the label.
 * Slopes are written, not added, where nothing else is said.
 *
 * Thread: any.
 */
#ifndef NAS_ROUTING_GATE_LOSS_H
#define NAS_ROUTING_GATE_LOSS_H

/* -sum target ln softmax(scores), times weight. The targets sum to 1. */
double nas_gate_soft_loss(const double *scores, const double *target,
                          double weight, int count, double *d_scores);

/*
 * -ln sum g_k likelihood_k with g = softmax(scores), times weight: the mixture
 * answers. Its slope is g less the responsibilities (Jordan, Jacobs 1994).
 */
double nas_gate_mixture_loss(const double *scores, const double *likelihood,
                             double weight, int count, double *d_scores);

/* The softmax over the `top` highest scores, 0 for the others; ties to the
   lower index. Writes the place of each child in the order to `rank`. */
void nas_gate_top(const double *scores, int count, int top, double *gate,
                  int *rank);

/* The square of the coefficient of variation, var / (mean^2 + 1e-10), and its
   slope in each value. */
double nas_gate_cv2(const double *values, int count, double *slope);

/*
 * Noisy top-k gating over a batch of `samples`, with `children` E. A sample has
 * 2 E scores: E clean ones c, and E that give its noise s = softplus(.) + 0.01.
 * With n = c + s * noise, the gate g is the softmax over the `top` highest n.
 *
 *   importance_e = sum over the batch of g_e
 *   load_e       = sum of P(e is among the top when its noise is drawn anew)
 *   loss = mean of -ln sum g likelihood + balance * (CV2(importance)
 *          + CV2(load))
 *
 * Thresholds in the load count as constants in the slope; with top = E the
 * load is alike for all and has none.
 *
 * Source: N. Shazeer et al., "Outrageously Large Neural Networks", ICLR 2017.
 */
struct nas_gate_noisy {
    int children, top;
    double balance;
};
double nas_gate_noisy_loss(const struct nas_gate_noisy *options, int samples,
                           const double *scores, const double *noise,
                           const double *likelihood, double *d_scores);

/*
 * Independent switches: child e is on where score + noise is 0 or more (the
 * highest, where none is), the answer is the mean over those that are on, and
 * each costs cost_e times `price`. The slope is that of the soft switch
 * sigmoid((score + noise) / temperature): straight-through. The noise is
 * logistic in training (Gumbel-sigmoid; E. Jang et al., C. Maddison et al.,
 * 2017), NULL for none.
 */
struct nas_gate_switch {
    int children;
    double price, temperature;
    const double *cost;
};
double nas_gate_switch_loss(const struct nas_gate_switch *options,
                            const double *scores, const double *noise,
                            const double *likelihood, double *d_scores);

#endif
