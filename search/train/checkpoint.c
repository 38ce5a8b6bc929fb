/*
 * checkpoint.c - writes and reads training state as a safetensors file.
 *
 * DESIGN. The metadata hold a hash of all that is restored, since a flipped
 * bit in a weight is a float as good as any other: nothing else would tell
 * that a resumed run has left the bits of the uninterrupted one.
 */
#include "search/train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/artefact/safetensors.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "search/train/identity.h"

enum { MAX_DIGITS = 18 }; /* of a step: always fits an int64_t */

void nas_checkpoint_add(struct nas_checkpoint *checkpoint, const char *name,
                        float *data, size_t count)
{
    SY_ASSERT(checkpoint->array_count < NAS_CHECKPOINT_ARRAYS);
    int at = checkpoint->array_count++;
    checkpoint->array[at].name = name;
    checkpoint->array[at].data = data;
    checkpoint->array[at].count = count;
}

/* SHA-256 of the step, the run and the arrays, in order. */
static void hash_state(const char *step, const char *identity,
                       const struct sy_st_entry *entry, int count,
                       char text[SY_HASH_TEXT_BYTES])
{
    struct sy_hash hash;
    sy_hash_init(&hash);
    sy_hash_add(&hash, step, strlen(step) + 1);
    sy_hash_add(&hash, identity, strlen(identity) + 1);
    for (int i = 0; i < count; i++) {
        sy_hash_add(&hash, entry[i].name, strlen(entry[i].name) + 1);
        sy_hash_add(&hash, entry[i].data, entry[i].count * sizeof(float));
    }
    sy_hash_end(&hash, text);
}

bool nas_checkpoint_finite(const struct nas_checkpoint *checkpoint)
{
    for (int i = 0; i < checkpoint->array_count; i++) {
        for (size_t k = 0; k < checkpoint->array[i].count; k++) {
            if (!isfinite(checkpoint->array[i].data[k])) {
                return false;
            }
        }
    }
    return true;
}

/* The file's metadata; owned, NULL: no memory. */
static json_t *make_metadata(const struct nas_checkpoint *checkpoint,
                             const char *step, const char *sha256)
{
    json_t *metadata =
        json_pack("{s:s, s:s, s:s, s:s}", "kind", "switchyard-training", "step",
                  step, "identity", checkpoint->identity, "sha256", sha256);
    if (metadata == NULL || checkpoint->about == NULL) {
        return metadata;
    }
    char *about = json_dumps(checkpoint->about, JSON_COMPACT | JSON_SORT_KEYS);
    if (about == NULL ||
        json_object_set_new(metadata, "about", json_string(about)) != 0) {
        json_decref(metadata);
        metadata = NULL;
    }
    sy_free(about);
    return metadata;
}

enum sy_status nas_checkpoint_save(const struct nas_checkpoint *checkpoint,
                                   const char *path, struct sy_error *err)
{
    struct sy_st_entry entry[NAS_CHECKPOINT_ARRAYS] = {0};
    char step[32];
    char sha256[SY_HASH_TEXT_BYTES];
    (void)snprintf(step, sizeof step, "%" PRId64, checkpoint->step);
    for (int i = 0; i < checkpoint->array_count; i++) {
        entry[i].name = checkpoint->array[i].name;
        entry[i].dims = 1;
        entry[i].dim[0] = (int64_t)checkpoint->array[i].count;
        entry[i].count = checkpoint->array[i].count;
        entry[i].data = checkpoint->array[i].data;
    }
    hash_state(step, checkpoint->identity, entry, checkpoint->array_count,
               sha256);
    json_t *metadata = make_metadata(checkpoint, step, sha256);
    if (metadata == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", path);
    }
    enum sy_status status =
        sy_st_save(path, entry, checkpoint->array_count, metadata, err);
    json_decref(metadata);
    return status;
}

/* What the file holds is what was written; its arrays stand there. */
static enum sy_status check_hash(const struct nas_checkpoint *checkpoint,
                                 const struct sy_st_file *file,
                                 const char *path, struct sy_error *err)
{
    struct sy_st_entry entry[NAS_CHECKPOINT_ARRAYS];
    char found[SY_HASH_TEXT_BYTES];
    const char *expected = sy_st_metadata(file, "sha256");
    for (int i = 0; i < checkpoint->array_count; i++) {
        entry[i] = *sy_st_find(file, checkpoint->array[i].name);
    }
    hash_state(sy_st_metadata(file, "step"), checkpoint->identity, entry,
               checkpoint->array_count, found);
    if (expected == NULL || strcmp(expected, found) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: SHA-256: expected %s, found %s; the file is "
                       "damaged: start without --resume",
                       path, expected != NULL ? expected : "one", found);
    }
    return SY_OK;
}

/* Says in what the run of the file differs from this one. */
static enum sy_status refuse(const struct nas_checkpoint *checkpoint,
                             const struct sy_st_file *file, const char *path,
                             struct sy_error *err)
{
    char difference[NAS_DIFFERENCE_BYTES];
    struct sy_error ignored;
    json_t *there = NULL;
    const char *about = sy_st_metadata(file, "about");
    bool named =
        about != NULL && checkpoint->about != NULL &&
        sy_json_parse(about, strlen(about), path, &there, &ignored) == SY_OK &&
        nas_identity_differ(there, checkpoint->about, difference);
    json_decref(there);
    return sy_fail(err, SY_BAD_INPUT,
                   "%s: belongs to another run (%s); start without --resume, "
                   "or undo the change",
                   path,
                   named ? difference
                         : "configuration, data or paths have changed since");
}

/* Everything in the file fits this run. */
static enum sy_status check_file(const struct nas_checkpoint *checkpoint,
                                 const struct sy_st_file *file,
                                 const char *path, struct sy_error *err)
{
    const char *identity = sy_st_metadata(file, "identity");
    const char *step = sy_st_metadata(file, "step");
    if (identity == NULL || step == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: not a training checkpoint: it has no \"step\" "
                       "or \"identity\"",
                       path);
    }
    if (*step == '\0' || strlen(step) > MAX_DIGITS ||
        strspn(step, "0123456789") != strlen(step)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: \"step\" should be a number, found \"%s\"", path,
                       step);
    }
    if (strcmp(identity, checkpoint->identity) != 0) {
        return refuse(checkpoint, file, path, err);
    }
    for (int i = 0; i < checkpoint->array_count; i++) {
        const struct sy_st_entry *entry =
            sy_st_find(file, checkpoint->array[i].name);
        if (entry == NULL || entry->count != checkpoint->array[i].count) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: \"%s\" should hold %zu numbers, found %zu",
                           path, checkpoint->array[i].name,
                           checkpoint->array[i].count,
                           entry != NULL ? entry->count : (size_t)0);
        }
    }
    return check_hash(checkpoint, file, path, err);
}

enum sy_status nas_checkpoint_load(struct nas_checkpoint *checkpoint,
                                   const char *path, struct sy_error *err)
{
    struct sy_st_file *file = NULL;
    enum sy_status status = SY_OK;
    SY_TRY(sy_st_open(&file, path, err));
    SY_TRY_OUT(check_file(checkpoint, file, path, err));
    checkpoint->step = strtoll(sy_st_metadata(file, "step"), NULL, 10);
    for (int i = 0; i < checkpoint->array_count; i++) {
        const struct sy_st_entry *entry =
            sy_st_find(file, checkpoint->array[i].name);
        memcpy(checkpoint->array[i].data, entry->data,
               entry->count * sizeof(float));
    }
out:
    sy_st_close(file);
    return status;
}
