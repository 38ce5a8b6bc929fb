/*
 * test_settings.c - the table of settings, its file, and its documentation.
 */
#include "serving/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static struct srv_settings settings;

/* Reads a text as the configuration file, over the defaults. */
static enum sy_status load(const char *text, struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    snprintf(path, sizeof path, "%s/settings.json", sy_check_folder());
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    srv_settings_default(&settings);
    return srv_settings_load(&settings, path, err);
}

START_TEST(a_file_changes_what_it_names_and_nothing_else)
{
    struct sy_error err = {0};
    sy_check_ok(load("{\"repository\": \"r\", \"port\": 9, "
                     "\"half_weights\": true, \"insecure_admin\": true, "
                     "\"access_log\": \"-\", "
                     "\"preferred_batch\": [2, 8], "
                     "\"weights\": {\"a.b\": 2, \"c.d\": 1000}}",
                     &err),
                err);
    ck_assert_str_eq(settings.repository, "r");
    ck_assert_int_eq(settings.port, 9);
    ck_assert(settings.insecure_admin);
    ck_assert(settings.half_weights);
    ck_assert_str_eq(settings.access_log, "-");
    ck_assert_str_eq(settings.host, "127.0.0.1");
    ck_assert_int_eq(settings.max_batch, 32);
    ck_assert_int_eq(settings.preferred_count, 2);
    ck_assert_int_eq(settings.weight_count, 2);
    sy_check_ok(srv_settings_check(&settings, &err), err);
    struct srv_queue_options queue = srv_settings_queue(&settings);
    ck_assert_int_eq(queue.preferred[1], 8);
}
END_TEST

START_TEST(what_is_wrong_is_named_and_changes_nothing)
{
    static const char *const bad[][2] = {
        {"{\"prot\": 1}", "did you mean \"port\""},
        {"{\"port\": -1}", "port"},
        {"{\"port\": 1.5}", "port"},
        {"{\"host\": 1}", "host"},
        {"{\"weights\": []}", "weights"},
        {"{\"weights\": {\"a.b\": 1001}}", "1 to 1000"},
        {"{\"weights\": {\"ab\": 1}}", "NET.DOMAIN"},
        {"{\"preferred_batch\": [3, 3]}", "preferred_batch"},
        {"{\"port\": 7, \"port\": 8}", "port"},
        {"[]", "object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sy_error err = {0};
        sy_check_fails(load(bad[i][0], &err), SY_BAD_INPUT, err);
        sy_check_says(err, bad[i][1]);
        ck_assert_int_eq(settings.port, 8000);
        ck_assert_int_eq(settings.weight_count, 0);
    }
}
END_TEST

START_TEST(a_weight_given_twice_counts_once_the_last_time)
{
    struct sy_error err = {0};
    srv_settings_default(&settings);
    sy_check_ok(srv_settings_add_weight(&settings, "a.b=2", &err), err);
    sy_check_ok(srv_settings_add_weight(&settings, "a.b=5", &err), err);
    ck_assert_int_eq(settings.weight_count, 1);
    ck_assert_int_eq(settings.weight[0].weight, 5);
    sy_check_fails(srv_settings_add_weight(&settings, "a.b", &err),
                   SY_BAD_INPUT, err);
    sy_check_fails(srv_settings_add_weight(&settings, "a.b=5x", &err),
                   SY_BAD_INPUT, err);
}
END_TEST

START_TEST(settings_that_need_a_restart_are_known)
{
    static struct srv_settings other;
    srv_settings_default(&settings);
    srv_settings_default(&other);
    other.max_queue = 1;
    ck_assert_ptr_null(srv_settings_need_restart(&settings, &other));
    other.port = 1;
    ck_assert_str_eq(srv_settings_need_restart(&settings, &other)->key, "port");
}
END_TEST

/* docs/serve.md has a line for each setting: key, default and range, and
   whether a reload takes it; and no line for anything else. */
START_TEST(the_documentation_has_every_setting_and_no_other)
{
    char *text = NULL;
    size_t bytes;
    struct sy_error err = {0};
    sy_check_ok(sy_file_read(SY_SOURCE_DIR "/docs/serve.md", 1 << 20, &text,
                             &bytes, &err),
                err);
    int rows = 0, table = 0;
    for (const struct srv_setting *s = srv_setting_table; s->key != NULL; s++) {
        char row[256];
        const char *when = s->live ? "yes" : "no";
        if (s->kind == SRV_SETTING_INT) {
            snprintf(row, sizeof row, "| `%s` | %d to %d | %d | %s | ", s->key,
                     s->low, s->high, s->number_default, when);
        } else if (s->kind == SRV_SETTING_TEXT) {
            snprintf(row, sizeof row, "| `%s` | text | %s | %s | ", s->key,
                     s->text_default[0] != '\0' ? s->text_default : "none",
                     when);
        } else {
            snprintf(row, sizeof row, "| `%s` | true or false | false | %s | ",
                     s->key, when);
        }
        ck_assert_msg(strstr(text, row) != NULL, "docs/serve.md lacks: %s",
                      row);
        table++;
    }
    for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at++) {
        rows++;
    }
    /* Beside the table: repository, weights, preferred_batch. */
    ck_assert_int_eq(rows, table + 3);
    sy_free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, a_file_changes_what_it_names_and_nothing_else);
    tcase_add_test(tc, what_is_wrong_is_named_and_changes_nothing);
    tcase_add_test(tc, a_weight_given_twice_counts_once_the_last_time);
    tcase_add_test(tc, settings_that_need_a_restart_are_known);
    tcase_add_test(tc, the_documentation_has_every_setting_and_no_other);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
