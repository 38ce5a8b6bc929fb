/*
 * pack_stack.c - a version with packs on top.
 *
 * DESIGN. A stack is applied pack by pack, each to what the one before has
 * made. So leaving a pack out can be tried, where those above set or remove
 * every domain that it did: it is not needed if the others still find their
 * blocks and the outcome is the same. It need not be: domains stand in the
 * order in which they came, and a root gate goes with a domain that it knows
 * and does not come back with it.
 *
 * Version and packs are read once and kept as long as the stack is worked on,
 * with their hashes, so that a try costs copying and no reading, and so does
 * the next stack, which has most of them too. Packs are known by their content;
 * a version only by its number, which another one can have once it is deleted:
 * so what was read is kept with the hash of its description, which holds that
 * of the weights.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/network/equal.h"

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

/* Whether both were read from the same version. */
static bool same_version(const struct sy_base *a, const struct sy_base *b)
{
    return a->stack.version == b->stack.version &&
           strcmp(a->version_hash, b->version_hash) == 0;
}

/* Moves the version, if it is that of the stack, and its packs. */
static void take_over(struct sy_base *made, struct sy_base *from)
{
    if (same_version(from, made)) {
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

static enum sy_status fail_gone(const char *file, struct sy_error *err)
{
    return sy_fail(err, SY_NOT_FOUND, "%s: it is served, and gone from disk",
                   file);
}

/* The folder of the version, and what its description hashes to now. */
static enum sy_status find_version(struct sy_base *made, const char *model,
                                   char folder[SY_PATH_BYTES],
                                   struct sy_error *err)
{
    char number[16], file[SY_PATH_BYTES];
    (void)snprintf(number, sizeof number, "%d", made->stack.version);
    SY_TRY(sy_path_join(folder, SY_PATH_BYTES, model, number, err));
    SY_TRY(sy_path_join(file, sizeof file, folder, SY_MODEL_FILE, err));
    return sy_file_exists(file) ? sy_hash_file(file, made->version_hash, err)
                                : fail_gone(file, err);
}

/* That packs that are not read again are still there for the next start. */
static enum sy_status check_there(const struct sy_base *base, const char *model,
                                  struct sy_error *err)
{
    char file[SY_PATH_BYTES];
    for (int p = 0; p < base->stack.pack_count; p++) {
        SY_TRY(sy_pack_path(model, base->stack.pack[p], file, err));
        if (!sy_file_exists(file)) {
            return fail_gone(file, err);
        }
    }
    return SY_OK;
}

/* Reads and applies what `made` does not hold. */
static enum sy_status load(struct sy_base *made, const char *model,
                           const char *folder, struct sy_error *err)
{
    struct sy_artefact artefact;
    if (made->version == NULL && made->network == NULL) {
        SY_TRY(sy_artefact_read(folder, &made->version, &artefact, err));
    }
    SY_TRY(check_there(made, model, err));
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
    char folder[SY_PATH_BYTES];
    enum sy_status status = find_version(&made, model, folder, err);
    if (status == SY_OK && base->network != NULL && same_version(base, &made) &&
        same_stack(&base->stack, stack)) {
        made = *base;
        *base = (struct sy_base){0};
    } else {
        take_over(&made, base);
        sy_base_release(base);
    }
    if (status == SY_OK) {
        status = load(&made, model, folder, err);
    }
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

/* The network of the packs but number `p`, owned; NULL: they cannot be applied
   one after another. */
static struct sy_network *apply_without(const struct pushing *all, int p)
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
    if (!works) {
        sy_network_free(now);
        now = NULL;
    }
    return now;
}

/* Whether one can be served in place of the other: every index means the same
   and every domain and the root gate are. Both are of one version, so stem and
   trunk are. */
static bool same_outcome(const struct sy_network *a, const struct sy_network *b)
{
    bool same = sy_layout_equal(a, b);
    for (int d = 0; same && d < a->domain_count; d++) {
        same = sy_domain_equal(a, d, b, d);
    }
    int root = sy_network_root_gate(a);
    return same && (root < 0 || sy_unit_equal(a, sy_network_gate(a, root), b,
                                              sy_network_gate(b, root)));
}

/* Leaves pack number `p` out if `outcome` is the same without it. */
static void try_without(struct pushing *all, int p,
                        const struct sy_network *outcome)
{
    struct sy_network *without =
        is_covered(all, p) ? apply_without(all, p) : NULL;
    if (without != NULL && same_outcome(outcome, without)) {
        all->count--;
        memmove(&all->pack[p], &all->pack[p + 1],
                (size_t)(all->count - p) * sizeof(struct sy_pack *));
    }
    sy_network_free(without);
}

enum sy_status sy_base_push(struct sy_stack *next, const struct sy_base *base,
                            struct sy_pack *pack,
                            const struct sy_network *applied,
                            struct sy_error *err)
{
    struct pushing all = {.bottom = bottom_of(base),
                          .count = base->stack.pack_count};
    for (int p = 0; p < all.count; p++) {
        all.pack[p] = base->pack[p];
    }
    all.pack[all.count++] = pack;
    for (int p = all.count - 2; p >= 0; p--) {
        try_without(&all, p, applied);
    }
    if (all.count > SY_STACK_PACKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%d packs on top of version %d matter still; train or "
                       "save them into one version",
                       SY_STACK_PACKS, base->stack.version);
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
    status = sy_base_push(next, &base, pack, network, err);
out:
    sy_network_free(network);
    sy_base_release(&base);
    sy_pack_close(pack);
    return status;
}
