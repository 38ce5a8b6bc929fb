/*
 * network_build.c - laying out a network: units, tensors, one array of values.
 *
 * DESIGN. First the parts are judged, for they may come from a file. Then the
 * units are planned, then the tensors are counted, and only when the sum is
 * known to be within the limit is memory for them taken: a hostile spec of a
 * few kilobytes can ask for terabytes. Counting and laying out are the same
 * walk (lay_out), once without and once with memory, so they cannot disagree.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/network/network.h"

static enum sy_status no_memory(struct sy_error *err)
{
    return sy_fail(err, SY_NO_MEMORY, "no memory for the network");
}

static enum sy_status check_domains(const struct sy_network_parts *parts,
                                    struct sy_error *err)
{
    if (parts->domain_count < 1 || parts->domain_count > SY_MAX_DOMAINS) {
        return sy_fail(err, SY_BAD_INPUT, "domains: expected 1 to %d, found %d",
                       SY_MAX_DOMAINS, parts->domain_count);
    }
    for (int d = 0; d < parts->domain_count; d++) {
        const struct sy_domain *domain = &parts->domain[d];
        if (!sy_name_valid(domain->name)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "domains[%d].name: expected letters, digits, '_' "
                           "and '-'",
                           d);
        }
        if (domain->classes < 1 || domain->classes > SY_MAX_CHANNELS) {
            return sy_fail(err, SY_BAD_INPUT,
                           "domains[%d].classes: expected 1 to %d, found %d", d,
                           SY_MAX_CHANNELS, domain->classes);
        }
        for (int before = 0; before < d; before++) {
            if (strcmp(parts->domain[before].name, domain->name) == 0) {
                return sy_fail(err, SY_BAD_INPUT,
                               "domains[%d].name: \"%s\" is the name of "
                               "domains[%d] already",
                               d, domain->name, before);
            }
        }
    }
    return SY_OK;
}

static enum sy_status check_path(const struct sy_network_parts *parts, int e,
                                 struct sy_error *err)
{
    const struct sy_path *path = &parts->expert[e].path;
    if (path->layer_count != parts->spec->layer_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "experts[%d].path: expected %d blocks (one per layer), "
                       "found %d",
                       e, parts->spec->layer_count, path->layer_count);
    }
    for (int l = 0; l < path->layer_count; l++) {
        int count = parts->spec->layer[l].block_count;
        if (path->block[l] < 0 || path->block[l] >= count) {
            return sy_fail(err, SY_BAD_INPUT,
                           "experts[%d].path: layer %d: expected a block from "
                           "0 to %d, found %d",
                           e, l, count - 1, path->block[l]);
        }
    }
    return SY_OK;
}

static enum sy_status check_expert(const struct sy_network_parts *parts, int e,
                                   struct sy_error *err)
{
    const struct sy_expert *expert = &parts->expert[e];
    if (!sy_name_valid(expert->name)) {
        return sy_fail(
            err, SY_BAD_INPUT,
            "experts[%d].name: expected letters, digits, '_' and '-'", e);
    }
    if (expert->domain < 0 || expert->domain >= parts->domain_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "experts[%d].domain: expected 0 to %d, found %d", e,
                       parts->domain_count - 1, expert->domain);
    }
    if (!(expert->temperature >= SY_TEMPERATURE_MIN &&
          expert->temperature <= SY_TEMPERATURE_MAX)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "experts[%d].temperature: expected %g to %g, found %g",
                       e, SY_TEMPERATURE_MIN, SY_TEMPERATURE_MAX,
                       expert->temperature);
    }
    for (int before = 0; before < e; before++) {
        if (parts->expert[before].domain == expert->domain &&
            strcmp(parts->expert[before].name, expert->name) == 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "experts[%d].name: domain \"%s\" has an expert "
                           "\"%s\" already",
                           e, parts->domain[expert->domain].name, expert->name);
        }
    }
    return check_path(parts, e, err);
}

/* True where an expert's path takes the block; `domain` < 0: any domain's. */
static bool on_a_path(const struct sy_expert *experts, int count, int layer,
                      int block, int domain)
{
    for (int e = 0; e < count; e++) {
        if (experts[e].path.block[layer] == block &&
            (domain < 0 || experts[e].domain == domain)) {
            return true;
        }
    }
    return false;
}

