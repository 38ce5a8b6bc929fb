/*
 * test_rng.c - the bijection against its published answers, the streams
 * against an independent implementation, the distributions against theory.
 *
 * All inputs are fixed, so the statistical checks never fail by chance: their
 * bounds are those of a test at five standard deviations.
 */
#include <math.h>
#include <signal.h>

#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

/* kat_vectors of the Random123 distribution, philox4x32 with ten rounds. */
static const struct {
    uint32_t counter[4];
    uint32_t key[2];
    uint32_t out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(philox_gives_the_published_answers)
{
    uint32_t out[4];
    sy_philox(known[_i].counter, known[_i].key, out);
    ck_assert_mem_eq(out, known[_i].out, sizeof out);
}
END_TEST

/* From a second implementation of the layout that rng.c describes. */
static const struct {
    uint64_t seed;
    enum sy_rng_purpose purpose;
    uint64_t step;
    uint32_t index;
    uint32_t draws[6];
} streams[] = {
    {0,
     SY_RNG_TEST,
     0,
     0,
     {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8, 0xf8e4cca4, 0x5cb200db}},
    {0x0123456789abcdef,
     SY_RNG_AUGMENT,
     0x00fedcba98765432,
     0xdeadbeef,
     {0x9addd4ff, 0x2edd5b80, 0xefbd415a, 0xc06538d5, 0xb4b6236a, 0x40d8e677}},
    {42,
     SY_RNG_SHUFFLE,
     7,
     1,
     {0x6713fd60, 0x0a273681, 0x586c4891, 0x27d2150b, 0x511ddeb9, 0xc6b41c17}},
};

START_TEST(streams_begin_with_the_numbers_that_results_depend_on)
{
    struct sy_rng rng = sy_rng_stream(streams[_i].seed, streams[_i].purpose,
                                      streams[_i].step, streams[_i].index);
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_eq(sy_rng_u32(&rng), streams[_i].draws[i]);
    }
}
END_TEST

START_TEST(streams_that_differ_in_one_bit_of_their_name_differ)
{
    uint32_t first[256];
    int count = 0;
    for (int bit = 0; bit < 64; bit++) {
        struct sy_rng rng =
            sy_rng_stream(UINT64_C(1) << bit, SY_RNG_TEST, 0, 0);
        first[count++] = sy_rng_u32(&rng);
    }
    for (int bit = 0; bit < 56; bit++) {
        struct sy_rng rng =
            sy_rng_stream(0, SY_RNG_TEST, UINT64_C(1) << bit, 0);
        first[count++] = sy_rng_u32(&rng);
    }
    for (int bit = 0; bit < 32; bit++) {
        struct sy_rng rng =
            sy_rng_stream(0, SY_RNG_TEST, 0, UINT32_C(1) << bit);
        first[count++] = sy_rng_u32(&rng);
    }
    for (int purpose = SY_RNG_TEST; purpose <= SY_RNG_BENCH; purpose++) {
        struct sy_rng rng =
            sy_rng_stream(0, (enum sy_rng_purpose)purpose, 0, 0);
        first[count++] = sy_rng_u32(&rng);
    }
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_uint_ne(first[i], first[j]);
        }
    }
}
END_TEST

START_TEST(blocks_of_a_stream_do_not_run_into_the_next_index)
{
    struct sy_rng a = sy_rng_stream(1, SY_RNG_TEST, 0, 0);
    struct sy_rng b = sy_rng_stream(1, SY_RNG_TEST, 0, 1);
    uint32_t head[4];
    int same = 0;
    for (int i = 0; i < 4; i++) {
        head[i] = sy_rng_u32(&b);
    }
    for (int i = 0; i < 4096; i++) {
        uint32_t draw = sy_rng_u32(&a);
        for (int j = 0; j < 4; j++) {
            same += draw == head[j];
        }
    }
    ck_assert_int_eq(same, 0);
}
END_TEST

START_TEST(a_copied_cursor_goes_on_with_the_same_numbers)
{
    struct sy_rng a = sy_rng_stream(5, SY_RNG_PATH, 2, 3);
    for (int i = 0; i < 7; i++) {
        sy_rng_u32(&a);
    }
    struct sy_rng b = a;
    for (int i = 0; i < 20; i++) {
        ck_assert_uint_eq(sy_rng_u32(&a), sy_rng_u32(&b));
    }
}
END_TEST

START_TEST(a_step_beyond_56_bits_stops_the_program)
{
    sy_rng_stream(0, SY_RNG_TEST, UINT64_C(1) << 56, 0);
}
END_TEST

START_TEST(below_stays_below_and_reaches_every_value)
{
    static const uint32_t bounds[] = {1, 2, 3, 7, 10, 64, 100};
    struct sy_rng rng = sy_rng_stream(9, SY_RNG_TEST, 0, 0);
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        int seen[100] = {0};
        for (int i = 0; i < 5000; i++) {
            uint32_t draw = sy_rng_below(&rng, bounds[b]);
            ck_assert_uint_lt(draw, bounds[b]);
            seen[draw]++;
        }
        for (uint32_t i = 0; i < bounds[b]; i++) {
            ck_assert_int_gt(seen[i], 0);
        }
    }
}
END_TEST

START_TEST(below_has_no_bias_where_a_plain_remainder_has_much)
{
    /* With bound 3 * 2^30, 2^32 mod bound favours the lower third twofold. */
    const uint32_t bound = UINT32_C(3) << 30;
    const int draws = 60000;
    struct sy_rng rng = sy_rng_stream(10, SY_RNG_TEST, 0, 0);
    int thirds[3] = {0};
    for (int i = 0; i < draws; i++) {
        thirds[sy_rng_below(&rng, bound) >> 30]++;
    }
    double deviation = sqrt(draws * (1.0 / 3) * (2.0 / 3));
    for (int i = 0; i < 3; i++) {
        ck_assert(fabs(thirds[i] - draws / 3.0) < 5 * deviation);
    }
}
END_TEST

