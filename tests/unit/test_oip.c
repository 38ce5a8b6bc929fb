/*
 * test_oip.c - the protocol's handlers over a real network, without HTTP.
 */
#include <stdio.h>
#include <string.h>

#include "domains/image/image.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/protocol/text.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

START_TEST(server_and_health_answer)
{
    json_decref(oip_ask(SRV_GET, "/v2", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v2/", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v2/health/live", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v2/health/ready", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v2/models/net/ready", NULL, 200));
    json_decref(
        oip_ask(SRV_GET, "/v2/models/net.d1/versions/1/ready", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v2/models/none/ready", NULL, 404));
    atomic_store(&oip_server.draining, true);
    json_decref(oip_ask(SRV_GET, "/v2/health/ready", NULL, 503));
    json_decref(oip_ask(SRV_GET, "/v2/health/live", NULL, 200));
}
END_TEST

START_TEST(readiness_comes_with_the_state_of_every_domain)
{
    static const char *const names[] = {"net", "net.d0", "net.d1", "net.d2"};
    for (int draining = 0; draining < 2; draining++) {
        atomic_store(&oip_server.draining, draining == 1);
        json_t *json = oip_ask(SRV_GET, "/v2/health/ready", NULL,
                               draining == 1 ? 503 : 200);
        ck_assert_int_eq(json_is_true(json_object_get(json, "ready")),
                         draining == 0);
        ck_assert_int_eq(json_object_get(json, "error") != NULL, draining);
        json_t *models = json_object_get(json, "models");
        ck_assert_uint_eq(json_array_size(models), 4);
        for (size_t i = 0; i < 4; i++) {
            json_t *model = json_array_get(models, i);
            ck_assert_str_eq(json_string_value(json_object_get(model, "name")),
                             names[i]);
            ck_assert_str_eq(json_string_value(json_object_get(model, "state")),
                             "READY");
        }
        json_decref(json);
    }
}
END_TEST

START_TEST(a_network_appears_as_a_model_per_domain_and_as_one)
{
    json_t *json = oip_ask(SRV_GET, "/v2/models", NULL, 200);
    json_t *models = json_object_get(json, "models");
    ck_assert_uint_eq(json_array_size(models), 4);
    ck_assert_str_eq(json_string_value(json_array_get(models, 0)), "net");
    ck_assert_str_eq(json_string_value(json_array_get(models, 3)), "net.d2");
    json_decref(json);
    json = oip_ask(SRV_GET, "/v2/models/net.d0/versions/1", NULL, 200);
    json_t *in = json_array_get(json_object_get(json, "inputs"), 0);
    json_t *dims = json_object_get(in, "shape");
    ck_assert_int_eq(json_integer_value(json_array_get(dims, 0)), -1);
    ck_assert_int_eq(json_integer_value(json_array_get(dims, 1)), oip_shape.h);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "outputs")), 2);
    json_decref(json);
    json = oip_ask(SRV_GET, "/v2/models/net", NULL, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "outputs")), 3);
    json_decref(json);
    json_decref(oip_ask(SRV_GET, "/v2/models/net.d0/versions/2", NULL, 404));
    json_decref(oip_ask(SRV_GET, "/v2/models/net.d9", NULL, 404));
    json_decref(oip_ask(SRV_GET, "/v2/models/other.d0", NULL, 404));
}
END_TEST

START_TEST(floats_of_pixels_over_255_give_the_bits_of_the_bytes)
{
    json_t *bytes = oip_infer("/v2/models/net.d0/infer", 3, false, "", "");
    json_t *floats = oip_infer("/v2/models/net.d0/infer", 3, true, "", "");
    ck_assert(json_equal(json_object_get(bytes, "outputs"),
                         json_object_get(floats, "outputs")));
    ck_assert_uint_eq(json_array_size(oip_output(bytes, 0, "probabilities")),
                      (size_t)(3 * oip_classes));
    json_decref(bytes);
    json_decref(floats);
}
END_TEST

