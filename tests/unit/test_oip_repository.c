/*
 * test_oip_repository.c - index, load and unload of networks.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

static const char index_url[] = "/v2/repository/index";
static const char load_net[] = "/v2/repository/models/net/load";
static const char unload_net[] = "/v2/repository/models/net/unload";
static const char infer_d0[] = "/v2/models/net.d0/infer";

/* Posts; 200 must have no body. */
static void done(const char *raw, const char *body)
{
    struct srv_reply reply;
    int status = oip_ask_bytes(SRV_POST, raw, NULL, body, strlen(body), &reply);
    ck_assert_msg(status == 200, "%d: %s", status, reply.body);
    ck_assert_uint_eq(reply.body_bytes, 0);
    srv_reply_release(&reply);
}

/* The line of a model in the index, as "state reason"; "" when absent. */
static const char *listed(const char *name, const char *body)
{
    static char line[512];
    json_t *list = oip_ask(SRV_POST, index_url, body, 200);
    size_t i;
    json_t *model;
    line[0] = '\0';
    json_array_foreach(list, i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) ==
            0) {
            snprintf(line, sizeof line, "%s %s",
                     json_string_value(json_object_get(model, "state")),
                     json_string_value(json_object_get(model, "reason")));
        }
    }
    json_decref(list);
    return line;
}

static void answers_with_version(const char *version)
{
    json_t *json = oip_infer(infer_d0, 1, false, "", "");
    ck_assert_str_eq(json_string_value(json_object_get(json, "model_version")),
                     version);
    json_decref(json);
}

START_TEST(the_index_lists_a_network_and_its_domains)
{
    ck_assert_str_eq(listed("net", ""), "READY ");
    ck_assert_str_eq(listed("net.d2", "{}"), "READY ");
    ck_assert_str_eq(listed("net.d3", ""), "");
    ck_assert_str_eq(listed("net", "{\"ready\":true}"), "READY ");
    oip_fails(index_url, "{\"ready\":1}", 400, "ready");
    oip_fails(index_url, "{\"other\":1}", 400, "other");
    oip_fails(index_url, "[", 400, "request body");
}
END_TEST

START_TEST(an_unloaded_network_is_gone_until_it_is_loaded)
{
    json_t *before = oip_infer(infer_d0, 1, false, "", "");
    done(unload_net, "{\"parameters\":{\"unload_dependents\":false}}");
    ck_assert_str_eq(listed("net", ""), "UNAVAILABLE unloaded");
    ck_assert_str_eq(listed("net.d0", ""), "");
    ck_assert_str_eq(listed("net", "{\"ready\":true}"), "");
    char *body = oip_make_body(1, false, "", "");
    oip_fails(infer_d0, body, 404, "not found");
    sy_free(body);
    json_decref(oip_ask(SRV_GET, "/v2/models/net/ready", NULL, 404));
    json_decref(oip_ask(SRV_GET, "/v2/health/ready", NULL, 200));
    done(load_net, "");
    ck_assert_str_eq(listed("net", ""), "READY ");
    json_t *after = oip_infer(infer_d0, 1, false, "", "");
    ck_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}
END_TEST

START_TEST(loading_takes_the_newest_version)
{
    answers_with_version("1");
    oip_save_network("net", 5);
    done(load_net, "{}");
    answers_with_version("2");
    json_decref(oip_ask(SRV_GET, "/v2/models/net/versions/1", NULL, 404));
}
END_TEST

START_TEST(a_load_that_fails_leaves_what_was_served)
{
    oip_save_network("net", 5);
    const char *weights = sy_check_path("net/2/weights.safetensors");
    ck_assert_int_eq(chmod(weights, 0600), 0);
    ck_assert_int_eq(truncate(weights, 100), 0);
    oip_fails(load_net, "", 400, "weights");
    answers_with_version("1");
    ck_assert_msg(strncmp(listed("net", ""), "READY ", 6) == 0 &&
                      strstr(listed("net", ""), "weights") != NULL,
                  "%s", listed("net", ""));
    json_decref(oip_ask(SRV_GET, "/v2/health/ready", NULL, 200));
}
END_TEST

