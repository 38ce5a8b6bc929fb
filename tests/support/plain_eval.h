/*
 * plain_eval.h - the oracle of inference: one path on one image, operator by
 * operator as the plans were written, with the reference's forward functions
 * and the norms' running statistics. Nothing fused, packed, shared or placed.
 */
#ifndef SY_TESTS_PLAIN_EVAL_H
#define SY_TESTS_PLAIN_EVAL_H

#include "runtime/network/network.h"

/* Writes the raw outputs, as many floats as the domain has classes. */
void sy_plain_eval(const struct sy_network *network, const struct sy_path *path,
                   int domain, const float *image, float *outputs);

/* The same for a gate: its scores. */
void sy_plain_gate(const struct sy_network *network, int gate,
                   const float *image, float *scores);

#endif
