/*
 * snapshot.c - one immutable, reference-counted state of a served network.
 *
 * DESIGN. A snapshot is a list of parts: a body for each unit (body.c) and its
 * folded norms for each slot that has them (folded.c). Parts are counted by
 * reference and know the hash of what they were made from, so that a snapshot
 * that is made like others takes theirs wherever the content is the same, by
 * whatever name: what it costs is what is new. Two slots of one snapshot with
 * the same norms share them too; the executor sees from the address that
 * their states are the same (lanes.c).
 *
 * Hashing is only for those that are to be shared: it reads all weights once
 * more, unless the network keeps its hashes. Parts hold copies, so the values
 * of a network that is only served can be given back; export and training keep
 * them.
 */
#include "runtime/executor/snapshot.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "runtime/executor/parts.h"
#include "runtime/network/sums.h"

/* Parts in the order of their hashes, each once. */
struct shelf_part {
    const char *hash; /* the part's own; "" where parts are not shared */
    void *at;
    size_t bytes;
};

struct shelf {
    int count;
    struct shelf_part *part;
};

struct sy_snapshot {
    atomic_int references;
    struct sy_network *network;
    bool dissolved; /* the network has been given back */
    const struct sy_backend *backend;
    enum sy_weights weights;
    const char *label;
    int slots;
    struct sy_ready_unit *unit;      /* by unit index */
    struct sy_ready_body **body;     /* by unit index */
    struct sy_ready_folded **folded; /* [unit * slots + slot]; NULL: none */
    struct shelf bodies, norms;      /* the parts of these two */
    struct sy_arena arena;           /* the arrays above, label, norms */
};

static enum sy_status no_memory(struct sy_error *err, const char *what)
{
    return sy_fail(err, SY_NO_MEMORY, "snapshot: no memory for %s", what);
}

