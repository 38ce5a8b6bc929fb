/* Tests of domains/formats/folders.c, and of names for class folders. */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/listing.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;

/* Classes bird, cat; three and two training images, one test image each. */
static void put_toy(void)
{
    sy_put_png("toy/train/cat/b.png", 6, 7, 3, 1);
    sy_put_png("toy/train/cat/a.PNG", 6, 7, 3, 2);
    sy_put_png("toy/train/bird/2.png", 6, 7, 3, 3);
    sy_put_png("toy/train/bird/10.png", 6, 7, 3, 4);
    sy_put_png("toy/train/bird/1.png", 6, 7, 3, 5);
    sy_put_png("toy/test/cat/x.png", 6, 7, 3, 6);
    sy_put_png("toy/test/bird/y.png", 6, 7, 3, 7);
}

static struct dom_domain *open_toy(void)
{
    struct dom_domain *domain = NULL;
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
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

/* The picture must be the noise of that seed. */
static void check_picture(const struct dom_domain *domain, int index,
                          uint32_t seed)
{
    uint8_t pixels[126];
    uint8_t expected[126];
    sy_noise(expected, sizeof(expected), seed);
    sy_check_ok(dom_read(domain, DOM_TRAIN, index, 6, 7, pixels, &err), err);
    ck_assert_mem_eq(pixels, expected, sizeof(expected));
}

START_TEST(classes_and_images_are_in_order_of_name)
{
    static const uint32_t seeds[] = {5, 4, 3, 2, 1};
    put_toy();
    struct dom_domain *domain = open_toy();
    ck_assert_str_eq(dom_format(domain), "folders");
    ck_assert_int_eq(dom_classes(domain), 2);
    ck_assert_str_eq(dom_class_name(domain, 0), "bird");
    ck_assert_str_eq(dom_class_name(domain, 1), "cat");
    ck_assert_int_eq(dom_height(domain), 6);
    ck_assert_int_eq(dom_width(domain), 7);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 5);
    for (int i = 0; i < 5; i++) {
        check_picture(domain, i, seeds[i]);
        ck_assert_int_eq(dom_label(domain, DOM_TRAIN, i), i >= 3);
    }
    dom_close(domain);
}
END_TEST

START_TEST(mixed_sizes_and_channels_are_allowed_and_reported)
{
    uint8_t pixels[126];
    put_toy();
    sy_put_png("toy/train/cat/grey.png", 9, 9, 1, 8);
    struct dom_domain *domain = open_toy();
    ck_assert_int_eq(dom_height(domain), 0);
    ck_assert_int_eq(dom_width(domain), 0);
    ck_assert_int_eq(dom_channels(domain), 3);
    sy_check_ok(dom_read(domain, DOM_TRAIN, 5, 6, 7, pixels, &err), err);
    ck_assert_int_eq(pixels[0], pixels[1]);
    ck_assert_int_eq(pixels[0], pixels[2]);
    dom_close(domain);
}
END_TEST

START_TEST(files_with_a_leading_dot_are_ignored)
{
    put_toy();
    sy_put_text("toy/train/.DS_Store", "x");
    sy_put_text("toy/train/cat/.hidden", "x");
    dom_close(open_toy());
}
END_TEST

START_TEST(an_empty_class_is_refused)
{
    put_toy();
    sy_shell("mkdir %s/toy/train/ant", sy_check_folder(), "");
    refuses(SY_BAD_INPUT, "toy/train/ant", "empty class");
}
END_TEST

START_TEST(a_test_class_that_train_does_not_know_is_refused)
{
    put_toy();
    sy_put_png("toy/test/dog/x.png", 6, 7, 3, 1);
    refuses(SY_BAD_INPUT, "toy/test/dog", "a class that train/ has");
}
END_TEST

START_TEST(a_missing_part_is_named)
{
    put_toy();
    sy_shell("rm -r %s/toy/test", sy_check_folder(), "");
    refuses(SY_NOT_FOUND, "toy/test", "both train/ and test/");
}
END_TEST

START_TEST(strangers_are_refused_rather_than_skipped)
{
    put_toy();
    sy_put_text("toy/train/cat/notes.txt", "x");
    refuses(SY_BAD_INPUT, "cat/notes.txt", "expected a picture");
    sy_shell("rm %s/toy/train/cat/notes.txt", sy_check_folder(), "");
    sy_put_png("toy/train/lost.png", 6, 7, 3, 1);
    refuses(SY_BAD_INPUT, "train/lost.png", "only class folders");
    sy_shell("rm %s/toy/train/lost.png", sy_check_folder(), "");
    sy_put_png("toy/train/cat/deep/x.png", 6, 7, 3, 1);
    refuses(SY_BAD_INPUT, "cat/deep", "found a folder");
}
END_TEST

START_TEST(a_file_that_is_no_picture_is_found_at_open)
{
    put_toy();
    sy_put_text("toy/train/cat/fake.jpg", "GIF89a");
    refuses(SY_BAD_INPUT, "cat/fake.jpg", "0x47 0x49");
}
END_TEST

