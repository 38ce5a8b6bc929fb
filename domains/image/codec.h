/*
 * codec.h - what the picture codecs and resize.c offer to image.c, and a few
 * small things they share. Not for other folders: include image.h there.
 */
#ifndef DOM_IMAGE_CODEC_H
#define DOM_IMAGE_CODEC_H

#include "domains/image/image.h"

/*
 * Gives `image` a shape without pixels. Sides outside 1..DOM_MAX_SIDE are
 * SY_BAD_INPUT with `name` in the message. Whatever `image` held before is
 * forgotten, not freed.
 */
enum sy_status dom_image_shape(struct dom_image *image, int64_t height,
                               int64_t width, int channels, const char *name,
                               struct sy_error *err) SY_MUST_USE;

/* Gives a shaped picture its pixels, uninitialised. */
enum sy_status dom_image_take(struct dom_image *image, const char *name,
                              struct sy_error *err) SY_MUST_USE;

/* True when the bytes begin as a PNG / JPEG file does. */
bool dom_png_recognise(const uint8_t *data, size_t bytes);
bool dom_jpeg_recognise(const uint8_t *data, size_t bytes);

/*
 * As dom_image_decode, for one kind of file; with `shape_only` as
 * dom_image_probe. On failure nothing is owned.
 */
enum sy_status dom_png_decode(struct dom_image *image, const uint8_t *data,
                              size_t bytes, bool shape_only, const char *name,
                              struct sy_error *err) SY_MUST_USE;
enum sy_status dom_jpeg_decode(struct dom_image *image, const uint8_t *data,
                               size_t bytes, bool shape_only, const char *name,
                               struct sy_error *err) SY_MUST_USE;

/* PNG bytes of the picture, owned by the caller (sy_free). */
enum sy_status dom_png_encode(const struct dom_image *image, uint8_t **data,
                              size_t *bytes, const char *name,
                              struct sy_error *err) SY_MUST_USE;

#endif
