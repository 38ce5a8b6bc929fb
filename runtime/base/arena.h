/*
 * arena.h - many small allocations with one end of life.
 *
 * An arena hands out aligned pieces of large blocks and gives all of them
 * back at once. Reset keeps the blocks, so that a worker which fills and
 * resets the same arena allocates nothing after its first round.
 *
 * Thread: one at a time.
 */
#ifndef SY_BASE_ARENA_H
#define SY_BASE_ARENA_H

#include <stddef.h>

#include "runtime/base/status.h"

struct sy_arena_block;

/* Caller-owned; private fields. */
struct sy_arena {
    struct sy_arena_block *first;
    struct sy_arena_block *current;
    size_t used_bytes;
    size_t block_bytes;
};

/* `block_bytes` is the least size of a block; 0 takes 64 KiB. Cannot fail. */
void sy_arena_init(struct sy_arena *arena, size_t block_bytes);

/* `bytes` aligned to 64, uninitialised, valid until reset; NULL: no memory. */
void *sy_arena_alloc(struct sy_arena *arena, size_t bytes) SY_MUST_USE;

/* As above, zeroed, with the product checked for overflow. */
void *sy_arena_zero(struct sy_arena *arena, size_t count,
                    size_t bytes_each) SY_MUST_USE;

/* A copy of the text in the arena, or NULL. */
char *sy_arena_strdup(struct sy_arena *arena, const char *text) SY_MUST_USE;

/* Ends the life of every piece and keeps the blocks for the next round. */
void sy_arena_reset(struct sy_arena *arena);

/* Gives everything back; the arena may be used again as after init. */
void sy_arena_release(struct sy_arena *arena);

#endif
