/*
 * numpy.c - domains as NPY or NPZ files.
 *
 * DESIGN. Three layouts, one way in: for each of the four arrays there is a
 * file, or a member of an archive.
 *   train-images.npy train-labels.npy test-images.npy test-labels.npy
 *   train.npz test.npz      each with images, labels (or x, y)
 *   one other .npz          with x_train, y_train, x_test, y_test
 *                           (or train_images, train_labels, test_...)
 * NPY files stay mapped and are read from disk as they are needed; members
 * of an archive are unpacked once, at most 4 GiB each. Images are u1 of N x H
 * x W or N x H x W x C with C 1 or 3; labels any whole numbers, N or N x 1.
 */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/formats/npy.h"
#include "domains/formats/table.h"
#include "domains/formats/zip.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { NAME_BYTES = SY_PATH_BYTES + 64 };

/* An array and the memory behind it: `map`, or `block` from an archive. */
struct array {
    struct sy_map map;
    uint8_t *block;
    struct dom_npy npy;
    char name[NAME_BYTES]; /* for messages */
};

struct npy_state {
    struct array images[DOM_PARTS];
};

static const char *const part_names[DOM_PARTS] = {"train", "test"};

/* Member names: of a part's own archive, and of one archive for both. */
static const char *const own_images[] = {"images.npy", "x.npy", NULL};
static const char *const own_labels[] = {"labels.npy", "y.npy", NULL};
static const char *const shared_images[DOM_PARTS][3] = {
    {"x_train.npy", "train_images.npy", NULL},
    {"x_test.npy", "test_images.npy", NULL},
};
static const char *const shared_labels[DOM_PARTS][3] = {
    {"y_train.npy", "train_labels.npy", NULL},
    {"y_test.npy", "test_labels.npy", NULL},
};

static void array_close(struct array *array)
{
    sy_map_close(&array->map);
    sy_free(array->block);
    *array = (struct array){0};
}

/* On failure the array is closed. */
static enum sy_status array_open_file(struct array *array, const char *folder,
                                      const char *file, struct sy_error *err)
{
    *array = (struct array){0};
    SY_TRY(sy_path_join(array->name, SY_PATH_BYTES, folder, file, err));
    SY_TRY(sy_map_open(&array->map, array->name, err));
    enum sy_status status = dom_npy_parse(&array->npy, array->map.data,
                                          array->map.bytes, array->name, err);
    if (status != SY_OK) {
        array_close(array);
    }
    return status;
}

/* The first of `members` that the archive at `path` has. */
static enum sy_status array_open_member(struct array *array,
                                        struct dom_zip *zip, const char *path,
                                        const char *const *members,
                                        struct sy_error *err)
{
    size_t bytes = 0;
    int i = 0;
    *array = (struct array){0};
    while (members[i] != NULL && !dom_zip_has(zip, members[i])) {
        i++;
    }
    if (members[i] == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a member %s (or %s), found none", path,
                       members[0], members[1]);
    }
    (void)snprintf(array->name, sizeof(array->name), "%s: %s", path,
                   members[i]);
    SY_TRY(dom_zip_read(zip, members[i], &array->block, &bytes, err));
    enum sy_status status =
        dom_npy_parse(&array->npy, array->block, bytes, array->name, err);
    if (status != SY_OK) {
        array_close(array);
    }
    return status;
}

