/*
 * idx.h - the IDX format, over bytes in memory. What idx.c's folder reader
 * and the fuzz target share.
 *
 * An IDX file is two zero bytes, a type (8: unsigned bytes), the number of
 * dimensions, each size as 4 bytes big-endian, then the values with the last
 * dimension fastest.
 *
 * Thread: any.
 */
#ifndef DOM_FORMATS_IDX_H
#define DOM_FORMATS_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { DOM_IDX_MAX_RANK = 4, DOM_IDX_HEAD_BYTES = 4 + 4 * DOM_IDX_MAX_RANK };

struct dom_idx {
    int rank;                   /* 1 labels, 3 grey images, 4 with channels */
    int size[DOM_IDX_MAX_RANK]; /* count, height, width, channels */
    size_t bytes;               /* of the whole file, as the header says */
};

/*
 * Reads a header of which `found` bytes are at hand (DOM_IDX_HEAD_BYTES, or
 * the whole file where that is shorter). `rank` is what the file's name
 * promises. Refuses another type or rank, no images, sides above
 * DOM_MAX_SIDE, channels other than 1 and 3, more than 4 GiB.
 */
enum sy_status dom_idx_header(struct dom_idx *idx, const uint8_t *head,
                              size_t found, int rank, const char *name,
                              struct sy_error *err) SY_MUST_USE;

/*
 * The header, and that the file has exactly the bytes it promises. *values
 * points into `data`.
 */
enum sy_status dom_idx_parse(struct dom_idx *idx, const uint8_t **values,
                             const uint8_t *data, size_t bytes, int rank,
                             const char *name,
                             struct sy_error *err) SY_MUST_USE;

#endif
