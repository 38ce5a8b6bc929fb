/* Tests of domains/batch/augment.c. */
#include <string.h>

#include "domains/batch/augment.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { H = 5, W = 7, COUNT = H * W * 3 };

/* The definition, pixel by pixel. */
static void slow(const struct dom_change *change, const uint8_t *in, float *out)
{
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            int from_y = y - change->down;
            int from_x = (change->mirror ? W - 1 - x : x) - change->right_by;
            bool cut = y >= change->top && y < change->bottom &&
                       x >= change->left && x < change->right;
            bool outside =
                from_y < 0 || from_y >= H || from_x < 0 || from_x >= W;
            for (int c = 0; c < 3; c++) {
                float *to = &out[(y * W + x) * 3 + c];
                *to = 0.0F;
                if (!cut && !outside) {
                    dom_normalise(&in[(from_y * W + from_x) * 3 + c], 1, to);
                }
            }
        }
    }
}

START_TEST(every_shift_mirror_and_cut_is_what_its_definition_says)
{
    uint8_t in[COUNT];
    float expected[COUNT];
    float found[COUNT];
    sy_noise(in, COUNT, 4);
    for (int down = -6; down <= 6; down++) {
        for (int right = -8; right <= 8; right++) {
            for (int k = 0; k < 4; k++) {
                struct dom_change change = {
                    .down = down, .right_by = right, .mirror = k & 1};
                if (k & 2) {
                    change.top = 1;
                    change.bottom = 4;
                    change.left = 2;
                    change.right = 7;
                }
                slow(&change, in, expected);
                memset(found, 0x7f, sizeof(found));
                dom_change_apply(&change, in, H, W, found);
                ck_assert_mem_eq(found, expected, sizeof(found));
            }
        }
    }
}
END_TEST

START_TEST(nothing_switched_on_changes_nothing)
{
    struct dom_augment off = {0};
    for (uint64_t step = 0; step < 200; step++) {
        struct sy_rng rng = sy_rng_stream(1, SY_RNG_AUGMENT, step, 0);
        struct dom_change change = dom_change_draw(&off, H, W, &rng);
        ck_assert_int_eq(change.down, 0);
        ck_assert_int_eq(change.right_by, 0);
        ck_assert(!change.mirror);
        ck_assert_int_eq(change.top, change.bottom);
    }
}
END_TEST

START_TEST(drawn_changes_stay_in_range_and_reach_its_ends)
{
    struct dom_augment augment = {.shift = 2, .flip = true, .cutout = 3};
    int shifts[5] = {0};
    int mirrored = 0;
    int cuts = 0;
    int clipped = 0;
    for (uint64_t step = 0; step < 2000; step++) {
        struct sy_rng rng = sy_rng_stream(1, SY_RNG_AUGMENT, step, 0);
        struct dom_change change = dom_change_draw(&augment, H, W, &rng);
        ck_assert_int_le(change.down, 2);
        ck_assert_int_ge(change.down, -2);
        ck_assert_int_le(change.right_by, 2);
        ck_assert_int_ge(change.right_by, -2);
        shifts[change.down + 2]++;
        mirrored += change.mirror;
        if (change.bottom > change.top) {
            cuts++;
            ck_assert_int_ge(change.top, 0);
            ck_assert_int_le(change.bottom, H);
            ck_assert_int_ge(change.left, 0);
            ck_assert_int_le(change.right, W);
            ck_assert_int_le(change.bottom - change.top, 3);
            clipped += change.bottom - change.top < 3;
        }
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_int_gt(shifts[i], 300);
    }
    ck_assert_int_gt(mirrored, 900);
    ck_assert_int_lt(mirrored, 1100);
    ck_assert_int_gt(cuts, 900);
    ck_assert_int_lt(cuts, 1100);
    ck_assert_int_gt(clipped, 0);
}
END_TEST

START_TEST(switching_one_thing_on_leaves_the_others_as_they_were)
{
    struct dom_augment shift = {.shift = 3};
    struct dom_augment all = {.shift = 3, .flip = true, .cutout = 2};
    for (uint64_t step = 0; step < 100; step++) {
        struct sy_rng one = sy_rng_stream(9, SY_RNG_AUGMENT, step, 0);
        struct sy_rng two = sy_rng_stream(9, SY_RNG_AUGMENT, step, 0);
        struct dom_change a = dom_change_draw(&shift, H, W, &one);
        struct dom_change b = dom_change_draw(&all, H, W, &two);
        ck_assert_int_eq(a.down, b.down);
        ck_assert_int_eq(a.right_by, b.right_by);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("augment");
    TCase *tc = tcase_create("augment");
    tcase_add_test(tc, every_shift_mirror_and_cut_is_what_its_definition_says);
    tcase_add_test(tc, nothing_switched_on_changes_nothing);
    tcase_add_test(tc, drawn_changes_stay_in_range_and_reach_its_ends);
    tcase_add_test(tc, switching_one_thing_on_leaves_the_others_as_they_were);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
