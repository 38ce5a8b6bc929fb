/*
 * test_route_walk.c - asking a route by hand: what it wants, when it has its
 * answer, what a budget leaves of it.
 */
#include <math.h>
#include <string.h>

#include "runtime/network/network.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

enum { MAIN = 0, SECOND = 1, CLASSES = 3 };

#define LEAF(name) "{\"kind\":\"expert\",\"expert\":\"" name "\"}"

static struct sy_error err;
static struct sy_network *network;
static struct sy_route *route;
static float room[SY_ROUTE_MAX_NODES * CLASSES];
static const float sure[] = {0.0625f, 0.875f, 0.0625f};
static const float unsure[] = {0.25f, 0.25f, 0.5f};

static void setup(void)
{
    network = sy_small_network(1);
}

static void teardown(void)
{
    sy_route_free(route);
    sy_network_free(network);
}

static void read(const char *text)
{
    json_t *json;
    sy_check_ok(sy_json_parse(text, strlen(text), "m", &json, &err), err);
    sy_check_ok(sy_route_from_json(&route, json, network, 0, "m", "", &err),
                err);
    json_decref(json);
}

/* A walk on which nothing has run. */
static struct sy_route_walk walk_of(int64_t max_madds)
{
    return (struct sy_route_walk){
        .network = network, .max_madds = max_madds, .room = room};
}

static void has_run(struct sy_route_walk *walk, int expert, const float *answer)
{
    walk->answer[walk->ran.count] = answer;
    sy_route_add_expert(&walk->ran, expert);
}

static int64_t cost(int expert)
{
    return sy_network_path_cost(network, &network->expert[expert].path, 0)
        .madds;
}

static const char cascade_text[] =
    "{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"confidence\","
    "\"threshold\":0.875,\"route\":" LEAF("main") "},{\"route\":" LEAF(
        "second") "}]}";

START_TEST(a_cascade_goes_on_until_an_answer_reaches_the_threshold)
{
    struct sy_route_walk walk = walk_of(0);
    const float *answer = NULL;
    read(cascade_text);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    ck_assert_int_eq(walk.wanted.count, 1);
    ck_assert_int_eq(walk.wanted.expert[0], MAIN);
    ck_assert_int_eq(walk.decision_count, 0);

    has_run(&walk, MAIN, sure); /* 0.875 is enough: at the threshold */
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
    ck_assert_ptr_eq(answer, sure);
    ck_assert_int_eq(walk.wanted.count, 0);
    ck_assert_int_eq(walk.decision_count, 1);
    ck_assert(walk.decision[0].ended && walk.decision[0].value == 0.875);

    walk.answer[0] = unsure;
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    ck_assert_int_eq(walk.wanted.expert[0], SECOND);
    ck_assert(!walk.decision[0].ended && walk.decision[0].value == 0.5);
    has_run(&walk, SECOND, unsure);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
    ck_assert_ptr_eq(answer, unsure);
    ck_assert_int_eq(walk.decision_count, 1);
}
END_TEST

START_TEST(a_stage_that_may_reject_ends_with_the_background_only)
{
    struct sy_route_walk walk = walk_of(0);
    const float *answer = NULL;
    const float nothing[] = {0.75f, 0.125f, 0.125f};
    const float at[] = {0.5f, 0.375f, 0.125f};
    read("{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"reject\","
         "\"background\":\"one\",\"threshold\":0.5,\"route\":" LEAF(
             "main") "},{\"route\":" LEAF("second") "}]}");
    has_run(&walk, MAIN, nothing);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
    ck_assert(walk.decision[0].value == 0.25 && walk.decision[0].ended);
    walk.answer[0] = at; /* what ties with the threshold is looked at */
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    walk.answer[0] = sure; /* however sure of another class */
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
}
END_TEST

START_TEST(an_answer_that_is_no_number_never_ends_a_cascade)
{
    struct sy_route_walk walk = walk_of(0);
    const float *answer = NULL;
    const float broken[] = {1.0f, NAN, 0.0f};
    read("{\"kind\":\"cascade\",\"stages\":[{\"exit\":\"margin\","
         "\"threshold\":0,\"route\":" LEAF("main") "},{\"route\":" LEAF(
             "second") "}]}");
    has_run(&walk, MAIN, broken);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    walk.answer[0] = unsure;
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
}
END_TEST

