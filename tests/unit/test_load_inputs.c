/*
 * test_load_inputs.c - URLs, the mix of domains, and how answers are judged.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "serving/load/inputs.h"
#include "tests/support/check_main.h"

static struct srv_input input[4];
static struct srv_inputs inputs;
static json_t *labels;

/* Two domains of two inputs each, three classes. */
static void setup(void)
{
    labels = json_pack("[s, s, s]", "ant", "bee", "cat");
    memset(input, 0, sizeof input);
    for (int i = 0; i < 4; i++) {
        input[i].domain = i / 2;
        input[i].label = 1;
    }
    inputs = (struct srv_inputs){.domain_count = 2, .count = 4, .input = input};
    inputs.domain[0] = (struct srv_input_domain){
        .name = "a", .share = 0.75, .labels = labels, .first = 0, .count = 2};
    inputs.domain[1] = (struct srv_input_domain){
        .name = "b", .share = 0.25, .labels = labels, .first = 2, .count = 2};
}

static void teardown(void)
{
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < SRV_LOAD_SNAPSHOTS; k++) {
            sy_free(input[i].known[k].answer);
        }
    }
    json_decref(labels);
}

static enum srv_answer judge(int index, const char *body)
{
    return srv_inputs_judge(&inputs, index, body, strlen(body));
}

#define JSON_ANSWER(snapshot, data)                                            \
    "{\"model_name\":\"n.a\",\"parameters\":{\"snapshot\":\"" snapshot         \
    "\"},\"outputs\":[{\"name\":\"probabilities\",\"datatype\":\"FP32\","      \
    "\"shape\":[1,3],\"data\":" data "}]}"

START_TEST(the_same_bits_are_wanted_from_the_same_snapshot)
{
    inputs.format = SRV_LOAD_JSON;
    const char *first = JSON_ANSWER("1", "[0.1,0.7,0.2]");
    const char *other = JSON_ANSWER("1", "[0.1,0.7,0.20000001]");
    const char *later = JSON_ANSWER("2", "[0.6,0.3,0.1]");
    ck_assert_int_eq(judge(0, first), SRV_ANSWER_FIRST);
    ck_assert(input[0].right);
    ck_assert_int_eq(judge(0, first), SRV_ANSWER_SAME);
    ck_assert_int_eq(judge(0, other), SRV_ANSWER_OTHER);
    ck_assert_int_eq(judge(1, other), SRV_ANSWER_FIRST);
    ck_assert_int_eq(judge(0, later), SRV_ANSWER_FIRST);
    ck_assert_str_eq(input[0].known[1].snapshot, "2");
    ck_assert(!input[0].right);
    ck_assert_int_eq(judge(0, later), SRV_ANSWER_SAME);
}
END_TEST

START_TEST(answers_of_snapshots_that_take_turns_are_compared_each_with_its_own)
{
    inputs.format = SRV_LOAD_JSON;
    const char *one = JSON_ANSWER("1", "[0.1,0.7,0.2]");
    const char *two = JSON_ANSWER("1+ab", "[0.2,0.6,0.2]");
    const char *mixed = JSON_ANSWER("1", "[0.2,0.6,0.2]");
    ck_assert_int_eq(judge(0, one), SRV_ANSWER_FIRST);
    ck_assert_int_eq(judge(0, two), SRV_ANSWER_FIRST);
    ck_assert_int_eq(judge(0, one), SRV_ANSWER_SAME);
    ck_assert_int_eq(judge(0, two), SRV_ANSWER_SAME);
    ck_assert_int_eq(judge(0, mixed), SRV_ANSWER_OTHER);
    ck_assert_int_eq(srv_inputs_alike(&inputs), 0);
    ck_assert_int_eq(judge(0, JSON_ANSWER("2", "[0.1,0.7,0.2]")),
                     SRV_ANSWER_FIRST);
    ck_assert_int_eq(srv_inputs_alike(&inputs), 1);
    ck_assert_int_eq(judge(0, JSON_ANSWER("3", "[0.3,0.5,0.2]")),
                     SRV_ANSWER_FIRST);
    ck_assert_int_eq(judge(0, JSON_ANSWER("4", "[0.4,0.4,0.2]")),
                     SRV_ANSWER_FIRST);
    /* The oldest of four has been forgotten. */
    ck_assert_int_eq(judge(0, mixed), SRV_ANSWER_FIRST);
    ck_assert_int_eq(judge(0, JSON_ANSWER("4", "[0.4,0.4,0.2]")),
                     SRV_ANSWER_SAME);
}
END_TEST

START_TEST(what_is_no_answer_is_told_and_forgotten)
{
    inputs.format = SRV_LOAD_JSON;
    ck_assert_int_eq(judge(0, ""), SRV_ANSWER_NONE);
    ck_assert_int_eq(judge(0, "{\"error\":\"x\"}"), SRV_ANSWER_NONE);
    ck_assert_int_eq(judge(0, "{\"snapshot\":\"1"), SRV_ANSWER_NONE);
    ck_assert_int_eq(judge(0, JSON_ANSWER("1", "[0.1,0.7]")), SRV_ANSWER_NONE);
    ck_assert_int_eq(judge(0, JSON_ANSWER("1", "[0.1,0.7,")), SRV_ANSWER_NONE);
    ck_assert(!input[0].answered);
    ck_assert_int_eq(judge(0, JSON_ANSWER("1", "[0.1,0.7,0.2]")),
                     SRV_ANSWER_FIRST);
}
END_TEST

