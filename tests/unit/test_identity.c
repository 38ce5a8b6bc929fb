/* test_identity.c - naming the difference between two runs. */
#include "search/train/identity.h"

#include <string.h>

#include "runtime/base/json.h"
#include "tests/support/check_main.h"

static struct sy_error err;

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    sy_check_ok(sy_json_parse(text, strlen(text), "test", &root, &err), err);
    return root;
}

static const struct {
    const char *there, *here, *says; /* NULL: the same */
} cases[] = {
    {"{\"a\":{\"b\":1,\"c\":[1,2]}}", "{\"a\":{\"c\":[1,2],\"b\":1}}", NULL},
    {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "a.b is 1 there and 2 here"},
    {"{\"z\":1,\"b\":1}", "{\"z\":2,\"b\":2}", "b is 1 there and 2 here"},
    {"{\"a\":1}", "{\"a\":1,\"b\":true}", "b is missing there and true here"},
    {"{\"a\":1,\"b\":\"x\"}", "{\"a\":1}", "b is \"x\" there and missing here"},
    {"{\"a\":[1,{\"k\":2}]}", "{\"a\":[1,{\"k\":3}]}",
     "a[1].k is 2 there and 3 here"},
    {"{\"a\":[1]}", "{\"a\":[1,2]}", "a is [1] there and [1,2] here"},
    {"{\"a\":[1]}", "{\"a\":{}}", "a is [1] there and {} here"},
    {"{\"a\":null}", "{\"a\":0}", "a is null there and 0 here"},
    {"{\"a\":\"0123456789012345678901234567890123456789\"}", "{\"a\":0}",
     "a is \"012345678901234567890123456789012345678... there and 0 here"},
};

START_TEST(the_first_difference_is_named_with_its_place)
{
    char text[NAS_DIFFERENCE_BYTES] = "nothing";
    json_t *there = parse(cases[_i].there);
    json_t *here = parse(cases[_i].here);
    bool differs = nas_identity_differ(there, here, text);
    ck_assert_int_eq(differs, cases[_i].says != NULL);
    ck_assert_str_eq(text, differs ? cases[_i].says : "nothing");
    json_decref(there);
    json_decref(here);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("identity");
    TCase *tc = tcase_create("identity");
    tcase_add_loop_test(tc, the_first_difference_is_named_with_its_place, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
