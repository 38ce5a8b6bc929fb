/* test_paths_json.c - the file of chosen paths. */
#include "runtime/network/paths_json.h"

#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static const char good[] =
    "{\"domains\":{\"digits\":{\"experts\":[{\"name\":\"main\",\"path\":"
    "\"0:2\",\"madds\":123456789012,\"params\":77},{\"name\":\"small\","
    "\"path\":\"1:2\"}]},\"shapes\":{\"experts\":[{\"name\":\"main\","
    "\"path\":\"1:0\",\"madds\":5,\"params\":6}]}}}";

static enum sy_status read(struct sy_paths *paths, const char *text,
                           struct sy_error *err)
{
    struct sy_network_spec spec;
    json_t *json;
    sy_small_spec(&spec);
    SY_TRY(sy_json_parse(text, strlen(text), "paths.json", &json, err));
    enum sy_status status =
        sy_paths_from_json(paths, json, &spec, "paths.json", err);
    json_decref(json);
    return status;
}

START_TEST(paths_are_read_in_order)
{
    static struct sy_paths paths;
    struct sy_error err = {0};
    sy_check_ok(read(&paths, good, &err), err);
    ck_assert_int_eq(paths.count, 3);
    ck_assert_str_eq(paths.entry[0].domain, "digits");
    ck_assert_str_eq(paths.entry[0].expert, "main");
    ck_assert_int_eq(paths.entry[0].path.block[1], 2);
    ck_assert_int_eq(paths.entry[0].madds, 123456789012);
    ck_assert_int_eq(paths.entry[0].params, 77);
    ck_assert_str_eq(paths.entry[1].expert, "small");
    ck_assert_int_eq(paths.entry[1].madds, 0);
    ck_assert_str_eq(paths.entry[2].domain, "shapes");
    ck_assert_int_eq(paths.entry[2].path.block[0], 1);
}
END_TEST

START_TEST(what_is_saved_loads_again)
{
    static struct sy_paths paths, again;
    struct sy_network_spec spec;
    struct sy_error err = {0};
    const char *file = sy_check_path("paths.json");
    int64_t live = sy_alloc_live();
    sy_small_spec(&spec);
    sy_check_ok(read(&paths, good, &err), err);
    sy_check_ok(sy_paths_save(&paths, file, &err), err);
    sy_check_ok(sy_paths_load(&again, file, &spec, &err), err);
    ck_assert_int_eq(memcmp(&paths, &again, sizeof paths), 0);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

static const struct {
    const char *text, *says;
} wrong[] = {
    {"[]", "expected an object"},
    {"{}", "domains"},
    {"{\"domain\":{}}", "domains"},
    {"{\"domains\":{},\"seed\":1}", "seed: unknown key"},
    {"{\"domains\":{\"a\":[]}}", "domains.a: expected an object"},
    {"{\"domains\":{\"a\":{}}}", "domains.a.experts"},
    {"{\"domains\":{\"a\":{\"experts\":[]}}}", "domains.a.experts"},
    {"{\"domains\":{\"a.b\":{\"experts\":[]}}}", "domains.a.b"},
    {"{\"domains\":{\"a\":{\"experts\":[3]}}}", "domains.a.experts[0]"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\"}]}}}",
     "domains.a.experts[0].path"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"\",\"path\":\"0:0\"}]}}}",
     "domains.a.experts[0].name"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:3\"}]}}}",
     "domains.a.experts[0].path: layer 1: expected a block from 0 to 2"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0\"}]}}}",
     "domains.a.experts[0].path: expected 2 blocks"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":[0,0]}]}}}",
     "domains.a.experts[0].path: expected a text"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:0\","
     "\"madd\":1}]}}}",
     "madd: unknown key; did you mean \"madds\"?"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:0\","
     "\"params\":-1}]}}}",
     "domains.a.experts[0].params"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:0\"},"
     "{\"name\":\"m\",\"path\":\"0:1\"}]}}}",
     "domains.a.experts[1].name: domain \"a\" has an expert \"m\" already"},
    {"{\"domains\":{\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:0\"}]},"
     "\"a\":{\"experts\":[{\"name\":\"m\",\"path\":\"0:0\"}]}}}",
     "duplicate"},
};

START_TEST(what_is_wrong_is_named_with_its_place)
{
    static struct sy_paths paths;
    struct sy_error err = {0};
    int64_t live = sy_alloc_live();
    paths.count = 9;
    sy_check_fails(read(&paths, wrong[_i].text, &err), SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    ck_assert_int_eq(paths.count, 9);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(every_failed_allocation_is_a_status)
{
    static struct sy_paths paths;
    struct sy_error err = {0};
    const char *file = sy_check_path("paths.json");
    sy_check_ok(read(&paths, good, &err), err);
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n++) {
        sy_alloc_fail_at(n, false);
        enum sy_status status = sy_paths_save(&paths, file, &err);
        sy_alloc_fail_at(0, false);
        ck_assert_int_eq(sy_alloc_live(), live);
        if (status == SY_OK) {
            break;
        }
        ck_assert_int_eq(status, SY_NO_MEMORY);
        ck_assert_int_eq(sy_check_folder_count(), 0);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("paths_json");
    TCase *tc = tcase_create("paths_json");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, paths_are_read_in_order);
    tcase_add_test(tc, what_is_saved_loads_again);
    tcase_add_loop_test(tc, what_is_wrong_is_named_with_its_place, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, every_failed_allocation_is_a_status);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
