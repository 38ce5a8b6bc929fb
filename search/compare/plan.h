/*
 * plan.h - the configurations of a comparison's runs: each is the one of the
 * whole comparison without its section "compare" and with a few keys set.
 * Private to this folder.
 *
 * Thread: init.
 */
#ifndef NAS_COMPARE_PLAN_H
#define NAS_COMPARE_PLAN_H

#include "search/compare/run.h"

/* What all runs of one seed have in common. */
struct nas_compare_base {
    const struct nas_config *config;
    int64_t seed;
    double rate; /* learning rate; 0: the configuration's */
};

/*
 * Each makes a run, whose config is owned by the caller (json_decref). A
 * configuration that cannot be made is SY_NO_MEMORY.
 */

/* A strategy, of `independent` the part of one domain (else -1). */
enum sy_status nas_plan_strategy(struct nas_compare_run *run,
                                 const struct nas_compare_base *base,
                                 enum nas_strategy strategy, int domain,
                                 struct sy_error *err) SY_MUST_USE;

/* The backbone on one domain, whose numbers single_path_multi_head takes. */
enum sy_status nas_plan_pretrain(struct nas_compare_run *run,
                                 const struct nas_compare_base *base,
                                 struct sy_error *err) SY_MUST_USE;

/* The backbone on some domains at base->rate, tested on held-out images. */
enum sy_status nas_plan_rate(struct nas_compare_run *run,
                             const struct nas_compare_base *base,
                             struct sy_error *err) SY_MUST_USE;

/* Given paths under a weighting; `paths` maps domains to texts. */
enum sy_status nas_plan_loss(struct nas_compare_run *run,
                             const struct nas_compare_base *base,
                             enum nas_weighting loss, const json_t *paths,
                             struct sy_error *err) SY_MUST_USE;

/*
 * Random paths, number `index`, of about the multiply-adds of `paths`: of
 * many draws the first within 3 % of a domain's own, else the nearest.
 */
enum sy_status nas_plan_random(struct nas_compare_run *run,
                               const struct nas_compare_base *base, int index,
                               const json_t *paths,
                               struct sy_error *err) SY_MUST_USE;

#endif
