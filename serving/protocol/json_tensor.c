/*
 * json_tensor.c - the scanner of data arrays.
 *
 * DESIGN: one loop over levels of nesting serves all types; reading a run of
 * elements is a function. Flat data is the same loop with a single level as
 * long as the whole tensor. Every extent is at least 1, so an empty pair of
 * brackets is never right, and each level's count is compared at its closing
 * bracket and at each comma, so nothing is written beyond the tensor. Data
 * nested less deeply than the shape does not say which of its dimensions it
 * joins: there only the elements are counted, as other servers do.
 */
#include "serving/protocol/json_tensor.h"

#include <string.h>

#include "serving/protocol/float_text.h"

/*
 * Reads from one to `most` elements, divided by bare commas, into `out` from
 * `index` on, and returns how many; *at is then behind the last of them. 0:
 * no element stands at *at, which stays.
 */
typedef size_t (*read_fn)(const char **at, const char *end, void *out,
                          size_t index, size_t most);

struct scan {
    const char *at;
    const char *end;
    int levels;
    size_t extent[SRV_MAX_DIMS + 1]; /* by level, from 1 */
    size_t count[SRV_MAX_DIMS + 1];
    int level;
    bool loose;   /* nested partially: levels are free, `total` counts */
    size_t index; /* elements read */
    size_t total; /* elements of the tensor */
    read_fn read;
    void *out;
    const char *expected;
};

size_t srv_dims_elements(const struct srv_dims *dims, size_t limit)
{
    size_t elements = 1;
    for (int i = 0; i < dims->count; i++) {
        if (dims->extent[i] == 0 || elements > limit / dims->extent[i]) {
            return 0;
        }
        elements *= dims->extent[i];
    }
    return elements;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' ||
                                    *scan->at == '\t' || *scan->at == '\r')) {
        scan->at++;
    }
}

/* One whole number up to 255; NULL: there is none, else what follows it. */
static const char *take_u8(const char *text, const char *end, uint8_t *out)
{
    unsigned value = 0;
    const char *first = text;
    while (text < end && *text >= '0' && *text <= '9' && text - first < 4) {
        value = value * 10 + (unsigned)(*text - '0');
        text++;
    }
    bool zeros = text - first > 1 && *first == '0';
    if (text == first || zeros || value > 255 ||
        (text < end && (*text == '.' || *text == 'e' || *text == 'E'))) {
        return NULL;
    }
    *out = (uint8_t)value;
    return text;
}

/*
 * The same, for one with a comma behind it: the number's digits are found and
 * put together without a branch, since how many there are cannot be guessed.
 * NULL: it takes another look.
 */
static inline const char *take_u8_quickly(const char *text, const char *end,
                                          uint8_t *out)
{
    uint32_t word;
    if (end - text < (ptrdiff_t)sizeof word) {
        return NULL;
    }
    memcpy(&word, text, sizeof word);
    uint32_t digits = word ^ 0x30303030U; /* a digit is 0 to 9 now */
    uint32_t others =
        ((digits + 0x76767676U) | digits) & 0x80808080U; /* and is not here */
    if (others == 0) {
        return NULL;
    }
    unsigned bits = (unsigned)__builtin_ctz(others) - 7; /* before the first */
    uint32_t whole = (uint32_t)((uint64_t)digits << 24 >> bits) & 0xFFFFFFU;
    uint32_t value =
        (whole & 255) * 100 + (whole >> 8 & 255) * 10 + (whole >> 16);
    bool zeros = bits > 8 && (digits & 255) == 0;
    const char *after = text + bits / 8;
    if (bits == 0 || zeros || value > 255 || *after != ',') {
        return NULL;
    }
    *out = (uint8_t)value;
    return after;
}

/* Whether another element may follow a bare comma: it then stands behind. */
static bool next_in_run(const char *text, const char *end)
{
    return end - text > 1 && *text == ',' && text[1] != ' ' && text[1] != '[';
}

static size_t read_u8(const char **at, const char *end, void *out, size_t index,
                      size_t most)
{
    uint8_t *pixels = (uint8_t *)out + index;
    size_t count = 0;
    for (const char *text = *at; count < most; text++) {
        const char *next = take_u8_quickly(text, end, &pixels[count]);
        if (next == NULL) {
            next = take_u8(text, end, &pixels[count]);
        }
        if (next == NULL) {
            break; /* behind a comma: the caller finds it again and says so */
        }
        count++;
        *at = text = next;
        if (!next_in_run(text, end)) {
            break;
        }
    }
    return count;
}

static size_t read_f32(const char **at, const char *end, void *out,
                       size_t index, size_t most)
{
    float *values = (float *)out + index;
    size_t count = 0;
    for (const char *text = *at; count < most; text++) {
        if (!srv_float_read(text, end, &values[count], &text)) {
            break;
        }
        count++;
        *at = text;
        if (!next_in_run(text, end)) {
            break;
        }
    }
    return count;
}

/* Names the element and shows the first bytes of what stands there. */
static enum sy_status fail_element(const struct scan *scan,
                                   struct sy_error *err)
{
    char found[25];
    size_t n = 0;
    for (const char *c = scan->at; c < scan->end && n < sizeof found - 1; c++) {
        if (*c == ',' || *c == ']' || *c <= ' ' || *c >= 0x7f) {
            break;
        }
        found[n++] = *c;
    }
    found[n] = '\0';
    return sy_fail(err, SY_BAD_INPUT,
                   "data: element %zu: expected %s, found '%s'", scan->index,
                   scan->expected, found);
}

