/*
 * image.h - one decoded picture: 8 bits, channel last, 1 or 3 channels.
 */
#ifndef DOM_IMAGE_IMAGE_H
#define DOM_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct dom_image {
    int height, width, channels;
    uint8_t *pixels; /* height * width * channels, owned */
};

void dom_image_release(struct dom_image *image);

/*
 * Decodes PNG or JPEG bytes, told apart by their first bytes. Alpha is laid
 * over black, palettes and 16 bits are reduced, CMYK is refused. Sides above
 * DOM_MAX_SIDE are refused before anything is allocated. `name` stands for
 * the bytes in messages. Damaged bytes are SY_BAD_INPUT, never a crash, also
 * a JPEG that the library would only warn about (truncated data).
 * Thread: any.
 */
enum sy_status dom_image_decode(struct dom_image *image, const uint8_t *data,
                                size_t bytes, const char *name,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Reads shape and channels from the header only; `pixels` becomes NULL. Says
 * nothing about the picture's data.
 */
enum sy_status dom_image_probe(struct dom_image *image, const uint8_t *data,
                               size_t bytes, const char *name,
                               struct sy_error *err) SY_MUST_USE;

/* Reads and decodes a file of at most 64 MiB. */
enum sy_status dom_image_load(struct dom_image *image, const char *path,
                              struct sy_error *err) SY_MUST_USE;

/* The bytes of a PNG, owned by the caller (sy_free). */
enum sy_status dom_image_encode_png(const struct dom_image *image,
                                    uint8_t **data, size_t *bytes,
                                    struct sy_error *err) SY_MUST_USE;

/*
 * The same of a JPEG of that quality, 1 to 100, colours at half resolution as
 * most JPEG files have them.
 */
enum sy_status dom_image_encode_jpeg(const struct dom_image *image, int quality,
                                     uint8_t **data, size_t *bytes,
                                     struct sy_error *err) SY_MUST_USE;

/* Through such a JPEG and back, height * width * 3 bytes in place. */
enum sy_status dom_image_through_jpeg(uint8_t *pixels, int height, int width,
                                      int quality,
                                      struct sy_error *err) SY_MUST_USE;

/* Writes a PNG file atomically. */
enum sy_status dom_image_save_png(const struct dom_image *image,
                                  const char *path,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * Resizes to height x width and three channels (grey repeated) into `out`,
 * height * width * 3 bytes. Separable triangle filter whose support grows
 * with the reduction (what Pillow calls BILINEAR), edges clamped, integer
 * arithmetic with 22 fraction bits, so that every machine gives the same
 * bits. A picture of the right size is copied unchanged.
 */
enum sy_status dom_image_fit(const struct dom_image *image, int height,
                             int width, uint8_t *out,
                             struct sy_error *err) SY_MUST_USE;

#endif
