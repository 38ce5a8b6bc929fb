/* test_path.c - paths as text, their likeness, pruning. */
#include "runtime/network/path.h"

#include <string.h>

#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

START_TEST(a_path_reads_and_writes_the_same_text)
{
    struct sy_network_spec spec;
    struct sy_error err = {0};
    struct sy_path path;
    char text[SY_PATH_TEXT_BYTES];
    sy_small_spec(&spec);
    sy_check_ok(sy_path_parse(&path, "1:2", &spec, "p", &err), err);
    ck_assert_int_eq(path.layer_count, 2);
    ck_assert_int_eq(path.block[0], 1);
    ck_assert_int_eq(path.block[1], 2);
    ck_assert_str_eq(sy_path_text(&path, text), "1:2");
}
END_TEST

START_TEST(the_longest_path_fits_its_text)
{
    struct sy_path path = {.layer_count = SY_MAX_LAYERS};
    char text[SY_PATH_TEXT_BYTES];
    for (int l = 0; l < SY_MAX_LAYERS; l++) {
        path.block[l] = SY_MAX_BLOCKS - 1;
    }
    ck_assert_int_eq((int)strlen(sy_path_text(&path, text)),
                     SY_MAX_LAYERS * 3 - 1);
}
END_TEST

static const struct {
    const char *text, *says;
} wrong[] = {
    {"", "found \"\""},
    {"1", "expected 2 blocks (one per layer), found 1"},
    {"1:2:0", "expected the end after 2 blocks"},
    {"1:", "layer 1: expected a block's index"},
    {":1", "layer 0"},
    {"2:0", "layer 0: expected a block from 0 to 1, found 2"},
    {"0:3", "layer 1: expected a block from 0 to 2, found 3"},
    {"0:99999999999999999999", "layer 1"},
    {"00:1", "layer 0"},
    {"+1:1", "layer 0"},
    {" 1:1", "layer 0"},
    {"1:1 ", "expected the end"},
    {"-1:1", "layer 0"},
    {"1;1", "expected ':'"},
    {"1:1\n", "found \"?\""},
    {"0x1:1", "expected ':'"},
};

START_TEST(a_wrong_path_is_refused_with_its_layer)
{
    struct sy_network_spec spec;
    struct sy_error err = {0};
    struct sy_path path = {.layer_count = 77};
    sy_small_spec(&spec);
    sy_check_fails(sy_path_parse(&path, wrong[_i].text, &spec, "here", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    sy_check_says(err, "here: ");
    ck_assert_int_eq(path.layer_count, 77);
}
END_TEST

START_TEST(equal_paths_take_the_same_blocks)
{
    struct sy_path a = {2, {1, 2}}, b = {2, {1, 2}}, c = {2, {1, 1}},
                   shorter = {1, {1}};
    ck_assert(sy_path_equal(&a, &b));
    ck_assert(!sy_path_equal(&a, &c));
    ck_assert(!sy_path_equal(&a, &shorter));
}
END_TEST

START_TEST(likeness_counts_blocks_that_do_something)
{
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    struct sy_path conv_mb = {2, {0, 0}}, conv_group = {2, {0, 1}},
                   skip_mb = {2, {1, 0}}, skip_project = {2, {1, 2}};
    ck_assert_double_eq(sy_path_jaccard(&conv_mb, &conv_mb, &spec), 1.0);
    ck_assert_double_eq(sy_path_jaccard(&conv_mb, &conv_group, &spec),
                        1.0 / 3.0);
    /* {conv, mb} and {mb}: the skip is no node. */
    ck_assert_double_eq(sy_path_jaccard(&conv_mb, &skip_mb, &spec), 0.5);
    /* {mb} and {project}: a zero that projects is one. */
    ck_assert_double_eq(sy_path_jaccard(&skip_mb, &skip_project, &spec), 0.0);
    ck_assert_double_eq(sy_path_jaccard(&skip_project, &conv_mb, &spec), 0.0);
}
END_TEST

START_TEST(two_paths_that_do_nothing_are_alike)
{
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    spec.layer_count = 1;
    struct sy_path skip = {1, {1}};
    ck_assert_double_eq(sy_path_jaccard(&skip, &skip, &spec), 1.0);
}
END_TEST

START_TEST(pruning_keeps_ids_and_renumbers_paths)
{
    struct sy_network_spec spec;
    struct sy_path paths[2] = {{2, {1, 2}}, {2, {1, 0}}};
    sy_small_spec(&spec);
    sy_spec_prune(&spec, paths, 2);
    ck_assert_int_eq(spec.layer[0].block_count, 1);
    ck_assert_str_eq(spec.layer[0].block[0].id, "skip");
    ck_assert_int_eq(spec.layer[1].block_count, 2);
    ck_assert_str_eq(spec.layer[1].block[0].id, "l1b0");
    ck_assert_str_eq(spec.layer[1].block[1].id, "l1b2");
    ck_assert_int_eq(paths[0].block[0], 0);
    ck_assert_int_eq(paths[0].block[1], 1);
    ck_assert_int_eq(paths[1].block[1], 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("path");
    TCase *tc = tcase_create("path");
    tcase_add_test(tc, a_path_reads_and_writes_the_same_text);
    tcase_add_test(tc, the_longest_path_fits_its_text);
    tcase_add_loop_test(tc, a_wrong_path_is_refused_with_its_layer, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, equal_paths_take_the_same_blocks);
    tcase_add_test(tc, likeness_counts_blocks_that_do_something);
    tcase_add_test(tc, two_paths_that_do_nothing_are_alike);
    tcase_add_test(tc, pruning_keeps_ids_and_renumbers_paths);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