static enum sy_status check_experts(const struct sy_network_parts *parts,
                                    struct sy_error *err)
{
    const struct sy_network_spec *spec = parts->spec;
    bool served[SY_MAX_DOMAINS] = {false};
    if (parts->expert_count < 0 || parts->expert_count > SY_MAX_EXPERTS) {
        return sy_fail(err, SY_BAD_INPUT, "experts: expected 0 to %d, found %d",
                       SY_MAX_EXPERTS, parts->expert_count);
    }
    if (parts->expert_count == 0) {
        return SY_OK;
    }
    for (int e = 0; e < parts->expert_count; e++) {
        SY_TRY(check_expert(parts, e, err));
        served[parts->expert[e].domain] = true;
    }
    for (int d = 0; d < parts->domain_count; d++) {
        if (!served[d]) {
            return sy_fail(err, SY_BAD_INPUT, "experts: domain \"%s\" has none",
                           parts->domain[d].name);
        }
    }
    for (int l = 0; l < spec->layer_count; l++) {
        for (int b = 0; b < spec->layer[l].block_count; b++) {
            if (!on_a_path(parts->expert, parts->expert_count, l, b, -1)) {
                return sy_fail(err, SY_BAD_INPUT,
                               "layers[%d].blocks[%d]: block \"%s\" is on no "
                               "expert's path and has to be left out",
                               l, b, spec->layer[l].block[b].id);
            }
        }
    }
    return SY_OK;
}

static enum sy_status check_parts(const struct sy_network_parts *parts,
                                  struct sy_error *err)
{
    if (!sy_name_valid(parts->name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "name: expected letters, digits, '_' and '-'");
    }
    SY_TRY(sy_spec_check(parts->spec, err));
    SY_TRY(check_domains(parts, err));
    SY_TRY(check_experts(parts, err));
    if (parts->gate_count < 0 || parts->gate_count > SY_MAX_GATES) {
        return sy_fail(err, SY_BAD_INPUT, "gates: expected 0 to %d, found %d",
                       SY_MAX_GATES, parts->gate_count);
    }
    for (int g = 0; g < parts->gate_count; g++) {
        SY_TRY(sy_gate_check(parts, g, err));
    }
    return SY_OK;
}

static enum sy_status copy_labels(struct sy_domain *to,
                                  const struct sy_domain *from,
                                  struct sy_error *err)
{
    char number[16];
    to->labels = sy_alloc_zero((size_t)from->classes, sizeof *to->labels);
    if (to->labels == NULL) {
        return no_memory(err);
    }
    for (int k = 0; k < from->classes; k++) {
        (void)snprintf(number, sizeof number, "%d", k);
        to->labels[k] =
            sy_strdup(from->labels != NULL ? from->labels[k] : number);
        if (to->labels[k] == NULL) {
            return no_memory(err);
        }
    }
    return SY_OK;
}

/* Gives every domain the route of its expert "main", or of its first one. */
static enum sy_status first_routes(struct sy_network *network,
                                   struct sy_error *err)
{
    for (int d = 0; network->expert_count > 0 && d < network->domain_count;
         d++) {
        int expert = sy_network_find_expert(network, d, "main");
        for (int e = 0; expert < 0; e++) {
            expert = network->expert[e].domain == d ? e : -1;
        }
        network->route[d] = sy_route_new_expert(expert);
        if (network->route[d] == NULL) {
            return no_memory(err);
        }
    }
    return SY_OK;
}

/* Copies names, domains, experts and gates, and makes the first routes. */
static enum sy_status copy_parts(struct sy_network *network,
                                 const struct sy_network_parts *parts,
                                 struct sy_error *err)
{
    size_t domains = (size_t)parts->domain_count;
    size_t experts = (size_t)parts->expert_count;
    size_t gates = (size_t)parts->gate_count;
    memcpy(network->name, parts->name, strlen(parts->name) + 1);
    network->spec = *parts->spec;
    network->domain = sy_alloc_zero(domains, sizeof *network->domain);
    network->route = sy_alloc_zero(domains, sizeof(struct sy_route *));
    network->expert = sy_alloc_zero(experts, sizeof *network->expert);
    network->gate = sy_alloc_zero(gates, sizeof *network->gate);
    if (network->domain == NULL || network->route == NULL ||
        network->expert == NULL || network->gate == NULL) {
        return no_memory(err);
    }
    network->domain_count = parts->domain_count;
    for (int d = 0; d < parts->domain_count; d++) {
        network->domain[d] = parts->domain[d];
        network->domain[d].labels = NULL;
    }
    for (int d = 0; d < parts->domain_count; d++) {
        SY_TRY(copy_labels(&network->domain[d], &parts->domain[d], err));
    }
    network->expert_count = parts->expert_count;
    for (int e = 0; e < parts->expert_count; e++) {
        network->expert[e] = parts->expert[e];
    }
    network->gate_count = parts->gate_count;
    for (int g = 0; g < parts->gate_count; g++) {
        network->gate[g] = parts->gate[g];
    }
    return first_routes(network, err);
}

