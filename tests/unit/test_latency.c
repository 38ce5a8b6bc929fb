/*
 * test_latency.c - tables of microseconds: their file, the networks they hold
 * for, what a path costs, and that building one measures every block. That
 * predictions are good is a measurement, not a test: docs/latency.md.
 */
#include "runtime/latency/latency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/latency/table.h"
#include "runtime/network/network.h"
#include "search/config.h"
#include "search/latency/build.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"
#include "tests/support/small_network.h"

static struct sy_error err;
static struct sy_network_spec spec;
static struct sy_latency latency;

/* A table of the small network with round numbers. */
static json_t *make_table(void)
{
    static struct sy_latency_table table;
    sy_small_spec(&spec);
    table = (struct sy_latency_table){
        .name = "small",
        .program = "0",
        .cpu = "a processor",
        .kernels = "portable",
        .spec = spec,
        .stem_us = 2,
        .trunk_us = 3,
        .head_us = {1, 10, 19},
        .block_us = {{4, 0}, {7, 8, 9}},
        .offset_us = 0.5,
        .factor = 2,
        .check = {.fit_paths = 4, .median_error = 0.01, .worst_error = 0.02},
    };
    return sy_latency_table_to_json(&table);
}

/* Reads the table with an override for the network in `spec`. */
static enum sy_status read_with(const char *set)
{
    json_t *json = make_table();
    if (set != NULL) {
        sy_check_ok(nas_config_set(json, set, &err), err);
    }
    enum sy_status status =
        sy_latency_from_json(&latency, json, &spec, "t.json", &err);
    json_decref(json);
    return status;
}

START_TEST(a_path_costs_the_sum_of_its_blocks_corrected)
{
    const struct sy_path path = {.layer_count = 2, .block = {0, 2}};
    const struct sy_path skips = {.layer_count = 2, .block = {1, 0}};
    sy_check_ok(read_with(NULL), err);
    /* 0.5 + 2 x (2 + 3 + 4 + 9 + 1) */
    ck_assert_double_eq_tol(sy_latency_path_us(&latency, &path, 10), 38.5,
                            1e-12);
    ck_assert_double_eq_tol(sy_latency_path_us(&latency, &skips, 100), 44.5,
                            1e-12);
    ck_assert_str_eq(latency.cpu, "a processor");
    ck_assert_str_eq(latency.kernels, "portable");
    ck_assert_int_eq(latency.check.fit_paths, 4);
    ck_assert_double_eq(latency.check.median_error, 0.01);
    ck_assert_double_eq(latency.check.worst_error, 0.02);
}
END_TEST

START_TEST(heads_between_the_measured_ones_are_interpolated)
{
    sy_check_ok(read_with(NULL), err);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 10), 2, 1e-12);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 55), 11, 1e-12);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 100), 20, 1e-12);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 550), 29, 1e-12);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 1900), 56, 1e-12);
    ck_assert_double_eq_tol(sy_latency_head_us(&latency, 5), 1, 1e-12);
    latency.head_us[0] = 0;
    ck_assert_double_eq(sy_latency_head_us(&latency, 1), 0);
}
END_TEST

START_TEST(a_network_cut_from_the_table_finds_its_blocks_by_id)
{
    struct sy_path paths[2] = {{.layer_count = 2, .block = {1, 2}},
                               {.layer_count = 2, .block = {1, 1}}};
    json_t *json = make_table();
    sy_spec_prune(&spec, paths, 2);
    ck_assert_int_eq(spec.layer[0].block_count, 1);
    sy_check_ok(sy_latency_from_json(&latency, json, &spec, "t.json", &err),
                err);
    ck_assert_double_eq_tol(sy_latency_path_us(&latency, &paths[0], 10),
                            0.5 + 2 * (2 + 3 + 0 + 9 + 1), 1e-12);
    ck_assert_double_eq_tol(sy_latency_path_us(&latency, &paths[1], 10),
                            0.5 + 2 * (2 + 3 + 0 + 8 + 1), 1e-12);
    json_decref(json);
}
END_TEST

