/*
 * test_pace.c - a thread that is behind, and one that is not.
 */
#include "serving/http/pace.h"

#include "tests/support/check_main.h"

#define US INT64_C(1000)

enum { TARGET_US = 500, FLOODED = 3, QUIET = 4 };

static struct srv_pace pace;
static int64_t now_ns;

/* For `us` microseconds an answer every 50 us has its turn after `wait_us`. */
static void turns(int us, int wait_us)
{
    for (int passed = 0; passed < us; passed += 50) {
        now_ns += 50 * US;
        srv_pace_turn(&pace, wait_us * US, now_ns, TARGET_US * US);
    }
}

static void fresh(int in_work)
{
    now_ns = 1000000 * US;
    pace = (struct srv_pace){0};
    turns(50, 0); /* the first window begins */
    for (int i = 0; i < in_work; i++) {
        srv_pace_enter(&pace, FLOODED);
    }
}

static void leave_all(void)
{
    while (pace.count > 0) {
        srv_pace_leave(&pace, FLOODED);
    }
}

START_TEST(without_a_lag_nothing_is_refused)
{
    fresh(10000);
    turns(100000, TARGET_US - 1);
    ck_assert(srv_pace_has_room(&pace, FLOODED));
    leave_all();
}
END_TEST

START_TEST(a_thread_that_stays_behind_takes_in_fewer_from_what_it_has)
{
    fresh(1000);
    turns(2300, 2 * TARGET_US); /* a window, after the one that began well */
    ck_assert(srv_pace_is_pressed(&pace, now_ns));
    ck_assert(
        srv_pace_has_room(&pace, FLOODED)); /* not before cheaper answers */
    turns(1050, 2 * TARGET_US);
    ck_assert_int_eq(pace.limit, 800);
    ck_assert(!srv_pace_has_room(&pace, FLOODED));
    for (int i = 0; i < 200; i++) {
        srv_pace_leave(&pace, FLOODED);
    }
    ck_assert(!srv_pace_has_room(&pace, FLOODED));
    srv_pace_leave(&pace, FLOODED);
    ck_assert(srv_pace_has_room(&pace, FLOODED));
    leave_all();
}
END_TEST

START_TEST(one_that_waited_less_shows_that_a_thread_is_not_behind)
{
    fresh(1000);
    for (int i = 0; i < 100; i++) {
        turns(500, 40 * TARGET_US);
        turns(50, 10);
    }
    ck_assert_int_eq(pace.limit, 0);
    leave_all();
}
END_TEST

START_TEST(pressure_passes_and_a_lag_after_it_is_a_first_one)
{
    fresh(1000);
    turns(2300, 2 * TARGET_US);
    ck_assert(srv_pace_is_pressed(&pace, now_ns));
    turns(60000, 10);
    ck_assert(!srv_pace_is_pressed(&pace, now_ns));
    turns(2300, 2 * TARGET_US);
    ck_assert(srv_pace_is_pressed(&pace, now_ns));
    ck_assert_int_eq(pace.limit, 0);
    leave_all();
}
END_TEST

START_TEST(however_far_behind_some_are_always_taken_in)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    ck_assert_int_eq(pace.limit, SRV_PACE_FLOOR);
    leave_all();
    for (int i = 0; i < SRV_PACE_FLOOR; i++) {
        ck_assert(srv_pace_has_room(&pace, FLOODED));
        srv_pace_enter(&pace, FLOODED);
    }
    ck_assert(!srv_pace_has_room(&pace, FLOODED));
    leave_all();
}
END_TEST

START_TEST(one_flooded_model_does_not_lock_others_out)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    ck_assert(!srv_pace_has_room(&pace, FLOODED));
    for (int i = 0; i < SRV_PACE_FLOOR / 2; i++) {
        ck_assert(srv_pace_has_room(&pace, QUIET));
        srv_pace_enter(&pace, QUIET);
    }
    ck_assert(!srv_pace_has_room(&pace, QUIET)); /* two share the floor */
    ck_assert(srv_pace_has_room(&pace, QUIET + 1));
    for (int i = 0; i < SRV_PACE_FLOOR / 2; i++) {
        srv_pace_leave(&pace, QUIET);
    }
    ck_assert_int_eq(pace.models, 1);
    leave_all();
    ck_assert_int_eq(pace.models, 0);
}
END_TEST