START_TEST(a_network_that_came_later_is_loaded_by_name)
{
    oip_save_network("late", 5);
    ck_assert_str_eq(listed("late", ""), "");
    done("/v2/repository/models/late/load", "");
    ck_assert_str_eq(listed("late.d1", ""), "READY ");
    json_decref(oip_infer("/v2/models/late.d1/infer", 1, false, "", ""));
}
END_TEST

static const struct oip_refusal refusals[] = {
    {"/v2/repository/models/none/load", "", 404, "not found"},
    {"/v2/repository/models/none/unload", "", 404, "not found"},
    {"/v2/repository/models/a%2Fb/load", "", 404, "not found"},
    {"/v2/repository/models/..%2Fnet/load", "", 404, "not found"},
    {"/v2/repository/models/.net/load", "", 404, "not found"},
    {"/v2/repository/models/net.d0/load", "", 400, "network 'net'"},
    {"/v2/repository/models/net.d0/unload", "", 400, "network 'net'"},
    {load_net, "{\"parameters\":{\"config\":\"{}\"}}", 501, "config"},
    {load_net, "{\"parameters\":{\"file:1/model.json\":\"\"}}", 501, "file:"},
    {load_net, "{\"parameters\":{\"other\":1}}", 400, "other"},
    {load_net, "{\"parameters\":7}", 400, "parameters"},
    {load_net, "{\"other\":{}}", 400, "other"},
    {load_net, "[]", 400, "request body"},
    {load_net, "{", 400, "request body"},
    {unload_net, "{\"parameters\":{\"unload_dependents\":1}}", 400,
     "unload_dependents"},
    {unload_net, "{\"parameters\":{\"config\":\"\"}}", 400, "config"},
    {"/v2/repository/mine/index", "", 501, "'mine'"},
    {"/v2/repository/mine/models/net/load", "", 501, "'mine'"},
    {"/v2/repository/mine/models/net/unload", "", 501, "'mine'"},
};

START_TEST(what_cannot_be_done_is_refused_and_changes_nothing)
{
    oip_refuses(&refusals[_i]);
    answers_with_version("1");
}
END_TEST

static void count_done(void *waiter, bool more)
{
    (void)more;
    ++*(int *)waiter;
}

START_TEST(who_waits_for_a_load_is_told_when_the_server_stops)
{
    /* More than the housekeeper can have done by the time it is stopped. */
    enum { LOADS = 20 };
    static struct srv_load load[LOADS];
    int told = 0;
    struct sy_error err = {0};
    for (int i = 0; i < LOADS; i++) {
        load[i] = (struct srv_load){.done = count_done, .waiter = &told};
        sy_check_ok(
            srv_repository_load(oip_server.repository, "net", &load[i], &err),
            err);
    }
    srv_repository_stop(oip_server.repository);
    ck_assert_int_eq(told, LOADS);
    sy_check_fails(
        srv_repository_load(oip_server.repository, "net", &load[0], &err),
        SY_BUSY, err);
    oip_fails(load_net, "", 503, "stopping");
    answers_with_version("1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oip_repository");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_test(tc, the_index_lists_a_network_and_its_domains);
    tcase_add_test(tc, an_unloaded_network_is_gone_until_it_is_loaded);
    tcase_add_test(tc, loading_takes_the_newest_version);
    tcase_add_test(tc, a_load_that_fails_leaves_what_was_served);
    tcase_add_test(tc, a_network_that_came_later_is_loaded_by_name);
    tcase_add_loop_test(tc, what_cannot_be_done_is_refused_and_changes_nothing,
                        0, (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(tc, who_waits_for_a_load_is_told_when_the_server_stops);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
