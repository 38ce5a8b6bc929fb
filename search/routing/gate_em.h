/*
 * gate_em.h - the gates of a tree of experts by expectation and maximisation.
 *
 * The tree answers y to x with P(y | x) = sum over the leaves of the product
 * of the gates on the way, times what the leaf's expert gives y. The experts
 * are given; their likelihoods are an array. A round computes the
 * responsibilities (E) and then improves each gate on them as soft targets,
 * weighed by the responsibility of the node (M). A step of a gate is taken
 * only where its part of the bound does not fall, so that the log-likelihood
 * never falls (a generalised EM): that is checked in every round.
 *
 * Source: M. Jordan, R. Jacobs, "Hierarchical Mixtures of Experts and the EM
 * Algorithm", Neural Computation 6, 1994.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_GATE_EM_H
#define NAS_ROUTING_GATE_EM_H

#include "search/routing/gate_net.h"

enum { NAS_EM_GATES = 8, NAS_EM_LEAVES = 16 };

struct nas_em_gate {
    int children;
    /* A leaf's number; or, from -1 down, that of a gate: -1 - its index, which
       is higher than this one's. */
    int child[SY_ROUTE_MAX_CHILDREN];
};

/* Gate 0 is the root, and each other one is the child of one before it. */
struct nas_em_tree {
    int gates, leaves;
    struct nas_em_gate gate[NAS_EM_GATES];
};

struct nas_em_options {
    int rounds;   /* at most; ends earlier where a round gains less than */
    double least; /* this, per row */
    int steps;    /* of each gate in a round */
};

struct nas_em_options nas_em_defaults(void);

/*
 * Fits nets[g] (with gate g's children as outputs) on n rows of features;
 * likelihood[row * leaves + leaf]. trace[r], of `rounds` + 1 numbers, is the
 * mean log-likelihood before round r; *rounds how many there were. SY_INTERNAL
 * where it fell, which is a mistake in the arithmetic.
 */
enum sy_status nas_em_fit(const struct nas_em_tree *tree,
                          struct nas_gate_net *const *nets,
                          const float *features, const double *likelihood,
                          int n, const struct nas_em_options *options,
                          double *trace, int *rounds,
                          struct sy_error *err) SY_MUST_USE;

#endif
