/* test_current.c - what is served, as lines: read, written, refused. */
#include "runtime/artefact/current.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "tests/support/check_main.h"

#define A "6c1f0d2e9a3b4c5d"
#define B "0f1e2d3c4b5a6978"

static const char whole[] = "3\n"
                            "pack " A "\n"
                            "pack " B "\n"
                            "candidate " B " shadow 1000 canary 5\n"
                            "rules {\"min_samples\":200}\n"
                            "before 2 " A "\n";

static enum sy_status parse(struct sy_current *current, const char *text,
                            struct sy_error *err)
{
    return sy_current_parse(current, text, strlen(text), "CURRENT", err);
}

START_TEST(lines_are_read_and_written_the_same)
{
    struct sy_error err = {0};
    struct sy_current current;
    char text[SY_CURRENT_TEXT_BYTES];
    sy_check_ok(parse(&current, whole, &err), err);
    ck_assert_int_eq(current.served.version, 3);
    ck_assert_int_eq(current.served.pack_count, 2);
    ck_assert_str_eq(current.served.pack[1], B);
    ck_assert_str_eq(current.candidate, B);
    ck_assert_int_eq(current.shadow_share, 1000);
    ck_assert_int_eq(current.canary_share, 5);
    ck_assert_str_eq(current.rules, "{\"min_samples\":200}");
    ck_assert_int_eq(current.before.version, 2);
    ck_assert_str_eq(current.before.pack[0], A);
    sy_check_ok(sy_current_text(&current, text, &err), err);
    ck_assert_str_eq(text, whole);
    sy_check_ok(parse(&current, "12", &err), err);
    sy_check_ok(sy_current_text(&current, text, &err), err);
    ck_assert_str_eq(text, "12\n");
}
END_TEST

START_TEST(what_is_not_one_of_the_lines_is_refused_with_its_number)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "line 1"},
        {"\n3\n", "line 1"},
        {"03\n", "line 1"},
        {"3 \n", "line 1"},
        {"3\n\n", "line 2"},
        {"3\nPack " A "\n", "line 2"},
        {"3\npack\n", "line 2"},
        {"3\npack " A " \n", "line 2: expected the id"},
        {"3\npack 6C1F0D2E9A3B4C5D\n", "line 2: expected the id"},
        {"3\npack ../../../../etc1\n", "line 2: expected the id"},
        {"3\nbefore 2\npack " A "\n", "line 3"},
        {"3\nrules {}\n", "line 2"},
        {"3\ncandidate " A "\n", "line 2"},
        {"3\ncandidate " A " shadow 1 canary\n", "line 2"},
        {"3\ncandidate " A " shadow 10001 canary 0\n", "hundredths"},
        {"3\ncandidate " A " shadow -1 canary 0\n", "hundredths"},
        {"3\ncandidate " A " shadow 01 canary 0\n", "hundredths"},
        {"3\ncandidate " A " shadow 1 canary 0 \n", "line 2"},
        {"3\ncandidate " A "  shadow 1 canary 0\n", "line 2"},
        {"3\ncandidate " A " shadow 1 canary 0\nrules []\n", "line 3"},
        {"3\ncandidate " A " shadow 1 canary 0\nrules {\n", "CURRENT"},
        {"3\nbefore 0\n", "line 2"},
        {"3\nbefore 2 x\n", "line 2"},
        {"3\nbefore 2\nbefore 2\n", "line 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sy_error err = {0};
        struct sy_current current = {.served = {.version = 77}};
        sy_check_fails(parse(&current, cases[i].text, &err), SY_BAD_INPUT, err);
        sy_check_says(err, cases[i].says);
        ck_assert_int_eq(current.served.version, 77);
    }
}
END_TEST

START_TEST(a_nul_byte_and_a_text_too_long_are_refused)
{
    static char text[SY_CURRENT_TEXT_BYTES + 1];
    struct sy_error err = {0};
    struct sy_current current;
    sy_check_fails(sy_current_parse(&current, "3\n\0", 3, "CURRENT", &err),
                   SY_BAD_INPUT, err);
    memset(text, '3', sizeof text - 1);
    sy_check_fails(parse(&current, text, &err), SY_BAD_INPUT, err);
    size_t used = (size_t)snprintf(text, sizeof text, "3\n");
    for (int p = 0; p <= SY_STACK_PACKS; p++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "pack " A "\n");
    }
    sy_check_fails(parse(&current, text, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "at most 64 packs");
}
END_TEST

