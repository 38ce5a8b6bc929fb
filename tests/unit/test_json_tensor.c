/*
 * test_json_tensor.c - cutting data arrays out, scanning them into tensors.
 */
#include "serving/protocol/json_tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static const struct srv_dims two_by_three = {.count = 2, .extent = {2, 3}};

static enum sy_status scan_f32(const char *text, float *out,
                               struct sy_error *err)
{
    struct srv_span span = {text, strlen(text)};
    return srv_tensor_f32(&span, &two_by_three, out, err);
}

static enum sy_status scan_u8(const char *text, uint8_t *out,
                              struct sy_error *err)
{
    struct srv_span span = {text, strlen(text)};
    return srv_tensor_u8(&span, &two_by_three, out, err);
}

START_TEST(flat_and_nested_arrays_give_the_same_tensor)
{
    static const char *const texts[] = {"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]",
                                        "[ [ 1 , 2 ,\n3 ],\t[4,5 , 6] ]",
                                        "[1.0,2e0,0.3e1,4,5,600e-2]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        float out[6] = {0};
        struct sy_error err = {0};
        sy_check_ok(scan_f32(texts[i], out, &err), err);
        for (int k = 0; k < 6; k++) {
            ck_assert(out[k] == (float)(k + 1));
        }
    }
}
END_TEST

START_TEST(bytes_take_whole_numbers_up_to_255_only)
{
    uint8_t out[6];
    struct sy_error err = {0};
    sy_check_ok(scan_u8("[0,255,10,1,99,100]", out, &err), err);
    ck_assert_int_eq(out[1], 255);
    static const char *const bad[] = {"[0,1,2,3,4,256]",
                                      "[0,1,2,3,4,-1]",
                                      "[0,1,2,3,4,1.0]",
                                      "[0,1,2,3,4,1e0]",
                                      "[0,1,2,3,4,01]",
                                      "[0,1,2,3,4,1000]",
                                      "[0,1,2,3,4,\"5\"]",
                                      "[0,1,2,3,4,null]",
                                      "[0,1,2,3,4,99999999999999999999]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sy_check_fails(scan_u8(bad[i], out, &err), SY_BAD_INPUT, err);
        sy_check_says(err, "element 5");
    }
}
END_TEST

/* Numbers with a comma behind them are read another way than the last. */
START_TEST(a_byte_is_read_alike_wherever_it_stands)
{
    static const char *const forms[] = {"%d", "%02d", "%03d", "%04d", "%d.0"};
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        for (int value = 0; value < 1200; value++) {
            char number[16], text[64];
            uint8_t out[6] = {0};
            struct sy_error err = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(number, sizeof number, forms[f], value);
#pragma GCC diagnostic pop
            bool whole = value < 256 && strchr(number, '.') == NULL &&
                         (number[0] != '0' || number[1] == '\0');
            for (int place = 0; place < 6; place++) {
                size_t used = 0;
                for (int i = 0; i < 6; i++) {
                    used += (size_t)snprintf(text + used, sizeof text - used,
                                             "%s%s", i == 0 ? "[" : ",",
                                             i == place ? number : "7");
                }
                (void)snprintf(text + used, sizeof text - used, "]");
                ck_assert_int_eq(scan_u8(text, out, &err),
                                 whole ? SY_OK : SY_BAD_INPUT);
                if (whole) {
                    ck_assert_int_eq(out[place], value);
                    ck_assert_int_eq(out[(place + 1) % 6], 7);
                }
            }
        }
    }
}
END_TEST

START_TEST(counts_that_differ_from_the_shape_are_refused)
{
    static const char *const bad[] = {"[]",
                                      "[[]]",
                                      "[1,2,3,4,5]",
                                      "[1,2,3,4,5,6,7]",
                                      "[[1,2,3]]",
                                      "[[1,2],[3,4],[5,6]]",
                                      "[[1,2,3,4],[5,6]]",
                                      "[[1,2,3],[4,5,6],[7,8,9]]",
                                      "[[1,2,3],[4,5,6,7]]",
                                      "[[1,2,3],[4,5]]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        float out[6];
        struct sy_error err = {0};
        sy_check_fails(scan_f32(bad[i], out, &err), SY_BAD_INPUT, err);
    }
}
END_TEST

