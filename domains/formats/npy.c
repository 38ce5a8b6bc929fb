/*
 * npy.c - the NPY format: one array.
 *
 * DESIGN. An NPY header is a Python dictionary in text. The scanner below
 * reads the three keys that the format defines, in any order, with Python's
 * freedom of blanks, quotes and a last comma, and refuses anything else; it
 * never looks past the header's end, which is a byte count, not a NUL.
 *
 * Source: "A Simple File Format for NumPy Arrays", numpy/lib/format.py,
 * versions 1.0, 2.0 and 3.0.
 */
#include "domains/formats/npy.h"

#include <string.h>

enum {
    MAGIC_BYTES = 6,
    MAX_HEADER_BYTES = 64 << 10,
    DESCR_BYTES = 16,
    SEEN_DESCR = 1,
    SEEN_ORDER = 2,
    SEEN_SHAPE = 4
};

/* Text that is being scanned: [at, end). */
struct scan {
    const char *at, *end;
};

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                    *scan->at == '\t' || *scan->at == '\r')) {
        scan->at++;
    }
}

/* Takes one character after blanks, if it is `wanted`. */
static bool take(struct scan *scan, char wanted)
{
    skip_blanks(scan);
    if (scan->at < scan->end && *scan->at == wanted) {
        scan->at++;
        return true;
    }
    return false;
}

static bool take_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(scan);
    if ((size_t)(scan->end - scan->at) < length ||
        memcmp(scan->at, word, length) != 0) {
        return false;
    }
    scan->at += length;
    return true;
}

/* A quoted text without escapes, shorter than `room`. */
static bool take_text(struct scan *scan, char *out, size_t room)
{
    char quote = '\'';
    if (!take(scan, quote)) {
        quote = '"';
        if (!take(scan, quote)) {
            return false;
        }
    }
    size_t used = 0;
    while (scan->at < scan->end && *scan->at != quote) {
        if (*scan->at == '\\' || *scan->at < ' ' || used + 1 == room) {
            return false;
        }
        out[used++] = *scan->at++;
    }
    out[used] = '\0';
    return take(scan, quote);
}

static bool take_number(struct scan *scan, int64_t *out)
{
    int64_t value = 0;
    bool any = false;
    skip_blanks(scan);
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        if (value > (INT64_MAX - 9) / 10) {
            return false;
        }
        value = value * 10 + (*scan->at++ - '0');
        any = true;
    }
    *out = value;
    return any;
}

/* A tuple of at most DOM_NPY_MAX_RANK numbers: (500, 28, 28) or (500,). */
static bool take_shape(struct scan *scan, struct dom_npy *npy)
{
    if (!take(scan, '(')) {
        return false;
    }
    while (!take(scan, ')')) {
        if (npy->rank == DOM_NPY_MAX_RANK ||
            !take_number(scan, &npy->size[npy->rank])) {
            return false;
        }
        npy->rank++;
        if (!take(scan, ',')) {
            return npy->rank > 1 && take(scan, ')');
        }
    }
    return npy->rank > 0;
}

/* The dictionary; `descr` and `fortran` are its other two values. */
static bool take_header(struct scan *scan, struct dom_npy *npy,
                        char descr[DESCR_BYTES], bool *fortran)
{
    int seen = 0;
    if (!take(scan, '{')) {
        return false;
    }
    while (!take(scan, '}')) {
        char key[16];
        int now = 0;
        if (!take_text(scan, key, sizeof(key)) || !take(scan, ':')) {
            return false;
        }
        if (strcmp(key, "descr") == 0 && take_text(scan, descr, DESCR_BYTES)) {
            now = SEEN_DESCR;
        } else if (strcmp(key, "fortran_order") == 0) {
            *fortran = take_word(scan, "True");
            now = *fortran || take_word(scan, "False") ? SEEN_ORDER : 0;
        } else if (strcmp(key, "shape") == 0 && take_shape(scan, npy)) {
            now = SEEN_SHAPE;
        }
        if (now == 0 || (seen & now) != 0) {
            return false;
        }
        seen |= now;
        if (!take(scan, ',')) {
            if (!take(scan, '}')) {
                return false;
            }
            break;
        }
    }
    skip_blanks(scan);
    return seen == (SEEN_DESCR | SEEN_ORDER | SEEN_SHAPE) &&
           scan->at == scan->end;
}

