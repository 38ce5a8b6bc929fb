/*
 * test_oip_tensors.c - binary tensors, classification, request parameters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "serving/protocol/text.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

static const char d0[] = "/v2/models/net.d0/infer";

/* A reply taken apart: JSON (owned) and the bytes behind it. */
struct answer {
    struct srv_reply reply;
    json_t *json;
    const char *blob;
    size_t blob_bytes;
};

static const char *header_of(const struct srv_reply *reply, const char *name)
{
    for (int i = 0; i < reply->header_count; i++) {
        if (strcmp(reply->header[i].name, name) == 0) {
            return reply->header[i].value;
        }
    }
    return NULL;
}

static void take_apart(struct answer *answer)
{
    const struct srv_reply *reply = &answer->reply;
    const char *header = header_of(reply, "Inference-Header-Content-Length");
    size_t bytes =
        header == NULL ? reply->body_bytes : strtoull(header, NULL, 10);
    struct sy_error err = {0};
    ck_assert_uint_le(bytes, reply->body_bytes);
    ck_assert_str_eq(reply->content_type, header == NULL
                                              ? "application/json"
                                              : "application/octet-stream");
    sy_check_ok(sy_json_parse(reply->body, bytes, "reply", &answer->json, &err),
                err);
    answer->blob = reply->body + bytes;
    answer->blob_bytes = reply->body_bytes - bytes;
}

static void answer_release(struct answer *answer)
{
    json_decref(answer->json);
    srv_reply_release(&answer->reply);
}

/* The test's pixels: those of oip_make_body. */
static size_t pixels(int images, bool floats, char *out)
{
    size_t count = (size_t)images * sy_shape_floats(oip_shape);
    for (size_t i = 0; i < count; i++) {
        uint8_t u = (uint8_t)(i * 7 % 256);
        float f = (float)u / 255.0f;
        memcpy(out + i * (floats ? 4 : 1), floats ? (void *)&f : (void *)&u,
               floats ? 4 : 1);
    }
    return count * (floats ? 4 : 1);
}

/* Posts JSON and binary pixels; `claim` is their binary_data_size. */
static int post(const char *raw, int images, bool floats, const char *before,
                size_t claim, size_t extra, struct srv_reply *reply)
{
    static char body[1 << 20];
    int json = snprintf(
        body, sizeof body,
        "{%s\"inputs\":[{\"name\":\"image\",\"shape\":[%d,%d,%d,3],"
        "\"datatype\":\"%s\",\"parameters\":{\"binary_data_size\":%zu}}]}",
        before, images, oip_shape.h, oip_shape.w, floats ? "FP32" : "UINT8",
        claim);
    size_t bytes = (size_t)json + pixels(images, floats, body + json);
    char header[32];
    snprintf(header, sizeof header, "%d", json);
    memset(body + bytes, 0, 16);
    return oip_ask_bytes(SRV_POST, raw, header, body, bytes + extra, reply);
}

static void post_ok(const char *raw, int images, bool floats,
                    const char *before, struct answer *answer)
{
    size_t bytes =
        (size_t)images * sy_shape_floats(oip_shape) * (floats ? 4 : 1);
    int status = post(raw, images, floats, before, bytes, 0, &answer->reply);
    ck_assert_msg(status == 200, "%d: %s", status, answer->reply.body);
    take_apart(answer);
}

START_TEST(binary_pixels_give_the_answer_of_the_same_pixels_in_json)
{
    json_t *plain = oip_infer(d0, 3, false, "", "");
    for (int floats = 0; floats < 2; floats++) {
        struct answer answer;
        post_ok(d0, 3, floats == 1, "", &answer);
        ck_assert_uint_eq(answer.blob_bytes, 0);
        ck_assert(json_equal(json_object_get(plain, "outputs"),
                             json_object_get(answer.json, "outputs")));
        answer_release(&answer);
    }
    json_decref(plain);
}
END_TEST

/* The floats of an output in JSON, held against bytes. */
static void same_floats(json_t *data, const char *bytes)
{
    for (size_t i = 0; i < json_array_size(data); i++) {
        float value;
        memcpy(&value, bytes + 4 * i, 4);
        ck_assert(value == (float)json_number_value(json_array_get(data, i)));
    }
}