START_TEST(nesting_that_differs_from_the_shape_is_refused)
{
    static const char *const bad[] = {
        "[[[1,2,3],[4,5,6]]]", "[[1,2,3],4,5,6]", "[1,2,3,[4,5,6]]",
        "[[1],[2],[3],[4],[5],[6]]", "[[[[[[1,2,3,4,5,6]]]]]]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        float out[6];
        struct sy_error err = {0};
        sy_check_fails(scan_f32(bad[i], out, &err), SY_BAD_INPUT, err);
    }
}
END_TEST

START_TEST(of_partial_nesting_only_the_elements_are_counted)
{
    static const struct srv_dims dims = {.count = 3, .extent = {2, 2, 2}};
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"[[1,2,3,4],[5,6,7,8]]", true},
        {"[ [1,2],[3,4],\n[5,6],[7,8]]", true},
        {"[[1,2,3,4,5,6,7,8]]", true},
        {"[[1,2,3,4,5,6,7],[8]]", true},
        {"[[1,2,3,4],[5,6,7]]", false},
        {"[[1,2,3,4],[5,6,7,8,9]]", false},
        {"[[1,2,3,4,5,6,7,8],[]]", false},
        {"[[],[1,2,3,4,5,6,7,8]]", false},
        {"[[1,2,3,4],[5,6,7,8],]", false},
        {"[[1,2,3,4][5,6,7,8]]", false},
        {"[[1,2,3,4],[5,6,7,8]", false},
        {"[[1,2,3,4]],[5,6,7,8]", false},
        {"[[1,2,3,[[[[[[[[4]]]]]]]],5,6,7,8]]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct srv_span span = {cases[i].text, strlen(cases[i].text)};
        float out[8] = {0};
        struct sy_error err = {0};
        enum sy_status status = srv_tensor_f32(&span, &dims, out, &err);
        ck_assert_msg((status == SY_OK) == cases[i].good, "%s: %s",
                      cases[i].text, err.message);
        for (int k = 0; k < 8 && status == SY_OK; k++) {
            ck_assert(out[k] == (float)(k + 1));
        }
    }
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
    static const char *const bad[] = {"[1,2,3,4,5,6",
                                      "[1,2,3,4,5,6,]",
                                      "[,1,2,3,4,5,6]",
                                      "[1 2 3 4 5 6]",
                                      "[1,2,3,4,5,6]x",
                                      "1,2,3,4,5,6",
                                      "",
                                      "[1,2,3,4,5,6}",
                                      "[1,2,,3,4,5]",
                                      "[1,2,3,4,5,6]]",
                                      "[true,1,2,3,4,5]",
                                      "[[1,2,3][4,5,6]]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        float out[6];
        struct sy_error err = {0};
        sy_check_fails(scan_f32(bad[i], out, &err), SY_BAD_INPUT, err);
    }
}
END_TEST

START_TEST(nan_and_infinity_are_scanned)
{
    float out[6];
    struct sy_error err = {0};
    sy_check_ok(scan_f32("[NaN,Infinity,-Infinity,0,-0,1]", out, &err), err);
    ck_assert(isnan(out[0]) && out[1] == INFINITY && out[2] == -INFINITY);
}
END_TEST

START_TEST(elements_of_a_shape_do_not_overflow)
{
    struct srv_dims dims = {.count = 3,
                            .extent = {SIZE_MAX / 2, 3, SIZE_MAX / 2}};
    ck_assert_uint_eq(srv_dims_elements(&dims, SIZE_MAX), 0);
    ck_assert_uint_eq(srv_dims_elements(&two_by_three, 6), 6);
    ck_assert_uint_eq(srv_dims_elements(&two_by_three, 5), 0);
}
END_TEST

static void cut(struct srv_envelope *envelope, const char *body)
{
    struct sy_error err = {0};
    sy_check_ok(srv_envelope_cut(envelope, body, strlen(body), &err), err);
}