/* Numbers the units and counts them. */
static int number_units(struct sy_network *network)
{
    int count = 0;
    network->stem = count++;
    for (int l = 0; l < network->spec.layer_count; l++) {
        network->first_block[l] = count;
        count += network->spec.layer[l].block_count;
    }
    network->trunk = count++;
    network->first_head = count;
    count += network->domain_count;
    network->first_gate = count;
    return count + network->gate_count;
}

/* The plan of a head's part, from `input`; `domain` -1 is the trunk. */
static enum sy_status plan_head(const struct sy_network *network, int domain,
                                struct sy_shape input, struct sy_plan *plan,
                                struct sy_error *err)
{
    const struct sy_head_spec *spec = &network->spec.head;
    sy_plan_begin(plan, input, err);
    if (domain < 0) {
        sy_head_classify.emit_trunk(spec, plan);
    } else {
        sy_head_classify.emit_domain(spec, network->domain[domain].classes,
                                     plan);
    }
    enum sy_status status = sy_plan_end(plan, plan->output);
    if (status != SY_OK) {
        sy_error_prefix(err, "head");
    }
    return status;
}

/* Names and plans every unit. */
static enum sy_status make_units(struct sy_network *network,
                                 struct sy_error *err)
{
    const struct sy_network_spec *spec = &network->spec;
    struct sy_unit *unit = network->unit;
    struct sy_block_place place = sy_spec_place(spec, -1);
    (void)snprintf(unit->id, sizeof unit->id, "stem");
    SY_TRY(sy_block_plan(&spec->stem, &place, &unit->plan, err));
    for (int l = 0; l < spec->layer_count; l++) {
        place = sy_spec_place(spec, l);
        for (int b = 0; b < spec->layer[l].block_count; b++) {
            const struct sy_candidate *candidate = &spec->layer[l].block[b];
            unit = &network->unit[network->first_block[l] + b];
            (void)snprintf(unit->id, sizeof unit->id, "%s", candidate->id);
            unit->layer = l;
            unit->block = b;
            SY_TRY(sy_block_plan(&candidate->spec, &place, &unit->plan, err));
        }
    }
    unit = &network->unit[network->trunk];
    (void)snprintf(unit->id, sizeof unit->id, "trunk");
    SY_TRY(plan_head(network, -1, sy_spec_shape(spec, spec->layer_count),
                     &unit->plan, err));
    struct sy_shape features = unit->plan.value[unit->plan.output];
    for (int d = 0; d < network->domain_count; d++) {
        unit = &network->unit[network->first_head + d];
        (void)snprintf(unit->id, sizeof unit->id, "head.%s",
                       network->domain[d].name);
        SY_TRY(plan_head(network, d, features, &unit->plan, err));
    }
    for (int g = 0; g < network->gate_count; g++) {
        const struct sy_gate *gate = &network->gate[g];
        bool root = gate->domain < 0;
        unit = &network->unit[network->first_gate + g];
        (void)snprintf(unit->id, sizeof unit->id, "gate.%s%s%s",
                       root ? "" : network->domain[gate->domain].name,
                       root ? "" : ".", gate->name);
        SY_TRY(sy_gate_plan(gate, spec, &unit->plan, err));
    }
    return SY_OK;
}

static enum sy_status plan_units(struct sy_network *network,
                                 struct sy_error *err)
{
    int count = number_units(network);
    size_t slots = (size_t)sy_network_slots(network);
    network->unit = sy_alloc_zero((size_t)count, sizeof *network->unit);
    if (network->unit == NULL) {
        return no_memory(err);
    }
    network->unit_count = count;
    for (int u = 0; u < count; u++) {
        network->unit[u].layer = -1;
        network->unit[u].block = -1;
    }
    SY_TRY(make_units(network, err));
    for (int u = 0; u < count; u++) {
        struct sy_unit *unit = &network->unit[u];
        size_t entries = slots * (size_t)unit->plan.norm_count;
        unit->cost = sy_plan_cost(&unit->plan);
        unit->norm = sy_alloc(entries * sizeof *unit->norm);
        if (unit->norm == NULL) {
            return no_memory(err);
        }
        for (size_t i = 0; i < entries; i++) {
            unit->norm[i] = SY_ABSENT;
        }
    }
    return SY_OK;
}

