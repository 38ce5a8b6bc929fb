/*
 * test_tf.c - TensorFlow Serving's interface over the same network.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "serving/protocol/text.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

static const char predict[] = "/v1/models/net.d0:predict";

/* A nested image: pixel i of all is (i * 7) % 256, as in oip_make_body. */
static void put_image(struct srv_text *text, int image, bool floats)
{
    size_t i = (size_t)image * sy_shape_floats(oip_shape);
    for (int y = 0; y < oip_shape.h; y++) {
        for (int x = 0; x < oip_shape.w; x++) {
            for (int c = 0; c < 3; c++, i++) {
                srv_text_puts(text, c > 0 ? "," : x > 0 ? ",[" : "");
                srv_text_puts(text, c > 0 || x > 0 ? ""
                                    : y > 0        ? ",[["
                                                   : "[[[");
                int u = (int)(i * 7 % 256);
                if (floats) {
                    srv_text_float(text, (float)u / 255.0f);
                } else {
                    srv_text_int(text, u);
                }
            }
            srv_text_puts(text, "]");
        }
        srv_text_puts(text, "]");
    }
    srv_text_puts(text, "]");
}

/* Two images between `before`, `between` and `after`. */
static char *body(const char *before, const char *between, const char *after,
                  bool floats)
{
    struct srv_text text = {0};
    srv_text_puts(&text, before);
    put_image(&text, 0, floats);
    srv_text_puts(&text, between);
    put_image(&text, 1, floats);
    srv_text_puts(&text, after);
    ck_assert(!text.failed);
    return text.data;
}

/* Both rows of both outputs are those of /v2. */
static void same_rows(json_t *found, bool rows)
{
    static const char *const names[] = {"probabilities", "logits"};
    json_t *wanted = oip_infer("/v2/models/net.d0/infer", 2, false, "", "");
    for (size_t o = 0; o < 2; o++) {
        json_t *data = oip_output(wanted, o, names[o]);
        for (size_t n = 0; n < 2; n++) {
            json_t *row =
                rows ? json_object_get(
                           json_array_get(json_object_get(found, "predictions"),
                                          n),
                           names[o])
                     : json_array_get(
                           json_object_get(json_object_get(found, "outputs"),
                                           names[o]),
                           n);
            ck_assert_uint_eq(json_array_size(row), (size_t)oip_classes);
            for (size_t k = 0; k < (size_t)oip_classes; k++) {
                ck_assert(json_equal(
                    json_array_get(row, k),
                    json_array_get(data, n * (size_t)oip_classes + k)));
            }
        }
    }
    json_decref(wanted);
}

static const struct {
    const char *before, *between, *after;
    bool floats, rows;
} forms[] = {
    {"{\"instances\":[", ",", "]}", false, true},
    {"{\"instances\":[{\"image\":", "},{\"image\":", "}]}", false, true},
    {"{\"inputs\":[", ",", "]}", false, false},
    {"{\"inputs\":{\"image\":[", ",", "]}}", false, false},
    {"{\"signature_name\":\"serving_float\",\"instances\":[", ",", "]}", true,
     true},
    {"{\"signature_name\":\"serving_float\",\"inputs\":[", ",", "]}", true,
     false},
};

START_TEST(every_form_gives_the_bits_of_an_inference)
{
    char *text = body(forms[_i].before, forms[_i].between, forms[_i].after,
                      forms[_i].floats);
    json_t *json = oip_ask(SRV_POST, predict, text, 200);
    same_rows(json, forms[_i].rows);
    json_decref(json);
    json_decref(
        oip_ask(SRV_POST, "/v1/models/net.d0/versions/1:predict", text, 200));
    sy_free(text);
}
END_TEST

static const struct oip_refusal refusals[] = {
    {predict, "", 400, "request body"},
    {predict, "{}", 400, "either"},
    {predict, "{\"instances\":[],\"inputs\":[]}", 400, "either"},
    {predict, "{\"instances\":[]}", 400, "array of images"},
    {predict, "{\"instances\":7}", 400, "array of images"},
    {predict, "{\"inputs\":{\"x\":[]}}", 400, "array of images"},
    {predict, "{\"instances\":[1,2]}", 400, "an image is an array"},
    {predict, "{\"instances\":[[[[1]]]]}", 400, "an image is an array"},
    {predict, "{\"instances\":[{\"b64\":\"\"}]}", 400, "an image is an array"},
    {predict, "{\"signature_name\":\"x\",\"instances\":[1]}", 400,
     "serving_float"},
    {predict, "{\"signature_name\":1,\"instances\":[1]}", 400, "serving_float"},
    {"/v1/models/net:predict", "{\"instances\":[1]}", 400, "whole network"},
    {"/v1/models/none:predict", "{}", 404, "not found"},
    {"/v1/models/net.d0/versions/7:predict", "{}", 404, "not found"},
    {"/v1/models/net.d0", "{}", 404, "Not Found"},
    {"/v1/models/net.d0:classify", "{}", 501, ":classify"},
};

START_TEST(what_is_wrong_is_refused)
{
    oip_refuses(&refusals[_i]);
}
END_TEST

START_TEST(numbers_that_are_no_pixels_are_refused_by_index)
{
    static const char *const bad[] = {"256", "-1", "1.0", "\"1\"", "null"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *good = body("{\"instances\":[", ",", "]}", false);
        char *first = strstr(good, "[0,");
        ck_assert_ptr_nonnull(first);
        struct srv_text text = {0};
        srv_text_printf(&text, "%.*s[%s,%s", (int)(first - good), good, bad[i],
                        first + 3);
        oip_fails(predict, text.data, 400, "element 0");
        srv_text_release(&text);
        sy_free(good);
    }
    char *bytes = body("{\"signature_name\":\"serving_float\",\"inputs\":[",
                       ",", "]}", false);
    oip_fails(predict, bytes, 400, "inputs: element 1: FP32 pixels");
    sy_free(bytes);
}
END_TEST

START_TEST(status_and_metadata_name_version_and_tensors)
{
    json_t *json = oip_ask(SRV_GET, "/v1/models/net.d0", NULL, 200);
    json_t *first =
        json_array_get(json_object_get(json, "model_version_status"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "state")),
                     "AVAILABLE");
    json_decref(json);
    json_decref(oip_ask(SRV_GET, "/v1/models/net/versions/1", NULL, 200));
    json_decref(oip_ask(SRV_GET, "/v1/models/none", NULL, 404));
    json = oip_ask(SRV_GET, "/v1/models/net.d0/versions/1/metadata", NULL, 200);
    json_t *signature = json_object_get(
        json_object_get(
            json_object_get(json_object_get(json, "metadata"), "signature_def"),
            "signature_def"),
        "serving_default");
    json_t *image =
        json_object_get(json_object_get(signature, "inputs"), "image");
    ck_assert_str_eq(json_string_value(json_object_get(image, "dtype")),
                     "DT_UINT8");
    ck_assert_uint_eq(json_array_size(json_object_get(
                          json_object_get(image, "tensor_shape"), "dim")),
                      4);
    json_decref(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tf");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, oip_set_up, oip_tear_down);
    tcase_add_loop_test(tc, every_form_gives_the_bits_of_an_inference, 0,
                        (int)(sizeof forms / sizeof forms[0]));
    tcase_add_loop_test(tc, what_is_wrong_is_refused, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(tc, numbers_that_are_no_pixels_are_refused_by_index);
    tcase_add_test(tc, status_and_metadata_name_version_and_tensors);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
