/*
 * pack_apply.c - a network and a pack on top.
 *
 * DESIGN. The pack's own network is completed first: blocks that it does not
 * hold are found in the base by their content. The rest is composing: each
 * domain from where it is answered from now on. What is new and what is gone is
 * counted by comparing content, not by what the pack says.
 *
 * Where the base keeps its hashes (sums.h) nothing is hashed here but what was
 * not when the pack was read, and the applied network keeps its own.
 */
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/network/compose.h"
#include "runtime/network/copy.h"
#include "runtime/network/equal.h"
#include "runtime/network/sums.h"

/* Copies a unit's shared numbers out of the base. */
static void take_unit(struct sy_network *part, int unit,
                      const struct sy_network *base, int from)
{
    const struct sy_unit *to = &part->unit[unit], *at = &base->unit[from];
    sy_network_copy_weights(part, unit, base, from);
    bool shared = part->spec.norm == SY_NORM_SHARED || unit == part->stem;
    for (int n = 0; shared && n < to->plan.norm_count; n++) {
        memcpy(part->values + to->norm[n], base->values + at->norm[n],
               4 * (size_t)to->plan.norm[n].channels * sizeof(float));
    }
}

/* Fills in what the pack does not hold; what its network keeps as hashes of
   that was told by the description. */
static enum sy_status complete(struct sy_pack *pack,
                               const struct sy_network *base,
                               struct sy_error *err)
{
    struct sy_network *part = pack->part;
    struct sy_pack_content content;
    for (int u = 0; u < part->first_head; u++) {
        if (pack->holds[u]) {
            continue;
        }
        sy_pack_content(part, u, &content);
        int from = sy_pack_find(base, part, u, &content);
        if (from < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "pack %s builds on block \"%s\" with the hash "
                           "%.16s..., which network \"%s\" does not have; make "
                           "the pack with --base of what is served, or without "
                           "--base",
                           pack->id, part->unit[u].id, content.weights,
                           base->name);
        }
        take_unit(part, u, base, from);
    }
    return SY_OK;
}

