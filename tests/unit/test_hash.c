/*
 * test_hash.c - SHA-256 against its published answers, in pieces and from
 * files.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

/* FIPS 180-2, appendix B, and the empty message of NIST's CAVS vectors. */
static const struct {
    const char *text;
    const char *hash;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static const char million_hash[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

/* A million times "a"; the caller's (free). */
static char *make_million(void)
{
    char *text = malloc(1000000);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', 1000000);
    return text;
}

START_TEST(the_published_answers_come_out)
{
    char text[SY_HASH_TEXT_BYTES];
    sy_hash_bytes(known[_i].text, strlen(known[_i].text), text);
    ck_assert_str_eq(text, known[_i].hash);
}
END_TEST

START_TEST(a_million_letters_hash_as_published)
{
    char text[SY_HASH_TEXT_BYTES];
    char *million = make_million();
    sy_hash_bytes(million, 1000000, text);
    ck_assert_str_eq(text, million_hash);
    free(million);
}
END_TEST

START_TEST(pieces_hash_as_the_whole)
{
    char *million = make_million();
    for (size_t piece = 1; piece < 200000; piece = piece * 3 + 1) {
        struct sy_hash hash;
        char text[SY_HASH_TEXT_BYTES];
        sy_hash_init(&hash);
        for (size_t at = 0; at < 1000000; at += piece) {
            size_t left = 1000000 - at;
            sy_hash_add(&hash, million + at, piece < left ? piece : left);
        }
        sy_hash_add(&hash, million, 0);
        sy_hash_end(&hash, text);
        ck_assert_str_eq(text, million_hash);
    }
    free(million);
}
END_TEST

START_TEST(a_file_hashes_as_its_bytes)
{
    struct sy_error err = {0};
    char text[SY_HASH_TEXT_BYTES];
    char *million = make_million();
    const char *path = sy_check_path("million");
    sy_check_ok(sy_file_write(path, million, 1000000, &err), err);
    sy_check_ok(sy_hash_file(path, text, &err), err);
    ck_assert_str_eq(text, million_hash);
    const char *empty = sy_check_path("empty");
    sy_check_ok(sy_file_write(empty, "", 0, &err), err);
    sy_check_ok(sy_hash_file(empty, text, &err), err);
    ck_assert_str_eq(text, known[0].hash);
    ck_assert_int_eq(sy_alloc_live(), 0);
    free(million);
}
END_TEST

START_TEST(what_is_not_a_file_is_refused_and_the_text_is_untouched)
{
    struct sy_error err = {0};
    char text[SY_HASH_TEXT_BYTES] = "before";
    const char *pipe = sy_check_path("pipe");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    sy_check_fails(sy_hash_file(sy_check_path("absent"), text, &err),
                   SY_NOT_FOUND, err);
    sy_check_fails(sy_hash_file(sy_check_folder(), text, &err), SY_BAD_INPUT,
                   err);
    sy_check_fails(sy_hash_file(pipe, text, &err), SY_BAD_INPUT, err);
    ck_assert_str_eq(text, "before");
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hash");
    TCase *tc = tcase_create("hash");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_loop_test(tc, the_published_answers_come_out, 0, 3);
    tcase_add_test(tc, a_million_letters_hash_as_published);
    tcase_add_test(tc, pieces_hash_as_the_whole);
    tcase_add_test(tc, a_file_hashes_as_its_bytes);
    tcase_add_test(tc, what_is_not_a_file_is_refused_and_the_text_is_untouched);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
