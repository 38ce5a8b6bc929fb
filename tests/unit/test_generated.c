/*
 * test_generated.c - the generated domains: their bits, their files, and
 * that they are not trivial.
 *
 * Most tests write a small copy of a generator (fewer images); the struct is
 * the whole interface, so a copy with other counts is a domain as good.
 *
 * The two trivial classifiers see raw pixels / 255: the nearest neighbour
 * under L2, and ridge regression on one-hot targets with centred pixels and
 * lambda = 0.01 n. Ridge is solved in its dual form, alpha = (X X' + lambda
 * I)^-1 T, which costs n^2 D instead of n D^2 and gives the same predictor.
 * They are trained on fewer images than a domain has, to keep the test
 * short; README.md of the folder has the figures for all of them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "domains/generated/generated.h"
#include "domains/image/image.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

enum {
    DOMAINS = 7,
    SMALL_TRAIN = 96,
    SMALL_TEST = 48,
    NEIGHBOUR_TRAIN = 1200,
    RIDGE_TRAIN = 500,
    BASELINE_TEST = 200,
    MAX_CLASSES = 10,
    FILES = 5
};

/* SHA-256 of the inflated small files of seed 1. */
static const char *const pinned[DOMAINS] = {
    "f968669c6e9d6f77614ec62d99a4bd755364cd9bf3debe0cc55d326f03ec8775",
    "f6a054bea6615dbae9cf98363a49ad3e1831f7ea6e8fd88a85cc490348fc74f9",
    "9df9814b0cfe32bceb0a07f19818fb9dc4d48adc36c24d5a6e95845e1dede75e",
    "24db0416313f01d48f314bdb94dec95ace0afe360f7d0d3bb287334fe6a9585b",
    "a052aeebeeb842e14977fea2df726bdda06e7de94a65577fa5cc6cfdeac5b1d6",
    "7f799d1553c3dfbb54abf0cd43dcf342312bbeca7fc107f0cf6449878ffc4e52",
    "b9300ae08429f02989c54e03e7b3784b8591c5b22031ba5fbe58cae47b6dd8a1",
};

/* Part 0 and 2 are images, whose names depend on the channels. */
static const char *const other_parts[FILES] = {
    [1] = "train-labels-idx1-ubyte.gz",
    [3] = "test-labels-idx1-ubyte.gz",
    [4] = "labels.txt",
};

/* Bytes of a file, inflated where it is gzip'd. */
struct content {
    uint8_t *data;
    size_t bytes;
};

static struct dom_generator small(int index)
{
    struct dom_generator generator = *dom_generators[index];
    generator.train = SMALL_TRAIN;
    generator.test = SMALL_TEST;
    return generator;
}

/* "FOLDER/dir/domain/part" of the fixture. */
static const char *part_path(const struct dom_generator *generator,
                             const char *dir, int part)
{
    char name[64], path[256];
    if (part == 0 || part == 2) {
        snprintf(name, sizeof(name), "%s-images-idx%d-ubyte.gz",
                 part == 0 ? "train" : "test",
                 generator->channels == 1 ? 3 : 4);
    } else {
        snprintf(name, sizeof(name), "%s", other_parts[part]);
    }
    snprintf(path, sizeof(path), "%s/%s/%s", dir, generator->name, name);
    return sy_check_path(path);
}

static struct content inflate_part(const struct dom_generator *generator,
                                   const char *dir, int part)
{
    enum { MOST = 1 << 20 };
    struct content content = {.data = sy_alloc(MOST)};
    gzFile file = gzopen(part_path(generator, dir, part), "rb");
    ck_assert_ptr_nonnull(file);
    int got = gzread(file, content.data, MOST);
    ck_assert_int_ge(got, 0);
    ck_assert_int_lt(got, MOST);
    ck_assert_int_eq(gzclose(file), Z_OK);
    content.bytes = (size_t)got;
    return content;
}

static void generate(const struct dom_generator *generator, const char *dir,
                     uint64_t seed)
{
    struct sy_error error = {0};
    sy_check_ok(dom_generate(generator, sy_check_path(dir), seed, &error),
                error);
}

static void hash_all(const struct dom_generator *generator, const char *dir,
                     char text[SY_HASH_TEXT_BYTES])
{
    struct sy_hash hash;
    sy_hash_init(&hash);
    for (int part = 0; part < FILES; part++) {
        struct content content = inflate_part(generator, dir, part);
        sy_hash_add(&hash, content.data, content.bytes);
        sy_free(content.data);
    }
    sy_hash_end(&hash, text);
}

