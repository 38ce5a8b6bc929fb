/*
 * domain_files.c - small domains as files.
 *
 * DESIGN. Files are written by the tests' own few lines, not by the code
 * under test, so that an error in both cannot hide.
 */
#include "tests/support/domain_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/formats/gzip.h"
#include "domains/image/image.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

void sy_noise(uint8_t *out, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        out[i] = (uint8_t)(seed >> 24);
    }
}

/* Makes the folders of a path. */
static void make_parents(const char *path)
{
    char parent[SY_PATH_BYTES];
    struct sy_error err = {0};
    (void)snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        *slash = '\0';
        sy_check_ok(sy_dir_make(parent, &err), err);
    }
}

void sy_put(const char *path, const void *data, size_t bytes)
{
    const char *full = sy_check_path(path);
    make_parents(full);
    FILE *file = fopen(full, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
}

void sy_put_text(const char *path, const char *text)
{
    sy_put(path, text, strlen(text));
}

void sy_put_gzip(const char *path, const void *data, size_t bytes)
{
    uint8_t *packed = NULL;
    size_t length = 0;
    struct sy_error err = {0};
    sy_check_ok(dom_gzip_deflate(data, bytes, &packed, &length, &err), err);
    sy_put(path, packed, length);
    sy_free(packed);
}

static uint8_t *get(const char *full, size_t *bytes)
{
    char *data = NULL;
    struct sy_error err = {0};
    sy_check_ok(sy_file_read(full, (size_t)1 << 30, &data, bytes, &err), err);
    return (uint8_t *)data;
}

uint8_t *sy_get(const char *path, size_t *bytes)
{
    return get(sy_check_path(path), bytes);
}

uint8_t *sy_get_source(const char *path, size_t *bytes)
{
    char full[SY_PATH_BYTES];
    (void)snprintf(full, sizeof(full), "%s/%s", SY_SOURCE_DIR, path);
    return get(full, bytes);
}

uint8_t *sy_make_idx(int rank, const uint32_t *sizes, const uint8_t *values,
                     size_t *bytes)
{
    size_t head = 4 + 4 * (size_t)rank;
    size_t count = 1;
    for (int d = 0; d < rank; d++) {
        count *= sizes[d];
    }
    uint8_t *data = sy_alloc(head + count);
    ck_assert_ptr_nonnull(data);
    memcpy(data, (uint8_t[]){0, 0, 8, (uint8_t)rank}, 4);
    for (int d = 0; d < rank; d++) {
        for (int i = 0; i < 4; i++) {
            data[4 + 4 * d + i] = (uint8_t)(sizes[d] >> (24 - 8 * i));
        }
    }
    if (values != NULL) {
        memcpy(data + head, values, count);
    } else {
        sy_noise(data + head, count, (uint32_t)count);
    }
    *bytes = head + count;
    return data;
}

/* One part's two files. */
static void put_part(const struct sy_domain_files *files, const char *part,
                     int count)
{
    char path[256];
    size_t bytes = 0;
    int rank = files->channels == 3 ? 4 : 3;
    uint32_t sizes[4] = {(uint32_t)count, (uint32_t)files->height,
                         (uint32_t)files->width, 3};
    uint8_t *images = sy_make_idx(rank, sizes, NULL, &bytes);
    (void)snprintf(path, sizeof(path), "%s/%s-images-idx%d-ubyte", files->name,
                   part, rank);
    sy_put(path, images, bytes);
    sy_free(images);
    uint8_t *values = sy_alloc((size_t)count);
    ck_assert_ptr_nonnull(values);
    for (int i = 0; i < count; i++) {
        values[i] = (uint8_t)(i % files->classes);
    }
    uint8_t *labels = sy_make_idx(1, sizes, values, &bytes);
    (void)snprintf(path, sizeof(path), "%s/%s-labels-idx1-ubyte", files->name,
                   part);
    sy_put(path, labels, bytes);
    sy_free(labels);
    sy_free(values);
}

void sy_put_domain(const struct sy_domain_files *files)
{
    struct sy_domain_files full = *files;
    full.name = full.name != NULL ? full.name : "toy";
    full.train = full.train != 0 ? full.train : 30;
    full.test = full.test != 0 ? full.test : 10;
    full.classes = full.classes != 0 ? full.classes : 3;
    full.height = full.height != 0 ? full.height : 4;
    full.width = full.width != 0 ? full.width : 5;
    full.channels = full.channels != 0 ? full.channels : 1;
    put_part(&full, "train", full.train);
    put_part(&full, "test", full.test);
}

void sy_put_png(const char *path, int height, int width, int channels,
                uint32_t seed)
{
    struct sy_error err = {0};
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    struct dom_image image = {height, width, channels, sy_alloc(bytes)};
    ck_assert_ptr_nonnull(image.pixels);
    sy_noise(image.pixels, bytes, seed);
    const char *full = sy_check_path(path);
    make_parents(full);
    sy_check_ok(dom_image_save_png(&image, full, &err), err);
    dom_image_release(&image);
}

const char *sy_real_data(void)
{
    static char path[SY_PATH_BYTES];
    const char *given = getenv("SY_DATA_DIR");
    (void)snprintf(path, sizeof(path), "%s",
                   given != NULL ? given : SY_SOURCE_DIR "/../shared/data");
    if (!sy_dir_exists(path)) {
        fprintf(stderr, "skipped: no real data at %s (set SY_DATA_DIR)\n",
                path);
        return NULL;
    }
    return path;
}

void sy_shell(const char *format, const char *a, const char *b)
{
    char line[3 * SY_PATH_BYTES];
    const char *at = format;
    const char *given[] = {a, b};
    size_t used = 0;
    int next = 0;
    while (*at != '\0' && used + 1 < sizeof(line)) {
        if (at[0] == '%' && at[1] == 's' && next < 2) {
            used += (size_t)snprintf(line + used, sizeof(line) - used, "%s",
                                     given[next++]);
            at += 2;
        } else {
            line[used++] = *at++;
        }
    }
    line[used] = '\0';
    ck_assert_msg(system(line) == 0, "failed: %s", line);
}
