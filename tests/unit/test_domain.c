/* Tests of domains/domain.c and walk.c. */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;

static struct dom_domain *open_domain(const char *name, double holdout)
{
    struct dom_domain *domain = NULL;
    struct dom_options options = {.holdout = holdout};
    sy_check_ok(dom_open(&domain, sy_check_folder(), name, &options, &err),
                err);
    return domain;
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

/* Replaces the labels of toy's training part. */
static void put_labels(const char *path, const uint8_t *labels, uint32_t count)
{
    size_t bytes;
    uint8_t *file = sy_make_idx(1, &count, labels, &bytes);
    sy_put(path, file, bytes);
    sy_free(file);
}

/* The place of a picture within the training part, by its bytes. */
static int place(const struct dom_domain *domain, enum dom_split split,
                 int index, const uint8_t *file, int images)
{
    uint8_t pixels[60];
    sy_check_ok(dom_read(domain, split, index, 4, 5, pixels, &err), err);
    for (int i = 0; i < images; i++) {
        int same = 0;
        for (int k = 0; k < 20; k++) {
            same += pixels[3 * k] == file[16 + 20 * i + k];
        }
        if (same == 20) {
            return i;
        }
    }
    return -1;
}

START_TEST(names_hold_letters_digits_underscore_and_dash)
{
    char text[80] = "";
    ck_assert(dom_name_is_valid("a"));
    ck_assert(dom_name_is_valid("MNIST_2-b"));
    ck_assert(!dom_name_is_valid(""));
    ck_assert(!dom_name_is_valid("a.b"));
    ck_assert(!dom_name_is_valid("a/b"));
    ck_assert(!dom_name_is_valid(".."));
    ck_assert(!dom_name_is_valid("a b"));
    ck_assert(!dom_name_is_valid("\xc3\xb6"));
    memset(text, 'a', 63);
    ck_assert(dom_name_is_valid(text));
    text[63] = 'a';
    ck_assert(!dom_name_is_valid(text));
    struct dom_domain *domain = NULL;
    sy_check_fails(dom_open(&domain, "/", "../etc", NULL, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "../etc");
}
END_TEST

START_TEST(a_missing_folder_and_one_of_no_format_are_told_apart)
{
    refuses(SY_NOT_FOUND, "toy", "domains list");
    sy_put_text("toy/readme", "x");
    refuses(SY_NOT_FOUND, "formats", "idx, npy, cifar, folders");
}
END_TEST

START_TEST(a_held_out_share_outside_zero_to_a_half_is_refused)
{
    struct dom_domain *domain = NULL;
    struct dom_options options = {.holdout = 0.6};
    sy_put_domain(&(struct sy_domain_files){0});
    sy_check_fails(dom_open(&domain, sy_check_folder(), "toy", &options, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "0.6");
}
END_TEST

START_TEST(splits_are_disjoint_cover_everything_and_hold_every_class)
{
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){.train = 100, .classes = 4});
    uint8_t *file = sy_get("toy/train-images-idx3-ubyte", &bytes);
    struct dom_domain *domain = open_domain("toy", 0.2);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 80);
    ck_assert_int_eq(dom_count(domain, DOM_VALID), 20);
    int seen[100] = {0};
    for (int split = DOM_TRAIN; split <= DOM_VALID; split++) {
        int classes[4] = {0};
        int last = -1;
        for (int i = 0; i < dom_count(domain, split); i++) {
            int at = place(domain, split, i, file, 100);
            ck_assert_int_gt(at, last); /* in the folder's order */
            last = at;
            seen[at]++;
            ck_assert_int_eq(dom_label(domain, split, i), at % 4);
            classes[at % 4]++;
        }
        for (int k = 0; k < 4; k++) {
            ck_assert_int_eq(classes[k], split == DOM_TRAIN ? 20 : 5);
        }
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(seen[i], 1);
    }
    dom_close(domain);
    sy_free(file);
}
END_TEST