START_TEST(data_arrays_are_cut_out_and_nothing_else)
{
    static const char *const body =
        "{\"data\":[9],\"inputs\":[{\"data\":[1,[2,\"]\"]],\"x\":[3],"
        "\"parameters\":{\"data\":[4]}},{\"d\\u0061ta\" : [5]}],"
        "\"outputs\":[{\"data\":[6]}]}";
    struct srv_envelope envelope;
    cut(&envelope, body);
    ck_assert_str_eq(envelope.text,
                     "{\"data\":[9],\"inputs\":[{\"data\":[0],\"x\":[3],"
                     "\"parameters\":{\"data\":[4]}},{\"d\\u0061ta\" : [1]}],"
                     "\"outputs\":[{\"data\":[6]}]}");
    ck_assert_int_eq(envelope.cut_count, 2);
    ck_assert_uint_eq(envelope.cut[0].bytes, strlen("[1,[2,\"]\"]]"));
    ck_assert_mem_eq(envelope.cut[1].text, "[5]", 3);
    srv_envelope_release(&envelope);
}
END_TEST

START_TEST(text_that_is_no_request_passes_uncut)
{
    static const char *const bodies[] = {
        "",
        "[",
        "]]]]",
        "{\"inputs\":{\"a\":{\"data\":[1]}}}",
        "x",
        "}}",
        "{\"inputs\":[[{\"data\":[1]}]]}",
        "\\",
        "{\"a\":{\"inputs\":[{\"data\":[1]}]}}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct srv_envelope envelope;
        cut(&envelope, bodies[i]);
        ck_assert_int_eq(envelope.cut_count, 0);
        ck_assert_str_eq(envelope.text, bodies[i]);
        srv_envelope_release(&envelope);
    }
}
END_TEST

START_TEST(arrays_and_strings_without_end_are_refused)
{
    static const char *const bodies[] = {
        "{\"inputs\":[{\"data\":[1,2", "{\"inputs\":[{\"data\":[\"]", "{\"inp",
        "{\"a\\", "{\"inputs\":[{\"data\":[[[[[[[[[[[[[[[[[[[1"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct srv_envelope envelope;
        struct sy_error err = {0};
        sy_check_fails(
            srv_envelope_cut(&envelope, bodies[i], strlen(bodies[i]), &err),
            SY_BAD_INPUT, err);
    }
}
END_TEST

START_TEST(an_envelope_that_is_too_long_or_too_deep_is_refused)
{
    size_t bytes = SRV_ENVELOPE_BYTES + 10;
    char *body = sy_alloc(bytes + 1);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', bytes);
    body[bytes] = '\0';
    struct srv_envelope envelope;
    struct sy_error err = {0};
    sy_check_fails(srv_envelope_cut(&envelope, body, bytes, &err), SY_BAD_INPUT,
                   err);
    memset(body, '{', 101);
    sy_check_fails(srv_envelope_cut(&envelope, body, 200, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "deeper");
    sy_free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_tensor");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, flat_and_nested_arrays_give_the_same_tensor);
    tcase_add_test(tc, bytes_take_whole_numbers_up_to_255_only);
    tcase_add_test(tc, a_byte_is_read_alike_wherever_it_stands);
    tcase_add_test(tc, counts_that_differ_from_the_shape_are_refused);
    tcase_add_test(tc, nesting_that_differs_from_the_shape_is_refused);
    tcase_add_test(tc, of_partial_nesting_only_the_elements_are_counted);
    tcase_add_test(tc, what_is_not_json_is_refused);
    tcase_add_test(tc, nan_and_infinity_are_scanned);
    tcase_add_test(tc, elements_of_a_shape_do_not_overflow);
    tcase_add_test(tc, data_arrays_are_cut_out_and_nothing_else);
    tcase_add_test(tc, text_that_is_no_request_passes_uncut);
    tcase_add_test(tc, arrays_and_strings_without_end_are_refused);
    tcase_add_test(tc, an_envelope_that_is_too_long_or_too_deep_is_refused);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
