/*
 * test_float_text.c - float32 to text and back.
 */
#include "serving/protocol/float_text.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Reads the whole text, which must be one number. */
static float read_all(const char *text)
{
    float value = -1;
    const char *next = NULL;
    bool ok = srv_float_read(text, text + strlen(text), &value, &next);
    ck_assert_msg(ok && *next == '\0', "'%s' was not read", text);
    return value;
}

static void reads_as_strtof(const char *text)
{
    float expected = strtof(text, NULL);
    float found = read_all(text);
    ck_assert_msg(bits_of(expected) == bits_of(found),
                  "'%s': expected %a, found %a", text, (double)expected,
                  (double)found);
}

START_TEST(numbers_of_every_form_are_read_as_strtof_reads_them)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "-1.5",
        "255",
        "0.1",
        "3.4028235e38",
        "1e39",
        "-1e39",
        "1e-46",
        "1.4e-45",
        "7.006492321624085e-46",
        "1.1754944e-38",
        "1.17549430e-38",
        "16777217",
        "16777219",
        "0.50000002980232238769531250",
        "0.50000002980232238769531251",
        "0.50000002980232238769531249",
        "1.00000005960464477539062500000000000000000000000001",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000001",
        "1e99999999999",
        "1e-99999999999",
        "0e99999999999",
        "12345678901234567890e-10",
        "9007199254740993"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        reads_as_strtof(texts[i]);
    }
}
END_TEST

START_TEST(random_decimal_texts_are_read_as_strtof_reads_them)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < 300000; i++) {
        char text[64];
        uint32_t form = sy_rng_below(&rng, 3);
        uint32_t a = sy_rng_u32(&rng), b = sy_rng_u32(&rng);
        int exponent = (int)sy_rng_below(&rng, 90) - 50;
        if (form == 0) {
            snprintf(text, sizeof text, "%u.%u", a >> (b & 31), b);
        } else if (form == 1) {
            snprintf(text, sizeof text, "%u%ue%d", a | 1, b, exponent);
        } else {
            snprintf(text, sizeof text, "-0.%09ue%d", a, exponent);
        }
        reads_as_strtof(text);
    }
}
END_TEST

START_TEST(midpoints_between_floats_are_rounded_to_even)
{
    struct sy_rng rng = sy_rng_stream(2, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < 100000; i++) {
        float low = from_bits(sy_rng_u32(&rng) & 0x7fffffff);
        float high = nextafterf(low, INFINITY);
        if (!isfinite(low) || !isfinite(high)) {
            continue;
        }
        char text[200];
        double middle = ((double)low + (double)high) / 2;
        snprintf(text, sizeof text, "%.17g", middle);
        reads_as_strtof(text);
        snprintf(text, sizeof text, "%.160f", middle);
        text[sizeof text - 1] = '\0';
        reads_as_strtof(text);
    }
}
END_TEST

START_TEST(digits_of_every_length_are_rounded_as_the_library_does)
{
    /* Floats printed as doubles or longer, in every magnitude: the ways
       through double, long double and the library meet here. */
    uint64_t state = 7;
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t bits = (uint32_t)(state >> 32) & 0x7fffffff;
        float value, read;
        const char *next;
        char text[64];
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        int digits = (int)(state % 25);
        snprintf(text, sizeof text, i % 2 ? "%.*g" : "%.*e", digits,
                 (double)value * (1.0 + (double)(i % 5) * 1e-8));
        char *library_end;
        float expected = strtof(text, &library_end);
        ck_assert(srv_float_read(text, text + strlen(text), &read, &next));
        ck_assert_msg(memcmp(&read, &expected, sizeof read) == 0, "%s", text);
        ck_assert_ptr_eq(next, library_end);
    }
}
END_TEST

