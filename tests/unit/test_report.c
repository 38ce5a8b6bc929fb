/*
 * test_report.c - the document inside a report, and the page around it. How
 * the page looks is for eyes: docs/report.md says how to see it.
 */
#include "search/report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"
#include "search/study/study.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/small_network.h"

enum { STEPS = 1000, DOMAINS = 2 };

static const char names[DOMAINS][SY_NAME_BYTES] = {"digits", "shapes"};
static const double targets[DOMAINS] = {1000, NAN};
static const char paths_text[] =
    "{\"domains\":{\"digits\":{\"experts\":[{\"name\":\"main\",\"path\":"
    "\"0:0\",\"madds\":900,\"params\":80},{\"name\":\"less\",\"path\":\"1:2\"}]"
    "},\"shapes\":{\"experts\":[{\"name\":\"main\",\"path\":\"0:1\"}]}}}";

static struct sy_error err;
static struct sy_network_spec spec;
static char study_file[SY_PATH_BYTES], paths_file[SY_PATH_BYTES];
static char table_file[SY_PATH_BYTES], page_file[SY_PATH_BYTES];

static void setup(void)
{
    sy_check_folder_make();
    sy_small_spec(&spec);
    (void)snprintf(study_file, sizeof study_file, "%s",
                   sy_check_path(NAS_STUDY_FILE));
    (void)snprintf(paths_file, sizeof paths_file, "%s",
                   sy_check_path("paths.json"));
    (void)snprintf(table_file, sizeof table_file, "%s",
                   sy_check_path("table.json"));
    (void)snprintf(page_file, sizeof page_file, "%s",
                   sy_check_path("report.html"));
    sy_put_text("paths.json", paths_text);
}

/* A configuration with the small network, whose name would end a script. */
static char *make_config(void)
{
    char *network = NULL;
    json_t *root = json_pack("{s:s,s:o}", "name", "a</script><b>", "network",
                             sy_spec_to_json(&spec));
    network = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    ck_assert_ptr_nonnull(network);
    return network;
}

/* A run of STEPS steps: entropy falls by one from 2, rewards rise. */
static void put_study(const char *label)
{
    static const struct sy_path often = {.layer_count = 2, .block = {0, 1}};
    static const struct sy_path rare = {.layer_count = 2, .block = {1, 2}};
    struct nas_study *study = nas_study_open(study_file);
    char *config = make_config();
    const struct nas_study_run run = {.label = label,
                                      .identity = "abc",
                                      .config = config,
                                      .seed = 3,
                                      .steps = STEPS,
                                      .domain_count = DOMAINS,
                                      .domain = names,
                                      .target = targets};
    ck_assert_ptr_nonnull(study);
    nas_study_begin(study, &run, 0);
    for (int64_t step = 0; step < STEPS; step++) {
        for (int d = 0; d < DOMAINS; d++) {
            struct nas_study_step numbers = nas_study_nothing;
            numbers.entropy = 2.0 - (double)step / STEPS;
            numbers.reward = d + (double)step / STEPS;
            nas_study_add_step(study, step, d, &numbers);
        }
        /* Only the second half counts: 500 times often, 100 times rare. */
        nas_study_add_sample(study, step, 0, 0,
                             &(struct nas_study_sample){
                                 &often, step < 500 ? 0 : 0.75, 900, 0.5});
        if (step % 5 == 0) {
            nas_study_add_sample(
                study, step, 0, 1,
                &(struct nas_study_sample){&rare, 0.5, 700, 0.5});
        }
    }
    for (int i = 0; i < 6; i++) {
        const struct sy_path path = {.layer_count = 2, .block = {i / 3, i % 3}};
        nas_study_add_evaluation(study, STEPS, 1,
                                 &(struct nas_study_evaluation){
                                     "supernet", &path, i / 10.0, NAN, 1, 1});
        /* The last path is out of order with the two before it. */
        nas_study_add_evaluation(
            study, STEPS, 1,
            &(struct nas_study_evaluation){
                "alone", &path, i == 5 ? 0.25 : i / 10.0, NAN, 1, 1});
    }
    nas_study_add_evaluation(
        study, STEPS, 0,
        &(struct nas_study_evaluation){"test", &often, 0.9, 0.1, 900, 80});
    nas_study_close(study);
    sy_free(config);
}

static json_t *at(json_t *root, const char *key)
{
    json_t *found = json_object_get(root, key);
    ck_assert_msg(found != NULL, "no \"%s\"", key);
    return found;
}

static double real(json_t *root, const char *key)
{
    ck_assert(json_is_number(at(root, key)));
    return json_number_value(at(root, key));
}

