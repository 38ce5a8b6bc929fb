/* test_build.c - from configuration, data and paths to a network. */
#include "search/train/build.h"

#include <string.h>

#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static const char config_text[] =
    "{\"name\":\"built\",\"domains\":[\"a\",\"b\",\"c\"],"
    "\"network\":{\"input\":{\"height\":8,\"width\":6},"
    "\"stem\":{\"kind\":\"conv\",\"channels\":8,\"stride\":1},"
    "\"layers\":[{\"channels\":8,\"blocks\":[{\"kind\":\"conv\"},"
    "{\"kind\":\"zero\"}]},{\"channels\":8,\"stride\":2,\"blocks\":["
    "{\"kind\":\"mbconv\"},{\"kind\":\"fused\"},"
    "{\"id\":\"last\",\"kind\":\"conv\"}]}],"
    "\"head\":{\"kind\":\"classify\",\"width\":8}},"
    "\"paths\":[\"0:2\",\"1:0\"],\"train\":{\"holdout\":0.2}}";

static struct sy_error err;
static struct nas_config config;
static struct nas_data data;
static struct sy_pool *pool;
static struct sy_network *network;

/* Opens the three domains; overrides may change the configuration. */
static void open_all_with(const char *first, const char *second)
{
    const char *set[2] = {first, second};
    int count = (first != NULL) + (second != NULL);
    sy_put_domain(&(struct sy_domain_files){.name = "a", .classes = 2});
    sy_put_domain(&(struct sy_domain_files){.name = "b", .classes = 3});
    sy_put_domain(&(struct sy_domain_files){.name = "c", .classes = 4});
    sy_put_text("c/labels.txt", "one\ntwo\nthree\nfour\n");
    sy_put_text("config.json", config_text);
    sy_check_ok(nas_config_load(&config, sy_check_path("config.json"), set,
                                count, &err),
                err);
    sy_check_ok(sy_pool_new(&pool, 1, &err), err);
    sy_check_ok(nas_data_open(&data, &config, sy_check_folder(), pool, &err),
                err);
}

static void open_all(const char *set)
{
    open_all_with(set, NULL);
}

static void close_all(void)
{
    sy_network_free(network);
    network = NULL;
    nas_data_close(&data);
    sy_pool_free(pool);
    nas_config_release(&config);
}

/* The ids of the blocks on an expert's path, "l0b0 last". */
static const char *blocks_of(int index, char text[64])
{
    const struct sy_expert *expert = &network->expert[index];
    text[0] = '\0';
    for (int l = 0; l < expert->path.layer_count; l++) {
        strncat(text, l > 0 ? " " : "", 2);
        strncat(text, network->spec.layer[l].block[expert->path.block[l]].id,
                20);
    }
    return text;
}

START_TEST(paths_of_the_configuration_go_round_the_domains)
{
    char text[64];
    open_all(NULL);
    sy_check_ok(nas_build(&network, &config, &data, NULL, &err), err);
    ck_assert_str_eq(network->name, "built");
    ck_assert_int_eq(network->domain_count, 3);
    ck_assert_int_eq(network->expert_count, 3);
    for (int e = 0; e < 3; e++) {
        ck_assert_str_eq(network->expert[e].name, "main");
        ck_assert_int_eq(network->expert[e].domain, e);
        ck_assert_double_eq(network->expert[e].temperature, 1.0);
        ck_assert_str_eq(blocks_of(e, text),
                         e == 1 ? "l0b1 l1b0" : "l0b0 last");
    }
    close_all();
}
END_TEST

START_TEST(unused_candidates_are_dropped_and_ids_kept)
{
    open_all("paths=[\"0:2\"]");
    sy_check_ok(nas_build(&network, &config, &data, NULL, &err), err);
    ck_assert_int_eq(network->spec.layer[0].block_count, 1);
    ck_assert_str_eq(network->spec.layer[0].block[0].id, "l0b0");
    ck_assert_int_eq(network->spec.layer[1].block_count, 1);
    ck_assert_str_eq(network->spec.layer[1].block[0].id, "last");
    ck_assert_int_eq(config.network.layer[1].block_count, 3);
    close_all();
}
END_TEST

START_TEST(domains_bring_their_classes_and_labels)
{
    open_all(NULL);
    sy_check_ok(nas_build(&network, &config, &data, NULL, &err), err);
    ck_assert_int_eq(network->domain[0].classes, 2);
    ck_assert_str_eq(network->domain[0].labels[1], "1");
    ck_assert_int_eq(network->domain[2].classes, 4);
    ck_assert_str_eq(network->domain[2].labels[2], "three");
    ck_assert_str_eq(network->domain[2].name, "c");
    close_all();
}
END_TEST

START_TEST(the_seed_decides_the_first_weights)
{
    struct sy_network *again = NULL, *other = NULL;
    open_all(NULL);
    sy_check_ok(nas_build(&network, &config, &data, NULL, &err), err);
    sy_check_ok(nas_build(&again, &config, &data, NULL, &err), err);
    config.seed++;
    sy_check_ok(nas_build(&other, &config, &data, NULL, &err), err);
    size_t bytes = network->value_count * sizeof(float);
    ck_assert_mem_eq(network->values, again->values, bytes);
    ck_assert_mem_ne(network->values, other->values, bytes);
    sy_network_free(again);
    sy_network_free(other);
    close_all();
}
END_TEST

#define EXPERT(name, path) "{\"name\":\"" name "\",\"path\":\"" path "\"}"

