/* Tests of domains/formats/cifar.c and names.c. */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/formats/cifar.h"
#include "domains/formats/names.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;

/* Writes a batch of `count` records whose labels go round in `classes`. */
static void put_batch(const char *path, int count, int classes, int more)
{
    size_t bytes = (size_t)count * DOM_CIFAR_RECORD;
    uint8_t *data = sy_alloc(bytes + 1);
    ck_assert_ptr_nonnull(data);
    sy_noise(data, bytes + 1, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        data[(size_t)i * DOM_CIFAR_RECORD] = (uint8_t)(i % classes);
    }
    sy_put(path, data, bytes + (size_t)more);
    sy_free(data);
}

static void put_toy(void)
{
    put_batch("toy/data_batch_1.bin", 20, 10, 0);
    put_batch("toy/data_batch_2.bin", 10, 10, 0);
    put_batch("toy/test_batch.bin", 5, 10, 0);
}

static void refuses(enum sy_status status, const char *one, const char *two)
{
    struct dom_domain *domain = NULL;
    int64_t live = sy_alloc_live();
    sy_check_fails(dom_open(&domain, sy_check_folder(), "toy", NULL, &err),
                   status, err);
    sy_check_says(err, one);
    sy_check_says(err, two);
    ck_assert_int_eq(sy_alloc_live(), live);
}

START_TEST(batches_join_in_order_of_name_and_planes_become_pixels)
{
    struct dom_domain *domain = NULL;
    uint8_t pixels[3072];
    size_t bytes;
    put_toy();
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_str_eq(dom_format(domain), "cifar");
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 30);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 5);
    ck_assert_int_eq(dom_height(domain), 32);
    ck_assert_int_eq(dom_channels(domain), 3);
    uint8_t *second = sy_get("toy/data_batch_2.bin", &bytes);
    sy_check_ok(dom_read(domain, DOM_TRAIN, 23, 32, 32, pixels, &err), err);
    const uint8_t *record = second + 3 * DOM_CIFAR_RECORD;
    for (int i = 0; i < 1024; i++) {
        ck_assert_int_eq(pixels[3 * i], record[1 + i]);
        ck_assert_int_eq(pixels[3 * i + 1], record[1025 + i]);
        ck_assert_int_eq(pixels[3 * i + 2], record[2049 + i]);
    }
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 23), 3);
    ck_assert_str_eq(dom_class_name(domain, 3), "3");
    sy_free(second);
    dom_close(domain);
}
END_TEST

START_TEST(a_size_that_is_no_multiple_of_a_record_is_refused)
{
    put_toy();
    put_batch("toy/data_batch_2.bin", 10, 10, 1);
    refuses(SY_BAD_INPUT, "data_batch_2.bin", "found 30731 bytes");
    put_batch("toy/data_batch_2.bin", 10, 10, -1);
    refuses(SY_BAD_INPUT, "data_batch_2.bin", "truncated");
    sy_put("toy/data_batch_2.bin", "", 0);
    refuses(SY_BAD_INPUT, "data_batch_2.bin", "found 0 bytes");
}
END_TEST

START_TEST(a_label_beyond_the_classes_is_refused_with_its_record)
{
    put_toy();
    put_batch("toy/data_batch_2.bin", 20, 12, 0);
    refuses(SY_BAD_INPUT, "record 10", "found 10");
    sy_put_text("toy/batches.meta.txt", "a\nb\nc\n");
    refuses(SY_BAD_INPUT, "record 3", "expected a label from 0 to 2");
}
END_TEST

START_TEST(an_empty_class_is_refused)
{
    put_toy();
    put_batch("toy/data_batch_1.bin", 8, 10, 0);
    put_batch("toy/data_batch_2.bin", 8, 10, 0);
    sy_put_text("toy/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    refuses(SY_BAD_INPUT, "class 8", "\"i\"");
}
END_TEST

START_TEST(a_missing_part_is_named)
{
    put_toy();
    sy_shell("rm %s/toy/test_batch.bin", sy_check_folder(), "");
    refuses(SY_NOT_FOUND, "expected test_batch.bin", "found none");
}
END_TEST

START_TEST(names_come_from_the_meta_file_and_labels_txt_wins)
{
    struct dom_domain *domain = NULL;
    put_toy();
    sy_put_text("toy/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_str_eq(dom_class_name(domain, 9), "j");
    dom_close(domain);
    sy_put_text("toy/labels.txt", "A\nB\nC\nD\nE\nF\nG\nH\nI\nJ");
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_str_eq(dom_class_name(domain, 9), "J");
    dom_close(domain);
}
END_TEST

START_TEST(lists_of_names_are_read_with_their_oddities)
{
    static const char text[] = "\xef\xbb\xbf"
                               "cat\r\nd\xc3\xb6g  \n a\tb\n\n\n";
    char **names = NULL;
    int count = 0;
    sy_check_fails(
        dom_names_parse(text, sizeof(text) - 1, "x", &names, &count, &err),
        SY_BAD_INPUT, err);
    sy_check_says(err, "line 3");
    sy_check_ok(dom_names_parse(text, 15, "x", &names, &count, &err), err);
    ck_assert_int_eq(count, 2);
    ck_assert_str_eq(names[0], "cat");
    ck_assert_str_eq(names[1], "d\xc3\xb6g");
    dom_names_free(names, count);
}
END_TEST

START_TEST(bad_lists_of_names_are_refused_with_their_line)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "found none"},
        {"\n\n", "found none"},
        {"a\n\nb\n", "line 2"},
        {"a\nb\na\n", "\"a\" twice"},
        {"a\nb\x01\n", "line 2"},
        {"\xff\n", "line 1"},
        {"\xc0\x80\n", "line 1"},
        {"\xed\xa0\x80\n", "line 1"},
        {"\xf4\x90\x80\x80\n", "line 1"},
        {"\xc2\x85\n", "line 1"},
        {"0123456789012345678901234567890123456789012345678901234567890123\n",
         "found 64 bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char **names = NULL;
        int count = 0;
        sy_check_fails(dom_names_parse(cases[i].text, strlen(cases[i].text),
                                       "labels.txt", &names, &count, &err),
                       SY_BAD_INPUT, err);
        sy_check_says(err, cases[i].says);
        ck_assert_ptr_null(names);
    }
}
END_TEST

START_TEST(real_batches_are_read)
{
    const char *data = sy_real_data();
    struct dom_domain *domain = NULL;
    if (data == NULL) {
        return;
    }
    sy_shell("cp -r %s/formats/cifar10-binary %s/", data, sy_check_folder());
    sy_check_ok(
        dom_open(&domain, sy_check_folder(), "cifar10-binary", NULL, &err),
        err);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 500);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 100);
    ck_assert_str_eq(dom_class_name(domain, 9), "truck");
    dom_close(domain);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("cifar");
    TCase *tc = tcase_create("cifar");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, batches_join_in_order_of_name_and_planes_become_pixels);
    tcase_add_test(tc, a_size_that_is_no_multiple_of_a_record_is_refused);
    tcase_add_test(tc, a_label_beyond_the_classes_is_refused_with_its_record);
    tcase_add_test(tc, an_empty_class_is_refused);
    tcase_add_test(tc, a_missing_part_is_named);
    tcase_add_test(tc, names_come_from_the_meta_file_and_labels_txt_wins);
    tcase_add_test(tc, lists_of_names_are_read_with_their_oddities);
    tcase_add_test(tc, bad_lists_of_names_are_refused_with_their_line);
    tcase_add_test(tc, real_batches_are_read);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
