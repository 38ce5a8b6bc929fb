/*
 * fit.c - a domain's route, from what its experts said of held-out images.
 *
 * DESIGN. The arithmetic is in cascade.c and ensemble.c. Here experts become
 * stages: ordered by cost, their answers calibrated by the head, the sureness
 * measured as the route will measure it. What comes out is the JSON that a
 * person could have written, read and checked like any other.
 */
#include "search/routing/fit.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/executor/top.h"
#include "search/routing/cascade.h"
#include "search/routing/ensemble.h"

const char *const nas_route_kind_names[NAS_ROUTE_KINDS + 1] = {
    "expert", "cascade", "ensemble", "gate", NULL};

const char *const nas_exit_names[SY_SURENESSES + 2] = {"confidence", "margin",
                                                       "entropy", "reject"};

struct nas_route_config nas_route_defaults(void)
{
    return (struct nas_route_config){
        .kind = NAS_ROUTE_EXPERT,
        .exit = SY_SURE_CONFIDENCE,
        .epsilon = 0.005,
        .delta = 0.1,
        .detection = 0.995,
        .members = 3,
        .gate = nas_gate_defaults(),
        .seed = 1,
    };
}

/* The class with this label, or -1. */
static int find_class(const struct sy_domain *domain, const char *label)
{
    for (int k = 0; k < domain->classes; k++) {
        if (strcmp(domain->labels[k], label) == 0) {
            return k;
        }
    }
    return -1;
}

static bool is_named(const struct nas_route_config *config, const char *name)
{
    for (int i = 0; i < config->expert_count; i++) {
        if (strcmp(config->expert[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool nas_route_takes(const struct nas_route_config *config,
                     const struct sy_network *network, int expert)
{
    const struct sy_expert *asked = &network->expert[expert];
    bool any = false;
    for (int e = 0; e < network->expert_count; e++) {
        any |= network->expert[e].domain == asked->domain &&
               is_named(config, network->expert[e].name);
    }
    return !any || is_named(config, asked->name);
}

static int count_experts(const struct nas_route_config *config,
                         const struct sy_network *network, int domain)
{
    int count = 0;
    for (int e = 0; e < network->expert_count; e++) {
        count += network->expert[e].domain == domain &&
                 nas_route_takes(config, network, e);
    }
    return count;
}

enum sy_status nas_route_check(const struct nas_route_config *config,
                               const struct sy_network *network,
                               const char *file, struct sy_error *err)
{
    for (int d = 0; d < network->domain_count; d++) {
        const struct sy_domain *domain = &network->domain[d];
        int experts = count_experts(config, network, d);
        int most = config->kind == NAS_ROUTE_CASCADE ? NAS_CASCADE_STAGES
                                                     : SY_ROUTE_MAX_EXPERTS;
        if (config->kind == NAS_ROUTE_EXPERT || experts < 2) {
            continue;
        }
        if (experts > most) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: train.routes: expected at most %d experts of a "
                           "domain, found %d of \"%s\"",
                           file, most, experts, domain->name);
        }
        if (config->kind == NAS_ROUTE_GATE && config->gate.top > experts) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: train.routes.gate.top: expected at most %d, "
                           "the experts of \"%s\", found %d",
                           file, experts, domain->name, config->gate.top);
        }
        if (config->kind == NAS_ROUTE_GATE &&
            config->gate.layers > network->spec.layer_count) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: train.routes.gate.layers: expected at most "
                           "%d, found %d",
                           file, network->spec.layer_count,
                           config->gate.layers);
        }
        if (config->kind == NAS_ROUTE_CASCADE &&
            config->exit == NAS_EXIT_REJECT &&
            find_class(domain, config->background) < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: train.routes.background: domain \"%s\" has no "
                           "class \"%s\"",
                           file, domain->name, config->background);
        }
    }
    return SY_OK;
}

/* The experts of a domain as stages, by cost. */
struct fitting {
    const struct nas_route_config *config;
    const struct sy_network *network;
    const struct nas_held_out *held;
    int domain;
    int count;
    int expert[SY_ROUTE_MAX_EXPERTS];     /* of the network */
    float *answers[SY_ROUTE_MAX_EXPERTS]; /* calibrated, [image][class] */
    double *value[SY_ROUTE_MAX_EXPERTS];  /* by image */
    bool *right[SY_ROUTE_MAX_EXPERTS];
    double threshold[NAS_CASCADE_STAGES];
    double *room;
    struct sy_arena arena;
};

static int64_t cost_of(const struct fitting *fit, int expert)
{
    const struct sy_path *path = &fit->network->expert[expert].path;
    return sy_network_path_cost(fit->network, path, fit->domain).madds;
}

/* Multiply-adds of the first `count` stages together. */
static double cost_together(const struct fitting *fit, int count)
{
    struct sy_route_experts experts = {0};
    for (int k = 0; k < count; k++) {
        sy_route_add_expert(&experts, fit->expert[k]);
    }
    return (double)sy_route_union_madds(fit->network, &experts);
}

