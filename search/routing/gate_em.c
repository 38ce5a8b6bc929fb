/*
 * gate_em.c - the gates of a tree of experts by EM.
 *
 * DESIGN. Likelihoods of long tails underflow, so a node's value is kept as a
 * logarithm. Gates are stored parents first: values are summed from the last
 * gate to the first, responsibilities handed down from the first to the last.
 */
#include "search/routing/gate_em.h"

#include <math.h>
#include <string.h>

#include "search/routing/gate_loss.h"

#define LEAST_LOG (-60.0)

struct nas_em_options nas_em_defaults(void)
{
    return (struct nas_em_options){.rounds = 100, .least = 1e-6, .steps = 4};
}

/* What is at hand while a tree is fitted. */
struct fitting {
    const struct nas_em_tree *tree;
    struct nas_gate_net *const *nets;
    const float *features;
    const double *likelihood;
    int n;
    double *target;   /* [gate][row][child]: posterior of the child */
    double *weight;   /* [gate][row]: responsibility of the gate's node */
    double *gradient; /* of one net */
    double *before;   /* its numbers before a step */
    double rate[NAS_EM_GATES];
    struct sy_arena arena;
};

static double *target_of(const struct fitting *f, int gate, int row)
{
    size_t at = (size_t)gate * (size_t)f->n + (size_t)row;
    return f->target + at * SY_ROUTE_MAX_CHILDREN;
}

static double *weight_of(const struct fitting *f, int gate, int row)
{
    return f->weight + (size_t)gate * (size_t)f->n + (size_t)row;
}

static void log_softmax(double *scores, int count)
{
    double top = scores[0], sum = 0.0;
    for (int k = 1; k < count; k++) {
        top = scores[k] > top ? scores[k] : top;
    }
    for (int k = 0; k < count; k++) {
        sum += exp(scores[k] - top);
    }
    for (int k = 0; k < count; k++) {
        scores[k] -= top + log(sum);
    }
}

/* ln sum exp of `count` numbers. */
static double log_sum(const double *values, int count)
{
    double top = values[0], sum = 0.0;
    for (int k = 1; k < count; k++) {
        top = values[k] > top ? values[k] : top;
    }
    for (int k = 0; k < count; k++) {
        sum += exp(values[k] - top);
    }
    return top + log(sum);
}

/* The E step for one row; returns its log-likelihood. */
static double expect_row(struct fitting *f, int row)
{
    const struct nas_em_tree *tree = f->tree;
    double value[NAS_EM_GATES];
    const float *x = f->features + (size_t)row * (size_t)f->nets[0]->inputs;
    const double *leaf = f->likelihood + (size_t)row * (size_t)tree->leaves;
    for (int g = tree->gates - 1; g >= 0; g--) {
        const struct nas_em_gate *gate = &tree->gate[g];
        double *joint = target_of(f, g, row);
        nas_gate_net_scores(f->nets[g], x, joint);
        log_softmax(joint, gate->children);
        for (int k = 0; k < gate->children; k++) {
            int child = gate->child[k];
            joint[k] += child < 0 ? value[-1 - child]
                                  : fmax(log(leaf[child]), LEAST_LOG);
        }
        value[g] = log_sum(joint, gate->children);
        for (int k = 0; k < gate->children; k++) {
            joint[k] = exp(joint[k] - value[g]);
        }
    }
    *weight_of(f, 0, row) = 1.0;
    for (int g = 0; g < tree->gates; g++) {
        const struct nas_em_gate *gate = &tree->gate[g];
        for (int k = 0; k < gate->children; k++) {
            if (gate->child[k] < 0) {
                *weight_of(f, -1 - gate->child[k], row) =
                    *weight_of(f, g, row) * target_of(f, g, row)[k];
            }
        }
    }
    return value[0];
}

