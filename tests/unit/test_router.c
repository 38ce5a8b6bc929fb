/*
 * test_router.c - request targets and the table of routes.
 */
#include "serving/http/router.h"

#include <stdio.h>
#include <string.h>

#include "serving/protocol/routes.h"
#include "tests/support/check_main.h"

static void nothing(void *context, const struct srv_request *in,
                    struct srv_reply *reply, struct srv_later *later)
{
    (void)context, (void)in, (void)reply, (void)later;
}

static const struct srv_route table[] = {
    {SRV_GET, "", nothing, SRV_READ},
    {SRV_GET, "a", nothing, SRV_READ},
    {SRV_POST, "a", nothing, SRV_READ},
    {SRV_GET, "a/*", nothing, SRV_READ},
    {SRV_GET, "a/*/b/*", nothing, SRV_READ},
    {SRV_POST, "c/*", nothing, SRV_READ},
    {SRV_GET, NULL, NULL, SRV_READ}};

static bool find(struct srv_request *request, enum srv_method method,
                 const char *raw, struct srv_reply *reply)
{
    struct sy_error err = {0};
    memset(request, 0, sizeof *request);
    memset(reply, 0, sizeof *reply);
    request->method = method;
    sy_check_ok(srv_target_parse(&request->target, raw, &err), err);
    return srv_route_find(table, request, reply);
}

START_TEST(a_path_finds_its_route_and_captures)
{
    struct srv_request request;
    struct srv_reply reply;
    ck_assert(find(&request, SRV_GET, "/", &reply));
    ck_assert_ptr_eq(request.route, &table[0]);
    ck_assert(find(&request, SRV_POST, "/a", &reply));
    ck_assert_ptr_eq(request.route, &table[2]);
    ck_assert(find(&request, SRV_GET, "/a/", &reply));
    ck_assert_ptr_eq(request.route, &table[1]);
    ck_assert(find(&request, SRV_GET, "/a/x%20y/b/%C3%BC?q=1", &reply));
    ck_assert_ptr_eq(request.route, &table[4]);
    ck_assert_str_eq(request.capture[0], "x y");
    ck_assert_str_eq(request.capture[1], "\xc3\xbc");
    ck_assert_str_eq(srv_target_query(&request.target, "q"), "1");
}
END_TEST

START_TEST(an_unknown_path_is_404_as_json)
{
    static const char *const paths[] = {"/b",       "/aa",        "/a/x/b",
                                        "/a/x/c/y", "/a/x/b/y/z", "//a",
                                        "/a//b/x",  "/A",         "/a%2Fx/b"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct srv_request request;
        struct srv_reply reply;
        ck_assert_msg(!find(&request, SRV_GET, paths[i], &reply), "%s",
                      paths[i]);
        ck_assert_int_eq(reply.status, 404);
        ck_assert_str_eq(reply.body, "{\"error\":\"Not Found\"}");
        srv_reply_release(&reply);
    }
}
END_TEST

START_TEST(a_known_path_under_another_method_is_405_with_allow)
{
    struct srv_request request;
    struct srv_reply reply;
    ck_assert(!find(&request, SRV_DELETE, "/a", &reply));
    ck_assert_int_eq(reply.status, 405);
    ck_assert_str_eq(reply.header[0].name, "Allow");
    ck_assert_str_eq(reply.header[0].value, "GET, HEAD, POST");
    srv_reply_release(&reply);
    ck_assert(!find(&request, SRV_GET, "/c/x", &reply));
    ck_assert_str_eq(reply.header[0].value, "POST");
    srv_reply_release(&reply);
}
END_TEST

START_TEST(an_escaped_slash_stays_in_its_segment)
{
    struct srv_request request;
    struct srv_reply reply;
    ck_assert(find(&request, SRV_GET, "/a/x%2Fy", &reply));
    ck_assert_str_eq(request.capture[0], "x/y");
}
END_TEST

START_TEST(targets_that_can_be_read_in_two_ways_are_refused)
{
    static const char *const bad[] = {
        "/a%00b", "/a/%2e%2e/b", "/../a", "/a/..",
        "/./a",   "/a/%2E",      "/a%",   "/a%2",
        "/a%zz",  "/a%0Ab",      "a",     "*",
        "",       "/a?b=%00",    "/a?%",  "/1/2/3/4/5/6/7/8/9/10/11/12/13",
        "/a\tb",  "/a%7f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct srv_target target;
        struct sy_error err = {0};
        sy_check_fails(srv_target_parse(&target, bad[i], &err), SY_BAD_INPUT,
                       err);
    }
}
END_TEST

START_TEST(an_absolute_target_is_read_from_its_path_on)
{
    struct srv_request request;
    struct srv_reply reply;
    ck_assert(find(&request, SRV_GET, "http://host:80/a/x?y", &reply));
    ck_assert_str_eq(request.capture[0], "x");
    ck_assert_str_eq(srv_target_query(&request.target, "y"), "");
    struct srv_target target;
    struct sy_error err = {0};
    sy_check_fails(srv_target_parse(&target, "http://host", &err), SY_BAD_INPUT,
                   err);
}
END_TEST

START_TEST(query_members_are_decoded_and_the_first_of_a_name_wins)
{
    struct srv_target target;
    struct sy_error err = {0};
    sy_check_ok(srv_target_parse(&target, "/a?x=1+2%2B3&&y&x=9&z==&=v", &err),
                err);
    ck_assert_str_eq(srv_target_query(&target, "x"), "1 2+3");
    ck_assert_str_eq(srv_target_query(&target, "y"), "");
    ck_assert_str_eq(srv_target_query(&target, "z"), "=");
    ck_assert_ptr_null(srv_target_query(&target, "none"));
}
END_TEST

START_TEST(a_target_beyond_the_longest_is_refused)
{
    char raw[SRV_TARGET_BYTES + 2];
    memset(raw, 'a', sizeof raw);
    raw[0] = '/';
    raw[SRV_TARGET_BYTES] = '\0';
    struct srv_target target;
    struct sy_error err = {0};
    sy_check_ok(srv_target_parse(&target, raw, &err), err);
    raw[SRV_TARGET_BYTES] = 'a';
    raw[SRV_TARGET_BYTES + 1] = '\0';
    sy_check_fails(srv_target_parse(&target, raw, &err), SY_BAD_INPUT, err);
}
END_TEST

START_TEST(every_route_of_the_server_is_found_by_its_own_pattern)
{
    for (const struct srv_route *route = srv_routes; route->pattern != NULL;
         route++) {
        char raw[128];
        snprintf(raw, sizeof raw, "/%s", route->pattern);
        struct srv_request request = {.method = route->method};
        struct srv_reply reply = {0};
        struct sy_error err = {0};
        sy_check_ok(srv_target_parse(&request.target, raw, &err), err);
        ck_assert(srv_route_find(srv_routes, &request, &reply));
        ck_assert_ptr_eq(request.route, route);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("router");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, a_path_finds_its_route_and_captures);
    tcase_add_test(tc, an_unknown_path_is_404_as_json);
    tcase_add_test(tc, a_known_path_under_another_method_is_405_with_allow);
    tcase_add_test(tc, an_escaped_slash_stays_in_its_segment);
    tcase_add_test(tc, targets_that_can_be_read_in_two_ways_are_refused);
    tcase_add_test(tc, an_absolute_target_is_read_from_its_path_on);
    tcase_add_test(tc, query_members_are_decoded_and_the_first_of_a_name_wins);
    tcase_add_test(tc, a_target_beyond_the_longest_is_refused);
    tcase_add_test(tc, every_route_of_the_server_is_found_by_its_own_pattern);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