/* Puts number `i` of the held-out experts at its place by cost. */
static void insert_expert(struct fitting *fit, int i)
{
    int expert = fit->held->expert[i];
    int at = fit->count++;
    while (at > 0 && cost_of(fit, fit->expert[at - 1]) > cost_of(fit, expert)) {
        fit->expert[at] = fit->expert[at - 1];
        fit->answers[at] = fit->answers[at - 1];
        at--;
    }
    fit->expert[at] = expert;
    fit->answers[at] = (float *)(uintptr_t)nas_held_out_outputs(fit->held, i);
}

/* Calibrated answers of stage k in place of the raw outputs. */
static bool take_answers(struct fitting *fit, int k, double temperature)
{
    size_t n = (size_t)fit->held->n, classes = (size_t)fit->held->classes;
    const float *outputs = fit->answers[k];
    float *answers = sy_arena_zero(&fit->arena, n * classes, sizeof(float));
    fit->value[k] = sy_arena_zero(&fit->arena, n, sizeof(double));
    fit->right[k] = sy_arena_zero(&fit->arena, n, sizeof(bool));
    if (answers == NULL || fit->value[k] == NULL || fit->right[k] == NULL) {
        return false;
    }
    fit->answers[k] = answers;
    for (size_t i = 0; i < n; i++) {
        float *answer = answers + i * classes;
        int best = 0;
        sy_head_classify.answer(outputs + i * classes, (int)classes,
                                temperature, answer);
        (void)sy_top_classes(answer, (int)classes, &best, 1);
        fit->right[k][i] = best == fit->held->labels[i];
        if (fit->config->exit != NAS_EXIT_REJECT) {
            fit->value[k][i] = sy_head_classify.sureness(
                answer, (int)classes, (enum sy_sureness)fit->config->exit);
        }
    }
    return true;
}

static bool prepare(struct fitting *fit, const double *temperature)
{
    for (int i = 0; i < fit->held->expert_count; i++) {
        insert_expert(fit, i);
    }
    fit->room =
        sy_arena_zero(&fit->arena, (size_t)fit->held->n, sizeof(double));
    bool enough = fit->room != NULL;
    for (int k = 0; enough && k < fit->count; k++) {
        enough = take_answers(fit, k, temperature[fit->expert[k]]);
    }
    return enough;
}

/* The cascade's stages as arrays. */
static void make_stages(const struct fitting *fit, struct nas_stage *stages)
{
    for (int k = 0; k < fit->count; k++) {
        double before = k > 0 ? cost_together(fit, k) : 0.0;
        stages[k] = (struct nas_stage){
            .value = fit->value[k],
            .right = fit->right[k],
            .madds = cost_together(fit, k + 1) - before,
        };
    }
}

/* Drops stage k, which would never end the cascade. */
static void drop_stage(struct fitting *fit, int k)
{
    fit->count--;
    for (int j = k; j < fit->count; j++) {
        fit->expert[j] = fit->expert[j + 1];
        fit->value[j] = fit->value[j + 1];
        fit->right[j] = fit->right[j + 1];
        fit->threshold[j] =
            j + 1 < NAS_CASCADE_STAGES ? fit->threshold[j + 1] : SY_ROUTE_NEVER;
    }
}

/* Thresholds by sureness; stages without one are dropped. */
static void fit_sureness(struct fitting *fit)
{
    const struct nas_route_config *config = fit->config;
    struct nas_stage stages[NAS_CASCADE_STAGES];
    make_stages(fit, stages);
    if (config->cost > 0) {
        double last = (double)cost_of(fit, fit->expert[fit->count - 1]);
        if (!nas_cascade_madds(stages, fit->count, fit->held->n,
                               config->cost * last, fit->threshold,
                               fit->room)) {
            sy_log_warn("%s: no cascade costs at most %g of its last expert; "
                        "the cheapest is taken",
                        fit->network->domain[fit->domain].name, config->cost);
        }
    } else {
        nas_cascade_epsilon(stages, fit->count, fit->held->n, config->epsilon,
                            config->delta, fit->threshold);
    }
    for (int k = fit->count - 2; k >= 0; k--) {
        if (fit->threshold[k] > 1.0) {
            drop_stage(fit, k);
        }
    }
}

/* Thresholds of stages that may only say "background". */
static void fit_reject(struct fitting *fit)
{
    const struct nas_held_out *held = fit->held;
    const struct sy_domain *domain = &fit->network->domain[fit->domain];
    int background = find_class(domain, fit->config->background);
    for (int k = 0; k + 1 < fit->count; k++) {
        int count = 0;
        for (int i = 0; i < held->n; i++) {
            bool left = held->labels[i] != background;
            for (int j = 0; left && j < k; j++) {
                left = fit->value[j][i] >= fit->threshold[j];
            }
            fit->value[k][i] = sy_head_classify.other_than(
                fit->answers[k] + (size_t)i * (size_t)held->classes,
                held->classes, background);
            if (left) {
                fit->room[count++] = fit->value[k][i];
            }
        }
        fit->threshold[k] =
            nas_reject_threshold(fit->room, count, fit->config->detection);
    }
}

static json_t *leaf_json(const struct fitting *fit, int expert)
{
    return json_pack("{s:s,s:s}", "kind", "expert", "expert",
                     fit->network->expert[expert].name);
}

