/* equal.c - see equal.h. */
#include "runtime/network/equal.h"

#include <string.h>

#include "runtime/base/rest.h"

static bool same_plan(const struct sy_plan *a, const struct sy_plan *b)
{
    bool same = a->value_count == b->value_count &&
                a->node_count == b->node_count &&
                a->param_count == b->param_count &&
                a->norm_count == b->norm_count && a->output == b->output;
    for (int v = 0; same && v < a->value_count; v++) {
        same = sy_shape_equal(a->value[v], b->value[v]);
    }
    for (int n = 0; same && n < a->node_count; n++) {
        same = memcmp(&a->node[n], &b->node[n], sizeof a->node[n]) == 0;
    }
    for (int p = 0; same && p < a->param_count; p++) {
        same = sy_plan_param_count(&a->param[p]) ==
               sy_plan_param_count(&b->param[p]);
    }
    return same;
}

bool sy_unit_equal(const struct sy_network *a, int unit_a,
                   const struct sy_network *b, int unit_b)
{
    const struct sy_unit *x = &a->unit[unit_a], *y = &b->unit[unit_b];
    bool same = same_plan(&x->plan, &y->plan);
    sy_rest();
    for (int p = 0; same && p < x->plan.param_count; p++) {
        same =
            memcmp(a->values + x->weight[p], b->values + y->weight[p],
                   sy_plan_param_count(&x->plan.param[p]) * sizeof(float)) == 0;
    }
    return same;
}

bool sy_norms_equal(const struct sy_network *a, int unit_a, int slot_a,
                    const struct sy_network *b, int unit_b, int slot_b)
{
    const struct sy_unit *x = &a->unit[unit_a], *y = &b->unit[unit_b];
    int norms = x->plan.norm_count;
    bool same = true;
    for (int n = 0; same && n < norms; n++) {
        size_t at = x->norm[slot_a * norms + n];
        size_t bt = y->norm[slot_b * norms + n];
        int channels = x->plan.norm[n].channels;
        size_t bytes = 4 * (size_t)channels * sizeof(float);
        same = at == SY_ABSENT || bt == SY_ABSENT
                   ? at == bt
                   : channels == y->plan.norm[n].channels &&
                         memcmp(a->values + at, b->values + bt, bytes) == 0;
    }
    return same;
}

bool sy_block_equal(const struct sy_network *a, int unit_a,
                    const struct sy_network *b, int unit_b)
{
    return sy_unit_equal(a, unit_a, b, unit_b) &&
           (a->spec.norm != SY_NORM_SHARED ||
            sy_norms_equal(a, unit_a, 0, b, unit_b, 0));
}

/* One expert's way: calibration, units and norms. */
static bool same_expert(const struct sy_network *a, const struct sy_expert *x,
                        const struct sy_network *b, const struct sy_expert *y)
{
    int stages = sy_network_stages(a);
    bool same =
        x->temperature == y->temperature && stages == sy_network_stages(b);
    for (int s = 0; same && s < stages; s++) {
        int u = sy_network_stage_unit(a, s, &x->path, x->domain);
        int v = sy_network_stage_unit(b, s, &y->path, y->domain);
        same = sy_unit_equal(a, u, b, v) &&
               sy_norms_equal(a, u, sy_network_slot(a, u, x->domain, &x->path),
                              b, v, sy_network_slot(b, v, y->domain, &y->path));
    }
    return same;
}

static bool same_labels(const struct sy_domain *a, const struct sy_domain *b)
{
    bool same = a->classes == b->classes;
    for (int k = 0; same && k < a->classes; k++) {
        same = strcmp(a->labels[k], b->labels[k]) == 0;
    }
    return same;
}

static int count_experts(const struct sy_network *network, int domain)
{
    int count = 0;
    for (int e = 0; e < network->expert_count; e++) {
        count += network->expert[e].domain == domain ? 1 : 0;
    }
    return count;
}

static bool same_routes(const struct sy_network *a, int domain_a,
                        const struct sy_network *b, int domain_b)
{
    if (a->route[domain_a] == NULL || b->route[domain_b] == NULL) {
        return a->route[domain_a] == b->route[domain_b]; /* no expert yet */
    }
    json_t *x = sy_route_to_json(a->route[domain_a], a);
    json_t *y = sy_route_to_json(b->route[domain_b], b);
    bool same = x != NULL && y != NULL && json_equal(x, y) == 1;
    json_decref(x);
    json_decref(y);
    return same;
}

