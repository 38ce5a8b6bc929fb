/* Tests of domains/formats/npy.c, numpy.c and zip.c. */
#include <stdio.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/formats/npy.h"
#include "domains/formats/zip.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

#define CORPUS "tests/fuzz/corpus/npy/"

static struct sy_error err;

/* Writes FOLDER/path as NPY with that descr and shape; values NULL: noise. */
static void put_npy(const char *path, const char *descr, const char *shape,
                    const void *values, size_t bytes)
{
    uint8_t data[8192];
    char head[256];
    int length =
        snprintf(head, sizeof(head),
                 "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n",
                 descr, shape);
    memcpy(data, "\x93NUMPY\1\0", 8);
    data[8] = (uint8_t)length;
    data[9] = 0;
    memcpy(data + 10, head, (size_t)length);
    ck_assert_uint_lt(10 + (size_t)length + bytes, sizeof(data));
    if (values != NULL) {
        memcpy(data + 10 + length, values, bytes);
    } else {
        sy_noise(data + 10 + length, bytes, 3);
    }
    sy_put(path, data, 10 + (size_t)length + bytes);
}

static void put_toy(void)
{
    static const int16_t labels[] = {0, 1, 0, 1};
    put_npy("toy/train-images.npy", "|u1", "(4, 3, 5)", NULL, 60);
    put_npy("toy/train-labels.npy", "<i2", "(4, 1)", labels, 8);
    put_npy("toy/test-images.npy", "|u1", "(2, 3, 5, 1)", NULL, 30);
    put_npy("toy/test-labels.npy", "|u1", "(2,)", "\1\0", 2);
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

/* Parses a file of the corpus. */
static enum sy_status parse(const char *name, struct dom_npy *npy,
                            uint8_t **data)
{
    char path[128];
    size_t bytes;
    (void)snprintf(path, sizeof(path), CORPUS "%s", name);
    *data = sy_get_source(path, &bytes);
    err.message[0] = '\0';
    return dom_npy_parse(npy, *data, bytes, name, &err);
}

START_TEST(four_arrays_make_a_domain)
{
    struct dom_domain *domain = NULL;
    uint8_t pixels[45];
    uint8_t expected[60];
    put_toy();
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_str_eq(dom_format(domain), "npy");
    ck_assert_int_eq(dom_height(domain), 3);
    ck_assert_int_eq(dom_width(domain), 5);
    ck_assert_int_eq(dom_channels(domain), 1);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 4);
    ck_assert_int_eq(dom_label(domain, DOM_TRAIN, 3), 1);
    ck_assert_int_eq(dom_label(domain, DOM_TEST, 0), 1);
    sy_noise(expected, 60, 3);
    sy_check_ok(dom_read(domain, DOM_TRAIN, 2, 3, 5, pixels, &err), err);
    for (int i = 0; i < 15; i++) {
        ck_assert_int_eq(pixels[3 * i + 2], expected[30 + i]);
    }
    dom_close(domain);
}
END_TEST

START_TEST(headers_are_read_in_every_form_that_numpy_writes)
{
    struct dom_npy npy;
    uint8_t *data;
    ck_assert_int_eq(parse("grey.npy", &npy, &data), SY_OK);
    ck_assert_int_eq(npy.rank, 3);
    ck_assert_int_eq(npy.size[2], 4);
    sy_free(data);
    ck_assert_int_eq(parse("big-endian.npy", &npy, &data), SY_OK);
    ck_assert_int_eq(dom_npy_value(&npy, 0), 3);
    ck_assert_int_eq(dom_npy_value(&npy, 1), -1);
    sy_free(data);
    ck_assert_int_eq(parse("version2.npy", &npy, &data), SY_OK);
    ck_assert_int_eq(dom_npy_value(&npy, 0), 9);
    sy_free(data);
    ck_assert_int_eq(parse("order.npy", &npy, &data), SY_OK);
    ck_assert_int_eq(dom_npy_value(&npy, 1), 'b');
    sy_free(data);
}
END_TEST

