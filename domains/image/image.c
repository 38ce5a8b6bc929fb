/*
 * image.c - the life of one decoded picture.
 *
 * DESIGN. Sizes are judged by the codecs before pixels are allocated, all
 * through dom_image_shape, so there is one bound for every way in.
 */
#include "domains/image/image.h"

#include <string.h>

#include "domains/domain.h"
#include "domains/image/codec.h"
#include "runtime/base/memory.h"

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

enum sy_status dom_image_through_jpeg(uint8_t *pixels, int height, int width,
                                      int quality, struct sy_error *err)
{
    struct dom_image image = {height, width, 3, pixels}, back = {0};
    uint8_t *data = NULL;
    size_t bytes = 0;
    SY_TRY(dom_image_encode_jpeg(&image, quality, &data, &bytes, err));
    enum sy_status status = dom_image_decode(&back, data, bytes, "JPEG", err);
    if (status == SY_OK) {
        memcpy(pixels, back.pixels, (size_t)height * (size_t)width * 3);
    }
    dom_image_release(&back);
    sy_free(data);
    return status;
}
