/*
 * pack_store.c - packs beside the versions of a model, and stacks of them.
 *
 * DESIGN. A pack is a file of a folder that has its id as a name; the folder
 * may be there without it after a crash, and then it is as if it were not. The
 * file appears by a rename and never changes.
 *
 * A stack is applied pack by pack, each to what the one before has made. So
 * leaving a pack out can be tried: where the others still find their blocks,
 * and those above set or remove every domain that it set, the outcome is the
 * same without it.
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

enum sy_status sy_pack_store(const char *model, const struct sy_pack *pack,
                             struct sy_error *err)
{
    char folder[SY_PATH_BYTES], path[SY_PATH_BYTES], above[SY_PATH_BYTES];
    const uint8_t *data = pack->copy != NULL ? pack->copy : pack->map.data;
    SY_TRY(path_of(model, pack->id, false, folder, err));
    SY_TRY(path_of(model, pack->id, true, path, err));
    SY_TRY(sy_path_join(above, sizeof above, model, SY_PACK_FOLDER, err));
    if (sy_file_exists(path)) {
        struct sy_pack *there;
        SY_TRY(sy_pack_fetch(&there, model, pack->id, err));
        bool same = strcmp(there->digest, pack->digest) == 0;
        sy_pack_close(there);
        return same ? SY_OK
                    : sy_fail(err, SY_BAD_INPUT,
                              "%s: another pack has this id already", path);
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

enum sy_status sy_stack_apply(struct sy_network **network, const char *model,
                              const struct sy_stack *stack,
                              struct sy_error *err)
{
    struct sy_network *now = *network;
    enum sy_status status = SY_OK;
    for (int p = 0; status == SY_OK && p < stack->pack_count; p++) {
        struct sy_pack *pack = NULL;
        struct sy_network *next = NULL;
        status = sy_pack_fetch(&pack, model, stack->pack[p], err);
        if (status == SY_OK) {
            status = sy_pack_apply(&next, now, pack, NULL, err);
        }
        sy_pack_close(pack);
        if (status == SY_OK) {
            if (now != *network) {
                sy_network_free(now);
            }
            now = next;
        }
    }
    if (status == SY_OK && now != *network) {
        sy_network_free(*network);
        *network = now;
    } else if (now != *network) {
        sy_network_free(now);
    }
    return status;
}

/* The version of a stack, without its packs. */
static enum sy_status load_version(struct sy_network **network,
                                   const char *model,
                                   const struct sy_stack *stack,
                                   struct sy_error *err)
{
    char number[16], path[SY_PATH_BYTES];
    struct sy_artefact artefact;
    (void)snprintf(number, sizeof number, "%d", stack->version);
    SY_TRY(sy_path_join(path, sizeof path, model, number, err));
    return sy_artefact_load(path, network, &artefact, err);
}

enum sy_status sy_stack_load(struct sy_network **network, const char *model,
                             const struct sy_stack *stack, struct sy_error *err)
{
    struct sy_network *made = NULL;
    SY_TRY(load_version(&made, model, stack, err));
    enum sy_status status = sy_stack_apply(&made, model, stack, err);
    if (status != SY_OK) {
        sy_network_free(made);
        return status;
    }
    *network = made;
    return SY_OK;
}

/* The names of the domains that a pack is about. */
struct names {
    int count;
    char name[2 * SY_MAX_DOMAINS][SY_NAME_BYTES];
};

static enum sy_status read_names(struct names *names, const char *model,
                                 const char *id, struct sy_error *err)
{
    struct sy_pack *pack;
    SY_TRY(sy_pack_fetch(&pack, model, id, err));
    names->count = 0;
    for (int d = 0; pack->part != NULL && d < pack->part->domain_count; d++) {
        memcpy(names->name[names->count++], pack->part->domain[d].name,
               SY_NAME_BYTES);
    }
    for (int i = 0; i < pack->remove_count; i++) {
        memcpy(names->name[names->count++], pack->remove[i], SY_NAME_BYTES);
    }
    sy_pack_close(pack);
    return SY_OK;
}

/* Whether the packs above number `p` are about every domain that it is. */
static bool is_covered(const struct names *names, const struct sy_stack *stack,
                       int p)
{
    for (int i = 0; i < names[p].count; i++) {
        bool found = false;
        for (int q = p + 1; !found && q < stack->pack_count; q++) {
            for (int k = 0; !found && k < names[q].count; k++) {
                found = strcmp(names[p].name[i], names[q].name[k]) == 0;
            }
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void drop(struct sy_stack *stack, struct names *names, int p)
{
    stack->pack_count--;
    for (; p < stack->pack_count; p++) {
        memcpy(stack->pack[p], stack->pack[p + 1], SY_PACK_ID_BYTES);
        names[p] = names[p + 1];
    }
}

/* Whether the stack can be applied to the version without number `p`. */
static bool works_without(const char *model, const struct sy_stack *stack,
                          int p)
{
    struct sy_stack less = *stack;
    struct sy_network *network;
    less.pack_count--;
    for (int q = p; q < less.pack_count; q++) {
        memcpy(less.pack[q], less.pack[q + 1], SY_PACK_ID_BYTES);
    }
    if (sy_stack_load(&network, model, &less, NULL) != SY_OK) {
        return false;
    }
    sy_network_free(network);
    return true;
}

enum sy_status sy_stack_push(struct sy_stack *next, const char *model,
                             const struct sy_stack *now, const char *id,
                             struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_network *network = NULL;
    struct sy_stack made = *now;
    struct names *names = NULL;
    if (now->pack_count == SY_STACK_PACKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%d packs are on top of version %d already; train or "
                       "save them into one version",
                       now->pack_count, now->version);
    }
    if (!sy_pack_id_valid(id)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "expected the id of a pack, 16 hexadecimal digits");
    }
    memcpy(made.pack[made.pack_count++], id, SY_PACK_ID_BYTES);
    names = sy_alloc_zero((size_t)made.pack_count, sizeof *names);
    if (names == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "a stack of packs: no memory");
    }
    SY_TRY_OUT(sy_stack_load(&network, model, &made, err));
    for (int p = 0; p < made.pack_count; p++) {
        SY_TRY_OUT(read_names(&names[p], model, made.pack[p], err));
    }
    for (int p = made.pack_count - 2; p >= 0; p--) {
        if (is_covered(names, &made, p) && works_without(model, &made, p)) {
            drop(&made, names, p);
        }
    }
    *next = made;
out:
    sy_network_free(network);
    sy_free(names);
    return status;
}
