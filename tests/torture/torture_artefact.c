/*
 * torture_artefact.c - saving and loading while each allocation in turn fails.
 *
 * After every failure there is a status, a message, no leaked block, and the
 * folder holds the versions it held before.
 */
#include <string.h>
#include <unistd.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static enum sy_status count_one(void *context, const char *name, bool is_dir,
                                struct sy_error *err)
{
    (void)name;
    (void)is_dir;
    (void)err;
    ++*(int *)context;
    return SY_OK;
}

static int entries_of(const char *folder)
{
    struct sy_error err = {0};
    int count = 0;
    sy_check_ok(sy_dir_list(folder, count_one, &count, &err), err);
    return count;
}

START_TEST(a_save_that_runs_out_of_memory_leaves_nothing)
{
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    const char *m = sy_check_path("m");
    int64_t live = sy_alloc_live();
    /* Each failed save syncs its folders: those that fail for good, where the
     * first failure decides, are tried at every seventh allocation only. */
    for (int64_t n = 1;; n += _i == 1 ? 7 : 1) {
        struct sy_error err = {0};
        sy_alloc_fail_at(n, _i == 1);
        enum sy_status status =
            sy_artefact_save(network, m, NULL, &artefact, &err);
        sy_alloc_fail_at(0, false);
        ck_assert_int_eq(sy_alloc_live(), live);
        if (status == SY_OK) {
            ck_assert_int_eq(entries_of(m), 1);
            ck_assert_int_gt(n, 200);
            break;
        }
        ck_assert_msg(status == SY_NO_MEMORY, "%d: %s", (int)n, err.message);
        ck_assert_str_ne(err.message, "");
        ck_assert_int_eq(entries_of(m), 0);
    }
    sy_network_free(network);
}
END_TEST

START_TEST(a_load_that_runs_out_of_memory_leaves_nothing)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    const char *m = sy_check_path("m");
    sy_check_ok(sy_artefact_save(network, m, NULL, &artefact, &err), err);
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n++) {
        struct sy_network *again = NULL;
        memset(&err, 0, sizeof err);
        sy_alloc_fail_at(n, _i == 1);
        enum sy_status status = sy_artefact_load(m, &again, &artefact, &err);
        sy_alloc_fail_at(0, false);
        if (status == SY_OK) {
            ck_assert(sy_networks_equal(network, again));
            sy_network_free(again);
            ck_assert_int_gt(n, 200);
            break;
        }
        ck_assert_ptr_null(again);
        ck_assert_int_eq(sy_alloc_live(), live);
        ck_assert_msg(status == SY_NO_MEMORY, "%d: %s", (int)n, err.message);
        ck_assert_str_ne(err.message, "");
    }
    sy_network_free(network);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("torture_artefact");
    TCase *tc = tcase_create("torture_artefact");
    tcase_set_timeout(tc, 300); /* much of it is waiting for disks */
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(tc, a_save_that_runs_out_of_memory_leaves_nothing, 0,
                        2);
    tcase_add_loop_test(tc, a_load_that_runs_out_of_memory_leaves_nothing, 0,
                        2);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
