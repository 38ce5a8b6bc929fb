/*
 * names.c - lists of class names.
 *
 * DESIGN. Names travel into JSON, HTML and reports, so what is not UTF-8 or
 * holds control characters is refused here, once, with its line. Files
 * written on other systems are read as they are: a byte-order mark and
 * carriage returns are dropped.
 */
#include "domains/formats/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "domains/domain.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_FILE_BYTES = 1 << 20 };

/* The list while it is read. */
struct reading {
    char **names;
    int count;
    int blank_line; /* the first blank line since the last name, or 0 */
    const char *file;
    struct sy_error *err;
};

/*
 * Bytes of the UTF-8 character at `text`, or 0: not one (overlong forms,
 * surrogates and values above U+10FFFF included) or a control character.
 */
static size_t character_bytes(const uint8_t *text, size_t left)
{
    uint32_t value = text[0];
    size_t more = 0;
    if (value < 0x80) {
        return value < 0x20 || value == 0x7f ? 0 : 1;
    }
    if ((value & 0xe0) == 0xc0) {
        value &= 0x1f;
        more = 1;
    } else if ((value & 0xf0) == 0xe0) {
        value &= 0x0f;
        more = 2;
    } else if ((value & 0xf8) == 0xf0) {
        value &= 0x07;
        more = 3;
    } else {
        return 0;
    }
    if (left < more + 1) {
        return 0;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0xa0, 0x800, 0x10000};
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    return value < least[more] || value > 0x10ffff || surrogate ? 0 : more + 1;
}

bool dom_label_is_valid(const char *text, size_t bytes)
{
    if (bytes < 1 || bytes >= DOM_LABEL_BYTES) {
        return false;
    }
    size_t used = 0;
    while (used < bytes) {
        size_t step =
            character_bytes((const uint8_t *)text + used, bytes - used);
        if (step == 0) {
            return false;
        }
        used += step;
    }
    return true;
}

/* Takes one line, without its end, into the list. */
static enum sy_status take_line(struct reading *in, const char *line,
                                size_t bytes, int number)
{
    while (bytes > 0 && (line[bytes - 1] == ' ' || line[bytes - 1] == '\r' ||
                         line[bytes - 1] == '\t')) {
        bytes--;
    }
    if (bytes == 0) {
        in->blank_line = in->blank_line == 0 ? number : in->blank_line;
        return SY_OK;
    }
    if (in->blank_line != 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: line %d: expected a class name, found a blank "
                       "line; line k names label k, so remove it",
                       in->file, in->blank_line);
    }
    if (!dom_label_is_valid(line, bytes)) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: line %d: expected a class name of 1 to %d bytes "
                       "of UTF-8 without control characters, found %zu bytes",
                       in->file, number, DOM_LABEL_BYTES - 1, bytes);
    }
    if (in->count == DOM_MAX_CLASSES) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: line %d: expected at most %d classes", in->file,
                       number, DOM_MAX_CLASSES);
    }
    char *name = sy_alloc(bytes + 1);
    if (name == NULL) {
        return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory", in->file);
    }
    memcpy(name, line, bytes);
    name[bytes] = '\0';
    in->names[in->count++] = name;
    return SY_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum sy_status refuse_duplicates(const struct reading *in)
{
    size_t bytes = (size_t)in->count * sizeof(in->names[0]);
    char **sorted = sy_alloc(bytes);
    if (sorted == NULL) {
        return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory", in->file);
    }
    memcpy(sorted, in->names, bytes);
    qsort(sorted, (size_t)in->count, sizeof(sorted[0]), compare_names);
    enum sy_status status = SY_OK;
    for (int i = 1; i < in->count && status == SY_OK; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            status = sy_fail(in->err, SY_BAD_INPUT,
                             "%s: expected each class name once, found "
                             "\"%s\" twice; rename one of them",
                             in->file, sorted[i]);
        }
    }
    sy_free(sorted);
    return status;
}

enum sy_status dom_names_parse(const char *text, size_t bytes, const char *name,
                               char ***names, int *count, struct sy_error *err)
{
    struct reading in = {
        .names = sy_alloc_zero(DOM_MAX_CLASSES, sizeof(in.names[0])),
        .file = name,
        .err = err,
    };
    enum sy_status status = SY_OK;
    if (in.names == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", name);
    }
    size_t at = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (int line = 1; at < bytes; line++) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : bytes - at;
        SY_TRY_OUT(take_line(&in, text + at, length, line));
        at += length + 1;
    }
    if (in.count == 0) {
        status =
            sy_fail(err, SY_BAD_INPUT,
                    "%s: expected one class name a line, found none", name);
        goto out;
    }
    SY_TRY_OUT(refuse_duplicates(&in));
    *names = in.names;
    *count = in.count;
    return SY_OK;
out:
    dom_names_free(in.names, in.count);
    return status;
}

enum sy_status dom_names_load(const char *path, char ***names, int *count,
                              struct sy_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    SY_TRY(sy_file_read(path, MAX_FILE_BYTES, &text, &bytes, err));
    enum sy_status status =
        dom_names_parse(text, bytes, path, names, count, err);
    sy_free(text);
    return status;
}

void dom_names_free(char **names, int count)
{
    if (names != NULL) {
        for (int i = 0; i < count; i++) {
            sy_free(names[i]);
        }
        sy_free(names);
    }
}
