/*
 * pack_store.c - packs beside the versions of a model.
 *
 * DESIGN. A pack is a file of a folder that has its id as a name; the folder
 * may be there without it after a crash, and then it is as if it were not. The
 * file appears by a rename and never changes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/memory.h"

/* NAME/packs/ID, or NAME/packs/ID/pack.safetensors. */
static enum sy_status path_of(const char *model, const char *id, bool file,
                              char path[SY_PATH_BYTES], struct sy_error *err)
{
    char folder[SY_PATH_BYTES];
    if (!sy_pack_id_valid(id)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "expected the id of a pack, 16 hexadecimal digits");
    }
    SY_TRY(sy_path_join(path, SY_PATH_BYTES, model, SY_PACK_FOLDER, err));
    SY_TRY(sy_path_join(folder, sizeof folder, path, id, err));
    if (!file) {
        memcpy(path, folder, sizeof folder);
        return SY_OK;
    }
    return sy_path_join(path, SY_PATH_BYTES, folder, SY_PACK_FILE, err);
}

enum sy_status sy_pack_path(const char *model, const char *id,
                            char path[SY_PATH_BYTES], struct sy_error *err)
{
    return path_of(model, id, true, path, err);
}

/*
 * That the file at `path` is this pack. The bytes are asked first: the same are
 * as good as what was opened. Others can be the same pack, signed by another.
 */
static enum sy_status check_stored(const char *path, const uint8_t *data,
                                   const struct sy_pack *pack,
                                   struct sy_error *err)
{
    struct sy_map map;
    struct sy_pack *there;
    SY_TRY(sy_map_open(&map, path, err));
    bool same =
        map.bytes == pack->bytes && memcmp(map.data, data, map.bytes) == 0;
    sy_map_close(&map);
    if (same) {
        return SY_OK;
    }
    SY_TRY(sy_pack_open(&there, path, err));
    same = strcmp(there->digest, pack->digest) == 0;
    sy_pack_close(there);
    return same ? SY_OK
                : sy_fail(err, SY_BAD_INPUT,
                          "%s: another pack has this id already", path);
}

enum sy_status sy_pack_store(const char *model, const struct sy_pack *pack,
                             struct sy_error *err)
{
    char folder[SY_PATH_BYTES], path[SY_PATH_BYTES], above[SY_PATH_BYTES];
    const uint8_t *data = pack->copy != NULL ? pack->copy : pack->map.data;
    SY_TRY(path_of(model, pack->id, false, folder, err));
    SY_TRY(path_of(model, pack->id, true, path, err));
    SY_TRY(sy_path_join(above, sizeof above, model, SY_PACK_FOLDER, err));
    if (sy_file_exists(path)) {
        return check_stored(path, data, pack, err);
    }
    SY_TRY(sy_dir_make(folder, err));
    SY_TRY(sy_file_write(path, data, pack->bytes, err));
    SY_TRY(sy_dir_sync(above, err));
    return sy_dir_sync(model, err);
}

enum sy_status sy_pack_fetch(struct sy_pack **pack, const char *model,
                             const char *id, struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    struct sy_pack *found;
    SY_TRY(path_of(model, id, true, path, err));
    SY_TRY(sy_pack_open(&found, path, err));
    if (strcmp(found->id, id) != 0) {
        enum sy_status status =
            sy_fail(err, SY_BAD_INPUT, "%s: expected pack %s, found pack %s",
                    path, id, found->id);
        sy_pack_close(found);
        return status;
    }
    *pack = found;
    return SY_OK;
}

static bool stack_names(const struct sy_stack *stack, const char *id)
{
    for (int p = 0; p < stack->pack_count; p++) {
        if (strcmp(stack->pack[p], id) == 0) {
            return true;
        }
    }
    return false;
}

enum sy_status sy_pack_discard(const char *model, const char *id,
                               struct sy_error *err)
{
    char folder[SY_PATH_BYTES], path[SY_PATH_BYTES];
    struct sy_current current = {0};
    SY_TRY(path_of(model, id, false, folder, err));
    SY_TRY(path_of(model, id, true, path, err));
    SY_TRY(sy_current_read(model, &current, err));
    if (stack_names(&current.served, id) || stack_names(&current.before, id) ||
        strcmp(current.candidate, id) == 0) {
        return sy_fail(err, SY_BUSY, "pack %s: CURRENT names it", id);
    }
    if (unlink(path) != 0) {
        return sy_fail_errno(err, errno == ENOENT ? SY_NOT_FOUND : SY_IO, errno,
                             "%s", path);
    }
    (void)rmdir(folder);
    return SY_OK;
}
