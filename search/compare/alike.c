/* alike.c - see alike.h. */
#include "search/compare/alike.h"

#include <stdio.h>
#include <string.h>

#include "search/compare/run.h"

/* Every domain's path of one seed. */
static bool take_paths(struct sy_path *paths, const struct nas_config *config,
                       const json_t *results, int64_t seed)
{
    char place[NAS_PLACE_BYTES];
    (void)snprintf(place, sizeof place, "seed%lld/%s", (long long)seed,
                   nas_strategy_names[NAS_MPNAS]);
    const json_t *found =
        json_object_get(json_object_get(results, place), "paths");
    for (int d = 0; d < config->domain_count; d++) {
        const char *text =
            json_string_value(json_object_get(found, config->domain[d]));
        if (text == NULL || sy_path_parse(&paths[d], text, &config->network,
                                          place, NULL) != SY_OK) {
            return false;
        }
    }
    return true;
}

json_t *nas_compare_alike(const struct nas_config *config,
                          const json_t *results)
{
    double sum[SY_MAX_DOMAINS][SY_MAX_DOMAINS];
    struct sy_path paths[SY_MAX_DOMAINS];
    const struct nas_compare_config *compare = &config->compare;
    json_t *names = json_array(), *matrix = json_array();
    memset(sum, 0, sizeof sum);
    for (int s = 0; s < compare->seed_count; s++) {
        if (!take_paths(paths, config, results, compare->seed[s])) {
            json_decref(names);
            json_decref(matrix);
            return NULL;
        }
        for (int a = 0; a < config->domain_count; a++) {
            for (int b = 0; b < config->domain_count; b++) {
                sum[a][b] +=
                    sy_path_jaccard(&paths[a], &paths[b], &config->network) /
                    compare->seed_count;
            }
        }
    }
    for (int a = 0; a < config->domain_count; a++) {
        json_t *row = json_array();
        for (int b = 0; b < config->domain_count; b++) {
            (void)json_array_append_new(row, json_real(sum[a][b]));
        }
        (void)json_array_append_new(names, json_string(config->domain[a]));
        (void)json_array_append_new(matrix, row);
    }
    return json_pack("{s:o, s:o}", "names", names, "matrix", matrix);
}
