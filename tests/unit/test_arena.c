/*
 * test_arena.c - pieces of large blocks, and reuse without allocation.
 */
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

START_TEST(pieces_are_aligned_and_do_not_overlap)
{
    struct sy_arena arena;
    unsigned char *pieces[200];
    sy_arena_init(&arena, 1000);
    for (int i = 0; i < 200; i++) {
        pieces[i] = sy_arena_alloc(&arena, (size_t)i * 3);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % SY_ALIGN_BYTES, 0);
        memset(pieces[i], i, (size_t)i * 3);
    }
    for (int i = 0; i < 200; i++) {
        for (int j = 0; j < i * 3; j++) {
            ck_assert_uint_eq(pieces[i][j], i);
        }
    }
    sy_arena_release(&arena);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(an_empty_arena_holds_no_memory)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 0);
    ck_assert_int_eq(sy_alloc_live(), 0);
    sy_arena_reset(&arena);
    sy_arena_release(&arena);
}
END_TEST

START_TEST(a_piece_larger_than_a_block_gets_a_block_of_its_own)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 128);
    char *small = sy_arena_alloc(&arena, 10);
    char *large = sy_arena_alloc(&arena, 1 << 20);
    ck_assert_ptr_nonnull(small);
    ck_assert_ptr_nonnull(large);
    memset(large, 1, 1 << 20);
    ck_assert_int_eq(sy_alloc_live(), 2);
    sy_arena_release(&arena);
}
END_TEST

/* One round of pieces of mixed sizes, remembered in `pieces`. */
static void fill(struct sy_arena *arena, void *pieces[50])
{
    for (size_t i = 0; i < 50; i++) {
        pieces[i] = sy_arena_alloc(arena, i * 37 % 1500);
        ck_assert_ptr_nonnull(pieces[i]);
    }
}

START_TEST(the_same_round_after_reset_allocates_nothing)
{
    struct sy_arena arena;
    void *first[50];
    void *again[50];
    sy_arena_init(&arena, 4096);
    fill(&arena, first);
    size_t used = arena.used_bytes;
    int64_t calls = sy_alloc_calls();
    for (int round = 0; round < 5; round++) {
        sy_arena_reset(&arena);
        ck_assert_uint_eq(arena.used_bytes, 0);
        fill(&arena, again);
        ck_assert_uint_eq(arena.used_bytes, used);
        ck_assert_mem_eq(first, again, sizeof first);
    }
    ck_assert_int_eq(sy_alloc_calls(), calls);
    sy_arena_release(&arena);
}
END_TEST

START_TEST(an_arena_may_be_used_again_after_release)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 256);
    for (int round = 0; round < 3; round++) {
        char *text = sy_arena_strdup(&arena, "text");
        ck_assert_ptr_nonnull(text);
        ck_assert_str_eq(text, "text");
        ck_assert_uint_eq(arena.block_bytes, 256);
        sy_arena_release(&arena);
        ck_assert_int_eq(sy_alloc_live(), 0);
    }
}
END_TEST

START_TEST(zeroed_pieces_are_zero_also_after_reset)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 0);
    for (int round = 0; round < 3; round++) {
        unsigned char *piece = sy_arena_zero(&arena, 33, 3);
        ck_assert_ptr_nonnull(piece);
        for (int i = 0; i < 99; i++) {
            ck_assert_uint_eq(piece[i], 0);
        }
        memset(piece, 0xFF, 99);
        sy_arena_reset(&arena);
    }
    sy_arena_release(&arena);
}
END_TEST

START_TEST(impossible_sizes_give_nothing)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 0);
    ck_assert_ptr_null(sy_arena_zero(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(sy_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(sy_arena_alloc(&arena, SIZE_MAX - 200));
    ck_assert_ptr_null(sy_arena_alloc(&arena, PTRDIFF_MAX));
    ck_assert_ptr_nonnull(sy_arena_alloc(&arena, 10));
    sy_arena_release(&arena);
}
END_TEST

START_TEST(an_arena_survives_a_failed_allocation)
{
    struct sy_arena arena;
    sy_arena_init(&arena, 128);
    char *kept = sy_arena_strdup(&arena, "kept");
    ck_assert_ptr_nonnull(kept);
    sy_alloc_fail_at(1, true);
    ck_assert_ptr_null(sy_arena_alloc(&arena, 4096));
    ck_assert_ptr_null(sy_arena_zero(&arena, 4096, 1));
    sy_alloc_fail_at(0, false);
    ck_assert_ptr_nonnull(sy_arena_alloc(&arena, 4096));
    ck_assert_str_eq(kept, "kept");
    sy_arena_release(&arena);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("arena");
    TCase *tc = tcase_create("arena");
    tcase_add_test(tc, pieces_are_aligned_and_do_not_overlap);
    tcase_add_test(tc, an_empty_arena_holds_no_memory);
    tcase_add_test(tc, a_piece_larger_than_a_block_gets_a_block_of_its_own);
    tcase_add_test(tc, the_same_round_after_reset_allocates_nothing);
    tcase_add_test(tc, an_arena_may_be_used_again_after_release);
    tcase_add_test(tc, zeroed_pieces_are_zero_also_after_reset);
    tcase_add_test(tc, impossible_sizes_give_nothing);
    tcase_add_test(tc, an_arena_survives_a_failed_allocation);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