START_TEST(binary_outputs_are_the_bits_of_the_json_ones_in_order)
{
    json_t *plain = oip_infer(d0, 2, false, "", "");
    struct answer answer;
    post_ok(d0, 2, false, "\"parameters\":{\"binary_data_output\":true},",
            &answer);
    size_t each = 2 * 4 * (size_t)oip_classes;
    ck_assert_uint_eq(answer.blob_bytes, 2 * each);
    same_floats(oip_output(plain, 0, "probabilities"), answer.blob);
    same_floats(oip_output(plain, 1, "logits"), answer.blob + each);
    ck_assert_ptr_null(oip_output(answer.json, 0, "probabilities"));
    json_t *out = json_array_get(json_object_get(answer.json, "outputs"), 1);
    json_t *parameters = json_object_get(out, "parameters");
    ck_assert_uint_eq(json_object_size(parameters), 1);
    ck_assert_int_eq(
        json_integer_value(json_object_get(parameters, "binary_data_size")),
        (json_int_t)each);
    answer_release(&answer);
    json_decref(plain);
}
END_TEST

START_TEST(an_outputs_own_flag_wins_over_the_requests)
{
    struct answer answer;
    post_ok(d0, 1, false,
            "\"parameters\":{\"binary_data_output\":true},\"outputs\":["
            "{\"name\":\"logits\",\"parameters\":{\"binary_data\":false}},"
            "{\"name\":\"probabilities\"}],",
            &answer);
    ck_assert_uint_eq(json_array_size(oip_output(answer.json, 0, "logits")),
                      (size_t)oip_classes);
    ck_assert_ptr_null(oip_output(answer.json, 1, "probabilities"));
    ck_assert_uint_eq(answer.blob_bytes, 4 * (size_t)oip_classes);
    answer_release(&answer);
}
END_TEST

START_TEST(texts_go_out_binary_with_their_lengths_before_them)
{
    struct answer answer;
    post_ok("/v2/models/net/infer", 1, false,
            "\"parameters\":{\"domain\":\"d1\",\"binary_data_output\":true},",
            &answer);
    json_t *plain = oip_infer("/v2/models/net/infer", 1, false,
                              "\"parameters\":{\"domain\":\"d1\"},", "");
    const char *label =
        json_string_value(json_array_get(oip_output(plain, 1, "label"), 0));
    char expected[256];
    size_t label_bytes = strlen(label);
    memcpy(expected, "\2\0\0\0d1", 6);
    memcpy(expected + 6, (char[]){(char)label_bytes, 0, 0, 0}, 4);
    memcpy(expected + 10, label, label_bytes);
    ck_assert_uint_eq(answer.blob_bytes, 10 + label_bytes + 4);
    ck_assert_mem_eq(answer.blob, expected, 10 + label_bytes);
    json_decref(plain);
    answer_release(&answer);
}
END_TEST

START_TEST(a_raw_request_is_one_image_and_its_answer_is_all_binary)
{
    static char body[1 << 16];
    size_t bytes = pixels(1, false, body);
    struct answer answer;
    ck_assert_int_eq(
        oip_ask_bytes(SRV_POST, d0, "0", body, bytes, &answer.reply), 200);
    take_apart(&answer);
    ck_assert_uint_eq(answer.blob_bytes, 2 * 4 * (size_t)oip_classes);
    json_t *plain = oip_infer(d0, 1, false, "", "");
    same_floats(oip_output(plain, 0, "probabilities"), answer.blob);
    json_decref(plain);
    answer_release(&answer);
    for (int by = -1; by <= 1; by += 2) {
        ck_assert_int_eq(oip_ask_bytes(SRV_POST, d0, "0", body,
                                       bytes + (size_t)by, &answer.reply),
                         400);
        ck_assert_ptr_nonnull(strstr(answer.reply.body, "one image of"));
        srv_reply_release(&answer.reply);
    }
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v2/models/net/infer", "0", body,
                                   bytes, &answer.reply),
                     400);
    srv_reply_release(&answer.reply);
}
END_TEST