/* "|u1", "<i8" and so on into kind, size and byte order. */
static enum sy_status read_descr(struct dom_npy *npy, const char *descr,
                                 const char *name, struct sy_error *err)
{
    const char *at = descr;
    if (*at != '\0' && strchr("<>|=", *at) != NULL) {
        npy->big_endian = *at == '>';
        at++;
    }
    npy->kind = at[0];
    npy->item_bytes = at[0] != '\0' ? at[1] - '0' : 0;
    bool sized = npy->item_bytes == 1 || npy->item_bytes == 2 ||
                 npy->item_bytes == 4 || npy->item_bytes == 8;
    if ((npy->kind != 'u' && npy->kind != 'i') || !sized || at[2] != '\0') {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected whole numbers (u1 for images, "
                       "any u or i for labels), found \"%s\"; convert the "
                       "array with astype",
                       name, descr);
    }
    return SY_OK;
}

/* The bytes behind the header must be what the shape makes. */
static enum sy_status check_size(const struct dom_npy *npy, size_t left,
                                 const char *name, struct sy_error *err)
{
    uint64_t need = (uint64_t)npy->item_bytes;
    for (int d = 0; d < npy->rank; d++) {
        if (npy->size[d] < 1 ||
            (uint64_t)npy->size[d] > (UINT64_MAX >> 1) / need) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: header: shape: expected sizes of at least 1 "
                           "that memory can hold, found %lld",
                           name, (long long)npy->size[d]);
        }
        need *= (uint64_t)npy->size[d];
    }
    if (need != left) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected %llu bytes of values after the header, "
                       "found %zu: %s, or the header is wrong",
                       name, (unsigned long long)need, left,
                       left < need ? "the file is truncated"
                                   : "bytes follow the last value");
    }
    return SY_OK;
}

/* Where the dictionary begins and how long it is. */
static enum sy_status find_header(const uint8_t *data, size_t bytes,
                                  const char *name, size_t *start,
                                  size_t *length, struct sy_error *err)
{
    static const char magic[MAGIC_BYTES] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
    if (bytes < MAGIC_BYTES + 6 || memcmp(data, magic, MAGIC_BYTES) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected an NPY file, which begins with 0x93 "
                       "NUMPY, found other bytes",
                       name);
    }
    if (data[6] < 1 || data[6] > 3) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected NPY version 1, 2 or 3, found %u", name,
                       data[6]);
    }
    *start = data[6] == 1 ? 10 : 12;
    *length = data[8] | (size_t)data[9] << 8;
    if (data[6] > 1) {
        *length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    }
    if (*length > MAX_HEADER_BYTES || *length > bytes - *start) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected at most %zu bytes, found a "
                       "length of %zu; the file is truncated or damaged",
                       name,
                       bytes - *start < MAX_HEADER_BYTES
                           ? bytes - *start
                           : (size_t)MAX_HEADER_BYTES,
                       *length);
    }
    return SY_OK;
}

enum sy_status dom_npy_parse(struct dom_npy *npy, const uint8_t *data,
                             size_t bytes, const char *name,
                             struct sy_error *err)
{
    size_t start = 0;
    size_t length = 0;
    SY_TRY(find_header(data, bytes, name, &start, &length, err));
    const char *text = (const char *)data + start;
    struct scan scan = {text, text + length};
    struct dom_npy made = {0};
    char descr[DESCR_BYTES] = "";
    bool fortran = false;
    if (!take_header(&scan, &made, descr, &fortran)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected {'descr': ..., 'fortran_order': "
                       "..., 'shape': (1 to %d sizes)}, cannot read it from "
                       "byte %zu on",
                       name, DOM_NPY_MAX_RANK,
                       start + (size_t)(scan.at - text));
    }
    SY_TRY(read_descr(&made, descr, name, err));
    if (fortran && made.rank > 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: header: expected C order, found Fortran order; "
                       "save numpy.ascontiguousarray(x)",
                       name);
    }
    SY_TRY(check_size(&made, bytes - start - length, name, err));
    made.values = data + start + length;
    *npy = made;
    return SY_OK;
}

int64_t dom_npy_value(const struct dom_npy *npy, size_t index)
{
    const uint8_t *at = npy->values + index * (size_t)npy->item_bytes;
    uint64_t value = 0;
    for (int i = 0; i < npy->item_bytes; i++) {
        int byte = npy->big_endian ? i : npy->item_bytes - 1 - i;
        value = value << 8 | at[byte];
    }
    int unused = 64 - 8 * npy->item_bytes;
    if (npy->kind == 'u') {
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    }
    return (int64_t)(value << unused) >> unused;
}
