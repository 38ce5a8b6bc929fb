/* Tests of domains/formats/idx.c and gzip.c. */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/formats/gzip.h"
#include "domains/formats/idx.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

#define TRAIN_IMAGES "toy/train-images-idx3-ubyte"
#define TRAIN_LABELS "toy/train-labels-idx1-ubyte"

static struct sy_error err;

/* Opens FOLDER/toy, which must fail with `status` and say both texts. */
static void refuses(enum sy_status status, const char *one, const char *two)
{
    struct dom_domain *domain = NULL;
    int64_t live = sy_alloc_live();
    sy_check_fails(dom_open(&domain, sy_check_folder(), "toy", NULL, &err),
                   status, err);
    sy_check_says(err, one);
    sy_check_says(err, two);
    ck_assert_ptr_null(domain);
    ck_assert_int_eq(sy_alloc_live(), live);
}

/* Replaces one byte of a file. */
static void change_byte(const char *path, size_t at, uint8_t value)
{
    size_t bytes;
    uint8_t *data = sy_get(path, &bytes);
    data[at] = value;
    sy_put(path, data, bytes);
    sy_free(data);
}

/* Rewrites a file with `more` bytes added or, negative, taken away. */
static void change_length(const char *path, int more)
{
    size_t bytes;
    uint8_t *data = sy_get(path, &bytes);
    data = sy_realloc(data, bytes + 64);
    sy_put(path, data, bytes + (size_t)more);
    sy_free(data);
}

START_TEST(a_plain_grey_domain_opens_with_its_sizes_and_pixels)
{
    struct dom_domain *domain = NULL;
    struct dom_options options = {0};
    uint8_t pixels[4 * 5 * 3];
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){0});
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", &options, &err),
                err);
    ck_assert_str_eq(dom_format(domain), "idx");
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 30);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 10);
    ck_assert_int_eq(dom_classes(domain), 3);
    ck_assert_int_eq(dom_height(domain), 4);
    ck_assert_int_eq(dom_width(domain), 5);
    ck_assert_int_eq(dom_channels(domain), 1);
    uint8_t *file = sy_get(TRAIN_IMAGES, &bytes);
    sy_check_ok(dom_read(domain, DOM_TRAIN, 7, 4, 5, pixels, &err), err);
    for (int i = 0; i < 20; i++) {
        for (int c = 0; c < 3; c++) {
            ck_assert_int_eq(pixels[3 * i + c], file[16 + 7 * 20 + i]);
        }
    }
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 7), 1);
    sy_free(file);
    dom_close(domain);
}
END_TEST

START_TEST(a_colour_domain_is_idx4)
{
    struct dom_domain *domain = NULL;
    uint8_t pixels[60];
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){.channels = 3});
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_int_eq(dom_channels(domain), 3);
    uint8_t *file = sy_get("toy/test-images-idx4-ubyte", &bytes);
    sy_check_ok(dom_read(domain, DOM_TEST, 9, 4, 5, pixels, &err), err);
    ck_assert_mem_eq(pixels, file + 20 + 9 * 60, 60);
    sy_free(file);
    dom_close(domain);
}
END_TEST

START_TEST(gzipped_files_and_the_t10k_prefix_are_read)
{
    struct dom_domain *domain = NULL;
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){0});
    uint8_t *file = sy_get("toy/test-images-idx3-ubyte", &bytes);
    sy_put_gzip("toy/t10k-images-idx3-ubyte.gz", file, bytes);
    sy_free(file);
    sy_shell("cd %s/toy && rm test-images-idx3-ubyte && "
             "mv test-labels-idx1-ubyte t10k-labels-idx1-ubyte",
             sy_check_folder(), "");
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 10);
    dom_close(domain);
}
END_TEST

START_TEST(a_truncated_file_is_refused_with_both_sizes)
{
    sy_put_domain(&(struct sy_domain_files){0});
    change_length(TRAIN_IMAGES, -1);
    refuses(SY_BAD_INPUT, "expected 616 bytes", "found 615");
    sy_check_says(err, "truncated");
    change_length(TRAIN_IMAGES, -605);
    refuses(SY_BAD_INPUT, TRAIN_IMAGES, "it is truncated");
    sy_put(TRAIN_IMAGES, "", 0);
    refuses(SY_BAD_INPUT, TRAIN_IMAGES, "found a file of 0");
}
END_TEST

START_TEST(trailing_bytes_are_refused)
{
    sy_put_domain(&(struct sy_domain_files){0});
    change_length(TRAIN_LABELS, 1);
    refuses(SY_BAD_INPUT, TRAIN_LABELS, "bytes follow the last entry");
}
END_TEST

START_TEST(every_flipped_bit_of_a_header_is_found)
{
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){0});
    uint8_t *data = sy_get(TRAIN_IMAGES, &bytes);
    for (size_t bit = 0; bit < 16 * 8; bit++) {
        struct dom_idx idx;
        const uint8_t *values;
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        sy_check_fails(dom_idx_parse(&idx, &values, data, bytes, 3, "x", &err),
                       SY_BAD_INPUT, err);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    sy_free(data);
}
END_TEST

