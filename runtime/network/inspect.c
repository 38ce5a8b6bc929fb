/*
 * inspect.c - a network as JSON.
 *
 * DESIGN: each list is built by one function that returns an owned value or
 * NULL; appending a NULL fails in Jansson, so a failure anywhere shows as
 * NULL at the end and nothing has to be checked in between. Experts appear as
 * DOMAIN.EXPERT, because names of experts are only unique in their domain.
 */
#include "runtime/network/inspect.h"

#include <stdio.h>

/* Appends an owned value, NULL included; false (and no array) on failure. */
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

static json_t *shape_json(struct sy_shape shape)
{
    return json_pack("[i,i,i]", shape.h, shape.w, shape.c);
}

static json_t *expert_name(const struct sy_network *network, int expert)
{
    const struct sy_expert *e = &network->expert[expert];
    return json_sprintf("%s.%s", network->domain[e->domain].name, e->name);
}

static json_t *domains_json(const struct sy_network *network)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int d = 0; d < network->domain_count; d++) {
        const struct sy_domain *domain = &network->domain[d];
        json_t *labels = json_array();
        for (int k = 0; k < domain->classes; k++) {
            ok = append(labels, json_string(domain->labels[k])) && ok;
        }
        ok = append(list,
                    json_pack("{s:s,s:i,s:o}", "name", domain->name, "classes",
                              domain->classes, "labels", labels)) &&
             ok;
    }
    return finish(list, ok);
}

static json_t *layers_json(const struct sy_network *network)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int l = 0; l < network->spec.layer_count; l++) {
        const struct sy_layer_spec *layer = &network->spec.layer[l];
        ok = append(list,
                    json_pack("{s:i,s:i,s:i,s:i,s:o}", "layer", l, "channels",
                              layer->channels, "stride", layer->stride,
                              "blocks", layer->block_count, "input",
                              shape_json(sy_spec_shape(&network->spec, l)))) &&
             ok;
    }
    return finish(list, ok);
}

static json_t *users_json(const struct sy_network *network, int layer,
                          int block)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].path.block[layer] == block) {
            ok = append(list, expert_name(network, e)) && ok;
        }
    }
    return finish(list, ok);
}

static json_t *block_json(const struct sy_network *network, int layer,
                          int block)
{
    const struct sy_candidate *candidate =
        &network->spec.layer[layer].block[block];
    const struct sy_unit *unit =
        &network->unit[sy_network_block(network, layer, block)];
    char text[128];
    return json_pack(
        "{s:i,s:i,s:s,s:s,s:s,s:I,s:I,s:o}", "layer", layer, "block", block,
        "id", candidate->id, "kind", sy_block_names[candidate->spec.kind],
        "text", sy_block_text(&candidate->spec, text, sizeof text), "params",
        (json_int_t)unit->cost.params, "madds", (json_int_t)unit->cost.madds,
        "used_by", users_json(network, layer, block));
}

static json_t *blocks_json(const struct sy_network *network)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int l = 0; l < network->spec.layer_count; l++) {
        for (int b = 0; b < network->spec.layer[l].block_count; b++) {
            ok = append(list, block_json(network, l, b)) && ok;
        }
    }
    return finish(list, ok);
}

static json_t *experts_json(const struct sy_network *network)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        struct sy_cost cost =
            sy_network_path_cost(network, &expert->path, expert->domain);
        char path[SY_PATH_TEXT_BYTES];
        ok = append(list, json_pack("{s:s,s:s,s:s,s:I,s:I}", "domain",
                                    network->domain[expert->domain].name,
                                    "name", expert->name, "path",
                                    sy_path_text(&expert->path, path), "madds",
                                    (json_int_t)cost.madds, "params",
                                    (json_int_t)cost.params)) &&
             ok;
    }
    return finish(list, ok);
}

static json_t *gates_json(const struct sy_network *network)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int g = 0; g < network->gate_count; g++) {
        const struct sy_gate *gate = &network->gate[g];
        const struct sy_cost *cost =
            &network->unit[sy_network_gate(network, g)].cost;
        bool root = gate->domain < 0;
        ok = append(list,
                    json_pack("{s:s?,s:s,s:i,s:i,s:I,s:I}", "domain",
                              root ? NULL : network->domain[gate->domain].name,
                              "name", gate->name, "layers", gate->layers,
                              "outputs", gate->outputs, "madds",
                              (json_int_t)cost->madds, "params",
                              (json_int_t)cost->params)) &&
             ok;
    }
    return finish(list, ok);
}

static json_t *routes_json(const struct sy_network *network)
{
    json_t *routes = json_object();
    for (int d = 0; d < network->domain_count && network->route != NULL; d++) {
        if (network->route[d] == NULL) {
            continue;
        }
        json_t *route = sy_route_to_json(network->route[d], network);
        if (json_object_set_new(routes, network->domain[d].name, route) != 0) {
            json_decref(routes);
            return NULL;
        }
    }
    return routes;
}

static json_t *jaccard_json(const struct sy_network *network)
{
    json_t *names = json_array();
    json_t *matrix = json_array();
    bool ok = names != NULL && matrix != NULL;
    for (int a = 0; a < network->expert_count; a++) {
        json_t *row = json_array();
        for (int b = 0; b < network->expert_count; b++) {
            double shared =
                sy_path_jaccard(&network->expert[a].path,
                                &network->expert[b].path, &network->spec);
            ok = append(row, json_real(shared)) && ok;
        }
        ok = append(matrix, row) && ok;
        ok = append(names, expert_name(network, a)) && ok;
    }
    json_t *both = json_pack("{s:o,s:o}", "names", names, "matrix", matrix);
    return finish(both, ok);
}

json_t *sy_inspect_json(const struct sy_network *network)
{
    return json_pack(
        "{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", network->name,
        "params", (json_int_t)sy_network_params(network), "input",
        shape_json(network->spec.input), "domains", domains_json(network),
        "layers", layers_json(network), "blocks", blocks_json(network),
        "experts", experts_json(network), "gates", gates_json(network),
        "routes", routes_json(network), "jaccard", jaccard_json(network));
}
