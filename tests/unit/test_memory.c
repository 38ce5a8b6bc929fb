/*
 * test_memory.c - the allocator: alignment, counting, failing on demand.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static void check_aligned(const void *block)
{
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % SY_ALIGN_BYTES, 0);
}

START_TEST(every_block_is_aligned_and_all_its_bytes_can_be_written)
{
    for (size_t bytes = 0; bytes < 300; bytes++) {
        char *block = sy_alloc(bytes);
        check_aligned(block);
        memset(block, 0x5A, bytes);
        sy_free(block);
    }
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    for (int round = 0; round < 20; round++) {
        unsigned char *block = sy_alloc_zero(100, 7);
        check_aligned(block);
        for (int i = 0; i < 700; i++) {
            ck_assert_uint_eq(block[i], 0);
        }
        memset(block, 0xFF, 700);
        sy_free(block);
    }
}
END_TEST

START_TEST(a_product_that_overflows_gives_nothing)
{
    ck_assert_ptr_null(sy_alloc_zero(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(sy_alloc_zero(SIZE_MAX, SIZE_MAX));
}
END_TEST

START_TEST(an_impossible_size_gives_nothing)
{
    ck_assert_ptr_null(sy_alloc(SIZE_MAX));
    ck_assert_ptr_null(sy_alloc(SIZE_MAX - 32));
    ck_assert_ptr_null(sy_alloc(PTRDIFF_MAX));
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(realloc_keeps_content_and_alignment)
{
    size_t sizes[] = {1, 10, 64, 65, 4096, 100000, 63, 5, 0, 17};
    unsigned char *block = NULL;
    size_t valid = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *moved = sy_realloc(block, sizes[i]);
        check_aligned(moved);
        block = moved;
        valid = valid < sizes[i] ? valid : sizes[i];
        for (size_t j = 0; j < valid; j++) {
            ck_assert_uint_eq(block[j], j % 251);
        }
        for (size_t j = 0; j < sizes[i]; j++) {
            block[j] = (unsigned char)(j % 251);
        }
        valid = sizes[i];
    }
    ck_assert_int_eq(sy_alloc_live(), 1);
    sy_free(block);
}
END_TEST

START_TEST(a_failed_realloc_leaves_the_block_as_it_was)
{
    char *block = sy_strdup("still here");
    ck_assert_ptr_nonnull(block);
    sy_alloc_fail_at(1, false);
    ck_assert_ptr_null(sy_realloc(block, 1000));
    ck_assert_ptr_null(sy_realloc(block, SIZE_MAX));
    ck_assert_str_eq(block, "still here");
    sy_free(block);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(strdup_copies)
{
    char text[] = "text";
    char *copy = sy_strdup(text);
    ck_assert_ptr_nonnull(copy);
    text[0] = 'T';
    ck_assert_str_eq(copy, "text");
    sy_free(copy);
}
END_TEST

START_TEST(live_blocks_and_calls_are_counted)
{
    int64_t calls = sy_alloc_calls();
    void *a = sy_alloc(1);
    void *b = sy_alloc_zero(1, 1);
    void *c = sy_strdup("");
    void *d = sy_realloc(NULL, 1);
    ck_assert_int_eq(sy_alloc_live(), 4);
    d = sy_realloc(d, 2);
    ck_assert_int_eq(sy_alloc_live(), 4);
    ck_assert_int_eq(sy_alloc_calls(), calls + 5);
    sy_free(a);
    sy_free(b);
    sy_free(c);
    sy_free(d);
    sy_free(NULL);
    ck_assert_int_eq(sy_alloc_live(), 0);
    ck_assert_int_eq(sy_alloc_calls(), calls + 5);
}
END_TEST

/* Makes n allocations and writes which failed as a text of '.' and 'x'. */
static void probe(char *text, int n)
{
    for (int i = 0; i < n; i++) {
        void *block = sy_alloc(1);
        text[i] = block != NULL ? '.' : 'x';
        sy_free(block);
    }
    text[n] = '\0';
}

START_TEST(the_nth_allocation_fails_once)
{
    char text[8];
    sy_alloc_fail_at(1, false);
    probe(text, 4);
    ck_assert_str_eq(text, "x...");
    sy_alloc_fail_at(3, false);
    probe(text, 5);
    ck_assert_str_eq(text, "..x..");
}
END_TEST

START_TEST(a_sticky_failure_lasts_until_it_is_switched_off)
{
    char text[8];
    sy_alloc_fail_at(3, true);
    probe(text, 6);
    ck_assert_str_eq(text, "..xxxx");
    sy_alloc_fail_at(0, false);
    probe(text, 3);
    ck_assert_str_eq(text, "...");
}
END_TEST

START_TEST(every_kind_of_allocation_can_be_failed)
{
    sy_alloc_fail_at(1, true);
    ck_assert_ptr_null(sy_alloc(1));
    ck_assert_ptr_null(sy_alloc_zero(1, 1));
    ck_assert_ptr_null(sy_realloc(NULL, 1));
    ck_assert_ptr_null(sy_strdup("x"));
    sy_alloc_fail_at(0, false);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

enum { ROUNDS = 2000, THREADS = 4 };

static void *allocate_much(void *failures)
{
    void *kept = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        void *block = sy_alloc(32);
        *(int *)failures += block == NULL;
        sy_free(kept);
        kept = block;
    }
    sy_free(kept);
    return NULL;
}

/* Returns how many allocations failed. */
static int allocate_on_all_threads(void)
{
    pthread_t threads[THREADS];
    int failures[THREADS] = {0};
    int sum = 0;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, allocate_much, &failures[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += failures[i];
    }
    return sum;
}

START_TEST(the_counters_are_exact_with_several_threads)
{
    int64_t calls = sy_alloc_calls();
    ck_assert_int_eq(allocate_on_all_threads(), 0);
    ck_assert_int_eq(sy_alloc_calls(), calls + ROUNDS * THREADS);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(exactly_one_of_several_threads_sees_the_failure)
{
    sy_alloc_fail_at(ROUNDS, false);
    ck_assert_int_eq(allocate_on_all_threads(), 1);
}
END_TEST

START_TEST(a_foreign_pointer_stops_the_program)
{
    static _Alignas(SY_ALIGN_BYTES) char foreign[2 * SY_ALIGN_BYTES];
    sy_free(foreign + SY_ALIGN_BYTES);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_add_test(tc, every_block_is_aligned_and_all_its_bytes_can_be_written);
    tcase_add_test(tc, zeroed_memory_is_zero);
    tcase_add_test(tc, a_product_that_overflows_gives_nothing);
    tcase_add_test(tc, an_impossible_size_gives_nothing);
    tcase_add_test(tc, realloc_keeps_content_and_alignment);
    tcase_add_test(tc, a_failed_realloc_leaves_the_block_as_it_was);
    tcase_add_test(tc, strdup_copies);
    tcase_add_test(tc, live_blocks_and_calls_are_counted);
    tcase_add_test(tc, the_nth_allocation_fails_once);
    tcase_add_test(tc, a_sticky_failure_lasts_until_it_is_switched_off);
    tcase_add_test(tc, every_kind_of_allocation_can_be_failed);
    tcase_add_test(tc, the_counters_are_exact_with_several_threads);
    tcase_add_test(tc, exactly_one_of_several_threads_sees_the_failure);
    tcase_add_test_raise_signal(tc, a_foreign_pointer_stops_the_program,
                                SIGABRT);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
