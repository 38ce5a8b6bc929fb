/*
 * test_oip_routes.c - what answers tell of their routes, and budgets.
 */
#include <stdio.h>
#include <stdlib.h>
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

/* Asks d0 with that deadline; the reply, whose status is the expected one. */
static json_t *ask_until(json_int_t deadline_us, int expected)
{
    char before[96];
    snprintf(before, sizeof before, "\"parameters\":{\"deadline_us\":%lld},",
             (long long)deadline_us);
    char *body = oip_make_body(1, false, before, "");
    json_t *reply = oip_ask(SRV_POST, d0, body, expected);
    sy_free(body);
    return reply;
}

/* The number behind these words in the reply's error. */
static json_int_t number_behind(json_t *reply, const char *words)
{
    const char *text = json_string_value(json_object_get(reply, "error"));
    const char *at = text != NULL ? strstr(text, words) : NULL;
    ck_assert_msg(at != NULL, "%s", text);
    return strtoll(at + strlen(words), NULL, 10);
}

START_TEST(a_deadline_is_a_budget_and_the_answer_tells_it)
{
    oip_set_up_timed(CASCADE("2"), -1);
    json_t *reply = ask("");
    json_int_t both = json_integer_value(parameter(reply, "madds"));
    ck_assert_ptr_null(parameter(reply, "max_madds"));
    json_decref(reply);
    json_int_t us = 26000000 + both * 100;
    reply = ask_until(us, 200);
    json_int_t most = json_integer_value(parameter(reply, "max_madds"));
    says(reply, "experts", "e0,e1");
    ck_assert_int_ge(most, both);
    json_decref(reply);
    /* 100 us are a multiply-add: so much less, and the second cannot run. */
    us -= (most - both) * 100 + 150;
    for (int i = 0; i < 2; i++) {
        reply = ask_until(us, 200);
        most = json_integer_value(parameter(reply, "max_madds"));
        ck_assert_int_lt(most, both);
        ck_assert_int_ge(most, both - 3);
        ck_assert_int_le(json_integer_value(parameter(reply, "madds")), most);
        ck_assert_ptr_null(
            strchr(json_string_value(parameter(reply, "experts")), ','));
        json_decref(reply);
    }
    oip_tear_down();
}
END_TEST

START_TEST(a_deadline_before_the_cheapest_expert_is_refused_with_its_time)
{
    oip_set_up_timed(CASCADE("2"), -1);
    json_t *reply = ask_until(1, 400);
    json_int_t least_us = number_behind(reply, "the cheapest takes ");
    json_decref(reply);
    json_decref(ask_until(least_us, 200));
    json_decref(ask_until(least_us - 1000, 400));
    oip_tear_down();
}
END_TEST

START_TEST(a_deadline_without_a_domain_pays_for_the_gate_and_any_answer)
{
    static const char net[] = "/v2/models/net/infer";
    char before[96];
    oip_set_up_timed(NULL, 0);
    char *body =
        oip_make_body(1, false, "\"parameters\":{\"deadline_us\":1},", "");
    json_t *reply = oip_ask(SRV_POST, net, body, 400);
    json_int_t least_us = number_behind(reply, "expected at least ");
    json_decref(reply);
    sy_free(body);
    snprintf(before, sizeof before, "\"parameters\":{\"deadline_us\":%lld},",
             (long long)least_us);
    reply = oip_infer(net, 1, false, before, "");
    ck_assert_int_ge(json_integer_value(parameter(reply, "max_madds")),
                     json_integer_value(parameter(reply, "madds")));
    json_decref(reply);
    oip_tear_down();
}
END_TEST

START_TEST(without_a_table_a_deadline_is_no_budget)
{
    oip_set_up_route(CASCADE("2"));
    json_t *reply = ask_until(50000000, 200);
    says(reply, "experts", "e0,e1");
    ck_assert_ptr_null(parameter(reply, "max_madds"));
    json_decref(reply);
    oip_tear_down();
}
END_TEST

/* What d0 costs with that setting, and what the answer says was allowed. */
static json_int_t cost(int percent, bool pressed, json_int_t *allowed)
{
    struct srv_reply reply;
    char *body = oip_make_body(1, false, "", "");
    atomic_store(&oip_server.degrade_percent, percent);
    oip_pressed = pressed;
    ck_assert_int_eq(
        oip_ask_bytes(SRV_POST, d0, NULL, body, strlen(body), &reply), 200);
    json_t *root = json_loadb(reply.body, reply.body_bytes, 0, NULL);
    json_int_t madds = json_integer_value(parameter(root, "madds"));
    *allowed = json_integer_value(parameter(root, "degraded"));
    const struct srv_header *last = &reply.header[reply.header_count - 1];
    ck_assert_int_eq(strcmp(last->name, "Switchyard-Degraded") == 0,
                     *allowed != 0);
    ck_assert_int_eq(reply.facts.degraded_madds, *allowed);
    json_decref(root);
    srv_reply_release(&reply);
    sy_free(body);
    oip_pressed = false;
    return madds;
}

START_TEST(a_server_under_pressure_answers_for_less_and_says_so)
{
    json_int_t allowed;
    oip_set_up_route(CASCADE("2"));
    json_int_t whole = cost(0, true, &allowed);
    ck_assert_int_eq(allowed, 0);
    ck_assert_int_eq(cost(99, false, &allowed), whole);
    ck_assert_int_eq(allowed, 0);
    json_int_t less = cost(99, true, &allowed);
    ck_assert_int_lt(less, whole);
    ck_assert_int_le(less, allowed);
    ck_assert_int_eq(allowed, whole * 99 / 100);
    /* Never less than the cheapest answer. */
    json_int_t least = cost(1, true, &allowed);
    ck_assert_int_eq(least, allowed);
    ck_assert_int_le(least, less);
    oip_tear_down();
}
END_TEST

START_TEST(a_route_of_one_expert_is_never_degraded)
{
    json_int_t allowed;
    oip_set_up();
    json_int_t whole = cost(0, false, &allowed);
    ck_assert_int_eq(cost(1, true, &allowed), whole);
    ck_assert_int_eq(allowed, 0);
    oip_tear_down();
}
END_TEST

START_TEST(a_requests_own_lower_budget_is_no_degradation)
{
    char members[64];
    json_int_t allowed;
    oip_set_up_route(CASCADE("2"));
    json_int_t least = cost(1, true, &allowed);
    oip_pressed = true;
    snprintf(members, sizeof members, "\"max_madds\":%lld", (long long)least);
    json_t *reply = ask(members);
    ck_assert_ptr_null(parameter(reply, "degraded"));
    json_decref(reply);
    oip_pressed = false;
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
    tcase_add_test(tc, a_deadline_is_a_budget_and_the_answer_tells_it);
    tcase_add_test(
        tc, a_deadline_before_the_cheapest_expert_is_refused_with_its_time);
    tcase_add_test(
        tc, a_deadline_without_a_domain_pays_for_the_gate_and_any_answer);
    tcase_add_test(tc, without_a_table_a_deadline_is_no_budget);
    tcase_add_test(tc, a_server_under_pressure_answers_for_less_and_says_so);
    tcase_add_test(tc, a_route_of_one_expert_is_never_degraded);
    tcase_add_test(tc, a_requests_own_lower_budget_is_no_degradation);
    tcase_add_test(tc, an_ensembles_answer_is_of_several);
    tcase_add_test(tc, explain_is_a_boolean);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
