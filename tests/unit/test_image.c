/* Tests of domains/image/image.c, png.c and jpeg.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/image/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

static struct sy_error err;

/* Decodes a file of the corpora, for instance "png/grey.png". */
static enum sy_status decode(struct dom_image *image, const char *name)
{
    char path[128];
    size_t bytes;
    (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
    uint8_t *data = sy_get_source(path, &bytes);
    /* A block of exactly the size, for the address sanitizer. */
    uint8_t *exact = malloc(bytes);
    memcpy(exact, data, bytes);
    err.message[0] = '\0';
    enum sy_status status = dom_image_decode(image, exact, bytes, name, &err);
    free(exact);
    sy_free(data);
    return status;
}

/* The file must decode to these sizes and first pixels. */
static void decodes(const char *name, int height, int width, int channels,
                    const uint8_t *first, size_t count)
{
    struct dom_image image = {0};
    ck_assert_msg(decode(&image, name) == SY_OK, "%s", err.message);
    ck_assert_int_eq(image.height, height);
    ck_assert_int_eq(image.width, width);
    ck_assert_int_eq(image.channels, channels);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(image.pixels[i] == first[i],
                      "%s: byte %zu: expected %d, found %d", name, i, first[i],
                      image.pixels[i]);
    }
    dom_image_release(&image);
    ck_assert_ptr_null(image.pixels);
}

static void refuses(const char *name, const char *says)
{
    struct dom_image image = {0};
    int64_t live = sy_alloc_live();
    ck_assert_int_eq(decode(&image, name), SY_BAD_INPUT);
    sy_check_says(err, name);
    sy_check_says(err, says);
    ck_assert_ptr_null(image.pixels);
    ck_assert_int_eq(sy_alloc_live(), live);
}

START_TEST(png_kinds_become_grey_or_rgb_bytes)
{
    uint8_t noise[60];
    sy_noise(noise, sizeof(noise), 1);
    decodes("png/grey.png", 4, 5, 1, noise, 20);
    decodes("png/grey-interlaced.png", 5, 5, 1, noise, 25);
    decodes("png/rgb.png", 4, 5, 3, noise, 60);
    decodes("png/text.png", 1, 1, 1, (uint8_t[]){0x7f}, 1);
}
END_TEST

START_TEST(one_bit_and_sixteen_bits_become_eight)
{
    uint8_t noise[8];
    uint8_t scaled[4];
    sy_noise(noise, sizeof(noise), 1);
    for (int i = 0; i < 4; i++) {
        unsigned value = noise[2 * i] * 256U + noise[2 * i + 1];
        scaled[i] = (uint8_t)((value * 255U + 32895U) >> 16);
    }
    decodes("png/grey16.png", 2, 2, 1, scaled, 4);
    decodes("png/grey1.png", 2, 9, 1,
            (uint8_t[]){255, 0, 255, 0, 255, 0, 255, 0, 255}, 9);
}
END_TEST

START_TEST(alpha_is_laid_over_black)
{
    decodes("png/grey-alpha.png", 1, 2, 1, (uint8_t[]){200, 40}, 2);
    decodes("png/rgba.png", 1, 2, 3, (uint8_t[]){255, 100, 0, 0, 0, 0}, 6);
    decodes("png/palette.png", 1, 2, 3, (uint8_t[]){9, 8, 7, 250, 251, 252}, 6);
    decodes("png/palette-clear.png", 1, 2, 3, (uint8_t[]){9, 8, 7, 0, 0, 0}, 6);
}
END_TEST

START_TEST(damaged_png_files_are_refused)
{
    refuses("png/truncated.png", "damaged");
    refuses("png/flipped.png", "damaged");
    refuses("png/short-data.png", "damaged");
    refuses("png/bad-text.png", "CRC");
    refuses("png/huge.png", "60000 x 60000");
}
END_TEST

START_TEST(jpeg_kinds_become_grey_or_rgb_bytes)
{
    decodes("jpeg/grey.jpg", 16, 16, 1, (uint8_t[]){10, 10, 10}, 3);
    decodes("jpeg/odd.jpg", 3, 11, 1, (uint8_t[]){10, 10, 10}, 3);
    decodes("jpeg/colour.jpg", 8, 8, 3, (uint8_t[]){201, 49, 100}, 3);
    decodes("jpeg/rgb.jpg", 8, 8, 3, (uint8_t[]){100, 50, 200}, 3);
    decodes("jpeg/progressive.jpg", 16, 16, 1, NULL, 0);
}
END_TEST