START_TEST(an_image_does_not_depend_on_how_many_come_with_it)
{
    /* 17 images are five batches of four or less; the first image of each
       request is the same. */
    json_t *one = oip_infer("/v2/models/net.d0/infer", 1, false, "", "");
    json_t *many = oip_infer("/v2/models/net.d0/infer", 17, false, "", "");
    json_t *a = oip_output(one, 1, "logits");
    json_t *b = oip_output(many, 1, "logits");
    for (int k = 0; k < oip_classes; k++) {
        ck_assert(json_equal(json_array_get(a, (size_t)k),
                             json_array_get(b, (size_t)k)));
    }
    json_decref(one);
    json_decref(many);
}
END_TEST

START_TEST(outputs_are_selected_and_the_id_comes_back)
{
    json_t *json =
        oip_infer("/v2/models/net.d1/infer", 1, false, "\"id\":\"a\\\"b\",",
                  ",\"outputs\":[{\"name\":\"logits\"}]");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "outputs")), 1);
    oip_output(json, 0, "logits");
    ck_assert_str_eq(json_string_value(json_object_get(json, "id")), "a\"b");
    ck_assert_str_eq(json_string_value(json_object_get(json, "model_name")),
                     "net.d1");
    ck_assert_str_eq(json_string_value(json_object_get(json, "model_version")),
                     "1");
    json_t *parameters = json_object_get(json, "parameters");
    ck_assert_str_eq(json_string_value(json_object_get(parameters, "domain")),
                     "d1");
    ck_assert_int_gt(json_integer_value(json_object_get(parameters, "madds")),
                     0);
    json_decref(json);
}
END_TEST

START_TEST(the_whole_network_answers_when_it_is_told_the_domain)
{
    json_t *json =
        oip_infer("/v2/models/net/infer", 2, false,
                  "\"parameters\":{\"domain\":\"d0\",\"other\":1},", "");
    json_t *domains = oip_output(json, 0, "domain");
    ck_assert_str_eq(json_string_value(json_array_get(domains, 1)), "d0");
    ck_assert_uint_eq(json_array_size(oip_output(json, 1, "label")), 2);
    ck_assert_uint_eq(json_array_size(oip_output(json, 2, "probability")), 2);
    json_decref(json);
    char *body = oip_make_body(1, false, "", "");
    oip_fails("/v2/models/net/infer", body, 400, "no root gate");
    sy_free(body);
    body = oip_make_body(1, false, "\"parameters\":{\"domain\":\"x\"},", "");
    oip_fails("/v2/models/net/infer", body, 400, "it has d0, d1, d2");
    sy_free(body);
}
END_TEST

static const char *first_text(json_t *reply, size_t index, const char *name)
{
    return json_string_value(json_array_get(oip_output(reply, index, name), 0));
}

static double first_number(json_t *reply, size_t index, const char *name)
{
    return json_number_value(json_array_get(oip_output(reply, index, name), 0));
}

START_TEST(the_root_gate_finds_the_domain_that_a_request_leaves_open)
{
    char named[64];
    oip_tear_down();
    oip_set_up_root(0.0);
    json_t *found = oip_infer("/v2/models/net/infer", 1, false, "", "");
    const char *domain = first_text(found, 0, "domain");
    snprintf(named, sizeof named, "\"parameters\":{\"domain\":\"%s\"},",
             domain);
    json_t *told = oip_infer("/v2/models/net/infer", 1, false, named, "");
    ck_assert_str_eq(first_text(found, 1, "label"),
                     first_text(told, 1, "label"));
    ck_assert(first_number(found, 2, "probability") ==
              first_number(told, 2, "probability"));
    json_t *parameters = json_object_get(found, "parameters");
    ck_assert_str_eq(json_string_value(json_object_get(parameters, "domain")),
                     domain);
    ck_assert_int_gt(json_integer_value(json_object_get(parameters, "madds")),
                     json_integer_value(json_object_get(
                         json_object_get(told, "parameters"), "madds")));
    json_decref(found);
    json_decref(told);
    /* More images than a batch takes, each with a domain of its own. */
    json_t *many = oip_infer("/v2/models/net/infer", 9, false, "", "");
    ck_assert_uint_eq(json_array_size(oip_output(many, 0, "domain")), 9);
    json_decref(many);
    char *body =
        oip_make_body(1, false, "\"parameters\":{\"max_madds\":10},", "");
    oip_fails("/v2/models/net/infer", body, 400,
              "without a domain it has to pay for an answer of any");
    sy_free(body);
}
END_TEST