START_TEST(a_damaged_picture_is_found_when_it_is_read)
{
    size_t bytes;
    uint8_t pixels[126];
    put_toy();
    uint8_t *data = sy_get("toy/train/cat/b.png", &bytes);
    sy_put("toy/train/cat/b.png", data, bytes - 14);
    sy_free(data);
    struct dom_domain *domain = open_toy();
    sy_check_fails(dom_read(domain, DOM_TRAIN, 4, 6, 7, pixels, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "cat/b.png");
    dom_close(domain);
}
END_TEST

START_TEST(a_list_of_the_folders_names_gives_their_order)
{
    put_toy();
    sy_put_text("toy/classes.txt", "cat\nbird\n");
    struct dom_domain *domain = open_toy();
    ck_assert_str_eq(dom_class_name(domain, 0), "cat");
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 0), 1);
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 4), 0);
    check_picture(domain, 0, 5);
    check_picture(domain, 4, 1);
    ck_assert_int_eq(dom_label(domain, DOM_TEST, 0), 1);
    dom_close(domain);
}
END_TEST

START_TEST(a_list_of_other_names_renames_the_folders)
{
    put_toy();
    sy_put_text("toy/labels.txt", "Vogel\nKatze\n");
    struct dom_domain *domain = open_toy();
    ck_assert_str_eq(dom_class_name(domain, 0), "Vogel");
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 0), 0);
    dom_close(domain);
}
END_TEST

START_TEST(a_list_that_fits_only_in_part_is_refused)
{
    put_toy();
    sy_put_text("toy/labels.txt", "cat\nfish\n");
    refuses(SY_BAD_INPUT, "labels.txt", "\"bird\" is missing");
    sy_put_text("toy/labels.txt", "cat\nbird\nfish\n");
    refuses(SY_BAD_INPUT, "expected 2 class names", "found 3");
}
END_TEST

START_TEST(a_listing_shows_domains_and_what_is_wrong_with_others)
{
    struct dom_listing listing;
    put_toy();
    sy_put_domain(&(struct sy_domain_files){.name = "digits"});
    sy_put_text("bad.name/train/x", "x");
    sy_put_text("empty/readme", "x");
    sy_put_text(".git/x", "x");
    sy_put_text("file", "x");
    sy_check_ok(dom_listing_make(&listing, sy_check_folder(), &err), err);
    ck_assert_int_eq(listing.count, 4);
    ck_assert_str_eq(listing.items[0].name, "bad.name");
    ck_assert_int_eq(listing.items[0].status, SY_BAD_INPUT);
    ck_assert_str_eq(listing.items[1].name, "digits");
    ck_assert_int_eq(listing.items[1].status, SY_OK);
    ck_assert_str_eq(listing.items[1].format, "idx");
    ck_assert_int_eq(listing.items[1].train, 30);
    ck_assert_int_eq(listing.items[1].test, 10);
    ck_assert_int_eq(listing.items[2].status, SY_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(listing.items[2].message, "idx, npy"));
    ck_assert_str_eq(listing.items[3].format, "folders");
    dom_listing_release(&listing);
    sy_check_fails(dom_listing_make(&listing, "/nowhere", &err), SY_NOT_FOUND,
                   err);
}
END_TEST

START_TEST(real_folders_of_png_and_jpeg_are_read)
{
    const char *data = sy_real_data();
    static const struct {
        const char *unpack, *name;
        int train, test, side, channels;
    } real[] = {
        {"tar xf %s/formats/png-grey-folders/mnist-28x28-png.tar -C %s",
         "mnist", 400, 100, 28, 1},
        {"tar xzf %s/formats/jpeg-folders/cifar10-32x32-jpeg.tar.gz -C %s",
         "cifar10", 200, 50, 32, 3},
    };
    for (int i = 0; data != NULL && i < 2; i++) {
        struct dom_domain *domain = NULL;
        uint8_t pixels[3072];
        sy_shell(real[i].unpack, data, sy_check_folder());
        sy_check_ok(
            dom_open(&domain, sy_check_folder(), real[i].name, NULL, &err),
            err);
        ck_assert_int_eq(dom_count(domain, DOM_TRAIN), real[i].train);
        ck_assert_int_eq(dom_count(domain, DOM_TEST), real[i].test);
        ck_assert_int_eq(dom_height(domain), real[i].side);
        ck_assert_int_eq(dom_channels(domain), real[i].channels);
        for (int k = 0; k < real[i].train; k++) {
            sy_check_ok(dom_read(domain, DOM_TRAIN, k, 32, 32, pixels, &err),
                        err);
        }
        dom_close(domain);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("folders");
    TCase *tc = tcase_create("folders");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, classes_and_images_are_in_order_of_name);
    tcase_add_test(tc, mixed_sizes_and_channels_are_allowed_and_reported);
    tcase_add_test(tc, files_with_a_leading_dot_are_ignored);
    tcase_add_test(tc, an_empty_class_is_refused);
    tcase_add_test(tc, a_test_class_that_train_does_not_know_is_refused);
    tcase_add_test(tc, a_missing_part_is_named);
    tcase_add_test(tc, strangers_are_refused_rather_than_skipped);
    tcase_add_test(tc, a_file_that_is_no_picture_is_found_at_open);
    tcase_add_test(tc, a_damaged_picture_is_found_when_it_is_read);
    tcase_add_test(tc, a_list_of_the_folders_names_gives_their_order);
    tcase_add_test(tc, a_list_of_other_names_renames_the_folders);
    tcase_add_test(tc, a_list_that_fits_only_in_part_is_refused);
    tcase_add_test(tc, a_listing_shows_domains_and_what_is_wrong_with_others);
    tcase_add_test(tc, real_folders_of_png_and_jpeg_are_read);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
