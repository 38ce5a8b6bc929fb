/*
 * decode.c - which codec reads a picture, and pictures in files.
 *
 * DESIGN. The kind of a file is told by its first bytes, never by its name:
 * names lie, and a served request has none.
 */
#include "domains/image/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_FILE_BYTES = 64 << 20 };

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

enum sy_status dom_image_encode_png(const struct dom_image *image,
                                    uint8_t **data, size_t *bytes,
                                    struct sy_error *err)
{
    return dom_png_encode(image, data, bytes, "a picture", err);
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