START_TEST(the_table_holds_at_least_six_domains_found_by_name)
{
    int count = 0, colour = 0;
    for (; dom_generators[count] != NULL; count++) {
        const struct dom_generator *generator = dom_generators[count];
        ck_assert_ptr_eq(dom_generator_find(generator->name), generator);
        ck_assert(generator->side == 28 || generator->side == 32);
        ck_assert_int_ge(generator->classes, 8);
        ck_assert_int_le(generator->classes, MAX_CLASSES);
        ck_assert_int_gt((int)strlen(generator->summary), 10);
        colour += generator->channels == 3;
    }
    ck_assert_int_eq(count, DOMAINS);
    ck_assert_int_ge(colour, 2);
    ck_assert_ptr_null(dom_generator_find("glyph"));
    ck_assert_ptr_null(dom_generator_find(""));
}
END_TEST

START_TEST(a_seed_gives_the_pixels_it_always_gave)
{
    struct dom_generator generator = small(_i);
    char found[SY_HASH_TEXT_BYTES];
    generate(&generator, "out", 1);
    hash_all(&generator, "out", found);
    ck_assert_msg(strcmp(found, pinned[_i]) == 0,
                  "%s: seed 1 gave %s instead of %s", generator.name, found,
                  pinned[_i]);
}
END_TEST

START_TEST(two_runs_of_a_seed_write_the_same_files)
{
    struct dom_generator generator = small(_i);
    struct sy_error error = {0};
    generate(&generator, "one", 7);
    generate(&generator, "two", 7);
    generate(&generator, "two", 7); /* over files that stand */
    for (int part = 0; part < FILES; part++) {
        char one[SY_HASH_TEXT_BYTES], two[SY_HASH_TEXT_BYTES];
        sy_check_ok(
            sy_hash_file(part_path(&generator, "one", part), one, &error),
            error);
        sy_check_ok(
            sy_hash_file(part_path(&generator, "two", part), two, &error),
            error);
        ck_assert_str_eq(one, two);
    }
}
END_TEST

START_TEST(another_seed_gives_other_images_and_another_order)
{
    struct dom_generator generator = small(_i);
    generate(&generator, "one", 7);
    generate(&generator, "two", 8);
    for (int part = 0; part < FILES - 1; part++) {
        struct content one = inflate_part(&generator, "one", part);
        struct content two = inflate_part(&generator, "two", part);
        ck_assert_uint_eq(one.bytes, two.bytes);
        ck_assert_int_ne(memcmp(one.data, two.data, one.bytes), 0);
        sy_free(one.data);
        sy_free(two.data);
    }
}
END_TEST

START_TEST(the_files_have_the_heads_and_sizes_of_idx)
{
    struct dom_generator generator = small(_i);
    uint8_t side = (uint8_t)generator.side;
    generate(&generator, "out", 1);
    struct content images = inflate_part(&generator, "out", 0);
    uint8_t dims = generator.channels == 1 ? 3 : 4;
    const uint8_t head[20] = {0, 0,    8, dims, 0, 0,    0, SMALL_TRAIN, 0, 0,
                              0, side, 0, 0,    0, side, 0, 0,           0, 3};
    ck_assert_mem_eq(images.data, head, (size_t)4 + 4 * dims);
    ck_assert_uint_eq(images.bytes, 4u + 4u * dims +
                                        (size_t)SMALL_TRAIN * side * side *
                                            (size_t)generator.channels);
    struct content labels = inflate_part(&generator, "out", 3);
    const uint8_t label_head[8] = {0, 0, 8, 1, 0, 0, 0, SMALL_TEST};
    ck_assert_mem_eq(labels.data, label_head, 8);
    ck_assert_uint_eq(labels.bytes, 8 + SMALL_TEST);
    sy_free(images.data);
    sy_free(labels.data);
}
END_TEST

START_TEST(every_class_is_there_and_balanced_in_both_parts)
{
    struct dom_generator generator = small(_i);
    generate(&generator, "out", 3);
    for (int part = 1; part < 4; part += 2) {
        struct content labels = inflate_part(&generator, "out", part);
        int images = part == 1 ? SMALL_TRAIN : SMALL_TEST;
        int count[MAX_CLASSES] = {0};
        for (int i = 0; i < images; i++) {
            int label = labels.data[8 + i];
            ck_assert_int_lt(label, generator.classes);
            count[label]++;
        }
        for (int k = 0; k < generator.classes; k++) {
            ck_assert_int_ge(count[k], images / generator.classes);
            ck_assert_int_le(count[k], images / generator.classes + 1);
        }
        sy_free(labels.data);
    }
}
END_TEST

