/*
 * test_oip_stats.c - statistics and configuration of models.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

/* The one entry of a model's statistics; *root is to be released. */
static json_t *model_stats(const char *raw, json_t **root)
{
    *root = oip_ask(SRV_GET, raw, NULL, 200);
    json_t *list = json_object_get(*root, "model_stats");
    ck_assert_uint_eq(json_array_size(list), 1);
    return json_array_get(list, 0);
}

static json_int_t number(json_t *object, const char *member, const char *name)
{
    if (member != NULL) {
        object =
            json_object_get(json_object_get(object, "inference_stats"), member);
    }
    ck_assert_ptr_nonnull(json_object_get(object, name));
    return json_integer_value(json_object_get(object, name));
}

START_TEST(every_member_is_there_from_the_start_and_zero)
{
    static const char *const members[] = {
        "success",       "fail",           "queue",     "compute_input",
        "compute_infer", "compute_output", "cache_hit", "cache_miss"};
    json_t *root;
    json_t *stats = model_stats("/v2/models/net.d0/stats", &root);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        ck_assert_int_eq(number(stats, members[i], "count"), 0);
        ck_assert_int_eq(number(stats, members[i], "ns"), 0);
    }
    ck_assert_int_eq(number(stats, NULL, "last_inference"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(stats, "version")), "1");
    ck_assert(json_is_array(json_object_get(stats, "batch_stats")));
    ck_assert(json_is_array(json_object_get(stats, "memory_usage")));
    ck_assert(json_is_object(json_object_get(stats, "response_stats")));
    json_decref(root);
}
END_TEST

START_TEST(a_request_of_three_images_counts_three_and_one_execution)
{
    json_decref(oip_infer("/v2/models/net.d0/infer", 3, false, "", ""));
    json_t *root;
    json_t *stats = model_stats("/v2/models/net.d0/versions/1/stats", &root);
    ck_assert_int_eq(number(stats, NULL, "inference_count"), 3);
    ck_assert_int_eq(number(stats, NULL, "execution_count"), 1);
    ck_assert_int_gt(number(stats, NULL, "last_inference"), 1700000000000);
    static const char *const members[] = {"success", "queue", "compute_input",
                                          "compute_infer", "compute_output"};
    json_int_t total = number(stats, "success", "ns"), parts = 0;
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(number(stats, members[i], "count"), 1);
        parts += i == 0 ? 0 : number(stats, members[i], "ns");
    }
    ck_assert_int_gt(parts, 0);
    ck_assert_int_le(parts, total);
    json_t *batch = json_array_get(json_object_get(stats, "batch_stats"), 0);
    ck_assert_int_eq(number(batch, NULL, "batch_size"), 3);
    json_decref(root);
    stats = model_stats("/v2/models/net.d1/stats", &root);
    ck_assert_int_eq(number(stats, NULL, "inference_count"), 0);
    json_decref(root);
}
END_TEST

START_TEST(nine_images_in_batches_of_four_are_three_executions)
{
    json_decref(oip_infer("/v2/models/net.d2/infer", 9, false, "", ""));
    json_t *root;
    json_t *stats = model_stats("/v2/models/net.d2/stats", &root);
    ck_assert_int_eq(number(stats, NULL, "inference_count"), 9);
    ck_assert_int_eq(number(stats, NULL, "execution_count"), 3);
    ck_assert_int_eq(number(stats, "success", "count"), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(stats, "batch_stats")),
                      2);
    json_decref(root);
}
END_TEST

START_TEST(the_whole_network_counts_what_was_asked_of_it)
{
    json_decref(oip_infer("/v2/models/net/infer", 2, false,
                          "\"parameters\":{\"domain\":\"d1\"},", ""));
    json_t *root;
    json_t *stats = model_stats("/v2/models/net/stats", &root);
    ck_assert_int_eq(number(stats, NULL, "inference_count"), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(stats, "memory_usage")),
                      1);
    json_decref(root);
    stats = model_stats("/v2/models/net.d1/stats", &root);
    ck_assert_int_eq(number(stats, NULL, "inference_count"), 0);
    json_decref(root);
}
END_TEST