START_TEST(bad_headers_are_refused)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"fortran.npy", "Fortran"},     {"floats.npy", "\"<f4\""},
        {"truncated.npy", "truncated"}, {"lying.npy", "shape"},
        {"open.npy", "cannot read it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dom_npy npy;
        uint8_t *data;
        ck_assert_int_eq(parse(cases[i].name, &npy, &data), SY_BAD_INPUT);
        sy_check_says(err, cases[i].says);
        sy_free(data);
    }
}
END_TEST

START_TEST(every_truncation_of_an_array_is_refused)
{
    size_t bytes;
    struct dom_npy npy;
    uint8_t *data = sy_get_source(CORPUS "grey.npy", &bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *part = sy_alloc(cut);
        memcpy(part, data, cut);
        sy_check_fails(dom_npy_parse(&npy, part, cut, "x", &err), SY_BAD_INPUT,
                       err);
        sy_free(part);
    }
    sy_free(data);
}
END_TEST

START_TEST(arrays_that_are_no_images_or_labels_are_refused)
{
    put_toy();
    put_npy("toy/train-images.npy", "|u1", "(4, 15)", NULL, 60);
    refuses(SY_BAD_INPUT, "train-images.npy", "2 dimensions");
    put_npy("toy/train-images.npy", "|u1", "(4, 3, 5, 2)", NULL, 120);
    refuses(SY_BAD_INPUT, "train-images.npy", "1 or 3 channels");
    put_npy("toy/train-images.npy", "<u2", "(2, 3, 5)", NULL, 60);
    refuses(SY_BAD_INPUT, "train-images.npy", "found u2");
    put_toy();
    put_npy("toy/train-labels.npy", "|i1", "(4,)", "\0\1\xff\1", 4);
    refuses(SY_BAD_INPUT, "label 2", "found -1");
    put_npy("toy/train-labels.npy", "|u1", "(3,)", "\0\1\0", 3);
    refuses(SY_BAD_INPUT, "expected 4 labels", "(3, ...)");
    put_toy();
    put_npy("toy/test-labels.npy", "|u1", "(2,)", "\1\2", 2);
    refuses(SY_BAD_INPUT, "test label 1", "found 2");
    put_toy();
    put_npy("toy/train-labels.npy", "|u1", "(4,)", "\0\2\2\0", 4);
    refuses(SY_BAD_INPUT, "class 1", "found none");
}
END_TEST

START_TEST(members_of_archives_are_read_stored_and_deflated)
{
    static const char *const names[] = {CORPUS "stored.npz",
                                        CORPUS "packed.npz"};
    size_t plain_bytes;
    uint8_t *plain = sy_get_source(CORPUS "grey.npy", &plain_bytes);
    for (int i = 0; i < 2; i++) {
        size_t bytes;
        size_t length;
        uint8_t *member = NULL;
        struct dom_zip *zip = NULL;
        uint8_t *data = sy_get_source(names[i], &bytes);
        sy_check_ok(dom_zip_open(&zip, data, bytes, "x", &err), err);
        ck_assert(!dom_zip_has(zip, "nothing.npy"));
        sy_check_ok(dom_zip_read(zip, "images.npy", &member, &length, &err),
                    err);
        ck_assert_uint_eq(length, plain_bytes);
        ck_assert_mem_eq(member, plain, length);
        sy_free(member);
        dom_zip_close(zip);
        sy_free(data);
    }
    sy_free(plain);
}
END_TEST

