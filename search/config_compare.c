/*
 * config_compare.c - the "compare" section of a configuration.
 */
#include <string.h>

#include "domains/domain.h"
#include "search/config_search.h"

const char *const nas_strategy_names[NAS_STRATEGIES + 1] = {
    "independent",
    "single_path_multi_head",
    "single_path_joint",
    "multi_head_nas",
    "mpnas",
    NULL};

static void set_defaults(struct nas_config *config)
{
    struct nas_compare_config *compare = &config->compare;
    compare->share = 0.68;
    for (int s = 0; s < NAS_STRATEGIES; s++) {
        compare->runs[s] = true;
    }
    compare->seed_count = 1;
    compare->seed[0] = (int64_t)config->seed;
    compare->rate_passes = config->train.epochs / 4;
    compare->rate_domain_count = config->domain_count;
    memcpy(compare->rate_domain, config->domain, sizeof compare->rate_domain);
}

/* "compare.seeds": distinct whole numbers. */
static void read_seeds(struct nas_compare_config *compare, struct sy_json *in)
{
    if (!sy_json_has(in, "seeds")) {
        return;
    }
    json_t *list = sy_json_array(in, "seeds", 1, NAS_COMPARE_SEEDS);
    compare->seed_count = (int)json_array_size(list);
    for (int i = 0; i < compare->seed_count; i++) {
        json_t *value = json_array_get(list, (size_t)i);
        compare->seed[i] = json_integer_value(value);
        if (!json_is_integer(value) || compare->seed[i] < 0) {
            sy_json_reject(in, "seeds", "entry %d is not a whole number from 0",
                           i);
        }
        for (int k = 0; k < i; k++) {
            if (compare->seed[k] == compare->seed[i]) {
                sy_json_reject(in, "seeds", "%lld is named twice",
                               (long long)compare->seed[i]);
            }
        }
    }
}

/* "compare.rates": ascending, so that of equal rates the lower one wins. */
static void read_rates(struct nas_compare_config *compare, struct sy_json *in)
{
    if (!sy_json_has(in, "rates")) {
        return;
    }
    json_t *list = sy_json_array(in, "rates", 1, NAS_COMPARE_RATES);
    compare->rate_count = (int)json_array_size(list);
    for (int i = 0; i < compare->rate_count; i++) {
        json_t *value = json_array_get(list, (size_t)i);
        double rate = json_number_value(value);
        compare->rate[i] = rate;
        if (!json_is_number(value) || !(rate > 0 && rate <= 100) ||
            (i > 0 && rate <= compare->rate[i - 1])) {
            sy_json_reject(in, "rates",
                           "expected rising numbers above 0, up to 100");
        }
    }
}

/* "compare.losses": kinds of train.weights. */
static void read_losses(struct nas_compare_config *compare, struct sy_json *in)
{
    if (!sy_json_has(in, "losses")) {
        return;
    }
    json_t *list = sy_json_array(in, "losses", 0, NAS_WEIGHTINGS);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int kind = 0;
        while (kind < NAS_WEIGHTINGS &&
               (name == NULL || strcmp(name, nas_weighting_names[kind]) != 0)) {
            kind++;
        }
        for (int k = 0; k < compare->loss_count; k++) {
            if ((int)compare->loss[k] == kind) {
                sy_json_reject(in, "losses", "\"%s\" is named twice", name);
            }
        }
        if (kind == NAS_WEIGHTINGS) {
            sy_json_reject(in, "losses",
                           "entry %zu is no kind of train.weights", i);
            return;
        }
        compare->loss[compare->loss_count++] = (enum nas_weighting)kind;
    }
}

/* "compare.strategies": the ones to run. */
static void read_strategies(struct nas_compare_config *compare,
                            struct sy_json *in)
{
    if (!sy_json_has(in, "strategies")) {
        return;
    }
    json_t *list = sy_json_array(in, "strategies", 1, NAS_STRATEGIES);
    memset(compare->runs, 0, sizeof compare->runs);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int kind = 0;
        while (kind < NAS_STRATEGIES &&
               (name == NULL || strcmp(name, nas_strategy_names[kind]) != 0)) {
            kind++;
        }
        if (kind == NAS_STRATEGIES) {
            sy_json_reject(in, "strategies", "entry %zu is no strategy", i);
            return;
        }
        compare->runs[kind] = true;
    }
}

static void read_backbone(struct nas_config *config, struct sy_json *in)
{
    struct nas_compare_config *compare = &config->compare;
    struct sy_path path;
    struct sy_error why;
    sy_json_text(in, "backbone", compare->backbone, sizeof compare->backbone);
    if (in->status == SY_OK &&
        sy_path_parse(&path, compare->backbone, &config->network, "the path",
                      &why) != SY_OK) {
        sy_json_reject(in, "backbone", "%s", why.message);
    }
    sy_json_text(in, "pretrain", compare->pretrain, sizeof compare->pretrain);
    if (in->status == SY_OK && !dom_name_is_valid(compare->pretrain)) {
        sy_json_reject(in, "pretrain", "\"%s\" is no domain name",
                       compare->pretrain);
    }
}

enum sy_status nas_config_read_compare(struct nas_config *config,
                                       struct sy_json *root)
{
    struct nas_compare_config *compare = &config->compare;
    set_defaults(config);
    compare->given = sy_json_has(root, "compare");
    if (!compare->given) {
        return SY_OK;
    }
    struct sy_json in = sy_json_child(root, "compare");
    sy_json_real(&in, "target", 1e-3, 1e15, &compare->target);
    sy_json_opt_real(&in, "share", 0.01, 1, &compare->share);
    read_backbone(config, &in);
    read_strategies(compare, &in);
    read_seeds(compare, &in);
    read_rates(compare, &in);
    if (sy_json_has(&in, "rate_domains")) {
        compare->rate_domain_count =
            nas_config_names(&in, "rate_domains", 1, compare->rate_domain[0],
                             sizeof compare->rate_domain[0]);
    }
    sy_json_opt_real(&in, "rate_passes", 0.001, 100000, &compare->rate_passes);
    read_losses(compare, &in);
    sy_json_opt_int(&in, "random_paths", 0, NAS_COMPARE_RANDOM,
                    &compare->random_paths);
    if (sy_json_has(&in, "without")) {
        compare->without_count = nas_config_names(
            &in, "without", 0, compare->without[0], sizeof compare->without[0]);
    }
    if (!compare->runs[NAS_MPNAS] &&
        (compare->loss_count > 0 || compare->random_paths > 0)) {
        sy_json_reject(&in, "strategies",
                       "losses and random_paths need the paths of \"mpnas\"");
    }
    if (!config->search.given) {
        sy_json_reject(&in, "target", "needs a section \"search\"");
    }
    return sy_json_end(&in);
}