/* The cascade of the stages that are left, or the one that is. */
static json_t *cascade_json(const struct fitting *fit)
{
    if (fit->count == 1) {
        return leaf_json(fit, fit->expert[0]);
    }
    json_t *stages = json_array();
    for (int k = 0; k < fit->count; k++) {
        json_t *stage =
            json_pack("{s:o}", "route", leaf_json(fit, fit->expert[k]));
        if (k + 1 < fit->count) {
            (void)json_object_set_new(
                stage, "exit", json_string(nas_exit_names[fit->config->exit]));
            (void)json_object_set_new(stage, "threshold",
                                      json_real(fit->threshold[k]));
        }
        if (k + 1 < fit->count && fit->config->exit == NAS_EXIT_REJECT) {
            (void)json_object_set_new(stage, "background",
                                      json_string(fit->config->background));
        }
        (void)json_array_append_new(stages, stage);
    }
    return json_pack("{s:s,s:o}", "kind", "cascade", "stages", stages);
}

/* Says what the cascade does on the held-out images. */
static void log_cascade(const struct fitting *fit,
                        const struct nas_cascade_result *result, double last)
{
    const char *name = fit->network->domain[fit->domain].name;
    double n = fit->held->n > 0 ? fit->held->n : 1;
    int right = 0;
    for (int i = 0; i < fit->held->n; i++) {
        right += fit->right[fit->count - 1][i];
    }
    sy_log_info("%s: a cascade of %d experts: %.1f %% of %d held-out images "
                "end at the first, %.3f of the last one's MAdds, top-1 %.4f "
                "(the last alone %.4f)",
                name, fit->count, 100 * result->ended[0] / n, fit->held->n,
                result->madds_mean / last, result->right / n, right / n);
}

static json_t *fit_cascade(struct fitting *fit)
{
    struct nas_stage stages[NAS_CASCADE_STAGES];
    const char *name = fit->network->domain[fit->domain].name;
    int last_expert = fit->expert[fit->count - 1];
    double last = (double)cost_of(fit, last_expert);
    if (fit->config->exit == NAS_EXIT_REJECT) {
        fit_reject(fit);
        return cascade_json(fit);
    }
    fit_sureness(fit);
    make_stages(fit, stages);
    struct nas_cascade_result result =
        nas_cascade_play(stages, fit->count, fit->held->n, fit->threshold);
    if (fit->count == 1 || result.madds_mean >= last) {
        sy_log_warn("%s: no cascade is cheaper than its last expert within "
                    "what is allowed (%d held-out images): the route is "
                    "\"%s\" alone",
                    name, fit->held->n, fit->network->expert[last_expert].name);
        return leaf_json(fit, last_expert);
    }
    log_cascade(fit, &result, last);
    return cascade_json(fit);
}

static json_t *fit_ensemble(struct fitting *fit)
{
    int chosen[SY_ROUTE_MAX_EXPERTS];
    double nll[SY_ROUTE_MAX_EXPERTS];
    const float *answers[SY_ROUTE_MAX_EXPERTS];
    for (int k = 0; k < fit->count; k++) {
        answers[k] = fit->answers[k];
    }
    int count = nas_forward_select(
        answers, fit->held->labels, fit->count, fit->held->n,
        fit->held->classes, 0, fit->config->members, chosen, nll, fit->room);
    if (count < 2) {
        return leaf_json(fit,
                         fit->expert[count > 0 ? chosen[0] : fit->count - 1]);
    }
    json_t *members = json_array();
    for (int i = 0; i < count; i++) {
        (void)json_array_append_new(members,
                                    leaf_json(fit, fit->expert[chosen[i]]));
    }
    sy_log_info("%s: an ensemble of %d experts: NLL %.4f on %d held-out "
                "images (its best member alone %.4f)",
                fit->network->domain[fit->domain].name, count, nll[count - 1],
                fit->held->n, nll[0]);
    return json_pack("{s:s,s:o}", "kind", "ensemble", "members", members);
}

enum sy_status nas_route_fit(struct sy_route **route,
                             const struct nas_route_config *config,
                             const struct sy_network *network, int domain,
                             const struct nas_held_out *held,
                             const double *temperature, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct fitting fit = {
        .config = config, .network = network, .held = held, .domain = domain};
    json_t *json = NULL;
    *route = NULL;
    if (config->kind == NAS_ROUTE_EXPERT || config->kind == NAS_ROUTE_GATE ||
        held->expert_count < 2) {
        return SY_OK;
    }
    SY_ASSERT(held->expert_count <= SY_ROUTE_MAX_EXPERTS);
    sy_arena_init(&fit.arena, 0);
    if (prepare(&fit, temperature)) {
        json = config->kind == NAS_ROUTE_CASCADE ? fit_cascade(&fit)
                                                 : fit_ensemble(&fit);
    }
    if (json == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "routes: no memory");
        goto out;
    }
    status = sy_route_from_json(route, json, network, domain, "fitted routes",
                                network->domain[domain].name, err);
out:
    json_decref(json);
    sy_arena_release(&fit.arena);
    return status;
}
