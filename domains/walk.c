/*
 * walk.c - the hash of everything in a domain's folder.
 *
 * DESIGN. Files are mapped one after the other, so a folder larger than
 * memory costs time, not memory. The size stands before the bytes and the
 * NUL ends the name: no two different folders give the same sequence.
 */
#include "domains/walk.h"

#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"

enum { MAX_DEPTH = 8 };

struct walk {
    struct sy_hash hash;
    char path[SY_PATH_BYTES]; /* of the folder that is walked now */
    size_t root_bytes;        /* of the outermost folder's path and its '/' */
    int depth;
};

static enum sy_status add_file(struct walk *walk, const char *path,
                               struct sy_error *err)
{
    struct sy_map map;
    uint8_t size[8];
    SY_TRY(sy_map_open(&map, path, err));
    for (int i = 0; i < 8; i++) {
        size[i] = (uint8_t)((uint64_t)map.bytes >> (8 * i));
    }
    const char *name = path + walk->root_bytes;
    sy_hash_add(&walk->hash, name, strlen(name) + 1);
    sy_hash_add(&walk->hash, size, sizeof(size));
    sy_hash_add(&walk->hash, map.data, map.bytes);
    sy_map_close(&map);
    return SY_OK;
}

static enum sy_status add_entry(void *context, const char *name, bool is_dir,
                                struct sy_error *err)
{
    struct walk *walk = context;
    char path[SY_PATH_BYTES];
    if (name[0] == '.') {
        return SY_OK;
    }
    SY_TRY(sy_path_join(path, sizeof(path), walk->path, name, err));
    if (!is_dir) {
        return add_file(walk, path, err);
    }
    if (walk->depth == MAX_DEPTH) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d folders inside each other",
                       path, MAX_DEPTH);
    }
    size_t length = strlen(walk->path);
    memcpy(walk->path, path, strlen(path) + 1);
    walk->depth++;
    enum sy_status status = sy_dir_list(walk->path, add_entry, walk, err);
    walk->depth--;
    walk->path[length] = '\0';
    return status;
}

enum sy_status dom_walk_hash(const char *folder, char *text,
                             struct sy_error *err)
{
    struct walk walk = {.depth = 0};
    size_t length = strlen(folder);
    if (length >= sizeof(walk.path)) {
        return sy_fail(err, SY_BAD_INPUT, "a path of %zu bytes is too long",
                       length);
    }
    memcpy(walk.path, folder, length + 1);
    walk.root_bytes = length + (length > 0 && folder[length - 1] != '/');
    sy_hash_init(&walk.hash);
    SY_TRY(sy_dir_list(walk.path, add_entry, &walk, err));
    sy_hash_end(&walk.hash, text);
    return SY_OK;
}