/* Judges an array as images; the first part gives the source its shape. */
static enum sy_status check_images(struct dom_source *source,
                                   enum dom_part part,
                                   const struct array *array,
                                   struct sy_error *err)
{
    const struct dom_npy *npy = &array->npy;
    int64_t channels = npy->rank == 4 ? npy->size[3] : 1;
    if (npy->rank < 3 || npy->kind != 'u' || npy->item_bytes != 1 ||
        npy->size[1] > DOM_MAX_SIDE || npy->size[2] > DOM_MAX_SIDE ||
        npy->size[0] > INT32_MAX || (channels != 1 && channels != 3)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected images as u1, N x H x W or N x H x W x "
                       "C, sides up to %d, 1 or 3 channels, found %c%d with "
                       "%d dimensions (%lld, ...)",
                       array->name, DOM_MAX_SIDE, npy->kind, npy->item_bytes,
                       npy->rank, (long long)npy->size[0]);
    }
    if (part == DOM_PART_TRAIN) {
        source->height = (int)npy->size[1];
        source->width = (int)npy->size[2];
        source->channels = (int)channels;
    } else if (source->height != npy->size[1] ||
               source->width != npy->size[2] || source->channels != channels) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected images of %d x %d x %d like the "
                       "training images, found %lld x %lld x %lld",
                       array->name, source->height, source->width,
                       source->channels, (long long)npy->size[1],
                       (long long)npy->size[2], (long long)channels);
    }
    return SY_OK;
}

/* Takes labels into the source. */
static enum sy_status take_labels(struct dom_source *source, enum dom_part part,
                                  const struct array *array, int count,
                                  struct sy_error *err)
{
    const struct dom_npy *npy = &array->npy;
    if (npy->rank > 2 || (npy->rank == 2 && npy->size[1] != 1) ||
        npy->size[0] != count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected %d labels, one for each image, as N or "
                       "N x 1, found %d dimensions (%lld, ...)",
                       array->name, count, npy->rank, (long long)npy->size[0]);
    }
    int *labels = sy_alloc_zero((size_t)count, sizeof(labels[0]));
    if (labels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", array->name);
    }
    source->labels[part] = labels;
    source->count[part] = count;
    for (int i = 0; i < count; i++) {
        int64_t label = dom_npy_value(npy, (size_t)i);
        if (label < 0 || label >= DOM_MAX_CLASSES) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: label %d (counted from 0): expected 0 to %d, "
                           "found %lld",
                           array->name, i, DOM_MAX_CLASSES - 1,
                           (long long)label);
        }
        labels[i] = (int)label;
        if (part == DOM_PART_TRAIN && label >= source->classes) {
            source->classes = (int)label + 1;
        }
    }
    return SY_OK;
}

/* A part as two NPY files. */
static enum sy_status open_part_files(struct dom_source *source,
                                      enum dom_part part, const char *folder,
                                      struct sy_error *err)
{
    struct npy_state *state = source->state;
    struct array labels;
    char name[32];
    (void)snprintf(name, sizeof(name), "%s-images.npy", part_names[part]);
    SY_TRY(array_open_file(&state->images[part], folder, name, err));
    SY_TRY(check_images(source, part, &state->images[part], err));
    (void)snprintf(name, sizeof(name), "%s-labels.npy", part_names[part]);
    SY_TRY(array_open_file(&labels, folder, name, err));
    enum sy_status status = take_labels(
        source, part, &labels, (int)state->images[part].npy.size[0], err);
    array_close(&labels);
    return status;
}

/* A part as two members of an opened archive. */
static enum sy_status open_part_members(struct dom_source *source,
                                        enum dom_part part, struct dom_zip *zip,
                                        const char *path,
                                        const char *const *image_names,
                                        const char *const *label_names,
                                        struct sy_error *err)
{
    struct npy_state *state = source->state;
    struct array *images = &state->images[part];
    struct array labels;
    SY_TRY(array_open_member(images, zip, path, image_names, err));
    SY_TRY(check_images(source, part, images, err));
    SY_TRY(array_open_member(&labels, zip, path, label_names, err));
    enum sy_status status =
        take_labels(source, part, &labels, (int)images->npy.size[0], err);
    array_close(&labels);
    return status;
}