START_TEST(damaged_jpeg_files_are_refused)
{
    refuses("jpeg/truncated.jpg", "damaged");
    refuses("jpeg/no-end.jpg", "Premature end");
    refuses("jpeg/header-only.jpg", "damaged");
    refuses("jpeg/huge.jpg", "65500 x 65500");
    refuses("jpeg/cmyk.jpg", "CMYK");
}
END_TEST

START_TEST(every_truncation_and_every_flipped_byte_is_survived)
{
    static const char *const names[] = {"png/rgb-filter4.png",
                                        "png/palette-clear.png",
                                        "jpeg/grey.jpg", "jpeg/colour.jpg"};
    for (int k = 0; k < 4; k++) {
        char path[128];
        size_t bytes;
        (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", names[k]);
        uint8_t *data = sy_get_source(path, &bytes);
        for (size_t i = 0; i < bytes; i++) {
            struct dom_image image = {0};
            uint8_t *part = malloc(i);
            memcpy(part, data, i);
            sy_check_fails(dom_image_decode(&image, part, i, "x", &err),
                           SY_BAD_INPUT, err);
            free(part);
            data[i] ^= 0xff;
            enum sy_status status =
                dom_image_decode(&image, data, bytes, "x", &err);
            ck_assert(status == SY_OK || status == SY_BAD_INPUT);
            if (status == SY_OK) {
                /* A PNG is all checksums: nothing may pass. */
                ck_assert_int_ge(k, 2);
                dom_image_release(&image);
            }
            data[i] ^= 0xff;
        }
        sy_free(data);
    }
}
END_TEST

START_TEST(other_bytes_are_refused_by_what_they_are)
{
    struct dom_image image = {0};
    sy_check_fails(
        dom_image_decode(&image, (const uint8_t *)"GIF89a", 6, "x", &err),
        SY_BAD_INPUT, err);
    sy_check_says(err, "0x47 0x49");
    sy_check_fails(dom_image_decode(&image, (const uint8_t *)"", 0, "x", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "no bytes");
    sy_check_fails(dom_image_load(&image, sy_check_path("none.png"), &err),
                   SY_NOT_FOUND, err);
}
END_TEST

START_TEST(probing_gives_the_shape_without_pixels)
{
    static const char *const names[] = {"tests/fuzz/corpus/png/rgb.png",
                                        "tests/fuzz/corpus/jpeg/odd.jpg"};
    static const int shape[2][3] = {{4, 5, 3}, {3, 11, 1}};
    for (int i = 0; i < 2; i++) {
        struct dom_image image = {0};
        size_t bytes;
        int64_t live = sy_alloc_live();
        uint8_t *data = sy_get_source(names[i], &bytes);
        sy_check_ok(dom_image_probe(&image, data, bytes, "x", &err), err);
        ck_assert_int_eq(image.height, shape[i][0]);
        ck_assert_int_eq(image.width, shape[i][1]);
        ck_assert_int_eq(image.channels, shape[i][2]);
        ck_assert_ptr_null(image.pixels);
        sy_free(data);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
}
END_TEST

START_TEST(a_saved_png_comes_back_the_same)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        struct dom_image image = {0};
        uint8_t expected[37 * 61 * 3];
        size_t bytes = 37 * 61 * (size_t)channels;
        sy_noise(expected, bytes, 9);
        sy_put_png("a.png", 37, 61, channels, 9);
        sy_check_ok(dom_image_load(&image, sy_check_path("a.png"), &err), err);
        ck_assert_int_eq(image.height, 37);
        ck_assert_int_eq(image.width, 61);
        ck_assert_int_eq(image.channels, channels);
        ck_assert_mem_eq(image.pixels, expected, bytes);
        dom_image_release(&image);
    }
    ck_assert_int_eq(sy_check_folder_count(), 1);
}
END_TEST

/* The mean distance of a gradient from itself after a JPEG of that quality. */
static double jpeg_distance(int channels, int quality, size_t *bytes)
{
    enum { HEIGHT = 19, WIDTH = 37 };
    uint8_t pixels[HEIGHT * WIDTH * 3], *data = NULL;
    size_t count = HEIGHT * WIDTH * (size_t)channels;
    struct dom_image image = {HEIGHT, WIDTH, channels, pixels}, back = {0};
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t x = i / (size_t)channels % WIDTH,
               y = i / (size_t)channels / WIDTH;
        pixels[i] = (uint8_t)(3 * x + 5 * y + 20 * (i % (size_t)channels));
    }
    sy_check_ok(dom_image_encode_jpeg(&image, quality, &data, bytes, &err),
                err);
    sy_check_ok(dom_image_decode(&back, data, *bytes, "x", &err), err);
    ck_assert_int_eq(back.height, HEIGHT);
    ck_assert_int_eq(back.width, WIDTH);
    ck_assert_int_eq(back.channels, channels);
    for (size_t i = 0; i < count; i++) {
        sum += abs((int)back.pixels[i] - (int)pixels[i]);
    }
    if (channels == 3) {
        sy_check_ok(
            dom_image_through_jpeg(pixels, HEIGHT, WIDTH, quality, &err), err);
        ck_assert_mem_eq(pixels, back.pixels, count);
    }
    dom_image_release(&back);
    sy_free(data);
    return sum / (double)count;
}

