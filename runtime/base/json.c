/*
 * json.c - reading JSON from outside, checked.
 *
 * DESIGN. Jansson parses, after a scan of ours that bounds the nesting; the
 * getters then work on its tree. Two things about Jansson's memory:
 *
 *   - It must come from one allocator for the whole life of the process, so
 *     it is given ours before main() begins. A switch at the first parse would
 *     be too late for a value that was built before.
 *   - When it cannot allocate it often reports a syntax error, and sometimes
 *     goes on (a table of keys that could not grow). A mark per thread says
 *     what really happened, and no value made meanwhile is trusted.
 *
 * Texts from outside go into messages shortened and with control characters
 * escaped, so a message stays one line.
 */
#include "runtime/base/json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"

enum { SHOWN_BYTES = 64, FOUND_BYTES = 384, LIST_BYTES = 400, MAX_WORD = 64 };

/* Set when Jansson asked for memory on this thread and got none. */
static _Thread_local bool out_of_memory;

static void *json_alloc(size_t bytes)
{
    void *block = sy_alloc(bytes);
    if (block == NULL) {
        out_of_memory = true;
    }
    return block;
}

/* Runs before main(), see the top. */
__attribute__((constructor)) static void use_our_memory(void)
{
    json_set_alloc_funcs(json_alloc, sy_free);
}

/* A text that is written piece by piece into a buffer, and cut at its end. */
struct line {
    char *text;
    size_t bytes;
    size_t used;
};

/* Adds formatted text. */
static void put(struct line *line, const char *format, ...) SY_PRINTF(2, 3);

static void put(struct line *line, const char *format, ...)
{
    size_t room = line->bytes - line->used;
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (bytes > 0) {
        line->used += (size_t)bytes < room ? (size_t)bytes : room - 1;
    }
}

/* Adds a text from outside: shortened, control characters escaped. */
static void put_shown(struct line *line, const char *text)
{
    size_t shown = 0;
    for (; text[shown] != '\0'; shown++) {
        unsigned char byte = (unsigned char)text[shown];
        if (shown >= SHOWN_BYTES && (byte & 0xC0U) != 0x80U) {
            put(line, "...");
            return;
        }
        if (byte < 0x20 || byte == 0x7F) {
            put(line, "\\u%04x", byte);
        } else {
            put(line, "%c", byte);
        }
    }
}

/* Adds a real number so that it can be told from a whole one. */
static void put_real(struct line *line, double number)
{
    size_t start = line->used;
    put(line, "%.15g", number);
    if (strpbrk(line->text + start, ".e") == NULL) {
        put(line, ".0");
    }
}

/* Adds what was found, as a person would name it. */
static void put_found(struct line *line, json_t *value)
{
    if (value == NULL) {
        put(line, "nothing");
    } else if (json_is_string(value)) {
        put(line, "\"");
        put_shown(line, json_string_value(value));
        put(line, "\"");
    } else if (json_is_integer(value)) {
        put(line, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        put_real(line, json_real_value(value));
    } else if (json_is_array(value)) {
        put(line, "an array of %zu", json_array_size(value));
    } else if (json_is_object(value)) {
        put(line, "an object");
    } else {
        put(line, "%s",
            json_is_null(value)   ? "null"
            : json_is_true(value) ? "true"
                                  : "false");
    }
}

/* The place of the quote that ends a text that begins at `at`, or the end. */
static size_t skip_text(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++) {
        at += text[at] == '\\' ? 1 : 0;
    }
    return at;
}

static enum sy_status fail_deep(const char *text, size_t at, const char *name,
                                struct sy_error *err)
{
    int line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return sy_fail(err, SY_BAD_INPUT, "%s:%d:%zu: nested more than %d deep",
                   name, line, at - start + 1, SY_JSON_MAX_DEPTH);
}

/*
 * Refuses a nesting deeper than SY_JSON_MAX_DEPTH, before the recursive
 * parser sees it. Only brackets outside strings count; whether the text is
 * JSON at all is the parser's question.
 */
static enum sy_status check_depth(const char *text, size_t bytes,
                                  const char *name, struct sy_error *err)
{
    int depth = 0;
    for (size_t at = 0; at < bytes; at++) {
        switch (text[at]) {
        case '"':
            at = skip_text(text, bytes, at);
            sy_rest();
            break;
        case '[':
        case '{':
            if (++depth > SY_JSON_MAX_DEPTH) {
                return fail_deep(text, at, name, err);
            }
            break;
        case ']':
        case '}':
            depth--;
            break;
        default:
            break;
        }
    }
    return SY_OK;
}