START_TEST(the_number_in_the_name_must_be_the_rank_in_the_header)
{
    sy_put_domain(&(struct sy_domain_files){.channels = 3});
    sy_shell("cd %s/toy && mv train-images-idx4-ubyte "
             "train-images-idx3-ubyte",
             sy_check_folder(), "");
    refuses(SY_BAD_INPUT, "expected 3 dimensions", "found 4");
}
END_TEST

START_TEST(other_types_and_absurd_sizes_are_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } cases[] = {
        {0, 1, "found 01 00 08"}, {2, 0x0d, "found 00 00 0d"},
        {4, 0x80, "dimension 0"}, {7, 0, "dimension 0"},
        {9, 0xff, "dimension 1"}, {15, 0, "dimension 2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sy_put_domain(&(struct sy_domain_files){0});
        change_byte(TRAIN_IMAGES, cases[i].at, cases[i].value);
        refuses(SY_BAD_INPUT, TRAIN_IMAGES, cases[i].says);
    }
}
END_TEST

START_TEST(more_than_four_gigabytes_are_refused)
{
    struct dom_idx idx;
    uint8_t head[16] = {0, 0, 8, 3, 0, 4, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0};
    sy_check_fails(dom_idx_header(&idx, head, 16, 3, "big", &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "4 GiB");
}
END_TEST

START_TEST(images_and_labels_must_be_as_many)
{
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){0});
    uint8_t *labels = sy_make_idx(1, (uint32_t[]){29}, NULL, &bytes);
    sy_put(TRAIN_LABELS, labels, bytes);
    sy_free(labels);
    refuses(SY_BAD_INPUT, "expected 30 labels", "found 29");
}
END_TEST

START_TEST(both_parts_must_have_one_shape)
{
    size_t bytes;
    sy_put_domain(&(struct sy_domain_files){0});
    uint8_t *images = sy_make_idx(3, (uint32_t[]){10, 5, 4}, NULL, &bytes);
    sy_put("toy/test-images-idx3-ubyte", images, bytes);
    sy_free(images);
    refuses(SY_BAD_INPUT, "expected test images of 4 x 5 x 1",
            "found 5 x 4 x 1");
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    sy_put_domain(&(struct sy_domain_files){0});
    sy_shell("rm %s/toy/test-labels-idx1-ubyte", sy_check_folder(), "");
    refuses(SY_NOT_FOUND, "test labels", "test-labels-idx1-ubyte");
}
END_TEST

START_TEST(two_files_for_one_role_are_refused)
{
    sy_put_domain(&(struct sy_domain_files){0});
    sy_put("toy/train-images-idx3-ubyte.gz", "x", 1);
    refuses(SY_BAD_INPUT, "expected one file of training images",
            "train-images-idx3-ubyte.gz");
}
END_TEST

START_TEST(damaged_gzip_data_is_refused_at_every_byte)
{
    size_t bytes;
    uint8_t *plain = sy_make_idx(3, (uint32_t[]){6, 4, 5}, NULL, &bytes);
    uint8_t *packed = NULL;
    uint8_t *out = NULL;
    size_t length = 0;
    sy_check_ok(dom_gzip_deflate(plain, bytes, &packed, &length, &err), err);
    for (size_t cut = 0; cut < length; cut++) {
        sy_check_fails(dom_gzip_inflate(packed, cut, "x", bytes, &out, &err),
                       SY_BAD_INPUT, err);
    }
    int passed = 0;
    for (size_t at = 0; at < length; at++) {
        packed[at] ^= 0x10;
        if (dom_gzip_inflate(packed, length, "x", bytes, &out, &err) == SY_OK) {
            /* Time, flags and system in the gzip header change nothing, nor
             * does the padding of a stored block behind it. */
            ck_assert_mem_eq(out, plain, bytes);
            ck_assert_uint_le(at, 10);
            sy_free(out);
            passed++;
        }
        packed[at] ^= 0x10;
    }
    ck_assert_int_le(passed, 8);
    sy_free(plain);
    sy_free(packed);
}
END_TEST