START_TEST(a_jpeg_comes_back_the_nearer_the_higher_its_quality)
{
    size_t small, large;
    for (int channels = 1; channels <= 3; channels += 2) {
        double low = jpeg_distance(channels, 10, &small);
        double high = jpeg_distance(channels, 95, &large);
        ck_assert_double_lt(high, 3);
        ck_assert_double_lt(high, low);
        ck_assert_uint_lt(small, large);
    }
}
END_TEST

START_TEST(noise_fits_into_a_jpeg_of_the_best_quality)
{
    static uint8_t pixels[16 * 16 * 3];
    struct dom_image image = {16, 16, 3, pixels}, back = {0};
    uint8_t *data = NULL;
    size_t bytes;
    int64_t live = sy_alloc_live();
    sy_noise(pixels, sizeof pixels, 3);
    sy_check_ok(dom_image_encode_jpeg(&image, 100, &data, &bytes, &err), err);
    sy_check_ok(dom_image_decode(&back, data, bytes, "x", &err), err);
    dom_image_release(&back);
    sy_free(data);
    sy_alloc_fail_at(1, false);
    sy_check_fails(dom_image_encode_jpeg(&image, 100, &data, &bytes, &err),
                   SY_NO_MEMORY, err);
    sy_alloc_fail_at(0, false);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing)
{
    static const char *const names[] = {
        "png/rgba.png", "png/grey-interlaced.png", "jpeg/colour.jpg"};
    for (int k = 0; k < 3; k++) {
        char path[128];
        size_t bytes;
        (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", names[k]);
        uint8_t *data = sy_get_source(path, &bytes);
        enum sy_status status = SY_NO_MEMORY;
        int64_t live = sy_alloc_live();
        for (int n = 1; status != SY_OK; n++) {
            struct dom_image image = {0};
            ck_assert_int_lt(n, 100);
            sy_alloc_fail_at(n, false);
            status = dom_image_decode(&image, data, bytes, "x", &err);
            sy_alloc_fail_at(0, false);
            ck_assert_msg(status == SY_OK || status == SY_NO_MEMORY, "%s",
                          err.message);
            dom_image_release(&image);
            ck_assert_int_eq(sy_alloc_live(), live);
        }
        sy_free(data);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("image");
    TCase *tc = tcase_create("image");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, png_kinds_become_grey_or_rgb_bytes);
    tcase_add_test(tc, one_bit_and_sixteen_bits_become_eight);
    tcase_add_test(tc, alpha_is_laid_over_black);
    tcase_add_test(tc, damaged_png_files_are_refused);
    tcase_add_test(tc, jpeg_kinds_become_grey_or_rgb_bytes);
    tcase_add_test(tc, damaged_jpeg_files_are_refused);
    tcase_add_test(tc, every_truncation_and_every_flipped_byte_is_survived);
    tcase_add_test(tc, other_bytes_are_refused_by_what_they_are);
    tcase_add_test(tc, probing_gives_the_shape_without_pixels);
    tcase_add_test(tc, a_saved_png_comes_back_the_same);
    tcase_add_test(tc, a_jpeg_comes_back_the_nearer_the_higher_its_quality);
    tcase_add_test(tc, noise_fits_into_a_jpeg_of_the_best_quality);
    tcase_add_test(
        tc, running_out_of_memory_anywhere_is_an_error_and_leaks_nothing);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
