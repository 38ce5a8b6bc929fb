/*
 * check_main.c - what every Check program of ours has in common.
 *
 * DESIGN. Check forks each test, so the folder of the fixture is made and
 * removed in the test's own process, and two tests never share one.
 */
#include "tests/support/check_main.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file.h"

static char folder[SY_PATH_BYTES];

static int run(Suite *suite, bool nofork)
{
    SRunner *runner = srunner_create(suite);
    if (nofork) {
        srunner_set_fork_status(runner, CK_NOFORK);
    }
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int count = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int sy_check_run(Suite *suite)
{
    return run(suite, false);
}

int sy_check_run_nofork(Suite *suite)
{
    return run(suite, true);
}

void sy_check_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sy-test-XXXXXX",
             parent != NULL ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *info, int kind,
                      struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void sy_check_folder_remove(void)
{
    ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    folder[0] = '\0';
}

const char *sy_check_folder(void)
{
    return folder;
}

const char *sy_check_path(const char *name)
{
    static char paths[8][SY_PATH_BYTES];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    struct sy_error err = {0};
    sy_check_ok(sy_path_join(path, SY_PATH_BYTES, folder, name, &err), err);
    return path;
}

int sy_check_folder_count(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *found; (found = readdir(dir)) != NULL;) {
        count +=
            strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}
