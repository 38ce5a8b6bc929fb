/*
 * pack_stack.c - a version with packs on top.
 *
 * DESIGN. A stack is applied pack by pack, each to what the one before has
 * made. So leaving a pack out can be tried: where the others still find their
 * blocks, and those above set or remove every domain that it set, the outcome
 * is the same without it.
 *
 * Version and packs are read once and kept as long as the stack is worked on,
 * with their hashes, so that a try costs copying and no reading, and so does
 * the next stack, which has most of them too.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack_parts.h"

/* The network on which the packs stand. */
static const struct sy_network *bottom_of(const struct sy_base *base)
{
    return base->version != NULL ? base->version : base->network;
}

enum sy_status sy_base_apply(struct sy_base *base, const char *model,
                             struct sy_error *err)
{
    struct sy_network *next = NULL;
    for (int p = 0; p < base->stack.pack_count; p++) {
        if (base->pack[p] == NULL) {
            SY_TRY(
                sy_pack_fetch(&base->pack[p], model, base->stack.pack[p], err));
        }
        SY_TRY(sy_pack_apply(
            &next, base->network != NULL ? base->network : base->version,
            base->pack[p], NULL, err));
        sy_network_free(base->network);
        base->network = next;
    }
    return SY_OK;
}

/* Whether both mean the same. */
static bool same_stack(const struct sy_stack *a, const struct sy_stack *b)
{
    bool same = a->version == b->version && a->pack_count == b->pack_count;
    for (int p = 0; same && p < a->pack_count; p++) {
        same = strcmp(a->pack[p], b->pack[p]) == 0;
    }
    return same;
}

/* Moves the version, if it is that of the stack, and its packs. */
static void take_over(struct sy_base *made, struct sy_base *from)
{
    if (from->stack.version == made->stack.version) {
        made->version = from->version;
        from->version = NULL;
        if (made->version == NULL) {
            made->version = from->network;
            from->network = NULL;
        }
    }
    for (int p = 0; p < made->stack.pack_count; p++) {
        const char *id = made->stack.pack[p];
        for (int q = 0; q <= SY_STACK_PACKS && made->pack[p] == NULL; q++) {
            struct sy_pack **at =
                q < SY_STACK_PACKS ? &from->pack[q] : &from->more;
            if (*at != NULL && strcmp((*at)->id, id) == 0) {
                made->pack[p] = *at;
                *at = NULL;
            }
        }
    }
}

/* That what was not read again is still there for the next start. */
static enum sy_status check_there(const struct sy_base *base, const char *model,
                                  const char *folder, struct sy_error *err)
{
    char file[SY_PATH_BYTES];
    SY_TRY(sy_path_join(file, sizeof file, folder, SY_MODEL_FILE, err));
    for (int p = -1; p < base->stack.pack_count; p++) {
        if (p >= 0) {
            SY_TRY(sy_pack_path(model, base->stack.pack[p], file, err));
        }
        if (!sy_file_exists(file)) {
            return sy_fail(err, SY_NOT_FOUND,
                           "%s: it is served, and gone from disk", file);
        }
    }
    return SY_OK;
}

static enum sy_status load(struct sy_base *made, const char *model,
                           struct sy_error *err)
{
    char number[16], path[SY_PATH_BYTES];
    struct sy_artefact artefact;
    (void)snprintf(number, sizeof number, "%d", made->stack.version);
    SY_TRY(sy_path_join(path, sizeof path, model, number, err));
    if (made->version == NULL && made->network == NULL) {
        SY_TRY(sy_artefact_read(path, &made->version, &artefact, err));
    }
    SY_TRY(check_there(made, model, path, err));
    if (made->network != NULL) {
        return SY_OK; /* it was this stack before */
    }
    SY_TRY(sy_base_apply(made, model, err));
    if (made->network == NULL) { /* no packs: the version is all there is */
        made->network = made->version;
        made->version = NULL;
    }
    return SY_OK;
}

enum sy_status sy_base_load(struct sy_base *base, const char *model,
                            const struct sy_stack *stack, struct sy_error *err)
{
    struct sy_base made = {.stack = *stack};
    if (base->network != NULL && same_stack(&base->stack, stack)) {
        made = *base;
        *base = (struct sy_base){0};
    } else {
        take_over(&made, base);
        sy_base_release(base);
    }
    enum sy_status status = load(&made, model, err);
    if (status != SY_OK) {
        sy_base_release(&made);
        return status;
    }
    *base = made;
    return SY_OK;
}

static int64_t network_bytes(const struct sy_network *network)
{
    return network != NULL ? (int64_t)(network->value_count * sizeof(float))
                           : 0;
}

static int64_t pack_bytes(const struct sy_pack *pack)
{
    return pack != NULL ? (int64_t)pack->bytes + network_bytes(pack->part) : 0;
}

