/*
 * gate.c - gates: judged, planned, found, exchanged.
 *
 * DESIGN. A gate is a unit like a block, so what packs, executes, counts,
 * hashes and stores units knows nothing of gates. Its units come last in the
 * layout: the values of a network without gates are the beginning of those of
 * the same network with them, and exchanging gates is one copy.
 */
#include "runtime/network/gate.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/network.h"

static enum sy_status check_numbers(const struct sy_gate *gate, int g, int high,
                                    struct sy_error *err)
{
    if (gate->cells < 1 || gate->cells > SY_GATE_MAX_CELLS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].cells: expected 1 to %d, found %d", g,
                       SY_GATE_MAX_CELLS, gate->cells);
    }
    if (gate->hidden < 0 || gate->hidden > SY_GATE_MAX_HIDDEN) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].hidden: expected 0 to %d, found %d", g,
                       SY_GATE_MAX_HIDDEN, gate->hidden);
    }
    if (gate->outputs < 2 || gate->outputs > high) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].outputs: expected 2 to %d, found %d", g, high,
                       gate->outputs);
    }
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        if (!(gate->threshold[d] >= 0.0 && gate->threshold[d] <= 1.0)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "gates[%d].threshold[%d]: expected 0 to 1, found %g",
                           g, d, gate->threshold[d]);
        }
    }
    return SY_OK;
}

static enum sy_status check_root(const struct sy_network_parts *parts, int g,
                                 struct sy_error *err)
{
    const struct sy_gate *gate = &parts->gate[g];
    if (gate->layers != 0 || gate->expert >= 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d]: the root gate reads behind the stem, where "
                       "no domain is known yet; expected no layers and no "
                       "expert",
                       g);
    }
    if (gate->outputs > parts->domain_count + 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].outputs: expected at most %d, one for each "
                       "domain and one for none of them, found %d",
                       g, parts->domain_count + 1, gate->outputs);
    }
    return SY_OK;
}

static enum sy_status check_place(const struct sy_network_parts *parts, int g,
                                  struct sy_error *err)
{
    const struct sy_gate *gate = &parts->gate[g];
    if (gate->layers < 0 || gate->layers > parts->spec->layer_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].layers: expected 0 to %d, found %d", g,
                       parts->spec->layer_count, gate->layers);
    }
    if (gate->layers > 0 &&
        (gate->expert < 0 || gate->expert >= parts->expert_count ||
         parts->expert[gate->expert].domain != gate->domain)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].expert: expected an expert of domain \"%s\", "
                       "along whose path the gate reads",
                       g, parts->domain[gate->domain].name);
    }
    return SY_OK;
}

enum sy_status sy_gate_check(const struct sy_network_parts *parts, int g,
                             struct sy_error *err)
{
    const struct sy_gate *gate = &parts->gate[g];
    if (!sy_name_valid(gate->name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].name: expected letters, digits, '_' and '-'",
                       g);
    }
    if (gate->domain < -1 || gate->domain >= parts->domain_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gates[%d].domain: expected 0 to %d, found %d", g,
                       parts->domain_count - 1, gate->domain);
    }
    for (int before = 0; before < g; before++) {
        const struct sy_gate *other = &parts->gate[before];
        if (other->domain == gate->domain &&
            (gate->domain < 0 || strcmp(other->name, gate->name) == 0)) {
            return sy_fail(err, SY_BAD_INPUT,
                           gate->domain < 0
                               ? "gates[%d]: gates[%d] is the root gate already"
                               : "gates[%d].name: gates[%d] has the same name "
                                 "and domain",
                           g, before);
        }
    }
    SY_TRY(gate->domain < 0 ? check_root(parts, g, err)
                            : check_place(parts, g, err));
    return check_numbers(
        gate, g, gate->domain < 0 ? SY_GATE_MAX_OUTPUTS : SY_ROUTE_MAX_CHILDREN,
        err);
}

enum sy_status sy_gate_plan(const struct sy_gate *gate,
                            const struct sy_network_spec *spec,
                            struct sy_plan *plan, struct sy_error *err)
{
    struct sy_shape input = sy_spec_shape(spec, gate->layers);
    sy_plan_begin(plan, input, err);
    int y = gate->textures    ? sy_plan_textures(plan, 0, gate->cells)
            : gate->cells > 1 ? sy_plan_cells(plan, 0, gate->cells)
                              : sy_plan_pool(plan, 0);
    if (gate->hidden > 0) {
        y = sy_plan_dense(plan, y, "hidden", gate->hidden, SY_ACT_RELU,
                          SY_INIT_HE);
    }
    y = sy_plan_dense(plan, y, "scores", gate->outputs, SY_ACT_NONE,
                      SY_INIT_ZERO);
    enum sy_status status = sy_plan_end(plan, y);
    if (status != SY_OK) {
        sy_error_prefix(err, "gate \"%s\"", gate->name);
    }
    return status;
}