static double expect(struct fitting *f)
{
    double sum = 0.0;
    for (int row = 0; row < f->n; row++) {
        sum += expect_row(f, row);
    }
    return f->n > 0 ? sum / f->n : 0.0;
}

/* The gate's part of the bound, negative; with its gradient where asked. */
static double part(struct fitting *f, int g, bool with_gradient)
{
    struct nas_gate_net *net = f->nets[g];
    double scores[SY_ROUTE_MAX_CHILDREN], d_scores[SY_ROUTE_MAX_CHILDREN];
    double sum = 0.0;
    if (with_gradient) {
        memset(f->gradient, 0, net->count * sizeof(double));
    }
    for (int row = 0; row < f->n; row++) {
        double weight = *weight_of(f, g, row) / f->n;
        nas_gate_net_scores(
            net, f->features + (size_t)row * (size_t)net->inputs, scores);
        sum += nas_gate_soft_loss(scores, target_of(f, g, row), weight,
                                  f->tree->gate[g].children, d_scores);
        if (with_gradient) {
            nas_gate_net_gradient(net, d_scores, f->gradient);
        }
    }
    return sum;
}

/* One step down the gradient, halved until the part does not rise. */
static void improve(struct fitting *f, int g)
{
    struct nas_gate_net *net = f->nets[g];
    double now = part(f, g, true);
    memcpy(f->before, net->value, net->count * sizeof(double));
    for (int tries = 0; tries < 30; tries++) {
        for (size_t i = 0; i < net->count; i++) {
            net->value[i] = f->before[i] - f->rate[g] * f->gradient[i];
        }
        if (part(f, g, false) <= now) {
            f->rate[g] = fmin(f->rate[g] * 2.0, 1e4);
            return;
        }
        f->rate[g] *= 0.5;
    }
    memcpy(net->value, f->before, net->count * sizeof(double));
}

static bool prepare(struct fitting *f)
{
    size_t rows = (size_t)f->tree->gates * (size_t)f->n, most = 0;
    for (int g = 0; g < f->tree->gates; g++) {
        most = f->nets[g]->count > most ? f->nets[g]->count : most;
        f->rate[g] = 1.0;
    }
    f->target =
        sy_arena_zero(&f->arena, rows * SY_ROUTE_MAX_CHILDREN, sizeof(double));
    f->weight = sy_arena_zero(&f->arena, rows, sizeof(double));
    f->gradient = sy_arena_zero(&f->arena, most, sizeof(double));
    f->before = sy_arena_zero(&f->arena, most, sizeof(double));
    return f->target && f->weight && f->gradient && f->before;
}

enum sy_status nas_em_fit(const struct nas_em_tree *tree,
                          struct nas_gate_net *const *nets,
                          const float *features, const double *likelihood,
                          int n, const struct nas_em_options *options,
                          double *trace, int *rounds, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct fitting f = {.tree = tree,
                        .nets = nets,
                        .features = features,
                        .likelihood = likelihood,
                        .n = n};
    sy_arena_init(&f.arena, 0);
    *rounds = 0;
    if (!prepare(&f)) {
        status = sy_fail(err, SY_NO_MEMORY, "gates: no memory to fit them");
        goto out;
    }
    trace[0] = expect(&f);
    while (*rounds < options->rounds) {
        for (int g = 0; g < tree->gates; g++) {
            for (int i = 0; i < options->steps; i++) {
                improve(&f, g);
            }
        }
        int round = ++*rounds;
        trace[round] = expect(&f);
        double gain = trace[round] - trace[round - 1];
        if (gain < -1e-9 * (1.0 + fabs(trace[round]))) {
            status = sy_fail(err, SY_INTERNAL,
                             "gates: the log-likelihood fell from %.12g to "
                             "%.12g in round %d of EM",
                             trace[round - 1], trace[round], round);
            goto out;
        }
        if (gain < options->least) {
            break;
        }
    }
out:
    sy_arena_release(&f.arena);
    return status;
}
