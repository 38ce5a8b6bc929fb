/*
 * test_log.c - whole lines of one form, whatever the message and however
 * many threads write.
 *
 * DESIGN. Each test has a process of its own (Check forks), so it may point
 * stderr to a file for a while and read the file back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static int real_stderr;

static void capture(void)
{
    int fd = open(sy_check_path("log"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
                  0600);
    ck_assert_int_ge(fd, 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* Ends the capture; the text is the caller's (sy_free). */
static char *captured(void)
{
    char *text = NULL;
    size_t bytes;
    struct sy_error err = {0};
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    sy_check_ok(
        sy_file_read(sy_check_path("log"), 1 << 24, &text, &bytes, &err), err);
    return text;
}

/* The captured line must be stamp, level, `message`, newline. */
static void check_line(const char *level, const char *message)
{
    char *text = captured();
    char expected[8192];
    regex_t stamp;
    ck_assert_int_eq(
        regcomp(&stamp,
                "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ",
                REG_EXTENDED | REG_NOSUB),
        0);
    ck_assert_int_eq(regexec(&stamp, text, 0, NULL, 0), 0);
    regfree(&stamp);
    snprintf(expected, sizeof expected, "%s %s\n", level, message);
    ck_assert_str_eq(text + strlen("2026-01-31T12:00:00Z "), expected);
    sy_free(text);
}

START_TEST(a_line_has_stamp_level_and_message)
{
    capture();
    sy_log_info("listening on %s:%d", "localhost", 8080);
    check_line("info", "listening on localhost:8080");
}
END_TEST

START_TEST(each_level_has_its_name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    sy_log_set_level(SY_LOG_DEBUG);
    capture();
    sy_log((enum sy_log_level)_i, "x");
    check_line(names[_i], "x");
}
END_TEST

START_TEST(lines_below_the_level_are_dropped)
{
    capture();
    sy_log_debug("not at the start");
    sy_log_set_level(SY_LOG_WARN);
    sy_log_info("not this either");
    sy_log_warn("this");
    check_line("warn", "this");
}
END_TEST

START_TEST(text_from_outside_cannot_forge_a_line)
{
    capture();
    sy_log_warn("name \"%s\"",
                "x\n2026-01-31T12:00:00Z error forged\r\t\x1b[2J");
    check_line("warn", "name \"x\\n2026-01-31T12:00:00Z error forged"
                       "\\x0d\\t\\x1b[2J\"");
}
END_TEST

START_TEST(text_of_all_languages_passes)
{
    capture();
    sy_log_info("%s", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x9A\x82");
    check_line("info", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x9A\x82");
}
END_TEST

START_TEST(broken_utf8_and_hidden_controls_are_escaped)
{
    static const struct {
        const char *text;
        const char *line;
    } cases[] = {
        {"\x7F", "\\x7f"},
        {"\xFF", "\\xff"},
        {"\x80", "\\x80"},
        {"\xC0\xAF", "\\xc0\\xaf"},                   /* overlong */
        {"\xE0\x80\xAF", "\\xe0\\x80\\xaf"},          /* overlong */
        {"\xC2\x9B", "\\xc2\\x9b"},                   /* C1: control sequence */
        {"\xED\xA0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xE2\x82", "\\xe2\\x82"},                   /* ends too early */
        {"\xE2\x82x", "\\xe2\\x82x"},
        {"\xF0\x9F\x9A", "\\xf0\\x9f\\x9a"},
    };
    ck_assert_int_lt(_i, (int)(sizeof cases / sizeof cases[0]));
    capture();
    sy_log_info("%s", cases[_i].text);
    check_line("info", cases[_i].line);
}
END_TEST

START_TEST(a_long_message_is_cut_and_stays_one_line)
{
    char text[10000];
    memset(text, _i == 0 ? 'a' : '\x01', sizeof text);
    text[sizeof text - 1] = '\0';
    capture();
    sy_log_info("%s", text);
    char *line = captured();
    size_t length = strlen(line);
    ck_assert_uint_le(length, 4096);
    ck_assert_uint_gt(length, 1024);
    ck_assert_str_eq(line + length - 4, "...\n");
    ck_assert_ptr_eq(strchr(line, '\n'), line + length - 1);
    sy_free(line);
}
END_TEST

START_TEST(errno_is_kept)
{
    capture();
    errno = EXDEV;
    sy_log_info("x");
    ck_assert_int_eq(errno, EXDEV);
    sy_free(captured());
}
END_TEST

START_TEST(a_closed_stderr_is_no_failure)
{
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    sy_log_error("nobody reads this");
    dup2(saved, STDERR_FILENO);
}
END_TEST

enum { WRITERS = 4, LINES = 300 };

static void *write_lines(void *argument)
{
    char fill[400];
    int writer = *(const int *)argument;
    memset(fill, 'a' + writer, sizeof fill);
    fill[sizeof fill - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        sy_log_info("%d %.*s", writer, 100 + i, fill);
    }
    return NULL;
}

START_TEST(lines_of_several_threads_do_not_mix)
{
    pthread_t threads[WRITERS];
    int ids[WRITERS];
    capture();
    for (int i = 0; i < WRITERS; i++) {
        ids[i] = i;
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, write_lines, &ids[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    char *text = captured();
    int seen[WRITERS] = {0};
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        const char *message = line + strlen("2026-01-31T12:00:00Z info ");
        int writer = message[0] - '0';
        ck_assert(writer >= 0 && writer < WRITERS);
        size_t length = (size_t)(100 + seen[writer]++);
        ck_assert_uint_eq(strlen(message + 2), length);
        for (size_t i = 0; i < length; i++) {
            ck_assert_int_eq(message[2 + i], 'a' + writer);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(seen[i], LINES);
    }
    sy_free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log");
    TCase *tc = tcase_create("log");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_line_has_stamp_level_and_message);
    tcase_add_loop_test(tc, each_level_has_its_name, 0, 4);
    tcase_add_test(tc, lines_below_the_level_are_dropped);
    tcase_add_test(tc, text_from_outside_cannot_forge_a_line);
    tcase_add_test(tc, text_of_all_languages_passes);
    tcase_add_loop_test(tc, broken_utf8_and_hidden_controls_are_escaped, 0, 11);
    tcase_add_loop_test(tc, a_long_message_is_cut_and_stays_one_line, 0, 2);
    tcase_add_test(tc, errno_is_kept);
    tcase_add_test(tc, a_closed_stderr_is_no_failure);
    tcase_add_test(tc, lines_of_several_threads_do_not_mix);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
