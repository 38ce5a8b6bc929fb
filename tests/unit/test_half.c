/*
 * test_half.c - numbers of half the width, against every one there is.
 */
#include <math.h>

#include "runtime/base/half.h"
#include "tests/support/check_main.h"

enum { HALVES = 0x10000, SIGN = 0x8000, INFINITE = 0x7c00, ONE = 0x3c00 };

START_TEST(every_half_comes_back_from_a_float)
{
    for (int i = 0; i < HALVES; i++) {
        float x = sy_half_float((uint16_t)i);
        if ((i & (SIGN - 1)) > INFINITE) {
            ck_assert(isnan(x));
            ck_assert(isnan(sy_half_float(sy_half(x))));
        } else {
            ck_assert_uint_eq(sy_half(x), (unsigned)i);
        }
    }
}
END_TEST

START_TEST(a_half_is_worth_what_the_standard_says)
{
    for (int i = 0; i < INFINITE; i++) {
        int exponent = i >> 10, digits = i & 0x3ff;
        double value = exponent == 0 ? ldexp(digits, -24)
                                     : ldexp(1024 + digits, exponent - 25);
        ck_assert(sy_half_float((uint16_t)i) == (float)value);
        ck_assert(sy_half_float((uint16_t)(i | SIGN)) == -(float)value);
    }
    ck_assert(sy_half_float(ONE) == 1.0f);
    ck_assert(sy_half_float(INFINITE - 1) == SY_HALF_MAX);
}
END_TEST

START_TEST(a_float_becomes_the_nearest_half_and_of_two_the_even_one)
{
    for (int i = 0; i + 1 < INFINITE; i++) {
        uint16_t low = (uint16_t)i, high = (uint16_t)(i + 1);
        float middle = (sy_half_float(low) + sy_half_float(high)) / 2.0f;
        ck_assert_uint_eq(sy_half(middle), i % 2 == 0 ? low : high);
        ck_assert_uint_eq(sy_half(nextafterf(middle, 0.0f)), low);
        ck_assert_uint_eq(sy_half(nextafterf(middle, 1e9f)), high);
        ck_assert_uint_eq(sy_half(-middle), SIGN | (i % 2 == 0 ? low : high));
    }
}
END_TEST

START_TEST(what_is_too_large_becomes_infinite)
{
    ck_assert_uint_eq(sy_half(nextafterf(65520.0f, 0.0f)), INFINITE - 1);
    ck_assert_uint_eq(sy_half(65520.0f), INFINITE);
    ck_assert_uint_eq(sy_half(-1e30f), SIGN | INFINITE);
    ck_assert_uint_eq(sy_half(INFINITY), INFINITE);
    ck_assert_uint_eq(sy_half(1e-30f), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("half");
    TCase *tc = tcase_create("half");

    tcase_add_test(tc, every_half_comes_back_from_a_float);
    tcase_add_test(tc, a_half_is_worth_what_the_standard_says);
    tcase_add_test(tc,
                   a_float_becomes_the_nearest_half_and_of_two_the_even_one);
    tcase_add_test(tc, what_is_too_large_becomes_infinite);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
