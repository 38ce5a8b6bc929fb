/* ranks.c - see ranks.h. */
#include "search/compare/ranks.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "search/eval/stats.h"
#include "search/supernet/search.h"

enum { PATHS = NAS_COMPARE_RANDOM + 1 /* and the found one */ };

/* A domain's row of a result. */
static const json_t *row_of(const json_t *result, const char *domain)
{
    const json_t *rows = json_object_get(result, "domains");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(json_string_value(json_object_get(row, "name")), domain) ==
            0) {
            return row;
        }
    }
    return NULL;
}

/* The paths of one network and what they reached. */
static enum sy_status take(struct nas_search_rival *rivals,
                           const struct nas_config *config,
                           const json_t *result, const char *place,
                           struct sy_error *err)
{
    for (int d = 0; d < config->domain_count; d++) {
        const char *text = json_string_value(json_object_get(
            json_object_get(result, "paths"), config->domain[d]));
        const json_t *row = row_of(result, config->domain[d]);
        if (text == NULL || row == NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s/result.json: has no path or no score of \"%s\"",
                           place, config->domain[d]);
        }
        SY_TRY(
            sy_path_parse(&rivals[d].path, text, &config->network, place, err));
        rivals[d].top1 = json_number_value(json_object_get(row, "top1"));
    }
    return SY_OK;
}

/* Kendall's tau of every domain, and their mean. */
static enum sy_status correlate(json_t **ranks, const struct nas_config *config,
                                const struct nas_search_rival *rivals,
                                int count, struct sy_error *err)
{
    double mean = 0;
    json_t *root = json_object();
    for (int d = 0; d < config->domain_count; d++) {
        double score[PATHS], top1[PATHS];
        struct nas_interval tau;
        for (int i = 0; i < count; i++) {
            score[i] = rivals[i * config->domain_count + d].score;
            top1[i] = rivals[i * config->domain_count + d].top1;
        }
        enum sy_status status =
            nas_kendall_interval(&tau, score, top1, count, err);
        if (status != SY_OK) {
            json_decref(root);
            return status;
        }
        mean += tau.value / config->domain_count;
        (void)json_object_set_new(root, config->domain[d],
                                  json_pack("{s:f, s:f, s:f}", "tau", tau.value,
                                            "low", tau.low, "high", tau.high));
    }
    *ranks = root;
    return json_object_set_new(root, "mean", json_real(mean)) == 0
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "compare: no memory");
}

/* Reads the networks, has the search score them. */
static enum sy_status rank(const struct nas_compare_job *job,
                           const struct nas_compare_run *run,
                           struct nas_config *config, const json_t *results,
                           struct nas_search_rival *rivals,
                           struct sy_error *err)
{
    char folder[SY_PATH_BYTES], place[NAS_PLACE_BYTES];
    SY_TRY(nas_config_take(config, json_deep_copy(run->config), run->place,
                           NULL, 0, err));
    SY_TRY(take(rivals, config, json_object_get(results, run->place),
                run->place, err));
    for (int i = 0; i < job->config->compare.random_paths; i++) {
        (void)snprintf(place, sizeof place, "seed%lld/random/%d",
                       (long long)job->config->compare.seed[0], i + 1);
        SY_TRY(take(rivals + (size_t)(i + 1) * (size_t)config->domain_count,
                    config, json_object_get(results, place), place, err));
    }
    SY_TRY(sy_path_join(folder, sizeof folder, job->out, run->place, err));
    struct nas_search_job search = {.config = config,
                                    .data = job->data,
                                    .run = folder,
                                    .quiet = true,
                                    .threads = job->threads};
    return nas_search_rank(&search, rivals,
                           job->config->compare.random_paths + 1, err);
}

enum sy_status nas_compare_ranks(const struct nas_compare_job *job,
                                 const struct nas_compare_base *base,
                                 const json_t *results, json_t **ranks,
                                 struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct nas_compare_run run = {.config = NULL};
    struct nas_config *config = sy_alloc_zero(1, sizeof *config);
    int count = job->config->compare.random_paths + 1;
    size_t rooms = (size_t)count * SY_MAX_DOMAINS;
    struct nas_search_rival *rivals = sy_alloc_zero(rooms, sizeof *rivals);
    if (config == NULL || rivals == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "compare: no memory");
        goto out;
    }
    SY_TRY_OUT(nas_plan_strategy(&run, base, NAS_MPNAS, -1, err));
    SY_TRY_OUT(rank(job, &run, config, results, rivals, err));
    SY_TRY_OUT(correlate(ranks, config, rivals, count, err));
out:
    json_decref(run.config);
    if (config != NULL) {
        nas_config_release(config);
    }
    sy_free(config);
    sy_free(rivals);
    return status;
}
