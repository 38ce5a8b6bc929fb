/*
 * fuzz_jpeg.c - arbitrary bytes as a JPEG picture. What decodes is resized,
 * and must have the shape that its header promised. Pictures above 65536
 * pixels are only probed: they cost time and find nothing new.
 */
#include "domains/image/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t fitted[9 * 13 * 3];
    struct dom_image shape;
    struct dom_image image;
    if (dom_jpeg_decode(&shape, data, bytes, true, "input", NULL) != SY_OK ||
        shape.height * shape.width > 1 << 16) {
        return 0;
    }
    if (dom_jpeg_decode(&image, data, bytes, false, "input", NULL) == SY_OK) {
        SY_ASSERT(image.height == shape.height);
        SY_ASSERT(image.width == shape.width);
        SY_ASSERT(image.channels == shape.channels);
        SY_ASSERT(dom_image_fit(&image, 9, 13, fitted, NULL) == SY_OK);
        dom_image_release(&image);
    }
    return 0;
}
