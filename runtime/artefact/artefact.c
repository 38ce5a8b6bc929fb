/*
 * artefact.c - saving and loading a network.
 *
 * DESIGN. Saving writes into a temporary folder beside the versions; both
 * files are synced in there before the folder gets its number, so a version is
 * whole or absent. The hash in model.json is that of the file as read back.
 *
 * Loading maps the weights once and does all with that one view: the hash, the
 * header, the values. The size of the file bounds the network that model.json
 * may describe, before memory for it is taken.
 *
 * What cannot be loaded is not saved: values are judged here too, and the
 * description is read back before it is written, while the one who made the
 * network can still be told.
 */
#include "runtime/artefact/artefact.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/sums.h"

enum { TEMPORARY_TRIES = 16 };

/* Writes all tensors of the network to a file. */
static enum sy_status save_weights(const struct sy_network *network,
                                   const char *path, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    size_t count = (size_t)network->tensor_count;
    json_t *metadata = json_pack("{s:s}", "format", SY_MODEL_FORMAT);
    struct sy_st_entry *entries = sy_alloc_zero(count, sizeof *entries);
    if (entries == NULL || metadata == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory to write it", path);
        goto out;
    }
    for (size_t t = 0; t < count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        const float *values = network->values + tensor->offset;
        SY_TRY_OUT(sy_model_check_values(tensor, values, path, err));
        entries[t].name = tensor->name;
        entries[t].dims = tensor->dims;
        for (int d = 0; d < tensor->dims; d++) {
            entries[t].dim[d] = tensor->dim[d];
        }
        entries[t].data = values;
        entries[t].count = tensor->count;
    }
    status = sy_st_save(path, entries, (int)count, metadata, err);
out:
    json_decref(metadata);
    sy_free(entries);
    return status;
}

/* Adds provenance, the weights' hash and the digest to a description. */
static bool complete(json_t *root, json_t *provenance, const char *sha256)
{
    char digest[SY_HASH_TEXT_BYTES];
    json_t *origin =
        provenance != NULL ? sy_model_copy(provenance) : json_object();
    json_t *weights = json_object_get(root, "weights");
    bool made =
        json_object_set_new(weights, "sha256", json_string(sha256)) == 0 &&
        json_object_set_new(origin, "program",
                            json_string("switchyard " SY_VERSION)) == 0 &&
        json_object_set(root, "provenance", origin) == 0 &&
        sy_model_digest(root, digest) &&
        json_object_set_new(root, "digest", json_string(digest)) == 0;
    json_decref(origin);
    return made;
}

/* Writes both files into a folder. */
static enum sy_status save_files(const struct sy_network *network,
                                 const char *folder, json_t *provenance,
                                 struct sy_error *err)
{
    enum sy_status status = SY_OK;
    char weights[SY_PATH_BYTES];
    char model[SY_PATH_BYTES];
    char sha256[SY_HASH_TEXT_BYTES];
    SY_TRY(sy_path_join(weights, sizeof weights, folder, SY_MODEL_WEIGHTS_FILE,
                        err));
    SY_TRY(sy_path_join(model, sizeof model, folder, SY_MODEL_FILE, err));
    SY_TRY(save_weights(network, weights, err));
    SY_TRY(sy_hash_file(weights, sha256, err));
    struct sy_network *again = NULL;
    json_t *root = sy_artefact_describe(network);
    if (root == NULL || !complete(root, provenance, sha256)) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory to write it", model);
        goto out;
    }
    SY_TRY_OUT(sy_model_read(&again, root, model, network->value_count, err));
    status = sy_json_save(model, root, err);
out:
    sy_network_free(again);
    json_decref(root);
    return status;
}

