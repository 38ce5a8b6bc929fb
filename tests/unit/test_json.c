/*
 * test_json.c - what is refused and with which words; what is read; and that
 * the first failure wins.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static struct sy_error err;

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    sy_check_ok(sy_json_parse(text, strlen(text), "t", &root, &err), err);
    return root;
}

/* Releases the root, after which nothing of ours may be alive. */
static void finish(json_t *root)
{
    json_decref(root);
    ck_assert_int_eq(sy_alloc_live(), 0);
}

/* The text must be refused with exactly this message. */
static void check_refused(const char *text, size_t bytes, const char *message)
{
    json_t *root = NULL;
    sy_check_fails(sy_json_parse(text, bytes, "t", &root, &err), SY_BAD_INPUT,
                   err);
    ck_assert_str_eq(err.message, message);
    ck_assert_ptr_null(root);
    ck_assert_int_eq(sy_alloc_live(), 0);
}

START_TEST(broken_text_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "t:1:0: '[' or '{' expected near end of file"},
        {"{", "t:1:1: string or '}' expected near end of file"},
        {"7", "t:1:1: '[' or '{' expected near '7'"},
        {"{}x", "t:1:3: end of file expected near 'x'"},
        {"{\"a\": 1,\n \"a\": 2}", "t:2:4: duplicate object key near '\"a\"'"},
        {"{\"a\":\n\n  nul}", "t:3:5: invalid token near 'nul'"},
        {"[1, 2,]", "t:1:7: unexpected token near ']'"},
        {"[\"\xC3\xA9\", \"\xFF\"]",
         "t:1:7: unable to decode byte 0xff near '\"'"},
        {"{\n\"\xC0\xAF\": 1}", "t:2:1: unable to decode byte 0xc0 near '\"'"},
        {"[\"\\u0000\"]", "t:1:9: \\u0000 is not allowed without "
                          "JSON_ALLOW_NUL near '\"\\u0000\"'"},
        {"[1e999]", "t:1:6: real number overflow near '1e999'"},
        {"[99999999999999999999]",
         "t:1:21: too big integer near '99999999999999999999'"},
        {"[\"a\nb\"]", "t:1:3: unexpected newline near '\"a'"},
        {"[\x1b[2J]", "t:1:2: invalid token near '\\u001b'"},
    };
    ck_assert_int_lt(_i, (int)(sizeof cases / sizeof cases[0]));
    check_refused(cases[_i].text, strlen(cases[_i].text), cases[_i].message);
}
END_TEST

START_TEST(a_byte_of_zero_ends_no_text)
{
    check_refused("{}\0{}", 5, "t:1:3: end of file expected near end of file");
}
END_TEST

