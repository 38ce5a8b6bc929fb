/*
 * test_cascade.c - thresholds: by hand, and the promises on generated data.
 */
#include "search/routing/cascade.h"

#include <math.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "runtime/base/status.h"
#include "runtime/network/route.h"
#include "tests/support/check_main.h"

enum { MOST = 4000 };

START_TEST(the_binomial_tail_is_what_a_hand_computes)
{
    /* Three coins: 1/8, 4/8, 7/8, 1. */
    ck_assert_double_eq_tol(nas_binomial_tail(0, 3, 0.5), 0.125, 1e-12);
    ck_assert_double_eq_tol(nas_binomial_tail(1, 3, 0.5), 0.5, 1e-12);
    ck_assert_double_eq_tol(nas_binomial_tail(2, 3, 0.5), 0.875, 1e-12);
    ck_assert_double_eq(nas_binomial_tail(3, 3, 0.5), 1.0);
    /* The rule of three: none of 2995 at 0.1 % is a chance of about 1 in 20. */
    ck_assert_double_eq_tol(nas_binomial_tail(0, 2995, 0.001), 0.05, 5e-4);
    ck_assert_double_eq(nas_binomial_tail(0, 10, 0.0), 1.0);
    ck_assert_double_eq(nas_binomial_tail(9, 10, 1.0), 0.0);
    ck_assert_double_eq(nas_binomial_tail(0, 0, 0.5), 1.0);
}
END_TEST

/* Five images; the first stage is right about 0, 1 and 3. */
static const double value[] = {0.9, 0.8, 0.7, 0.6, 0.5};
static const bool first_right[] = {true, true, false, true, false};
static const bool last_right[] = {true, false, true, true, true};
static const struct nas_stage two[] = {{value, first_right, 10},
                                       {value, last_right, 30}};

START_TEST(a_cascade_is_played_image_by_image)
{
    double threshold = 0.7;
    struct nas_cascade_result result = nas_cascade_play(two, 2, 5, &threshold);
    ck_assert_int_eq(result.ended[0], 3);
    ck_assert_int_eq(result.ended[1], 2);
    ck_assert_int_eq(result.right, 4); /* 0, 1 at the first; 3, 4 at the last */
    ck_assert_int_eq(result.worse, 1); /* image 2 */
    ck_assert_double_eq(result.madds_mean, 10 + 30 * 2 / 5.0);
    threshold = SY_ROUTE_NEVER;
    result = nas_cascade_play(two, 2, 5, &threshold);
    ck_assert_int_eq(result.ended[0], 0);
    ck_assert_int_eq(result.worse, 0);
    ck_assert_double_eq(result.madds_mean, 40.0);
}
END_TEST

START_TEST(a_budget_buys_the_most_right_answers)
{
    double threshold, room[5];
    /* Ending with 0, 1, 2, ... images: right 4, 4, 5, 4, 4, 3 at a mean cost
       of 40, 34, 28, 22, 16, 10. */
    ck_assert(nas_cascade_madds(two, 2, 5, 40, &threshold, room));
    ck_assert_double_eq(threshold, 0.8);
    ck_assert(nas_cascade_madds(two, 2, 5, 27, &threshold, room));
    ck_assert_double_eq(threshold, 0.6); /* 4 right, as with 22, but 16 */
    ck_assert(nas_cascade_madds(two, 2, 5, 10, &threshold, room));
    ck_assert_double_eq(threshold, 0.5);
    ck_assert(!nas_cascade_madds(two, 2, 5, 9, &threshold, room));
    ck_assert_double_eq(threshold, 0.5);
}
END_TEST

START_TEST(too_few_images_promise_nothing)
{
    static double sure[MOST];
    static bool right[MOST];
    struct nas_stage stages[] = {{sure, right, 1}, {sure, right, 9}};
    double threshold = 0;
    for (int i = 0; i < MOST; i++) {
        sure[i] = 1.0;
        right[i] = true;
    }
    /* Without one error: 0.99^n <= 0.1 from n = 230 on. */
    nas_cascade_epsilon(stages, 2, 229, 0.01, 0.1, &threshold);
    ck_assert_double_eq(threshold, SY_ROUTE_NEVER);
    nas_cascade_epsilon(stages, 2, 230, 0.01, 0.1, &threshold);
    ck_assert_double_eq(threshold, 0.0);
    nas_cascade_epsilon(stages, 2, 0, 0.01, 0.1, &threshold);
    ck_assert_double_eq(threshold, SY_ROUTE_NEVER);
}
END_TEST

START_TEST(the_lowest_threshold_that_passes_is_taken)
{
    static double sure[1000];
    static bool right[1000], all[1000];
    struct nas_stage stages[] = {{sure, right, 1}, {sure, all, 9}};
    double threshold;
    for (int i = 0; i < 1000; i++) {
        /* The 100 below 0.5 are wrong. */
        sure[i] = i < 100 ? 0.25 : 0.75;
        right[i] = i >= 100;
        all[i] = true;
    }
    nas_cascade_epsilon(stages, 2, 1000, 0.02, 0.1, &threshold);
    ck_assert(threshold > 0.25 && threshold < 0.26);
    /* Where the last one is wrong as well nothing gets worse. */
    memcpy(all, right, sizeof all);
    nas_cascade_epsilon(stages, 2, 1000, 0.02, 0.1, &threshold);
    ck_assert_double_eq(threshold, 0.0);
}
END_TEST

