/*
 * config_search.c - the "search" section of a configuration.
 */
#include "search/config_search.h"

#include <string.h>

void nas_config_by_domain(const struct nas_config *config, struct sy_json *in,
                          const char *key, double low, double high, double *out)
{
    const char *name = NULL;
    json_t *value = NULL;
    if (!sy_json_has(in, key)) {
        return;
    }
    json_t *object = json_object_get(in->object, key);
    if (!json_is_object(object)) {
        sy_json_reject(in, key, "expected an object of numbers by domain");
        return;
    }
    json_object_foreach(object, name, value)
    {
        double number = json_number_value(value);
        if (!json_is_number(value) || !(number >= low && number <= high)) {
            sy_json_reject(in, key, "\"%s\": expected a number from %g to %g",
                           name, low, high);
            return;
        }
        for (int d = 0; d < config->domain_count; d++) {
            if (strcmp(config->domain[d], name) == 0) {
                out[d] = number;
            }
        }
    }
}

/* "search.controller". */
static void read_controller(struct nas_controller_config *controller,
                            struct sy_json *search)
{
    int kind = (int)controller->kind;
    if (!sy_json_has(search, "controller")) {
        return;
    }
    struct sy_json in = sy_json_child(search, "controller");
    sy_json_opt_choice(&in, "kind", nas_controller_names, &kind);
    controller->kind = (enum nas_controller_kind)kind;
    sy_json_opt_real(&in, "travel", 0, 1e6, &controller->travel);
    sy_json_opt_real(&in, "growth", 1e-3, 1e6, &controller->growth);
    sy_json_opt_real(&in, "delay", 0, 0.99, &controller->delay);
    sy_json_opt_real(&in, "baseline", 0, 0.9999, &controller->baseline);
    sy_json_opt_bool(&in, "batch_baseline", &controller->batch_baseline);
    sy_json_opt_real(&in, "entropy", 0, 1, &controller->entropy);
    if (sy_json_end(&in) != SY_OK) {
        search->status = in.status;
    }
}

/* "search.reward". */
static void read_reward(struct nas_search_config *config,
                        struct sy_json *search)
{
    struct nas_reward_config *reward = &config->reward;
    int kind = (int)reward->kind;
    int cost = (int)reward->cost;
    if (!sy_json_has(search, "reward")) {
        return;
    }
    struct sy_json in = sy_json_child(search, "reward");
    sy_json_opt_choice(&in, "kind", nas_reward_names, &kind);
    sy_json_opt_choice(&in, "cost", nas_cost_names, &cost);
    reward->kind = (enum nas_reward_kind)kind;
    reward->cost = (enum nas_cost_kind)cost;
    sy_json_opt_text(&in, "latency_table", config->latency_table,
                     sizeof config->latency_table);
    if (reward->cost == NAS_COST_LATENCY && config->latency_table[0] == '\0') {
        sy_json_reject(&in, "latency_table",
                       "is missing: a file of `latency build` for this "
                       "network");
    }
    sy_json_opt_real(&in, "exponent", -10, 0, &reward->exponent);
    sy_json_opt_real(&in, "sharing", 0, 10, &reward->sharing);
    sy_json_opt_real(&in, "joint", 0, 10, &reward->joint);
    if (sy_json_end(&in) != SY_OK) {
        search->status = in.status;
    }
}

static void set_defaults(struct nas_config *config)
{
    struct nas_search_config *search = &config->search;
    search->reward = nas_reward_defaults();
    search->controller = nas_controller_defaults();
    search->op_warmup = 0.25;
    search->op_warmup_from = 1;
    search->width_warmup = 0;
    search->reward_batch = config->train.batch;
    search->reward_paths = 4;
    search->final_paths = 16;
    search->optimiser = config->train.optimiser;
}

/* "search.target": one for all domains, or an object by domain. */
static void read_target(struct nas_config *config, struct sy_json *in)
{
    double all = 0;
    double *target = config->search.target;
    if (sy_json_has(in, "target")) {
        sy_json_real(in, "target", 1e-3, 1e15, &all);
    }
    for (int d = 0; d < config->domain_count; d++) {
        target[d] = all;
    }
    nas_config_by_domain(config, in, "targets", 1e-3, 1e15, target);
    for (int d = 0; d < config->domain_count; d++) {
        if (target[d] <= 0) {
            sy_json_reject(in, "target",
                           "is missing: the cost that the paths of \"%s\" "
                           "should have",
                           config->domain[d]);
        }
    }
}

enum sy_status nas_config_read_search(struct nas_config *config,
                                      struct sy_json *root)
{
    struct nas_search_config *search = &config->search;
    set_defaults(config);
    search->given = sy_json_has(root, "search");
    if (!search->given) {
        return SY_OK;
    }
    struct sy_json in = sy_json_child(root, "search");
    read_target(config, &in);
    read_reward(search, &in);
    read_controller(&search->controller, &in);
    sy_json_opt_real(&in, "op_warmup", 0, 0.99, &search->op_warmup);
    sy_json_opt_real(&in, "op_warmup_from", 0, 1, &search->op_warmup_from);
    sy_json_opt_real(&in, "width_warmup", 0, 0.99, &search->width_warmup);
    sy_json_opt_int(&in, "reward_batch", 2, 65536, &search->reward_batch);
    sy_json_opt_int(&in, "reward_paths", 1, 64, &search->reward_paths);
    sy_json_opt_int(&in, "final_paths", 1, 1024, &search->final_paths);
    sy_json_opt_bool(&in, "common_path", &search->common_path);
    nas_config_optimiser(&search->optimiser, &in);
    if (search->op_warmup > search->controller.delay ||
        search->width_warmup > search->controller.delay) {
        sy_json_reject(&in, "controller",
                       "delay %g: expected at least op_warmup %g and "
                       "width_warmup %g; before, there is nothing to learn "
                       "from",
                       search->controller.delay, search->op_warmup,
                       search->width_warmup);
    }
    return sy_json_end(&in);
}
