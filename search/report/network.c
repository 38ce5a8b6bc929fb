/*
 * network.c - the graph of a report: layers, blocks, paths, similarity.
 */
#include "search/report/parts.h"

#include <string.h>

static bool append(json_t *array, json_t *value)
{
    return array != NULL && json_array_append_new(array, value) == 0;
}

/* The array, or NULL with the array given back when something failed. */
static json_t *finish(json_t *array, bool ok)
{
    if (!ok) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *block_json(const struct sy_candidate *candidate,
                          const struct sy_block_place *place)
{
    struct sy_plan plan;
    struct sy_cost cost = {0};
    char text[64];
    bool passes = candidate->spec.kind == SY_BLOCK_ZERO && place->stride == 1 &&
                  place->in.c == place->channels;
    if (sy_block_plan(&candidate->spec, place, &plan, NULL) == SY_OK) {
        cost = sy_plan_cost(&plan);
    }
    return json_pack("{s:s,s:s,s:s,s:b,s:I,s:I}", "id", candidate->id, "kind",
                     sy_block_names[candidate->spec.kind], "text",
                     sy_block_text(&candidate->spec, text, sizeof text),
                     "passes", (int)passes, "madds", (json_int_t)cost.madds,
                     "params", (json_int_t)cost.params);
}

static json_t *layer_json(const struct sy_network_spec *spec, int l)
{
    const struct sy_layer_spec *layer = &spec->layer[l];
    const struct sy_block_place place = sy_spec_place(spec, l);
    json_t *blocks = json_array();
    bool ok = blocks != NULL;
    for (int b = 0; b < layer->block_count; b++) {
        ok = append(blocks, block_json(&layer->block[b], &place)) && ok;
    }
    return json_pack("{s:i,s:i,s:o}", "channels", layer->channels, "stride",
                     layer->stride, "blocks", finish(blocks, ok));
}

json_t *nas_report_network(const struct sy_network_spec *spec)
{
    json_t *layers = json_array();
    bool ok = layers != NULL;
    for (int l = 0; l < spec->layer_count; l++) {
        ok = append(layers, layer_json(spec, l)) && ok;
    }
    return json_pack("{s:[i,i,i],s:o}", "input", spec->input.h, spec->input.w,
                     spec->input.c, "layers", finish(layers, ok));
}

json_t *nas_report_paths(const struct sy_paths *paths)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int i = 0; i < paths->count; i++) {
        const struct sy_paths_entry *entry = &paths->entry[i];
        json_t *blocks = json_array();
        bool whole = blocks != NULL;
        for (int l = 0; l < entry->path.layer_count; l++) {
            whole = append(blocks, json_integer(entry->path.block[l])) && whole;
        }
        ok = append(list, json_pack("{s:s,s:s,s:o,s:I,s:I}", "domain",
                                    entry->domain, "expert", entry->expert,
                                    "path", finish(blocks, whole), "madds",
                                    (json_int_t)entry->madds, "params",
                                    (json_int_t)entry->params)) &&
             ok;
    }
    return finish(list, ok);
}

/* A domain's only expert goes by the domain's name. */
static json_t *name_json(const struct sy_paths *paths, int i)
{
    const struct sy_paths_entry *entry = &paths->entry[i];
    int experts = 0;
    for (int j = 0; j < paths->count; j++) {
        experts += strcmp(paths->entry[j].domain, entry->domain) == 0;
    }
    return experts == 1 ? json_string(entry->domain)
                        : json_sprintf("%s.%s", entry->domain, entry->expert);
}

json_t *nas_report_jaccard(const struct sy_paths *paths,
                           const struct sy_network_spec *spec)
{
    json_t *names = json_array();
    json_t *matrix = json_array();
    bool ok = names != NULL && matrix != NULL;
    for (int a = 0; a < paths->count; a++) {
        json_t *row = json_array();
        for (int b = 0; b < paths->count; b++) {
            double alike = sy_path_jaccard(&paths->entry[a].path,
                                           &paths->entry[b].path, spec);
            ok = append(row, json_real(alike)) && ok;
        }
        ok = append(matrix, row) && ok;
        ok = append(names, name_json(paths, a)) && ok;
    }
    json_t *both = json_pack("{s:o,s:o}", "names", names, "matrix", matrix);
    return finish(both, ok);
}
