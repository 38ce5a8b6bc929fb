/*
 * arena.c - many small allocations with one end of life.
 *
 * DESIGN. A chain of blocks, filled in order; `current` is the block being
 * filled and all blocks after it are empty. A piece that does not fit goes to
 * the next block that is large enough, or to a new one put right after
 * `current`. Reset walks back to the first block and keeps the chain, so the
 * same round of requests finds the same blocks again and allocates nothing.
 *
 * With the address sanitizer, what is not handed out is poisoned and a gap
 * follows each piece, so that a read past the end of a piece is seen.
 */
#include "runtime/base/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = SY_ALIGN_BYTES };
#define POISON(at, bytes)   __asan_poison_memory_region((at), (bytes))
#define UNPOISON(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#else
enum { GAP_BYTES = 0 };
#define POISON(at, bytes)   ((void)0)
#define UNPOISON(at, bytes) ((void)0)
#endif

enum { DEFAULT_BLOCK_BYTES = 64 * 1024 };

/* Blocks from this size on ask for large pages, whose addresses are found
   faster: a training step walks through a hundred megabytes. */
enum { LARGE_BLOCK_BYTES = 8 << 20, PAGE_BYTES = 4096 };

/* The pieces follow the struct, which is one aligned line. */
struct sy_arena_block {
    _Alignas(SY_ALIGN_BYTES) struct sy_arena_block *next;
    size_t capacity;
    size_t used;
};

static uint8_t *pieces(struct sy_arena_block *block)
{
    return (uint8_t *)(block + 1);
}

void sy_arena_init(struct sy_arena *arena, size_t block_bytes)
{
    *arena = (struct sy_arena){
        .block_bytes = block_bytes > 0 ? block_bytes : DEFAULT_BLOCK_BYTES};
}

/* A hint: where there are no large pages, nothing changes. */
static void ask_for_large_pages(struct sy_arena_block *block)
{
    if (block->capacity >= LARGE_BLOCK_BYTES) {
        size_t skip = PAGE_BYTES - (uintptr_t)block % PAGE_BYTES;
        (void)madvise((uint8_t *)block + skip, block->capacity - skip,
                      MADV_HUGEPAGE);
    }
}

/* Finds or makes a block with room for `bytes`; it becomes current. */
static struct sy_arena_block *make_room(struct sy_arena *arena, size_t bytes)
{
    struct sy_arena_block *block = arena->current;
    while (block != NULL && block->capacity - block->used < bytes) {
        block = block->next;
    }
    if (block == NULL) {
        size_t capacity =
            bytes > arena->block_bytes ? bytes : arena->block_bytes;
        if (capacity > SIZE_MAX - sizeof *block ||
            (block = sy_alloc(sizeof *block + capacity)) == NULL) {
            return NULL;
        }
        block->capacity = capacity;
        block->used = 0;
        ask_for_large_pages(block);
        struct sy_arena_block **link =
            arena->current != NULL ? &arena->current->next : &arena->first;
        block->next = *link;
        *link = block;
        POISON(pieces(block), capacity);
    }
    arena->current = block;
    return block;
}

void *sy_arena_alloc(struct sy_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * SY_ALIGN_BYTES) {
        return NULL;
    }
    size_t taken =
        (bytes + SY_ALIGN_BYTES - 1) / SY_ALIGN_BYTES * SY_ALIGN_BYTES +
        GAP_BYTES;
    struct sy_arena_block *block = make_room(arena, taken);
    if (block == NULL) {
        return NULL;
    }
    uint8_t *piece = pieces(block) + block->used;
    UNPOISON(piece, bytes);
    block->used += taken;
    arena->used_bytes += taken;
    return piece;
}

void *sy_arena_zero(struct sy_arena *arena, size_t count, size_t bytes_each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, bytes_each, &bytes)) {
        return NULL;
    }
    void *piece = sy_arena_alloc(arena, bytes);
    if (piece != NULL) {
        sy_zero(piece, bytes);
    }
    return piece;
}

char *sy_arena_strdup(struct sy_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = sy_arena_alloc(arena, bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void sy_arena_reset(struct sy_arena *arena)
{
    for (struct sy_arena_block *block = arena->first; block != NULL;
         block = block->next) {
        block->used = 0;
        POISON(pieces(block), block->capacity);
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

void sy_arena_release(struct sy_arena *arena)
{
    struct sy_arena_block *block = arena->first;
    while (block != NULL) {
        struct sy_arena_block *next = block->next;
        UNPOISON(pieces(block), block->capacity);
        sy_free(block);
        block = next;
    }
    sy_arena_init(arena, arena->block_bytes);
}
