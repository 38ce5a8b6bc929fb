/*
 * current.c - what is served of a model, as a file of lines.
 *
 * DESIGN. One grammar, read strictly: a server that comes up on a file it
 * understands by half would serve something that nobody has asked for. What is
 * written is read back from its text first, so that no state can be stored
 * that could not be loaded.
 */
#include "runtime/artefact/current.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/artefact/model.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

enum { ID_DIGITS = SY_PACK_ID_BYTES - 1, LABEL_IDS = 4 };

/* The file while it is read, a line at a time. */
struct reading {
    const char *file;
    char *rest; /* of the text; NUL ends it */
    char *line; /* the line at hand, ended by a NUL; NULL: there is none */
    int number;
    struct sy_error *err;
};

bool sy_pack_id_valid(const char *id)
{
    return strlen(id) == ID_DIGITS &&
           strspn(id, "0123456789abcdef") == ID_DIGITS;
}

static void next_line(struct reading *in)
{
    char *end;
    in->number++;
    in->line = *in->rest == '\0' ? NULL : in->rest;
    if (in->line != NULL) {
        end = in->line + strcspn(in->line, "\n");
        in->rest = *end == '\0' ? end : end + 1;
        if (end > in->line && end[-1] == '\r') {
            end[-1] = '\0';
        }
        *end = '\0';
    }
}

static enum sy_status fail(const struct reading *in, const char *expected)
{
    return sy_fail(in->err, SY_BAD_INPUT, "%s: line %d: expected %s", in->file,
                   in->number, expected);
}

/* What stands behind "WORD " in the line at hand, or NULL. */
static char *after_word(const struct reading *in, const char *word)
{
    size_t length = strlen(word);
    bool found = in->line != NULL && strncmp(in->line, word, length) == 0 &&
                 in->line[length] == ' ';
    return found ? in->line + length + 1 : NULL;
}

/* Cuts the next word off `*text`; words are parted by one space, and none
   stands at the end. */
static char *cut_word(char **text)
{
    char *word = *text;
    size_t length = strcspn(word, " ");
    *text = word + length;
    if (word[length] == ' ' && word[length + 1] != '\0') {
        word[length] = '\0';
        *text = word + length + 1;
    }
    return word;
}

static enum sy_status add_pack(const struct reading *in, struct sy_stack *stack,
                               const char *id)
{
    if (!sy_pack_id_valid(id)) {
        return fail(in, "the id of a pack, 16 hexadecimal digits");
    }
    if (stack->pack_count == SY_STACK_PACKS) {
        return fail(in, "at most 64 packs");
    }
    memcpy(stack->pack[stack->pack_count++], id, SY_PACK_ID_BYTES);
    return SY_OK;
}

/* A whole number from 0 to SY_SHARE_WHOLE without leading zeros, or -1. */
static int share_of(const char *word)
{
    size_t length = strlen(word);
    bool number = length > 0 && length <= 5 &&
                  strspn(word, "0123456789") == length &&
                  (length == 1 || word[0] != '0');
    long share = number ? strtol(word, NULL, 10) : -1;
    return share <= SY_SHARE_WHOLE ? (int)share : -1;
}

/* "ID shadow N canary N" */
static enum sy_status read_candidate(const struct reading *in,
                                     struct sy_current *current, char *text)
{
    static const char wanted[] =
        "\"candidate ID shadow N canary N\", ID of a pack and N in hundredths "
        "of a percent, 0 to 10000";
    const char *id = cut_word(&text);
    bool good = sy_pack_id_valid(id) && strcmp(cut_word(&text), "shadow") == 0;
    current->shadow_share = good ? share_of(cut_word(&text)) : -1;
    good = good && strcmp(cut_word(&text), "canary") == 0;
    current->canary_share = good ? share_of(cut_word(&text)) : -1;
    if (current->shadow_share < 0 || current->canary_share < 0 ||
        *text != '\0') {
        return fail(in, wanted);
    }
    memcpy(current->candidate, id, SY_PACK_ID_BYTES);
    return SY_OK;
}

static enum sy_status read_rules(const struct reading *in,
                                 struct sy_current *current, const char *text)
{
    json_t *rules = NULL;
    size_t length = strlen(text);
    if (length >= sizeof current->rules) {
        return fail(in, "rules of at most 2047 bytes");
    }
    SY_TRY(sy_json_parse(text, length, in->file, &rules, in->err));
    bool object = json_is_object(rules);
    json_decref(rules);
    if (!object) {
        return fail(in, "\"rules\" and a JSON object");
    }
    memcpy(current->rules, text, length + 1);
    return SY_OK;
}

/* "VERSION ID ID" */
static enum sy_status read_before(const struct reading *in,
                                  struct sy_stack *before, char *text)
{
    before->version = sy_version_number(cut_word(&text));
    if (before->version == 0) {
        return fail(in, "\"before VERSION ID...\", a version and its packs");
    }
    while (*text != '\0') {
        SY_TRY(add_pack(in, before, cut_word(&text)));
    }
    return SY_OK;
}