int64_t sy_base_bytes(const struct sy_base *base)
{
    int64_t bytes = network_bytes(base->network) +
                    network_bytes(base->version) + pack_bytes(base->more);
    for (int p = 0; p < base->stack.pack_count; p++) {
        bytes += pack_bytes(base->pack[p]);
    }
    return bytes;
}

void sy_base_release(struct sy_base *base)
{
    for (int p = 0; p < SY_STACK_PACKS; p++) {
        sy_pack_close(base->pack[p]);
    }
    sy_pack_close(base->more);
    sy_network_free(base->version);
    sy_network_free(base->network);
    memset(base, 0, sizeof *base);
}

enum sy_status sy_stack_load(struct sy_network **network, const char *model,
                             const struct sy_stack *stack, struct sy_error *err)
{
    struct sy_base base = {0};
    SY_TRY(sy_base_load(&base, model, stack, err));
    *network = base.network;
    base.network = NULL;
    sy_base_release(&base);
    return SY_OK;
}

/* The packs of a stack and one more while it is decided which of them matter;
   all are borrowed. */
struct pushing {
    const struct sy_network *bottom;
    int count;
    struct sy_pack *pack[SY_STACK_PACKS + 1];
};

/* The i-th domain that a pack sets or removes, or NULL. */
static const char *name_at(const struct sy_pack *pack, int i)
{
    int sets = pack->part != NULL ? pack->part->domain_count : 0;
    if (i < sets) {
        return pack->part->domain[i].name;
    }
    return i - sets < pack->remove_count ? pack->remove[i - sets] : NULL;
}

static bool is_about(const struct sy_pack *pack, const char *domain)
{
    const char *name;
    for (int i = 0; (name = name_at(pack, i)) != NULL; i++) {
        if (strcmp(name, domain) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the packs above number `p` are about every domain that it is, and
   bring a root gate if it does. */
static bool is_covered(const struct pushing *all, int p)
{
    const char *name;
    for (int i = 0; (name = name_at(all->pack[p], i)) != NULL; i++) {
        bool found = false;
        for (int q = p + 1; !found && q < all->count; q++) {
            found = is_about(all->pack[q], name);
        }
        if (!found) {
            return false;
        }
    }
    bool root = all->pack[p]->root_gate == NULL;
    for (int q = p + 1; !root && q < all->count; q++) {
        root = all->pack[q]->root_gate != NULL;
    }
    return root;
}

/* Whether the packs but number `p` can be applied, one after another. */
static bool works_without(const struct pushing *all, int p)
{
    struct sy_network *now = NULL, *next = NULL;
    bool works = true;
    for (int q = 0; works && q < all->count; q++) {
        if (q == p) {
            continue;
        }
        works = sy_pack_apply(&next, now != NULL ? now : all->bottom,
                              all->pack[q], NULL, NULL) == SY_OK;
        if (works) {
            sy_network_free(now);
            now = next;
        }
    }
    sy_network_free(now);
    return works;
}

enum sy_status sy_base_push(struct sy_stack *next, const struct sy_base *base,
                            struct sy_pack *pack, struct sy_error *err)
{
    struct pushing all = {.bottom = bottom_of(base),
                          .count = base->stack.pack_count};
    if (all.count == SY_STACK_PACKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%d packs are on top of version %d already; train or "
                       "save them into one version",
                       all.count, base->stack.version);
    }
    for (int p = 0; p < all.count; p++) {
        all.pack[p] = base->pack[p];
    }
    all.pack[all.count++] = pack;
    for (int p = all.count - 2; p >= 0; p--) {
        if (is_covered(&all, p) && works_without(&all, p)) {
            all.count--;
            memmove(&all.pack[p], &all.pack[p + 1],
                    (size_t)(all.count - p) * sizeof(struct sy_pack *));
        }
    }
    struct sy_stack made = {.version = base->stack.version,
                            .pack_count = all.count};
    for (int p = 0; p < all.count; p++) {
        memcpy(made.pack[p], all.pack[p]->id, SY_PACK_ID_BYTES);
    }
    *next = made;
    return SY_OK;
}

enum sy_status sy_stack_push(struct sy_stack *next, const char *model,
                             const struct sy_stack *now, const char *id,
                             struct sy_error *err)
{
    enum sy_status status;
    struct sy_base base = {0};
    struct sy_pack *pack = NULL;
    struct sy_network *network = NULL;
    SY_TRY(sy_pack_fetch(&pack, model, id, err));
    SY_TRY_OUT(sy_base_load(&base, model, now, err));
    SY_TRY_OUT(sy_pack_apply(&network, base.network, pack, NULL, err));
    status = sy_base_push(next, &base, pack, err);
out:
    sy_network_free(network);
    sy_base_release(&base);
    sy_pack_close(pack);
    return status;
}