static void post_fails(size_t claim, size_t extra, const char *before,
                       const char *says)
{
    struct srv_reply reply;
    int status = post(d0, 1, false, before, claim, extra, &reply);
    ck_assert_msg(status == 400 && strstr(reply.body, says) != NULL,
                  "expected \"%s\", found %d: %s", says, status, reply.body);
    srv_reply_release(&reply);
}

START_TEST(binary_sizes_must_fit_to_the_byte)
{
    size_t right = sy_shape_floats(oip_shape);
    post_fails(right - 1, 0, "", "unexpected size for input 'image'");
    post_fails(right + 1, 1, "", "unexpected size for input 'image'");
    post_fails(4 * right, 0, "", "unexpected size for input 'image'");
    post_fails(right, 3, "", "unexpected additional input data: 3 bytes");
    post_fails(right, (size_t)-3, "", "expecting 3 additional bytes");
    post_fails(0, 0, "", "unexpected size");
}
END_TEST

START_TEST(the_header_must_be_a_number_within_the_body)
{
    static const char *const wrong[] = {
        "-1", "+1", "1x",  "x",   " 1",
        "3",  "99", "0x2", "1e1", "18446744073709551618"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct srv_reply reply;
        ck_assert_int_eq(oip_ask_bytes(SRV_POST, d0, wrong[i], "{}", 2, &reply),
                         400);
        ck_assert_ptr_nonnull(strstr(reply.body, "Header-Content-Length"));
        srv_reply_release(&reply);
    }
    /* Triton's C++ client sends it for all-JSON requests too. */
    char *body = oip_make_body(1, false, "", "");
    char header[32];
    struct srv_reply reply;
    snprintf(header, sizeof header, "%zu", strlen(body));
    ck_assert_int_eq(
        oip_ask_bytes(SRV_POST, d0, header, body, strlen(body), &reply), 200);
    srv_reply_release(&reply);
    sy_free(body);
}
END_TEST

START_TEST(data_comes_in_one_form_only)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"image\",\"shape\":[1,%d,%d,3],"
             "\"datatype\":\"UINT8\",\"data\":[1],\"parameters\":"
             "{\"binary_data_size\":1}}]}",
             oip_shape.h, oip_shape.w);
    oip_fails(d0, body, 400, "both 'data' and");
    char *good = oip_make_body(1, false, "", "");
    struct srv_text longer = {0};
    srv_text_printf(&longer, "%sxyz", good);
    char header[32];
    struct srv_reply reply;
    snprintf(header, sizeof header, "%zu", strlen(good));
    ck_assert_int_eq(
        oip_ask_bytes(SRV_POST, d0, header, longer.data, longer.bytes, &reply),
        400);
    ck_assert_ptr_nonnull(strstr(reply.body, "unexpected additional"));
    srv_reply_release(&reply);
    srv_text_release(&longer);
    sy_free(good);
}
END_TEST

START_TEST(nesting_may_be_partial)
{
    struct srv_text body = {0};
    srv_text_printf(&body,
                    "{\"inputs\":[{\"name\":\"image\",\"shape\":[2,%d,%d,3],"
                    "\"datatype\":\"UINT8\",\"data\":[",
                    oip_shape.h, oip_shape.w);
    size_t each = sy_shape_floats(oip_shape);
    for (size_t i = 0; i < 2 * each; i++) { /* one array per image */
        srv_text_puts(&body, i == 0 ? "[" : i == each ? "],[" : ",");
        srv_text_int(&body, (int64_t)(i * 7 % 256));
    }
    srv_text_puts(&body, "]]}]}");
    json_t *nested = oip_ask(SRV_POST, d0, body.data, 200);
    json_t *flat = oip_infer(d0, 2, false, "", "");
    ck_assert(json_equal(json_object_get(flat, "outputs"),
                         json_object_get(nested, "outputs")));
    json_decref(nested);
    json_decref(flat);
    srv_text_release(&body);
}
END_TEST

