/* Tests of domains/batch/loader.c and order.c. */
#include <stdio.h>
#include <string.h>

#include "domains/batch/batch.h"
#include "domains/batch/order.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { SIDE = 6, IMAGE = SIDE * SIDE * 3, BATCH = 40 };

static struct sy_error err;
static struct dom_domain *toy;

static void open_toy(int train, double holdout)
{
    struct dom_options options = {.holdout = holdout};
    sy_put_domain(&(struct sy_domain_files){.train = train});
    sy_check_ok(dom_open(&toy, sy_check_folder(), "toy", &options, &err), err);
}

static struct dom_loader_options plain(void)
{
    return (struct dom_loader_options){
        .split = DOM_TRAIN, .height = SIDE, .width = SIDE, .seed = 5};
}

static struct dom_loader *make(const struct dom_loader_options *options,
                               struct sy_pool *pool)
{
    struct dom_loader *loader = NULL;
    sy_check_ok(dom_loader_new(&loader, toy, options, pool, &err), err);
    return loader;
}

/* The hash over the images and labels of some batches. */
static void sum_of_batches(const struct dom_loader_options *options,
                           int threads, char sum[SY_HASH_TEXT_BYTES])
{
    static float images[BATCH * IMAGE];
    int labels[BATCH];
    struct sy_pool *pool = NULL;
    struct sy_hash hash;
    sy_check_ok(sy_pool_new(&pool, threads, &err), err);
    struct dom_loader *loader = make(options, pool);
    sy_hash_init(&hash);
    for (int64_t step = 0; step < 5; step++) {
        sy_check_ok(
            dom_loader_fill(loader, step, BATCH, images, labels, pool, &err),
            err);
        sy_hash_add(&hash, images, sizeof(images));
        sy_hash_add(&hash, labels, sizeof(labels));
    }
    sy_hash_end(&hash, sum);
    dom_loader_free(loader);
    sy_pool_free(pool);
}

START_TEST(the_bits_depend_on_neither_threads_nor_cache)
{
    struct dom_loader_options options = plain();
    char first[SY_HASH_TEXT_BYTES];
    char other[SY_HASH_TEXT_BYTES];
    options.augment = (struct dom_augment){2, true, 3};
    open_toy(50, 0.2);
    for (int balanced = 0; balanced < 2; balanced++) {
        options.balanced = balanced;
        options.cache_bytes = 0;
        sum_of_batches(&options, 1, first);
        for (int threads = 2; threads < 6; threads++) {
            sum_of_batches(&options, threads, other);
            ck_assert_str_eq(first, other);
        }
        options.cache_bytes = 1; /* too small: everything from disk */
        sum_of_batches(&options, 3, other);
        ck_assert_str_eq(first, other);
    }
    dom_close(toy);
}
END_TEST

START_TEST(seed_and_domain_number_both_matter)
{
    struct dom_loader_options options = plain();
    char sums[3][SY_HASH_TEXT_BYTES];
    open_toy(50, 0);
    sum_of_batches(&options, 1, sums[0]);
    options.seed = 6;
    sum_of_batches(&options, 1, sums[1]);
    options.seed = 5;
    options.index = 1;
    sum_of_batches(&options, 1, sums[2]);
    ck_assert_str_ne(sums[0], sums[1]);
    ck_assert_str_ne(sums[0], sums[2]);
    ck_assert_str_ne(sums[1], sums[2]);
    dom_close(toy);
}
END_TEST

START_TEST(any_step_can_be_asked_for_at_any_time)
{
    static float forward[8][7 * IMAGE];
    static float again[7 * IMAGE];
    int labels[8][7];
    int other[7];
    struct dom_loader_options options = plain();
    options.augment = (struct dom_augment){1, true, 2};
    open_toy(10, 0);
    struct dom_loader *loader = make(&options, NULL);
    for (int step = 0; step < 8; step++) {
        sy_check_ok(dom_loader_fill(loader, step, 7, forward[step],
                                    labels[step], NULL, &err),
                    err);
    }
    for (int step = 7; step >= 0; step--) {
        sy_check_ok(dom_loader_fill(loader, step, 7, again, other, NULL, &err),
                    err);
        ck_assert_mem_eq(again, forward[step], sizeof(again));
        ck_assert_mem_eq(other, labels[step], sizeof(other));
    }
    dom_loader_free(loader);
    dom_close(toy);
}
END_TEST