START_TEST(an_ensemble_wants_all_at_once_and_weighs_them)
{
    struct sy_route_walk walk = walk_of(0);
    const float *answer = NULL;
    read("{\"kind\":\"ensemble\",\"members\":[" LEAF("main") "," LEAF(
        "second") "],\"weights\":[3,1]}");
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    ck_assert_int_eq(walk.wanted.count, 2);
    has_run(&walk, MAIN, sure);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    ck_assert_int_eq(walk.wanted.count, 1);
    has_run(&walk, SECOND, unsure);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
    /* (3 * 0.875 + 0.25) / 4, (3 * 0.0625 + 0.5) / 4 */
    ck_assert(answer[1] == 0.71875f && answer[2] == 0.171875f);
}
END_TEST

START_TEST(a_budget_leaves_what_it_pays_for)
{
    const float *answer = NULL;
    int64_t both;
    read(cascade_text);
    struct sy_route_experts all = sy_route_all_experts(route);
    both = sy_route_union_madds(network, &all);
    ck_assert_int_eq(sy_route_least_madds(route, network),
                     cost(MAIN) < cost(SECOND) ? cost(MAIN) : cost(SECOND));

    struct sy_route_walk walk = walk_of(both);
    has_run(&walk, MAIN, unsure);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_WAITS);
    ck_assert(!walk.cut);
    walk.max_madds = both - 1; /* the second stage cannot be paid */
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_ANSWERED);
    ck_assert_ptr_eq(answer, unsure);
    ck_assert(walk.cut);

    walk = walk_of(1);
    ck_assert_int_eq(sy_route_ask(route, &walk, &answer), SY_ROUTE_NOTHING);
    ck_assert_int_eq(walk.wanted.count, 0);
}
END_TEST

START_TEST(what_experts_share_is_paid_once)
{
    struct sy_route_experts all = {0};
    int stages = sy_network_stages(network);
    int64_t sum = 0;
    sy_route_add_expert(&all, MAIN);
    ck_assert_int_eq(sy_route_union_madds(network, &all), cost(MAIN));
    sy_route_add_expert(&all, SECOND);
    /* They part after the stem and never meet again: 0:0 and 1:1. */
    sum = cost(MAIN) + cost(SECOND) - network->unit[network->stem].cost.madds;
    ck_assert_int_eq(sy_route_union_madds(network, &all), sum);
    /* On the same blocks they are one lane to the end. */
    network->expert[SECOND].path = network->expert[MAIN].path;
    ck_assert_int_eq(sy_route_union_madds(network, &all), cost(MAIN));
    ck_assert_int_gt(stages, 3);
}
END_TEST

START_TEST(decisions_are_told_in_words)
{
    struct sy_route_walk walk = walk_of(0);
    const float *answer = NULL;
    read(cascade_text);
    has_run(&walk, MAIN, unsure);
    (void)sy_route_ask(route, &walk, &answer);
    struct sy_route_taken taken = {.decision_count = walk.decision_count};
    memcpy(taken.decision, walk.decision, sizeof walk.decision);
    json_t *told = sy_route_explain(route, network, &taken);
    json_t *expected = json_loads(
        "[{\"kind\":\"cascade\",\"node\":0,\"child\":0,\"exit\":\"confidence\","
        "\"value\":0.5,\"threshold\":0.875,\"ended\":false}]",
        0, NULL);
    ck_assert(json_equal(told, expected));
    json_decref(told);
    json_decref(expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route walk");
    TCase *tc = tcase_create("route walk");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_cascade_goes_on_until_an_answer_reaches_the_threshold);
    tcase_add_test(tc, a_stage_that_may_reject_ends_with_the_background_only);
    tcase_add_test(tc, an_answer_that_is_no_number_never_ends_a_cascade);
    tcase_add_test(tc, an_ensemble_wants_all_at_once_and_weighs_them);
    tcase_add_test(tc, a_budget_leaves_what_it_pays_for);
    tcase_add_test(tc, what_experts_share_is_paid_once);
    tcase_add_test(tc, decisions_are_told_in_words);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