START_TEST(classification_gives_the_best_as_value_index_label)
{
    json_t *json =
        oip_infer(d0, 2, false, "",
                  ",\"outputs\":[{\"name\":\"logits\",\"parameters\":"
                  "{\"classification\":2}},{\"name\":\"probabilities\"}]");
    json_t *best = oip_output(json, 0, "logits");
    json_t *first = json_array_get(json_object_get(json, "outputs"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "datatype")),
                     "BYTES");
    ck_assert_uint_eq(json_array_size(best), 4);
    json_t *rows = oip_output(json, 1, "probabilities");
    for (size_t n = 0; n < 2; n++) {
        float row[64];
        int top[2], index;
        double value;
        for (int k = 0; k < oip_classes; k++) {
            row[k] = (float)json_number_value(
                json_array_get(rows, n * (size_t)oip_classes + (size_t)k));
        }
        sy_top_classes(row, oip_classes, top, 2);
        for (size_t i = 0; i < 2; i++) {
            const char *text =
                json_string_value(json_array_get(best, 2 * n + i));
            char label[64];
            ck_assert_msg(sscanf(text, "%lf:%d:%63s", &value, &index, label) ==
                              3,
                          "%s", text);
            ck_assert_int_eq(index, top[i]);
            ck_assert_ptr_nonnull(strchr(text, '.'));
        }
    }
    json_decref(json);
    json = oip_infer(d0, 1, false, "",
                     ",\"outputs\":[{\"name\":\"probabilities\",\"parameters\":"
                     "{\"classification\":1000000}}]");
    ck_assert_uint_eq(json_array_size(oip_output(json, 0, "probabilities")),
                      (size_t)oip_classes);
    json_decref(json);
}
END_TEST

START_TEST(a_classification_goes_out_binary_too)
{
    struct answer answer;
    post_ok(d0, 1, false,
            "\"outputs\":[{\"name\":\"logits\",\"parameters\":"
            "{\"classification\":1,\"binary_data\":true}}],",
            &answer);
    uint32_t bytes;
    memcpy(&bytes, answer.blob, 4);
    ck_assert_uint_eq(answer.blob_bytes, 4 + bytes);
    ck_assert_ptr_nonnull(memchr(answer.blob + 4, ':', bytes));
    answer_release(&answer);
}
END_TEST

/* Parameters of the request (or of an output) and what must come of them. */
static const struct {
    const char *member; /* before "inputs" */
    int status;
    const char *says;
} parameter_cases[] = {
    {"\"parameters\":[],", 400, "parameters: expected an object"},
    {"\"parameters\":{\"a\":{}},", 400, "parameters.a"},
    {"\"parameters\":{\"a\":null},", 400, "parameters.a"},
    {"\"parameters\":{\"triton_x\":1},", 400, "reserved"},
    {"\"parameters\":{\"binary_data_output\":1},", 400, "true or false"},
    {"\"parameters\":{\"domain\":1},", 400, "expected a string"},
    {"\"parameters\":{\"domain\":\"d1\"},", 400, "'d0' only"},
    {"\"parameters\":{\"max_madds\":0},", 400, "max_madds: expected"},
    {"\"parameters\":{\"max_madds\":1.5},", 400, "max_madds: expected"},
    {"\"parameters\":{\"max_madds\":\"1\"},", 400, "max_madds: expected"},
    {"\"parameters\":{\"max_madds\":1},", 400, "the cheapest costs"},
    {"\"parameters\":{\"deadline_us\":0},", 400, "deadline_us"},
    {"\"parameters\":{\"deadline_us\":true},", 400, "deadline_us"},
    {"\"parameters\":{\"timeout\":-1},", 400, "timeout"},
    {"\"parameters\":{\"priority\":-1},", 400, "priority"},
    {"\"parameters\":{\"priority\":9},", 400, "from 0 to 8"},
    {"\"parameters\":{\"device\":\"tpu\"},", 400, "device"},
    {"\"parameters\":{\"device\":7},", 400, "device"},
    {"\"parameters\":{\"device\":\"cuda\"},", 501, "CPU only"},
    {"\"parameters\":{\"sequence_id\":7},", 501, "no state"},
    {"\"parameters\":{\"sequence_id\":\"x\"},", 501, "no state"},
    {"\"parameters\":{\"sequence_start\":true},", 501, "no state"},
    {"\"outputs\":[{\"name\":\"logits\",\"parameters\":"
     "{\"binary_data\":\"yes\"}}],",
     400, "true or false"},
    {"\"outputs\":[{\"name\":\"logits\",\"parameters\":"
     "{\"classification\":-1}}],",
     400, "classification"},
    {"\"outputs\":[{\"name\":\"logits\",\"parameters\":"
     "{\"shared_memory_region\":\"r\"}}],",
     501, "shared memory"},
    {"\"parameters\":{\"max_madds\":1000000000,\"deadline_us\":60000000,"
     "\"timeout\":0,\"priority\":0,\"device\":\"cpu\",\"sequence_id\":0,"
     "\"sequence_start\":false,\"domain\":\"d0\",\"my_own\":1.5},",
     200, "probabilities"},
};

