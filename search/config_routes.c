/*
 * config_routes.c - "train.routes": what becomes of a domain's experts; and
 * "train.root": the gate above the domains.
 */
#include "search/config_search.h"

#include <string.h>

/* "train.routes.gate". */
static void read_gate(struct nas_gate_config *gate, struct sy_json *routes)
{
    int method = gate->method;
    if (!sy_json_has(routes, "gate")) {
        return;
    }
    struct sy_json in = sy_json_child(routes, "gate");
    sy_json_opt_choice(&in, "fit", nas_gate_method_names, &method);
    gate->method = (enum nas_gate_method)method;
    sy_json_opt_int(&in, "layers", 0, SY_MAX_LAYERS, &gate->layers);
    sy_json_opt_int(&in, "cells", 1, SY_GATE_MAX_CELLS, &gate->cells);
    sy_json_opt_int(&in, "hidden", 0, SY_GATE_MAX_HIDDEN, &gate->hidden);
    sy_json_opt_int(&in, "top", 1, SY_ROUTE_MAX_CHILDREN, &gate->top);
    sy_json_opt_int(&in, "passes", 1, 10000, &gate->passes);
    sy_json_opt_real(&in, "rate", 1e-6, 1, &gate->rate);
    sy_json_opt_real(&in, "balance", 0, 100, &gate->balance);
    sy_json_opt_real(&in, "price", 0, 100, &gate->price);
    if (sy_json_end(&in) != SY_OK) {
        routes->status = in.status;
    }
}

/* "train.routes.experts". */
static void read_names(struct nas_route_config *routes, struct sy_json *in)
{
    if (!sy_json_has(in, "experts")) {
        return;
    }
    json_t *list = sy_json_array(in, "experts", 1, SY_ROUTE_MAX_EXPERTS);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL || strlen(name) >= SY_NAME_BYTES) {
            sy_json_reject(in, "experts", "[%zu]: expected an expert's name",
                           i);
            return;
        }
        memcpy(routes->expert[i], name, strlen(name) + 1);
        routes->expert_count = (int)i + 1;
    }
}

void nas_config_routes(struct nas_route_config *routes, struct sy_json *train)
{
    int kind = NAS_ROUTE_EXPERT;
    *routes = nas_route_defaults();
    if (!sy_json_has(train, "routes")) {
        return;
    }
    struct sy_json in = sy_json_child(train, "routes");
    sy_json_opt_choice(&in, "kind", nas_route_kind_names, &kind);
    routes->kind = (enum nas_route_kind)kind;
    sy_json_opt_choice(&in, "exit", nas_exit_names, &routes->exit);
    sy_json_opt_real(&in, "epsilon", 1e-6, 1, &routes->epsilon);
    sy_json_opt_real(&in, "delta", 1e-6, 0.5, &routes->delta);
    sy_json_opt_real(&in, "cost", 0, 1, &routes->cost);
    sy_json_opt_real(&in, "detection", 0.5, 1, &routes->detection);
    sy_json_opt_text(&in, "background", routes->background,
                     sizeof routes->background);
    sy_json_opt_int(&in, "members", 2, SY_ROUTE_MAX_EXPERTS, &routes->members);
    read_names(routes, &in);
    read_gate(&routes->gate, &in);
    if (routes->kind == NAS_ROUTE_CASCADE && routes->exit == NAS_EXIT_REJECT &&
        routes->background[0] == '\0') {
        sy_json_reject(&in, "background",
                       "expected the label of the class that means nothing "
                       "is there");
    }
    if (sy_json_end(&in) != SY_OK) {
        train->status = in.status;
    }
}

void nas_config_root(struct nas_root_config *root, struct sy_json *train)
{
    *root = nas_root_defaults();
    root->wanted = sy_json_has(train, "root");
    if (!root->wanted) {
        return;
    }
    struct sy_json in = sy_json_child(train, "root");
    sy_json_opt_int(&in, "cells", 1, SY_GATE_MAX_CELLS, &root->cells);
    sy_json_opt_bool(&in, "textures", &root->textures);
    sy_json_opt_int(&in, "hidden", 0, SY_GATE_MAX_HIDDEN, &root->hidden);
    sy_json_opt_int(&in, "images", 10, 100000, &root->images);
    sy_json_opt_int(&in, "passes", 1, 10000, &root->passes);
    sy_json_opt_real(&in, "rate", 1e-6, 1, &root->rate);
    sy_json_opt_real(&in, "abstain", 0, 0.5, &root->abstain);
    if (sy_json_end(&in) != SY_OK) {
        train->status = in.status;
    }
}
