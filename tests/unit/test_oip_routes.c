/*
 * test_oip_routes.c - what answers tell of their routes, and budgets.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

static const char d0[] = "/v2/models/net.d0/infer";

#define LEAF(name) "{\"kind\":\"expert\",\"expert\":\"" name "\"}"
#define CASCADE(threshold)                                                     \
    "{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"confidence\","              \
    "\"threshold\":" threshold                                                 \
    ",\"route\":" LEAF("e0") "},{\"route\":" LEAF("e1") "}]}"

static json_t *parameter(json_t *reply, const char *key)
{
    return json_object_get(json_object_get(reply, "parameters"), key);
}

static void says(json_t *reply, const char *key, const char *text)
{
    ck_assert_str_eq(json_string_value(parameter(reply, key)), text);
}

/* Asks for one image of d0; `members` stand in "parameters". */
static json_t *ask(const char *members)
{
    char before[160];
    snprintf(before, sizeof before, "\"parameters\":{%s},", members);
    return oip_infer(d0, 1, false, before, "");
}

START_TEST(a_cascade_tells_where_it_ended_and_why)
{
    oip_set_up_route(_i == 0 ? CASCADE("0") : CASCADE("2"));
    json_t *reply = ask("\"explain\":true");
    says(reply, "experts", _i == 0 ? "e0" : "e0,e1");
    says(reply, "exit", _i == 0 ? "e0" : "e1");
    json_t *told =
        json_loads(json_string_value(parameter(reply, "explain")), 0, NULL);
    ck_assert_uint_eq(json_array_size(told), 1);
    json_t *first = json_array_get(told, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "exit")),
                     "confidence");
    ck_assert_int_eq(json_is_true(json_object_get(first, "ended")), _i == 0);
    json_decref(told);
    json_decref(reply);
    reply = ask("\"explain\":false");
    ck_assert_ptr_null(parameter(reply, "explain"));
    json_decref(reply);
    oip_tear_down();
}
END_TEST

START_TEST(a_budget_ends_a_route_before_it_is_passed)
{
    char members[64];
    oip_set_up_route(CASCADE("2"));
    json_t *reply = ask("");
    json_int_t both = json_integer_value(parameter(reply, "madds"));
    json_decref(reply);
    snprintf(members, sizeof members, "\"max_madds\":%lld", (long long)both);
    reply = ask(members);
    says(reply, "experts", "e0,e1");
    json_decref(reply);
    snprintf(members, sizeof members, "\"max_madds\":%lld",
             (long long)both - 1);
    reply = ask(members);
    ck_assert_int_lt(json_integer_value(parameter(reply, "madds")), both);
    ck_assert_ptr_null(
        strchr(json_string_value(parameter(reply, "experts")), ','));
    json_decref(reply);
    oip_tear_down();
}
END_TEST

START_TEST(an_ensembles_answer_is_of_several)
{
    oip_set_up_route(
        "{\"kind\":\"ensemble\",\"members\":[" LEAF("e0") "," LEAF("e2") "]}");
    json_t *reply = oip_infer(d0, 3, false, "", "");
    says(reply, "experts", "e0,e2");
    says(reply, "exit", "several");
    json_decref(reply);
    oip_tear_down();
}
END_TEST

START_TEST(explain_is_a_boolean)
{
    oip_set_up_route(CASCADE("0"));
    char *body = oip_make_body(1, false, "\"parameters\":{\"explain\":1},", "");
    oip_fails(d0, body, 400, "parameters.explain: expected true or false");
    sy_free(body);
    oip_tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oip_routes");
    TCase *tc = tcase_create("all");
    tcase_add_loop_test(tc, a_cascade_tells_where_it_ended_and_why, 0, 2);
    tcase_add_test(tc, a_budget_ends_a_route_before_it_is_passed);
    tcase_add_test(tc, an_ensembles_answer_is_of_several);
    tcase_add_test(tc, explain_is_a_boolean);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