/* Whether the unit has norms in this slot. */
static bool has_norms(const struct sy_network *network, int unit, int slot)
{
    const struct sy_unit *at = &network->unit[unit];
    if (unit == network->stem) {
        return slot == 0;
    }
    if (network->expert_count == 0 || network->spec.norm == SY_NORM_SHARED) {
        return true;
    }
    if (network->spec.norm == SY_NORM_PER_EXPERT) {
        const struct sy_expert *expert = &network->expert[slot];
        bool takes =
            at->layer < 0 || expert->path.block[at->layer] == at->block;
        return takes && sy_network_slot(network, unit, expert->domain,
                                        &expert->path) == slot;
    }
    return at->layer < 0 || on_a_path(network->expert, network->expert_count,
                                      at->layer, at->block, slot);
}

/* Appends a tensor, or counts it while there is no memory yet. */
static size_t add_tensor(struct sy_network *network, struct sy_tensor tensor)
{
    tensor.offset = network->value_count;
    tensor.count = 1;
    for (int d = 0; d < tensor.dims; d++) {
        tensor.count *= (size_t)tensor.dim[d];
    }
    if (network->tensor != NULL) {
        network->tensor[network->tensor_count] = tensor;
    }
    network->tensor_count++;
    network->value_count += tensor.count;
    return tensor.offset;
}

static void add_weights(struct sy_network *network, int unit)
{
    struct sy_unit *at = &network->unit[unit];
    bool head = unit >= network->first_head;
    for (int p = 0; p < at->plan.param_count; p++) {
        const struct sy_plan_param *param = &at->plan.param[p];
        struct sy_tensor tensor = {
            .dims = param->dims,
            .trained = true,
            .decay = param->decay,
            .unit = unit,
            .slot = -1,
            .init = param->init,
            .fan_in = param->fan_in,
            .fan_out = param->fan_out,
        };
        memcpy(tensor.dim, param->dim, sizeof tensor.dim);
        (void)snprintf(tensor.name, sizeof tensor.name, "%s%s.%s",
                       head ? "" : "block.", at->id, param->name);
        at->weight[p] = add_tensor(network, tensor);
    }
}

static void add_norm(struct sy_network *network, int unit, int slot, int norm)
{
    static const char *const names[4] = {"scale", "bias", "mean", "var"};
    char whose[SY_SLOT_NAME_BYTES];
    struct sy_unit *at = &network->unit[unit];
    const struct sy_plan_norm *plan = &at->plan.norm[norm];
    enum sy_init scale = plan->zero_scale ? SY_INIT_ZERO : SY_INIT_ONE;
    const enum sy_init init[4] = {scale, SY_INIT_ZERO, SY_INIT_ZERO,
                                  SY_INIT_ONE};
    at->norm[slot * at->plan.norm_count + norm] = network->value_count;
    sy_network_slot_name(network, unit, slot, whose);
    for (int i = 0; i < 4; i++) {
        struct sy_tensor tensor = {
            .dims = 1,
            .dim = {plan->channels},
            .trained = i < 2,
            .unit = unit,
            .slot = slot,
            .init = init[i],
        };
        (void)snprintf(tensor.name, sizeof tensor.name, "norm.%s.%s.%s.%s",
                       whose, at->id, plan->name, names[i]);
        (void)add_tensor(network, tensor);
    }
}

/* Walks all units; afterwards tensors and values are counted or laid out. */
static void lay_out(struct sy_network *network)
{
    network->tensor_count = 0;
    network->value_count = 0;
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_plan *plan = &network->unit[u].plan;
        sy_rest();
        add_weights(network, u);
        for (int s = 0; s < sy_network_slots(network); s++) {
            for (int n = 0; has_norms(network, u, s) && n < plan->norm_count;
                 n++) {
                add_norm(network, u, s, n);
            }
        }
    }
}

enum sy_status sy_network_new(struct sy_network **network,
                              const struct sy_network_parts *parts,
                              struct sy_error *err)
{
    enum sy_status status = SY_OK;
    size_t limit =
        parts->max_values > 0 ? parts->max_values : SY_NETWORK_MAX_VALUES;
    SY_TRY(check_parts(parts, err));
    struct sy_network *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return no_memory(err);
    }
    SY_TRY_OUT(copy_parts(made, parts, err));
    SY_TRY_OUT(plan_units(made, err));
    lay_out(made);
    if (made->value_count > limit) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "the network has %zu values, expected at most %zu",
                         made->value_count, limit);
        goto out;
    }
    made->tensor =
        sy_alloc_zero((size_t)made->tensor_count, sizeof *made->tensor);
    made->values = sy_alloc_zero(made->value_count, sizeof *made->values);
    if (made->tensor == NULL || made->values == NULL) {
        status = no_memory(err);
        goto out;
    }
    lay_out(made);
    *network = made;
    made = NULL;
out:
    sy_network_free(made);
    return status;
}