/* The gates of a domain's route, which the routes name alike. */
static bool same_gates(const struct sy_network *a, int domain_a,
                       const struct sy_network *b, int domain_b)
{
    struct sy_route_gates all = {0};
    if (a->route[domain_a] != NULL) {
        all = sy_route_all_gates(a->route[domain_a]);
    }
    bool same = true;
    for (int i = 0; same && i < all.count; i++) {
        const struct sy_gate *x = &a->gate[all.gate[i]];
        int other = sy_network_find_gate(b, domain_b, x->name);
        same = other >= 0 && b->gate[other].layers == x->layers &&
               (x->layers == 0 ||
                strcmp(a->expert[x->expert].name,
                       b->expert[b->gate[other].expert].name) == 0) &&
               sy_unit_equal(a, sy_network_gate(a, all.gate[i]), b,
                             sy_network_gate(b, other));
    }
    return same;
}

bool sy_domain_equal(const struct sy_network *a, int domain_a,
                     const struct sy_network *b, int domain_b)
{
    bool same = same_labels(&a->domain[domain_a], &b->domain[domain_b]) &&
                count_experts(a, domain_a) == count_experts(b, domain_b) &&
                same_routes(a, domain_a, b, domain_b) &&
                same_gates(a, domain_a, b, domain_b);
    for (int e = 0; same && e < a->expert_count; e++) {
        const struct sy_expert *expert = &a->expert[e];
        if (expert->domain == domain_a) {
            int other = sy_network_find_expert(b, domain_b, expert->name);
            same = other >= 0 && same_expert(a, expert, b, &b->expert[other]);
        }
    }
    return same;
}

static bool same_expert_rows(const struct sy_network *a,
                             const struct sy_network *b)
{
    bool same = a->expert_count == b->expert_count;
    for (int e = 0; same && e < a->expert_count; e++) {
        const struct sy_expert *x = &a->expert[e], *y = &b->expert[e];
        same = x->domain == y->domain && strcmp(x->name, y->name) == 0 &&
               x->temperature == y->temperature;
    }
    return same;
}

static bool same_gate_rows(const struct sy_network *a,
                           const struct sy_network *b)
{
    bool same = a->gate_count == b->gate_count;
    for (int g = 0; same && g < a->gate_count; g++) {
        const struct sy_gate *x = &a->gate[g], *y = &b->gate[g];
        same = x->domain == y->domain && x->expert == y->expert &&
               x->layers == y->layers && x->outputs == y->outputs &&
               memcmp(x->threshold, y->threshold, sizeof x->threshold) == 0 &&
               strcmp(x->name, y->name) == 0;
    }
    return same;
}

bool sy_layout_equal(const struct sy_network *a, const struct sy_network *b)
{
    bool same = a->domain_count == b->domain_count && same_expert_rows(a, b) &&
                same_gate_rows(a, b);
    for (int d = 0; same && d < a->domain_count; d++) {
        same = strcmp(a->domain[d].name, b->domain[d].name) == 0 &&
               same_labels(&a->domain[d], &b->domain[d]) &&
               same_routes(a, d, b, d);
    }
    return same;
}

const char *sy_form_difference(const struct sy_network *a,
                               const struct sy_network *b)
{
    bool shared = a->spec.norm == SY_NORM_SHARED;
    if (!sy_shape_equal(a->spec.input, b->spec.input) ||
        a->spec.layer_count != b->spec.layer_count) {
        return "input or number of layers";
    }
    for (int l = 0; l < a->spec.layer_count; l++) {
        const struct sy_layer_spec *x = &a->spec.layer[l];
        const struct sy_layer_spec *y = &b->spec.layer[l];
        if (x->channels != y->channels || x->stride != y->stride) {
            return "channels or stride of a layer";
        }
    }
    if (a->spec.norm != b->spec.norm) {
        return "the mode of norms";
    }
    if (!sy_unit_equal(a, a->stem, b, b->stem) ||
        !sy_norms_equal(a, a->stem, 0, b, b->stem, 0)) {
        return "the stem";
    }
    if (!sy_unit_equal(a, a->trunk, b, b->trunk) ||
        (shared && !sy_norms_equal(a, a->trunk, 0, b, b->trunk, 0))) {
        return "the trunk";
    }
    return NULL;
}