START_TEST(gzip_members_join_and_bytes_after_them_are_refused)
{
    uint8_t *packed = NULL;
    uint8_t *out = NULL;
    size_t length = 0;
    uint8_t two[256];
    sy_check_ok(
        dom_gzip_deflate((const uint8_t *)"abcd", 4, &packed, &length, &err),
        err);
    memcpy(two, packed, length);
    memcpy(two + length, packed, length);
    sy_check_ok(dom_gzip_inflate(two, 2 * length, "x", 8, &out, &err), err);
    ck_assert_mem_eq(out, "abcdabcd", 8);
    sy_free(out);
    two[2 * length] = 'x';
    sy_check_fails(dom_gzip_inflate(two, 2 * length + 1, "x", 8, &out, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "follow its end");
    sy_check_fails(dom_gzip_inflate(two, length, "x", 3, &out, &err),
                   SY_BAD_INPUT, err);
    sy_check_fails(dom_gzip_inflate(two, length, "x", 5, &out, &err),
                   SY_BAD_INPUT, err);
    sy_free(packed);
}
END_TEST

START_TEST(a_small_gzip_file_cannot_claim_gigabytes)
{
    uint8_t *packed = NULL;
    size_t length = 0;
    uint8_t head[16] = {0, 0, 8,    3, 0, 0, 0x40, 0,
                        0, 0, 0x10, 0, 0, 0, 0,    0x10};
    sy_put_domain(&(struct sy_domain_files){0});
    sy_shell("rm %s/" TRAIN_IMAGES, sy_check_folder(), "");
    sy_check_ok(dom_gzip_deflate(head, 16, &packed, &length, &err), err);
    sy_put(TRAIN_IMAGES ".gz", packed, length);
    sy_free(packed);
    refuses(SY_BAD_INPUT, "promises", "compressed bytes can hold");
}
END_TEST

START_TEST(the_official_files_of_mnist_are_read)
{
    const char *data = sy_real_data();
    size_t bytes;
    if (data == NULL) {
        return;
    }
    sy_shell("mkdir %s/toy", sy_check_folder(), "");
    sy_shell("cp %s/formats/mnist-idx-official/*.gz %s/toy/", data,
             sy_check_folder());
    /* The 60000 training images are not here: stand-ins of the same number. */
    uint8_t *images = sy_make_idx(3, (uint32_t[]){60000, 28, 28}, NULL, &bytes);
    sy_put(TRAIN_IMAGES, images, bytes);
    sy_free(images);
    struct dom_domain *domain = NULL;
    uint8_t pixels[28 * 28 * 3];
    long sum = 0;
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 60000);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 10000);
    /* The first test image is a seven; labels begin 7 2 1 0 4 1 4 9. */
    static const int first[] = {7, 2, 1, 0, 4, 1, 4, 9};
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(dom_label(domain, DOM_TEST, i), first[i]);
    }
    sy_check_ok(dom_read(domain, DOM_TEST, 0, 28, 28, pixels, &err), err);
    for (int i = 0; i < 784; i++) {
        sum += pixels[3 * i];
    }
    ck_assert_int_eq(sum, 18454);
    dom_close(domain);
}
END_TEST

START_TEST(all_thirteen_real_domains_open)
{
    static const struct {
        const char *name;
        int train, test, classes;
    } real[] = {
        {"mnist", 10000, 2000, 10},    {"fashion", 10000, 2000, 10},
        {"omniglot", 3630, 1210, 242}, {"fonts", 9996, 1700, 34},
        {"quickdraw", 2400, 600, 3},   {"spokendigits", 2700, 300, 10},
        {"cifar10", 5000, 1500, 10},   {"natural", 5000, 1500, 8},
        {"gtsrb", 5000, 1500, 43},     {"eurosat", 5000, 1500, 10},
        {"dtd", 4000, 2000, 10},       {"mnistm", 5000, 1500, 10},
        {"bloodcells", 1593, 390, 3},
    };
    const char *data = sy_real_data();
    for (size_t i = 0; data != NULL && i < sizeof(real) / sizeof(real[0]);
         i++) {
        struct dom_domain *domain = NULL;
        sy_check_ok(dom_open(&domain, data, real[i].name, NULL, &err), err);
        ck_assert_int_eq(dom_count(domain, DOM_TRAIN), real[i].train);
        ck_assert_int_eq(dom_count(domain, DOM_TEST), real[i].test);
        ck_assert_int_eq(dom_classes(domain), real[i].classes);
        dom_close(domain);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("idx");
    TCase *tc = tcase_create("idx");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_plain_grey_domain_opens_with_its_sizes_and_pixels);
    tcase_add_test(tc, a_colour_domain_is_idx4);
    tcase_add_test(tc, gzipped_files_and_the_t10k_prefix_are_read);
    tcase_add_test(tc, a_truncated_file_is_refused_with_both_sizes);
    tcase_add_test(tc, trailing_bytes_are_refused);
    tcase_add_test(tc, every_flipped_bit_of_a_header_is_found);
    tcase_add_test(tc, the_number_in_the_name_must_be_the_rank_in_the_header);
    tcase_add_test(tc, other_types_and_absurd_sizes_are_refused);
    tcase_add_test(tc, more_than_four_gigabytes_are_refused);
    tcase_add_test(tc, images_and_labels_must_be_as_many);
    tcase_add_test(tc, both_parts_must_have_one_shape);
    tcase_add_test(tc, a_missing_file_is_named);
    tcase_add_test(tc, two_files_for_one_role_are_refused);
    tcase_add_test(tc, damaged_gzip_data_is_refused_at_every_byte);
    tcase_add_test(tc, gzip_members_join_and_bytes_after_them_are_refused);
    tcase_add_test(tc, a_small_gzip_file_cannot_claim_gigabytes);
    tcase_add_test(tc, the_official_files_of_mnist_are_read);
    tcase_add_test(tc, all_thirteen_real_domains_open);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
