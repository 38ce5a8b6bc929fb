/*
 * test_clock.c - time that never goes back, and stamps.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "tests/support/check_main.h"

START_TEST(the_monotonic_clock_never_goes_back)
{
    int64_t before = sy_now_ns();
    for (int i = 0; i < 100000; i++) {
        int64_t now = sy_now_ns();
        ck_assert_int_ge(now, before);
        before = now;
    }
}
END_TEST

START_TEST(the_monotonic_clock_counts_nanoseconds)
{
    int64_t before = sy_now_ns();
    usleep(20000);
    int64_t passed_ns = sy_now_ns() - before;
    ck_assert_int_ge(passed_ns, 20000000);
    ck_assert_int_lt(passed_ns, INT64_C(20000000000));
}
END_TEST

START_TEST(a_stamp_is_the_time_now_in_utc)
{
    char text[21];
    struct tm parts = {0};
    time_t before = time(NULL);
    sy_clock_stamp(text, sizeof text);
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    ck_assert_ptr_nonnull(end);
    ck_assert_str_eq(end, "");
    ck_assert_uint_eq(strlen(text), 20);
    time_t stamped = timegm(&parts);
    ck_assert_int_ge(stamped, before);
    ck_assert_int_le(stamped, time(NULL));
}
END_TEST

START_TEST(a_stamp_without_room_stops_the_program)
{
    char text[20];
    sy_clock_stamp(text, sizeof text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("clock");
    TCase *tc = tcase_create("clock");
    tcase_add_test(tc, the_monotonic_clock_never_goes_back);
    tcase_add_test(tc, the_monotonic_clock_counts_nanoseconds);
    tcase_add_test(tc, a_stamp_is_the_time_now_in_utc);
    tcase_add_test_raise_signal(tc, a_stamp_without_room_stops_the_program,
                                SIGABRT);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
