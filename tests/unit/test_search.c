/*
 * test_search.c - the search loop as a function.
 */
#include "search/supernet/search.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"
#include "search/train/trainer.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/small_job.h"

static const char config_text[] = SY_SMALL_JOB(
    "{\"kind\":\"fused\"},") "\"search_passes\":2,\"train_passes\":1,"
                             "\"train\":{\"batch\":5,\"holdout\":0.3,"
                             "\"checkpoint_every_s\":0,"
                             "\"use_holdout\":true,\"calibration\":0},"
                             "\"search\":{\"target\":9000,\"reward_batch\":6,"
                             "\"reward_paths\":3}}";

static const struct way {
    struct sy_small_sets sets;
    int64_t steps;
} ways[] = {
    /* 2 x (21 + 36 + 5) / 15 */
    {{{NULL}}, 9},
    {{{"search.reward.sharing=0.2", "search.reward.joint=0.5",
       "train.weights.kind=abdp", "search.reward_paths=1"}},
     9},
    {{{"search.common_path=true", "search.optimiser.kind=adamw",
       "search.reward.cost=params", "search.target=3000",
       "search.width_warmup=0.2"}},
     9},
    {{{"search.target=[7000,9000]", "search.targets={\"few\":9000}",
       "search.shared_prefix=1"}},
     9},
    {{{"search.ensemble={\"members\":3,\"paths\":6,\"population\":2}"}}, 9},
    {{{"search.controller.kind=random", "train.balance_domains=false",
       "search.op_warmup=0", "search.controller.delay=0"}},
     8}, /* 2 x 62 / (5 + 9 + 2) */
};

static struct sy_error err;

static void put_files(void)
{
    sy_put_small_job(config_text, 7);
}

/* Searches to NAME; `stopped` ends it after a step, however it began. */
static enum sy_status search(const struct way *way, const char *name,
                             int threads, bool resume, bool stopped,
                             struct nas_search_report *report)
{
    struct nas_config config;
    volatile sig_atomic_t stop = stopped;
    char run[SY_PATH_BYTES];
    (void)snprintf(run, sizeof run, "%s/%s", sy_check_folder(), name);
    sy_load_small_job(&config, &way->sets);
    struct nas_search_job job = {
        .config = &config,
        .data = sy_check_folder(),
        .run = run,
        .resume = resume,
        .quiet = true,
        .threads = threads,
        .stop = &stop,
    };
    enum sy_status status = nas_search(&job, report, &err);
    nas_config_release(&config);
    return status;
}

/* As above, for sy_check_stops: hashes of all that a search has left. */
static enum sy_status search_small(const void *way, const char *name,
                                   int threads, bool resume, bool stopped,
                                   struct sy_small_run *run,
                                   struct sy_error *error)
{
    static const char *const files[2] = {"checkpoint.safetensors",
                                         "paths.json"};
    struct nas_search_report report;
    enum sy_status status =
        search(way, name, threads, resume, stopped, &report);
    *error = err;
    run->steps = report.steps;
    for (int i = 0; status == SY_OK && i < 2; i++) {
        char path[SY_PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s/%s", sy_check_folder(), name,
                       files[i]);
        status =
            sy_hash_file(path, run->hash + i * (SY_HASH_TEXT_BYTES - 1), error);
    }
    return status;
}

