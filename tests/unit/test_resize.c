/* Tests of domains/image/resize.c. */
#include <string.h>

#include "domains/image/image.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;

/* A picture of noise (seed 1). */
static struct dom_image picture(int height, int width, int channels)
{
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    struct dom_image image = {height, width, channels, sy_alloc(bytes)};
    ck_assert_ptr_nonnull(image.pixels);
    sy_noise(image.pixels, bytes, 1);
    return image;
}

START_TEST(results_are_those_of_pillow_bit_for_bit)
{
    /* SHA-256 of Image.frombytes(mode, size, noise).resize((W, h),
     * Image.BILINEAR).resize((W, H), Image.BILINEAR).convert("RGB")
     * .tobytes(): rows first. Pillow 13 does the cheaper pass first. */
    static const struct {
        int height, width, channels, to_height, to_width;
        const char *sum;
    } cases[] = {
        {28, 28, 1, 32, 32,
         "e7cfbb46316890375b818c69ccac7740329f4c857d8bc5a78b84e5ef1def0bc7"},
        {48, 64, 3, 32, 32,
         "2c8d7eb23f242443160f4c17c80705681fd116ea4d2784ccd7f0e1d888bfe8ac"},
        {5, 7, 3, 32, 32,
         "721d1b5ab821c93b6e06a583065333bca0bad82daca753520b2500d58f64dcee"},
        {100, 3, 1, 10, 10,
         "b4f3234dd604fb54828500f60b9dd69f1ded81d7f1648c5924aa39f09f9ee9f6"},
        {150, 200, 3, 32, 24,
         "aee381ddb5ae0a1923edd2ac1f0bcf6a25729b65c5ca34c5490091cb1ab5dd53"},
        {32, 32, 3, 32, 32,
         "15fb774a5f2a8e8915cac44a7de101671660e66628cb937ea9ed6daeecf6dfac"},
        {1, 1, 1, 3, 5,
         "7a7d2527b173798153de23a1e267a66d93bc2831fb9c67d2f4b38ad2fb8f4dcd"},
        {480, 640, 3, 32, 32,
         "9266e78a608e7280278a67f93d713fe593d55268601a21574b17f0066f9170af"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[32 * 32 * 3];
        char sum[SY_HASH_TEXT_BYTES];
        struct dom_image image =
            picture(cases[i].height, cases[i].width, cases[i].channels);
        sy_check_ok(dom_image_fit(&image, cases[i].to_height, cases[i].to_width,
                                  out, &err),
                    err);
        sy_hash_bytes(out, (size_t)(cases[i].to_height * cases[i].to_width) * 3,
                      sum);
        ck_assert_str_eq(sum, cases[i].sum);
        dom_image_release(&image);
    }
}
END_TEST

START_TEST(a_picture_of_the_right_size_is_copied)
{
    uint8_t out[9 * 8 * 3];
    struct dom_image image = picture(9, 8, 3);
    sy_check_ok(dom_image_fit(&image, 9, 8, out, &err), err);
    ck_assert_mem_eq(out, image.pixels, sizeof(out));
    dom_image_release(&image);
    image = picture(9, 8, 1);
    sy_check_ok(dom_image_fit(&image, 9, 8, out, &err), err);
    for (int i = 0; i < 72; i++) {
        ck_assert_int_eq(out[3 * i], image.pixels[i]);
        ck_assert_int_eq(out[3 * i + 1], image.pixels[i]);
        ck_assert_int_eq(out[3 * i + 2], image.pixels[i]);
    }
    dom_image_release(&image);
}
END_TEST

START_TEST(a_flat_picture_stays_flat_at_every_size)
{
    uint8_t out[61 * 61 * 3];
    for (int level = 0; level < 256; level += 51) {
        for (int side = 1; side < 62; side += 5) {
            struct dom_image image = picture(23, 17, 1);
            memset(image.pixels, level, 23 * 17);
            sy_check_ok(dom_image_fit(&image, side, 62 - side, out, &err), err);
            for (int i = 0; i < side * (62 - side) * 3; i++) {
                ck_assert_int_eq(out[i], level);
            }
            dom_image_release(&image);
        }
    }
}
END_TEST

START_TEST(halving_weighs_four_pixels_each_way)
{
    /* The triangle of half-width 2 gives 1 3 3 1 over four pixels, cut off
     * and normalised at the border: 3 3 1. */
    uint8_t out[3 * 3];
    struct dom_image image = picture(1, 6, 1);
    memcpy(image.pixels, (uint8_t[]){7, 7, 70, 0, 80, 240}, 6);
    sy_check_ok(dom_image_fit(&image, 1, 3, out, &err), err);
    ck_assert_int_eq(out[0], (3 * 7 + 3 * 7 + 70) / 7);
    ck_assert_int_eq(out[3], (7 + 3 * 70 + 0 + 80 + 4) / 8);
    ck_assert_int_eq(out[6], (0 + 3 * 80 + 3 * 240 + 3) / 7);
    dom_image_release(&image);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error_and_leaks_nothing)
{
    uint8_t out[4 * 4 * 3];
    struct dom_image image = picture(9, 8, 3);
    int64_t live = sy_alloc_live();
    enum sy_status status = SY_NO_MEMORY;
    for (int n = 1; status != SY_OK; n++) {
        ck_assert_int_lt(n, 20);
        sy_alloc_fail_at(n, false);
        status = dom_image_fit(&image, 4, 4, out, &err);
        sy_alloc_fail_at(0, false);
        ck_assert(status == SY_OK || status == SY_NO_MEMORY);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
    dom_image_release(&image);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("resize");
    TCase *tc = tcase_create("resize");
    tcase_add_test(tc, results_are_those_of_pillow_bit_for_bit);
    tcase_add_test(tc, a_picture_of_the_right_size_is_copied);
    tcase_add_test(tc, a_flat_picture_stays_flat_at_every_size);
    tcase_add_test(tc, halving_weighs_four_pixels_each_way);
    tcase_add_test(tc, running_out_of_memory_is_an_error_and_leaks_nothing);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
