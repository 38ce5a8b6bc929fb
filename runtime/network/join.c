/*
 * join.c - two networks in one.
 *
 * DESIGN. First the spec: the candidate's paths are walked, and each block on
 * them is looked for in its layer of the served network, else added under an
 * id that is free. Then a network is built from the parts as any other is, and
 * its numbers are copied from where each unit and each slot came from.
 */
#include "runtime/network/join.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

/* What is at hand while two networks are joined. */
struct joining {
    const struct sy_network *served, *candidate;
    const int *on_trial;
    int count;
    struct sy_network_spec spec;
    /* [layer][block of the joined network]: the candidate's block, or -1. */
    int from[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    struct sy_domain domain[SY_MAX_DOMAINS];
    int expert_count;
    struct sy_expert expert[SY_MAX_EXPERTS];
    int gate_count;
    struct sy_gate gate[SY_MAX_GATES];
    struct sy_network *made;
};

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
        size_t bytes = 4 * (size_t)x->plan.norm[n].channels * sizeof(float);
        same = at == SY_ABSENT || bt == SY_ABSENT
                   ? at == bt
                   : memcmp(a->values + at, b->values + bt, bytes) == 0;
    }
    return same;
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
               sy_norms_equal(a, u, sy_network_slot(a, u, x->domain), b, v,
                              sy_network_slot(b, v, y->domain));
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
    struct sy_route_gates all = sy_route_all_gates(a->route[domain_a]);
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

/* Whether the candidate's block can be the one that the served network has. In
   shared mode the one set of norms belongs to the block as well. */
static bool same_block(const struct joining *j, int served, int candidate)
{
    const struct sy_network *a = j->served, *b = j->candidate;
    return sy_unit_equal(a, served, b, candidate) &&
           (a->spec.norm != SY_NORM_SHARED ||
            sy_norms_equal(a, served, 0, b, candidate, 0));
}