static bool removes(const struct sy_pack *pack, const char *name)
{
    for (int i = 0; i < pack->remove_count; i++) {
        if (strcmp(pack->remove[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Where each domain comes from, once the pack is on top. */
static enum sy_status choose(struct sy_compose_domain *domains, int *count,
                             const struct sy_network *base,
                             const struct sy_pack *pack,
                             struct sy_pack_report *report,
                             struct sy_error *err)
{
    const struct sy_network *part = pack->part;
    for (int i = 0; i < pack->remove_count; i++) {
        if (sy_network_find_domain(base, pack->remove[i]) < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "pack %s removes domain \"%s\", which network "
                           "\"%s\" does not have",
                           pack->id, pack->remove[i], base->name);
        }
    }
    *count = 0;
    for (int d = 0; d < base->domain_count; d++) {
        const char *name = base->domain[d].name;
        int own = part != NULL ? sy_network_find_domain(part, name) : -1;
        if (!removes(pack, name)) {
            domains[(*count)++] = (struct sy_compose_domain){
                .from = own >= 0 ? part : base, .domain = own >= 0 ? own : d};
            report->domains_replaced += own >= 0;
        }
    }
    for (int d = 0; part != NULL && d < part->domain_count; d++) {
        if (sy_network_find_domain(base, part->domain[d].name) >= 0) {
            continue;
        }
        if (*count == SY_MAX_DOMAINS) {
            return sy_fail(err, SY_BAD_INPUT,
                           "pack %s: with its domains the network would have "
                           "more than %d",
                           pack->id, SY_MAX_DOMAINS);
        }
        domains[(*count)++] =
            (struct sy_compose_domain){.from = part, .domain = d};
        report->domains_added++;
    }
    report->domains_removed = pack->remove_count;
    return SY_OK;
}

/* Whether `other` has the block, form and content. */
static bool has_block(const struct sy_network *other,
                      const struct sy_network *network, int unit)
{
    int layer = network->unit[unit].layer;
    for (int b = 0; b < other->spec.layer[layer].block_count; b++) {
        if (sy_block_equal(other, sy_network_block(other, layer, b), network,
                           unit)) {
            return true;
        }
    }
    return false;
}

static int count_shared(const struct sy_network *a, const struct sy_network *b)
{
    int shared = 0;
    for (int l = 0; l < a->spec.layer_count; l++) {
        for (int i = 0; i < a->spec.layer[l].block_count; i++) {
            shared += has_block(b, a, sy_network_block(a, l, i));
        }
    }
    return shared;
}

static int count_blocks(const struct sy_network *network)
{
    int count = 0;
    for (int l = 0; l < network->spec.layer_count; l++) {
        count += network->spec.layer[l].block_count;
    }
    return count;
}

/* Whether the base has the numbers of a tensor of the applied network. */
static bool was_there(const struct sy_network *base,
                      const struct sy_network *applied,
                      const struct sy_tensor *tensor)
{
    int layer = applied->unit[tensor->unit].layer;
    if (layer >= 0 && sy_pack_is_shared(applied, tensor)) {
        return has_block(base, applied, tensor->unit);
    }
    for (int t = 0; t < base->tensor_count; t++) {
        const struct sy_tensor *other = &base->tensor[t];
        if (other->count == tensor->count &&
            strcmp(other->name, tensor->name) == 0) {
            return memcmp(base->values + other->offset,
                          applied->values + tensor->offset,
                          tensor->count * sizeof(float)) == 0;
        }
    }
    return false;
}

static void count_bytes(struct sy_pack_report *report,
                        const struct sy_network *base,
                        const struct sy_network *applied)
{
    int shared = count_shared(applied, base);
    for (int t = 0; t < applied->tensor_count; t++) {
        const struct sy_tensor *tensor = &applied->tensor[t];
        int64_t bytes = (int64_t)(tensor->count * sizeof(float));
        if (was_there(base, applied, tensor)) {
            report->shared_bytes += bytes;
        } else {
            report->new_bytes += bytes;
        }
    }
    report->freed_bytes =
        (int64_t)(base->value_count * sizeof(float)) - report->shared_bytes;
    report->blocks_shared = shared;
    report->blocks_new = count_blocks(applied) - shared;
    report->blocks_freed = count_blocks(base) - count_shared(base, applied);
}

/* The pack's root gate; with it the network is another, whose hashes are still
   those of what it is made of. */
static enum sy_status put_root(struct sy_network **made,
                               const struct sy_network *base,
                               const struct sy_pack *pack, struct sy_error *err)
{
    const struct sy_network *const like[SY_SUMS_LIKE] = {base, pack->part};
    SY_TRY(sy_pack_root_apply(made, pack, err));
    return base->sums != NULL ? sy_network_sum(*made, like, err) : SY_OK;
}

enum sy_status sy_pack_apply(struct sy_network **applied,
                             const struct sy_network *base,
                             struct sy_pack *pack,
                             struct sy_pack_report *report,
                             struct sy_error *err)
{
    struct sy_compose_domain domains[SY_MAX_DOMAINS];
    struct sy_pack_report found = {.sent_bytes = (int64_t)pack->bytes};
    struct sy_network *made = NULL;
    int count = 0;
    sy_rest();
    if (base->expert_count == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "pack %s: %s is a supernet, and takes no packs",
                       pack->id, base->name);
    }
    if (pack->part != NULL) {
        SY_TRY(complete(pack, base, err));
    }
    SY_TRY(choose(domains, &count, base, pack, &found, err));
    enum sy_status status =
        count == 0 ? sy_fail(err, SY_BAD_INPUT, "nothing would be left")
                   : sy_network_compose(&made, base, domains, count, err);
    if (status == SY_OK && pack->root_gate != NULL) {
        status = put_root(&made, base, pack, err);
    }
    if (status != SY_OK) {
        sy_network_free(made);
        sy_error_prefix(err, "pack %s", pack->id);
        return status;
    }
    if (report != NULL) {
        count_bytes(&found, base, made);
        *report = found;
    }
    *applied = made;
    return SY_OK;
}