START_TEST(the_root_gate_may_abstain)
{
    oip_tear_down();
    oip_set_up_root(1.0);
    json_t *reply = oip_infer("/v2/models/net/infer", 2, false, "", "");
    json_t *parameters = json_object_get(reply, "parameters");
    ck_assert_str_eq(first_text(reply, 0, "domain"), "");
    ck_assert_str_eq(first_text(reply, 1, "label"), "");
    double sure = first_number(reply, 2, "probability");
    ck_assert(sure > 0.0 && sure < 1.0);
    ck_assert_str_eq(json_string_value(json_object_get(parameters, "experts")),
                     "");
    json_decref(reply);
    json_t *told = oip_infer("/v2/models/net.d1/infer", 1, false, "", "");
    ck_assert_uint_gt(json_array_size(oip_output(told, 0, "probabilities")), 1);
    json_decref(told);
}
END_TEST

START_TEST(bad_requests_are_400_and_say_what_is_wrong)
{
    char shape_text[64];
    snprintf(shape_text, sizeof shape_text, "[1,%d,%d,3]", oip_shape.h,
             oip_shape.w);
    static const struct {
        const char *before, *shape, *rest, *says;
    } cases[] = {
        {"", NULL, "\"datatype\":\"UINT8\",\"data\":[1,2]}]}", "fewer"},
        {"", NULL, "\"datatype\":\"UINT8\",\"data\":7}]}", "data"},
        {"", NULL, "\"datatype\":\"UINT8\"}]}", "missing"},
        {"", NULL, "\"datatype\":\"INT8\",\"data\":[1]}]}", "datatype"},
        {"", "[1,2,3]", "\"datatype\":\"UINT8\",\"data\":[1]}]}",
         "found [1,2,3]"},
        {"", "[0,1,1,3]", "\"datatype\":\"UINT8\",\"data\":[]}]}", "shape"},
        {"", "[1,1,1,3.0]", "\"datatype\":\"UINT8\",\"data\":[]}]}", "shape"},
        {"", "7", "\"datatype\":\"UINT8\",\"data\":[]}]}", "shape"},
        {"\"id\":7,", NULL, "\"datatype\":\"UINT8\",\"data\":[1]}]}", "id"},
        {"\"parameters\":{\"a\":[]},", NULL,
         "\"datatype\":\"UINT8\",\"data\":[1]}]}", "parameters.a"},
        {"\"id\":\"a\",\"id\":\"b\",", NULL,
         "\"datatype\":\"UINT8\",\"data\":[1]}]}", "id"},
        {"", NULL, "\"datatype\":\"UINT8\",\"data\":[1]}]", "request body"},
        {"\"outputs\":[{\"name\":\"x\"}],", NULL,
         "\"datatype\":\"UINT8\",\"data\":[1]}]}", "unexpected"},
        {"\"outputs\":[{\"name\":\"logits\"},{\"name\":\"logits\"}],", NULL,
         "\"datatype\":\"UINT8\",\"data\":[1]}]}", "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{%s\"inputs\":[{\"name\":\"image\",\"shape\":%s,%s",
                 cases[i].before,
                 cases[i].shape == NULL ? shape_text : cases[i].shape,
                 cases[i].rest);
        oip_fails("/v2/models/net.d0/infer", body, 400, cases[i].says);
    }
    oip_fails("/v2/models/net.d0/infer", "", 400, "request body");
    oip_fails("/v2/models/net.d0/infer", "[]", 400, "object");
    oip_fails("/v2/models/net.d0/infer", "{}", 400, "inputs");
    oip_fails("/v2/models/net.d0/infer", "{\"inputs\":[{},{}]}", 400, "inputs");
    oip_fails("/v2/models/net.d0/infer", "{\"inputs\":[{\"name\":\"x\"}]}", 400,
              "unexpected inference input 'x'");
}
END_TEST