START_TEST(long_decimals_near_midpoints_are_rounded_once)
{
    /* A midpoint, and its neighbours 1e-17 of it away: a double is too coarse
       to tell them apart, and rounding twice would go wrong. */
    static const struct {
        const char *text;
        float expected;
    } cases[] = {
        {"1.000000059604644775", 1.0f},       /* just below */
        {"1.0000000596046447753", 1.0f},      /* below, cut */
        {"1.00000005960464477539062", 1.0f},  /* below, 24 digits */
        {"1.000000059604644775390625", 1.0f}, /* the tie, to even */
        {"1.000000059604644776", 0x1.000002p0f} /* just above */,
        {"1.0000001788139343261", 0x1.000002p0f},
        {"1.0000001788139343262", 0x1.000004p0f},
        {"16777217.00000000001", 0x1.000002p24f},
        {"16777216.99999999999", 0x1p24f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float read;
        const char *next;
        const char *text = cases[i].text;
        ck_assert(srv_float_read(text, text + strlen(text), &read, &next));
        ck_assert_msg(read == cases[i].expected, "%s gave %a", text,
                      (double)read);
        ck_assert(read == strtof(text, NULL));
    }
}
END_TEST

START_TEST(what_is_no_json_number_is_not_read)
{
    static const char *const texts[] = {"",    "-",  "+1",  ".5",  "1.",
                                        "01",  "1e", "1e+", "-.5", "nan",
                                        "inf", "x",  "Nan", "--1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        float value = 7;
        const char *next = NULL;
        ck_assert_msg(!srv_float_read(texts[i], texts[i] + strlen(texts[i]),
                                      &value, &next),
                      "'%s' was read", texts[i]);
        ck_assert_ptr_null(next);
        ck_assert(value == 7);
    }
}
END_TEST

START_TEST(the_words_for_nan_and_infinity_are_read)
{
    ck_assert(isnan(read_all("NaN")));
    ck_assert(read_all("Infinity") == INFINITY);
    ck_assert(read_all("-Infinity") == -INFINITY);
}
END_TEST

START_TEST(nothing_is_read_beyond_the_end)
{
    float value;
    const char *next;
    /* Blocks as long as the number and the byte behind it, for the sanitizer:
       eight digits are read at once only where eight bytes are left. */
    static const char digits[] = "123456789012345678901234567890";
    for (size_t bytes = 1; bytes < sizeof digits; bytes++) {
        char *text = malloc(bytes + 1);
        memcpy(text, digits, bytes);
        text[bytes] = ']';
        ck_assert(srv_float_read(text, text + bytes, &value, &next));
        text[bytes] = '\0';
        ck_assert(value == strtof(text, NULL) && next == text + bytes);
        free(text);
    }
    const char *word = "NaN";
    ck_assert(!srv_float_read(word, word + 2, &value, &next));
}
END_TEST

static void check_round_trip(float value)
{
    char text[SRV_FLOAT_TEXT_BYTES];
    size_t bytes = srv_float_text(value, text);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_msg(bits_of(strtof(text, NULL)) == bits_of(value),
                  "%a became '%s'", (double)value, text);
    ck_assert(bits_of(read_all(text)) == bits_of(value));
    int digits = 0;
    for (const char *c = text; *c != '\0' && *c != 'e'; c++) {
        digits += *c >= '0' && *c <= '9' && (digits > 0 || *c != '0');
    }
    /* Zeros that pad a whole number up to its point are not counted. */
    ck_assert_msg(digits <= 11, "'%s' has too many digits", text);
}

START_TEST(written_floats_read_back_to_the_same_bits)
{
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_TEST, 0, 0);
    for (int i = 0; i < 400000; i++) {
        float value = from_bits(sy_rng_u32(&rng));
        if (isfinite(value)) {
            check_round_trip(value);
        }
    }
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        check_round_trip(from_bits(exponent << 23));
        check_round_trip(from_bits((exponent << 23) + 1));
        check_round_trip(from_bits((exponent << 23) - 1 + (exponent == 0)));
    }
    check_round_trip(FLT_MAX);
    check_round_trip(-FLT_MAX);
}
END_TEST

START_TEST(every_pixel_over_255_survives_being_written)
{
    for (int u = 0; u < 256; u++) {
        check_round_trip((float)u / 255.0f);
    }
}
END_TEST

START_TEST(texts_are_as_short_as_they_can_be)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.0f, "0.0"},
                 {-0.0f, "-0.0"},
                 {1.0f, "1.0"},
                 {-1.0f, "-1.0"},
                 {0.1f, "0.1"},
                 {0.5f, "0.5"},
                 {100.0f, "100.0"},
                 {123456.0f, "123456.0"},
                 {0.001f, "0.001"},
                 {1e-7f, "1e-07"},
                 {1.5e-7f, "1.5e-07"},
                 {1e20f, "1e+20"},
                 {16777216.0f, "16777216.0"},
                 {0.33333334f, "0.33333334"},
                 {999999999.0f, "1e+09"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SRV_FLOAT_TEXT_BYTES];
        srv_float_text(cases[i].value, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("float_text");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, numbers_of_every_form_are_read_as_strtof_reads_them);
    tcase_add_test(tc, random_decimal_texts_are_read_as_strtof_reads_them);
    tcase_add_test(tc, midpoints_between_floats_are_rounded_to_even);
    tcase_add_test(tc, digits_of_every_length_are_rounded_as_the_library_does);
    tcase_add_test(tc, long_decimals_near_midpoints_are_rounded_once);
    tcase_add_test(tc, what_is_no_json_number_is_not_read);
    tcase_add_test(tc, the_words_for_nan_and_infinity_are_read);
    tcase_add_test(tc, nothing_is_read_beyond_the_end);
    tcase_add_test(tc, written_floats_read_back_to_the_same_bits);
    tcase_add_test(tc, every_pixel_over_255_survives_being_written);
    tcase_add_test(tc, texts_are_as_short_as_they_can_be);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