START_TEST(a_bound_of_zero_stops_the_program)
{
    struct sy_rng rng = sy_rng_stream(0, SY_RNG_TEST, 0, 0);
    sy_rng_below(&rng, 0);
}
END_TEST

START_TEST(uniform_lies_in_its_interval_with_the_right_moments)
{
    const int draws = 100000;
    struct sy_rng rng = sy_rng_stream(11, SY_RNG_TEST, 0, 0);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < draws; i++) {
        float draw = sy_rng_uniform(&rng);
        ck_assert(draw >= 0.0F && draw < 1.0F);
        ck_assert(draw * 0x1p24F == truncf(draw * 0x1p24F));
        sum += draw;
        squares += (double)draw * draw;
    }
    ck_assert(fabs(sum / draws - 1.0 / 2) < 5 * sqrt(1.0 / 12 / draws));
    ck_assert(fabs(squares / draws - 1.0 / 3) < 5 * sqrt(4.0 / 45 / draws));
}
END_TEST

START_TEST(normal_has_the_right_moments_and_tails)
{
    const int draws = 100000;
    struct sy_rng rng = sy_rng_stream(12, SY_RNG_TEST, 0, 0);
    double power[5] = {0};
    int beyond_two = 0;
    for (int i = 0; i < draws; i++) {
        double draw = sy_rng_normal(&rng);
        ck_assert(isfinite(draw));
        for (int p = 1; p <= 4; p++) {
            power[p] += pow(draw, p) / draws;
        }
        beyond_two += fabs(draw) > 2;
    }
    ck_assert(fabs(power[1]) < 5 * sqrt(1.0 / draws));
    ck_assert(fabs(power[2] - 1) < 5 * sqrt(2.0 / draws));
    ck_assert(fabs(power[3]) < 5 * sqrt(15.0 / draws));
    ck_assert(fabs(power[4] - 3) < 5 * sqrt(96.0 / draws));
    ck_assert(fabs(beyond_two / (double)draws - 0.0455003) <
              5 * sqrt(0.0455003 / draws));
}
END_TEST

START_TEST(a_normal_takes_exactly_two_draws)
{
    struct sy_rng a = sy_rng_stream(13, SY_RNG_TEST, 0, 0);
    struct sy_rng b = a;
    for (int i = 0; i < 11; i++) {
        sy_rng_normal(&a);
        sy_rng_u32(&b);
        sy_rng_u32(&b);
    }
    ck_assert_uint_eq(sy_rng_u32(&a), sy_rng_u32(&b));
}
END_TEST

START_TEST(a_permutation_holds_every_index_once)
{
    struct sy_rng rng = sy_rng_stream(14, SY_RNG_SHUFFLE, 0, 0);
    for (uint32_t count = 0; count < 200; count++) {
        uint32_t order[200];
        int seen[200] = {0};
        sy_rng_permutation(&rng, order, count);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_lt(order[i], count);
            ck_assert_int_eq(seen[order[i]]++, 0);
        }
    }
}
END_TEST

START_TEST(all_permutations_of_four_are_equally_frequent)
{
    const int draws = 24000;
    struct sy_rng rng = sy_rng_stream(15, SY_RNG_SHUFFLE, 0, 0);
    int seen[256] = {0};
    for (int i = 0; i < draws; i++) {
        uint32_t order[4];
        sy_rng_permutation(&rng, order, 4);
        seen[order[0] << 6 | order[1] << 4 | order[2] << 2 | order[3]]++;
    }
    double chi = 0;
    int kinds = 0;
    for (int i = 0; i < 256; i++) {
        if (seen[i] > 0) {
            chi += (seen[i] - 1000.0) * (seen[i] - 1000.0) / 1000.0;
            kinds++;
        }
    }
    ck_assert_int_eq(kinds, 24);
    /* 23 degrees of freedom: mean 23, deviation 6.8. */
    ck_assert(chi < 57);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rng");
    TCase *tc = tcase_create("rng");
    tcase_add_loop_test(tc, philox_gives_the_published_answers, 0, 3);
    tcase_add_loop_test(
        tc, streams_begin_with_the_numbers_that_results_depend_on, 0, 3);
    tcase_add_test(tc, streams_that_differ_in_one_bit_of_their_name_differ);
    tcase_add_test(tc, blocks_of_a_stream_do_not_run_into_the_next_index);
    tcase_add_test(tc, a_copied_cursor_goes_on_with_the_same_numbers);
    tcase_add_test_raise_signal(tc, a_step_beyond_56_bits_stops_the_program,
                                SIGABRT);
    tcase_add_test(tc, below_stays_below_and_reaches_every_value);
    tcase_add_test(tc, below_has_no_bias_where_a_plain_remainder_has_much);
    tcase_add_test_raise_signal(tc, a_bound_of_zero_stops_the_program, SIGABRT);
    tcase_add_test(tc, uniform_lies_in_its_interval_with_the_right_moments);
    tcase_add_test(tc, normal_has_the_right_moments_and_tails);
    tcase_add_test(tc, a_normal_takes_exactly_two_draws);
    tcase_add_test(tc, a_permutation_holds_every_index_once);
    tcase_add_test(tc, all_permutations_of_four_are_equally_frequent);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