START_TEST(paths_of_a_file_replace_those_of_the_configuration)
{
    char text[64];
    open_all(NULL);
    sy_put_text(
        "paths.json",
        "{\"domains\":{\"c\":{\"experts\":[" EXPERT(
            "main",
            "0:1") "]},"
                   "\"unknown\":{\"experts\":[" EXPERT(
                       "main",
                       "0:2") "]},"
                              "\"a\":{\"experts\":[" EXPERT(
                                  "main",
                                  "1:1") "," EXPERT("more",
                                                    "0:0") "]},"
                                                           "\"b\":{\"experts\":"
                                                           "[" EXPERT(
                                                               "big",
                                                               "1:1") "]}}}");
    sy_check_ok(
        nas_build(&network, &config, &data, sy_check_path("paths.json"), &err),
        err);
    ck_assert_int_eq(network->expert_count, 4);
    ck_assert_str_eq(network->expert[1].name, "more");
    ck_assert_int_eq(network->expert[1].domain, 0);
    ck_assert_str_eq(blocks_of(0, text), "l0b1 l1b1");
    ck_assert_str_eq(blocks_of(1, text), "l0b0 l1b0");
    ck_assert_str_eq(network->expert[2].name, "big");
    ck_assert_int_eq(network->expert[2].domain, 1);
    ck_assert_int_eq(network->expert[3].domain, 2);
    ck_assert_str_eq(blocks_of(3, text), "l0b0 l1b1");
    close_all();
}
END_TEST

static const struct {
    const char *text, *says;
} wrong[] = {
    {"{\"domains\":{\"a\":{\"experts\":[" EXPERT("main", "0:0") "]}}}",
     "no path for \"b\""},
    {"{\"domains\":{\"a\":{\"experts\":[" EXPERT("main", "0:3") "]}}}",
     "domains.a.experts[0].path: layer 1: expected a block from 0 to 2"},
    {"{\"domains\":{\"a\":{\"experts\":[" EXPERT("main", "0") "]}}}",
     "expected 2 blocks (one per layer), found 1"},
    {"{\"domains\":{\"a\":{\"experts\":[]}}}", "domains.a.experts"},
    {"{\"domain\":{}}", "domain"},
    {"{", "paths.json:1"},
};

START_TEST(a_wrong_paths_file_is_refused_with_its_place)
{
    open_all(NULL);
    sy_put_text("paths.json", wrong[_i].text);
    sy_check_fails(
        nas_build(&network, &config, &data, sy_check_path("paths.json"), &err),
        SY_BAD_INPUT, err);
    sy_check_says(err, "paths.json");
    sy_check_says(err, wrong[_i].says);
    ck_assert_ptr_null(network);
    close_all();
}
END_TEST

START_TEST(without_any_path_there_is_no_network)
{
    open_all(NULL);
    config.path_count = 0;
    sy_check_fails(nas_build(&network, &config, &data, NULL, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "--paths");
    close_all();
}
END_TEST

START_TEST(a_domain_that_is_not_there_closes_those_that_are)
{
    open_all(NULL);
    nas_data_close(&data);
    memcpy(config.domain[2], "gone", sizeof "gone");
    sy_check_fails(nas_data_open(&data, &config, sy_check_folder(), pool, &err),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "gone");
    ck_assert_int_eq(data.count, 0);
    close_all();
}
END_TEST

/* Images that are trained on and held out; a domain has 2 classes of 15. */
static const struct {
    const char *first, *second;
    int train, valid;
} shares[] = {
    {NULL, NULL, 24, 6},
    {"train.use_holdout=true", "train.calibration=0.1", 28, 2},
    {"train.use_holdout=true", "train.calibration=0", 30, 0},
    {"train.holdout=0", "train.calibration=0", 30, 0},
    {"train.holdout=0", "train.calibration=0.3", 22, 8},
    {"train.holdout=0.2", "train.calibration=0.3", 22, 8},
};

START_TEST(holdout_and_calibration_decide_what_is_trained_on)
{
    open_all_with(shares[_i].first, shares[_i].second);
    ck_assert_int_eq(dom_loader_images(data.train[0]), shares[_i].train);
    ck_assert_int_eq((int)nas_data_images(&data),
                     dom_loader_images(data.train[0]) +
                         dom_loader_images(data.train[1]) +
                         dom_loader_images(data.train[2]));
    ck_assert_int_eq(data.valid[0] != NULL, shares[_i].valid > 0);
    if (shares[_i].valid > 0) {
        ck_assert_int_eq(dom_loader_images(data.valid[0]), shares[_i].valid);
    }
    close_all();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("build");
    TCase *tc = tcase_create("build");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, paths_of_the_configuration_go_round_the_domains);
    tcase_add_test(tc, unused_candidates_are_dropped_and_ids_kept);
    tcase_add_test(tc, domains_bring_their_classes_and_labels);
    tcase_add_test(tc, the_seed_decides_the_first_weights);
    tcase_add_test(tc, paths_of_a_file_replace_those_of_the_configuration);
    tcase_add_loop_test(tc, a_wrong_paths_file_is_refused_with_its_place, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, without_any_path_there_is_no_network);
    tcase_add_test(tc, a_domain_that_is_not_there_closes_those_that_are);
    tcase_add_loop_test(tc, holdout_and_calibration_decide_what_is_trained_on,
                        0, (int)(sizeof shares / sizeof shares[0]));
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
