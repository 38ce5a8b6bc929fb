/*
 * table.h - the formats that formats.c lists, and what they share. A new
 * format adds its declaration here and its line there.
 */
#ifndef DOM_FORMATS_TABLE_H
#define DOM_FORMATS_TABLE_H

#include "domains/formats/format.h"

extern const struct dom_format dom_format_idx;
extern const struct dom_format dom_format_npy;
extern const struct dom_format dom_format_cifar;
extern const struct dom_format dom_format_folders;

/*
 * Gives `image` a copy of picture `index` from an array of pictures of the
 * source's shape.
 */
enum sy_status dom_source_copy(const struct dom_source *source,
                               const uint8_t *pictures, int index,
                               struct dom_image *image,
                               struct sy_error *err) SY_MUST_USE;

#endif
