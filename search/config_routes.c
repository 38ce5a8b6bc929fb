/*
 * config_routes.c - "train.routes": what becomes of a domain's experts.
 */
#include "search/config_search.h"

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
