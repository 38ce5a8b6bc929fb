/* copy.c - see copy.h. */
#include "runtime/network/copy.h"

#include <string.h>

#include "runtime/base/rest.h"

void sy_network_copy_weights(struct sy_network *to, int unit,
                             const struct sy_network *from, int source)
{
    const struct sy_unit *at = &to->unit[unit];
    sy_rest();
    for (int p = 0; p < at->plan.param_count; p++) {
        memcpy(to->values + at->weight[p],
               from->values + from->unit[source].weight[p],
               sy_plan_param_count(&at->plan.param[p]) * sizeof(float));
    }
}

/* The norms of a unit in a slot, where both sides have them. */
static void copy_norms(struct sy_network *to, int unit, int slot,
                       const struct sy_network *from, int source,
                       int source_slot)
{
    const struct sy_plan *plan = &to->unit[unit].plan;
    for (int n = 0; n < plan->norm_count; n++) {
        size_t here = sy_network_norm(to, unit, slot, n);
        size_t there = sy_network_norm(from, source, source_slot, n);
        if (here != SY_ABSENT && there != SY_ABSENT) {
            memcpy(to->values + here, from->values + there,
                   4 * (size_t)plan->norm[n].channels * sizeof(float));
        }
    }
}

void sy_network_copy_expert_norms(struct sy_network *to, int expert,
                                  const struct sy_network *from, int source)
{
    const struct sy_expert *x = &to->expert[expert];
    const struct sy_expert *y = &from->expert[source];
    for (int s = 0; s < sy_network_stages(to) - 1; s++) {
        sy_rest();
        int u = sy_network_stage_unit(to, s, &x->path, x->domain);
        int v = sy_network_stage_unit(from, s, &y->path, y->domain);
        copy_norms(to, u, sy_network_slot(to, u, x->domain, &x->path), from, v,
                   sy_network_slot(from, v, y->domain, &y->path));
    }
}

enum sy_status sy_network_copy_route(struct sy_network *to, int domain,
                                     const struct sy_network *from, int source,
                                     struct sy_error *err)
{
    struct sy_route *route = NULL;
    json_t *json = sy_route_to_json(from->route[source], from);
    if (json == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "copying a route: no memory");
    }
    enum sy_status status =
        sy_route_from_json(&route, json, to, domain, "route", "", err);
    json_decref(json);
    if (status == SY_OK) {
        sy_network_set_route(to, domain, route);
    }
    return status;
}
