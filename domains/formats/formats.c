/*
 * formats.c - the table of dataset formats.
 *
 * DESIGN. Order matters only for a folder that looks like two formats: the
 * first wins. Arrays and fixed names come before class folders, because any
 * folder may hold a sub-folder called train.
 */
#include <string.h>

#include "domains/formats/names.h"
#include "domains/formats/table.h"
#include "domains/image/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static const struct dom_format *const formats[] = {
    &dom_format_idx,
    &dom_format_npy,
    &dom_format_cifar,
    &dom_format_folders,
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

enum sy_status dom_format_find(const struct dom_format **format,
                               const char *folder, struct sy_error *err)
{
    const struct dom_format *match = NULL;
    for (int i = 0; i < FORMATS && match == NULL; i++) {
        bool found = false;
        SY_TRY(formats[i]->recognise(folder, &found, err));
        match = found ? formats[i] : NULL;
    }
    *format = match;
    return SY_OK;
}

const char *dom_format_names(void)
{
    return "idx, npy, cifar, folders";
}

enum sy_status dom_source_open(struct dom_source *source, const char *folder,
                               struct sy_error *err)
{
    *source = (struct dom_source){0};
    if (!sy_dir_exists(folder)) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: expected a domain's folder, found none; "
                       "`domains list` shows what stands in a data folder",
                       folder);
    }
    SY_TRY(dom_format_find(&source->format, folder, err));
    if (source->format == NULL) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: expected data in one of the formats %s, found "
                       "none of their files; docs/data-folder.md has their "
                       "names",
                       folder, dom_format_names());
    }
    enum sy_status status = source->format->open(source, folder, err);
    if (status != SY_OK) {
        dom_source_close(source);
    }
    return status;
}

void dom_source_close(struct dom_source *source)
{
    if (source->format != NULL) {
        source->format->close(source);
    }
    for (int part = 0; part < DOM_PARTS; part++) {
        sy_free(source->labels[part]);
    }
    dom_names_free(source->class_names, source->classes);
    *source = (struct dom_source){0};
}

enum sy_status dom_source_copy(const struct dom_source *source,
                               const uint8_t *pictures, int index,
                               struct dom_image *image, struct sy_error *err)
{
    struct dom_image made;
    SY_TRY(dom_image_shape(&made, source->height, source->width,
                           source->channels, "a stored picture", err));
    SY_TRY(dom_image_take(&made, "a stored picture", err));
    size_t bytes = (size_t)source->height * (size_t)source->width *
                   (size_t)source->channels;
    memcpy(made.pixels, pictures + (size_t)index * bytes, bytes);
    *image = made;
    return SY_OK;
}