/*
 * Images of a world in which a stage with sureness u is right with
 * probability 1 - (1 - u)^2 / 2, and the last one with 0.97.
 */
struct world {
    double value[3][MOST];
    bool right[3][MOST];
    struct nas_stage stage[3];
};

static void draw(struct world *world, int count, int n, struct sy_rng *rng)
{
    for (int k = 0; k < count; k++) {
        world->stage[k] = (struct nas_stage){world->value[k], world->right[k],
                                             k + 1 < count ? 1.0 : 5.0};
        for (int i = 0; i < n; i++) {
            double u = (double)sy_rng_uniform(rng);
            double p = k + 1 < count ? 1 - (1 - u) * (1 - u) / 2 : 0.97;
            world->value[k][i] = u;
            world->right[k][i] = (double)sy_rng_uniform(rng) < p;
        }
    }
}

START_TEST(the_promise_holds_on_images_never_seen)
{
    enum { DRAWS = 200, FITTED = 1500 };
    static struct world fitted, fresh;
    const double epsilon = 0.01, delta = 0.1;
    for (int count = 2; count <= 3; count++) {
        struct sy_rng rng = sy_rng_stream(5, SY_RNG_TEST, (uint64_t)count, 0);
        int broken = 0, used = 0;
        for (int d = 0; d < DRAWS; d++) {
            double thresholds[NAS_CASCADE_STAGES];
            draw(&fitted, count, FITTED, &rng);
            nas_cascade_epsilon(fitted.stage, count, FITTED, epsilon, delta,
                                thresholds);
            draw(&fresh, count, MOST, &rng);
            struct nas_cascade_result result =
                nas_cascade_play(fresh.stage, count, MOST, thresholds);
            int last = 0;
            for (int i = 0; i < MOST; i++) {
                last += fresh.right[count - 1][i];
            }
            broken += (last - result.right) > epsilon * MOST;
            used += result.ended[count - 1] < MOST;
        }
        /* At most delta of the draws; what is promised is on the safe side. */
        ck_assert_int_le(broken, (int)(delta * DRAWS));
        ck_assert_int_gt(used, DRAWS * 9 / 10);
    }
}
END_TEST

START_TEST(later_stages_see_what_is_left_to_them)
{
    static double value_0[900], value_1[900];
    static bool right_0[900], right_1[900], right_2[900];
    struct nas_stage stages[] = {
        {value_0, right_0, 1}, {value_1, right_1, 1}, {value_1, right_2, 1}};
    double thresholds[2];
    for (int i = 0; i < 900; i++) {
        /* Half ends at the first stage, which is right about them; the second
           would be wrong about these, and is right about the others. */
        bool easy = i / 2 % 2 == 0;
        value_0[i] = easy ? 0.999 : 0.1;
        right_0[i] = easy;
        value_1[i] = 0.9;
        right_1[i] = !easy;
        right_2[i] = true;
    }
    nas_cascade_epsilon(stages, 3, 900, 0.03, 0.2, thresholds);
    ck_assert(thresholds[0] > 0.1 && thresholds[0] < 0.999);
    ck_assert_double_eq(thresholds[1], 0.0);
    ck_assert_int_eq(nas_cascade_play(stages, 3, 900, thresholds).right, 900);
}
END_TEST

START_TEST(a_detection_rate_is_kept_ties_included)
{
    double values[] = {0.3, 0.1, 0.2, 0.2, 0.4, 0.05, 0.45, 0.35, 0.25, 0.15};
    /* Sorted: 0.05 0.1 0.15 0.2 0.2 ...; one of ten may be lost. */
    ck_assert_double_eq(nas_reject_threshold(values, 10, 0.9), 0.1);
    ck_assert_double_eq(nas_reject_threshold(values, 10, 1.0), 0.05);
    ck_assert_double_eq(nas_reject_threshold(values, 10, 0.6), 0.2);
    ck_assert_double_eq(nas_reject_threshold(values, 0, 0.9), 0.0);
    static double high[200];
    for (int i = 0; i < 200; i++) {
        high[i] = i / 1000.0;
    }
    /* (1 - 0.995) * 200 is a little more or less than 1, and means 1. */
    ck_assert_double_eq(nas_reject_threshold(high, 200, 0.995), 0.001);
    for (int i = 0; i < 200; i++) {
        high[i] = 0.9;
    }
    ck_assert_double_eq(nas_reject_threshold(high, 200, 0.995), 0.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cascade");
    TCase *tc = tcase_create("cascade");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_binomial_tail_is_what_a_hand_computes);
    tcase_add_test(tc, a_cascade_is_played_image_by_image);
    tcase_add_test(tc, a_budget_buys_the_most_right_answers);
    tcase_add_test(tc, too_few_images_promise_nothing);
    tcase_add_test(tc, the_lowest_threshold_that_passes_is_taken);
    tcase_add_test(tc, the_promise_holds_on_images_never_seen);
    tcase_add_test(tc, later_stages_see_what_is_left_to_them);
    tcase_add_test(tc, a_detection_rate_is_kept_ties_included);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