/* A flooded model that takes all it may, beside a quiet one, for `us`. */
static void flood_beside_quiet(int us, int wait_us)
{
    for (int passed = 0; passed < us; passed += 50) {
        while (srv_pace_has_room(&pace, FLOODED)) {
            srv_pace_enter(&pace, FLOODED);
        }
        turns(50, wait_us);
        srv_pace_leave(&pace, FLOODED); /* one is answered */
    }
}

START_TEST(the_limit_rises_again_for_a_model_that_has_half_of_it)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    leave_all();
    srv_pace_enter(&pace, QUIET);
    flood_beside_quiet(100000, 10);
    ck_assert_int_gt(pace.limit, 4 * SRV_PACE_FLOOR);
    int before = pace.limit;
    flood_beside_quiet(3300, 2 * TARGET_US); /* behind, and cut */
    ck_assert_int_lt(pace.limit, before);
    ck_assert_int_ge(pace.limit, before * 6 / 10); /* by no half */
    srv_pace_leave(&pace, QUIET);
    leave_all();
}
END_TEST

START_TEST(without_a_target_there_is_no_limit)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    ck_assert_int_gt(pace.limit, 0);
    srv_pace_turn(&pace, 100 * US, now_ns, 0);
    ck_assert(srv_pace_has_room(&pace, FLOODED));
    ck_assert(!srv_pace_is_pressed(&pace, now_ns));
    leave_all();
}
END_TEST

START_TEST(models_are_told_apart_by_their_names)
{
    int places[SRV_PACE_MODELS] = {0}, most = 0;
    for (int i = 0; i < 10; i++) {
        char name[] = "net.d0";
        name[5] = (char)('0' + i);
        int place = srv_pace_model(name);
        ck_assert(place >= 0 && place < SRV_PACE_MODELS);
        ck_assert_int_eq(place, srv_pace_model(name));
        most = ++places[place] > most ? places[place] : most;
    }
    ck_assert_int_le(most, 2);
}
END_TEST

START_TEST(the_limit_rises_while_it_is_reached_and_only_then)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    leave_all();
    turns(2200, 10); /* windows in which all thousand were counted pass */
    int idle = pace.limit;
    turns(100000, 10);
    ck_assert_int_eq(pace.limit, idle);
    for (int i = 0; i < 100; i++) {
        while (srv_pace_has_room(&pace, FLOODED)) {
            srv_pace_enter(&pace, FLOODED);
        }
        turns(1100, 10);
    }
    ck_assert_int_gt(pace.limit, 1000);
    leave_all();
}
END_TEST

START_TEST(a_clock_that_stands_still_is_no_lag)
{
    fresh(1000);
    for (int i = 0; i < 1000; i++) {
        srv_pace_turn(&pace, 600 * US, now_ns, TARGET_US * US);
    }
    ck_assert_int_eq(pace.limit, 0);
    leave_all();
}
END_TEST

START_TEST(beside_others_a_flooded_model_has_half)
{
    fresh(1000);
    turns(1000000, 100 * TARGET_US);
    leave_all();
    for (int i = 0; i < SRV_PACE_FLOOR - 1; i++) {
        ck_assert(srv_pace_has_room(&pace, FLOODED)); /* alone it has all */
        srv_pace_enter(&pace, FLOODED);
    }
    srv_pace_enter(&pace, QUIET);
    for (int i = SRV_PACE_FLOOR - 1; i >= SRV_PACE_FLOOR / 2; i--) {
        ck_assert(!srv_pace_has_room(&pace, FLOODED));
        srv_pace_leave(&pace, FLOODED);
    }
    ck_assert(srv_pace_has_room(&pace, FLOODED));
    srv_pace_leave(&pace, QUIET);
    leave_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, without_a_lag_nothing_is_refused);
    tcase_add_test(tc,
                   a_thread_that_stays_behind_takes_in_fewer_from_what_it_has);
    tcase_add_test(tc, one_that_waited_less_shows_that_a_thread_is_not_behind);
    tcase_add_test(tc, pressure_passes_and_a_lag_after_it_is_a_first_one);
    tcase_add_test(tc, however_far_behind_some_are_always_taken_in);
    tcase_add_test(tc, one_flooded_model_does_not_lock_others_out);
    tcase_add_test(tc, beside_others_a_flooded_model_has_half);
    tcase_add_test(tc, the_limit_rises_again_for_a_model_that_has_half_of_it);
    tcase_add_test(tc, without_a_target_there_is_no_limit);
    tcase_add_test(tc, models_are_told_apart_by_their_names);
    tcase_add_test(tc, the_limit_rises_while_it_is_reached_and_only_then);
    tcase_add_test(tc, a_clock_that_stands_still_is_no_lag);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
