/*
 * test_outliers.c - images that are of no domain, made of random ones.
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "search/routing/outliers.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { EACH = 3, DRAWS = 400 };

static struct sy_network *network;
static struct nas_outlier_source source;
static uint8_t *images;
static size_t bytes;

static void setup(void)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_TEST, 910, 0);
    network = sy_random_network(
        &(struct sy_random_options){.seed = 4, .layers = 2, .domains = 3});
    bytes = sy_shape_floats(network->spec.input);
    images = sy_alloc(3 * EACH * bytes);
    ck_assert_ptr_nonnull(images);
    for (size_t i = 0; i < 3 * EACH * bytes; i++) {
        images[i] = (uint8_t)sy_rng_below(&rng, 256);
    }
    source = (struct nas_outlier_source){network, images, EACH};
}

static void teardown(void)
{
    sy_free(images);
    sy_network_free(network);
}

static void draw(uint32_t number, uint8_t *pixels)
{
    struct sy_error err = {0};
    struct sy_rng rng = sy_rng_stream(7, SY_RNG_TEST, 911, number);
    sy_check_ok(nas_outlier_draw(&source, &rng, pixels, &err), err);
}

START_TEST(none_is_an_image_of_a_domain_and_each_is_another)
{
    uint8_t *drawn = sy_alloc(DRAWS * bytes);
    ck_assert_ptr_nonnull(drawn);
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint8_t *now = drawn + i * bytes;
        draw(i, now);
        for (int k = 0; k < 3 * EACH; k++) {
            ck_assert_mem_ne(now, images + (size_t)k * bytes, bytes);
        }
    }
    /* Few can be made twice: a negative of nine images, four of one. */
    int twice = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (memcmp(drawn + i * bytes, drawn + k * bytes, bytes) == 0) {
                twice++;
                break;
            }
        }
    }
    ck_assert_int_lt(twice, DRAWS / 4);
    sy_free(drawn);
}
END_TEST

START_TEST(the_same_stream_makes_the_same_image)
{
    uint8_t *pixels = sy_alloc(2 * bytes);
    ck_assert_ptr_nonnull(pixels);
    for (uint32_t i = 0; i < 50; i++) {
        memset(pixels, 0, bytes);
        memset(pixels + bytes, 0xff, bytes);
        draw(i, pixels);
        draw(i, pixels + bytes);
        ck_assert_mem_eq(pixels, pixels + bytes, bytes);
    }
    sy_free(pixels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outliers");
    TCase *tc = tcase_create("outliers");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, none_is_an_image_of_a_domain_and_each_is_another);
    tcase_add_test(tc, the_same_stream_makes_the_same_image);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