/* What is left to parse. */
struct source {
    const char *text;
    size_t bytes;
};

/* Hands the next piece to Jansson, which may be at it for long. */
static size_t give_text(void *buffer, size_t room, void *data)
{
    struct source *source = data;
    size_t bytes = source->bytes < room ? source->bytes : room;
    sy_rest();
    memcpy(buffer, source->text, bytes);
    source->text += bytes;
    source->bytes -= bytes;
    return bytes;
}

enum sy_status sy_json_parse(const char *text, size_t bytes, const char *name,
                             json_t **root, struct sy_error *err)
{
    if (bytes > SY_JSON_MAX_BYTES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d bytes of JSON, found %zu", name,
                       SY_JSON_MAX_BYTES, bytes);
    }
    SY_TRY(check_depth(text, bytes, name, err));
    json_error_t failure;
    out_of_memory = false;
    struct source source = {bytes > 0 ? text : "", bytes};
    json_t *value = json_load_callback(give_text, &source,
                                       JSON_REJECT_DUPLICATES, &failure);
    if (out_of_memory) {
        json_decref(value);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to parse it", name);
    }
    if (value == NULL) {
        char shown[sizeof failure.text * 6];
        struct line line = {shown, sizeof shown, 0};
        shown[0] = '\0';
        put_shown(&line, failure.text);
        return sy_fail(err, SY_BAD_INPUT, "%s:%d:%d: %s", name, failure.line,
                       failure.column, shown);
    }
    *root = value;
    return SY_OK;
}

enum sy_status sy_json_load(const char *path, json_t **root,
                            struct sy_error *err)
{
    char *text;
    size_t bytes;
    SY_TRY(sy_file_read(path, SY_JSON_MAX_BYTES, &text, &bytes, err));
    enum sy_status status = sy_json_parse(text, bytes, path, root, err);
    sy_free(text);
    return status;
}

/* Writes "file: place.key: " for the messages of a reader. */
static void put_place(struct line *line, const struct sy_json *in,
                      const char *key)
{
    put(line, "%s: %s", in->file, in->place);
    if (key[0] != '\0') {
        put(line, "%s", in->place[0] != '\0' ? "." : "");
        put_shown(line, key);
    }
    put(line, "%s", in->place[0] != '\0' || key[0] != '\0' ? ": " : "");
}

void sy_json_reject(struct sy_json *in, const char *key, const char *format,
                    ...)
{
    char place[SY_ERROR_BYTES];
    char message[SY_ERROR_BYTES];
    if (in->status != SY_OK) {
        return;
    }
    struct line line = {place, sizeof place, 0};
    put_place(&line, in, key);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    in->status = sy_fail(in->err, SY_BAD_INPUT, "%s%s", place, message);
}

/* Rejects the member at `key`: "expected ..., found ...". */
static void reject_found(struct sy_json *in, const char *key, json_t *value,
                         const char *format, ...) SY_PRINTF(4, 5);

static void reject_found(struct sy_json *in, const char *key, json_t *value,
                         const char *format, ...)
{
    char expected[LIST_BYTES];
    char found[FOUND_BYTES];
    struct line line = {found, sizeof found, 0};
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    put_found(&line, value);
    sy_json_reject(in, key, "expected %s, found %s", expected, found);
}

struct sy_json sy_json_object(json_t *value, const char *file,
                              const char *place, struct sy_error *err)
{
    struct sy_json in = {.file = file, .err = err};
    struct line line = {in.place, sizeof in.place, 0};
    put(&line, "%s", place);
    if (json_is_object(value)) {
        in.object = value;
    } else {
        reject_found(&in, "", value, "an object");
    }
    return in;
}

/* Remembers that a key was asked for. */
static void remember(struct sy_json *in, const char *key)
{
    for (int i = 0; i < in->known_count; i++) {
        if (strcmp(in->known[i], key) == 0) {
            return;
        }
    }
    SY_ASSERT(in->known_count < SY_JSON_MAX_KEYS);
    in->known[in->known_count++] = key;
}

/* The member at `key`, or NULL: absent, or an earlier failure. */
static json_t *lookup(struct sy_json *in, const char *key)
{
    if (in->status != SY_OK) {
        return NULL;
    }
    remember(in, key);
    return json_object_get(in->object, key);
}

