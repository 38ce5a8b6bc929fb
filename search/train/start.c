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

/* Whether a path of another domain takes the block. */
static bool others_need(const struct sy_network *from, int domain, int layer,
                        int block)
{
    for (int e = 0; e < from->expert_count; e++) {
        if (from->expert[e].domain != domain &&
            from->expert[e].path.block[layer] == block) {
            return true;
        }
    }
    return false;
}

/* Whether a tensor of the model has to stay as it is for its other domains. */
static bool is_held(const struct sy_network *from, int domain,
                    const struct sy_tensor *tensor)
{
    const struct sy_unit *unit = &from->unit[tensor->unit];
    bool own = tensor->slot >= 0 && tensor->unit != from->stem &&
               from->spec.norm != SY_NORM_SHARED;
    if (own || tensor->unit >= from->first_head) {
        return false;
    }
    return unit->layer < 0 ||
           others_need(from, domain, unit->layer, unit->block);
}

enum sy_status nas_start_from(struct sy_network *network, const char *model,
                              const char *domain, uint8_t *taken, char *sha256,
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
        taken[t] =
            source[t] != NULL &&
            (domain == NULL ||
             is_held(from, sy_network_find_domain(from, domain), source[t]));
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

/* The layers of the model, and what the configuration has beside them. */
static enum sy_status merge(struct sy_network_spec *spec,
                            const struct sy_network_spec *ours,
                            struct sy_error *err)
{
    for (int l = 0; l < ours->layer_count; l++) {
        struct sy_layer_spec *layer = &spec->layer[l];
        for (int b = 0; b < ours->layer[l].block_count; b++) {
            const struct sy_candidate *candidate = &ours->layer[l].block[b];
            bool known = false;
            for (int o = 0; !known && o < layer->block_count; o++) {
                known = strcmp(layer->block[o].id, candidate->id) == 0;
            }
            if (!known && layer->block_count == SY_MAX_BLOCKS) {
                return sy_fail(err, SY_UNSUPPORTED,
                               "layer %d: the model's blocks and the new "
                               "candidates are more than %d",
                               l, SY_MAX_BLOCKS);
            }
            if (!known) {
                layer->block[layer->block_count++] = *candidate;
            }
        }
    }
    return sy_spec_check(spec, err);
}

/* The spec with no block in any layer, as JSON: what has to be the same. */
static json_t *form_of(const struct sy_network_spec *spec)
{
    json_t *json = sy_spec_to_json(spec), *layer;
    size_t l;
    json_array_foreach(json_object_get(json, "layers"), l, layer)
    {
        (void)json_object_del(layer, "blocks");
    }
    return json;
}

static enum sy_status check_form(const struct sy_network_spec *theirs,
                                 const struct sy_network_spec *ours,
                                 const char *model, struct sy_error *err)
{
    json_t *there = form_of(theirs), *here = form_of(ours), *value;
    const char *key, *what = NULL;
    json_object_foreach(here, key, value)
    {
        if (!json_equal(value, json_object_get(there, key))) {
            what = key;
        }
    }
    enum sy_status status =
        what == NULL
            ? SY_OK
            : sy_fail(err, SY_BAD_INPUT,
                      "%s: network.%s is another one there than in this "
                      "configuration; a domain of it needs the same",
                      model, what);
    json_decref(there);
    json_decref(here);
    return status;
}

enum sy_status nas_start_candidates(struct nas_config *config,
                                    const char *model, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_network *from = NULL;
    struct sy_artefact artefact;
    SY_ASSERT(config->domain_count == 1);
    SY_TRY(sy_artefact_load(model, &from, &artefact, err));
    struct sy_network_spec *spec = sy_alloc(sizeof *spec);
    if (spec == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "start: no memory");
        goto out;
    }
    *spec = from->spec;
    SY_TRY_OUT(check_form(spec, &config->network, model, err));
    SY_TRY_OUT(merge(spec, &config->network, err));
    config->network = *spec;
out:
    sy_free(spec);
    sy_network_free(from);
    return status;
}

bool nas_start_hash(const struct nas_config *config,
                    char text[SY_HASH_TEXT_BYTES])
{
    json_t *json = sy_spec_to_json(&config->network);
    bool made = json != NULL && sy_json_hash(json, text);
    json_decref(json);
    return made;
}
