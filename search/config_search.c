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
    search->ensemble = nas_evolution_defaults();
    search->optimiser = config->train.optimiser;
}

/* The targets under a value: a number, or a list of rising ones. */
static bool take_targets(json_t *value, double *levels, int *count)
{
    size_t size = json_is_array(value) ? json_array_size(value) : 1;
    double before = 1e-3;
    if (size < 1 || size > NAS_MAX_TARGETS) {
        return false;
    }
    for (size_t k = 0; k < size; k++) {
        json_t *one = json_is_array(value) ? json_array_get(value, k) : value;
        double target = json_number_value(one);
        if (!json_is_number(one) || !(target <= 1e15) ||
            !(k == 0 ? target >= before : target > before)) {
            return false;
        }
        levels[k] = before = target;
    }
    *count = (int)size;
    return true;
}

static const char targets_expected[] =
    "expected a number from 0.001 to 1e+15, or a list of up to 4 rising ones";

static void set_targets(struct nas_search_config *search, int domain,
                        const double *levels, int count)
{
    for (int k = 0; k < count; k++) {
        search->level[k][domain] = levels[k];
    }
    search->levels[domain] = count;
    search->target[domain] = levels[count - 1];
}

/* "search.targets": by domain; names of other domains are ignored. */
static void read_targets(struct nas_config *config, struct sy_json *in)
{
    double levels[NAS_MAX_TARGETS];
    const char *name;
    json_t *value;
    int count;
    if (!sy_json_has(in, "targets")) {
        return;
    }
    struct sy_json targets = sy_json_child(in, "targets");
    json_object_foreach(targets.object, name, value)
    {
        if (targets.status != SY_OK) {
            break;
        }
        if (!take_targets(value, levels, &count)) {
            sy_json_reject(in, "targets", "\"%s\": %s", name, targets_expected);
            return;
        }
        for (int d = 0; d < config->domain_count; d++) {
            if (strcmp(config->domain[d], name) == 0) {
                set_targets(&config->search, d, levels, count);
            }
        }
    }
    if (targets.status != SY_OK) {
        in->status = targets.status;
    }
}

/* "search.target": for all domains; then "search.targets": by domain. */
static void read_target(struct nas_config *config, struct sy_json *in)
{
    struct nas_search_config *search = &config->search;
    double all[NAS_MAX_TARGETS];
    int count = 0;
    bool given = sy_json_has(in, "target");
    if (given &&
        !take_targets(json_object_get(in->object, "target"), all, &count)) {
        sy_json_reject(in, "target", "%s", targets_expected);
        return;
    }
    for (int d = 0; d < config->domain_count; d++) {
        search->levels[d] = 1;
        if (given) {
            set_targets(search, d, all, count);
        }
    }
    read_targets(config, in);
    for (int d = 0; d < config->domain_count; d++) {
        if (search->target[d] <= 0) {
            sy_json_reject(in, "target",
                           "is missing: the cost that the paths of \"%s\" "
                           "should have",
                           config->domain[d]);
        }
        if (search->levels[d] > 1 && search->common_path) {
            sy_json_reject(in, "common_path",
                           "one path for all domains has one target, found %d "
                           "of \"%s\"",
                           search->levels[d], config->domain[d]);
        }
    }
}

/* "search.ensemble". */
static void read_ensemble(struct nas_search_config *search, struct sy_json *in)
{
    struct nas_evolution_options *ensemble = &search->ensemble;
    if (!sy_json_has(in, "ensemble")) {
        return;
    }
    struct sy_json at = sy_json_child(in, "ensemble");
    ensemble->members = 3;
    sy_json_opt_int(&at, "members", 2, NAS_EVOLUTION_MEMBERS,
                    &ensemble->members);
    sy_json_opt_int(&at, "paths", 2, 10000, &ensemble->paths);
    sy_json_opt_int(&at, "population", 1, 10000, &ensemble->population);
    if (search->common_path) {
        sy_json_reject(in, "ensemble",
                       "has paths of each domain's own, and common_path one "
                       "for all");
    }
    if (sy_json_end(&at) != SY_OK) {
        in->status = at.status;
    }
}

/* What a search may leave has to fit into one network. */
static void check_experts(const struct nas_config *config, struct sy_json *in)
{
    const struct nas_search_config *search = &config->search;
    int members = search->ensemble.members;
    int experts = 0;
    for (int d = 0; d < config->domain_count; d++) {
        experts += search->levels[d] + (members > 0 ? members - 1 : 0);
    }
    if (experts > SY_MAX_EXPERTS) {
        sy_json_reject(in, members > 0 ? "ensemble" : "target",
                       "%d domains with their targets and members of ensembles "
                       "are up to %d experts, and a network has at most %d; "
                       "take fewer of them",
                       config->domain_count, experts, SY_MAX_EXPERTS);
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
    sy_json_opt_bool(&in, "common_path", &search->common_path);
    read_target(config, &in);
    sy_json_opt_int(&in, "shared_prefix", 0, SY_MAX_LAYERS,
                    &search->shared_prefix);
    read_reward(search, &in);
    read_controller(&search->controller, &in);
    sy_json_opt_real(&in, "op_warmup", 0, 0.99, &search->op_warmup);
    sy_json_opt_real(&in, "op_warmup_from", 0, 1, &search->op_warmup_from);
    sy_json_opt_real(&in, "width_warmup", 0, 0.99, &search->width_warmup);
    sy_json_opt_int(&in, "reward_batch", 2, 65536, &search->reward_batch);
    sy_json_opt_int(&in, "reward_paths", 1, 64, &search->reward_paths);
    sy_json_opt_int(&in, "final_paths", 1, 1024, &search->final_paths);
    read_ensemble(search, &in);
    check_experts(config, &in);
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