START_TEST(an_epoch_shows_every_image_once_across_batch_borders)
{
    struct dom_order order;
    int picks[7];
    int seen[3][10] = {{0}};
    int labels[10] = {0};
    sy_check_ok(dom_order_init(&order, labels, 10, 1, false, 1, 0, &err), err);
    for (int step = 0; step < 4; step++) {
        dom_order_pick(&order, step, 7, picks);
        for (int slot = 0; slot < 7; slot++) {
            seen[(step * 7 + slot) / 10][picks[slot]]++;
        }
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(seen[0][i], 1);
        ck_assert_int_eq(seen[1][i], 1);
        ck_assert_int_le(seen[2][i], 1);
    }
    dom_order_release(&order);
}
END_TEST

START_TEST(balanced_sampling_draws_classes_alike_and_all_their_images)
{
    struct dom_order order;
    int labels[100];
    int picks[3000];
    int per_class[4] = {0};
    int per_image[100] = {0};
    for (int i = 0; i < 100; i++) {
        labels[i] = i < 90 ? 0 : i < 98 ? 2 : 3; /* nothing of class 1 */
    }
    sy_check_ok(dom_order_init(&order, labels, 100, 4, true, 1, 0, &err), err);
    dom_order_pick(&order, 0, 3000, picks);
    for (int i = 0; i < 3000; i++) {
        per_class[labels[picks[i]]]++;
        per_image[picks[i]]++;
    }
    ck_assert_int_eq(per_class[1], 0);
    for (int k = 0; k < 4; k += k == 0 ? 2 : 1) {
        ck_assert_int_gt(per_class[k], 900);
        ck_assert_int_lt(per_class[k], 1100);
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_gt(per_image[i], 0);
    }
    dom_order_release(&order);
}
END_TEST

START_TEST(images_without_augmentation_are_those_of_the_domain)
{
    static float images[30 * IMAGE];
    int labels[30];
    uint8_t pixels[IMAGE];
    float expected[IMAGE];
    struct dom_loader_options options = plain();
    int found = 0;
    open_toy(30, 0);
    struct dom_loader *loader = make(&options, NULL);
    ck_assert_int_eq(dom_loader_images(loader), 30);
    sy_check_ok(dom_loader_fill(loader, 0, 30, images, labels, NULL, &err),
                err);
    for (int i = 0; i < 30; i++) {
        sy_check_ok(dom_read(toy, DOM_TRAIN, i, SIDE, SIDE, pixels, &err), err);
        dom_normalise(pixels, IMAGE, expected);
        for (int k = 0; k < 30; k++) {
            if (memcmp(images + k * IMAGE, expected, sizeof(expected)) == 0) {
                ck_assert_int_eq(labels[k], dom_label(toy, DOM_TRAIN, i));
                found++;
            }
        }
    }
    ck_assert_int_eq(found, 30);
    dom_loader_free(loader);
    dom_close(toy);
}
END_TEST

START_TEST(reading_gives_the_splits_own_order)
{
    uint8_t many[4 * IMAGE];
    uint8_t one[IMAGE];
    int labels[4];
    open_toy(30, 0.5);
    for (int split = DOM_TRAIN; split <= DOM_TEST; split++) {
        struct dom_loader_options options = plain();
        options.split = (enum dom_split)split;
        options.cache_bytes = split == DOM_VALID ? 1 : 0;
        struct dom_loader *loader = make(&options, NULL);
        sy_check_ok(dom_loader_read(loader, 3, 4, many, labels, &err), err);
        for (int i = 0; i < 4; i++) {
            sy_check_ok(
                dom_read(toy, options.split, 3 + i, SIDE, SIDE, one, &err),
                err);
            ck_assert_mem_eq(many + i * IMAGE, one, IMAGE);
            ck_assert_int_eq(labels[i], dom_label(toy, options.split, 3 + i));
        }
        dom_loader_free(loader);
    }
    dom_close(toy);
}
END_TEST

START_TEST(with_all_draws_from_both_halves_of_the_training_part)
{
    uint8_t pixels[30 * IMAGE];
    uint8_t one[IMAGE];
    int labels[30];
    struct dom_loader_options options = plain();
    options.with_all = true;
    open_toy(30, 0.5);
    struct dom_loader *loader = make(&options, NULL);
    ck_assert_int_eq(dom_loader_images(loader), 30);
    sy_check_ok(dom_loader_read(loader, 0, 30, pixels, labels, &err), err);
    sy_check_ok(dom_read(toy, DOM_VALID, 0, SIDE, SIDE, one, &err), err);
    ck_assert_mem_eq(pixels + 15 * IMAGE, one, IMAGE);
    dom_loader_free(loader);
    dom_close(toy);
}
END_TEST

