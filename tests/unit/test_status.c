/*
 * test_status.c - statuses, messages, and the macros around them.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/status.h"
#include "tests/support/check_main.h"

START_TEST(every_status_has_a_text_of_its_own)
{
    for (int i = SY_OK; i <= SY_INTERNAL; i++) {
        ck_assert_str_ne(sy_status_text((enum sy_status)i), "");
        for (int j = SY_OK; j < i; j++) {
            ck_assert_str_ne(sy_status_text((enum sy_status)i),
                             sy_status_text((enum sy_status)j));
        }
    }
    ck_assert_str_eq(sy_status_text(SY_BAD_INPUT), "bad input");
}
END_TEST

START_TEST(a_status_outside_the_list_has_a_text_too)
{
    ck_assert_str_eq(sy_status_text((enum sy_status)77), "unknown status");
}
END_TEST

START_TEST(fail_returns_the_status_and_writes_the_message)
{
    struct sy_error err = {0};
    enum sy_status status =
        sy_fail(&err, SY_NOT_FOUND, "%s: expected %d", "a.json", 3);
    ck_assert_int_eq(status, SY_NOT_FOUND);
    ck_assert_int_eq(err.status, SY_NOT_FOUND);
    ck_assert_str_eq(err.message, "a.json: expected 3");
}
END_TEST

START_TEST(no_error_pointer_drops_the_message)
{
    ck_assert_int_eq(sy_fail(NULL, SY_IO, "%d", 1), SY_IO);
    ck_assert_int_eq(sy_fail_errno(NULL, SY_IO, EIO, "x"), SY_IO);
    sy_error_prefix(NULL, "x");
}
END_TEST

START_TEST(a_message_that_fits_exactly_is_not_cut)
{
    struct sy_error err = {0};
    char text[SY_ERROR_BYTES];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    sy_fail(&err, SY_IO, "%s", text);
    ck_assert_str_eq(err.message, text);
}
END_TEST

START_TEST(a_long_message_is_cut_and_says_so)
{
    struct sy_error err = {0};
    char text[SY_ERROR_BYTES + 1];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    sy_fail(&err, SY_IO, "%s", text);
    ck_assert_uint_eq(strlen(err.message), SY_ERROR_BYTES - 1);
    ck_assert_str_eq(err.message + SY_ERROR_BYTES - 5, "a...");
}
END_TEST

START_TEST(a_message_is_not_cut_inside_a_character)
{
    for (size_t lead = 0; lead < 4; lead++) {
        struct sy_error err = {0};
        char text[2 * SY_ERROR_BYTES] = "aaa";
        size_t used = lead;
        for (; used + 3 < sizeof text; used += 3) {
            memcpy(text + used, "\xE2\x82\xAC", 3);
        }
        text[used] = '\0';
        sy_fail(&err, SY_IO, "%s", text);
        size_t length = strlen(err.message);
        ck_assert_str_eq(err.message + length - 3, "...");
        ck_assert_uint_eq((length - 3 - lead) % 3, 0);
        ck_assert_uint_ge(length, SY_ERROR_BYTES - 4);
    }
}
END_TEST

START_TEST(fail_errno_adds_the_reason)
{
    struct sy_error err = {0};
    sy_fail_errno(&err, SY_IO, ENOSPC, "%s: cannot write", "x");
    ck_assert_str_eq(err.message, "x: cannot write: No space left on device");
}
END_TEST

START_TEST(fail_errno_cuts_what_does_not_fit)
{
    struct sy_error err = {0};
    char text[SY_ERROR_BYTES];
    for (size_t length = SY_ERROR_BYTES - 40; length < SY_ERROR_BYTES;
         length++) {
        memset(text, 'a', length);
        text[length] = '\0';
        sy_fail_errno(&err, SY_IO, ENOSPC, "%s", text);
        ck_assert_uint_lt(strlen(err.message), SY_ERROR_BYTES);
    }
    ck_assert_str_eq(err.message + strlen(err.message) - 3, "...");
}
END_TEST

START_TEST(prefix_goes_before_the_message_and_keeps_the_status)
{
    struct sy_error err = {0};
    sy_fail(&err, SY_UNSUPPORTED, "no kernel");
    sy_error_prefix(&err, "block %d", 4);
    ck_assert_str_eq(err.message, "block 4: no kernel");
    ck_assert_int_eq(err.status, SY_UNSUPPORTED);
}
END_TEST

START_TEST(arguments_may_point_into_the_message)
{
    struct sy_error err = {0};
    sy_fail(&err, SY_IO, "first");
    sy_fail(&err, SY_IO, "%s, then second", err.message);
    ck_assert_str_eq(err.message, "first, then second");
    sy_error_prefix(&err, "%s", err.message);
    ck_assert_str_eq(err.message, "first, then second: first, then second");
}
END_TEST

static enum sy_status try_once(enum sy_status status, int *reached)
{
    SY_TRY(status);
    (*reached)++;
    return SY_OK;
}

static enum sy_status try_out(enum sy_status wanted, int *released)
{
    enum sy_status status;
    SY_TRY_OUT(wanted);
    ck_assert_int_eq(wanted, SY_OK);
out:
    (*released)++;
    return status;
}

START_TEST(try_returns_failures_and_goes_on_after_success)
{
    int reached = 0;
    ck_assert_int_eq(try_once(SY_BUSY, &reached), SY_BUSY);
    ck_assert_int_eq(reached, 0);
    ck_assert_int_eq(try_once(SY_OK, &reached), SY_OK);
    ck_assert_int_eq(reached, 1);
}
END_TEST

START_TEST(try_out_passes_the_release_either_way)
{
    int released = 0;
    ck_assert_int_eq(try_out(SY_BUSY, &released), SY_BUSY);
    ck_assert_int_eq(try_out(SY_OK, &released), SY_OK);
    ck_assert_int_eq(released, 2);
}
END_TEST

START_TEST(a_broken_assertion_stops_the_program)
{
    SY_ASSERT(1 + 1 == 2);
    SY_ASSERT(1 + 1 == 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("status");
    TCase *tc = tcase_create("status");
    tcase_add_test(tc, every_status_has_a_text_of_its_own);
    tcase_add_test(tc, a_status_outside_the_list_has_a_text_too);
    tcase_add_test(tc, fail_returns_the_status_and_writes_the_message);
    tcase_add_test(tc, no_error_pointer_drops_the_message);
    tcase_add_test(tc, a_message_that_fits_exactly_is_not_cut);
    tcase_add_test(tc, a_long_message_is_cut_and_says_so);
    tcase_add_test(tc, a_message_is_not_cut_inside_a_character);
    tcase_add_test(tc, fail_errno_adds_the_reason);
    tcase_add_test(tc, fail_errno_cuts_what_does_not_fit);
    tcase_add_test(tc, prefix_goes_before_the_message_and_keeps_the_status);
    tcase_add_test(tc, arguments_may_point_into_the_message);
    tcase_add_test(tc, try_returns_failures_and_goes_on_after_success);
    tcase_add_test(tc, try_out_passes_the_release_either_way);
    tcase_add_test_raise_signal(tc, a_broken_assertion_stops_the_program,
                                SIGABRT);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
