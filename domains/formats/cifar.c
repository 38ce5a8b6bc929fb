/*
 * cifar.c - domains as CIFAR-10 binary batches.
 *
 * DESIGN. The training part is every data_batch_*.bin of the folder in order
 * of name, the test part is test_batch.bin; batches.meta.txt names the
 * classes, as many as it has lines; without it there are ten. The format has
 * no header, so what can be checked is that the size is a whole number of
 * records and every label below the number of classes. Files stay mapped and
 * are read from disk as they are needed.
 *
 * Source: www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
 */
#include "domains/formats/cifar.h"

#include <string.h>

#include "domains/domain.h"
#include "domains/formats/names.h"
#include "domains/formats/table.h"
#include "domains/image/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_FILES = 1024 };

struct batch_file {
    struct sy_map map;
    enum dom_part part;
    int first, count; /* images within the part */
};

struct cifar_state {
    struct batch_file *files;
    int count;
};

/* Opening in progress, for the folder's entries. */
struct opening {
    struct dom_source *source;
    struct cifar_state *state;
    const char *folder;
    int classes;
};

static bool is_training(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "data_batch_", 11) == 0 && length > 15 &&
           strcmp(name + length - 4, ".bin") == 0;
}

enum sy_status dom_cifar_check(const uint8_t *data, size_t bytes, int classes,
                               const char *name, int *count,
                               struct sy_error *err)
{
    size_t records = bytes / DOM_CIFAR_RECORD;
    if (records == 0 || bytes % DOM_CIFAR_RECORD != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected whole records of %d bytes, found %zu "
                       "bytes, %zu too many for %zu records; the file is "
                       "truncated or not CIFAR-10's binary version",
                       name, DOM_CIFAR_RECORD, bytes, bytes % DOM_CIFAR_RECORD,
                       records);
    }
    if (records > INT32_MAX) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d records, found %zu", name,
                       INT32_MAX, records);
    }
    for (size_t i = 0; i < records; i++) {
        int label = data[i * DOM_CIFAR_RECORD];
        if (label >= classes) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: record %zu (counted from 0): expected a label "
                           "from 0 to %d, found %d; the file is damaged, or "
                           "batches.meta.txt names too few classes",
                           name, i, classes - 1, label);
        }
    }
    *count = (int)records;
    return SY_OK;
}

void dom_cifar_pixels(const uint8_t *record, uint8_t *pixels)
{
    const uint8_t *planes = record + 1;
    for (int i = 0; i < DOM_CIFAR_PLANE; i++) {
        pixels[3 * i] = planes[i];
        pixels[3 * i + 1] = planes[i + DOM_CIFAR_PLANE];
        pixels[3 * i + 2] = planes[i + 2 * DOM_CIFAR_PLANE];
    }
}

static enum sy_status add_batch(struct opening *in, const char *name,
                                enum dom_part part, struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    struct dom_source *source = in->source;
    if (in->state->count == MAX_FILES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d batches, found more",
                       in->folder, MAX_FILES);
    }
    SY_TRY(sy_path_join(path, sizeof(path), in->folder, name, err));
    struct batch_file *file = &in->state->files[in->state->count];
    SY_TRY(sy_map_open(&file->map, path, err));
    in->state->count++; /* from here on close unmaps it */
    file->part = part;
    file->first = source->count[part];
    SY_TRY(dom_cifar_check(file->map.data, file->map.bytes, in->classes, path,
                           &file->count, err));
    if (file->count > INT32_MAX - file->first) {
        return sy_fail(err, SY_BAD_INPUT, "%s: too many images", path);
    }
    int total = file->first + file->count;
    int *labels =
        sy_realloc(source->labels[part], (size_t)total * sizeof(labels[0]));
    if (labels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", path);
    }
    for (int i = 0; i < file->count; i++) {
        int label = file->map.data[(size_t)i * DOM_CIFAR_RECORD];
        labels[file->first + i] = label;
        if (part == DOM_PART_TRAIN && source->class_names == NULL &&
            label >= source->classes) {
            source->classes = label + 1;
        }
    }
    source->labels[part] = labels;
    source->count[part] = total;
    return SY_OK;
}

