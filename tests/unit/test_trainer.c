/*
 * test_trainer.c - the training loop as a function: what the configurations
 * do that the shipped ones do not.
 */
#include "search/train/trainer.h"

#include <stdio.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/small_job.h"

static const char config_text[] = SY_SMALL_JOB(
    "") "\"paths\":[\"0:0\",\"1:0\",\"1:1\"],"
        "\"train\":{\"epochs\":1.5,\"batch\":5,\"holdout\":0.1,"
        "\"checkpoint_every_s\":0,\"augment\":{\"shift\":1,\"cutout\":2,"
        "\"flip\":[\"many\"]}}}";

/* Two experts of one domain that part at the second layer. */
static const char paths_text[] =
    "{\"domains\":{\"few\":{\"experts\":[{\"name\":\"main\",\"path\":\"0:0\"},"
    "{\"name\":\"less\",\"path\":\"0:1\"}]},"
    "\"many\":{\"experts\":[{\"name\":\"main\",\"path\":\"1:0\"}]},"
    "\"one\":{\"experts\":[{\"name\":\"main\",\"path\":\"1:1\"}]}}}";

/*
 * One way to train: overrides, and whether paths come from the file. The
 * domains have 27, 46 and 5 images to train on, and 3, 4 and 1 held out.
 */
static const struct way {
    struct sy_small_sets sets;
    bool paths;
    int64_t steps;
} ways[] = {
    /* 1.5 x 78 images / 15 */
    {{{NULL}}, false, 8},
    /* 3 x 78 / (5 + 9 + 2): in proportion, but at least 2 */
    {{{"train.balance_domains=false", "train.epochs=3"}}, false, 15},
    {{{"train.balance_classes=true", "train.ema=0", "train.shards=1"}},
     true,
     8},
    {{{"train.optimiser.kind=adamw", "network.norm=shared", "train.shards=64"}},
     true,
     8},
    /* 0.5 x 86 / 6 */
    {{{"train.optimiser.kind=rmsprop", "train.use_holdout=true",
       "train.batch=2", "train.epochs=0.5", "train.calibration=0"}},
     true,
     8},
    /* Held-out images are looked at before steps 0 and 8 of 3 x 78 / 15. */
    {{{"train.weights.kind=abdp", "train.epochs=3"}}, true, 16},
    /* None are held out: batches stand in. 0.5 x 86 / 6 */
    {{{"train.weights.kind=difficulty", "train.use_holdout=true",
       "train.batch=2", "train.epochs=0.5", "train.calibration=0"}},
     true,
     8},
    {{{"train.weights.kind=ratio"}}, false, 8},
};

static struct sy_error err;

static void put_files(void)
{
    sy_put_small_job(config_text, 6);
    sy_put_text("paths.json", paths_text);
}

/* Trains to m/NAME; `stopped` ends it after a step, however it began. */
static enum sy_status train(const struct way *way, const char *name,
                            int threads, bool resume, bool stopped,
                            struct nas_train_report *report)
{
    struct nas_config config;
    volatile sig_atomic_t stop = stopped;
    char model[SY_PATH_BYTES], paths[SY_PATH_BYTES], data[SY_PATH_BYTES];
    (void)snprintf(model, sizeof model, "%s/%s", sy_check_folder(), name);
    (void)snprintf(paths, sizeof paths, "%s", sy_check_path("paths.json"));
    (void)snprintf(data, sizeof data, "%s", sy_check_folder());
    sy_load_small_job(&config, &way->sets);
    struct nas_train_job job = {
        .config = &config,
        .data = data,
        .model = model,
        .paths_file = way->paths ? paths : NULL,
        .resume = resume,
        .quiet = true,
        .threads = threads,
        .stop = &stop,
    };
    enum sy_status status = nas_train(&job, report, &err);
    nas_config_release(&config);
    return status;
}