START_TEST(the_split_is_the_same_every_time_and_nested_in_larger_ones)
{
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){.train = 99});
    uint8_t *file = sy_get("toy/train-images-idx3-ubyte", &bytes);
    int held[99] = {0};
    struct dom_domain *domain = open_domain("toy", 0.5);
    for (int i = 0; i < dom_count(domain, DOM_VALID); i++) {
        held[place(domain, DOM_VALID, i, file, 99)] = 1;
    }
    dom_close(domain);
    domain = open_domain("toy", 0.25);
    ck_assert_int_eq(dom_count(domain, DOM_VALID), 24);
    /* Computed apart, from Philox's definition and domain.c's rule: stored
     * runs depend on it. */
    static const int first[] = {6, 15, 18, 19, 20, 21};
    for (int i = 0; i < dom_count(domain, DOM_VALID); i++) {
        int at = place(domain, DOM_VALID, i, file, 99);
        ck_assert_int_eq(held[at], 1);
        if (i < 6) {
            ck_assert_int_eq(at, first[i]);
        }
    }
    dom_close(domain);
    sy_free(file);
}
END_TEST

START_TEST(a_fraction_thins_every_class_and_moves_no_image_between_splits)
{
    static const double fractions[] = {0.5, 0.25, 0.01};
    static const int there[] = {5, 2, 1}; /* of 10 images of each class */
    size_t bytes;
    int was[30];
    sy_put_domain(&(struct sy_domain_files){.name = "toy"});
    uint8_t *file = sy_get("toy/train-images-idx3-ubyte", &bytes);
    struct dom_domain *whole = open_domain("toy", 0.5);
    for (int i = 0; i < dom_count(whole, DOM_TRAIN); i++) {
        was[place(whole, DOM_TRAIN, i, file, 30)] = DOM_TRAIN;
    }
    for (int i = 0; i < dom_count(whole, DOM_VALID); i++) {
        was[place(whole, DOM_VALID, i, file, 30)] = DOM_VALID;
    }
    for (int f = 0; f < 3; f++) {
        struct dom_domain *thin = NULL;
        struct dom_options options = {.holdout = 0.5, .fraction = fractions[f]};
        int seen[3] = {0};
        sy_check_ok(dom_open(&thin, sy_check_folder(), "toy", &options, &err),
                    err);
        for (int i = 0; i < dom_count(thin, DOM_TRAIN); i++) {
            seen[dom_label(thin, DOM_TRAIN, i)]++;
        }
        for (int i = 0; i < dom_count(thin, DOM_VALID); i++) {
            seen[dom_label(thin, DOM_VALID, i)]++;
            ck_assert_int_eq(was[place(thin, DOM_VALID, i, file, 30)],
                             DOM_VALID);
        }
        for (int k = 0; k < 3; k++) {
            ck_assert_int_eq(seen[k], there[f]);
        }
        ck_assert_int_eq(dom_count(thin, DOM_TEST), dom_count(whole, DOM_TEST));
        dom_close(thin);
    }
    dom_close(whole);
    sy_free(file);
}
END_TEST

START_TEST(small_classes_keep_an_image_on_both_sides)
{
    static const uint8_t labels[] = {0, 1, 1, 2, 2, 2};
    sy_put_domain(&(struct sy_domain_files){.train = 6});
    put_labels("toy/train-labels-idx1-ubyte", labels, 6);
    struct dom_domain *domain = open_domain("toy", 0.1);
    /* One of class 1, one of class 2; the only image of class 0 stays. */
    ck_assert_int_eq(dom_count(domain, DOM_VALID), 2);
    ck_assert_int_eq(dom_label(domain, DOM_VALID, 0), 1);
    ck_assert_int_eq(dom_label(domain, DOM_VALID, 1), 2);
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 0), 0);
    dom_close(domain);
    domain = open_domain("toy", 0);
    ck_assert_int_eq(dom_count(domain, DOM_VALID), 0);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 6);
    dom_close(domain);
}
END_TEST

START_TEST(labels_txt_names_the_classes)
{
    sy_put_domain(&(struct sy_domain_files){0});
    struct dom_domain *domain = open_domain("toy", 0);
    ck_assert_str_eq(dom_class_name(domain, 2), "2");
    dom_close(domain);
    sy_put_text("toy/labels.txt", "cat\ndog\nT-shirt/top\n");
    domain = open_domain("toy", 0);
    ck_assert_str_eq(dom_name(domain), "toy");
    ck_assert_str_eq(dom_class_name(domain, 2), "T-shirt/top");
    dom_close(domain);
}
END_TEST

