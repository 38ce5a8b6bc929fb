/*
 * paths_json.h - paths.json: the paths that a search has chosen.
 *
 *     {"domains": {"NAME": {"experts": [
 *         {"name": "main", "path": "3:0:5", "madds": 1200, "params": 340}]}},
 *      "search": {...}}
 *
 * The paths belong to one spec, against which they are checked. `madds` and
 * `params` are for readers; where they are left out they are 0. `search` may
 * say where the paths come from; nothing here reads it.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_PATHS_JSON_H
#define SY_NETWORK_PATHS_JSON_H

#include "runtime/network/path.h"

struct sy_paths_entry {
    char domain[SY_NAME_BYTES];
    char expert[SY_NAME_BYTES];
    struct sy_path path;
    int64_t madds;
    int64_t params;
};

/* In order of the file; the experts of one domain follow each other. */
struct sy_paths {
    int count;
    struct sy_paths_entry entry[SY_MAX_EXPERTS];
};

/*
 * Reads and checks: names are valid, an expert stands once in its domain,
 * every path fits the spec. `file` is for messages.
 */
enum sy_status sy_paths_from_json(struct sy_paths *paths, json_t *json,
                                  const struct sy_network_spec *spec,
                                  const char *file,
                                  struct sy_error *err) SY_MUST_USE;

/* The JSON of the paths; owned reference, NULL: no memory. */
json_t *sy_paths_to_json(const struct sy_paths *paths);

/* The same from and to a file, which is replaced atomically. */
enum sy_status sy_paths_load(struct sy_paths *paths, const char *path,
                             const struct sy_network_spec *spec,
                             struct sy_error *err) SY_MUST_USE;
enum sy_status sy_paths_save(const struct sy_paths *paths, const char *path,
                             struct sy_error *err) SY_MUST_USE;

#endif