START_TEST(pixels_outside_their_range_are_refused_by_index)
{
    static const struct {
        const char *value, *says;
    } cases[] = {{"1.002", "element 4"}, {"-0.002", "element 4"},
                 {"NaN", "element 4"},   {"Infinity", "element 4"},
                 {"1e39", "element 4"},  {"x", "element 4"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = oip_make_body(1, true, "", "");
        char *data = strstr(body, "\"data\":[") + strlen("\"data\":[");
        char *rest = data;
        for (int n = 0; n < 5; n++) {
            rest = strchr(rest, ',') + 1;
        }
        struct srv_text changed = {0};
        srv_text_add(&changed, body, (size_t)(data - body));
        srv_text_printf(&changed, "0,0,0,0,%s,%s", cases[i].value, rest);
        oip_fails("/v2/models/net.d0/infer", changed.data, 400, cases[i].says);
        srv_text_release(&changed);
        sy_free(body);
    }
}
END_TEST

START_TEST(too_many_images_and_shared_memory_are_refused)
{
    char *body = oip_make_body(65, false, "", "");
    oip_fails("/v2/models/net.d0/infer", body, 400, "65 images");
    sy_free(body);
    body = oip_make_body(1, false,
                         "\"outputs\":[{\"name\":\"logits\",\"parameters\":"
                         "{\"shared_memory_region\":\"a\"}}],",
                         "");
    oip_fails("/v2/models/net.d0/infer", body, 501, "shared memory");
    sy_free(body);
}
END_TEST

START_TEST(a_domain_other_than_the_models_own_is_refused)
{
    char *body =
        oip_make_body(1, false, "\"parameters\":{\"domain\":\"d1\"},", "");
    json_decref(oip_ask(SRV_POST, "/v2/models/net.d1/infer", body, 200));
    oip_fails("/v2/models/net.d0/infer", body, 400, "'d0' only");
    oip_fails("/v1/classify/net.d0?domain=d1", "x", 400, "'d0' only");
    sy_free(body);
}
END_TEST

START_TEST(a_short_text_that_claims_many_images_takes_no_memory)
{
    char body[256];
    oip_server.max_images = 1 << 30;
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"image\",\"shape\":[1000000000,%d,%d,3],"
             "\"datatype\":\"UINT8\",\"data\":[1,2,3]}]}",
             oip_shape.h, oip_shape.w);
    oip_fails("/v2/models/net.d0/infer", body, 400, "fewer");
}
END_TEST

START_TEST(a_picture_is_classified_like_its_pixels)
{
    struct dom_image image = {.height = oip_shape.h,
                              .width = oip_shape.w,
                              .channels = 3,
                              .pixels = sy_alloc(sy_shape_floats(oip_shape))};
    for (size_t i = 0; i < sy_shape_floats(oip_shape); i++) {
        image.pixels[i] = (uint8_t)(i * 7 % 256);
    }
    struct sy_error err = {0};
    const char *path = sy_check_path("x.png");
    sy_check_ok(dom_image_save_png(&image, path, &err), err);
    dom_image_release(&image);
    char *data;
    size_t bytes;
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    struct srv_reply reply;
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v1/classify/net.d0", NULL, data,
                                   bytes, &reply),
                     200);
    json_t *json;
    sy_check_ok(
        sy_json_parse(reply.body, reply.body_bytes, "reply", &json, &err), err);
    json_t *same = oip_infer("/v2/models/net/infer", 1, false,
                             "\"parameters\":{\"domain\":\"d0\"},", "");
    ck_assert(json_equal(json_object_get(json, "label"),
                         json_array_get(oip_output(same, 1, "label"), 0)));
    ck_assert(
        json_equal(json_object_get(json, "probability"),
                   json_array_get(oip_output(same, 2, "probability"), 0)));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "top")), 5);
    srv_reply_release(&reply);
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v1/classify/net?domain=d0", NULL,
                                   data, bytes, &reply),
                     200);
    srv_reply_release(&reply);
    ck_assert_int_eq(
        oip_ask_bytes(SRV_POST, "/v1/classify/net", NULL, data, bytes, &reply),
        400);
    srv_reply_release(&reply);
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v1/classify/net.d0", NULL, data,
                                   bytes / 2, &reply),
                     400);
    srv_reply_release(&reply);
    oip_fails("/v1/classify/net.d0", "no picture", 400, "request body");
    oip_fails("/v1/classify/net.d0", "", 400, "found nothing");
    json_decref(json);
    json_decref(same);
    sy_free(data);
}
END_TEST