START_TEST(too_few_names_are_refused_with_both_counts)
{
    sy_put_domain(&(struct sy_domain_files){0});
    sy_put_text("toy/classes.txt", "cat\ndog\n");
    refuses(SY_BAD_INPUT, "classes.txt: expected 3 class names", "found 2");
    sy_put_text("toy/labels.txt", "a\nb\nc\n");
    refuses(SY_BAD_INPUT, "labels.txt", "classes.txt as well");
}
END_TEST

START_TEST(a_class_without_a_training_image_is_refused)
{
    sy_put_domain(&(struct sy_domain_files){0});
    sy_put_text("toy/labels.txt", "cat\ndog\nbird\nfish\n");
    refuses(SY_BAD_INPUT, "class 3 (\"fish\")", "found none");
    sy_put_domain(&(struct sy_domain_files){.train = 6});
    sy_shell("rm %s/toy/labels.txt", sy_check_folder(), "");
    put_labels("toy/train-labels-idx1-ubyte", (uint8_t[]){0, 1, 3, 0, 1, 3}, 6);
    refuses(SY_BAD_INPUT, "class 2 (\"2\")", "found none");
}
END_TEST

START_TEST(a_test_label_out_of_range_is_refused_with_its_place)
{
    sy_put_domain(&(struct sy_domain_files){.test = 3});
    put_labels("toy/test-labels-idx1-ubyte", (uint8_t[]){0, 7, 1}, 3);
    refuses(SY_BAD_INPUT, "test label 1", "expected 0 to 2");
    sy_check_says(err, "found 7");
}
END_TEST

START_TEST(the_hash_changes_with_every_name_and_byte)
{
    char sums[4][SY_HASH_TEXT_BYTES];
    sy_put_domain(&(struct sy_domain_files){0});
    for (int i = 0; i < 4; i++) {
        struct dom_domain *domain = open_domain("toy", 0);
        sy_check_ok(dom_hash(domain, sums[i], &err), err);
        dom_close(domain);
        if (i == 0) {
            sy_put_text("toy/.hidden", "not counted");
        } else if (i == 1) {
            sy_put_text("toy/more/labels", "a");
        } else if (i == 2) {
            sy_shell("mv %s/toy/more %s/toy/most", sy_check_folder(),
                     sy_check_folder());
        }
    }
    ck_assert_str_eq(sums[0], sums[1]);
    ck_assert_str_ne(sums[1], sums[2]);
    ck_assert_str_ne(sums[2], sums[3]);
    ck_assert_uint_eq(strlen(sums[0]), 64);
}
END_TEST

START_TEST(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing)
{
    enum sy_status status = SY_NO_MEMORY;
    int64_t live = sy_alloc_live();
    sy_put_domain(&(struct sy_domain_files){0});
    sy_put_text("toy/labels.txt", "a\nb\nc\n");
    for (int n = 1; status != SY_OK; n++) {
        struct dom_domain *domain = NULL;
        struct dom_options options = {.holdout = 0.2};
        ck_assert_int_lt(n, 200);
        sy_alloc_fail_at(n, false);
        status = dom_open(&domain, sy_check_folder(), "toy", &options, &err);
        sy_alloc_fail_at(0, false);
        ck_assert_msg(status == SY_OK || status == SY_NO_MEMORY, "%s",
                      err.message);
        dom_close(domain);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("domain");
    TCase *tc = tcase_create("domain");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, names_hold_letters_digits_underscore_and_dash);
    tcase_add_test(tc, a_missing_folder_and_one_of_no_format_are_told_apart);
    tcase_add_test(tc, a_held_out_share_outside_zero_to_a_half_is_refused);
    tcase_add_test(tc,
                   splits_are_disjoint_cover_everything_and_hold_every_class);
    tcase_add_test(tc,
                   the_split_is_the_same_every_time_and_nested_in_larger_ones);
    tcase_add_test(
        tc, a_fraction_thins_every_class_and_moves_no_image_between_splits);
    tcase_add_test(tc, small_classes_keep_an_image_on_both_sides);
    tcase_add_test(tc, labels_txt_names_the_classes);
    tcase_add_test(tc, too_few_names_are_refused_with_both_counts);
    tcase_add_test(tc, a_class_without_a_training_image_is_refused);
    tcase_add_test(tc, a_test_label_out_of_range_is_refused_with_its_place);
    tcase_add_test(tc, the_hash_changes_with_every_name_and_byte);
    tcase_add_test(
        tc, running_out_of_memory_anywhere_is_an_error_and_leaks_nothing);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
