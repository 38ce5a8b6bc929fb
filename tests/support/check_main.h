/*
 * check_main.h - what every Check program of ours has in common: a main() of
 * two lines, a folder of its own for files, and a check of statuses that
 * shows the message.
 *
 *     int main(void)
 *     {
 *         return sy_check_run(suite());
 *     }
 */
#ifndef SY_TESTS_CHECK_MAIN_H
#define SY_TESTS_CHECK_MAIN_H

#include <check.h>

#include "runtime/base/status.h"

/*
 * Runs the suite with Check's settings from the environment (CK_FORK,
 * CK_VERBOSITY, ...), frees it, and returns main()'s exit status.
 */
int sy_check_run(Suite *suite);

/* As above without fork, for programs that use a device or many threads. */
int sy_check_run_nofork(Suite *suite);

/*
 * A checked fixture: before the test a new empty folder under $TMPDIR, after
 * it the folder with all that is in it removed.
 *     tcase_add_checked_fixture(tc, sy_check_folder_make,
 *                               sy_check_folder_remove);
 */
void sy_check_folder_make(void);
void sy_check_folder_remove(void);

/* The fixture's folder. */
const char *sy_check_folder(void);

/*
 * "FOLDER/name" in one of eight buffers that are used in turn.
 */
const char *sy_check_path(const char *name);

/* The number of entries in the fixture's folder. */
int sy_check_folder_count(void);

/* The call must return SY_OK; if not, the message of `error` is shown. */
#define sy_check_ok(call, error)                                               \
    do {                                                                       \
        enum sy_status sy_check_status = (call);                               \
        ck_assert_msg(sy_check_status == SY_OK, "%s: %s",                      \
                      sy_status_text(sy_check_status), (error).message);       \
    } while (0)

/* The call must fail with `expected`, and say why in `error`. */
#define sy_check_fails(call, expected, error)                                  \
    do {                                                                       \
        (error).message[0] = '\0';                                             \
        enum sy_status sy_check_status = (call);                               \
        ck_assert_msg(sy_check_status == (expected),                           \
                      "expected \"%s\", found \"%s\": %s",                     \
                      sy_status_text(expected),                                \
                      sy_status_text(sy_check_status), (error).message);       \
        ck_assert_int_eq((int)(error).status, (int)sy_check_status);           \
        ck_assert_msg((error).message[0] != '\0', "no message");               \
    } while (0)

/* The message of `error` must contain `text`. */
#define sy_check_says(error, text)                                             \
    ck_assert_msg(strstr((error).message, (text)) != NULL,                     \
                  "expected \"%s\" in \"%s\"", (text), (error).message)

#endif