static enum sy_status fail_count(const struct scan *scan, struct sy_error *err)
{
    if (scan->levels == 1 || scan->loose) {
        return sy_fail(err, SY_BAD_INPUT, "data: expected %zu values, found %s",
                       scan->total,
                       scan->index < scan->total ? "fewer" : "more");
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "data: at element %zu: an array of dimension %d must hold "
                   "%zu entries, as the shape says",
                   scan->index, scan->level - 1, scan->extent[scan->level]);
}

/* Goes down to the deepest level and reads elements of it. */
static enum sy_status scan_value(struct scan *scan, struct sy_error *err)
{
    skip_space(scan);
    while (scan->loose ? scan->at < scan->end && *scan->at == '['
                       : scan->level < scan->levels) {
        if (scan->at == scan->end || *scan->at != '[' ||
            scan->level == SRV_MAX_DIMS) {
            return sy_fail(err, SY_BAD_INPUT,
                           "data: at element %zu: the nesting of the arrays "
                           "does not match the shape",
                           scan->index);
        }
        scan->at++;
        scan->count[++scan->level] = 0;
        skip_space(scan);
    }
    if (scan->index == scan->total ||
        (!scan->loose &&
         scan->count[scan->level] == scan->extent[scan->level])) {
        return fail_count(scan, err);
    }
    size_t most = scan->total - scan->index;
    if (!scan->loose) {
        size_t left = scan->extent[scan->level] - scan->count[scan->level];
        most = left < most ? left : most;
    }
    size_t read =
        scan->read(&scan->at, scan->end, scan->out, scan->index, most);
    if (read == 0) {
        return fail_element(scan, err);
    }
    scan->index += read;
    scan->count[scan->level] += read - 1;
    return SY_OK;
}

/* Behind the last of them, which it counts: closes levels until a comma;
 *more says it was one. */
static enum sy_status scan_after(struct scan *scan, bool *more,
                                 struct sy_error *err)
{
    for (;;) {
        scan->count[scan->level]++;
        skip_space(scan);
        char c = scan->at < scan->end ? *scan->at : '\0';
        bool full = scan->count[scan->level] == scan->extent[scan->level];
        if (!scan->loose && ((c == ',' && full) || (c == ']' && !full))) {
            scan->count[scan->level] += c == ',' ? 1 : 0;
            return fail_count(scan, err);
        }
        if (c == ',') {
            scan->at++;
            *more = true;
            return SY_OK;
        }
        if (c != ']') {
            return fail_element(scan, err);
        }
        scan->at++;
        if (--scan->level == 0) {
            *more = false;
            return SY_OK;
        }
    }
}

/* How many brackets open before the first element. */
static int opening_brackets(const struct srv_span *span)
{
    int count = 0;
    for (size_t i = 0; i < span->bytes && count <= SRV_MAX_DIMS; i++) {
        char c = span->text[i];
        if (c == '[') {
            count++;
        } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
            break;
        }
    }
    return count;
}

static enum sy_status scan_tensor(struct scan *scan,
                                  const struct srv_span *span,
                                  const struct srv_dims *dims,
                                  struct sy_error *err)
{
    scan->at = span->text;
    scan->end = span->text + span->bytes;
    if (span->bytes == 0 || *scan->at != '[') {
        return sy_fail(err, SY_BAD_INPUT, "data: expected an array");
    }
    scan->at++;
    skip_space(scan);
    scan->level = 1;
    scan->total = srv_dims_elements(dims, SIZE_MAX);
    int nested = opening_brackets(span);
    scan->loose = nested > 1 && nested < dims->count;
    if (nested > 1) {
        scan->levels = dims->count;
        for (int i = 0; i < dims->count; i++) {
            scan->extent[i + 1] = dims->extent[i];
        }
    } else {
        scan->levels = 1;
        scan->extent[1] = scan->total;
    }
    if (scan->at < scan->end && *scan->at == ']') {
        return fail_count(scan, err);
    }
    bool more = true;
    while (more) {
        SY_TRY(scan_value(scan, err));
        SY_TRY(scan_after(scan, &more, err));
    }
    if (scan->at != scan->end) {
        return sy_fail(err, SY_BAD_INPUT, "data: bytes behind the array");
    }
    if (scan->index < scan->total) {
        return fail_count(scan, err);
    }
    return SY_OK;
}

enum sy_status srv_tensor_u8(const struct srv_span *span,
                             const struct srv_dims *dims, uint8_t *out,
                             struct sy_error *err)
{
    struct scan scan = {.read = read_u8,
                        .out = out,
                        .expected = "a whole number from 0 to 255"};
    return scan_tensor(&scan, span, dims, err);
}

enum sy_status srv_tensor_f32(const struct srv_span *span,
                              const struct srv_dims *dims, float *out,
                              struct sy_error *err)
{
    struct scan scan = {.read = read_f32, .out = out, .expected = "a number"};
    return scan_tensor(&scan, span, dims, err);
}