int sy_network_gate(const struct sy_network *network, int gate)
{
    SY_ASSERT(gate >= 0 && gate < network->gate_count);
    return network->first_gate + gate;
}

int sy_network_find_gate(const struct sy_network *network, int domain,
                         const char *name)
{
    for (int g = 0; g < network->gate_count; g++) {
        const struct sy_gate *gate = &network->gate[g];
        if (gate->domain == domain && strcmp(gate->name, name) == 0) {
            return g;
        }
    }
    return -1;
}

int sy_network_root_gate(const struct sy_network *network)
{
    for (int g = 0; g < network->gate_count; g++) {
        if (network->gate[g].domain < 0) {
            return g;
        }
    }
    return -1;
}

int sy_gate_stages(const struct sy_gate *gate)
{
    return gate->layers + 1;
}

int sy_gate_softmax(const float *scores, int count, double *probability)
{
    int best = 0;
    double sum = 0.0;

    for (int k = 0; k < count; k++) {
        if (!isfinite(scores[k])) {
            return -1;
        }
        best = scores[k] > scores[best] ? k : best;
    }
    for (int k = 0; k < count; k++) {
        probability[k] = exp((double)scores[k] - (double)scores[best]);
        sum += probability[k];
    }
    for (int k = 0; k < count; k++) {
        probability[k] /= sum;
    }
    return best;
}

/* Whether the inputs of two gates of one name mean the same. */
static bool same_features(const struct sy_network *a, int unit_a,
                          const struct sy_network *b, int unit_b)
{
    const struct sy_gate *x = &a->gate[unit_a - a->first_gate];
    const struct sy_gate *y = &b->gate[unit_b - b->first_gate];
    return x->cells == y->cells && x->textures == y->textures;
}

/* Copies the numbers of the gates that both networks have. */
static void keep_gates(struct sy_network *to, const struct sy_network *from)
{
    for (int t = 0; t < to->tensor_count; t++) {
        const struct sy_tensor *tensor = &to->tensor[t];
        for (int o = 0;
             tensor->unit >= to->first_gate && o < from->tensor_count; o++) {
            const struct sy_tensor *old = &from->tensor[o];
            if (strcmp(old->name, tensor->name) == 0 &&
                old->count == tensor->count &&
                same_features(to, tensor->unit, from, old->unit)) {
                memcpy(to->values + tensor->offset, from->values + old->offset,
                       tensor->count * sizeof(float));
            }
        }
    }
}

/* Numbers of everything but the gates, which come last. */
static size_t values_before_gates(const struct sy_network *network)
{
    for (int t = 0; t < network->tensor_count; t++) {
        if (network->tensor[t].unit >= network->first_gate) {
            return network->tensor[t].offset;
        }
    }
    return network->value_count;
}

/* Whether a gate node of the tree can keep what it points at. */
static enum sy_status rename_gates(struct sy_route *node,
                                   const struct sy_network *old,
                                   const struct sy_network *made, bool change,
                                   struct sy_error *err)
{
    if (node->type == &sy_route_gate) {
        const struct sy_gate *gate = &old->gate[node->gate];
        int found = sy_network_find_gate(made, gate->domain, gate->name);
        if (found < 0 || made->gate[found].outputs != gate->outputs) {
            return sy_fail(err, SY_BAD_INPUT,
                           "gate \"%s\" of domain \"%s\" stands in its route "
                           "and cannot be left out",
                           gate->name, old->domain[gate->domain].name);
        }
        node->gate = change ? found : node->gate;
    }
    for (int i = 0; i < node->child_count; i++) {
        SY_TRY(rename_gates(node->child[i], old, made, change, err));
    }
    return SY_OK;
}

enum sy_status sy_network_set_gates(struct sy_network **network,
                                    const struct sy_gate *gates, int count,
                                    struct sy_error *err)
{
    struct sy_network *old = *network, *made;
    struct sy_network_parts parts = {
        .name = old->name,
        .spec = &old->spec,
        .domain_count = old->domain_count,
        .domain = old->domain,
        .expert_count = old->expert_count,
        .expert = old->expert,
        .gate_count = count,
        .gate = gates,
    };
    SY_TRY(sy_network_new(&made, &parts, err));
    for (int pass = 0; pass < 2; pass++) {
        for (int d = 0; d < old->domain_count; d++) {
            struct sy_route *route = old->route[d];
            enum sy_status status =
                route == NULL ? SY_OK
                              : rename_gates(route, old, made, pass > 0, err);
            if (status != SY_OK) {
                sy_network_free(made);
                return status;
            }
        }
    }
    memcpy(made->values, old->values, values_before_gates(old) * sizeof(float));
    keep_gates(made, old);
    for (int d = 0; d < old->domain_count; d++) {
        struct sy_route *route = made->route[d];
        made->route[d] = old->route[d];
        old->route[d] = route;
    }
    sy_network_free(old);
    *network = made;
    return SY_OK;
}
