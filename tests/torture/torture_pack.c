/*
 * torture_pack.c - packs while each allocation in turn fails: a status, a
 * message, no leaked block, and no file left.
 */
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/base/memory.h"
#include "runtime/network/equal.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static const uint8_t image[8 * 6 * 3] = {7, 200, 13};

static enum sy_status write_pack(const struct sy_network *network,
                                 const char *path, struct sy_error *err)
{
    char id[SY_PACK_ID_BYTES];
    const char *gone = "other";
    const struct sy_pack_domain digits = {
        .domain = 0, .probe_count = 1, .probes = image};
    const struct sy_pack_plan plan = {.from = network,
                                      .domain_count = 1,
                                      .domain = &digits,
                                      .remove_count = 1,
                                      .remove = &gone,
                                      .base = network,
                                      .network = "small"};
    return sy_pack_write(path, &plan, id, err);
}

/* After a try of which allocation `n` failed, if there was one: whether it went
   through. Nothing may have leaked, and a failure says why. */
static bool is_done(enum sy_status status, int64_t n, int64_t live,
                    const struct sy_error *err)
{
    sy_alloc_fail_at(0, false);
    ck_assert_int_eq(sy_alloc_live(), live);
    if (status == SY_OK) {
        ck_assert_int_gt(n, 200);
        return true;
    }
    ck_assert_msg(status == SY_NO_MEMORY, "%d: %s", (int)n, err->message);
    ck_assert_str_ne(err->message, "");
    return false;
}

START_TEST(a_pack_that_cannot_be_written_leaves_nothing)
{
    struct sy_network *network = sy_small_network(1);
    const char *path = sy_check_path("p");
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n += 3) {
        struct sy_error err = {0};
        sy_alloc_fail_at(n, _i == 1);
        enum sy_status status = write_pack(network, path, &err);
        if (is_done(status, n, live, &err)) {
            break;
        }
        ck_assert_int_eq(sy_check_folder_count(), 0);
    }
    sy_network_free(network);
}
END_TEST

/* Opens the pack and applies it; both are given back. */
static enum sy_status open_and_apply(const struct sy_network *base,
                                     const char *path, struct sy_error *err)
{
    struct sy_pack *pack = NULL;
    struct sy_network *applied = NULL;
    SY_TRY(sy_pack_open(&pack, path, err));
    enum sy_status status = sy_pack_apply(&applied, base, pack, NULL, err);
    sy_alloc_fail_at(0, false); /* comparing takes memory too */
    if (status == SY_OK) {
        ck_assert(sy_domain_equal(applied, 0, base, 0));
    }
    sy_network_free(applied);
    sy_pack_close(pack);
    return status;
}

START_TEST(a_pack_that_cannot_be_opened_or_applied_leaves_nothing)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES];
    struct sy_network *network = sy_small_network(1);
    const char *path = sy_check_path("p");
    const struct sy_pack_domain digits = {.domain = 0};
    const struct sy_pack_plan plan = {.from = network,
                                      .domain_count = 1,
                                      .domain = &digits,
                                      .base = network,
                                      .network = "small"};
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n++) {
        memset(&err, 0, sizeof err);
        sy_alloc_fail_at(n, _i == 1);
        enum sy_status status = open_and_apply(network, path, &err);
        if (is_done(status, n, live, &err)) {
            break;
        }
    }
    sy_network_free(network);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("torture_pack");
    TCase *tc = tcase_create("torture_pack");
    tcase_set_timeout(tc, 300); /* much of it is waiting for disks */
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(tc, a_pack_that_cannot_be_written_leaves_nothing, 0, 2);
    tcase_add_loop_test(
        tc, a_pack_that_cannot_be_opened_or_applied_leaves_nothing, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