bool sy_json_has(struct sy_json *in, const char *key)
{
    return lookup(in, key) != NULL;
}

struct sy_json sy_json_child(struct sy_json *in, const char *key)
{
    json_t *value = lookup(in, key);
    struct sy_json child = {.file = in->file, .err = in->err};
    struct line line = {child.place, sizeof child.place, 0};
    put(&line, "%s%s%s", in->place, in->place[0] != '\0' ? "." : "", key);
    if (json_is_object(value)) {
        child.object = value;
    } else {
        reject_found(in, key, value, "an object");
    }
    child.status = in->status;
    return child;
}

void sy_json_int64(struct sy_json *in, const char *key, int64_t low,
                   int64_t high, int64_t *out)
{
    json_t *value = lookup(in, key);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (!json_is_integer(value) || number < low || number > high) {
        reject_found(in, key, value, "a whole number from %lld to %lld",
                     (long long)low, (long long)high);
    } else {
        *out = number;
    }
}

void sy_json_int(struct sy_json *in, const char *key, int64_t low, int64_t high,
                 int *out)
{
    int64_t number = 0;
    sy_json_int64(in, key, low > INT_MIN ? low : INT_MIN,
                  high < INT_MAX ? high : INT_MAX, &number);
    if (in->status == SY_OK) {
        *out = (int)number;
    }
}

void sy_json_real(struct sy_json *in, const char *key, double low, double high,
                  double *out)
{
    json_t *value = lookup(in, key);
    double number = json_number_value(value);
    if (!json_is_number(value) || number < low || number > high) {
        reject_found(in, key, value, "a number from %g to %g", low, high);
    } else {
        *out = number;
    }
}

void sy_json_bool(struct sy_json *in, const char *key, bool *out)
{
    json_t *value = lookup(in, key);
    if (!json_is_boolean(value)) {
        reject_found(in, key, value, "true or false");
    } else {
        *out = json_is_true(value);
    }
}

void sy_json_text(struct sy_json *in, const char *key, char *out, size_t bytes)
{
    json_t *value = lookup(in, key);
    size_t length = json_string_length(value);
    if (!json_is_string(value)) {
        reject_found(in, key, value, "a text");
    } else if (length >= bytes) {
        reject_found(in, key, value, "a text of at most %zu bytes", bytes - 1);
    } else {
        memcpy(out, json_string_value(value), length + 1);
    }
}

/* Lists names as "a", "b" or "c". */
static void put_names(struct line *line, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++) {
        const char *between = i == 0                 ? ""
                              : names[i + 1] == NULL ? " or "
                                                     : ", ";
        put(line, "%s\"%s\"", between, names[i]);
    }
}

void sy_json_choice(struct sy_json *in, const char *key,
                    const char *const *names, int *out)
{
    char list[LIST_BYTES];
    json_t *value = lookup(in, key);
    const char *text = json_string_value(value);
    for (int i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return;
        }
    }
    struct line line = {list, sizeof list, 0};
    list[0] = '\0';
    put_names(&line, names);
    reject_found(in, key, value, "%s", list);
}

json_t *sy_json_array(struct sy_json *in, const char *key, size_t low,
                      size_t high)
{
    json_t *value = lookup(in, key);
    size_t count = json_array_size(value);
    if (json_is_array(value) && count >= low && count <= high) {
        return value;
    }
    if (low == high) {
        reject_found(in, key, value, "an array of %zu", low);
    } else {
        reject_found(in, key, value, "an array of %zu to %zu", low, high);
    }
    return NULL;
}

void sy_json_opt_int(struct sy_json *in, const char *key, int64_t low,
                     int64_t high, int *out)
{
    if (sy_json_has(in, key)) {
        sy_json_int(in, key, low, high, out);
    }
}

void sy_json_opt_real(struct sy_json *in, const char *key, double low,
                      double high, double *out)
{
    if (sy_json_has(in, key)) {
        sy_json_real(in, key, low, high, out);
    }
}

void sy_json_opt_bool(struct sy_json *in, const char *key, bool *out)
{
    if (sy_json_has(in, key)) {
        sy_json_bool(in, key, out);
    }
}

void sy_json_opt_text(struct sy_json *in, const char *key, char *out,
                      size_t bytes)
{
    if (sy_json_has(in, key)) {
        sy_json_text(in, key, out, bytes);
    }
}

