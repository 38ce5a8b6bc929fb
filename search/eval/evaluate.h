/*
 * evaluate.h - a network's answers on the test part of its domains: what
 * `eval` prints, and what strategies are compared by.
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef NAS_EVAL_EVALUATE_H
#define NAS_EVAL_EVALUATE_H

#include "search/eval/score.h"

struct nas_evaluation {
    int domain;
    int64_t params; /* numbers that answers of the domain can need */
    struct nas_score score;
};

/*
 * Scores domain `domain` of the network on the test part of DIR/NAME;
 * `options` as nas_score_domain has them. The executor runs that network and
 * takes NAS_SCORE_BATCH requests. A folder with another number of classes is
 * SY_BAD_INPUT.
 */
enum sy_status nas_evaluate(struct nas_evaluation *evaluation,
                            struct sy_executor *executor, int domain,
                            const char *dir,
                            const struct nas_score_options *options,
                            struct sy_pool *pool,
                            struct sy_error *err) SY_MUST_USE;

/*
 * Trained numbers that answers of this domain can need: every unit on the path
 * of one of its experts, once, however many of them share it.
 */
int64_t nas_domain_params(const struct sy_network *network, int domain);

#endif