START_TEST(a_parameter_is_obeyed_or_refused)
{
    const char *says = parameter_cases[_i].says;
    char *body = oip_make_body(1, false, parameter_cases[_i].member, "");
    if (parameter_cases[_i].status == 200) {
        json_t *json = oip_ask(SRV_POST, d0, body, 200);
        ck_assert_uint_eq(json_array_size(oip_output(json, 0, says)),
                          (size_t)oip_classes);
        json_decref(json);
    } else {
        oip_fails(d0, body, parameter_cases[_i].status, says);
    }
    sy_free(body);
}
END_TEST

START_TEST(max_madds_is_compared_with_what_the_expert_costs)
{
    json_t *json = oip_infer(d0, 1, false, "", "");
    json_int_t madds = json_integer_value(
        json_object_get(json_object_get(json, "parameters"), "madds"));
    json_decref(json);
    char member[64], says[64];
    snprintf(member, sizeof member, "\"parameters\":{\"max_madds\":%lld},",
             (long long)madds);
    json_decref(oip_infer(d0, 3, false, member, ""));
    snprintf(member, sizeof member, "\"parameters\":{\"max_madds\":%lld},",
             (long long)madds - 1);
    snprintf(says, sizeof says, "the cheapest costs %lld", (long long)madds);
    char *body = oip_make_body(1, false, member, "");
    oip_fails(d0, body, 400, says);
    sy_free(body);
}
END_TEST

START_TEST(classification_of_the_whole_network_is_refused)
{
    char *body = oip_make_body(1, false,
                               "\"parameters\":{\"domain\":\"d0\"},\"outputs\":"
                               "[{\"name\":\"label\",\"parameters\":"
                               "{\"classification\":1}}],",
                               "");
    oip_fails("/v2/models/net/infer", body, 400, "single domains");
    sy_free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oip_tensors");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_test(tc,
                   binary_pixels_give_the_answer_of_the_same_pixels_in_json);
    tcase_add_test(tc, binary_outputs_are_the_bits_of_the_json_ones_in_order);
    tcase_add_test(tc, an_outputs_own_flag_wins_over_the_requests);
    tcase_add_test(tc, texts_go_out_binary_with_their_lengths_before_them);
    tcase_add_test(tc, a_raw_request_is_one_image_and_its_answer_is_all_binary);
    tcase_add_test(tc, binary_sizes_must_fit_to_the_byte);
    tcase_add_test(tc, the_header_must_be_a_number_within_the_body);
    tcase_add_test(tc, data_comes_in_one_form_only);
    tcase_add_test(tc, nesting_may_be_partial);
    tcase_add_test(tc, classification_gives_the_best_as_value_index_label);
    tcase_add_test(tc, a_classification_goes_out_binary_too);
    tcase_add_loop_test(
        tc, a_parameter_is_obeyed_or_refused, 0,
        (int)(sizeof parameter_cases / sizeof parameter_cases[0]));
    tcase_add_test(tc, max_madds_is_compared_with_what_the_expert_costs);
    tcase_add_test(tc, classification_of_the_whole_network_is_refused);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
