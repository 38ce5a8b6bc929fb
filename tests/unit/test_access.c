/*
 * test_access.c - keys, the gate, and rates, with a clock made of numbers.
 */
#include "serving/access/gate.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check_main.h"

#define S INT64_C(1000000000)

static struct srv_keys keys;
static struct srv_gate gate;
static const struct srv_route infer = {.class = SRV_INFER};
static const struct srv_route read_route = {.class = SRV_READ};
static const struct srv_route admin = {.class = SRV_ADMIN};
static const struct srv_route health = {.class = SRV_OPEN};

static enum sy_status load(const char *text, struct sy_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/keys.json", sy_check_folder());
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return srv_keys_load(&keys, path, err);
}

/* Copies a text, with `digits` in place of each '#'. */
static void fill(char *out, size_t bytes, const char *text, const char *digits)
{
    size_t used = 0;
    for (; *text != '\0' && used + 65 < bytes; text++) {
        if (*text == '#') {
            memcpy(out + used, digits, strlen(digits));
            used += strlen(digits);
        } else {
            out[used++] = *text;
        }
    }
    out[used] = '\0';
}

/* The status that a request gets; 200 where it may pass. */
static bool may_read; /* what the gate found of the last request */

static int ask_at(const struct srv_route *route, const char *token, bool local,
                  bool tls, const char *origin, int64_t now_ns)
{
    static struct srv_request request;
    struct srv_reply reply = {0};
    memset(&request, 0, sizeof request);
    request.route = route;
    request.is_local = local;
    request.is_tls = tls;
    snprintf(request.address, sizeof request.address, "10.0.0.1");
    snprintf(request.host, sizeof request.host, "here:8000");
    snprintf(request.origin, sizeof request.origin, "%s", origin);
    if (token != NULL) {
        snprintf(request.authorization, sizeof request.authorization,
                 "Bearer %s", token);
    }
    int status =
        srv_gate_pass(&gate, &request, &reply, now_ns) ? 200 : reply.status;
    may_read = request.may_read;
    srv_reply_release(&reply);
    return status;
}

static int ask(const struct srv_route *route, const char *token, bool local,
               bool tls)
{
    return ask_at(route, token, local, tls, "", 0);
}

START_TEST(a_key_is_found_by_its_text_and_by_nothing_else)
{
    char text[SRV_KEY_TEXT_BYTES], other[SRV_KEY_TEXT_BYTES];
    char sha256[SY_HASH_TEXT_BYTES], file[1024];
    struct sy_error err = {0};
    srv_key_make(text, sha256);
    srv_key_make(other, file);
    ck_assert_str_ne(text, other);
    snprintf(file, sizeof file,
             "{\"keys\": [{\"name\": \"ci\", \"sha256\": \"%s\", "
             "\"classes\": [\"infer\", \"admin\"]}], \"anonymous\": "
             "[\"read\"]}",
             sha256);
    sy_check_ok(load(file, &err), err);
    const struct srv_key *key = srv_keys_find(&keys, text);
    ck_assert_ptr_nonnull(key);
    ck_assert_str_eq(key->name, "ci");
    ck_assert_uint_eq(key->classes, 1U << SRV_INFER | 1U << SRV_ADMIN);
    ck_assert_uint_eq(keys.anonymous, 1U << SRV_READ);
    ck_assert_ptr_null(srv_keys_find(&keys, other));
    ck_assert_ptr_null(srv_keys_find(&keys, ""));
    ck_assert_ptr_null(srv_keys_find(&keys, sha256));
}
END_TEST

START_TEST(a_bad_file_of_keys_is_refused_with_its_place)
{
    char digits[SY_HASH_TEXT_BYTES], file[1024];
    struct sy_error err = {0};
    memset(digits, 'a', sizeof digits);
    digits[sizeof digits - 1] = '\0';
    static const char *const entries[][2] = {
        {"{\"name\": \"a\", \"sha256\": \"12\", \"classes\": []}", "sha256"},
        {"{\"name\": \"a\", \"classes\": []}", "sha256"},
        {"{\"name\": \"a\", \"sha256\": \"#\", \"classes\": [\"root\"]}",
         "classes"},
        {"{\"name\": \"a\", \"sha256\": \"#\", \"classes\": [], \"clases\": "
         "[]}",
         "did you mean \"classes\""},
        {"{\"name\": \"a\", \"sha256\": \"#\", \"classes\": []}, {\"name\": "
         "\"a\", \"sha256\": \"#\", \"classes\": []}",
         "twice"}};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        char entry[512];
        fill(entry, sizeof entry, entries[i][0], digits);
        snprintf(file, sizeof file, "{\"keys\": [%s]}", entry);
        memset(&err, 0, sizeof err);
        sy_check_fails(load(file, &err), SY_BAD_INPUT, err);
        sy_check_says(err, entries[i][1]);
    }
}
END_TEST

START_TEST(without_keys_only_administration_is_restricted)
{
    srv_gate_init(&gate, &(struct srv_gate_options){0});
    ck_assert_int_eq(ask(&infer, NULL, false, false), 200);
    ck_assert_int_eq(ask(&read_route, "anything", false, false), 200);
    ck_assert_int_eq(ask(&admin, NULL, true, false), 200);
    ck_assert_int_eq(ask(&admin, NULL, false, false), 403);
    ck_assert_int_eq(ask(&admin, NULL, false, true), 403);
    srv_gate_configure(&gate,
                       &(struct srv_gate_options){.client_certificates = true});
    ck_assert_int_eq(ask(&admin, NULL, false, true), 200);
    srv_gate_configure(&gate,
                       &(struct srv_gate_options){.insecure_admin = true});
    ck_assert_int_eq(ask(&admin, NULL, false, false), 200);
    srv_gate_release(&gate);
}
END_TEST