/* `depth` brackets, and a text inside that looks like more of them. */
static char *nest(int depth)
{
    const char *inside = "\"[[[[\\\"[[[[\"";
    size_t length = strlen(inside);
    size_t opening = (size_t)depth;
    char *text = malloc(2 * opening + length + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', opening);
    memcpy(text + opening, inside, length);
    memset(text + opening + length, ']', opening);
    text[2 * opening + length] = '\0';
    return text;
}

START_TEST(nesting_is_bounded)
{
    char *text = nest(SY_JSON_MAX_DEPTH);
    json_t *root = parse(text);
    finish(root);
    free(text);
    text = nest(SY_JSON_MAX_DEPTH + 1);
    check_refused(text, strlen(text), "t:1:101: nested more than 100 deep");
    free(text);
    text = nest(1000000);
    check_refused(text, strlen(text), "t:1:101: nested more than 100 deep");
    free(text);
}
END_TEST

START_TEST(a_text_that_is_too_large_is_refused_before_it_is_read)
{
    json_t *root = NULL;
    sy_check_fails(
        sy_json_parse("", (size_t)SY_JSON_MAX_BYTES + 1, "t", &root, &err),
        SY_BAD_INPUT, err);
}
END_TEST

START_TEST(a_file_is_loaded_and_saved)
{
    json_t *root = parse("{\"b\": 0.1, \"a\": [1, \"\xC3\xA9\"], \"c\": {}}");
    json_t *again = NULL;
    char *text;
    size_t bytes;
    const char *path = sy_check_path("x.json");
    sy_check_ok(sy_json_save(path, root, &err), err);
    sy_check_ok(sy_file_read(path, 1000, &text, &bytes, &err), err);
    ck_assert_str_eq(text, "{\n  \"b\": 0.10000000000000001,\n  \"a\": [\n"
                           "    1,\n    \"\xC3\xA9\"\n  ],\n  \"c\": {}\n}\n");
    sy_free(text);
    sy_check_ok(sy_json_load(path, &again, &err), err);
    ck_assert(json_equal(root, again));
    json_decref(again);
    ck_assert_int_eq(sy_check_folder_count(), 1);
    finish(root);
}
END_TEST

START_TEST(a_file_that_cannot_be_loaded_is_named)
{
    json_t *root = NULL;
    const char *path = sy_check_path("x.json");
    sy_check_fails(sy_json_load(path, &root, &err), SY_NOT_FOUND, err);
    sy_check_ok(sy_file_write(path, "{\n!}", 4, &err), err);
    sy_check_fails(sy_json_load(path, &root, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "x.json:2:1: ");
    ck_assert_ptr_null(root);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_value_that_is_no_json_is_not_saved)
{
    json_t *loop = json_array();
    json_t *inner = json_array();
    ck_assert_int_eq(json_array_append(loop, inner), 0);
    ck_assert_int_eq(json_array_append(inner, loop), 0);
    sy_check_fails(sy_json_save(sy_check_path("x.json"), loop, &err),
                   SY_INTERNAL, err);
    sy_check_fails(sy_json_save(sy_check_path("no/x.json"), inner, &err),
                   SY_NOT_FOUND, err);
    ck_assert_int_eq(sy_check_folder_count(), 0);
    json_array_clear(inner);
    json_decref(inner);
    finish(loop);
}
END_TEST

START_TEST(values_made_before_the_first_parse_are_of_the_same_memory)
{
    json_t *made = json_pack("{s:i, s:[s]}", "a", 1, "b", "text");
    ck_assert_ptr_nonnull(made);
    ck_assert_int_gt(sy_alloc_live(), 0);
    json_t *root = parse("{\"a\": 1, \"b\": [\"text\"]}");
    ck_assert(json_equal(made, root));
    char *text = json_dumps(made, 0);
    sy_free(text);
    json_decref(made);
    finish(root);
}
END_TEST

START_TEST(every_kind_of_member_is_read)
{
    static const char *const names[] = {"sgd", "adam", NULL};
    json_t *root = parse("{\"i\": -3, \"l\": 9007199254740993, \"r\": 0.5, "
                         "\"w\": 2, \"b\": true, \"t\": \"text\", "
                         "\"c\": \"adam\", \"a\": [1, 2], \"o\": {\"x\": 1}}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int i = 0, c = -1, x = 0;
    int64_t l = 0;
    double r = 0, w = 0;
    bool b = false;
    char t[5];
    sy_json_int(&in, "i", -3, 3, &i);
    sy_json_int64(&in, "l", 0, INT64_MAX, &l);
    sy_json_real(&in, "r", 0.5, 1, &r);
    sy_json_real(&in, "w", 0, 2, &w);
    sy_json_bool(&in, "b", &b);
    sy_json_text(&in, "t", t, sizeof t);
    sy_json_choice(&in, "c", names, &c);
    json_t *a = sy_json_array(&in, "a", 2, 2);
    struct sy_json child = sy_json_child(&in, "o");
    sy_json_int(&child, "x", 0, 9, &x);
    sy_check_ok(sy_json_end(&child), err);
    sy_check_ok(sy_json_end(&in), err);
    ck_assert_int_eq(i, -3);
    ck_assert_int_eq(l, INT64_C(9007199254740993));
    ck_assert_double_eq(r, 0.5);
    ck_assert_double_eq(w, 2);
    ck_assert(b);
    ck_assert_str_eq(t, "text");
    ck_assert_int_eq(c, 1);
    ck_assert_uint_eq(json_array_size(a), 2);
    ck_assert_int_eq(x, 1);
    finish(root);
}
END_TEST

START_TEST(optional_members_keep_their_default_when_absent)
{
    static const char *const names[] = {"a", "b", NULL};
    json_t *root = parse("{}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int i = 7, c = 1;
    double r = 0.25;
    bool b = true;
    char t[8] = "default";
    sy_json_opt_int(&in, "i", 0, 1, &i);
    sy_json_opt_real(&in, "r", 0, 1, &r);
    sy_json_opt_bool(&in, "b", &b);
    sy_json_opt_text(&in, "t", t, sizeof t);
    sy_json_opt_choice(&in, "c", names, &c);
    ck_assert(!sy_json_has(&in, "h"));
    sy_check_ok(sy_json_end(&in), err);
    ck_assert_int_eq(i, 7);
    ck_assert_double_eq(r, 0.25);
    ck_assert(b);
    ck_assert_str_eq(t, "default");
    ck_assert_int_eq(c, 1);
    finish(root);
}
END_TEST

START_TEST(optional_members_are_read_and_checked_when_present)
{
    static const char *const names[] = {"a", "b", NULL};
    json_t *root = parse("{\"i\": 1, \"r\": 1, \"b\": false, \"t\": \"x\", "
                         "\"c\": \"b\", \"n\": null}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int i = 7, c = 0;
    double r = 0.25;
    bool b = true;
    char t[8] = "default";
    sy_json_opt_int(&in, "i", 0, 1, &i);
    sy_json_opt_real(&in, "r", 0, 1, &r);
    sy_json_opt_bool(&in, "b", &b);
    sy_json_opt_text(&in, "t", t, sizeof t);
    sy_json_opt_choice(&in, "c", names, &c);
    ck_assert_int_eq(i, 1);
    ck_assert_double_eq(r, 1);
    ck_assert(!b);
    ck_assert_str_eq(t, "x");
    ck_assert_int_eq(c, 1);
    sy_json_opt_int(&in, "n", 0, 1, &i);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: n: expected a whole number from 0 to 1, "
                                  "found null");
    finish(root);
}
END_TEST

/* One getter on the member "m" of the object at "train". */
enum getter { INT, INT64, REAL, BOOL, TEXT, CHOICE, ARRAY, ARRAY3, CHILD };

static void get(struct sy_json *in, enum getter getter)
{
    static const char *const names[] = {"sgd", "adam", "lion", NULL};
    int whole = 5;
    int64_t large = 5;
    double real = 5;
    bool truth = true;
    char text[4] = "abc";
    switch (getter) {
    case INT:
        sy_json_int(in, "m", 1, 10000, &whole);
        break;
    case INT64:
        sy_json_int64(in, "m", 0, INT64_MAX, &large);
        break;
    case REAL:
        sy_json_real(in, "m", 0, 0.5, &real);
        break;
    case BOOL:
        sy_json_bool(in, "m", &truth);
        break;
    case TEXT:
        sy_json_text(in, "m", text, sizeof text);
        break;
    case CHOICE:
        sy_json_choice(in, "m", names, &whole);
        break;
    case ARRAY:
        ck_assert_ptr_null(sy_json_array(in, "m", 1, 2));
        break;
    case ARRAY3:
        ck_assert_ptr_null(sy_json_array(in, "m", 3, 3));
        break;
    case CHILD:
        ck_assert_int_ne(sy_json_child(in, "m").status, SY_OK);
        break;
    }
    /* A failure leaves the target as it was. */
    ck_assert_int_eq(whole, 5);
    ck_assert_int_eq(large, 5);
    ck_assert_double_eq(real, 5);
    ck_assert(truth);
    ck_assert_str_eq(text, "abc");
}

static const struct {
    enum getter getter;
    const char *value;
    const char *message;
} wrong[] = {
    {INT, "\"ten\"", "expected a whole number from 1 to 10000, found \"ten\""},
    {INT, "0", "expected a whole number from 1 to 10000, found 0"},
    {INT, "10001", "expected a whole number from 1 to 10000, found 10001"},
    {INT, "2.0", "expected a whole number from 1 to 10000, found 2.0"},
    {INT, "1e30", "expected a whole number from 1 to 10000, found 1e+30"},
    {INT, "null", "expected a whole number from 1 to 10000, found null"},
    {INT, NULL, "expected a whole number from 1 to 10000, found nothing"},
    {INT64, "-1",
     "expected a whole number from 0 to 9223372036854775807, "
     "found -1"},
    {REAL, "0.51", "expected a number from 0 to 0.5, found 0.51"},
    {REAL, "-1", "expected a number from 0 to 0.5, found -1"},
    {REAL, "true", "expected a number from 0 to 0.5, found true"},
    {BOOL, "1", "expected true or false, found 1"},
    {BOOL, "\"true\"", "expected true or false, found \"true\""},
    {TEXT, "7", "expected a text, found 7"},
    {TEXT, "\"four\"", "expected a text of at most 3 bytes, found \"four\""},
    {TEXT, "[1, 2]", "expected a text, found an array of 2"},
    {CHOICE, "\"adm\"",
     "expected \"sgd\", \"adam\" or \"lion\", found "
     "\"adm\""},
    {CHOICE, "3", "expected \"sgd\", \"adam\" or \"lion\", found 3"},
    {ARRAY, "[]", "expected an array of 1 to 2, found an array of 0"},
    {ARRAY, "[1, 2, 3]", "expected an array of 1 to 2, found an array of 3"},
    {ARRAY, "{}", "expected an array of 1 to 2, found an object"},
    {ARRAY3, "[]", "expected an array of 3, found an array of 0"},
    {CHILD, "[]", "expected an object, found an array of 0"},
    {CHILD, "false", "expected an object, found false"},
    {CHILD, NULL, "expected an object, found nothing"},
    {TEXT, "\"line\\n\\u001b[2J\"",
     "expected a text of at most 3 bytes, found "
     "\"line\\u000a\\u001b[2J\""},
};

START_TEST(a_wrong_member_is_refused_with_place_expected_and_found)
{
    char text[200];
    char message[300];
    const char *value = wrong[_i].value;
    snprintf(text, sizeof text, "{\"train\": {%s%s}}",
             value != NULL ? "\"m\": " : "", value != NULL ? value : "");
    snprintf(message, sizeof message, "first.json: train.m: %s",
             wrong[_i].message);
    json_t *root = parse(text);
    struct sy_json in = sy_json_object(json_object_get(root, "train"),
                                       "first.json", "train", &err);
    get(&in, wrong[_i].getter);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_int_eq(err.status, SY_BAD_INPUT);
    ck_assert_str_eq(err.message, message);
    finish(root);
}
END_TEST

START_TEST(an_int_never_overflows_whatever_the_range)
{
    json_t *root = parse("{\"m\": 2147483648}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int out = 3;
    sy_json_int(&in, "m", INT64_MIN, INT64_MAX, &out);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_int_eq(out, 3);
    sy_check_says(err, "from -2147483648 to 2147483647, found 2147483648");
    finish(root);
}
END_TEST

START_TEST(the_first_failure_wins)
{
    json_t *root = parse("{\"a\": 1, \"b\": 1, \"zzz\": 1}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    bool b = false;
    int a = 0;
    sy_json_bool(&in, "b", &b);
    sy_json_bool(&in, "a", &b);
    sy_json_int(&in, "a", 0, 9, &a);
    sy_json_reject(&in, "a", "not this");
    ck_assert(!sy_json_has(&in, "a"));
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_int_eq(a, 0);
    ck_assert_str_eq(err.message, "t: b: expected true or false, found 1");
    finish(root);
}
END_TEST

START_TEST(an_unknown_key_is_named_with_the_nearest_known_one)
{
    json_t *root = parse("{\"train\": {\"epoch\": 3}}");
    struct sy_json in =
        sy_json_object(json_object_get(root, "train"), "t", "train", &err);
    int epochs = 1;
    sy_json_opt_int(&in, "batch", 1, 9, &epochs);
    sy_json_opt_int(&in, "epochs", 1, 9, &epochs);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: train.epoch: unknown key; did you mean "
                                  "\"epochs\"?");
    finish(root);
}
END_TEST

START_TEST(an_unknown_key_like_no_other_gets_the_list_of_known_ones)
{
    json_t *root = parse("{\"xyzzy\\n\": 3}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int n = 1;
    sy_json_opt_int(&in, "batch", 1, 9, &n);
    sy_json_opt_int(&in, "epochs", 1, 9, &n);
    sy_json_opt_int(&in, "batch", 1, 9, &n);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: xyzzy\\u000a: unknown key; expected "
                                  "\"batch\" or \"epochs\"");
    in = sy_json_object(root, "t", "", &err);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    sy_check_says(err, "unknown key; expected an empty object");
    finish(root);
}
END_TEST

START_TEST(a_reader_needs_an_object)
{
    json_t *root = parse("[1]");
    int n = 4;
    struct sy_json in = sy_json_object(root, "t", "", &err);
    sy_json_int(&in, "a", 0, 9, &n);
    struct sy_json child = sy_json_child(&in, "b");
    sy_json_int(&child, "c", 0, 9, &n);
    ck_assert_int_eq(sy_json_end(&child), SY_BAD_INPUT);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: expected an object, found an array of 1");
    in = sy_json_object(NULL, "t", "net.stem", &err);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: net.stem: expected an object, found "
                                  "nothing");
    ck_assert_int_eq(n, 4);
    finish(root);
}
END_TEST

START_TEST(children_know_their_place)
{
    json_t *root = parse("{\"a\": {\"b\": {\"c\": 1}}}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    struct sy_json a = sy_json_child(&in, "a");
    struct sy_json b = sy_json_child(&a, "b");
    bool c;
    sy_json_bool(&b, "c", &c);
    ck_assert_int_eq(sy_json_end(&b), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: a.b.c: expected true or false, found 1");
    finish(root);
}
END_TEST

START_TEST(the_caller_may_reject)
{
    json_t *root = parse("{\"a\": 3, \"b\": 2}");
    struct sy_json in = sy_json_object(root, "t", "", &err);
    int a = 0, b = 0;
    sy_json_int(&in, "a", 0, 9, &a);
    sy_json_int(&in, "b", 0, 9, &b);
    sy_json_reject(&in, "b", "expected at least a (%d), found %d", a, b);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_str_eq(err.message, "t: b: expected at least a (3), found 2");
    finish(root);
}
END_TEST

START_TEST(long_texts_and_places_are_cut)
{
    char text[5000];
    char place[5000];
    memset(place, 'p', sizeof place);
    place[sizeof place - 1] = '\0';
    snprintf(text, sizeof text, "{\"%.2000s\": \"%.2000s\"}", place, place);
    json_t *root = parse(text);
    struct sy_json in = sy_json_object(root, "t", place, &err);
    bool out;
    sy_json_bool(&in, json_object_iter_key(json_object_iter(root)), &out);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_uint_lt(strlen(err.message), SY_ERROR_BYTES - 1);
    sy_check_says(err, "ppp...: expected true or false, found \"ppp");
    in = sy_json_object(root, "t", "", NULL);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    finish(root);
}
END_TEST

START_TEST(the_nearest_word_is_found_or_none)
{
    static const char *const names[] = {"epochs", "batch", "learning_rate",
                                        "seed", NULL};
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        {"epochs", "epochs"},
        {"epoch", "epochs"},
        {"eopchs", "epochs"},
        {"learning-rate", "learning_rate"},
        {"lerning_rat", "learning_rate"},
        {"sede", "seed"},
        {"batches", "batch"},
        {"momentum", NULL},
        {"", NULL},
        {"x", NULL},
        {"Seed", "seed"},
    };
    static const char *const nothing[] = {NULL};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = sy_nearest_word(cases[i].word, names);
        ck_assert_pstr_eq(found, cases[i].nearest);
    }
    ck_assert_ptr_null(sy_nearest_word("epochs", nothing));
}
END_TEST

START_TEST(long_words_are_no_problem)
{
    char long_word[300];
    memset(long_word, 'a', sizeof long_word);
    long_word[sizeof long_word - 1] = '\0';
    const char *names[] = {long_word, "epochs", NULL};
    ck_assert_ptr_null(sy_nearest_word(long_word, names));
    ck_assert_str_eq(sy_nearest_word("epoch", names), "epochs");
    long_word[64] = '\0';
    ck_assert_ptr_eq(sy_nearest_word(long_word, names), long_word);
}
END_TEST

static void *parse_often(void *unused)
{
    static const char text[] = "{\"a\": [1, 2, {\"b\": \"text\"}]}";
    for (int i = 0; i < 200; i++) {
        json_t *root = NULL;
        struct sy_error own = {0};
        sy_check_ok(sy_json_parse(text, sizeof text - 1, "t", &root, &own),
                    own);
        json_decref(root);
    }
    return unused;
}

START_TEST(several_threads_may_parse_at_once)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, parse_often, NULL),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

static void add_parsing(TCase *tc)
{
    tcase_add_loop_test(tc, broken_text_is_refused_with_its_place, 0, 14);
    tcase_add_test(tc, a_byte_of_zero_ends_no_text);
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, a_text_that_is_too_large_is_refused_before_it_is_read);
    tcase_add_test(tc, a_file_is_loaded_and_saved);
    tcase_add_test(tc, a_file_that_cannot_be_loaded_is_named);
    tcase_add_test(tc, a_value_that_is_no_json_is_not_saved);
    tcase_add_test(tc,
                   values_made_before_the_first_parse_are_of_the_same_memory);
    tcase_add_test(tc, several_threads_may_parse_at_once);
}

static void add_reading(TCase *tc)
{
    int wrongs = (int)(sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tc, every_kind_of_member_is_read);
    tcase_add_test(tc, optional_members_keep_their_default_when_absent);
    tcase_add_test(tc, optional_members_are_read_and_checked_when_present);
    tcase_add_loop_test(
        tc, a_wrong_member_is_refused_with_place_expected_and_found, 0, wrongs);
    tcase_add_test(tc, an_int_never_overflows_whatever_the_range);
    tcase_add_test(tc, the_first_failure_wins);
    tcase_add_test(tc, an_unknown_key_is_named_with_the_nearest_known_one);
    tcase_add_test(tc,
                   an_unknown_key_like_no_other_gets_the_list_of_known_ones);
    tcase_add_test(tc, a_reader_needs_an_object);
    tcase_add_test(tc, children_know_their_place);
    tcase_add_test(tc, the_caller_may_reject);
    tcase_add_test(tc, long_texts_and_places_are_cut);
    tcase_add_test(tc, the_nearest_word_is_found_or_none);
    tcase_add_test(tc, long_words_are_no_problem);
}

static Suite *suite(void)
{
    Suite *s = suite_create("json");
    TCase *parsing = tcase_create("parsing");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(parsing, sy_check_folder_make,
                              sy_check_folder_remove);
    add_parsing(parsing);
    add_reading(reading);
    suite_add_tcase(s, parsing);
    suite_add_tcase(s, reading);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
