/*
 * gate_net.h - the network of a gate while it is fitted: features to scores,
 * with one hidden layer or none. Arithmetic on arrays, in double but for the
 * products of a descent (gate_rows.h); nothing here knows images.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_GATE_NET_H
#define NAS_ROUTING_GATE_NET_H

#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/network/network.h"

struct nas_gate_net {
    int inputs, hidden, outputs; /* hidden 0: none */
    size_t count;                /* numbers in `value` */
    /* weight [inputs][width], bias [width] of the hidden layer where there is
       one, then the same of the scores. */
    double *value;
    double *mean, *factor; /* of each input: it sees (x - mean) * factor */
    double *inner;         /* hidden values of the last scores */
    double *input;         /* standardised input of the last scores */
    struct sy_arena arena;
};

/* He's start for the hidden layer, zeros for the scores. */
enum sy_status nas_gate_net_init(struct nas_gate_net *net, int inputs,
                                 int hidden, int outputs, uint64_t seed,
                                 struct sy_error *err) SY_MUST_USE;
void nas_gate_net_release(struct nas_gate_net *net);

/* Takes mean and deviation of the inputs from n rows of features; an input
   that does not change is not seen. */
void nas_gate_net_standardise(struct nas_gate_net *net, const float *features,
                              int n);

void nas_gate_net_scores(struct nas_gate_net *net, const float *features,
                         double *scores);

/* Adds the gradient of a loss with this slope in the scores, which must be the
   last ones that were computed. `gradient` has net->count numbers. */
void nas_gate_net_gradient(const struct nas_gate_net *net,
                           const double *d_scores, double *gradient);

/* The samples of a batch, and what their scores are worth. */
struct nas_gate_batch {
    const int *sample; /* numbers, `count` of them */
    int count;
    const double *scores; /* [count][outputs] */
    double *d_scores;     /* [count][outputs], zeroed: slope of the mean loss */
};
typedef double (*nas_gate_loss_fn)(void *context,
                                   const struct nas_gate_batch *batch);

struct nas_gate_descent {
    int passes, batch;
    double rate;  /* of Adam, falls along half a cosine to 0 */
    double decay; /* of weights, decoupled */
    uint64_t seed;
    /* Asked before each pass with the loss's context, and may write other
       features over the rows 0 .. n - 1; NULL: they stay. */
    enum sy_status (*begin)(void *context, int pass, struct sy_error *err);
};

struct nas_gate_descent nas_gate_descent_defaults(void);

/*
 * Adam on `loss` over the samples 0 .. n - 1, whose features are rows of
 * `features`. After every pass the mean of `loss` over the samples n .. n +
 * held - 1 is asked for with `judge`, and the net of the lowest one is kept;
 * with held 0 the last one.
 */
enum sy_status nas_gate_net_fit(struct nas_gate_net *net,
                                const struct nas_gate_descent *descent,
                                const float *features, int n, int held,
                                nas_gate_loss_fn loss, nas_gate_loss_fn judge,
                                void *context,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Writes the net into a gate's unit, with the standardising taken into the
 * first layer. The gate may have fewer outputs than the net: the first ones.
 */
void nas_gate_net_export(const struct nas_gate_net *net,
                         struct sy_network *network, int gate);

#endif