static enum sy_status read_lines(struct reading *in, struct sy_current *current)
{
    char *text;
    next_line(in);
    current->served.version =
        in->line != NULL ? sy_version_number(in->line) : 0;
    if (current->served.version == 0) {
        return fail(in, "a version number");
    }
    next_line(in);
    while ((text = after_word(in, "pack")) != NULL) {
        SY_TRY(add_pack(in, &current->served, text));
        next_line(in);
    }
    if ((text = after_word(in, "candidate")) != NULL) {
        SY_TRY(read_candidate(in, current, text));
        next_line(in);
        if ((text = after_word(in, "rules")) != NULL) {
            SY_TRY(read_rules(in, current, text));
            next_line(in);
        }
    }
    if ((text = after_word(in, "before")) != NULL) {
        SY_TRY(read_before(in, &current->before, text));
        next_line(in);
    }
    if (in->line != NULL) {
        return fail(in, "one of the lines pack, candidate, rules (after a "
                        "candidate) and before, in this order");
    }
    return SY_OK;
}

enum sy_status sy_current_parse(struct sy_current *current, const char *text,
                                size_t bytes, const char *file,
                                struct sy_error *err)
{
    struct sy_current read = {0};
    if (bytes >= SY_CURRENT_TEXT_BYTES || memchr(text, '\0', bytes) != NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a text of less than %d bytes", file,
                       SY_CURRENT_TEXT_BYTES);
    }
    char *copy = sy_alloc(bytes + 1);
    if (copy == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", file);
    }
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    struct reading in = {.file = file, .rest = copy, .err = err};
    enum sy_status status = read_lines(&in, &read);
    sy_free(copy);
    if (status == SY_OK) {
        *current = read;
    }
    return status;
}

/* Text that is appended to as long as it fits. */
struct text {
    char *out;
    size_t used;
};

static void add(struct text *text, const char *format, ...) SY_PRINTF(2, 3);
static void add(struct text *text, const char *format, ...)
{
    va_list args;
    size_t room = SY_CURRENT_TEXT_BYTES - text->used;
    va_start(args, format);
    int length = vsnprintf(text->out + text->used, room, format, args);
    va_end(args);
    text->used +=
        length < 0 || (size_t)length >= room ? room - 1 : (size_t)length;
}

enum sy_status sy_current_text(const struct sy_current *current, char *text,
                               struct sy_error *err)
{
    struct sy_current again;
    struct text to = {.out = text};
    add(&to, "%d\n", current->served.version);
    for (int p = 0; p < current->served.pack_count; p++) {
        add(&to, "pack %s\n", current->served.pack[p]);
    }
    if (current->candidate[0] != '\0') {
        add(&to, "candidate %s shadow %d canary %d\n", current->candidate,
            current->shadow_share, current->canary_share);
    }
    if (current->rules[0] != '\0') {
        add(&to, "rules %s\n", current->rules);
    }
    if (current->before.version != 0) {
        add(&to, "before %d", current->before.version);
        for (int p = 0; p < current->before.pack_count; p++) {
            add(&to, " %s", current->before.pack[p]);
        }
        add(&to, "\n");
    }
    return sy_current_parse(&again, text, to.used, "CURRENT to be written",
                            err);
}

enum sy_status sy_current_read(const char *model, struct sy_current *current,
                               struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    char *text;
    size_t bytes;
    SY_TRY(sy_path_join(path, sizeof path, model, SY_CURRENT_FILE, err));
    if (access(path, F_OK) == 0) {
        SY_TRY(sy_file_read(path, SY_CURRENT_TEXT_BYTES, &text, &bytes, err));
        enum sy_status status =
            sy_current_parse(current, text, bytes, path, err);
        sy_free(text);
        return status;
    }
    struct sy_current newest = {0};
    SY_TRY(sy_version_newest(model, &newest.served.version, err));
    if (newest.served.version == 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: holds no version (a folder named 1, 2, ...)",
                       model);
    }
    *current = newest;
    return SY_OK;
}

enum sy_status sy_current_write(const char *model,
                                const struct sy_current *current,
                                struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    char text[SY_CURRENT_TEXT_BYTES];
    SY_TRY(sy_path_join(path, sizeof path, model, SY_CURRENT_FILE, err));
    SY_TRY(sy_current_text(current, text, err));
    return sy_file_write(path, text, strlen(text), err);
}

void sy_stack_label(const struct sy_stack *stack,
                    char label[SY_STACK_LABEL_BYTES])
{
    char hash[SY_HASH_TEXT_BYTES];
    int used = snprintf(label, SY_STACK_LABEL_BYTES, "%d", stack->version);
    if (stack->pack_count > LABEL_IDS) {
        sy_hash_bytes(stack->pack,
                      (size_t)stack->pack_count * sizeof stack->pack[0], hash);
        (void)snprintf(label + used, SY_STACK_LABEL_BYTES - (size_t)used,
                       "+%d-%.16s", stack->pack_count, hash);
        return;
    }
    for (int p = 0; p < stack->pack_count; p++) {
        used += snprintf(label + used, SY_STACK_LABEL_BYTES - (size_t)used,
                         "+%s", stack->pack[p]);
    }
}
