/*
 * test_op.c - the table of operators, and the merging of moments.
 */
#include <math.h>

#include "runtime/base/rng.h"
#include "runtime/ops/op.h"
#include "tests/support/check_main.h"

enum { CHANNELS = 3, ROWS = 50 };

static float rows[ROWS][CHANNELS];

static void setup(void)
{
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_TEST, 0, 0);

    for (int i = 0; i < ROWS; i++) {
        for (int c = 0; c < CHANNELS; c++) {
            rows[i][c] = 1000.0f * (float)c + sy_rng_normal(&rng);
        }
    }
}

/* Mean and sum of squared deviations of rows [first, end), by norm's stats. */
static void moments_of(int first, int end, float *moments)
{
    sy_op_norm.stats(&(struct sy_op_args){.in = {1, 1, CHANNELS},
                                          .out = {1, 1, CHANNELS},
                                          .count = end - first,
                                          .x = rows[first],
                                          .partial = moments});
}

static void check_whole(const float *moments)
{
    for (int c = 0; c < CHANNELS; c++) {
        double mean = 0.0, m2 = 0.0;
        for (int i = 0; i < ROWS; i++) {
            mean += (double)rows[i][c] / ROWS;
        }
        for (int i = 0; i < ROWS; i++) {
            double d = (double)rows[i][c] - mean;
            m2 += d * d;
        }
        ck_assert(fabs((double)moments[c] - mean) <= 1e-6 * fabs(mean) + 1e-6);
        ck_assert(fabs((double)moments[CHANNELS + c] - m2) <= 1e-3 * m2);
    }
}

START_TEST(merged_moments_are_those_of_the_whole_however_cut)
{
    for (int cut = 0; cut <= ROWS; cut++) {
        float into[2 * CHANNELS], from[2 * CHANNELS];
        moments_of(0, cut, into);
        moments_of(cut, ROWS, from);
        sy_norm_merge(into, cut, from, ROWS - cut, CHANNELS);
        check_whole(into);
    }
}
END_TEST

START_TEST(merging_row_by_row_gives_the_whole)
{
    float into[2 * CHANNELS] = {NAN, NAN, NAN, NAN, NAN, NAN};

    for (int i = 0; i < ROWS; i++) { /* with no rows, `into` is not read */
        float from[2 * CHANNELS];
        moments_of(i, i + 1, from);
        sy_norm_merge(into, i, from, 1, CHANNELS);
    }
    check_whole(into);
}
END_TEST

START_TEST(merging_nothing_changes_nothing)
{
    float into[2 * CHANNELS], from[2 * CHANNELS] = {NAN};

    moments_of(0, ROWS, into);
    sy_norm_merge(into, ROWS, from, 0, CHANNELS);
    check_whole(into);
}
END_TEST

START_TEST(every_operator_is_whole)
{
    for (int i = 0; i < SY_OP_COUNT; i++) {
        const struct sy_op *op = sy_op_of((enum sy_op_kind)i);
        ck_assert_ptr_nonnull(op->name);
        ck_assert(op->inputs == 1 || op->inputs == 2);
        ck_assert(op->shape != NULL && op->madds != NULL);
        ck_assert(op->partial != NULL && op->forward != NULL);
        ck_assert(op->backward != NULL);
        ck_assert((op->stats != NULL) == (i == SY_OP_NORM));
        ck_assert((op->sums != NULL) == (i == SY_OP_NORM));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("op");
    TCase *tc = tcase_create("op");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, merged_moments_are_those_of_the_whole_however_cut);
    tcase_add_test(tc, merging_row_by_row_gives_the_whole);
    tcase_add_test(tc, merging_nothing_changes_nothing);
    tcase_add_test(tc, every_operator_is_whole);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
