/*
 * test_start.c - one domain of a served model made better, or added: searched,
 * trained and packed, while the other domains stay bit for bit.
 */
#include "search/train/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/network/equal.h"
#include "search/supernet/search.h"
#include "search/train/trainer.h"
#include "tests/support/check_main.h"
#include "tests/support/small_job.h"

/* All start on the first blocks of both layers; the others are candidates. */
static const char config_text[] = SY_SMALL_JOB(
    "{\"kind\":\"fused\"},") "\"paths\":[\"0:0\"],\"search_passes\":2,"
                             "\"train_passes\":2,"
                             "\"train\":{\"batch\":4,\"holdout\":0.3,"
                             "\"checkpoint_every_s\":0,\"use_holdout\":true,"
                             "\"calibration\":0},"
                             "\"search\":{\"target\":9000,\"reward_batch\":6,"
                             "\"reward_paths\":3}}";

static const char *const norms[] = {"network.norm=per_domain",
                                    "network.norm=shared",
                                    "network.norm=per_expert"};

static const char one_path[] = "paths=[\"0:0\"]";

static struct sy_error err;
static char base_path[SY_PATH_BYTES], night_path[SY_PATH_BYTES];
static char data[SY_PATH_BYTES], run_path[SY_PATH_BYTES];
static struct sy_network *base;

static struct sy_network *load(const char *model)
{
    struct sy_network *network = NULL;
    struct sy_artefact artefact;
    sy_check_ok(sy_artefact_load(model, &network, &artefact, &err), err);
    return network;
}

/* Trains "few" and "many" as what is served. */
static void make_base(const char *norm, const char *paths)
{
    static struct nas_train_report report;
    struct nas_config config;
    sy_put_small_job(config_text, 12);
    (void)snprintf(data, sizeof data, "%s", sy_check_folder());
    (void)snprintf(base_path, sizeof base_path, "%.4000s/base", data);
    (void)snprintf(night_path, sizeof night_path, "%.4000s/night", data);
    (void)snprintf(run_path, sizeof run_path, "%.4000s/run", data);
    sy_load_small_job(
        &config,
        &(struct sy_small_sets){{"domains=[\"few\",\"many\"]", norm, paths}});
    struct nas_train_job job = {.config = &config,
                                .data = data,
                                .model = base_path,
                                .quiet = true,
                                .threads = 1};
    sy_check_ok(nas_train(&job, &report, &err), err);
    nas_config_release(&config);
    base = load(base_path);
}

static enum sy_status search_over(const struct sy_small_sets *sets)
{
    static struct nas_search_report report;
    struct nas_config config;
    sy_load_small_job(&config, sets);
    struct nas_search_job job = {.config = &config,
                                 .data = data,
                                 .run = run_path,
                                 .start = base_path,
                                 .quiet = true,
                                 .threads = 1};
    enum sy_status status = nas_search(&job, &report, &err);
    nas_config_release(&config);
    return status;
}

static enum sy_status train_over(const struct sy_small_sets *sets)
{
    static struct nas_train_report report;
    struct nas_config config;
    char paths[SY_PATH_BYTES + 16];
    (void)snprintf(paths, sizeof paths, "%s/paths.json", run_path);
    sy_load_small_job(&config, sets);
    struct nas_train_job job = {.config = &config,
                                .data = data,
                                .model = night_path,
                                .paths_file = paths,
                                .start = base_path,
                                .one_domain = true,
                                .quiet = true,
                                .threads = 1};
    enum sy_status status = nas_train(&job, &report, &err);
    nas_config_release(&config);
    return status;
}

/* The base with the night's one domain on top, as a server would have it. */
static struct sy_network *promote(const struct sy_network *night,
                                  struct sy_pack_report *report)
{
    char path[SY_PATH_BYTES + 16], id[SY_PACK_ID_BYTES];
    struct sy_pack *pack = NULL;
    struct sy_network *applied = NULL;
    struct sy_pack_domain domain = {.domain = 0};
    struct sy_pack_plan plan = {.from = night,
                                .domain_count = 1,
                                .domain = &domain,
                                .base = base,
                                .network = "base"};
    (void)snprintf(path, sizeof path, "%s.pack", night_path);
    sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
    sy_check_ok(sy_pack_open(&pack, path, &err), err);
    ck_assert_int_eq(pack->holds[pack->part->stem], 0);
    ck_assert_int_eq(pack->holds[pack->part->trunk], 0);
    sy_check_ok(sy_pack_apply(&applied, base, pack, report, &err), err);
    sy_pack_close(pack);
    return applied;
}

/* What both have under one id has not moved. */
static void check_held(const struct sy_network *night)
{
    int same = 0;
    for (int u = 0; u < night->first_head; u++) {
        for (int v = 0; v < base->first_head; v++) {
            if (strcmp(night->unit[u].id, base->unit[v].id) == 0) {
                ck_assert_msg(sy_unit_equal(night, u, base, v), "%s moved",
                              night->unit[u].id);
                same++;
            }
        }
    }
    ck_assert_int_ge(same, 2); /* stem and trunk at least */
}