void sy_json_opt_choice(struct sy_json *in, const char *key,
                        const char *const *names, int *out)
{
    if (sy_json_has(in, key)) {
        sy_json_choice(in, key, names, out);
    }
}

/* Rejects a key that nobody asked for, naming the one that was meant. */
static void reject_unknown(struct sy_json *in, const char *key)
{
    const char *names[SY_JSON_MAX_KEYS + 1] = {NULL};
    char list[LIST_BYTES];
    struct line line = {list, sizeof list, 0};
    list[0] = '\0';
    memcpy(names, in->known, (size_t)in->known_count * sizeof names[0]);
    const char *nearest = sy_nearest_word(key, names);
    if (nearest != NULL) {
        sy_json_reject(in, key, "unknown key; did you mean \"%s\"?", nearest);
    } else if (in->known_count > 0) {
        put_names(&line, names);
        sy_json_reject(in, key, "unknown key; expected %s", list);
    } else {
        sy_json_reject(in, key, "unknown key; expected an empty object");
    }
}

enum sy_status sy_json_end(struct sy_json *in)
{
    const char *key;
    json_t *value;
    json_object_foreach(in->object, key, value)
    {
        bool known = false;
        for (int i = 0; i < in->known_count && !known; i++) {
            known = strcmp(in->known[i], key) == 0;
        }
        if (!known) {
            reject_unknown(in, key);
            break;
        }
    }
    return in->status;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/*
 * The number of insertions, deletions, changes and swaps of neighbours that
 * turn one word into the other (optimal string alignment). The rows are those
 * of the textbook's table; three of them are kept.
 */
static int edit_distance(const char *a, const char *b, int b_length)
{
    int rows[3][MAX_WORD + 1];
    for (int j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    int i = 1;
    for (; a[i - 1] != '\0'; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3];
        const int *second_above = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int changed = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(changed, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], second_above[j - 2] + 1);
            }
        }
    }
    return rows[(i - 1) % 3][b_length];
}

const char *sy_nearest_word(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t length = strlen(word);
    if (length > MAX_WORD) {
        return NULL;
    }
    /* A third of the word may be wrong, but never all of it. */
    int nearest_distance = (int)(length + 2) / 3 + 1;
    for (int i = 0; names[i] != NULL; i++) {
        size_t name_length = strlen(names[i]);
        if (name_length > MAX_WORD) {
            continue;
        }
        int distance = edit_distance(word, names[i], (int)name_length);
        if (distance < nearest_distance && distance < (int)name_length) {
            nearest = names[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}

/* Takes each piece of a text as it is written. */
static int hash_piece(const char *text, size_t bytes, void *context)
{
    sy_hash_add(context, text, bytes);
    return 0;
}

bool sy_json_hash(const json_t *value, char text[SY_HASH_TEXT_BYTES])
{
    struct sy_hash hash;
    sy_hash_init(&hash);
    /* Not through a text in memory: json_dumps with sorted keys overlooks it
     * when it cannot get the memory for one of them. */
    int failed = json_dump_callback(value, hash_piece, &hash,
                                    JSON_COMPACT | JSON_SORT_KEYS);
    sy_hash_end(&hash, text);
    return failed == 0;
}

/* Where a value is written to; the first failure stops the writing. */
struct saving {
    struct sy_writer writer;
    enum sy_status status;
    struct sy_error *err;
};

static int save_part(const char *data, size_t bytes, void *context)
{
    struct saving *saving = context;
    saving->status = sy_writer_write(&saving->writer, data, bytes, saving->err);
    return saving->status == SY_OK ? 0 : -1;
}

enum sy_status sy_json_save(const char *path, json_t *root,
                            struct sy_error *err)
{
    struct saving saving = {.status = SY_OK, .err = err};
    SY_TRY(sy_writer_open(&saving.writer, path, err));
    out_of_memory = false;
    int dumped = json_dump_callback(root, save_part, &saving,
                                    JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (dumped != 0 || out_of_memory) {
        sy_writer_abort(&saving.writer);
        if (saving.status != SY_OK) {
            return saving.status;
        }
        return sy_fail(err, out_of_memory ? SY_NO_MEMORY : SY_INTERNAL,
                       "%s: cannot write this value as JSON", path);
    }
    SY_TRY(sy_writer_write(&saving.writer, "\n", 1, err));
    return sy_writer_commit(&saving.writer, err);
}