/* The hash of the weights that a run has left. */
static void hash_of(const struct nas_train_report *report, char *text)
{
    char path[SY_PATH_BYTES];
    sy_check_ok(sy_path_join(path, sizeof path, report->artefact.path,
                             "weights.safetensors", &err),
                err);
    sy_check_ok(sy_hash_file(path, text, &err), err);
}

/* As above, for sy_check_stops. */
static enum sy_status train_small(const void *way, const char *name,
                                  int threads, bool resume, bool stopped,
                                  struct sy_small_run *run,
                                  struct sy_error *error)
{
    struct nas_train_report report;
    enum sy_status status = train(way, name, threads, resume, stopped, &report);
    *error = err;
    run->steps = report.steps;
    if (status == SY_OK) {
        hash_of(&report, run->hash);
    }
    return status;
}

START_TEST(stops_at_every_step_and_threads_change_no_bit)
{
    int64_t live = sy_alloc_live();
    put_files();
    sy_check_stops(train_small, &ways[_i], ways[_i].steps);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

/* The hash of the weights after training with these settings. */
static void trained(const char *first, const char *second, const char *name,
                    char *text)
{
    const struct way way = {{{first, second, "train.epochs=3"}}, true, 16};
    struct nas_train_report report;
    sy_check_ok(train(&way, name, 1, false, false, &report), err);
    hash_of(&report, text);
}

START_TEST(weighing_changes_what_is_learned_and_measuring_does_not)
{
    char uniform[SY_HASH_TEXT_BYTES], balanced[SY_HASH_TEXT_BYTES];
    char abdp[SY_HASH_TEXT_BYTES], measured[SY_HASH_TEXT_BYTES];
    put_files();
    trained("train.weights.kind=uniform", "train.weights.gamma=0", "a",
            uniform);
    trained("train.weights.kind=log", "train.weights.gamma=0", "b", balanced);
    trained("train.weights.kind=abdp", "train.weights.gamma=1", "c", abdp);
    ck_assert_str_ne(balanced, uniform);
    ck_assert_str_ne(abdp, balanced);
    /* (1 - k)^0 is 1: all that is left of abdp is that it measures. */
    trained("train.weights.kind=abdp", "train.weights.gamma=0", "d", measured);
    ck_assert_str_eq(measured, balanced);
}
END_TEST

START_TEST(held_out_images_are_scored_unless_they_are_trained_on)
{
    struct nas_train_report report;
    put_files();
    sy_check_ok(train(&ways[0], "held", 1, false, false, &report), err);
    ck_assert_int_eq(report.domain_count, 3);
    /* A tenth of each class, and at least one image. */
    ck_assert_int_eq(report.valid[0].n, 3);
    ck_assert_int_eq(report.valid[1].n, 4);
    ck_assert_int_eq(report.valid[2].n, 1);
    ck_assert_double_eq(report.valid[2].top1, 1.0); /* there is one class */
    sy_check_ok(train(&ways[4], "all", 1, false, false, &report), err);
    for (int d = 0; d < report.domain_count; d++) {
        ck_assert_int_eq(report.valid[d].n, 0);
    }
}
END_TEST

START_TEST(temperatures_are_fitted_where_images_are_held_out)
{
    struct nas_train_report report;
    struct sy_artefact artefact;
    struct sy_network *network;
    put_files();
    for (int held = 0; held < 2; held++) {
        const struct way *way = &ways[held ? 2 : 4];
        sy_check_ok(train(way, "model", 1, false, false, &report), err);
        sy_check_ok(
            sy_artefact_load(report.artefact.path, &network, &artefact, &err),
            err);
        for (int e = 0; e < network->expert_count; e++) {
            const struct sy_expert *expert = &network->expert[e];
            bool tells = network->domain[expert->domain].classes > 1;
            ck_assert_int_eq(expert->temperature != 1.0, held && tells);
        }
        sy_network_free(network);
    }
}
END_TEST

START_TEST(a_domain_of_several_experts_gets_the_route_that_was_asked_for)
{
    static const struct way way = {
        {{"train.routes.kind=cascade", "train.routes.cost=1"}}, true, 8};
    struct nas_train_report report;
    struct sy_artefact artefact;
    struct sy_network *network;
    put_files();
    sy_check_ok(train(&way, "model", 1, false, false, &report), err);
    sy_check_ok(
        sy_artefact_load(report.artefact.path, &network, &artefact, &err), err);
    /* "less" passes a zero block where "main" has a real one. */
    struct sy_route_experts all = sy_route_all_experts(network->route[0]);
    ck_assert_str_eq(network->expert[all.expert[0]].name,
                     all.count == 1 ? "main" : "less");
    ck_assert_str_eq(network->route[0]->type->name,
                     all.count == 1 ? "expert" : "cascade");
    ck_assert_str_eq(network->route[1]->type->name, "expert");
    sy_network_free(network);
}
END_TEST

START_TEST(no_checkpoint_is_left_and_none_can_be_resumed)
{
    struct nas_train_report report;
    char folder[SY_PATH_BYTES];
    put_files();
    sy_check_ok(train(&ways[0], "done", 1, false, false, &report), err);
    (void)snprintf(folder, sizeof folder, "%s", sy_check_path("done/.train"));
    ck_assert(!sy_dir_exists(folder));
    sy_check_fails(train(&ways[0], "done", 1, true, false, &report),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "no checkpoint to resume from");
}
END_TEST

START_TEST(another_way_does_not_resume)
{
    struct nas_train_report report;
    put_files();
    sy_check_fails(train(&ways[0], "run", 1, false, true, &report),
                   SY_CANCELLED, err);
    for (int w = 1; w < (int)(sizeof ways / sizeof ways[0]); w++) {
        sy_check_fails(train(&ways[w], "run", 1, true, false, &report),
                       SY_BAD_INPUT, err);
        sy_check_says(err, "belongs to another run");
    }
    sy_put_text("one/labels.txt", "another name\n");
    sy_check_fails(train(&ways[0], "run", 1, true, false, &report),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "belongs to another run");
}
END_TEST

START_TEST(a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint)
{
    /* Every step writes a checkpoint; at this rate weights soon overflow. */
    static const struct way wild = {
        {{"train.optimiser.rate=100", "train.checkpoint_every_s=1e-9",
          "train.epochs=50", "train.ema=0"}},
        false,
        0};
    struct nas_train_report report;
    put_files();
    sy_check_fails(train(&wild, "wild", 1, false, false, &report), SY_INTERNAL,
                   err);
    sy_check_says(err, "the loss of \"");
    sy_check_says(err, "is not finite at step ");
    sy_check_finite(sy_check_path("wild/.train/checkpoint.safetensors"));
}
END_TEST

START_TEST(a_domain_smaller_than_a_batch_is_refused)
{
    static const struct way large = {{{"train.batch=6"}}, false, 0};
    struct nas_train_report report;
    put_files();
    sy_check_fails(train(&large, "large", 1, false, false, &report),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "one: expected at least a batch of 6 training images, "
                       "found 5");
    ck_assert(!sy_dir_exists(sy_check_path("large")));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("trainer");
    TCase *tc = tcase_create("trainer");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(tc, stops_at_every_step_and_threads_change_no_bit, 0,
                        (int)(sizeof ways / sizeof ways[0]));
    tcase_add_test(tc, weighing_changes_what_is_learned_and_measuring_does_not);
    tcase_add_test(tc, held_out_images_are_scored_unless_they_are_trained_on);
    tcase_add_test(tc, temperatures_are_fitted_where_images_are_held_out);
    tcase_add_test(
        tc, a_domain_of_several_experts_gets_the_route_that_was_asked_for);
    tcase_add_test(tc, no_checkpoint_is_left_and_none_can_be_resumed);
    tcase_add_test(tc, another_way_does_not_resume);
    tcase_add_test(
        tc, a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint);
    tcase_add_test(tc, a_domain_smaller_than_a_batch_is_refused);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