static enum sy_status make_temporary(const char *model, char *folder,
                                     size_t bytes, struct sy_error *err)
{
    char name[24];
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        uint32_t part = 0;
        if (getrandom(&part, sizeof part, 0) != (ssize_t)sizeof part) {
            continue;
        }
        (void)snprintf(name, sizeof name, ".new-%08x", part);
        SY_TRY(sy_path_join(folder, bytes, model, name, err));
        if (mkdir(folder, 0777) == 0) {
            return SY_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return sy_fail_errno(err, SY_IO, errno, "%s: cannot make a folder in it",
                         model);
}

/* Removes a temporary folder with the files that may stand in it. */
static void remove_temporary(const char *folder)
{
    static const char *const files[] = {SY_MODEL_FILE, SY_MODEL_WEIGHTS_FILE};
    char path[SY_PATH_BYTES];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (sy_path_join(path, sizeof path, folder, files[i], NULL) == SY_OK) {
            (void)unlink(path);
        }
    }
    (void)rmdir(folder);
}

enum sy_status sy_artefact_check_target(const char *model, struct sy_error *err)
{
    char name[SY_NAME_BYTES];
    sy_version_base(model, name, sizeof name);
    if (!sy_name_valid(name) || strspn(name, "0123456789") == strlen(name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected REPOSITORY/NAME with a NAME of letters, "
                       "digits, '_' and '-'; the version is numbered here",
                       model);
    }
    return SY_OK;
}

enum sy_status sy_artefact_save(const struct sy_network *network,
                                const char *model, json_t *provenance,
                                struct sy_artefact *artefact,
                                struct sy_error *err)
{
    char temporary[SY_PATH_BYTES];
    SY_TRY(sy_artefact_check_target(model, err));
    if (provenance != NULL && !json_is_object(provenance)) {
        return sy_fail(err, SY_BAD_INPUT, "%s: provenance: expected an object",
                       model);
    }
    SY_TRY(sy_dir_make(model, err));
    SY_TRY(make_temporary(model, temporary, sizeof temporary, err));
    enum sy_status status = save_files(network, temporary, provenance, err);
    if (status == SY_OK) {
        status = sy_version_publish(model, temporary, artefact, err);
    }
    if (status != SY_OK) {
        remove_temporary(temporary);
    }
    return status;
}

enum sy_status sy_model_check_shape(const struct sy_tensor *tensor,
                                    const struct sy_st_entry *entry,
                                    const char *file, struct sy_error *err)
{
    bool equal = entry->dims == tensor->dims && entry->u8 == NULL;
    for (int d = 0; equal && d < tensor->dims; d++) {
        equal = entry->dim[d] == tensor->dim[d];
    }
    if (!equal) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected %d dimensions with %zu values (%d, "
                       "%d, %d, %d), found %d with %zu",
                       file, tensor->name, tensor->dims, tensor->count,
                       tensor->dim[0], tensor->dim[1], tensor->dim[2],
                       tensor->dim[3], entry->dims, entry->count);
    }
    return SY_OK;
}

/* Names a tensor of the file that the network does not have. */
static enum sy_status name_extra(const struct sy_network *network,
                                 const struct sy_st_file *weights,
                                 const char *file, struct sy_error *err)
{
    for (int i = 0; i < sy_st_count(weights); i++) {
        const char *name = sy_st_entry_at(weights, i)->name;
        bool known = false;
        for (int t = 0; t < network->tensor_count && !known; t++) {
            known = strcmp(network->tensor[t].name, name) == 0;
        }
        if (!known) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: %s: the network has no such tensor", file,
                           name);
        }
    }
    return sy_fail(err, SY_BAD_INPUT, "%s: expected %d tensors, found %d", file,
                   network->tensor_count, sy_st_count(weights));
}

