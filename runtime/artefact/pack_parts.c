/*
 * pack_parts.c - what reading, writing and applying packs have in common:
 * names, hashes, and how content is found.
 */
#include "runtime/artefact/pack_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/network/sums.h"

static int compare_names(const void *a, const void *b)
{
    const struct sy_st_entry *const *x = a;
    const struct sy_st_entry *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void hash_entry(struct sy_hash *hash, const struct sy_st_entry *entry)
{
    char text[32];
    bool bytes = entry->u8 != NULL;
    sy_hash_add(hash, entry->name, strlen(entry->name));
    sy_hash_add(hash, bytes ? "\nU8\n" : "\nF32\n", bytes ? 4 : 5);
    for (int d = 0; d < entry->dims; d++) {
        int length =
            snprintf(text, sizeof text, "%" PRId64 "\n", entry->dim[d]);
        sy_hash_add(hash, text, (size_t)length);
    }
    if (bytes) {
        sy_hash_add(hash, entry->u8, entry->count);
    } else {
        sy_hash_add(hash, entry->data, entry->count * sizeof(float));
    }
}

bool sy_pack_hash_tensors(const struct sy_st_entry *const *entries, int count,
                          char text[SY_HASH_TEXT_BYTES])
{
    struct sy_hash hash;
    const struct sy_st_entry **sorted =
        sy_alloc_zero((size_t)count, sizeof(struct sy_st_entry *));
    if (sorted == NULL) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        sorted[i] = entries[i];
    }
    if (count > 0) {
        qsort(sorted, (size_t)count, sizeof(struct sy_st_entry *),
              compare_names);
    }
    sy_hash_init(&hash);
    for (int i = 0; i < count; i++) {
        hash_entry(&hash, sorted[i]);
    }
    sy_hash_end(&hash, text);
    sy_free(sorted);
    return true;
}

bool sy_pack_digest(json_t *root, char text[SY_HASH_TEXT_BYTES])
{
    json_t *rest = sy_model_copy(root);
    if (rest == NULL) {
        return false;
    }
    (void)json_object_del(rest, "signature");
    bool made = sy_model_digest(rest, text);
    json_decref(rest);
    return made;
}

size_t sy_pack_signed_text(const char *digest, char text[SY_PACK_SIGNED_BYTES])
{
    return (size_t)snprintf(text, SY_PACK_SIGNED_BYTES, SY_PACK_FORMAT " %d %s",
                            SY_PACK_FORMAT_VERSION, digest);
}

bool sy_pack_norms_are_shared(const struct sy_network *network, int unit)
{
    return network->spec.norm == SY_NORM_SHARED || unit == network->stem;
}

bool sy_pack_is_shared(const struct sy_network *part,
                       const struct sy_tensor *tensor)
{
    return tensor->unit < part->first_head &&
           (tensor->slot < 0 || sy_pack_norms_are_shared(part, tensor->unit));
}

void sy_pack_content(const struct sy_network *network, int unit,
                     struct sy_pack_content *content)
{
    sy_network_hash_weights(network, unit, content->weights);
    content->norms[0] = '\0';
    if (sy_pack_norms_are_shared(network, unit)) {
        sy_network_hash_norms(network, unit, 0, content->norms);
    }
}

/* Whether numbers can be copied from one unit to the other. */
static bool same_sizes(const struct sy_network *a, int unit_a,
                       const struct sy_network *b, int unit_b)
{
    const struct sy_plan *x = &a->unit[unit_a].plan;
    const struct sy_plan *y = &b->unit[unit_b].plan;
    bool same =
        x->param_count == y->param_count && x->norm_count == y->norm_count;
    for (int p = 0; same && p < x->param_count; p++) {
        same = sy_plan_param_count(&x->param[p]) ==
               sy_plan_param_count(&y->param[p]);
    }
    for (int n = 0; same && n < x->norm_count; n++) {
        same = x->norm[n].channels == y->norm[n].channels;
    }
    return same;
}

static bool has_content(const struct sy_network *base, int unit,
                        const struct sy_pack_content *content)
{
    struct sy_pack_content found;
    sy_pack_content(base, unit, &found);
    return strcmp(found.weights, content->weights) == 0 &&
           strcmp(found.norms, content->norms) == 0;
}

int sy_pack_find(const struct sy_network *base, const struct sy_network *part,
                 int unit, const struct sy_pack_content *content)
{
    int layer = part->unit[unit].layer;
    int first = unit == part->stem ? base->stem : base->trunk;
    int count = 1;
    if (layer >= base->spec.layer_count) {
        return -1;
    }
    if (layer >= 0) {
        first = base->first_block[layer];
        count = base->spec.layer[layer].block_count;
    }
    for (int u = first; u < first + count; u++) {
        if (same_sizes(part, unit, base, u) && has_content(base, u, content)) {
            return u;
        }
    }
    return -1;
}

void sy_probe_images_name(const char *domain, char name[SY_PACK_NAME_BYTES])
{
    (void)snprintf(name, SY_PACK_NAME_BYTES, "probe.%s.images", domain);
}

void sy_probe_answers_name(const char *domain, const char *expert,
                           char name[SY_PACK_NAME_BYTES])
{
    (void)snprintf(name, SY_PACK_NAME_BYTES, "probe.%s.%s.probabilities",
                   domain, expert);
}
