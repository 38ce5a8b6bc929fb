/*
 * identity.c - the identity of a run, and where two differ.
 */
#include "search/train/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { SHOWN_CHARACTERS = 40, MAX_DEPTH = 32 };

/* The ids of an expert's blocks, joined by ':'. Owned text or NULL. */
static json_t *path_ids(const struct sy_network *network, int index)
{
    char text[SY_MAX_LAYERS * SY_BLOCK_ID_BYTES];
    const struct sy_path *path = &network->expert[index].path;
    size_t used = 0;
    text[0] = '\0';
    for (int l = 0; l < path->layer_count; l++) {
        used += (size_t)snprintf(
            text + used, sizeof text - used, "%s%s", l > 0 ? ":" : "",
            network->spec.layer[l].block[path->block[l]].id);
    }
    return json_string(text);
}

static json_t *paths_of(const struct sy_network *network)
{
    char name[2 * SY_NAME_BYTES];
    json_t *paths = json_object();
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        (void)snprintf(name, sizeof name, "%s.%s",
                       network->domain[expert->domain].name, expert->name);
        if (json_object_set_new(paths, name, path_ids(network, e)) != 0) {
            json_decref(paths);
            return NULL;
        }
    }
    return paths;
}

static json_t *hashes_of(const struct nas_config *config,
                         const struct nas_data *data)
{
    json_t *hashes = json_object();
    for (int d = 0; d < data->count; d++) {
        if (json_object_set_new(hashes, config->domain[d],
                                json_string(data->hash[d])) != 0) {
            json_decref(hashes);
            return NULL;
        }
    }
    return hashes;
}

json_t *nas_identity(const char *stage, const struct nas_config *config,
                     const struct nas_data *data,
                     const struct sy_network *network)
{
    json_t *hashes = hashes_of(config, data);
    json_t *paths = paths_of(network);
    if (hashes == NULL || paths == NULL) {
        json_decref(hashes);
        json_decref(paths);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:O, s:o, s:o}", "program", SY_VERSION,
                     "stage", stage, "config", config->effective, "data",
                     hashes, "paths", paths);
}

/* A value as short text. */
static void show(const json_t *value, char text[SHOWN_CHARACTERS + 4])
{
    if (value == NULL) {
        (void)snprintf(text, SHOWN_CHARACTERS, "missing");
        return;
    }
    char *whole =
        json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    (void)snprintf(text, SHOWN_CHARACTERS + 4, "%.*s%s", SHOWN_CHARACTERS,
                   whole != NULL ? whole : "?",
                   whole != NULL && strlen(whole) > SHOWN_CHARACTERS ? "..."
                                                                     : "");
    sy_free(whole);
}

static bool differ(const json_t *there, const json_t *here, const char *place,
                   int depth, char text[NAS_DIFFERENCE_BYTES]);

/* The first key of either object, in order, whose values differ. */
static bool differ_in_key(const json_t *there, const json_t *here,
                          const char *place, int depth,
                          char text[NAS_DIFFERENCE_BYTES])
{
    const json_t *const both[2] = {there, here};
    const char *before = "";
    for (;;) {
        const char *next = NULL;
        for (int i = 0; i < 2; i++) {
            const char *key = NULL;
            json_t *value = NULL;
            json_object_foreach((json_t *)(uintptr_t)both[i], key, value)
            {
                if (strcmp(key, before) > 0 &&
                    (next == NULL || strcmp(key, next) < 0)) {
                    next = key;
                }
            }
        }
        if (next == NULL) {
            return false;
        }
        char deeper[NAS_DIFFERENCE_BYTES];
        (void)snprintf(deeper, sizeof deeper, "%s%s%s", place,
                       *place != '\0' ? "." : "", next);
        if (differ(json_object_get(there, next), json_object_get(here, next),
                   deeper, depth + 1, text)) {
            return true;
        }
        before = next;
    }
}

static bool differ(const json_t *there, const json_t *here, const char *place,
                   int depth, char text[NAS_DIFFERENCE_BYTES])
{
    char a[SHOWN_CHARACTERS + 4];
    char b[SHOWN_CHARACTERS + 4];
    bool deeper =
        depth < MAX_DEPTH && json_is_object(there) && json_is_object(here);
    if (deeper) {
        return differ_in_key(there, here, place, depth, text);
    }
    size_t count = json_array_size(there);
    if (depth < MAX_DEPTH && json_is_array(there) && json_is_array(here) &&
        count == json_array_size(here)) {
        for (size_t i = 0; i < count; i++) {
            char entry[NAS_DIFFERENCE_BYTES];
            (void)snprintf(entry, sizeof entry, "%s[%zu]", place, i);
            if (differ(json_array_get(there, i), json_array_get(here, i), entry,
                       depth + 1, text)) {
                return true;
            }
        }
        return false;
    }
    if (there == here ||
        (there != NULL && here != NULL && json_equal(there, here))) {
        return false;
    }
    show(there, a);
    show(here, b);
    (void)snprintf(text, NAS_DIFFERENCE_BYTES, "%.120s is %s there and %s here",
                   place, a, b);
    return true;
}

bool nas_identity_differ(const json_t *there, const json_t *here,
                         char text[NAS_DIFFERENCE_BYTES])
{
    return differ(there, here, "", 0, text);
}