START_TEST(an_empty_split_and_bad_options_are_refused)
{
    struct dom_loader *loader = NULL;
    struct dom_loader_options options = plain();
    open_toy(30, 0);
    options.split = DOM_VALID;
    sy_check_fails(dom_loader_new(&loader, toy, &options, NULL, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "held-out split has no images");
    options = plain();
    options.augment.shift = -1;
    sy_check_fails(dom_loader_new(&loader, toy, &options, NULL, &err),
                   SY_BAD_INPUT, err);
    options = plain();
    options.width = 0;
    sy_check_fails(dom_loader_new(&loader, toy, &options, NULL, &err),
                   SY_BAD_INPUT, err);
    options = plain();
    loader = make(&options, NULL);
    float image[IMAGE];
    int label;
    sy_check_fails(
        dom_loader_fill(loader, 0, 1 << 20, image, &label, NULL, &err),
        SY_BAD_INPUT, err);
    dom_loader_free(loader);
    dom_close(toy);
}
END_TEST

START_TEST(a_damaged_picture_is_reported_the_same_for_any_threads)
{
    char message[SY_ERROR_BYTES] = "";
    for (int i = 0; i < 64; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "pics/train/a/%02d.png", i);
        sy_put_png(path, SIDE, SIDE, 1, (uint32_t)i);
        if (i == 21 || i == 22 || i == 60) {
            size_t bytes;
            uint8_t *data = sy_get(path, &bytes);
            sy_put(path, data, bytes - 14);
            sy_free(data);
        }
    }
    sy_put_png("pics/test/a/x.png", SIDE, SIDE, 1, 1);
    sy_check_ok(dom_open(&toy, sy_check_folder(), "pics", NULL, &err), err);
    for (int threads = 1; threads < 5; threads++) {
        struct sy_pool *pool = NULL;
        struct dom_loader *loader = NULL;
        struct dom_loader_options options = plain();
        sy_check_ok(sy_pool_new(&pool, threads, &err), err);
        int64_t live = sy_alloc_live();
        sy_check_fails(dom_loader_new(&loader, toy, &options, pool, &err),
                       SY_BAD_INPUT, err);
        sy_check_says(err, "train/a/21.png");
        ck_assert_int_eq(sy_alloc_live(), live);
        if (threads > 1) {
            ck_assert_str_eq(err.message, message);
        }
        memcpy(message, err.message, sizeof(message));
        sy_pool_free(pool);
    }
    dom_close(toy);
}
END_TEST

START_TEST(after_the_first_batch_a_cached_loader_allocates_nothing)
{
    static float images[BATCH * IMAGE];
    int labels[BATCH];
    struct dom_loader_options options = plain();
    open_toy(50, 0);
    struct dom_loader *loader = make(&options, NULL);
    sy_check_ok(dom_loader_fill(loader, 0, BATCH, images, labels, NULL, &err),
                err);
    int64_t calls = sy_alloc_calls();
    for (int step = 1; step < 10; step++) {
        sy_check_ok(
            dom_loader_fill(loader, step, BATCH, images, labels, NULL, &err),
            err);
    }
    ck_assert_int_eq(sy_alloc_calls(), calls);
    dom_loader_free(loader);
    dom_close(toy);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("loader");
    TCase *tc = tcase_create("loader");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, the_bits_depend_on_neither_threads_nor_cache);
    tcase_add_test(tc, seed_and_domain_number_both_matter);
    tcase_add_test(tc, any_step_can_be_asked_for_at_any_time);
    tcase_add_test(tc, an_epoch_shows_every_image_once_across_batch_borders);
    tcase_add_test(tc,
                   balanced_sampling_draws_classes_alike_and_all_their_images);
    tcase_add_test(tc, images_without_augmentation_are_those_of_the_domain);
    tcase_add_test(tc, reading_gives_the_splits_own_order);
    tcase_add_test(tc, with_all_draws_from_both_halves_of_the_training_part);
    tcase_add_test(tc, an_empty_split_and_bad_options_are_refused);
    tcase_add_test(tc, a_damaged_picture_is_reported_the_same_for_any_threads);
    tcase_add_test(tc, after_the_first_batch_a_cached_loader_allocates_nothing);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