static bool has_id(const struct sy_network_spec *spec, const char *id)
{
    for (int l = 0; l < spec->layer_count; l++) {
        for (int b = 0; b < spec->layer[l].block_count; b++) {
            if (strcmp(spec->layer[l].block[b].id, id) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The block of the joined network for one of the candidate's; added to the
   spec where it is new. */
static enum sy_status place_block(struct joining *j, int layer, int block,
                                  int *placed, struct sy_error *err)
{
    struct sy_layer_spec *at = &j->spec.layer[layer];
    int unit = sy_network_block(j->candidate, layer, block);
    int own = j->served->spec.layer[layer].block_count;
    for (int b = 0; b < at->block_count; b++) {
        if (j->from[layer][b] == block ||
            (b < own && j->from[layer][b] < 0 &&
             same_block(j, sy_network_block(j->served, layer, b), unit))) {
            j->from[layer][b] = block;
            *placed = b;
            return SY_OK;
        }
    }
    if (at->block_count == SY_MAX_BLOCKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "layer %d: the served blocks and the new ones together "
                       "are more than %d",
                       layer, SY_MAX_BLOCKS);
    }
    struct sy_candidate *added = &at->block[at->block_count];
    *added = j->candidate->spec.layer[layer].block[block];
    for (int i = 0; has_id(&j->spec, added->id); i++) {
        (void)snprintf(added->id, sizeof added->id, "next-%d", i);
    }
    j->from[layer][at->block_count] = block;
    *placed = at->block_count++;
    return SY_OK;
}

static enum sy_status place_expert(struct joining *j,
                                   const struct sy_expert *from, int domain,
                                   struct sy_error *err)
{
    if (j->expert_count == SY_MAX_EXPERTS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "the served experts and the new ones together are more "
                       "than %d",
                       SY_MAX_EXPERTS);
    }
    struct sy_expert *to = &j->expert[j->expert_count++];
    *to = *from;
    to->domain = domain;
    for (int l = 0; l < from->path.layer_count; l++) {
        SY_TRY(place_block(j, l, from->path.block[l], &to->path.block[l], err));
    }
    return SY_OK;
}

/* A domain's name that nobody has. */
static void name_domain(struct joining *j, int index)
{
    char *name = j->domain[index].name;
    bool taken = true;
    for (int i = 0; taken; i++) {
        (void)snprintf(name, SY_NAME_BYTES, "next-%d", i);
        taken = false;
        for (int d = 0; !taken && d < index; d++) {
            taken = strcmp(j->domain[d].name, name) == 0;
        }
    }
}

static enum sy_status place_domains(struct joining *j, struct sy_error *err)
{
    const struct sy_network *a = j->served, *b = j->candidate;
    if (a->domain_count + j->count > SY_MAX_DOMAINS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%d domains and %d on trial: together at most %d",
                       a->domain_count, j->count, SY_MAX_DOMAINS);
    }
    for (int d = 0; d < a->domain_count; d++) {
        j->domain[d] = a->domain[d];
    }
    for (int e = 0; e < a->expert_count; e++) {
        j->expert[j->expert_count++] = a->expert[e];
    }
    for (int i = 0; i < j->count; i++) {
        int domain = a->domain_count + i;
        j->domain[domain] = b->domain[j->on_trial[i]];
        name_domain(j, domain);
        for (int e = 0; e < b->expert_count; e++) {
            if (b->expert[e].domain == j->on_trial[i]) {
                SY_TRY(place_expert(j, &b->expert[e], domain, err));
            }
        }
    }
    return SY_OK;
}

/* The served gates, then those of the candidate's domains on trial; what the
   root gate knows are the served domains, which come first. */
static enum sy_status place_gates(struct joining *j, struct sy_error *err)
{
    const struct sy_network *a = j->served, *b = j->candidate;
    for (int g = 0; g < a->gate_count; g++) {
        j->gate[j->gate_count++] = a->gate[g];
    }
    for (int i = 0; i < j->count; i++) {
        for (int g = 0; g < b->gate_count; g++) {
            if (b->gate[g].domain != j->on_trial[i]) {
                continue;
            }
            if (j->gate_count == SY_MAX_GATES) {
                return sy_fail(err, SY_UNSUPPORTED,
                               "the served gates and the new ones together are "
                               "more than %d",
                               SY_MAX_GATES);
            }
            struct sy_gate *to = &j->gate[j->gate_count++];
            *to = b->gate[g];
            to->domain = a->domain_count + i;
            for (int e = 0; to->expert >= 0 && e < j->expert_count; e++) {
                if (j->expert[e].domain == to->domain &&
                    strcmp(j->expert[e].name,
                           b->expert[b->gate[g].expert].name) == 0) {
                    to->expert = e;
                }
            }
        }
    }
    return SY_OK;
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

/* That both can stand in one network. */
static enum sy_status check_form(const struct joining *j, struct sy_error *err)
{
    const char *what = sy_form_difference(j->served, j->candidate);
    return what == NULL ? SY_OK
                        : sy_fail(err, SY_BAD_INPUT,
                                  "%s: not that of the served network, so "
                                  "they cannot run together",
                                  what);
}

static enum sy_status build(struct joining *j, struct sy_error *err)
{
    struct sy_network_parts parts = {
        .name = j->served->name,
        .spec = &j->spec,
        .domain_count = j->served->domain_count + j->count,
        .domain = j->domain,
        .expert_count = j->expert_count,
        .expert = j->expert,
        .gate_count = j->gate_count,
        .gate = j->gate,
    };
    return sy_network_new(&j->made, &parts, err);
}

enum sy_status sy_network_copy_route(struct sy_network *to, int domain,
                                     const struct sy_network *from, int source,
                                     struct sy_error *err)
{
    struct sy_route *route = NULL;
    json_t *json = sy_route_to_json(from->route[source], from);
    if (json == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "joining: no memory for a route");
    }
    enum sy_status status =
        sy_route_from_json(&route, json, to, domain, "route", "", err);
    json_decref(json);
    if (status == SY_OK) {
        sy_network_set_route(to, domain, route);
    }
    return status;
}

/* The network, unit and slot that a unit's numbers in a slot come from. */
struct source {
    const struct sy_network *network;
    int unit;
    int domain;
};

/* Where `domain` (of the joined network) has the numbers of a unit from; for
   weights, any domain that has the unit. */
static struct source source_of(const struct joining *j, int unit, int domain)
{
    const struct sy_network *a = j->served, *b = j->candidate;
    const struct sy_unit *at = &j->made->unit[unit];
    bool trial = domain >= a->domain_count;
    struct source from = {
        .network = trial ? b : a,
        .domain = trial ? j->on_trial[domain - a->domain_count] : domain,
    };
    if (at->layer >= 0) {
        int block = trial ? j->from[at->layer][at->block] : at->block;
        from.unit = sy_network_block(from.network, at->layer, block);
    } else if (unit < j->made->first_head) {
        from.unit =
            unit == j->made->stem ? from.network->stem : from.network->trunk;
    } else {
        from.unit = sy_network_head(from.network, from.domain);
    }
    return from;
}

/* The joined domain through which a unit's weights are found. */
static int owner_of(const struct joining *j, int unit)
{
    const struct sy_unit *at = &j->made->unit[unit];
    int served = j->served->domain_count;
    if (unit >= j->made->first_head) {
        return unit - j->made->first_head;
    }
    bool is_new = at->layer >= 0 &&
                  at->block >= j->served->spec.layer[at->layer].block_count;
    return is_new ? served : 0;
}

static void copy_weights(struct joining *j, int unit)
{
    struct sy_network *made = j->made;
    struct source from = source_of(j, unit, owner_of(j, unit));
    const struct sy_unit *to = &made->unit[unit];
    for (int p = 0; p < to->plan.param_count; p++) {
        memcpy(made->values + to->weight[p],
               from.network->values + from.network->unit[from.unit].weight[p],
               sy_plan_param_count(&to->plan.param[p]) * sizeof(float));
    }
}

static void copy_gate(struct joining *j, int g)
{
    const struct sy_gate *gate = &j->made->gate[g];
    int served = j->served->domain_count;
    bool trial = gate->domain >= served;
    const struct sy_network *from = trial ? j->candidate : j->served;
    int source = sy_network_find_gate(
        from, trial ? j->on_trial[gate->domain - served] : gate->domain,
        gate->name);
    const struct sy_unit *to = &j->made->unit[sy_network_gate(j->made, g)];
    const struct sy_unit *at = &from->unit[sy_network_gate(from, source)];
    for (int p = 0; p < to->plan.param_count; p++) {
        memcpy(j->made->values + to->weight[p], from->values + at->weight[p],
               sy_plan_param_count(&to->plan.param[p]) * sizeof(float));
    }
}

/* The norms of a unit for one domain, where both sides have them. */
static void copy_norms(struct joining *j, int unit, int domain)
{
    struct sy_network *made = j->made;
    const struct sy_plan *plan = &made->unit[unit].plan;
    const struct sy_unit *at = &made->unit[unit];
    bool served_block =
        at->layer < 0 ||
        at->block < j->served->spec.layer[at->layer].block_count;
    bool trial = domain >= j->served->domain_count;
    if (trial ? at->layer >= 0 && j->from[at->layer][at->block] < 0
              : !served_block) {
        return; /* not a unit of that side */
    }
    struct source from = source_of(j, unit, domain);
    for (int n = 0; n < plan->norm_count; n++) {
        size_t to = sy_network_norm(made, unit, domain, n);
        size_t source =
            sy_network_norm(from.network, from.unit, from.domain, n);
        if (to != SY_ABSENT && source != SY_ABSENT) {
            memcpy(made->values + to, from.network->values + source,
                   4 * (size_t)plan->norm[n].channels * sizeof(float));
        }
    }
}

static enum sy_status fill(struct joining *j, struct sy_error *err)
{
    int served = j->served->domain_count;
    for (int g = 0; g < j->made->gate_count; g++) {
        copy_gate(j, g);
    }
    for (int u = 0; u < j->made->first_gate; u++) {
        copy_weights(j, u);
        if (u >= j->made->first_head) {
            continue; /* a head has no norms */
        }
        for (int d = 0; d < j->made->domain_count; d++) {
            copy_norms(j, u, d);
        }
    }
    for (int d = 0; d < j->made->domain_count; d++) {
        bool trial = d >= served;
        SY_TRY(sy_network_copy_route(j->made, d,
                                     trial ? j->candidate : j->served,
                                     trial ? j->on_trial[d - served] : d, err));
    }
    return SY_OK;
}

enum sy_status sy_network_join(struct sy_network **joined,
                               const struct sy_network *served,
                               const struct sy_network *candidate,
                               const int *on_trial, int count,
                               struct sy_error *err)
{
    enum sy_status status;
    struct joining *j = sy_alloc_zero(1, sizeof *j);
    if (j == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "joining: no memory");
    }
    j->served = served;
    j->candidate = candidate;
    j->on_trial = on_trial;
    j->count = count;
    j->spec = served->spec;
    memset(j->from, 0xff, sizeof j->from); /* -1 */
    SY_TRY_OUT(check_form(j, err));
    SY_TRY_OUT(place_domains(j, err));
    SY_TRY_OUT(place_gates(j, err));
    SY_TRY_OUT(build(j, err));
    SY_TRY_OUT(fill(j, err));
    *joined = j->made;
    j->made = NULL;
out:
    sy_network_free(j->made);
    sy_free(j);
    return status;
}
