/*
 * dump_images.c - the test images of a domain, for tests in other languages.
 *
 *     dump_images DATA DOMAIN HEIGHT WIDTH OUT
 *
 * OUT/pixels: all of them as training and evaluation see them, resized, H x W
 * x 3 bytes each. OUT/labels: one byte each. OUT/N.png: the images in their
 * own size and channels, for N = 0, 1, ...
 */
#include <stdio.h>
#include <stdlib.h>

#include "domains/domain.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"

static enum sy_status put_png(const struct dom_domain *domain, int index,
                              const char *out, struct sy_error *err)
{
    struct dom_image image = {.height = dom_height(domain),
                              .width = dom_width(domain),
                              .channels = dom_channels(domain)};
    size_t count = (size_t)image.height * (size_t)image.width;
    image.pixels = sy_alloc(count * 3);
    enum sy_status status = dom_read(domain, DOM_TEST, index, image.height,
                                     image.width, image.pixels, err);
    for (size_t i = 0; i < count && image.channels == 1; i++) {
        image.pixels[i] = image.pixels[3 * i];
    }
    char path[512];
    snprintf(path, sizeof path, "%s/%d.png", out, index);
    if (status == SY_OK) {
        status = dom_image_save_png(&image, path, err);
    }
    dom_image_release(&image);
    return status;
}

static enum sy_status dump(const struct dom_domain *domain, int height,
                           int width, const char *out, struct sy_error *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/pixels", out);
    FILE *pixels = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/labels", out);
    FILE *labels = fopen(path, "wb");
    size_t bytes = (size_t)height * (size_t)width * 3;
    uint8_t *image = sy_alloc(bytes);
    enum sy_status status = SY_OK;
    if (pixels == NULL || labels == NULL || image == NULL) {
        status = sy_fail(err, SY_IO, "%s: cannot be written", out);
        goto out;
    }
    for (int i = 0; i < dom_count(domain, DOM_TEST); i++) {
        SY_TRY_OUT(dom_read(domain, DOM_TEST, i, height, width, image, err));
        SY_TRY_OUT(put_png(domain, i, out, err));
        if (fwrite(image, 1, bytes, pixels) != bytes ||
            fputc(dom_label(domain, DOM_TEST, i), labels) == EOF) {
            status = sy_fail(err, SY_IO, "%s: cannot be written", out);
            goto out;
        }
    }
out:
    if (pixels != NULL && fclose(pixels) != 0 && status == SY_OK) {
        status = sy_fail(err, SY_IO, "%s: cannot be written", out);
    }
    if (labels != NULL && fclose(labels) != 0 && status == SY_OK) {
        status = sy_fail(err, SY_IO, "%s: cannot be written", out);
    }
    sy_free(image);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: dump_images DATA DOMAIN HEIGHT WIDTH OUT\n");
        return 2;
    }
    struct dom_domain *domain;
    struct dom_options options = {.holdout = 0};
    struct sy_error err = {0};
    enum sy_status status = dom_open(&domain, argv[1], argv[2], &options, &err);
    if (status == SY_OK) {
        status = dump(domain, atoi(argv[3]), atoi(argv[4]), argv[5], &err);
        dom_close(domain);
    }
    if (status != SY_OK) {
        fprintf(stderr, "dump_images: %s\n", err.message);
        return 1;
    }
    return 0;
}
