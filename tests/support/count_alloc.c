/*
 * count_alloc.c - counts every allocation of the program.
 *
 * DESIGN. The program's own malloc takes the place of the library's for all
 * objects in the process, and goes on to glibc's inner entry points, so no
 * preloading and no search for the next symbol (which itself allocates). The
 * blocks are glibc's, so its free takes them back.
 */
#include "tests/support/count_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

#if defined(__GLIBC__) && !defined(HAS_SANITIZER)

static atomic_int_least64_t allocations;

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes_each);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes_each);
void *realloc(void *block, size_t bytes);
void *reallocarray(void *block, size_t count, size_t bytes_each);
void *memalign(size_t alignment, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
int posix_memalign(void **block, size_t alignment, size_t bytes);

static void count(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t count_of, size_t bytes_each)
{
    count();
    return __libc_calloc(count_of, bytes_each);
}

void *realloc(void *block, size_t bytes)
{
    count();
    return __libc_realloc(block, bytes);
}

void *reallocarray(void *block, size_t count_of, size_t bytes_each)
{
    size_t bytes;
    count();
    if (__builtin_mul_overflow(count_of, bytes_each, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(block, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    count();
    if (alignment % sizeof(void *) != 0 || alignment == 0 ||
        (alignment & (alignment - 1)) != 0) {
        return EINVAL;
    }
    void *made = __libc_memalign(alignment, bytes);
    if (made == NULL) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

bool sy_count_works(void)
{
    return true;
}

int64_t sy_count_allocs(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

#else

bool sy_count_works(void)
{
    return false;
}

int64_t sy_count_allocs(void)
{
    return 0;
}

#endif