START_TEST(damaged_archives_are_refused)
{
    size_t bytes;
    size_t length;
    struct dom_zip *zip = NULL;
    uint8_t *member = NULL;
    uint8_t *data = sy_get_source(CORPUS "damaged.npz", &bytes);
    sy_check_ok(dom_zip_open(&zip, data, bytes, "x", &err), err);
    sy_check_fails(dom_zip_read(zip, "images.npy", &member, &length, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "images.npy");
    dom_zip_close(zip);
    for (size_t cut = 0; cut < bytes; cut += 7) {
        sy_check_fails(dom_zip_open(&zip, data, cut, "x", &err), SY_BAD_INPUT,
                       err);
    }
    sy_free(data);
}
END_TEST

START_TEST(an_archive_cannot_claim_more_than_its_bytes_hold)
{
    size_t bytes;
    size_t length;
    struct dom_zip *zip = NULL;
    uint8_t *member = NULL;
    uint8_t *data = sy_get_source(CORPUS "lying.npz", &bytes);
    sy_check_ok(dom_zip_open(&zip, data, bytes, "x", &err), err);
    sy_check_fails(dom_zip_read(zip, "images.npy", &member, &length, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "found a compressed size of 3758096384");
    dom_zip_close(zip);
    sy_free(data);
}
END_TEST

START_TEST(a_pair_of_archives_makes_a_domain)
{
    struct dom_domain *domain = NULL;
    sy_shell("mkdir %s/toy", sy_check_folder(), "");
    sy_shell("cp %s/" CORPUS "packed.npz %s/toy/train.npz", SY_SOURCE_DIR,
             sy_check_folder());
    refuses(SY_NOT_FOUND, "test.npz", "");
    sy_shell("cp %s/" CORPUS "stored.npz %s/toy/test.npz", SY_SOURCE_DIR,
             sy_check_folder());
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    ck_assert_int_eq(dom_count(domain, DOM_TRAIN), 2);
    ck_assert_int_eq(dom_height(domain), 3);
    dom_close(domain);
}
END_TEST

START_TEST(one_archive_must_have_all_four_members)
{
    sy_shell("mkdir %s/toy", sy_check_folder(), "");
    sy_shell("cp %s/" CORPUS "packed.npz %s/toy/data.npz", SY_SOURCE_DIR,
             sy_check_folder());
    refuses(SY_BAD_INPUT, "data.npz", "x_train.npy");
}
END_TEST

START_TEST(real_arrays_are_read)
{
    const char *data = sy_real_data();
    struct dom_domain *domain = NULL;
    uint8_t one[28 * 28 * 3];
    uint8_t two[28 * 28 * 3];
    if (data == NULL) {
        return;
    }
    sy_shell("mkdir %s/a %s/b", sy_check_folder(), sy_check_folder());
    sy_shell("for p in train test; do for k in images labels; do cp "
             "%s/formats/numpy-csv/mnist_test500_$k.npy %s/a/$p-$k.npy; "
             "done; done",
             data, sy_check_folder());
    sy_shell("for p in train test; do cp "
             "%s/formats/numpy-csv/mnist_test500.npz %s/b/$p.npz; done",
             data, sy_check_folder());
    sy_check_ok(dom_open(&domain, sy_check_folder(), "a", NULL, &err), err);
    ck_assert_int_eq(dom_count(domain, DOM_TEST), 500);
    ck_assert_int_eq(dom_label(domain, DOM_TEST, 0), 7);
    sy_check_ok(dom_read(domain, DOM_TEST, 99, 28, 28, one, &err), err);
    dom_close(domain);
    sy_check_ok(dom_open(&domain, sy_check_folder(), "b", NULL, &err), err);
    sy_check_ok(dom_read(domain, DOM_TEST, 99, 28, 28, two, &err), err);
    ck_assert_mem_eq(one, two, sizeof(one));
    dom_close(domain);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("npy");
    TCase *tc = tcase_create("npy");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, four_arrays_make_a_domain);
    tcase_add_test(tc, headers_are_read_in_every_form_that_numpy_writes);
    tcase_add_test(tc, bad_headers_are_refused);
    tcase_add_test(tc, every_truncation_of_an_array_is_refused);
    tcase_add_test(tc, arrays_that_are_no_images_or_labels_are_refused);
    tcase_add_test(tc, members_of_archives_are_read_stored_and_deflated);
    tcase_add_test(tc, damaged_archives_are_refused);
    tcase_add_test(tc, an_archive_cannot_claim_more_than_its_bytes_hold);
    tcase_add_test(tc, a_pair_of_archives_makes_a_domain);
    tcase_add_test(tc, one_archive_must_have_all_four_members);
    tcase_add_test(tc, real_arrays_are_read);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
