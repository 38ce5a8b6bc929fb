/*
 * test_top.c - the most probable classes come first, ties by index.
 */
#include "runtime/executor/top.h"

#include "tests/support/check_main.h"

static const float values[] = {0.1f, 0.3f, 0.05f, 0.3f, 0.2f, 0.05f};

static void expect(int classes, int most, int count, const int *want)
{
    int top[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    ck_assert_int_eq(sy_top_classes(values, classes, top, most), count);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(top[i], want[i]);
    }
    for (int i = count; i < 8; i++) {
        ck_assert_int_eq(top[i], -1);
    }
}

START_TEST(highest_first_and_ties_to_the_lower_index)
{
    expect(6, 1, 1, (const int[]){1});
    expect(6, 3, 3, (const int[]){1, 3, 4});
    expect(6, 6, 6, (const int[]){1, 3, 4, 0, 2, 5});
}
END_TEST

START_TEST(no_more_than_there_are_classes)
{
    expect(2, 5, 2, (const int[]){1, 0});
    expect(1, 5, 1, (const int[]){0});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("top");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, highest_first_and_ties_to_the_lower_index);
    tcase_add_test(tc, no_more_than_there_are_classes);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