START_TEST(the_document_has_the_graph_and_who_is_alike)
{
    json_t *root = NULL;
    int64_t live = sy_alloc_live();
    const struct nas_report_job job = {
        .title = "small", .spec = &spec, .paths = paths_file};
    sy_check_ok(nas_report_json(&root, &job, &err), err);
    ck_assert_str_eq(json_string_value(at(root, "title")), "small");
    json_t *layers = at(at(root, "network"), "layers");
    ck_assert_uint_eq(json_array_size(layers), 2);
    json_t *blocks = at(json_array_get(layers, 1), "blocks");
    ck_assert_uint_eq(json_array_size(blocks), 3);
    ck_assert_str_eq(json_string_value(at(json_array_get(blocks, 0), "kind")),
                     "mbconv");
    ck_assert_double_gt(real(json_array_get(blocks, 0), "madds"), 0);
    json_t *skip = json_array_get(at(json_array_get(layers, 0), "blocks"), 1);
    ck_assert(json_is_true(at(skip, "passes")));
    ck_assert_double_eq(real(skip, "params"), 0);
    /* A zero that projects is a block like others. */
    ck_assert(json_is_false(at(json_array_get(blocks, 2), "passes")));
    json_t *paths = at(root, "paths");
    ck_assert_uint_eq(json_array_size(paths), 3);
    ck_assert_double_eq(real(json_array_get(paths, 0), "madds"), 900);
    ck_assert_double_eq(json_number_value(json_array_get(
                            at(json_array_get(paths, 1), "path"), 1)),
                        2);
    json_t *alike = at(root, "jaccard");
    const char *const called[] = {"digits.main", "digits.less", "shapes"};
    /* 0:0 and 0:1 share one of three blocks; 1:2 skips the first layer. */
    const double rows[3][3] = {{1, 0, 1.0 / 3}, {0, 1, 0}, {1.0 / 3, 0, 1}};
    for (size_t a = 0; a < 3; a++) {
        ck_assert_str_eq(
            json_string_value(json_array_get(at(alike, "names"), a)),
            called[a]);
        for (size_t b = 0; b < 3; b++) {
            ck_assert_double_eq_tol(
                json_number_value(
                    json_array_get(json_array_get(at(alike, "matrix"), a), b)),
                rows[a][b], 1e-12);
        }
    }
    ck_assert_ptr_null(json_object_get(root, "history"));
    ck_assert_ptr_null(json_object_get(root, "table"));
    json_decref(root);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(curves_are_means_over_two_hundred_parts)
{
    json_t *root = NULL;
    put_study("search");
    int64_t live = sy_alloc_live();
    const struct nas_report_job job = {
        .title = "small", .spec = &spec, .study = study_file};
    sy_check_ok(nas_report_json(&root, &job, &err), err);
    json_t *history = at(root, "history");
    ck_assert_double_eq(real(at(history, "run"), "seed"), 3);
    ck_assert_ptr_nonnull(at(at(history, "run"), "config"));
    json_t *domains = at(history, "domains");
    ck_assert_str_eq(json_string_value(at(json_array_get(domains, 1), "name")),
                     "shapes");
    ck_assert_double_eq(real(json_array_get(domains, 0), "target"), 1000);
    ck_assert(json_is_null(at(json_array_get(domains, 1), "target")));
    json_t *curves = at(history, "curves");
    ck_assert_uint_eq(json_array_size(curves), DOMAINS);
    for (int d = 0; d < DOMAINS; d++) {
        json_t *curve = json_array_get(curves, (size_t)d);
        ck_assert_double_eq(real(curve, "domain"), d);
        ck_assert_uint_eq(json_array_size(at(curve, "reward")), 200);
        ck_assert(json_is_null(json_array_get(at(curve, "loss"), 7)));
        for (size_t i = 0; i < 200; i++) {
            /* Steps 5 i .. 5 i + 4 */
            double step = 5.0 * (double)i + 2.0;
            ck_assert_double_eq_tol(
                json_number_value(json_array_get(at(curve, "step"), i)), step,
                1e-9);
            ck_assert_double_eq_tol(
                json_number_value(json_array_get(at(curve, "reward"), i)),
                d + step / STEPS, 1e-9);
            ck_assert_double_eq_tol(
                json_number_value(json_array_get(at(curve, "entropy"), i)),
                2.0 - step / STEPS, 1e-9);
        }
    }
    json_decref(root);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(samples_scores_and_ranks_are_those_of_the_run)
{
    json_t *root = NULL;
    put_study("earlier");
    put_study("search");
    const struct nas_report_job job = {.title = "small",
                                       .spec = &spec,
                                       .study = study_file,
                                       .label = "search"};
    sy_check_ok(nas_report_json(&root, &job, &err), err);
    json_t *history = at(root, "history");
    json_t *samples = at(history, "samples");
    ck_assert_uint_eq(json_array_size(samples), 2);
    json_t *first = json_array_get(samples, 0);
    ck_assert_str_eq(json_string_value(at(first, "path")), "0:1");
    ck_assert_double_eq(real(first, "count"), 500);
    ck_assert_double_eq(real(first, "accuracy"), 0.75);
    ck_assert_double_eq(real(json_array_get(samples, 1), "count"), 100);
    ck_assert_uint_eq(json_array_size(at(history, "scores")), 1);
    ck_assert_double_eq(real(json_array_get(at(history, "scores"), 0), "top1"),
                        0.9);
    json_t *ranks = at(history, "ranks");
    ck_assert_uint_eq(json_array_size(ranks), 1);
    json_t *rank = json_array_get(ranks, 0);
    ck_assert_double_eq(real(rank, "domain"), 1);
    ck_assert_uint_eq(json_array_size(at(rank, "pairs")), 6);
    /* Two of fifteen pairs are turned. */
    ck_assert_double_eq_tol(real(rank, "tau"), 11.0 / 15, 1e-12);
    ck_assert_double_le(real(rank, "low"), 11.0 / 15);
    ck_assert_double_ge(real(rank, "high"), 11.0 / 15);
    json_decref(root);
}
END_TEST

/* The document that stands in a page, an owned reference. */
static json_t *document_of(char *page)
{
    static const char open[] = "id=\"document\">";
    json_t *root = NULL;
    char *begin = strstr(page, open);
    ck_assert_ptr_nonnull(begin);
    begin += strlen(open);
    char *end = strstr(begin, "</script>");
    ck_assert_ptr_nonnull(end);
    sy_check_ok(
        sy_json_parse(begin, (size_t)(end - begin), "page", &root, &err), err);
    return root;
}

START_TEST(the_page_holds_its_document_and_needs_nothing_else)
{
    size_t bytes = 0;
    int64_t live = sy_alloc_live();
    put_study("search");
    sy_put_text("table.json", "{\"rows\":[{\"strategy\":\"mpnas\"}]}");
    sy_check_ok(nas_report_folder(sy_check_folder(), table_file, &err), err);
    char *page = (char *)sy_get("report.html", &bytes);
    json_t *root = document_of(page);
    /* The name came back, though in the page it cannot end the script. */
    ck_assert_str_eq(json_string_value(at(root, "title")), "a</script><b>");
    ck_assert_uint_eq(json_array_size(at(root, "paths")), 3);
    ck_assert_uint_eq(json_array_size(at(at(root, "table"), "rows")), 1);
    ck_assert_ptr_nonnull(at(root, "history"));
    json_decref(root);
    ck_assert_ptr_null(strstr(page, "\"DOCUMENT\""));
    ck_assert_ptr_null(strstr(page, "https:"));
    ck_assert_ptr_null(strstr(page, " src="));
    ck_assert_ptr_null(strstr(page, "@import"));
    /* The one address is the name of SVG. */
    char *address = strstr(page, "http:");
    ck_assert_ptr_nonnull(address);
    ck_assert_int_eq(strncmp(address, "http://www.w3.org/2000/svg", 26), 0);
    ck_assert_ptr_null(strstr(address + 1, "http:"));
    sy_free(page);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(what_cannot_be_read_is_named_and_no_page_is_left)
{
    struct nas_report_job job = {
        .out = page_file, .title = "small", .spec = &spec};
    job.paths = "none.json";
    sy_check_fails(nas_report_write(&job, &err), SY_NOT_FOUND, err);
    sy_put_text("paths.json", "{\"domains\":{\"digits\":{\"experts\":[{"
                              "\"name\":\"main\",\"path\":\"0:9\"}]}}}");
    job.paths = paths_file;
    sy_check_fails(nas_report_write(&job, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "paths.json");
    job.paths = NULL;
    job.table = table_file;
    sy_put_text("table.json", "{\"seeds\":[1]}");
    sy_check_fails(nas_report_write(&job, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "is no table of a comparison");
    job.table = NULL;
    job.study = study_file;
    job.label = "train";
    put_study("search");
    sy_check_fails(nas_report_write(&job, &err), SY_NOT_FOUND, err);
    sy_check_says(err, "there is no run \"train\"");
    sy_put_text(NAS_STUDY_FILE, "this is no database, it is a text that is "
                                "longer than a header of one hundred bytes, "
                                "so that it is looked at");
    sy_check_fails(nas_report_write(&job, &err), SY_BAD_INPUT, err);
    sy_check_says(err, NAS_STUDY_FILE);
    ck_assert(!sy_file_exists(page_file));
    sy_check_fails(nas_report_folder(sy_check_path("none"), NULL, &err),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "nothing to report");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("report");
    TCase *tc = tcase_create("report");
    tcase_add_checked_fixture(tc, setup, sy_check_folder_remove);
    tcase_add_test(tc, the_document_has_the_graph_and_who_is_alike);
    tcase_add_test(tc, curves_are_means_over_two_hundred_parts);
    tcase_add_test(tc, samples_scores_and_ranks_are_those_of_the_run);
    tcase_add_test(tc, the_page_holds_its_document_and_needs_nothing_else);
    tcase_add_test(tc, what_cannot_be_read_is_named_and_no_page_is_left);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