START_TEST(a_table_of_another_network_is_refused_with_the_difference)
{
    json_t *json = make_table();
    struct sy_latency before;
    memset(&latency, 7, sizeof latency);
    before = latency;
    for (int change = 0; change < 7; change++) {
        static const char *const says[] = {
            "input: the table has",
            "stem: the table has conv k3",
            "head: the table has width",
            "layers: the table has 2, the network has 1",
            "layers[1]: the table has 8 channels",
            "layers[1]: block \"l1b0\": the table has mbconv",
            "layers[1]: block \"l7b1\": the table has no such block"};
        sy_small_spec(&spec);
        switch (change) {
        case 0:
            spec.input.h++;
            break;
        case 1:
            spec.stem.kernel = 5;
            break;
        case 2:
            spec.head.width += 8;
            break;
        case 3:
            spec.layer_count = 1;
            break;
        case 4:
            spec.layer[1].channels += 8;
            break;
        case 5:
            spec.layer[1].block[0].spec.kernel = 7;
            break;
        default:
            spec.layer[1].block[1].id[1] = '7';
            break;
        }
        sy_check_fails(
            sy_latency_from_json(&latency, json, &spec, "t.json", &err),
            SY_BAD_INPUT, err);
        sy_check_says(err, says[change]);
        sy_check_says(err, "t.json: is the table of another network");
        sy_check_says(err, "latency build");
        ck_assert_mem_eq(&latency, &before, sizeof before);
    }
    json_decref(json);
}
END_TEST

static const struct {
    const char *set, *says;
} wrong[] = {
    {"kind=switchyard-model", "kind: expected \"switchyard-latency\""},
    {"version=2", "version: "},
    {"more=1", "more: unknown key"},
    {"network=3", "network: expected an object"},
    {"network.layers.0.channels=0", "channels"},
    {"machine.threads=2", "machine.threads: "},
    {"machine.cores=2", "machine.cores: unknown key"},
    {"stem_us=-1", "stem_us: "},
    {"trunk_us=\"fast\"", "trunk_us: "},
    {"heads=[]", "heads: "},
    {"heads.1.classes=11", "heads[1].classes: "},
    {"heads.2.us=null", "heads[2].us: "},
    {"blocks_us=[]", "blocks_us: "},
    {"blocks_us.1=[1,2]", "blocks_us: [1]: expected a list of 3"},
    {"blocks_us.0.1=-2", "blocks_us: [0][1]: expected microseconds"},
    {"blocks_us.0.1=\"2\"", "blocks_us: [0][1]: expected microseconds"},
    {"correction.factor=0", "correction.factor: "},
    {"check.median_error=-0.1", "check.median_error: "},
    {"check.paths=7", "check.paths: "},
};

