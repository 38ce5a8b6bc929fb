/* test_spec.c - the description of a network, read, checked and written. */
#include "runtime/network/spec.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

/* Reads the small spec with `from` replaced by `to`. */
static enum sy_status read_changed(const char *from, const char *to,
                                   struct sy_network_spec *spec,
                                   struct sy_error *err)
{
    char text[4096];
    json_t *root;
    const char *at = strstr(sy_small_spec_text, from);
    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sy_small_spec_text),
             sy_small_spec_text, to, at + strlen(from));
    enum sy_status status =
        sy_json_parse(text, strlen(text), "net.json", &root, err);
    if (status == SY_OK) {
        status = sy_spec_from_json(spec, root, "net.json", "network", err);
        json_decref(root);
    }
    return status;
}

START_TEST(a_spec_is_read_with_defaults_and_ids)
{
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    ck_assert_int_eq(spec.input.h, 8);
    ck_assert_int_eq(spec.input.w, 6);
    ck_assert_int_eq(spec.stem_channels, 8);
    ck_assert_int_eq(spec.layer_count, 2);
    ck_assert_int_eq(spec.layer[0].stride, 1);
    ck_assert_str_eq(spec.layer[0].block[0].id, "l0b0");
    ck_assert_str_eq(spec.layer[0].block[1].id, "skip");
    ck_assert_str_eq(spec.layer[1].block[2].id, "l1b2");
    ck_assert_int_eq(spec.layer[1].block[0].spec.kernel, 3);
    ck_assert_int_eq(spec.layer[1].block[0].spec.act, SY_ACT_RELU);
    ck_assert(spec.layer[1].block[0].spec.se);
    ck_assert_int_eq(spec.layer[1].block[1].spec.groups, 4);
    ck_assert_int_eq(spec.norm, SY_NORM_PER_DOMAIN);
    ck_assert_int_eq(spec.head.width, 8);
}
END_TEST

