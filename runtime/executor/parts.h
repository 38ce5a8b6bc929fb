/*
 * parts.h - what snapshots are made of, and may share; private to this folder.
 *
 * A body is a unit ready to run without its norms: steps, kernels, packed
 * weights. Folded are the norms of a unit in one slot. Both never change, know
 * the hash of what they were made from, and go with their last reference. So a
 * snapshot that differs from another in one block is that block, its norms,
 * and references.
 *
 * Thread: making: any; references: any.
 */
#ifndef SY_EXECUTOR_PARTS_H
#define SY_EXECUTOR_PARTS_H

#include <stdatomic.h>

#include "runtime/base/arena.h"
#include "runtime/base/hash.h"
#include "runtime/executor/ready.h"

struct sy_ready_body {
    atomic_int references;
    char hash[SY_HASH_TEXT_BYTES]; /* "": not asked for */
    size_t bytes;                  /* of memory */
    struct sy_ready_unit unit;     /* without norms */
    struct sy_arena arena;
};

struct sy_ready_folded {
    atomic_int references;
    char hash[SY_HASH_TEXT_BYTES];
    size_t bytes;
    struct sy_folded_norm norm[SY_PLAN_MAX_NORMS];
};

/*
 * The hash of a unit's plan and weights, and of its norms in a slot, where
 * they must exist. Equal hashes run to equal bits on the same backend
 * and in the same storage.
 */
void sy_body_hash(const struct sy_network *network, const struct sy_unit *unit,
                  char hash[SY_HASH_TEXT_BYTES]);
void sy_folded_hash(const struct sy_network *network,
                    const struct sy_unit *unit, int slot,
                    char hash[SY_HASH_TEXT_BYTES]);

/* Made from the network's values, which are copied. One owned reference, or
   NULL: no memory. `hash` is stored. */
struct sy_ready_body *sy_body_new(const struct sy_network *network,
                                  const struct sy_unit *unit,
                                  const struct sy_backend *backend,
                                  enum sy_weights weights, const char *hash);
struct sy_ready_folded *sy_folded_new(const struct sy_network *network,
                                      const struct sy_unit *unit, int slot,
                                      const char *hash);

struct sy_ready_body *sy_body_ref(struct sy_ready_body *body);
struct sy_ready_folded *sy_folded_ref(struct sy_ready_folded *folded);
void sy_body_unref(struct sy_ready_body *body); /* NULL is legal */
void sy_folded_unref(struct sy_ready_folded *folded);

#endif