START_TEST(binary_answers_are_compared_to_the_last_bit)
{
    inputs.format = SRV_LOAD_BINARY;
    const char *head = "{\"parameters\":{\"snapshot\":\"7\"},\"outputs\":[{"
                       "\"name\":\"probabilities\",\"parameters\":{"
                       "\"binary_data_size\":12}}]}";
    float values[3] = {0.2f, 0.3f, 0.5f};
    char body[256];
    size_t used = strlen(head);
    memcpy(body, head, used);
    memcpy(body + used, values, sizeof values);
    used += sizeof values;
    ck_assert_int_eq(srv_inputs_judge(&inputs, 0, body, used),
                     SRV_ANSWER_FIRST);
    ck_assert(!input[0].right);
    ck_assert_int_eq(srv_inputs_judge(&inputs, 0, body, used), SRV_ANSWER_SAME);
    body[used - 4] ^= 1;
    ck_assert_int_eq(srv_inputs_judge(&inputs, 0, body, used),
                     SRV_ANSWER_OTHER);
    ck_assert_int_eq(srv_inputs_judge(&inputs, 1, body, 60), SRV_ANSWER_NONE);
}
END_TEST

START_TEST(the_time_that_a_classify_answer_tells_is_not_compared)
{
    inputs.format = SRV_LOAD_IMAGE;
    const char *one = "{\"domain\":\"a\",\"label\":\"bee\",\"probability\":0.7,"
                      "\"top\":[],\"route\":{\"us\":3},\"snapshot\":\"1\"}";
    const char *two = "{\"domain\":\"a\",\"label\":\"bee\",\"probability\":0.7,"
                      "\"top\":[],\"route\":{\"us\":4},\"snapshot\":\"1\"}";
    const char *bad = "{\"domain\":\"a\",\"label\":\"cat\",\"probability\":0.7,"
                      "\"top\":[],\"route\":{\"us\":4},\"snapshot\":\"1\"}";
    ck_assert_int_eq(judge(2, one), SRV_ANSWER_FIRST);
    ck_assert(input[2].right);
    ck_assert_int_eq(judge(2, two), SRV_ANSWER_SAME);
    ck_assert_int_eq(judge(2, bad), SRV_ANSWER_OTHER);
}
END_TEST

START_TEST(the_mix_follows_the_shares)
{
    enum { DRAWS = 100000 };
    struct sy_rng rng = sy_rng_stream(3, SY_RNG_TEST, 0, 0);
    int seen[4] = {0};
    for (int i = 0; i < DRAWS; i++) {
        seen[srv_inputs_draw(&inputs, &rng)]++;
    }
    const double wanted[4] = {0.375, 0.375, 0.125, 0.125};
    for (int i = 0; i < 4; i++) {
        ck_assert(fabs((double)seen[i] / DRAWS - wanted[i]) < 0.01);
    }
}
END_TEST

START_TEST(urls_that_point_at_a_server_are_taken)
{
    static const char *const good[][2] = {
        {"http://127.0.0.1:8000", "127.0.0.1:8000"},
        {"http://127.0.0.1:8000/", "127.0.0.1:8000"},
        {"http://127.0.0.1", "127.0.0.1:80"},
        {"http://[::1]:9", "[::1]:9"},
    };
    struct srv_wire_target target;
    struct sy_error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        sy_check_ok(srv_wire_find(&target, good[i][0], &err), err);
        ck_assert_str_eq(target.host, good[i][1]);
    }
}
END_TEST

START_TEST(other_urls_are_refused_with_an_example)
{
    static const char *const bad[] = {
        "",
        "127.0.0.1:8000",
        "https://127.0.0.1:8000",
        "http://",
        "http://:80",
        "http://127.0.0.1:",
        "http://127.0.0.1:80a",
        "http://127.0.0.1:123456",
        "http://127.0.0.1:8000/v2",
        "http://[::1",
    };
    struct srv_wire_target target;
    struct sy_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sy_check_fails(srv_wire_find(&target, bad[i], &err), SY_BAD_INPUT, err);
        ck_assert_ptr_nonnull(strstr(err.message, "http://127.0.0.1:8000"));
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("load inputs");
    TCase *tc = tcase_create("load inputs");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_same_bits_are_wanted_from_the_same_snapshot);
    tcase_add_test(
        tc,
        answers_of_snapshots_that_take_turns_are_compared_each_with_its_own);
    tcase_add_test(tc, what_is_no_answer_is_told_and_forgotten);
    tcase_add_test(tc, binary_answers_are_compared_to_the_last_bit);
    tcase_add_test(tc, the_time_that_a_classify_answer_tells_is_not_compared);
    tcase_add_test(tc, the_mix_follows_the_shares);
    tcase_add_test(tc, urls_that_point_at_a_server_are_taken);
    tcase_add_test(tc, other_urls_are_refused_with_an_example);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