START_TEST(no_image_is_there_twice_in_train_and_test_together)
{
    struct dom_generator generator = small(_i);
    generate(&generator, "out", 3);
    struct content train = inflate_part(&generator, "out", 0);
    struct content test = inflate_part(&generator, "out", 2);
    size_t head = generator.channels == 1 ? 16 : 20;
    size_t bytes = (train.bytes - head) / SMALL_TRAIN;
    for (int i = 0; i < SMALL_TRAIN + SMALL_TEST; i++) {
        for (int j = 0; j < i && j < SMALL_TRAIN; j++) {
            const uint8_t *one = train.data + head + (size_t)j * bytes;
            const uint8_t *two =
                i < SMALL_TRAIN
                    ? train.data + head + (size_t)i * bytes
                    : test.data + head + (size_t)(i - SMALL_TRAIN) * bytes;
            ck_assert_int_ne(memcmp(one, two, bytes), 0);
        }
    }
    sy_free(train.data);
    sy_free(test.data);
}
END_TEST

START_TEST(labels_txt_has_one_name_a_line)
{
    struct dom_generator generator = small(_i);
    generate(&generator, "out", 3);
    struct content names = inflate_part(&generator, "out", 4);
    size_t at = 0;
    for (int k = 0; k < generator.classes; k++) {
        size_t length = strlen(generator.class_names[k]);
        ck_assert_uint_gt(length, 0);
        ck_assert_uint_le(at + length + 1, names.bytes);
        ck_assert_mem_eq(names.data + at, generator.class_names[k], length);
        ck_assert_int_eq(names.data[at + length], '\n');
        at += length + 1;
    }
    ck_assert_uint_eq(at, names.bytes);
    sy_free(names.data);
}
END_TEST

START_TEST(a_file_in_the_place_of_the_folder_is_refused_and_kept)
{
    struct dom_generator generator = small(0);
    struct sy_error error = {0};
    const char *path = sy_check_path("taken");
    sy_check_ok(sy_file_write(path, "mine", 4, &error), error);
    enum sy_status status = dom_generate(&generator, path, 1, &error);
    ck_assert(status == SY_IO || status == SY_BAD_INPUT);
    sy_check_says(error, "taken");
    ck_assert_int_eq(sy_check_folder_count(), 1);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    struct dom_generator generator = small(0);
    struct sy_error error = {0};
    char path[SY_PATH_BYTES];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    sy_check_fails(dom_generate(&generator, path, 1, &error), SY_BAD_INPUT,
                   error);
}
END_TEST

START_TEST(every_failed_allocation_is_reported_and_leaks_nothing)
{
    struct dom_generator generator = small(4);
    generator.train = 4;
    generator.test = 2;
    struct sy_error error = {0};
    int64_t live = sy_alloc_live();
    int failures = 0;
    for (int64_t n = 1;; n++) {
        sy_alloc_fail_at(n, false);
        enum sy_status status =
            dom_generate(&generator, sy_check_path("out"), 1, &error);
        sy_alloc_fail_at(0, false);
        ck_assert_int_eq(sy_alloc_live(), live);
        if (status == SY_OK) {
            break;
        }
        ck_assert_int_eq(status, SY_NO_MEMORY);
        failures++;
    }
    ck_assert_int_gt(failures, 10);
}
END_TEST

/* Images 0..count-1 after `base` as bytes, classes taking turns. */
static uint8_t *draw_many(const struct dom_generator *generator, uint32_t base,
                          int count, int pixels)
{
    uint8_t *data = sy_alloc((size_t)count * (size_t)pixels);
    ck_assert_ptr_nonnull(data);
    for (int i = 0; i < count; i++) {
        generator->draw(5, base + (uint32_t)i, i % generator->classes,
                        data + (size_t)i * (size_t)pixels);
    }
    return data;
}

/* Squared distance, given up as soon as it exceeds `most`. */
static int distance(const uint8_t *a, const uint8_t *b, int pixels, int most)
{
    int sum = 0;
    for (int i = 0; i < pixels && sum <= most; i += 16) {
        for (int k = i; k < i + 16; k++) {
            sum += (a[k] - b[k]) * (a[k] - b[k]);
        }
    }
    return sum;
}