START_TEST(networks_are_listed_with_what_they_are_made_of_and_did)
{
    json_decref(oip_infer("/v2/models/net.d2/infer", 3, false, "", ""));
    json_t *json = oip_ask(SRV_GET, "/v1/networks", NULL, 200);
    json_t *first = json_array_get(json_object_get(json, "networks"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "state")),
                     "ready");
    json_decref(json);
    json = oip_ask(SRV_GET, "/v1/networks/net", NULL, 200);
    static const char *const keys[] = {"domains", "layers", "blocks",
                                       "experts", "routes", "jaccard",
                                       "counts"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ck_assert_ptr_nonnull(json_object_get(json, keys[i]));
    }
    json_t *images = json_object_get(json_object_get(json, "counts"), "images");
    ck_assert_int_eq(json_integer_value(json_object_get(images, "d2")), 3);
    json_decref(json);
    json_decref(oip_ask(SRV_GET, "/v1/networks/none", NULL, 404));
}
END_TEST

START_TEST(the_page_is_served)
{
    struct srv_reply reply;
    ck_assert_int_eq(oip_ask_bytes(SRV_GET, "/", NULL, NULL, 0, &reply), 200);
    ck_assert_ptr_nonnull(strstr(reply.body, "<title>Switchyard</title>"));
    srv_reply_release(&reply);
}
END_TEST

START_TEST(a_stopped_engine_answers_503)
{
    srv_batcher_stop(oip_server.batcher);
    char *body = oip_make_body(1, false, "", "");
    oip_fails("/v2/models/net.d0/infer", body, 503, "stopping");
    sy_free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oip");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_test(tc, server_and_health_answer);
    tcase_add_test(tc, readiness_comes_with_the_state_of_every_domain);
    tcase_add_test(tc, a_network_appears_as_a_model_per_domain_and_as_one);
    tcase_add_test(tc, floats_of_pixels_over_255_give_the_bits_of_the_bytes);
    tcase_add_test(tc, an_image_does_not_depend_on_how_many_come_with_it);
    tcase_add_test(tc, outputs_are_selected_and_the_id_comes_back);
    tcase_add_test(tc, the_whole_network_answers_when_it_is_told_the_domain);
    tcase_add_test(tc,
                   the_root_gate_finds_the_domain_that_a_request_leaves_open);
    tcase_add_test(tc, the_root_gate_may_abstain);
    tcase_add_test(tc, bad_requests_are_400_and_say_what_is_wrong);
    tcase_add_test(tc, pixels_outside_their_range_are_refused_by_index);
    tcase_add_test(tc, too_many_images_and_shared_memory_are_refused);
    tcase_add_test(tc, a_domain_other_than_the_models_own_is_refused);
    tcase_add_test(tc, a_short_text_that_claims_many_images_takes_no_memory);
    tcase_add_test(tc, a_picture_is_classified_like_its_pixels);
    tcase_add_test(tc, networks_are_listed_with_what_they_are_made_of_and_did);
    tcase_add_test(tc, the_page_is_served);
    tcase_add_test(tc, a_stopped_engine_answers_503);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
