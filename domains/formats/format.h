/*
 * format.h - what a dataset format must be able to do. One file per format,
 * one line in the table of formats.c.
 *
 * A source is one opened domain folder: two parts (train and test), each with
 * images by index and labels. Sources are immutable after open.
 */
#ifndef DOM_FORMATS_FORMAT_H
#define DOM_FORMATS_FORMAT_H

#include <stdint.h>

#include "domains/image/image.h"
#include "runtime/base/status.h"

enum dom_part { DOM_PART_TRAIN, DOM_PART_TEST, DOM_PARTS };

/*
 * Filled by a format's open; `state` is the format's own. An open that fails
 * may leave things in it: dom_source_close releases whatever is there.
 */
struct dom_source {
    const struct dom_format *format;
    int count[DOM_PARTS];
    int height, width, channels; /* height = width = 0: mixed sizes */
    int classes;                 /* largest label + 1, or folders found */
    int *labels[DOM_PARTS];      /* owned, sy_free */
    char **class_names;          /* owned array of `classes`, or NULL */
    void *state;
};

struct dom_format {
    const char *name; /* "idx", "cifar", "folders", "npy" */

    /*
     * True where class_names are keys that the data itself uses (folders), so
     * that a labels.txt may list them in another order; see domain.c.
     */
    bool names_are_keys;

    /*
     * *found becomes true when the folder looks like this format. Looks at
     * names only. Fails only where the folder cannot be listed.
     */
    enum sy_status (*recognise)(const char *folder, bool *found,
                                struct sy_error *err);

    enum sy_status (*open)(struct dom_source *source, const char *folder,
                           struct sy_error *err);

    /*
     * Decodes image `index` of `part`; the image is owned by the caller
     * (dom_image_release). Thread: any.
     */
    enum sy_status (*read)(const struct dom_source *source, enum dom_part part,
                           int index, struct dom_image *image,
                           struct sy_error *err);

    /* Frees `state` only. */
    void (*close)(struct dom_source *source);
};

/* The format that recognises the folder, or NULL. */
enum sy_status dom_format_find(const struct dom_format **format,
                               const char *folder,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Finds the folder's format and opens it. On failure the source is released.
 * Errors: SY_NOT_FOUND (no such folder, or of no known format) and those of
 * the formats.
 */
enum sy_status dom_source_open(struct dom_source *source, const char *folder,
                               struct sy_error *err) SY_MUST_USE;
void dom_source_close(struct dom_source *source);

/* The names of all formats, for messages: "idx, npy, cifar, folders". */
const char *dom_format_names(void);

#endif
