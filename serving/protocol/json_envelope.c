/*
 * json_envelope.c - cutting the data arrays out of a request.
 *
 * DESIGN: a walk over the body that knows strings, brackets and the last key.
 * An array is cut when it is the value of "data" in an object, that object an
 * element of an array, and that array the value of "inputs" in the root
 * object; keys are compared as decoded, so "d\u0061ta" is "data". On every
 * valid JSON text the walk therefore agrees with a parser, and any array that
 * the JSON library later finds at inputs[i].data is one that was put there.
 * On other texts the walk may see something else than a parser would, but
 * then the library refuses the envelope.
 */
#include "serving/protocol/json_envelope.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

enum {
    MAX_DEPTH = 100,  /* as the JSON readers have it */
    MAX_NESTING = 16, /* of one data array */
    MARK_BYTES = 8,   /* "[15]" and some room */
    BLOCK_BYTES = 16
};

struct walk {
    const char *at;
    const char *end;
    int depth;                /* open brackets */
    char kind[MAX_DEPTH + 1]; /* '{' or '[' of each depth */
    struct srv_span key;      /* the last key, with its escapes */
    bool after_colon;         /* a value of `key` comes next */
    bool in_inputs;           /* below the root's "inputs" array */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Behind the string that begins at `text`, or NULL when it does not end. */
static const char *skip_string(const char *text, const char *end)
{
    for (text++; text < end; text++) {
        if (*text == '\\') {
            text++;
        } else if (*text == '"') {
            return text + 1;
        }
    }
    return NULL;
}

/*
 * Whether one of the bytes matters to the structure of an array: '"', '[' and
 * ']' (and, harmlessly, 'Y' and '_'). Sixteen at a time: an array of numbers
 * is mostly other bytes, and this is the one pass that sees each of them
 * before the scanner does.
 */
typedef unsigned char block __attribute__((vector_size(BLOCK_BYTES)));
typedef uint64_t halves __attribute__((vector_size(BLOCK_BYTES)));

static bool has_structure(const char *text)
{
    block bytes;
    memcpy(&bytes, text, sizeof bytes);
    halves found = (halves)((bytes == '"') | ((bytes | 6) == 0x5f));
    return (found[0] | found[1]) != 0;
}

/* Behind the array that begins at `text`, or NULL. */
static const char *skip_array(const char *text, const char *end)
{
    int depth = 0;
    while (text < end) {
        /* A block at a time, and byte by byte where one of them matters. */
        const char *stop = end - text < BLOCK_BYTES ? end : text + BLOCK_BYTES;
        if (stop - text == BLOCK_BYTES && !has_structure(text)) {
            text = stop;
            continue;
        }
        while (text < stop) {
            char c = *text++;
            if (c == '"') {
                text = skip_string(text - 1, end);
                if (text == NULL) {
                    return NULL;
                }
            } else if (c == '[' && ++depth > MAX_NESTING) {
                return NULL;
            } else if (c == ']' && --depth == 0) {
                return text;
            }
        }
    }
    return NULL;
}

static int hex_value(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* True when the key, escapes decoded, is `word` (letters only). */
static bool key_is(const struct srv_span *key, const char *word)
{
    const char *at = key->text;
    const char *end = at + key->bytes;
    for (; *word != '\0'; word++) {
        int c = at < end ? (unsigned char)*at : -1;
        size_t used = 1;
        if (c == '\\' && end - at >= 6 && at[1] == 'u') {
            c = hex_value(at + 2);
            used = 6;
        }
        if (c != *word) {
            return false;
        }
        at += used;
    }
    return at == end;
}

static enum sy_status add_bytes(struct srv_envelope *envelope, const char *text,
                                size_t bytes, struct sy_error *err)
{
    if (bytes > SRV_ENVELOPE_BYTES - envelope->bytes) {
        return sy_fail(err, SY_BAD_INPUT,
                       "the JSON around the tensor data is longer than %d "
                       "bytes",
                       SRV_ENVELOPE_BYTES);
    }
    memcpy(envelope->text + envelope->bytes, text, bytes);
    envelope->bytes += bytes;
    envelope->text[envelope->bytes] = '\0';
    return SY_OK;
}

/* Cuts the array at walk->at and leaves a mark; moves behind it. */
static enum sy_status cut_array(struct srv_envelope *envelope,
                                struct walk *walk, struct sy_error *err)
{
    const char *start = walk->at;
    const char *next = skip_array(start, walk->end);
    if (next == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "a data array does not end, or nests deeper than %d",
                       MAX_NESTING);
    }
    if (envelope->cut_count == SRV_MAX_CUTS) {
        return sy_fail(err, SY_BAD_INPUT, "more than %d data arrays",
                       SRV_MAX_CUTS);
    }
    char mark[MARK_BYTES];
    int bytes = snprintf(mark, sizeof mark, "[%d]", envelope->cut_count);
    envelope->cut[envelope->cut_count++] =
        (struct srv_span){start, (size_t)(next - start)};
    walk->at = next;
    return add_bytes(envelope, mark, (size_t)bytes, err);
}

/* A string: remembered when it turns out to be a key. */
static enum sy_status walk_string(struct walk *walk, struct sy_error *err)
{
    const char *start = walk->at;
    const char *next = skip_string(start, walk->end);
    if (next == NULL) {
        return sy_fail(err, SY_BAD_INPUT, "a string does not end");
    }
    walk->at = next;
    const char *look = next;
    while (look < walk->end && is_space(*look)) {
        look++;
    }
    if (look < walk->end && *look == ':') {
        walk->key = (struct srv_span){start + 1, (size_t)(next - start) - 2};
    }
    return SY_OK;
}

static enum sy_status walk_open(struct walk *walk, struct sy_error *err)
{
    if (walk->depth == MAX_DEPTH) {
        return sy_fail(err, SY_BAD_INPUT, "JSON nests deeper than %d",
                       MAX_DEPTH);
    }
    if (walk->depth == 1 && walk->kind[1] == '{' && *walk->at == '[' &&
        walk->after_colon && key_is(&walk->key, "inputs")) {
        walk->in_inputs = true;
    }
    walk->kind[++walk->depth] = *walk->at++;
    return SY_OK;
}

/* True at the array of an input's "data". */
static bool at_data(const struct walk *walk)
{
    return *walk->at == '[' && walk->in_inputs && walk->depth == 3 &&
           walk->kind[3] == '{' && walk->after_colon &&
           key_is(&walk->key, "data");
}

/* One step of the walk; `copied` is how far the envelope has been copied. */
static enum sy_status walk_step(struct srv_envelope *envelope,
                                struct walk *walk, const char **copied,
                                struct sy_error *err)
{
    char c = *walk->at;
    if (is_space(c)) {
        walk->at++;
        return SY_OK;
    }
    if (at_data(walk)) {
        SY_TRY(add_bytes(envelope, *copied, (size_t)(walk->at - *copied), err));
        SY_TRY(cut_array(envelope, walk, err));
        *copied = walk->at;
    } else if (c == '"') {
        SY_TRY(walk_string(walk, err));
    } else if (c == '{' || c == '[') {
        SY_TRY(walk_open(walk, err));
    } else {
        if ((c == '}' || c == ']') && walk->depth > 0) {
            walk->depth--;
            walk->in_inputs = walk->in_inputs && walk->depth > 1;
        }
        walk->at++;
    }
    walk->after_colon = c == ':';
    return SY_OK;
}

enum sy_status srv_envelope_cut(struct srv_envelope *envelope, const char *body,
                                size_t bytes, struct sy_error *err)
{
    struct srv_envelope made = {0};
    size_t room = bytes + MARK_BYTES * SRV_MAX_CUTS;
    room = room < SRV_ENVELOPE_BYTES ? room : SRV_ENVELOPE_BYTES;
    made.text = sy_alloc(room + 1);
    if (made.text == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "request: out of memory");
    }
    made.text[0] = '\0';
    struct walk walk = {.at = body, .end = body + bytes, .key = {"", 0}};
    const char *copied = body;
    enum sy_status status = SY_OK;
    while (walk.at < walk.end) {
        SY_TRY_OUT(walk_step(&made, &walk, &copied, err));
    }
    SY_TRY_OUT(add_bytes(&made, copied, (size_t)(walk.end - copied), err));
    *envelope = made;
    made.text = NULL;
out:
    sy_free(made.text);
    return status;
}

void srv_envelope_release(struct srv_envelope *envelope)
{
    sy_free(envelope->text);
    *envelope = (struct srv_envelope){0};
}
