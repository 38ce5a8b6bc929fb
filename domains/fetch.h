/*
 * fetch.h - public datasets from their original addresses.
 *
 * A set is in the table (fetch_table.c) only with SHA-256 sums that were
 * published or checked; what arrives with another sum never gets its name.
 */
#ifndef DOM_FETCH_H
#define DOM_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct dom_fetch_file {
    const char *name; /* in the domain's folder */
    const char *url;
    const char *sha256; /* lower-case hex */
    int64_t bytes;
};

/* One public dataset: a line of the table. */
struct dom_fetch_set {
    const char *name;    /* also the folder's name */
    const char *summary; /* what it is and its licence, one line */
    const struct dom_fetch_file *files; /* ends with name == NULL */
    const char *labels; /* text of labels.txt, or NULL: labels are digits */
};

/* Ends with name == NULL. */
extern const struct dom_fetch_set dom_fetch_sets[];

/*
 * Called now and then while a file comes in; false stops the download, which
 * then returns SY_CANCELLED.
 */
typedef bool (*dom_fetch_fn)(void *context, const char *file, int64_t bytes,
                             int64_t total_bytes);

struct dom_fetch_options {
    dom_fetch_fn progress; /* or NULL */
    void *context;
    const struct dom_fetch_set *sets; /* another table, for tests; or NULL */
    bool allow_file_urls;             /* for tests */
};

/* The set of that name in `sets` (NULL: dom_fetch_sets), or NULL. */
const struct dom_fetch_set *dom_fetch_find(const struct dom_fetch_set *sets,
                                           const char *name);

/*
 * Makes DIR/NAME/ with the set's files. A file that is there with the right
 * sum is left alone, one with another sum is refused, never overwritten.
 * `options` may be NULL. Errors: SY_NOT_FOUND (no such set), SY_IO (network),
 * SY_BAD_INPUT (another sum or size), SY_CANCELLED.
 * Thread: init (it sets libcurl up).
 */
enum sy_status dom_fetch(const char *name, const char *dir,
                         const struct dom_fetch_options *options,
                         struct sy_error *err) SY_MUST_USE;

#endif
