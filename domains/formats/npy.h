/*
 * npy.h - the NPY format (one array), over bytes in memory. What the folder
 * reader in numpy.c and the fuzz target share.
 *
 * Thread: any.
 */
#ifndef DOM_FORMATS_NPY_H
#define DOM_FORMATS_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { DOM_NPY_MAX_RANK = 4 };

struct dom_npy {
    char kind;      /* 'u' unsigned, 'i' signed */
    int item_bytes; /* 1, 2, 4 or 8 */
    bool big_endian;
    int rank;
    int64_t size[DOM_NPY_MAX_RANK];
    const uint8_t *values; /* into the bytes that were parsed */
};

/*
 * Reads the header and checks that the values fill the rest of the file
 * exactly. Whole numbers in C order with 1 to 4 dimensions of at least 1 are
 * read; everything else is refused with what was found.
 */
enum sy_status dom_npy_parse(struct dom_npy *npy, const uint8_t *data,
                             size_t bytes, const char *name,
                             struct sy_error *err) SY_MUST_USE;

/* Value `index`, in order of memory; beyond int64 it is INT64_MAX. */
int64_t dom_npy_value(const struct dom_npy *npy, size_t index);

#endif