enum sy_status sy_artefact_fill(struct sy_network *network,
                                const struct sy_st_file *weights,
                                const char *file, struct sy_error *err)
{
    /* All is judged before anything is copied. */
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        const struct sy_st_entry *entry = sy_st_find(weights, tensor->name);
        if (entry == NULL) {
            return sy_fail(err, SY_BAD_INPUT, "%s: %s: the tensor is missing",
                           file, tensor->name);
        }
        SY_TRY(sy_model_check_shape(tensor, entry, file, err));
        SY_TRY(sy_model_check_values(tensor, entry->data, file, err));
    }
    if (sy_st_count(weights) != network->tensor_count) {
        return name_extra(network, weights, file, err);
    }
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        memcpy(network->values + tensor->offset,
               sy_st_find(weights, tensor->name)->data,
               tensor->count * sizeof(float));
    }
    return SY_OK;
}

/* Checks the hash of the mapped weights. */
static enum sy_status check_hash(const struct sy_map *map, const char *path,
                                 const char *expected, struct sy_error *err)
{
    char found[SY_HASH_TEXT_BYTES];
    sy_hash_bytes(map->data, map->bytes, found);
    if (strcmp(found, expected) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: SHA-256: expected %s (model.json), found %s", path,
                       expected, found);
    }
    return SY_OK;
}

/* Reads both files of a folder, of which `root` is the first. */
static enum sy_status load_files(struct sy_network **network, json_t *root,
                                 const char *folder, const char *file,
                                 struct sy_error *err)
{
    enum sy_status status;
    char path[SY_PATH_BYTES];
    struct sy_model_weights weights;
    struct sy_map map;
    struct sy_st_file *tensors = NULL;
    struct sy_network *read = NULL;
    SY_TRY(sy_model_read_weights(&weights, root, file, err));
    SY_TRY(sy_path_join(path, sizeof path, folder, weights.file, err));
    SY_TRY(sy_map_open(&map, path, err));
    SY_TRY_OUT(check_hash(&map, path, weights.sha256, err));
    SY_TRY_OUT(sy_st_parse(&tensors, map.data, map.bytes, path, err));
    SY_TRY_OUT(
        sy_model_read(&read, root, file, map.bytes / sizeof(float), err));
    SY_TRY_OUT(sy_artefact_fill(read, tensors, path, err));
    SY_TRY_OUT(sy_network_sum(read, NULL, err));
    SY_TRY_OUT(sy_model_check_hashes(read, root, file, err));
    *network = read;
    read = NULL;
out:
    sy_network_free(read);
    sy_st_close(tensors);
    sy_map_close(&map);
    return status;
}

/* The stored packs of a stack on *network, in place of which comes the outcome;
   as it was on failure. */
static enum sy_status put_packs(struct sy_network **network, const char *model,
                                const struct sy_stack *stack,
                                struct sy_error *err)
{
    struct sy_base base = {.stack = *stack, .version = *network};
    enum sy_status status = sy_base_apply(&base, model, err);
    if (status == SY_OK) {
        *network = base.network;
        base.network = NULL;
    } else {
        base.version = NULL;
    }
    sy_base_release(&base);
    return status;
}

enum sy_status sy_artefact_read(const char *model, struct sy_network **network,
                                struct sy_artefact *artefact,
                                struct sy_error *err)
{
    struct sy_artefact found;
    char file[SY_PATH_BYTES];
    json_t *root;
    SY_TRY(sy_artefact_find(model, &found, err));
    SY_TRY(sy_path_join(file, sizeof file, found.path, SY_MODEL_FILE, err));
    SY_TRY(sy_json_load(file, &root, err));
    struct sy_network *read = NULL;
    enum sy_status status = load_files(&read, root, found.path, file, err);
    json_decref(root);
    if (status == SY_OK && found.stack.pack_count > 0) {
        status = put_packs(&read, model, &found.stack, err);
    }
    if (status != SY_OK) {
        sy_network_free(read);
        return status;
    }
    *network = read;
    *artefact = found;
    return SY_OK;
}

enum sy_status sy_artefact_load(const char *model, struct sy_network **network,
                                struct sy_artefact *artefact,
                                struct sy_error *err)
{
    SY_TRY(sy_artefact_read(model, network, artefact, err));
    sy_network_forget_sums(*network);
    return SY_OK;
}