START_TEST(one_domain_is_made_better_and_the_others_stay_bit_for_bit)
{
    struct sy_pack_report report;
    make_base(norms[_i], one_path);
    struct sy_small_sets sets = {{"domains=[\"few\"]", norms[_i]}};
    sy_check_ok(search_over(&sets), err);
    sy_check_ok(train_over(&sets), err);
    struct sy_network *night = load(night_path);
    ck_assert_int_eq(night->domain_count, 1);
    check_held(night);
    struct sy_network *applied = promote(night, &report);
    ck_assert_int_eq(report.domains_replaced, 1);
    ck_assert_int_eq(applied->domain_count, 2);
    ck_assert(sy_domain_equal(applied, 0, night, 0));
    ck_assert(sy_domain_equal(applied, 1, base, 1));
    ck_assert(!sy_domain_equal(applied, 0, base, 0));
    sy_network_free(applied);
    sy_network_free(night);
    sy_network_free(base);
}
END_TEST

START_TEST(a_domain_is_added_and_the_others_stay_bit_for_bit)
{
    struct sy_pack_report report;
    make_base(norms[_i], one_path);
    struct sy_small_sets sets = {{"domains=[\"one\"]", norms[_i]}};
    sy_check_ok(search_over(&sets), err);
    sy_check_ok(train_over(&sets), err);
    struct sy_network *night = load(night_path);
    check_held(night);
    struct sy_network *applied = promote(night, &report);
    ck_assert_int_eq(report.domains_added, 1);
    ck_assert_int_eq(applied->domain_count, 3);
    ck_assert(sy_domain_equal(applied, 0, base, 0));
    ck_assert(sy_domain_equal(applied, 1, base, 1));
    ck_assert(sy_domain_equal(applied, 2, night, 0));
    sy_network_free(applied);
    sy_network_free(night);
    sy_network_free(base);
}
END_TEST

START_TEST(blocks_of_the_domain_alone_may_move)
{
    struct nas_config config;
    struct sy_network_spec *spec;
    struct sy_network *night;
    uint8_t *held;
    char sha256[SY_HASH_TEXT_BYTES];
    /* "few" is alone on l1b0, and both are on l0b0. */
    make_base(norms[0], "paths=[\"0:0\",\"0:1\"]");
    sy_load_small_job(&config, &(struct sy_small_sets){{"domains=[\"few\"]"}});
    sy_check_ok(nas_start_candidates(&config, base_path, &err), err);
    spec = &config.network;
    ck_assert_str_eq(spec->layer[0].block[0].id, "l0b0");
    ck_assert_int_eq(spec->layer[1].block_count, 3);
    ck_assert_str_eq(spec->layer[1].block[2].id, "l1b2");
    night = load(base_path);
    held = calloc((size_t)night->tensor_count, 1);
    for (int domain = 0; domain < 2; domain++) {
        sy_check_ok(nas_start_from(night, base_path, domain == 0 ? "few" : NULL,
                                   held, sha256, &err),
                    err);
        for (int t = 0; t < night->tensor_count; t++) {
            const struct sy_tensor *tensor = &night->tensor[t];
            bool shared = tensor->unit < night->first_head &&
                          (tensor->slot < 0 || tensor->unit == night->stem) &&
                          strcmp(night->unit[tensor->unit].id, "l1b0") != 0;
            ck_assert_msg(held[t] == (domain == 1 || shared), "%s",
                          tensor->name);
        }
    }
    free(held);
    sy_network_free(night);
    sy_network_free(base);
    nas_config_release(&config);
}
END_TEST

START_TEST(what_was_found_over_other_blocks_is_refused)
{
    make_base(norms[0], one_path);
    struct sy_small_sets sets = {{"domains=[\"few\"]"}};
    sy_check_ok(search_over(&sets), err);
    sets.set[1] = "network.layers.1.blocks.1.expansion=2";
    sy_check_fails(train_over(&sets), SY_BAD_INPUT, err);
    sy_check_says(err, "found over other blocks");
    sets.set[1] = "network.head.width=16";
    sy_check_fails(search_over(&sets), SY_BAD_INPUT, err);
    sy_check_says(err, "network.head");
    sets.set[1] = "network.layers.0.channels=16";
    sy_check_fails(search_over(&sets), SY_BAD_INPUT, err);
    sy_check_says(err, "network.layers");
    sets.set[1] = norms[1];
    sy_check_fails(search_over(&sets), SY_BAD_INPUT, err);
    sy_check_says(err, "network.norm");
    sy_network_free(base);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("start");
    TCase *tc = tcase_create("one domain");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(
        tc, one_domain_is_made_better_and_the_others_stay_bit_for_bit, 0,
        SY_NORM_MODES);
    tcase_add_loop_test(tc, a_domain_is_added_and_the_others_stay_bit_for_bit,
                        0, SY_NORM_MODES);
    tcase_add_test(tc, blocks_of_the_domain_alone_may_move);
    tcase_add_test(tc, what_was_found_over_other_blocks_is_refused);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
