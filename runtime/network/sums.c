/*
 * sums.c - hashes of content, kept and taken over.
 *
 * DESIGN. Whether two units are the same is asked of their numbers, not of
 * where they were copied from: comparing is a tenth of the cost of hashing, and
 * cannot be wrong. It is asked of the units that stand at the same place (stem,
 * layer, trunk, head, gate), of which few begin alike.
 */
#include "runtime/network/sums.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/network/equal.h"

static void hash_weights(const struct sy_network *network, int unit,
                         char text[SY_HASH_TEXT_BYTES])
{
    const struct sy_unit *at = &network->unit[unit];
    struct sy_hash hash;
    sy_hash_init(&hash);
    for (int p = 0; p < at->plan.param_count; p++) {
        sy_hash_add(&hash, network->values + at->weight[p],
                    sy_plan_param_count(&at->plan.param[p]) * sizeof(float));
    }
    sy_hash_end(&hash, text);
}

static void hash_norms(const struct sy_network *network, int unit, int slot,
                       char text[SY_HASH_TEXT_BYTES])
{
    const struct sy_unit *at = &network->unit[unit];
    struct sy_hash hash;
    sy_hash_init(&hash);
    for (int n = 0; n < at->plan.norm_count; n++) {
        size_t offset = at->norm[slot * at->plan.norm_count + n];
        size_t count = 4 * (size_t)at->plan.norm[n].channels;
        SY_ASSERT(offset != SY_ABSENT);
        sy_hash_add(&hash, network->values + offset, count * sizeof(float));
    }
    sy_hash_end(&hash, text);
}

void sy_network_hash_weights(const struct sy_network *network, int unit,
                             char text[SY_HASH_TEXT_BYTES])
{
    if (network->sums != NULL) {
        memcpy(text, network->sums->weights[unit], SY_HASH_TEXT_BYTES);
    } else {
        hash_weights(network, unit, text);
    }
}

void sy_network_hash_norms(const struct sy_network *network, int unit, int slot,
                           char text[SY_HASH_TEXT_BYTES])
{
    if (network->sums != NULL) {
        int slots = sy_network_slots(network);
        memcpy(text, network->sums->norms[unit * slots + slot],
               SY_HASH_TEXT_BYTES);
    } else {
        hash_norms(network, unit, slot, text);
    }
}

/* The first unit and the number of units at the place where one stands. */
struct place {
    int first, count;
};

static struct place place_in(const struct sy_network *other,
                             const struct sy_network *network, int unit)
{
    int layer = network->unit[unit].layer;
    if (layer >= other->spec.layer_count) {
        return (struct place){0};
    }
    if (layer >= 0) {
        return (struct place){other->first_block[layer],
                              other->spec.layer[layer].block_count};
    }
    if (unit >= network->first_gate) {
        return (struct place){other->first_gate, other->gate_count};
    }
    if (unit >= network->first_head) {
        return (struct place){other->first_head,
                              other->first_gate - other->first_head};
    }
    return (struct place){unit == network->stem ? other->stem : other->trunk,
                          1};
}

static void sum_weights(struct sy_network *network, int unit,
                        const struct sy_network *const like[SY_SUMS_LIKE])
{
    char *text = network->sums->weights[unit];
    for (int i = 0; like != NULL && i < SY_SUMS_LIKE; i++) {
        struct place at = {0};
        if (like[i] != NULL) {
            at = place_in(like[i], network, unit);
        }
        for (int u = at.first; u < at.first + at.count; u++) {
            if (sy_unit_equal(network, unit, like[i], u)) {
                sy_network_hash_weights(like[i], u, text);
                return;
            }
        }
    }
    hash_weights(network, unit, text);
}

/* The hash of equal norms of a network that keeps its own, or NULL. */
static const char *find_norms(const struct sy_network *network, int unit,
                              int slot, const struct sy_network *other)
{
    int slots = sy_network_slots(other);
    int norms = network->unit[unit].plan.norm_count;
    struct place at = place_in(other, network, unit);
    for (int i = at.first * slots; i < (at.first + at.count) * slots; i++) {
        if (other->unit[i / slots].plan.norm_count == norms &&
            sy_norms_equal(network, unit, slot, other, i / slots, i % slots)) {
            return other->sums->norms[i];
        }
    }
    return NULL;
}

static void sum_norms(struct sy_network *network, int unit, int slot,
                      const struct sy_network *const like[SY_SUMS_LIKE])
{
    const struct sy_unit *at = &network->unit[unit];
    int norms = at->plan.norm_count;
    char *text = network->sums->norms[unit * sy_network_slots(network) + slot];
    if (norms > 0 && at->norm[slot * norms] == SY_ABSENT) {
        return; /* all norms of a unit are there, or none */
    }
    for (int i = 0; norms > 0 && like != NULL && i < SY_SUMS_LIKE; i++) {
        const char *found =
            like[i] != NULL ? find_norms(network, unit, slot, like[i]) : NULL;
        if (found != NULL) {
            memcpy(text, found, SY_HASH_TEXT_BYTES);
            return;
        }
    }
    hash_norms(network, unit, slot, text);
}

enum sy_status sy_network_make_sums(struct sy_network *network,
                                    struct sy_error *err)
{
    size_t units = (size_t)network->unit_count;
    size_t slots = (size_t)sy_network_slots(network);
    struct sy_sums *sums = sy_alloc_zero(
        1, sizeof *sums + units * (1 + slots) * sizeof sums->weights[0]);
    if (sums == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "hashes of a network: no memory");
    }
    sums->weights = (void *)(sums + 1);
    sums->norms = sums->weights + units;
    sy_network_forget_sums(network);
    network->sums = sums;
    return SY_OK;
}

void sy_network_fill_sums(struct sy_network *network,
                          const struct sy_network *const like[SY_SUMS_LIKE])
{
    int slots = sy_network_slots(network);
    for (int u = 0; u < network->unit_count; u++) {
        if (network->sums->weights[u][0] == '\0') {
            sum_weights(network, u, like);
        }
        for (int slot = 0; slot < slots; slot++) {
            sy_rest();
            if (network->sums->norms[u * slots + slot][0] == '\0') {
                sum_norms(network, u, slot, like);
            }
        }
    }
}

enum sy_status sy_network_sum(struct sy_network *network,
                              const struct sy_network *const like[SY_SUMS_LIKE],
                              struct sy_error *err)
{
    SY_TRY(sy_network_make_sums(network, err));
    sy_network_fill_sums(network, like);
    return SY_OK;
}

void sy_network_forget_sums(struct sy_network *network)
{
    sy_free(network->sums);
    network->sums = NULL;
}
