/*
 * count_alloc.h - counts every allocation of the program, those of its
 * libraries too. The test that needs it is linked with count_alloc.c.
 */
#ifndef SY_TESTS_COUNT_ALLOC_H
#define SY_TESTS_COUNT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * False where nothing is counted: a sanitizer has its own allocator, and a
 * C library other than glibc has no entry points below malloc.
 */
bool sy_count_works(void);

/*
 * Calls of malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign
 * and reallocarray so far, on all threads.
 */
int64_t sy_count_allocs(void);

#endif
