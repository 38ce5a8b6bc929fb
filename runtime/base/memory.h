/*
 * memory.h - the one door through which the project allocates.
 *
 * All memory of ours comes from here, 64-byte aligned (a cache line and an
 * AVX-512 vector), so that a test can fail the n-th allocation and a leak
 * check can count. Blocks are given back with sy_free only.
 *
 * Thread: any.
 */
#ifndef SY_BASE_MEMORY_H
#define SY_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { SY_ALIGN_BYTES = 64 };

/* `bytes` of uninitialised memory, or NULL. Zero bytes give a valid block. */
void *sy_alloc(size_t bytes) SY_MUST_USE;

/* count * bytes_each zeroed bytes, or NULL, also when the product overflows. */
void *sy_alloc_zero(size_t count, size_t bytes_each) SY_MUST_USE;

/* Sets bytes to zero; threads that rest (rest.h) do it piece by piece. */
void sy_zero(void *block, size_t bytes);

/*
 * Grows or shrinks a block, keeping its content. On failure returns NULL and
 * leaves `block` as it was. `block` may be NULL.
 */
void *sy_realloc(void *block, size_t bytes) SY_MUST_USE;

/* A copy of the text, or NULL. */
char *sy_strdup(const char *text) SY_MUST_USE;

/* Gives a block back. NULL is legal. */
void sy_free(void *block);

/* Blocks that are alive now, for leak checks in tests. */
int64_t sy_alloc_live(void);

/* Calls of sy_alloc, sy_alloc_zero, sy_realloc and sy_strdup so far. */
int64_t sy_alloc_calls(void);

/*
 * For tests: the n-th allocation from now on (1 = the next) fails, once, and
 * so do all after it when `sticky`. n <= 0 switches the failing off.
 */
void sy_alloc_fail_at(int64_t n, bool sticky);

#endif
