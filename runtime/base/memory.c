/*
 * memory.c - the one door through which the project allocates.
 *
 * DESIGN. Each block is preceded by one line of 64 bytes that holds its size,
 * so that sy_realloc keeps the alignment (realloc would not), and a mark that
 * turns a double free or a foreign pointer into an assertion.
 *
 * The line's place is found in a slightly larger allocation of malloc, which
 * keeps small blocks at hand; posix_memalign keeps none, and cuts and joins
 * pieces at every call: an eighth of what a request over HTTP cost was that.
 * With the address sanitizer the block is the last thing in an allocation of
 * its own length, so that a write one byte past the end is seen.
 *
 * What works for long asks for memory and gives it back all the time, also in
 * libraries that have their memory from here; so this is where a thread that is
 * to leave room for others rests (rest.h).
 *
 * The counters and the failure switch are the only global state. They order
 * nothing and are relaxed atomics; the switch belongs to tests.
 */
#include "runtime/base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/rest.h"

static const uint64_t block_mark = UINT64_C(0x53795f416c6c6f63);
static const uint64_t freed_mark = UINT64_C(0x53795f4672656564);

struct header {
    _Alignas(SY_ALIGN_BYTES) size_t bytes;
    uint64_t mark;
    void *raw; /* what malloc gave */
};
enum {
    /* From malloc's alignment to ours it is at most so far. */
    SPARE_BYTES = SY_ALIGN_BYTES - _Alignof(max_align_t),
    ZERO_BYTES = 1 << 17 /* set to zero between two rests */
};

_Static_assert(sizeof(struct header) == SY_ALIGN_BYTES,
               "the header keeps the block aligned");

static atomic_int_least64_t live_blocks;
static atomic_int_least64_t calls;
static atomic_int_least64_t fail_in; /* allocations until one fails; 0: off */
static atomic_bool fail_sticky;

/* Counts a call, and says whether it may succeed. */
static bool admit(void)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    int_least64_t left = atomic_load_explicit(&fail_in, memory_order_relaxed);
    while (left > 0) {
        bool stays = left == 1 &&
                     atomic_load_explicit(&fail_sticky, memory_order_relaxed);
        if (atomic_compare_exchange_weak(&fail_in, &left,
                                         stays ? 1 : left - 1)) {
            return left != 1;
        }
    }
    return true;
}

static struct header *header_of(void *block)
{
    struct header *header = (struct header *)block - 1;
    SY_ASSERT(header->mark == block_mark);
    return header;
}

/* A header with so many bytes behind it, of which only `raw` is set. */
static struct header *make_room(size_t bytes)
{
    void *raw;
    struct header *header;
    if (bytes > PTRDIFF_MAX - sizeof(struct header) - SPARE_BYTES) {
        return NULL;
    }
#ifdef __SANITIZE_ADDRESS__
    if (posix_memalign(&raw, SY_ALIGN_BYTES, sizeof(struct header) + bytes) !=
        0) {
        return NULL;
    }
    header = raw;
#else
    raw = malloc(sizeof(struct header) + bytes + SPARE_BYTES);
    if (raw == NULL) {
        return NULL;
    }
    uintptr_t at = (uintptr_t)raw + SPARE_BYTES;
    header = (struct header *)(at - at % SY_ALIGN_BYTES);
#endif
    header->raw = raw;
    return header;
}

/* An uncounted block, or NULL. */
static void *make_block(size_t bytes)
{
    sy_rest();
    struct header *header = make_room(bytes);
    if (header == NULL) {
        return NULL;
    }
    header->bytes = bytes;
    header->mark = block_mark;
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return header + 1;
}

void *sy_alloc(size_t bytes)
{
    return admit() ? make_block(bytes) : NULL;
}

void *sy_alloc_zero(size_t count, size_t bytes_each)
{
    size_t bytes;
    if (!admit() || __builtin_mul_overflow(count, bytes_each, &bytes)) {
        return NULL;
    }
    void *block = make_block(bytes);
    if (block != NULL) {
        sy_zero(block, bytes);
    }
    return block;
}

void sy_zero(void *block, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += ZERO_BYTES) {
        size_t left = bytes - at;
        memset((char *)block + at, 0, left < ZERO_BYTES ? left : ZERO_BYTES);
        sy_rest();
    }
}

void *sy_realloc(void *block, size_t bytes)
{
    if (!admit()) {
        return NULL;
    }
    void *moved = make_block(bytes);
    if (moved != NULL && block != NULL) {
        size_t held = header_of(block)->bytes;
        memcpy(moved, block, held < bytes ? held : bytes);
        sy_free(block);
    }
    return moved;
}

char *sy_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = sy_alloc(bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void sy_free(void *block)
{
    if (block != NULL) {
        struct header *header = header_of(block);
        header->mark = freed_mark;
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        free(header->raw);
        sy_rest();
    }
}

int64_t sy_alloc_live(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

int64_t sy_alloc_calls(void)
{
    return atomic_load_explicit(&calls, memory_order_relaxed);
}

void sy_alloc_fail_at(int64_t n, bool sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_in, n > 0 ? n : 0);
}
