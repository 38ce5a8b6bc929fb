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
#include "runtime/network/copy.h"
#include "runtime/network/equal.h"
#include "runtime/network/sums.h"

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
    int expert_from[SY_MAX_EXPERTS]; /* its index where it comes from */
    int gate_count;
    struct sy_gate gate[SY_MAX_GATES];
    struct sy_network *made;
};

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
             sy_block_equal(j->served, sy_network_block(j->served, layer, b),
                            j->candidate, unit))) {
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
    for (int i = 0; sy_spec_has_id(&j->spec, added->id); i++) {
        (void)snprintf(added->id, sizeof added->id, "next-%d", i);
    }
    j->from[layer][at->block_count] = block;
    *placed = at->block_count++;
    return SY_OK;
}

static enum sy_status place_expert(struct joining *j, int e, int domain,
                                   struct sy_error *err)
{
    const struct sy_expert *from = &j->candidate->expert[e];
    if (j->expert_count == SY_MAX_EXPERTS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "the served experts and the new ones together are more "
                       "than %d",
                       SY_MAX_EXPERTS);
    }
    j->expert_from[j->expert_count] = e;
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
        j->expert_from[j->expert_count] = e;
        j->expert[j->expert_count++] = a->expert[e];
    }
    for (int i = 0; i < j->count; i++) {
        int domain = a->domain_count + i;
        j->domain[domain] = b->domain[j->on_trial[i]];
        name_domain(j, domain);
        for (int e = 0; e < b->expert_count; e++) {
            if (b->expert[e].domain == j->on_trial[i]) {
                SY_TRY(place_expert(j, e, domain, err));
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

/* The network and unit that a unit's weights come from. */
struct source {
    const struct sy_network *network;
    int unit;
};

/* Where `domain` (of the joined network), which has the unit, has it from. */
static struct source source_of(const struct joining *j, int unit, int domain)
{
    const struct sy_network *a = j->served, *b = j->candidate;
    const struct sy_unit *at = &j->made->unit[unit];
    bool trial = domain >= a->domain_count;
    struct source from = {.network = trial ? b : a};
    if (at->layer >= 0) {
        int block = trial ? j->from[at->layer][at->block] : at->block;
        from.unit = sy_network_block(from.network, at->layer, block);
    } else if (unit < j->made->first_head) {
        from.unit =
            unit == j->made->stem ? from.network->stem : from.network->trunk;
    } else {
        from.unit = sy_network_head(
            from.network,
            trial ? j->on_trial[domain - a->domain_count] : domain);
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
    struct source from = source_of(j, unit, owner_of(j, unit));
    sy_network_copy_weights(j->made, unit, from.network, from.unit);
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
    sy_network_copy_weights(j->made, sy_network_gate(j->made, g), from,
                            sy_network_gate(from, source));
}

static enum sy_status fill(struct joining *j, struct sy_error *err)
{
    int served = j->served->domain_count;
    for (int g = 0; g < j->made->gate_count; g++) {
        copy_gate(j, g);
    }
    for (int u = 0; u < j->made->first_gate; u++) {
        copy_weights(j, u);
    }
    for (int e = 0; e < j->made->expert_count; e++) {
        bool trial = e >= j->served->expert_count;
        sy_network_copy_expert_norms(
            j->made, e, trial ? j->candidate : j->served, j->expert_from[e]);
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
    if (served->sums != NULL && candidate->sums != NULL) {
        SY_TRY_OUT(sy_network_sum(
            j->made, (const struct sy_network *const[]){served, candidate},
            err));
    }
    *joined = j->made;
    j->made = NULL;
out:
    sy_network_free(j->made);
    sy_free(j);
    return status;
}