static enum sy_status open_entry(void *context, const char *name, bool is_dir,
                                 struct sy_error *err)
{
    if (!is_dir && is_training(name)) {
        return add_batch(context, name, DOM_PART_TRAIN, err);
    }
    if (!is_dir && strcmp(name, "test_batch.bin") == 0) {
        return add_batch(context, name, DOM_PART_TEST, err);
    }
    return SY_OK;
}

/* batches.meta.txt, where there is one, names the classes. */
static enum sy_status open_names(struct dom_source *source, const char *folder,
                                 struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(path, sizeof(path), folder, "batches.meta.txt", err));
    if (!sy_file_exists(path)) {
        return SY_OK;
    }
    return dom_names_load(path, &source->class_names, &source->classes, err);
}

static enum sy_status cifar_open(struct dom_source *source, const char *folder,
                                 struct sy_error *err)
{
    struct cifar_state *state = sy_alloc_zero(1, sizeof(*state));
    if (state == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", folder);
    }
    source->state = state;
    state->files = sy_alloc_zero(MAX_FILES, sizeof(state->files[0]));
    if (state->files == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", folder);
    }
    SY_TRY(open_names(source, folder, err));
    struct opening in = {
        .source = source,
        .state = state,
        .folder = folder,
        .classes =
            source->class_names != NULL ? source->classes : DOM_CIFAR_CLASSES,
    };
    SY_TRY(sy_dir_list(folder, open_entry, &in, err));
    if (source->count[DOM_PART_TRAIN] == 0 ||
        source->count[DOM_PART_TEST] == 0) {
        return sy_fail(err, SY_NOT_FOUND, "%s: expected %s, found none", folder,
                       source->count[DOM_PART_TEST] == 0
                           ? "test_batch.bin"
                           : "data_batch_1.bin and so on");
    }
    source->height = DOM_CIFAR_SIDE;
    source->width = DOM_CIFAR_SIDE;
    source->channels = 3;
    return SY_OK;
}

static enum sy_status cifar_read(const struct dom_source *source,
                                 enum dom_part part, int index,
                                 struct dom_image *image, struct sy_error *err)
{
    const struct cifar_state *state = source->state;
    const struct batch_file *file = state->files;
    while (file->part != part || index < file->first ||
           index >= file->first + file->count) {
        file++;
    }
    struct dom_image made;
    SY_TRY(dom_image_shape(&made, DOM_CIFAR_SIDE, DOM_CIFAR_SIDE, 3, "a record",
                           err));
    SY_TRY(dom_image_take(&made, "a record", err));
    size_t at = (size_t)(index - file->first) * DOM_CIFAR_RECORD;
    dom_cifar_pixels(file->map.data + at, made.pixels);
    *image = made;
    return SY_OK;
}

static void cifar_close(struct dom_source *source)
{
    struct cifar_state *state = source->state;
    if (state != NULL) {
        for (int i = 0; i < state->count; i++) {
            sy_map_close(&state->files[i].map);
        }
        sy_free(state->files);
        sy_free(state);
        source->state = NULL;
    }
}

static enum sy_status match_entry(void *context, const char *name, bool is_dir,
                                  struct sy_error *err)
{
    (void)err;
    bool *found = context;
    if (!is_dir && (is_training(name) || strcmp(name, "test_batch.bin") == 0)) {
        *found = true;
    }
    return SY_OK;
}

static enum sy_status cifar_recognise(const char *folder, bool *found,
                                      struct sy_error *err)
{
    return sy_dir_list(folder, match_entry, found, err);
}

const struct dom_format dom_format_cifar = {
    .name = "cifar",
    .recognise = cifar_recognise,
    .open = cifar_open,
    .read = cifar_read,
    .close = cifar_close,
};