START_TEST(pages_of_other_origins_do_not_administer)
{
    srv_gate_init(&gate, &(struct srv_gate_options){.insecure_admin = true});
    ck_assert_int_eq(ask_at(&admin, NULL, true, false, "http://here:8000", 0),
                     200);
    ck_assert_int_eq(ask_at(&admin, NULL, true, false, "http://evil", 0), 403);
    ck_assert_int_eq(ask_at(&admin, NULL, true, false, "null", 0), 403);
    ck_assert_int_eq(ask_at(&infer, NULL, true, false, "http://evil", 0), 200);
    srv_gate_release(&gate);
}
END_TEST

START_TEST(with_keys_each_class_needs_one_that_has_it)
{
    static struct srv_gate_options options = {.has_keys = true};
    char key[2][SRV_KEY_TEXT_BYTES];
    for (int i = 0; i < 2; i++) {
        srv_key_make(key[i], options.keys.key[i].sha256);
    }
    options.keys.count = 2;
    options.keys.key[0].classes = 1U << SRV_INFER;
    options.keys.key[1].classes = 1U << SRV_ADMIN;
    srv_gate_init(&gate, &options);
    ck_assert_int_eq(ask(&infer, key[0], false, false), 200);
    ck_assert_int_eq(ask(&infer, key[1], false, false), 403);
    ck_assert_int_eq(ask(&infer, "wrong", false, false), 401);
    ck_assert_int_eq(ask(&infer, NULL, true, true), 401);
    ck_assert_int_eq(ask(&read_route, key[0], false, false), 403);
    ck_assert_int_eq(ask(&health, NULL, false, false), 200);
    ck_assert(!may_read);
    ck_assert_int_eq(ask(&health, "wrong", false, false), 200);
    ck_assert_int_eq(ask(&admin, key[1], true, false), 200);
    ck_assert_int_eq(ask(&admin, key[1], false, true), 200);
    ck_assert_int_eq(ask(&admin, key[1], false, false), 403);
    ck_assert_int_eq(ask(&admin, key[0], true, true), 403);
    ck_assert_int_eq(ask(&admin, NULL, true, true), 401);
    options.keys.anonymous = 1U << SRV_READ;
    srv_gate_configure(&gate, &options);
    ck_assert_int_eq(ask(&read_route, NULL, false, false), 200);
    ck_assert(may_read);
    /* A wrong key is wrong even where none is needed. */
    ck_assert_int_eq(ask(&read_route, "wrong", false, false), 401);
    srv_gate_release(&gate);
}
END_TEST

START_TEST(a_client_has_a_second_worth_of_requests_and_then_its_rate)
{
    static struct srv_rate rate;
    srv_rate_init(&rate);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq((int)srv_rate_take(&rate, "a", 10, 5 * S), 0);
    }
    ck_assert(srv_rate_take(&rate, "a", 10, 5 * S) == S / 10);
    ck_assert(srv_rate_take(&rate, "b", 10, 5 * S) == 0);
    ck_assert(srv_rate_take(&rate, "a", 10, 5 * S + S / 10) == 0);
    ck_assert(srv_rate_take(&rate, "a", 10, 5 * S + S / 10) > 0);
    ck_assert(srv_rate_take(&rate, "a", 0, 5 * S) == 0);
    int passed = 0;
    for (int i = 0; i < 1000; i++) { /* ten seconds at ten times the rate */
        passed += srv_rate_take(&rate, "c", 10, 20 * S + i * S / 100) == 0;
    }
    ck_assert_int_ge(passed, 108);
    ck_assert_int_le(passed, 110);
    srv_rate_release(&rate);
}
END_TEST

START_TEST(many_clients_do_not_push_out_one_that_is_at_its_limit)
{
    static struct srv_rate rate;
    char name[32];
    srv_rate_init(&rate);
    for (int i = 0; i < 10; i++) {
        (void)srv_rate_take(&rate, "busy", 10, S);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "10.0.%d.%d", i / 256, i % 256);
        ck_assert(srv_rate_take(&rate, name, 10, S) == 0);
    }
    ck_assert(srv_rate_take(&rate, "busy", 10, S) > 0);
    srv_rate_release(&rate);
}
END_TEST

START_TEST(the_gate_says_when_to_come_again)
{
    srv_gate_init(&gate, &(struct srv_gate_options){.client_rate = 1});
    ck_assert_int_eq(ask_at(&infer, NULL, false, false, "", S), 200);
    ck_assert_int_eq(ask_at(&infer, NULL, false, false, "", S), 429);
    ck_assert_int_eq(ask_at(&health, NULL, false, false, "", S), 200);
    ck_assert_int_eq(ask_at(&infer, NULL, false, false, "", 2 * S), 200);
    srv_gate_release(&gate);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, a_key_is_found_by_its_text_and_by_nothing_else);
    tcase_add_test(tc, a_bad_file_of_keys_is_refused_with_its_place);
    tcase_add_test(tc, without_keys_only_administration_is_restricted);
    tcase_add_test(tc, pages_of_other_origins_do_not_administer);
    tcase_add_test(tc, with_keys_each_class_needs_one_that_has_it);
    tcase_add_test(tc,
                   a_client_has_a_second_worth_of_requests_and_then_its_rate);
    tcase_add_test(tc, many_clients_do_not_push_out_one_that_is_at_its_limit);
    tcase_add_test(tc, the_gate_says_when_to_come_again);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