START_TEST(without_the_file_the_newest_version_is_served)
{
    struct sy_error err = {0};
    struct sy_current current;
    char m[SY_PATH_BYTES];
    (void)snprintf(m, sizeof m, "%s/m", sy_check_folder());
    sy_check_ok(sy_dir_make(m, &err), err);
    sy_check_fails(sy_current_read(m, &current, &err), SY_NOT_FOUND, err);
    sy_check_ok(sy_dir_make(sy_check_path("m/9"), &err), err);
    sy_check_ok(sy_dir_make(sy_check_path("m/10"), &err), err);
    sy_check_ok(sy_current_read(m, &current, &err), err);
    ck_assert_int_eq(current.served.version, 10);
    ck_assert_int_eq(current.served.pack_count, 0);
    current.served.version = 9;
    sy_check_ok(sy_current_write(m, &current, &err), err);
    memset(&current, 0, sizeof current);
    sy_check_ok(sy_current_read(m, &current, &err), err);
    ck_assert_int_eq(current.served.version, 9);
}
END_TEST

START_TEST(what_could_not_be_read_again_is_not_written)
{
    struct sy_error err = {0};
    struct sy_current good = {.served = {.version = 1}}, bad[4], read;
    char m[SY_PATH_BYTES];
    (void)snprintf(m, sizeof m, "%s/m", sy_check_folder());
    sy_check_ok(sy_dir_make(m, &err), err);
    sy_check_ok(sy_current_write(m, &good, &err), err);
    for (int i = 0; i < 4; i++) {
        bad[i] = good;
        bad[i].served.version = 2;
    }
    bad[0].served.version = 0;
    (void)snprintf(bad[1].candidate, sizeof bad[1].candidate, "%s", A);
    bad[1].canary_share = SY_SHARE_WHOLE + 1;
    (void)snprintf(bad[2].rules, sizeof bad[2].rules, "{}");
    bad[3].served.pack_count = 1;
    for (int i = 0; i < 4; i++) {
        sy_check_fails(sy_current_write(m, &bad[i], &err), SY_BAD_INPUT, err);
        sy_check_ok(sy_current_read(m, &read, &err), err);
        ck_assert_int_eq(read.served.version, 1);
    }
}
END_TEST

START_TEST(a_stack_has_a_name_of_its_own)
{
    struct sy_stack stack = {.version = 3}, other;
    char label[SY_STACK_LABEL_BYTES], second[SY_STACK_LABEL_BYTES];
    sy_stack_label(&stack, label);
    ck_assert_str_eq(label, "3");
    memcpy(stack.pack[stack.pack_count++], A, sizeof A);
    memcpy(stack.pack[stack.pack_count++], B, sizeof B);
    sy_stack_label(&stack, label);
    ck_assert_str_eq(label, "3+" A "+" B);
    stack.pack_count = SY_STACK_PACKS;
    for (int p = 2; p < SY_STACK_PACKS; p++) {
        memcpy(stack.pack[p], A, sizeof A);
    }
    other = stack;
    memcpy(other.pack[63], B, sizeof B);
    sy_stack_label(&stack, label);
    sy_stack_label(&other, second);
    ck_assert_int_eq(strncmp(label, "3+64-", 5), 0);
    ck_assert_str_ne(label, second);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("current");
    TCase *tc = tcase_create("lines");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, lines_are_read_and_written_the_same);
    tcase_add_test(tc, what_is_not_one_of_the_lines_is_refused_with_its_number);
    tcase_add_test(tc, a_nul_byte_and_a_text_too_long_are_refused);
    tcase_add_test(tc, without_the_file_the_newest_version_is_served);
    tcase_add_test(tc, what_could_not_be_read_again_is_not_written);
    tcase_add_test(tc, a_stack_has_a_name_of_its_own);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