START_TEST(stops_at_every_step_and_threads_change_no_bit)
{
    int64_t live = sy_alloc_live();
    put_files();
    sy_check_stops(search_small, &ways[_i], ways[_i].steps);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(the_report_and_the_file_say_the_same_paths)
{
    struct nas_search_report report;
    struct nas_config config;
    static struct sy_paths paths;
    put_files();
    sy_check_ok(search(&ways[_i], "run", 1, false, false, &report), err);
    sy_load_small_job(&config, &ways[_i].sets);
    sy_check_ok(sy_paths_load(&paths, report.paths_file, &config.network, &err),
                err);
    int at = 0; /* "main" is the last of a domain's experts */
    for (int d = 0; d < 3; d++, at++) {
        at += config.search.levels[d] - 1;
        const struct sy_paths_entry *entry = &paths.entry[at];
        ck_assert_str_eq(entry->domain, report.domain[d].name);
        ck_assert_str_eq(entry->expert, "main");
        ck_assert(sy_path_equal(&entry->path, &report.domain[d].path));
        ck_assert_int_eq(entry->madds, report.domain[d].size.madds);
        ck_assert(report.domain[d].accuracy >= 0);
        if (config.search.common_path) {
            ck_assert(
                sy_path_equal(&paths.entry[d].path, &paths.entry[0].path));
        }
        while (paths.entry[at + 1].expert[0] == 'n') {
            at++; /* members of an ensemble */
        }
    }
    ck_assert_int_eq(paths.count, at);
    ck_assert_double_eq(report.domain[2].accuracy, 1.0); /* of one class */
    nas_config_release(&config);
}
END_TEST

START_TEST(of_more_final_paths_comes_a_result_of_no_lower_reward)
{
    static const struct way most_likely = {
        {{"search.controller.travel=0.01", "search.final_paths=1"}}, 0};
    static const struct way of_many = {
        {{"search.controller.travel=0.01", "search.final_paths=40"}}, 0};
    static struct nas_search_report one, many;
    bool better = false;
    put_files();
    sy_check_ok(search(&most_likely, "one", 1, false, false, &one), err);
    sy_check_ok(search(&of_many, "many", 1, false, false, &many), err);
    for (int d = 0; d < 3; d++) {
        ck_assert_double_ge(many.domain[d].reward, one.domain[d].reward);
        better |= many.domain[d].reward > one.domain[d].reward;
        ck_assert_double_eq(many.domain[d].entropy, one.domain[d].entropy);
    }
    ck_assert(better); /* nothing is decided without travel */
}
END_TEST

START_TEST(what_a_search_finds_can_be_trained)
{
    struct nas_search_report report;
    static struct nas_train_report trained;
    struct nas_config config;
    char model[SY_PATH_BYTES];
    json_t *root = NULL;
    put_files();
    sy_check_ok(search(&ways[0], "run", 1, false, false, &report), err);
    sy_load_small_job(&config, &ways[0].sets);
    (void)snprintf(model, sizeof model, "%s/m", sy_check_folder());
    struct nas_train_job job = {.config = &config,
                                .data = sy_check_folder(),
                                .model = model,
                                .paths_file = report.paths_file,
                                .quiet = true,
                                .threads = 1};
    sy_check_ok(nas_train(&job, &trained, &err), err);
    sy_check_ok(sy_path_join(model, sizeof model, trained.artefact.path,
                             "model.json", &err),
                err);
    sy_check_ok(sy_json_load(model, &root, &err), err);
    json_t *origin =
        json_object_get(json_object_get(root, "provenance"), "search");
    ck_assert_str_eq(
        json_string_value(json_object_get(origin, "config_sha256")),
        config.hash);
    ck_assert_int_eq(json_integer_value(json_object_get(origin, "steps")), 9);
    json_decref(root);
    nas_config_release(&config);
}
END_TEST

static const struct {
    struct way way;
    const char *says;
} bad[] = {
    {{{{"search.target=1500"}}, 0},
     "search.target: no path of \"few\" has at "
     "most 1500 madds; the cheapest paths have: "
     "few "},
    {{{{"train.batch=6"}}, 0},
     "one: expected at least a batch of 6 training "
     "images, found 5"},
    {{{{"train.holdout=0"}}, 0}, "few: no image is held out"},
    {{{{"search.reward={\"cost\":\"latency\",\"latency_table\":\"none."
        "json\"}"}},
      0},
     "none.json"},
};

START_TEST(what_cannot_be_searched_is_refused_before_any_work)
{
    struct nas_search_report report;
    put_files();
    enum sy_status status =
        search(&bad[_i].way, "run", 1, false, false, &report);
    ck_assert(status == SY_BAD_INPUT || status == SY_NOT_FOUND);
    sy_check_says(err, bad[_i].says);
    ck_assert(!sy_dir_exists(sy_check_path("run")));
}
END_TEST

START_TEST(several_targets_give_several_experts_with_a_common_beginning)
{
    static const struct way several = {
        {{"search.target=[7000,9000]", "search.targets={\"few\":9000}",
          "search.shared_prefix=1"}},
        9};
    struct nas_search_report report;
    struct nas_config config;
    struct sy_paths *paths = sy_alloc_zero(1, sizeof *paths);
    int few = 0, others = 0;
    put_files();
    sy_check_ok(search(&several, "run", 1, false, false, &report), err);
    sy_load_small_job(&config, &several.sets);
    sy_check_ok(sy_paths_load(paths, sy_check_path("run/paths.json"),
                              &config.network, &err),
                err);
    for (int i = 0; i < paths->count; i++) {
        const struct sy_paths_entry *entry = &paths->entry[i];
        bool is_few = strcmp(entry->domain, "few") == 0;
        few += is_few;
        others += !is_few;
        if (!is_few && strcmp(entry->expert, "main") == 0) {
            ck_assert_str_eq(paths->entry[i - 1].domain, entry->domain);
            ck_assert_str_eq(paths->entry[i - 1].expert, "e0");
            ck_assert_int_eq(paths->entry[i - 1].path.block[0],
                             entry->path.block[0]);
        }
    }
    ck_assert_int_eq(few, 1);
    ck_assert_int_eq(others, 2 * (report.domain_count - 1));
    sy_free(paths);
    nas_config_release(&config);
}
END_TEST

START_TEST(candidates_of_the_search_become_members_of_an_ensemble)
{
    static const struct way breeding = {
        {{"search.ensemble={\"members\":2,\"paths\":20,\"population\":3}",
          "search.controller.travel=0.01"}},
        9}; /* of 6 paths that there are */
    struct nas_search_report report;
    struct nas_config config;
    struct sy_paths *paths = sy_alloc_zero(1, sizeof *paths);
    int members = 0;
    put_files();
    sy_check_ok(search(&breeding, "run", 1, false, false, &report), err);
    sy_load_small_job(&config, &breeding.sets);
    sy_check_ok(sy_paths_load(paths, sy_check_path("run/paths.json"),
                              &config.network, &err),
                err);
    for (int i = 0; i < paths->count; i++) {
        const struct sy_paths_entry *entry = &paths->entry[i];
        members += entry->expert[0] == 'n';
        ck_assert(entry->expert[0] == 'n' ||
                  strcmp(entry->expert, "main") == 0);
        for (int j = 0; j < i; j++) {
            ck_assert(strcmp(paths->entry[j].domain, entry->domain) != 0 ||
                      !sy_path_equal(&paths->entry[j].path, &entry->path));
        }
    }
    ck_assert_int_eq(paths->count, report.domain_count + members);
    ck_assert_int_gt(members, 0);
    ck_assert_int_le(members, report.domain_count); /* beside the found one */
    sy_free(paths);
    nas_config_release(&config);
}
END_TEST

START_TEST(another_search_does_not_resume)
{
    struct nas_search_report report;
    put_files();
    sy_check_fails(search(&ways[0], "run", 1, true, false, &report),
                   SY_NOT_FOUND, err);
    sy_check_fails(search(&ways[0], "run", 1, false, true, &report),
                   SY_CANCELLED, err);
    static const struct way other = {{{"search.reward_paths=2"}}, 0};
    sy_check_fails(search(&other, "run", 1, true, false, &report), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "config.search.reward_paths is 3 there and 2 here");
    sy_put_text("one/labels.txt", "another name\n");
    sy_check_fails(search(&ways[0], "run", 1, true, false, &report),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "belongs to another run (data.one is ");
}
END_TEST

START_TEST(a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint)
{
    static const struct way wild = {
        {{"search.optimiser.rate=100", "train.checkpoint_every_s=1e-9",
          "search_passes=50"}},
        0};
    struct nas_search_report report;
    put_files();
    sy_check_fails(search(&wild, "wild", 1, false, false, &report), SY_INTERNAL,
                   err);
    sy_check_says(err, "the loss of \"");
    sy_check_says(err, "is not finite at step ");
    sy_check_finite(sy_check_path("wild/checkpoint.safetensors"));
    ck_assert(!sy_file_exists(sy_check_path("wild/paths.json")));
}
END_TEST

START_TEST(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing)
{
    enum { PLACES = 60, STRIDE = 17 };
    struct nas_search_report report;
    int failed = 0;
    put_files();
    int64_t live = sy_alloc_live();
    for (int i = 0; i < PLACES; i++) {
        char name[32];
        struct nas_config config;
        char run[SY_PATH_BYTES];
        (void)snprintf(name, sizeof name, "run%d", i);
        (void)snprintf(run, sizeof run, "%s/%s", sy_check_folder(), name);
        sy_load_small_job(&config, &ways[1].sets);
        struct nas_search_job job = {.config = &config,
                                     .data = sy_check_folder(),
                                     .run = run,
                                     .quiet = true,
                                     .threads = 1};
        sy_alloc_fail_at(1 + STRIDE * i, true);
        enum sy_status status = nas_search(&job, &report, &err);
        sy_alloc_fail_at(0, false);
        ck_assert_msg(status != SY_OK || i > PLACES / 2, "place %d", i);
        failed += status == SY_NO_MEMORY;
        nas_config_release(&config);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
    ck_assert_int_gt(failed, 0);
}
END_TEST

static Suite *suite(void)
{
    int count = (int)(sizeof ways / sizeof ways[0]);
    Suite *s = suite_create("search");
    TCase *tc = tcase_create("search");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(tc, stops_at_every_step_and_threads_change_no_bit, 0,
                        count);
    tcase_add_loop_test(tc, the_report_and_the_file_say_the_same_paths, 0,
                        count);
    tcase_add_test(tc, of_more_final_paths_comes_a_result_of_no_lower_reward);
    tcase_add_test(tc, what_a_search_finds_can_be_trained);
    tcase_add_loop_test(tc, what_cannot_be_searched_is_refused_before_any_work,
                        0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(
        tc, several_targets_give_several_experts_with_a_common_beginning);
    tcase_add_test(tc, candidates_of_the_search_become_members_of_an_ensemble);
    tcase_add_test(tc, another_search_does_not_resume);
    tcase_add_test(
        tc, a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint);
    tcase_add_test(
        tc, running_out_of_memory_anywhere_is_an_error_and_leaks_nothing);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