/* An archive with one part, or (part == DOM_PARTS) with both. */
static enum sy_status open_archive(struct dom_source *source, int part,
                                   const char *path, struct sy_error *err)
{
    struct sy_map map;
    struct dom_zip *zip = NULL;
    enum sy_status status = SY_OK;
    SY_TRY(sy_map_open(&map, path, err));
    SY_TRY_OUT(dom_zip_open(&zip, map.data, map.bytes, path, err));
    if (part != DOM_PARTS) {
        status = open_part_members(source, (enum dom_part)part, zip, path,
                                   own_images, own_labels, err);
        goto out;
    }
    for (int each = 0; each < DOM_PARTS; each++) {
        SY_TRY_OUT(open_part_members(source, (enum dom_part)each, zip, path,
                                     shared_images[each], shared_labels[each],
                                     err));
    }
out:
    dom_zip_close(zip);
    sy_map_close(&map);
    return status;
}

/* The .npz files of a folder. */
struct found {
    int count;
    char last[256];
};

static enum sy_status note_archive(void *context, const char *name, bool is_dir,
                                   struct sy_error *err)
{
    (void)err;
    struct found *found = context;
    size_t length = strlen(name);
    if (!is_dir && length > 4 && length < sizeof(found->last) &&
        name[0] != '.' && strcmp(name + length - 4, ".npz") == 0) {
        memcpy(found->last, name, length + 1);
        found->count++;
    }
    return SY_OK;
}

static bool has_file(const char *folder, const char *name)
{
    char path[SY_PATH_BYTES];
    return sy_path_join(path, sizeof(path), folder, name, NULL) == SY_OK &&
           sy_file_exists(path);
}

/* True when any NPY file of the first layout is there. */
static bool has_arrays(const char *folder)
{
    return has_file(folder, "train-images.npy") ||
           has_file(folder, "train-labels.npy") ||
           has_file(folder, "test-images.npy") ||
           has_file(folder, "test-labels.npy");
}

static enum sy_status open_archives(struct dom_source *source,
                                    const char *folder, struct sy_error *err)
{
    struct found found = {0};
    char path[SY_PATH_BYTES];
    SY_TRY(sy_dir_list(folder, note_archive, &found, err));
    if (has_file(folder, "train.npz") || has_file(folder, "test.npz")) {
        for (int part = 0; part < DOM_PARTS; part++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "%s.npz", part_names[part]);
            SY_TRY(sy_path_join(path, sizeof(path), folder, name, err));
            SY_TRY(open_archive(source, part, path, err));
        }
        return SY_OK;
    }
    if (found.count != 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected train.npz and test.npz, or one .npz "
                       "file with x_train and so on, found %d others",
                       folder, found.count);
    }
    SY_TRY(sy_path_join(path, sizeof(path), folder, found.last, err));
    return open_archive(source, DOM_PARTS, path, err);
}

static enum sy_status npy_open(struct dom_source *source, const char *folder,
                               struct sy_error *err)
{
    source->state = sy_alloc_zero(1, sizeof(struct npy_state));
    if (source->state == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", folder);
    }
    if (!has_arrays(folder)) {
        return open_archives(source, folder, err);
    }
    for (int part = 0; part < DOM_PARTS; part++) {
        SY_TRY(open_part_files(source, (enum dom_part)part, folder, err));
    }
    return SY_OK;
}

static enum sy_status npy_read(const struct dom_source *source,
                               enum dom_part part, int index,
                               struct dom_image *image, struct sy_error *err)
{
    const struct npy_state *state = source->state;
    return dom_source_copy(source, state->images[part].npy.values, index, image,
                           err);
}

static void npy_close(struct dom_source *source)
{
    struct npy_state *state = source->state;
    if (state != NULL) {
        for (int part = 0; part < DOM_PARTS; part++) {
            array_close(&state->images[part]);
        }
        sy_free(state);
        source->state = NULL;
    }
}

static enum sy_status npy_recognise(const char *folder, bool *found,
                                    struct sy_error *err)
{
    struct found archives = {0};
    SY_TRY(sy_dir_list(folder, note_archive, &archives, err));
    *found = archives.count > 0 || has_arrays(folder);
    return SY_OK;
}

const struct dom_format dom_format_npy = {
    .name = "npy",
    .recognise = npy_recognise,
    .open = npy_open,
    .read = npy_read,
    .close = npy_close,
};