START_TEST(a_written_spec_reads_back_equal)
{
    struct sy_error err = {0};
    struct sy_network_spec spec, again;
    int64_t live = sy_alloc_live();
    sy_small_spec(&spec);
    json_t *json = sy_spec_to_json(&spec);
    ck_assert_ptr_nonnull(json);
    sy_check_ok(sy_spec_from_json(&again, json, "x", "", &err), err);
    json_t *json_again = sy_spec_to_json(&again);
    ck_assert(json_equal(json, json_again));
    json_decref(json);
    json_decref(json_again);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(shapes_follow_strides_and_widths)
{
    struct sy_network_spec spec;
    struct sy_error err = {0};
    sy_check_ok(read_changed("\"stride\":1},", "\"stride\":2},", &spec, &err),
                err);
    struct sy_shape shape = sy_spec_shape(&spec, 0);
    ck_assert(sy_shape_equal(shape, (struct sy_shape){4, 3, 8}));
    shape = sy_spec_shape(&spec, 1);
    ck_assert(sy_shape_equal(shape, (struct sy_shape){4, 3, 8}));
    shape = sy_spec_shape(&spec, 2);
    ck_assert(sy_shape_equal(shape, (struct sy_shape){2, 2, 8}));
}
END_TEST

/* What is changed in the small spec, and what the message must say. */
static const struct {
    const char *from, *to, *says;
} wrong[] = {
    {"\"kernel\":3", "\"kernal\":3",
     "network.stem.kernal: unknown key; did you mean \"kernel\"?"},
    {"\"norm\":\"per_domain\"", "\"norm\":\"per-domain\"", "network.norm"},
    {"\"channels\":3", "\"channels\":2", "input.channels: expected 3"},
    {"\"channels\":3", "\"channels\":0", "network.input.channels"},
    {"\"height\":8", "\"height\":0", "network.input.height"},
    {"\"height\":8,", "", "network.input.height"},
    {"\"height\":8", "\"height\":8.5", "network.input.height"},
    {"{\"kind\":\"conv\",\"kernel\":3", "{\"kind\":\"zero\",\"kernel\":3",
     "network.stem"},
    {"{\"kind\":\"conv\",\"kernel\":3,\"act\":\"hswish\"",
     "{\"kind\":\"fused\"", "network.stem.kind: expected \"conv\""},
    {"\"kind\":\"mbconv\"", "\"kind\":\"mbcnov\"",
     "network.layers[1].blocks[0].kind"},
    {"\"expansion\":1,\"se\"", "\"expansion\":9,\"se\"",
     "network.layers[1].blocks[0].expansion"},
    {"\"kernel\":1", "\"kernel\":2", "layers[0].blocks[0]"},
    {"\"groups\":4", "\"groups\":5", "layers[1].blocks[1]"},
    {"\"se\":true", "\"groups\":4",
     "network.layers[1].blocks[0].groups: unknown key"},
    {"{\"kind\":\"zero\"}", "{\"kind\":\"zero\",\"kernel\":3}",
     "network.layers[1].blocks[2].kernel: unknown key"},
    {"\"skip\"", "\"l0b0\"",
     "layers[0].blocks[1].id: \"l0b0\" is the id of "
     "layers[0].blocks[0] already"},
    {"\"skip\"", "\"l1b2\"", "layers[1].blocks[2].id"},
    {"\"skip\"", "\"stem\"", "not \"stem\" or \"trunk\""},
    {"\"skip\"", "\"trunk\"", "not \"stem\" or \"trunk\""},
    {"\"skip\"", "\"a.b\"", "layers[0].blocks[1].id"},
    {"\"skip\"", "\"\"", "layers[0].blocks[1].id"},
    {"\"skip\"", "\"aaaaaaaaaaaaaaaaaaaaaaaa\"",
     "network.layers[0].blocks[1].id: expected a text of at most 23 bytes"},
    {"\"stride\":2", "\"stride\":3", "network.layers[1].stride"},
    {"\"channels\":8,\"stride\":2", "\"channels\":8193,\"stride\":2",
     "network.layers[1].channels"},
    {"\"width\":8", "\"width\":0", "network.head.width"},
    {"\"width\":8", "\"width\":8,\"hidden\":-1", "network.head.hidden"},
    {"\"groups\":4", "\"groups\":4,\"expanded\":9000",
     "network.layers[1].blocks[1].expanded"},
    {"\"classify\"", "\"detect\"", "network.head.kind"},
    {"\"layers\":[", "\"layer\":[", "network.layers"},
    {"\"blocks\":[{\"kind\":\"conv\",\"kernel\":1},{\"id\":\"skip\","
     "\"kind\":\"zero\"}]",
     "\"blocks\":[]", "network.layers[0].blocks: expected an array of 1 to 32"},
};

START_TEST(what_is_wrong_is_named_with_its_place)
{
    struct sy_error err = {0};
    struct sy_network_spec spec, before;
    memset(&spec, 7, sizeof spec);
    memcpy(&before, &spec, sizeof spec);
    int64_t live = sy_alloc_live();
    sy_check_fails(read_changed(wrong[_i].from, wrong[_i].to, &spec, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    sy_check_says(err, "net.json");
    ck_assert_int_eq(memcmp(&spec, &before, sizeof spec), 0);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(a_spec_that_is_not_an_object_is_refused)
{
    struct sy_error err = {0};
    struct sy_network_spec spec;
    json_t *json = json_array();
    sy_check_fails(sy_spec_from_json(&spec, json, "a", "b", &err), SY_BAD_INPUT,
                   err);
    sy_check_fails(sy_spec_from_json(&spec, NULL, "a", "b", &err), SY_BAD_INPUT,
                   err);
    json_decref(json);
}
END_TEST

START_TEST(a_spec_built_by_a_program_is_checked_alike)
{
    struct sy_error err = {0};
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    sy_check_ok(sy_spec_check(&spec, &err), err);
    spec.layer[1].block_count = 0;
    sy_check_fails(sy_spec_check(&spec, &err), SY_BAD_INPUT, err);
    sy_small_spec(&spec);
    spec.layer_count = 65;
    sy_check_fails(sy_spec_check(&spec, &err), SY_BAD_INPUT, err);
    sy_small_spec(&spec);
    spec.layer[0].stride = 4;
    sy_check_fails(sy_spec_check(&spec, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "layers[0].blocks[0]");
    sy_small_spec(&spec);
    spec.input.w = 0;
    sy_check_fails(sy_spec_check(&spec, &err), SY_BAD_INPUT, err);
    sy_small_spec(&spec);
    spec.head.width = 9000;
    sy_check_fails(sy_spec_check(&spec, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "head");
}
END_TEST

START_TEST(names_are_letters_digits_underscores_and_dashes)
{
    char longest[SY_NAME_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    longest[SY_NAME_BYTES - 1] = '\0';
    ck_assert(sy_name_valid("mnist_2-B"));
    ck_assert(sy_name_valid(longest));
    longest[SY_NAME_BYTES - 1] = 'a';
    longest[SY_NAME_BYTES] = '\0';
    ck_assert(!sy_name_valid(longest));
    ck_assert(!sy_name_valid(""));
    ck_assert(!sy_name_valid("a.b"));
    ck_assert(!sy_name_valid("a/b"));
    ck_assert(!sy_name_valid("a b"));
    ck_assert(!sy_name_valid("\xc3\xa4"));
}
END_TEST

START_TEST(no_allocation_that_fails_is_overlooked)
{
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    int64_t live = sy_alloc_live();
    for (int64_t n = 1;; n++) {
        sy_alloc_fail_at(n, false);
        json_t *json = sy_spec_to_json(&spec);
        sy_alloc_fail_at(0, false);
        bool made = json != NULL;
        json_decref(json);
        ck_assert_int_eq(sy_alloc_live(), live);
        if (made) {
            ck_assert_int_gt(n, 50);
            break;
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("spec");
    TCase *tc = tcase_create("spec");
    tcase_add_test(tc, a_spec_is_read_with_defaults_and_ids);
    tcase_add_test(tc, a_written_spec_reads_back_equal);
    tcase_add_test(tc, shapes_follow_strides_and_widths);
    tcase_add_loop_test(tc, what_is_wrong_is_named_with_its_place, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tc, a_spec_that_is_not_an_object_is_refused);
    tcase_add_test(tc, a_spec_built_by_a_program_is_checked_alike);
    tcase_add_test(tc, names_are_letters_digits_underscores_and_dashes);
    tcase_add_test(tc, no_allocation_that_fails_is_overlooked);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