static double neighbour_accuracy(const uint8_t *train, const uint8_t *test,
                                 int pixels, int classes)
{
    int right = 0;
    for (int i = 0; i < BASELINE_TEST; i++) {
        int best = INT32_MAX, found = -1;
        for (int j = 0; j < NEIGHBOUR_TRAIN; j++) {
            int d = distance(test + (size_t)i * (size_t)pixels,
                             train + (size_t)j * (size_t)pixels, pixels, best);
            if (d < best) {
                best = d;
                found = j;
            }
        }
        right += found % classes == i % classes;
    }
    return (double)right / BASELINE_TEST;
}

static double dot(const float *a, const float *b, int count)
{
    float sum[8] = {0};
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int k = 0; k < 8; k++) {
            sum[k] += a[i + k] * b[i + k];
        }
    }
    double all = 0.0;
    for (int k = 0; k < 8; k++) {
        all += (double)sum[k];
    }
    for (; i < count; i++) {
        all += (double)a[i] * (double)b[i];
    }
    return all;
}

/* Pixels / 255 less the mean of the train images. */
static float *centre(const uint8_t *data, const uint8_t *train, int count,
                     int pixels)
{
    float *out = sy_alloc((size_t)count * (size_t)pixels * sizeof(float));
    ck_assert_ptr_nonnull(out);
    for (int p = 0; p < pixels; p++) {
        double mean = 0.0;
        for (int i = 0; i < RIDGE_TRAIN; i++) {
            mean += train[i * pixels + p];
        }
        mean /= RIDGE_TRAIN;
        for (int i = 0; i < count; i++) {
            out[i * pixels + p] =
                (float)((data[i * pixels + p] - mean) / 255.0);
        }
    }
    return out;
}

/* Cholesky of the n x n matrix in place, lower triangle, row by row. */
static void factor(float *matrix, int n)
{
    for (int i = 0; i < n; i++) {
        float *row = matrix + (size_t)i * (size_t)n;
        for (int j = 0; j <= i; j++) {
            const float *other = matrix + (size_t)j * (size_t)n;
            double rest = (double)row[j] - dot(row, other, j);
            if (i == j) {
                ck_assert_double_gt(rest, 0.0);
                row[i] = (float)sqrt(rest);
            } else {
                row[j] = (float)(rest / (double)other[j]);
            }
        }
    }
}

/* Solves L L' x = b in place. */
static void solve(const float *matrix, float *b, int n)
{
    for (int i = 0; i < n; i++) {
        const float *row = matrix + (size_t)i * (size_t)n;
        b[i] = (float)(((double)b[i] - dot(row, b, i)) / (double)row[i]);
    }
    for (int i = n - 1; i >= 0; i--) {
        double rest = (double)b[i];
        for (int j = i + 1; j < n; j++) {
            rest -= (double)matrix[(size_t)j * (size_t)n + (size_t)i] *
                    (double)b[j];
        }
        b[i] = (float)(rest / (double)matrix[(size_t)i * (size_t)(n + 1)]);
    }
}

/* How often the largest of the classes' scores is the right one. */
static double ridge_right(const float *x, const float *u, const float *alpha,
                          int pixels, int classes)
{
    int right = 0;
    for (int i = 0; i < BASELINE_TEST; i++) {
        double score[MAX_CLASSES] = {0};
        for (int j = 0; j < RIDGE_TRAIN; j++) {
            double k = dot(u + i * pixels, x + j * pixels, pixels);
            for (int c = 0; c < classes; c++) {
                score[c] += k * (double)alpha[c * RIDGE_TRAIN + j];
            }
        }
        int best = 0;
        for (int c = 1; c < classes; c++) {
            best = score[c] > score[best] ? c : best;
        }
        right += best == i % classes;
    }
    return (double)right / BASELINE_TEST;
}

static double ridge_accuracy(const uint8_t *train, const uint8_t *test,
                             int pixels, int classes)
{
    int n = RIDGE_TRAIN;
    float *x = centre(train, train, n, pixels);
    float *u = centre(test, train, BASELINE_TEST, pixels);
    float *gram = sy_alloc((size_t)n * (size_t)n * sizeof(float));
    float *alpha = sy_alloc((size_t)classes * (size_t)n * sizeof(float));
    ck_assert(gram != NULL && alpha != NULL);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            gram[i * n + j] =
                (float)(dot(x + i * pixels, x + j * pixels, pixels) +
                        (i == j ? 0.01 * n : 0.0));
        }
    }
    factor(gram, n);
    for (int c = 0; c < classes; c++) {
        for (int j = 0; j < n; j++) {
            alpha[c * n + j] = (j % classes == c) - 1.0f / (float)classes;
        }
        solve(gram, alpha + c * n, n);
    }
    double accuracy = ridge_right(x, u, alpha, pixels, classes);
    sy_free(alpha);
    sy_free(gram);
    sy_free(u);
    sy_free(x);
    return accuracy;
}