/* Where a part of that hash stands among those of a shelf, or would stand. */
static int place_on(const struct shelf *shelf, const char *hash)
{
    int low = 0, high = shelf->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(shelf->part[middle].hash, hash) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The part of that hash, or NULL. */
static void *find_on(const struct shelf *shelf, const char *hash)
{
    int at = place_on(shelf, hash);
    bool there = at < shelf->count && strcmp(shelf->part[at].hash, hash) == 0;
    return there ? shelf->part[at].at : NULL;
}

/* Puts a part there, unless it is there already. */
static void put_on(struct shelf *shelf, struct shelf_part part)
{
    int at = place_on(shelf, part.hash);
    if (at < shelf->count && shelf->part[at].at == part.at) {
        return;
    }
    memmove(shelf->part + at + 1, shelf->part + at,
            (size_t)(shelf->count - at) * sizeof part);
    shelf->part[at] = part;
    shelf->count++;
}

/* True if parts of the one may be taken by the other. */
static bool gives(const struct sy_snapshot *from, const struct sy_snapshot *to)
{
    return from != NULL && from->backend == to->backend &&
           from->weights == to->weights;
}

/* The part of that hash that the snapshot has already, or one of those like
   it, or NULL. */
static void *find_part(const struct sy_snapshot *s,
                       const struct sy_snapshot_options *options, bool norms,
                       const char *hash)
{
    void *found = find_on(norms ? &s->norms : &s->bodies, hash);
    for (int i = 0; found == NULL && i < SY_SNAPSHOT_LIKE; i++) {
        const struct sy_snapshot *from = options->like[i];
        if (gives(from, s)) {
            found = find_on(norms ? &from->norms : &from->bodies, hash);
        }
    }
    return found;
}

static enum sy_status take_body(struct sy_snapshot *s, int u,
                                const struct sy_snapshot_options *options)
{
    const struct sy_unit *unit = &s->network->unit[u];
    struct sy_ready_body *body = NULL;
    char hash[SY_HASH_TEXT_BYTES] = "";
    if (options->shared) {
        sy_body_hash(s->network, unit, hash);
        body = find_part(s, options, false, hash);
    }
    body = body != NULL
               ? sy_body_ref(body)
               : sy_body_new(s->network, unit, s->backend, s->weights, hash);
    if (body == NULL) {
        return SY_NO_MEMORY;
    }
    s->body[u] = body;
    put_on(&s->bodies, (struct shelf_part){body->hash, body, body->bytes});
    return SY_OK;
}

static enum sy_status take_folded(struct sy_snapshot *s, int u, int slot,
                                  const struct sy_snapshot_options *options)
{
    const struct sy_unit *unit = &s->network->unit[u];
    struct sy_ready_folded *folded = NULL;
    char hash[SY_HASH_TEXT_BYTES] = "";
    sy_rest();
    if (options->shared) {
        sy_folded_hash(s->network, unit, slot, hash);
        folded = find_part(s, options, true, hash);
    }
    folded = folded != NULL ? sy_folded_ref(folded)
                            : sy_folded_new(s->network, unit, slot, hash);
    if (folded == NULL) {
        return SY_NO_MEMORY;
    }
    s->folded[u * s->slots + slot] = folded;
    put_on(&s->norms, (struct shelf_part){folded->hash, folded, folded->bytes});
    return SY_OK;
}

/* Body and norms of a unit, put together as the executor reads them. */
static enum sy_status make_unit(struct sy_snapshot *s, int u,
                                const struct sy_snapshot_options *options,
                                struct sy_error *err)
{
    const struct sy_unit *unit = &s->network->unit[u];
    size_t norms = (size_t)unit->plan.norm_count;
    struct sy_folded_norm *norm =
        sy_arena_zero(&s->arena, (size_t)s->slots * norms, sizeof *norm);
    if (norm == NULL || take_body(s, u, options) != SY_OK) {
        return no_memory(err, "packed weights");
    }
    for (int slot = 0; norms > 0 && slot < s->slots; slot++) {
        size_t first = (size_t)slot * norms;
        if (unit->norm[first] == SY_ABSENT) {
            continue; /* all norms of a unit are there, or none */
        }
        if (take_folded(s, u, slot, options) != SY_OK) {
            return no_memory(err, "folded norms");
        }
        memcpy(&norm[first], s->folded[u * s->slots + slot]->norm,
               norms * sizeof *norm);
    }
    s->unit[u] = s->body[u]->unit;
    s->unit[u].norm = norm;
    return SY_OK;
}

static void snapshot_free(struct sy_snapshot *s)
{
    int units = s->network->unit_count;
    for (int u = 0; s->body != NULL && u < units; u++) {
        sy_body_unref(s->body[u]);
    }
    for (int i = 0; s->folded != NULL && i < units * s->slots; i++) {
        sy_folded_unref(s->folded[i]);
    }
    sy_arena_release(&s->arena);
    if (!s->dissolved) {
        sy_network_free(s->network);
    }
    sy_free(s);
}

static enum sy_status make_units(struct sy_snapshot *s,
                                 const struct sy_snapshot_options *options,
                                 struct sy_error *err)
{
    size_t units = (size_t)s->network->unit_count;
    size_t slots = (size_t)s->slots;
    s->label = sy_arena_strdup(&s->arena, options->label);
    s->unit = sy_arena_zero(&s->arena, units, sizeof *s->unit);
    s->body = sy_arena_zero(&s->arena, units, sizeof(struct sy_ready_body *));
    s->folded = sy_arena_zero(&s->arena, units * slots,
                              sizeof(struct sy_ready_folded *));
    s->bodies.part = sy_arena_zero(&s->arena, units, sizeof *s->bodies.part);
    s->norms.part =
        sy_arena_zero(&s->arena, units * slots, sizeof *s->norms.part);
    if (s->label == NULL || s->unit == NULL || s->body == NULL ||
        s->folded == NULL || s->bodies.part == NULL || s->norms.part == NULL) {
        return no_memory(err, "the units");
    }
    for (int u = 0; u < (int)units; u++) {
        SY_TRY(make_unit(s, u, options, err));
    }
    return SY_OK;
}

enum sy_status sy_snapshot_make(struct sy_snapshot **snapshot,
                                struct sy_network *network,
                                const struct sy_snapshot_options *options,
                                struct sy_error *err)
{
    struct sy_snapshot *s = sy_alloc_zero(1, sizeof *s);

    if (s == NULL) {
        sy_network_free(network);
        return no_memory(err, "the snapshot");
    }
    atomic_init(&s->references, 1);
    s->network = network;
    s->slots = sy_network_slots(network);
    s->backend =
        options->backend != NULL ? options->backend : sy_backend_best();
    s->weights = options->weights;
    sy_arena_init(&s->arena, 0);
    enum sy_status status = make_units(s, options, err);
    if (status != SY_OK) {
        snapshot_free(s);
        return status;
    }
    if (options->shared) {
        sy_free(network->values);
        network->values = NULL;
        sy_network_forget_sums(network);
    }
    *snapshot = s;
    return SY_OK;
}

enum sy_status sy_snapshot_new(struct sy_snapshot **snapshot,
                               struct sy_network *network, const char *label,
                               const struct sy_backend *backend,
                               struct sy_error *err)
{
    return sy_snapshot_make(
        snapshot, network,
        &(struct sy_snapshot_options){.label = label, .backend = backend}, err);
}

/* Adds up the parts of a shelf; with `other` only those that it has too. */
static int64_t sum_parts(const struct shelf *shelf, const struct shelf *other)
{
    int64_t bytes = 0;
    for (int i = 0; i < shelf->count; i++) {
        const struct shelf_part *part = &shelf->part[i];
        bool held = other == NULL || find_on(other, part->hash) == part->at;
        bytes += held ? (int64_t)part->bytes : 0;
    }
    return bytes;
}

int64_t sy_snapshot_bytes(const struct sy_snapshot *s)
{
    return sum_parts(&s->bodies, NULL) + sum_parts(&s->norms, NULL);
}

int64_t sy_snapshot_common_bytes(const struct sy_snapshot *a,
                                 const struct sy_snapshot *b)
{
    return sum_parts(&a->bodies, &b->bodies) + sum_parts(&a->norms, &b->norms);
}

struct sy_snapshot *sy_snapshot_ref(struct sy_snapshot *snapshot)
{
    int before = atomic_fetch_add_explicit(&snapshot->references, 1,
                                           memory_order_relaxed);
    SY_ASSERT(before > 0);
    return snapshot;
}

void sy_snapshot_unref(struct sy_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    int before = atomic_fetch_sub_explicit(&snapshot->references, 1,
                                           memory_order_acq_rel);
    SY_ASSERT(before > 0);
    if (before == 1) {
        snapshot_free(snapshot);
    }
}

struct sy_network *sy_snapshot_dissolve(struct sy_snapshot *snapshot)
{
    struct sy_network *network = snapshot->network;
    SY_ASSERT(
        atomic_load_explicit(&snapshot->references, memory_order_acquire) == 1);
    SY_ASSERT(network->values != NULL);
    snapshot->dissolved = true;
    snapshot_free(snapshot);
    return network;
}

const struct sy_network *sy_snapshot_network(const struct sy_snapshot *s)
{
    return s->network;
}

const char *sy_snapshot_label(const struct sy_snapshot *s)
{
    return s->label;
}

const struct sy_backend *sy_snapshot_backend(const struct sy_snapshot *s)
{
    return s->backend;
}

enum sy_weights sy_snapshot_weights(const struct sy_snapshot *s)
{
    return s->weights;
}

size_t sy_snapshot_weight_bytes(const struct sy_snapshot *s, int unit)
{
    const struct sy_ready_unit *ready = sy_snapshot_unit(s, unit);
    return (size_t)(ready->weights_end - ready->weights);
}

const struct sy_ready_unit *sy_snapshot_unit(const struct sy_snapshot *snapshot,
                                             int unit)
{
    SY_ASSERT(unit >= 0 && unit < snapshot->network->unit_count);
    return &snapshot->unit[unit];
}
