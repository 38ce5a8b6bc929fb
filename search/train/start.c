/*
 * start.c - copies what a trained model and a new network have in common.
 */
#include "search/train/start.h"

#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"

static const struct sy_tensor *find_tensor(const struct sy_network *network,
                                           const char *name)
{
    for (int t = 0; t < network->tensor_count; t++) {
        if (strcmp(network->tensor[t].name, name) == 0) {
            return &network->tensor[t];
        }
    }
    return NULL;
}

static bool same_shape(const struct sy_tensor *a, const struct sy_tensor *b)
{
    return a->dims == b->dims &&
           memcmp(a->dim, b->dim, (size_t)a->dims * sizeof a->dim[0]) == 0;
}

/* Finds what both have, after a look at all shapes. */
static enum sy_status match(const struct sy_network *network,
                            const struct sy_network *from, const char *model,
                            const struct sy_tensor **source,
                            struct sy_error *err)
{
    int found = 0;
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *here = &network->tensor[t];
        source[t] = find_tensor(from, here->name);
        if (source[t] != NULL && !same_shape(source[t], here)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: tensor %s has another shape there than in "
                           "this configuration; start from a model of the "
                           "same layers",
                           model, here->name);
        }
        found += source[t] != NULL;
    }
    return found > 0 ? SY_OK
                     : sy_fail(err, SY_BAD_INPUT,
                               "%s: has no block of this configuration; "
                               "blocks are told by their ids",
                               model);
}

enum sy_status nas_start_from(struct sy_network *network, const char *model,
                              uint8_t *taken, char *sha256,
                              struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_network *from = NULL;
    struct sy_artefact artefact;
    struct sy_hash sum;
    const struct sy_tensor **source = NULL;
    SY_TRY(sy_artefact_load(model, &from, &artefact, err));
    source = sy_alloc_zero((size_t)network->tensor_count, sizeof *source);
    if (source == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "start: no memory");
        goto out;
    }
    SY_TRY_OUT(match(network, from, artefact.path, source, err));
    sy_hash_init(&sum);
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *to = &network->tensor[t];
        taken[t] = source[t] != NULL;
        if (source[t] != NULL) {
            memcpy(network->values + to->offset,
                   from->values + source[t]->offset, to->count * sizeof(float));
            sy_hash_add(&sum, network->values + to->offset,
                        to->count * sizeof(float));
        }
    }
    sy_hash_end(&sum, sha256);
out:
    sy_free(source);
    sy_network_free(from);
    return status;
}