START_TEST(pixels_alone_do_not_give_the_class_away)
{
    const struct dom_generator *generator = dom_generators[_i];
    int classes = generator->classes;
    int pixels = generator->side * generator->side * generator->channels;
    uint8_t *train = draw_many(generator, 0, NEIGHBOUR_TRAIN, pixels);
    uint8_t *test = draw_many(generator, 1u << 24, BASELINE_TEST, pixels);
    double neighbour = neighbour_accuracy(train, test, pixels, classes);
    double ridge = ridge_accuracy(train, test, pixels, classes);
    ck_assert_msg(neighbour <= 0.70 && ridge <= 0.70,
                  "%s: nearest neighbour %.3f, ridge %.3f", generator->name,
                  neighbour, ridge);
    sy_free(train);
    sy_free(test);
}
END_TEST

START_TEST(the_trivial_classifiers_can_learn_what_is_trivial)
{
    /* Else the test above would pass with a broken classifier. */
    enum { PIXELS = 64, CLASSES = 4 };
    uint8_t *data = sy_alloc(NEIGHBOUR_TRAIN * PIXELS);
    for (int i = 0; i < NEIGHBOUR_TRAIN * PIXELS; i++) {
        int label = i / PIXELS % CLASSES;
        int noise = (int)((uint32_t)i * 2654435761u >> 26);
        data[i] = (uint8_t)(noise + (i % CLASSES == label ? 60 : 20));
    }
    ck_assert_double_gt(neighbour_accuracy(data, data, PIXELS, CLASSES), 0.99);
    ck_assert_double_gt(ridge_accuracy(data, data, PIXELS, CLASSES), 0.99);
    sy_free(data);
}
END_TEST

START_TEST(a_contact_sheet_is_a_picture_of_the_promised_size)
{
    struct sy_error error = {0};
    struct dom_image sheet = {0};
    const char *path = sy_check_path("sheet.png");
    sy_check_ok(dom_contact_sheet(dom_generators, DOMAINS, 3, 1, path, &error),
                error);
    sy_check_ok(dom_image_load(&sheet, path, &error), error);
    ck_assert_int_eq(sheet.height, (DOMAINS * 34 + 2) * 2);
    ck_assert_int_eq(sheet.width, (3 * 34 + 2) * 2);
    dom_image_release(&sheet);
    sy_check_fails(
        dom_contact_sheet(dom_generators, DOMAINS, 0, 1, path, &error),
        SY_BAD_INPUT, error);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("generated");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, sy_check_folder_make,
                              sy_check_folder_remove);
    tcase_add_test(files, the_table_holds_at_least_six_domains_found_by_name);
    tcase_add_loop_test(files, a_seed_gives_the_pixels_it_always_gave, 0,
                        DOMAINS);
    tcase_add_loop_test(files, two_runs_of_a_seed_write_the_same_files, 0,
                        DOMAINS);
    tcase_add_loop_test(
        files, another_seed_gives_other_images_and_another_order, 0, DOMAINS);
    tcase_add_loop_test(files, the_files_have_the_heads_and_sizes_of_idx, 0,
                        DOMAINS);
    tcase_add_loop_test(files, every_class_is_there_and_balanced_in_both_parts,
                        0, DOMAINS);
    tcase_add_loop_test(
        files, no_image_is_there_twice_in_train_and_test_together, 0, DOMAINS);
    tcase_add_loop_test(files, labels_txt_has_one_name_a_line, 0, DOMAINS);
    tcase_add_test(files,
                   a_file_in_the_place_of_the_folder_is_refused_and_kept);
    tcase_add_test(files, a_path_that_is_too_long_is_refused);
    tcase_add_test(files,
                   every_failed_allocation_is_reported_and_leaks_nothing);
    tcase_add_test(files, a_contact_sheet_is_a_picture_of_the_promised_size);
    suite_add_tcase(s, files);

    TCase *trivial = tcase_create("trivial classifiers");
    tcase_set_timeout(trivial, 120);
    tcase_add_test(trivial, the_trivial_classifiers_can_learn_what_is_trivial);
    tcase_add_loop_test(trivial, pixels_alone_do_not_give_the_class_away, 0,
                        DOMAINS);
    suite_add_tcase(s, trivial);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
