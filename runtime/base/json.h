/*
 * json.h - reading JSON from outside, checked.
 *
 * Jansson parses; this reader checks. It remembers which keys of an object
 * were asked for; sy_json_end then names any other key, with its place and
 * the nearest known key. Every getter checks type and range, and the first
 * failure wins: later getters do nothing and sy_json_end reports it. So a
 * parser is a list of getters and one check:
 *
 *     struct sy_json in = sy_json_object(root, "first.json", "train", err);
 *     sy_json_int(&in, "epochs", 1, 10000, &config->epochs);
 *     sy_json_opt_bool(&in, "resume", &config->resume);
 *     return sy_json_end(&in);
 *
 * The `opt` getters leave the target alone when the key is absent, so the
 * default is whatever it held.
 *
 * Messages read "first.json: train.epochs: expected a whole number from 1 to
 * 10000, found "ten"". json_t values are borrowed from the root.
 *
 * Jansson allocates through sy_alloc from before main() on, so text that it
 * returns (json_dumps) is given back with sy_free, never with free.
 *
 * Thread: one at a time.
 */
#ifndef SY_BASE_JSON_H
#define SY_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

enum {
    SY_JSON_MAX_KEYS = 64,
    SY_JSON_PLACE_BYTES = 256,
    SY_JSON_MAX_DEPTH = 100,
    SY_JSON_MAX_BYTES = 64 << 20
};

struct sy_json {
    json_t *object;
    const char *file; /* for messages; borrowed */
    char place[SY_JSON_PLACE_BYTES];
    const char *known[SY_JSON_MAX_KEYS];
    int known_count;
    enum sy_status status;
    struct sy_error *err;
};

/*
 * Parses a file or a text. Duplicate keys, trailing bytes and a nesting
 * deeper than SY_JSON_MAX_DEPTH are refused; `name` stands for the text in
 * messages. Returns an owned reference (json_decref).
 */
enum sy_status sy_json_load(const char *path, json_t **root,
                            struct sy_error *err) SY_MUST_USE;
enum sy_status sy_json_parse(const char *text, size_t bytes, const char *name,
                             json_t **root, struct sy_error *err) SY_MUST_USE;

/*
 * A reader over `value`, which must be an object. `place` is its dotted path
 * ("" for the root). Both strings are borrowed until sy_json_end.
 */
struct sy_json sy_json_object(json_t *value, const char *file,
                              const char *place, struct sy_error *err);

/* A reader over the object under `key`; a failed reader when absent. */
struct sy_json sy_json_child(struct sy_json *in, const char *key);

bool sy_json_has(struct sy_json *in, const char *key);

/* Required members. */
void sy_json_int(struct sy_json *in, const char *key, int64_t low, int64_t high,
                 int *out);
void sy_json_int64(struct sy_json *in, const char *key, int64_t low,
                   int64_t high, int64_t *out);
void sy_json_real(struct sy_json *in, const char *key, double low, double high,
                  double *out);
void sy_json_bool(struct sy_json *in, const char *key, bool *out);
/* The text is copied; one that does not fit is an error. */
void sy_json_text(struct sy_json *in, const char *key, char *out, size_t bytes);
/* `names` ends with NULL; *out becomes the index of the text. */
void sy_json_choice(struct sy_json *in, const char *key,
                    const char *const *names, int *out);
/* The array under `key`, borrowed, with low <= length <= high; or NULL. */
json_t *sy_json_array(struct sy_json *in, const char *key, size_t low,
                      size_t high);

/* Optional members. */
void sy_json_opt_int(struct sy_json *in, const char *key, int64_t low,
                     int64_t high, int *out);
void sy_json_opt_real(struct sy_json *in, const char *key, double low,
                      double high, double *out);
void sy_json_opt_bool(struct sy_json *in, const char *key, bool *out);
void sy_json_opt_text(struct sy_json *in, const char *key, char *out,
                      size_t bytes);
void sy_json_opt_choice(struct sy_json *in, const char *key,
                        const char *const *names, int *out);

/* Records a failure at `key` found by the caller; first failure wins. */
void sy_json_reject(struct sy_json *in, const char *key, const char *format,
                    ...) SY_PRINTF(3, 4);

/* Names the first key that nobody asked for, and returns the outcome. */
enum sy_status sy_json_end(struct sy_json *in) SY_MUST_USE;

/*
 * Among `names` (NULL-terminated) the one nearest to `word` by edit distance,
 * or NULL when none is near. For "did you mean" messages.
 */
const char *sy_nearest_word(const char *word, const char *const *names);

/*
 * SHA-256 of an object or array as compact JSON with sorted keys, so that
 * neither spaces nor the order of keys matter. False: no memory.
 */
bool sy_json_hash(const json_t *value,
                  char text[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

/* Writes a JSON value atomically, indented by two, with a last newline. */
enum sy_status sy_json_save(const char *path, json_t *root,
                            struct sy_error *err) SY_MUST_USE;

#endif
