/*
 * plan.c - from the configuration of a comparison to those of its runs.
 */
#include "search/compare/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

enum { SET_BYTES = 512, RANDOM_DRAWS = 20000 };

/* Sets one key, "a.b=JSON"; false: it cannot be done. */
static bool set(json_t *config, const char *format, ...) SY_PRINTF(2, 3);
static bool set(json_t *config, const char *format, ...)
{
    char text[SET_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return length > 0 && length < (int)sizeof text &&
           nas_config_set(config, text, NULL) == SY_OK;
}

/* The configuration that all runs start from. Owned; NULL: no memory. */
static json_t *common(const struct nas_compare_base *base)
{
    json_t *config = json_deep_copy(base->config->effective);
    (void)json_object_del(config, "compare");
    bool good = config != NULL &&
                set(config, "seed=%lld", (long long)base->seed) &&
                set(config, "train.balance_domains=false");
    if (base->rate > 0) {
        good = good && set(config, "train.optimiser.rate=%.17g", base->rate);
    }
    if (!good) {
        json_decref(config);
        return NULL;
    }
    return config;
}

/* One cost for all domains in place of theirs. */
static bool set_target(json_t *config, double target)
{
    (void)json_object_del(json_object_get(config, "search"), "targets");
    return set(config, "search.target=%.17g", target);
}

/* One path for all domains. */
static bool set_backbone(json_t *config, const struct nas_config *from)
{
    return json_object_set_new(config, "paths",
                               json_pack("[s]", from->compare.backbone)) == 0;
}

/* The path of each domain of the configuration, in their order. */
static bool set_paths(json_t *config, const json_t *paths)
{
    json_t *list = json_array();
    size_t index = 0;
    json_t *name = NULL;
    bool good = list != NULL;
    json_array_foreach(json_object_get(config, "domains"), index, name)
    {
        const char *key = json_string_value(name);
        json_t *path = key != NULL ? json_object_get(paths, key) : NULL;
        good = good && path != NULL && json_array_append(list, path) == 0;
    }
    return json_object_set_new(config, "paths", list) == 0 && good;
}

static bool set_only_domain(json_t *config, const char *name)
{
    return json_object_set_new(config, "domains", json_pack("[s]", name)) == 0;
}

/* Takes the configuration into the run. */
static enum sy_status take(struct nas_compare_run *run, json_t *config,
                           bool good, struct sy_error *err)
{
    if (config == NULL || !good) {
        json_decref(config);
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory for a run");
    }
    run->config = config;
    return SY_OK;
}

/* Names the run; places are short by the bounds of names and numbers. */
static void place(struct nas_compare_run *run, const char *format, ...)
    SY_PRINTF(2, 3);
static void place(struct nas_compare_run *run, const char *format, ...)
{
    va_list args;
    memset(run, 0, sizeof *run);
    va_start(args, format);
    (void)vsnprintf(run->place, sizeof run->place, format, args);
    va_end(args);
}

enum sy_status nas_plan_strategy(struct nas_compare_run *run,
                                 const struct nas_compare_base *base,
                                 enum nas_strategy strategy, int domain,
                                 struct sy_error *err)
{
    const struct nas_compare_config *compare = &base->config->compare;
    const char *name = nas_strategy_names[strategy];
    json_t *config = common(base);
    bool good = config != NULL;
    place(run, "seed%lld/%s", (long long)base->seed, name);
    switch (strategy) {
    case NAS_INDEPENDENT:
        place(run, "seed%lld/%s/%s", (long long)base->seed, name,
              base->config->domain[domain]);
        run->search = true;
        good = good && set_only_domain(config, base->config->domain[domain]) &&
               set_target(config, compare->target);
        break;
    case NAS_SINGLE_PATH_MULTI_HEAD:
        (void)snprintf(run->start, sizeof run->start, "seed%lld/pretrain",
                       (long long)base->seed);
        good = good && set_backbone(config, base->config) &&
               set(config, "network.norm=shared");
        break;
    case NAS_SINGLE_PATH_JOINT:
        good = good && set_backbone(config, base->config);
        break;
    case NAS_MULTI_HEAD_NAS:
    case NAS_MPNAS:
        run->search = true;
        good = good && set_target(config, compare->share * compare->target) &&
               set(config, "search.common_path=%s",
                   strategy == NAS_MPNAS ? "false" : "true");
        break;
    case NAS_STRATEGIES:
        SY_ASSERT(false);
    }
    return take(run, config, good, err);
}

enum sy_status nas_plan_pretrain(struct nas_compare_run *run,
                                 const struct nas_compare_base *base,
                                 struct sy_error *err)
{
    json_t *config = common(base);
    place(run, "seed%lld/pretrain", (long long)base->seed);
    return take(run, config,
                config != NULL && set_backbone(config, base->config) &&
                    set_only_domain(config, base->config->compare.pretrain) &&
                    set(config, "network.norm=shared"),
                err);
}

enum sy_status nas_plan_rate(struct nas_compare_run *run,
                             const struct nas_compare_base *base,
                             struct sy_error *err)
{
    const struct nas_compare_config *compare = &base->config->compare;
    json_t *config = common(base);
    json_t *domains = json_array();
    for (int d = 0; d < compare->rate_domain_count; d++) {
        (void)json_array_append_new(domains,
                                    json_string(compare->rate_domain[d]));
    }
    place(run, "rate/%g", base->rate);
    run->held_out = true;
    bool good = config != NULL &&
                json_object_set_new(config, "domains", domains) == 0 &&
                set_backbone(config, base->config) &&
                set(config, "train.use_holdout=false");
    if (good) {
        (void)json_object_del(json_object_get(config, "train"), "epochs");
        good = set(config, "train_passes=%.17g", compare->rate_passes);
    }
    return take(run, config, good, err);
}

enum sy_status nas_plan_loss(struct nas_compare_run *run,
                             const struct nas_compare_base *base,
                             enum nas_weighting loss, const json_t *paths,
                             struct sy_error *err)
{
    json_t *config = common(base);
    place(run, "seed%lld/loss/%s", (long long)base->seed,
          nas_weighting_names[loss]);
    return take(run, config,
                config != NULL && set_paths(config, paths) &&
                    set(config, "train.weights={\"kind\":\"%s\"}",
                        nas_weighting_names[loss]),
                err);
}

/* Multiply-adds of each block where it stands, stem and heads left out. */
struct block_costs {
    int64_t madds[SY_MAX_LAYERS][SY_MAX_BLOCKS];
};

static int64_t cost_of(const struct block_costs *costs,
                       const struct sy_path *path)
{
    int64_t sum = 0;
    for (int l = 0; l < path->layer_count; l++) {
        sum += costs->madds[l][path->block[l]];
    }
    return sum;
}

/* The block costs of the configuration's network. */
static enum sy_status take_costs(struct block_costs *costs,
                                 const struct nas_config *config,
                                 struct sy_error *err)
{
    struct sy_domain domain = {.name = "any", .classes = 2};
    struct sy_network_parts parts = {.name = config->name,
                                     .spec = &config->network,
                                     .domain_count = 1,
                                     .domain = &domain};
    struct sy_network *network = NULL;
    SY_TRY(sy_network_new(&network, &parts, err));
    for (int l = 0; l < config->network.layer_count; l++) {
        for (int b = 0; b < config->network.layer[l].block_count; b++) {
            int unit = sy_network_block(network, l, b);
            costs->madds[l][b] = network->unit[unit].cost.madds;
        }
    }
    sy_network_free(network);
    return SY_OK;
}

/* A random path of about the cost of `like`. */
static struct sy_path draw_like(const struct nas_config *config,
                                const struct block_costs *costs,
                                const struct sy_path *like, struct sy_rng *rng)
{
    struct sy_path best = *like;
    int64_t wanted = cost_of(costs, like);
    double nearest = INFINITY;
    for (int i = 0; i < RANDOM_DRAWS && nearest > 0.03; i++) {
        struct sy_path path = {.layer_count = like->layer_count};
        for (int l = 0; l < path.layer_count; l++) {
            path.block[l] = (int)sy_rng_below(
                rng, (uint32_t)config->network.layer[l].block_count);
        }
        double off = fabs((double)(cost_of(costs, &path) - wanted)) /
                     (double)(wanted > 0 ? wanted : 1);
        if (off < nearest) {
            nearest = off;
            best = path;
        }
    }
    return best;
}

/* Random paths for all domains, as an object. Owned. */
static enum sy_status draw_paths(const struct nas_compare_base *base, int index,
                                 const json_t *paths, json_t **drawn,
                                 struct sy_error *err)
{
    const struct nas_config *config = base->config;
    enum sy_status status = SY_OK;
    char text[SY_PATH_TEXT_BYTES];
    struct block_costs *costs = sy_alloc_zero(1, sizeof *costs);
    *drawn = json_object();
    if (costs == NULL || *drawn == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "compare: no memory");
        goto out;
    }
    SY_TRY_OUT(take_costs(costs, config, err));
    for (int d = 0; d < config->domain_count; d++) {
        const char *name = config->domain[d];
        const char *found = json_string_value(json_object_get(paths, name));
        struct sy_rng rng = sy_rng_stream((uint64_t)base->seed, SY_RNG_PATH,
                                          (uint64_t)index, (uint32_t)d);
        struct sy_path like;
        SY_TRY_OUT(sy_path_parse(&like, found != NULL ? found : "",
                                 &config->network, name, err));
        struct sy_path path = draw_like(config, costs, &like, &rng);
        (void)json_object_set_new(*drawn, name,
                                  json_string(sy_path_text(&path, text)));
    }
out:
    sy_free(costs);
    return status;
}

enum sy_status nas_plan_random(struct nas_compare_run *run,
                               const struct nas_compare_base *base, int index,
                               const json_t *paths, struct sy_error *err)
{
    json_t *drawn = NULL;
    enum sy_status status = draw_paths(base, index, paths, &drawn, err);
    if (status == SY_OK) {
        json_t *config = common(base);
        place(run, "seed%lld/random/%d", (long long)base->seed, index + 1);
        status =
            take(run, config, config != NULL && set_paths(config, drawn), err);
    }
    json_decref(drawn);
    return status;
}