START_TEST(failures_are_counted_and_counted_alone)
{
    json_decref(oip_ask(SRV_POST, "/v2/models/net.d0/infer", "{}", 400));
    json_decref(oip_ask(SRV_POST, "/v1/classify/net.d0", "no picture", 400));
    json_t *root;
    json_t *stats = model_stats("/v2/models/net.d0/stats", &root);
    ck_assert_int_eq(number(stats, "fail", "count"), 2);
    ck_assert_int_gt(number(stats, "fail", "ns"), 0);
    ck_assert_int_eq(number(stats, "success", "count"), 0);
    ck_assert_int_eq(number(stats, "queue", "count"), 0);
    json_decref(root);
    srv_batcher_stop(oip_server.batcher);
    char *body = oip_make_body(1, false, "", "");
    oip_fails("/v2/models/net.d0/infer", body, 503, "stopping");
    sy_free(body);
    stats = model_stats("/v2/models/net.d0/stats", &root);
    ck_assert_int_eq(number(stats, "fail", "count"), 3);
    json_decref(root);
}
END_TEST

START_TEST(all_models_have_their_statistics_in_one_list)
{
    json_t *root = oip_ask(SRV_GET, "/v2/models/stats", NULL, 200);
    json_t *list = json_object_get(root, "model_stats");
    static const char *const names[] = {"net.d0", "net.d1", "net.d2", "net"};
    ck_assert_uint_eq(json_array_size(list), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(
            json_string_value(json_object_get(json_array_get(list, i), "name")),
            names[i]);
    }
    json_decref(root);
    json_decref(oip_ask(SRV_GET, "/v2/models/none/stats", NULL, 404));
}
END_TEST

START_TEST(the_configuration_agrees_with_the_metadata)
{
    static const char *const models[] = {"net", "net.d1"};
    for (size_t m = 0; m < 2; m++) {
        char raw[64];
        snprintf(raw, sizeof raw, "/v2/models/%s", models[m]);
        json_t *meta = oip_ask(SRV_GET, raw, NULL, 200);
        snprintf(raw, sizeof raw, "/v2/models/%s/config", models[m]);
        json_t *config = oip_ask(SRV_GET, raw, NULL, 200);
        ck_assert(json_equal(json_object_get(meta, "name"),
                             json_object_get(config, "name")));
        ck_assert_int_eq(
            json_integer_value(json_object_get(config, "max_batch_size")), 64);
        json_t *in = json_array_get(json_object_get(config, "input"), 0);
        ck_assert_str_eq(json_string_value(json_object_get(in, "name")),
                         "image");
        ck_assert_str_eq(json_string_value(json_object_get(in, "data_type")),
                         "TYPE_UINT8");
        ck_assert_uint_eq(json_array_size(json_object_get(in, "dims")), 3);
        json_t *outs = json_object_get(config, "output");
        json_t *metas = json_object_get(meta, "outputs");
        ck_assert_uint_eq(json_array_size(outs), json_array_size(metas));
        size_t i;
        json_t *out;
        json_array_foreach(outs, i, out)
        {
            json_t *same = json_array_get(metas, i);
            ck_assert(json_equal(json_object_get(out, "name"),
                                 json_object_get(same, "name")));
            ck_assert(
                json_equal(json_array_get(json_object_get(out, "dims"), 0),
                           json_array_get(json_object_get(same, "shape"), 1)));
        }
        json_t *policy = json_object_get(config, "model_transaction_policy");
        ck_assert(json_is_false(json_object_get(policy, "decoupled")));
        json_decref(meta);
        json_decref(config);
    }
    json_decref(
        oip_ask(SRV_GET, "/v2/models/net.d0/versions/1/config", NULL, 200));
    json_decref(
        oip_ask(SRV_GET, "/v2/models/net.d0/versions/9/config", NULL, 404));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oip_stats");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_test(tc, every_member_is_there_from_the_start_and_zero);
    tcase_add_test(tc,
                   a_request_of_three_images_counts_three_and_one_execution);
    tcase_add_test(tc, nine_images_in_batches_of_four_are_three_executions);
    tcase_add_test(tc, the_whole_network_counts_what_was_asked_of_it);
    tcase_add_test(tc, failures_are_counted_and_counted_alone);
    tcase_add_test(tc, all_models_have_their_statistics_in_one_list);
    tcase_add_test(tc, the_configuration_agrees_with_the_metadata);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