START_TEST(a_damaged_table_is_refused_with_its_place)
{
    sy_check_fails(read_with(wrong[_i].set), SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    sy_check_says(err, "t.json");
}
END_TEST

START_TEST(the_correction_is_the_line_through_the_paths)
{
    static struct sy_latency_table table;
    struct sy_latency_path path[4] = {0};
    const double predicted[4] = {10, 20, 30, 60};
    for (int i = 0; i < 4; i++) {
        path[i].predicted_us = predicted[i];
        path[i].measured_us = 3 + 1.25 * predicted[i];
    }
    sy_latency_fit(&table, path, 4);
    ck_assert_double_eq_tol(table.factor, 1.25, 1e-12);
    ck_assert_double_eq_tol(table.offset_us, 3, 1e-9);
    /* One path, or many that are the same: a factor alone. */
    sy_latency_fit(&table, path, 1);
    ck_assert_double_eq_tol(table.factor, 1.55, 1e-12);
    ck_assert_double_eq(table.offset_us, 0);
    for (int i = 0; i < 4; i++) {
        path[i].predicted_us = 10;
    }
    sy_latency_fit(&table, path, 4);
    ck_assert_double_eq_tol(table.factor, (4 * 3 + 1.25 * 120) / 40, 1e-12);
    ck_assert_double_eq(table.offset_us, 0);
}
END_TEST

/* Builds the table of `spec` quickly, and reads it back. */
static json_t *build(struct sy_latency *read)
{
    const struct nas_latency_options options = {.name = "quick",
                                                .rounds = 5,
                                                .fit_paths = 6,
                                                .test_paths = 4,
                                                .seed = 2};
    json_t *table = NULL;
    sy_check_ok(nas_latency_build(&table, &latency, &spec, &options, &err),
                err);
    sy_check_ok(sy_latency_from_json(read, table, &spec, "t.json", &err), err);
    return table;
}

START_TEST(building_measures_every_block_and_leaves_nothing)
{
    static struct sy_latency read;
    int64_t live = sy_alloc_live();
    struct sy_network *network =
        sy_random_network(&(struct sy_random_options){.seed = _i + 1});
    spec = network->spec;
    sy_network_free(network);
    json_t *table = build(&read);
    ck_assert_mem_eq(&read, &latency, sizeof read);
    ck_assert_double_gt(json_number_value(json_object_get(table, "stem_us")),
                        0);
    for (int l = 0; l < spec.layer_count; l++) {
        struct sy_shape in = sy_spec_shape(&spec, l);
        struct sy_shape out = sy_spec_shape(&spec, l + 1);
        for (int b = 0; b < spec.layer[l].block_count; b++) {
            bool passes = spec.layer[l].block[b].spec.kind == SY_BLOCK_ZERO &&
                          sy_shape_equal(in, out);
            ck_assert_int_eq(latency.block_us[l][b] > 0, !passes);
        }
    }
    json_decref(table);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(the_file_shows_the_paths_of_its_check)
{
    static struct sy_latency read;
    sy_small_spec(&spec);
    json_t *table = build(&read);
    /* Six paths exist: half of them are fitted on, the others are not. */
    ck_assert_int_eq(latency.check.fit_paths, 3);
    ck_assert_int_eq(latency.check.test_paths, 3);
    json_t *rows = json_object_get(json_object_get(table, "check"), "paths");
    ck_assert_uint_eq(json_array_size(rows), 3);
    double worst = 0;
    for (size_t i = 0; i < 3; i++) {
        json_t *row = json_array_get(rows, i);
        struct sy_path path;
        double said = json_number_value(json_object_get(row, "predicted_us"));
        double took = json_number_value(json_object_get(row, "measured_us"));
        sy_check_ok(sy_path_parse(
                        &path, json_string_value(json_object_get(row, "path")),
                        &spec, "path", &err),
                    err);
        ck_assert_double_eq_tol(sy_latency_path_us(&read, &path, 10), said,
                                1e-9 * said);
        ck_assert_double_gt(took, 0);
        worst = fmax(worst, fabs(said - took) / took);
    }
    ck_assert_double_eq_tol(read.check.worst_error, worst, 1e-9);
    ck_assert_double_le(read.check.median_error, worst);
    json_decref(table);
}
END_TEST

START_TEST(a_table_that_is_not_there_is_not_found)
{
    sy_small_spec(&spec);
    sy_check_fails(
        sy_latency_load(&latency, sy_check_path("no.json"), &spec, &err),
        SY_NOT_FOUND, err);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("latency");
    TCase *tc = tcase_create("latency");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_path_costs_the_sum_of_its_blocks_corrected);
    tcase_add_test(tc, heads_between_the_measured_ones_are_interpolated);
    tcase_add_test(tc, a_network_cut_from_the_table_finds_its_blocks_by_id);
    tcase_add_test(tc,
                   a_table_of_another_network_is_refused_with_the_difference);
    tcase_add_loop_test(tc, a_damaged_table_is_refused_with_its_place, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, the_correction_is_the_line_through_the_paths);
    tcase_add_loop_test(tc, building_measures_every_block_and_leaves_nothing, 0,
                        3);
    tcase_add_test(tc, the_file_shows_the_paths_of_its_check);
    tcase_add_test(tc, a_table_that_is_not_there_is_not_found);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
