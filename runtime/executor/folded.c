/*
 * folded.c - the norms of a unit in one slot, as one multiply-add each.
 *
 * A folded norm is computed in double and rounded once:
 *     s = scale / sqrt(var + eps),  b = bias - mean * s.
 */
#include <math.h>
#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/executor/parts.h"
#include "runtime/network/sums.h"

static const float *raw_norm(const struct sy_network *network,
                             const struct sy_unit *unit, int slot, int norm)
{
    size_t offset = unit->norm[slot * unit->plan.norm_count + norm];
    SY_ASSERT(offset != SY_ABSENT);
    return network->values + offset;
}

/* Writes scale and bias, `channels` floats each. */
static void fold(const float *raw, int channels, float *new_scale,
                 float *new_bias)
{
    size_t count = (size_t)channels;
    const float *scale = raw, *bias = scale + count;
    const float *mean = bias + count, *var = mean + count;

    for (size_t c = 0; c < count; c++) {
        double factor =
            (double)scale[c] / sqrt((double)var[c] + (double)SY_NORM_EPSILON);
        new_scale[c] = (float)factor;
        new_bias[c] = (float)((double)bias[c] - (double)mean[c] * factor);
    }
}

/* Floats of a vector of channels, in whole cache lines. */
static size_t line_floats(int channels)
{
    size_t line = SY_ALIGN_BYTES / sizeof(float);
    return ((size_t)channels + line - 1) / line * line;
}

struct sy_ready_folded *sy_folded_new(const struct sy_network *network,
                                      const struct sy_unit *unit, int slot,
                                      const char *hash)
{
    const struct sy_plan *plan = &unit->plan;
    struct sy_ready_folded *folded;
    size_t line = SY_ALIGN_BYTES;
    size_t head = (sizeof *folded + line - 1) / line * line;
    size_t floats = 0;

    for (int n = 0; n < plan->norm_count; n++) {
        floats += 2 * line_floats(plan->norm[n].channels);
    }
    size_t bytes = head + floats * sizeof(float);
    folded = sy_alloc_zero(1, bytes);
    if (folded == NULL) {
        return NULL;
    }
    atomic_init(&folded->references, 1);
    folded->bytes = bytes;
    (void)snprintf(folded->hash, sizeof folded->hash, "%s", hash);
    float *room = (float *)(void *)((char *)folded + head);
    for (int n = 0; n < plan->norm_count; n++) {
        int channels = plan->norm[n].channels;
        float *bias = room + line_floats(channels);
        fold(raw_norm(network, unit, slot, n), channels, room, bias);
        folded->norm[n] = (struct sy_folded_norm){room, bias};
        room = bias + line_floats(channels);
    }
    return folded;
}

struct sy_ready_folded *sy_folded_ref(struct sy_ready_folded *folded)
{
    atomic_fetch_add_explicit(&folded->references, 1, memory_order_relaxed);
    return folded;
}

void sy_folded_unref(struct sy_ready_folded *folded)
{
    if (folded != NULL &&
        atomic_fetch_sub_explicit(&folded->references, 1,
                                  memory_order_acq_rel) == 1) {
        sy_free(folded);
    }
}

void sy_folded_hash(const struct sy_network *network,
                    const struct sy_unit *unit, int slot,
                    char hash[SY_HASH_TEXT_BYTES])
{
    struct sy_hash running;

    sy_hash_init(&running);
    for (int n = 0; n < unit->plan.norm_count; n++) {
        int channels = unit->plan.norm[n].channels;
        sy_hash_add(&running, &channels, sizeof channels);
    }
    sy_network_hash_norms(network, (int)(unit - network->unit), slot, hash);
    sy_hash_add(&running, hash, SY_HASH_TEXT_BYTES);
    sy_hash_end(&running, hash);
}
