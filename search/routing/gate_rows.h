/*
 * gate_rows.h - many rows of features at once through the net of a gate, for
 * its descent: products in float by BLAS, where gate_net.h has loops in double.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_GATE_ROWS_H
#define NAS_ROUTING_GATE_ROWS_H

#include "search/routing/gate_net.h"

struct nas_gate_rows {
    const struct nas_gate_net *net;
    float *weight;  /* of the layer that sees the inputs, [inputs][width] */
    float *input;   /* [most][inputs], standardised */
    float *inner;   /* [most][width] what that layer gives */
    float *d_inner; /* [most][width] */
    float *slope;   /* [inputs][width] */
};

/* Room for at most `most` rows, in the arena; false without memory. */
bool nas_gate_rows_init(struct nas_gate_rows *rows,
                        const struct nas_gate_net *net, int most,
                        struct sy_arena *arena);

/* The scores [count][outputs] of these rows of `features`. */
void nas_gate_rows_scores(struct nas_gate_rows *rows, const float *features,
                          const int *sample, int count, double *scores);

/*
 * Writes the gradient of a loss with these slopes in the scores, which must be
 * the last ones that were computed, into net->count numbers.
 */
void nas_gate_rows_gradient(struct nas_gate_rows *rows, const double *d_scores,
                            int count, double *gradient);

#endif
