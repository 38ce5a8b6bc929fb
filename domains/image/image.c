/*
 * image.c - one decoded picture: its life, and which codec reads it.
 *
 * DESIGN. The kind of a file is told by its first bytes, never by its name:
 * names lie, and a served request has none. Sizes are judged by the codecs
 * before pixels are allocated, all through dom_image_shape, so there is one
 * bound for every way in.
 */
#include "domains/image/image.h"

#include "domains/domain.h"
#include "domains/image/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_FILE_BYTES = 64 << 20 };

void dom_image_release(struct dom_image *image)
{
    sy_free(image->pixels);
    *image = (struct dom_image){0};
}

enum sy_status dom_image_shape(struct dom_image *image, int64_t height,
                               int64_t width, int channels, const char *name,
                               struct sy_error *err)
{
    if (height < 1 || height > DOM_MAX_SIDE || width < 1 ||
        width > DOM_MAX_SIDE) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a picture with sides from 1 to %d "
                       "pixels, found %lld x %lld (height x width); make it "
                       "smaller first",
                       name, DOM_MAX_SIDE, (long long)height, (long long)width);
    }
    SY_ASSERT(channels == 1 || channels == 3);
    *image = (struct dom_image){
        .height = (int)height, .width = (int)width, .channels = channels};
    return SY_OK;
}

enum sy_status dom_image_take(struct dom_image *image, const char *name,
                              struct sy_error *err)
{
    size_t bytes =
        (size_t)image->height * (size_t)image->width * (size_t)image->channels;
    image->pixels = sy_alloc(bytes);
    if (image->pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory for %zu bytes", name,
                       bytes);
    }
    return SY_OK;
}

static enum sy_status decode(struct dom_image *image, const uint8_t *data,
                             size_t bytes, bool shape_only, const char *name,
                             struct sy_error *err)
{
    if (dom_png_recognise(data, bytes)) {
        return dom_png_decode(image, data, bytes, shape_only, name, err);
    }
    if (dom_jpeg_recognise(data, bytes)) {
        return dom_jpeg_decode(image, data, bytes, shape_only, name, err);
    }
    if (bytes == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a PNG or JPEG picture, found no bytes",
                       name);
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "%s: expected a PNG or JPEG picture, found bytes that "
                   "begin with 0x%02x 0x%02x; convert it first",
                   name, data[0], bytes > 1 ? data[1] : 0);
}

enum sy_status dom_image_decode(struct dom_image *image, const uint8_t *data,
                                size_t bytes, const char *name,
                                struct sy_error *err)
{
    return decode(image, data, bytes, false, name, err);
}

enum sy_status dom_image_probe(struct dom_image *image, const uint8_t *data,
                               size_t bytes, const char *name,
                               struct sy_error *err)
{
    return decode(image, data, bytes, true, name, err);
}

enum sy_status dom_image_load(struct dom_image *image, const char *path,
                              struct sy_error *err)
{
    char *data = NULL;
    size_t bytes = 0;
    SY_TRY(sy_file_read(path, MAX_FILE_BYTES, &data, &bytes, err));
    enum sy_status status =
        dom_image_decode(image, (const uint8_t *)data, bytes, path, err);
    sy_free(data);
    return status;
}

enum sy_status dom_image_save_png(const struct dom_image *image,
                                  const char *path, struct sy_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    SY_TRY(dom_png_encode(image, &data, &bytes, path, err));
    enum sy_status status = sy_file_write(path, data, bytes, err);
    sy_free(data);
    return status;
}
