/*
 * png.c - PNG in and out, by libpng. The only file that includes png.h.
 *
 * DESIGN. libpng reports errors by a callback that must not return, so each
 * call that can fail runs under one setjmp in decode_guarded or
 * encode_guarded. Everything those two change lives in a context behind a
 * pointer, because locals of a function that called setjmp are indeterminate
 * after longjmp; the guarded functions own nothing and release nothing, their
 * callers do.
 *
 * Any bad checksum is damage, also in chunks that do not matter to pixels.
 * Other warnings are not: many good files carry an ICC profile that libpng
 * dislikes. Gamma and profiles are ignored, as in every training pipeline we
 * compare with.
 *
 * Source: the PNG specification (W3C, second edition); libpng-manual.txt.
 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/image/codec.h"
#include "runtime/base/memory.h"

enum {
    SIGNATURE_BYTES = 8,
    MAX_CHUNKS = 1000,            /* ancillary chunks kept by libpng */
    MAX_CHUNK_BYTES = 8 << 20,    /* of one of them, inflated */
    FIRST_ENCODE_BYTES = 64 << 10 /* first size of the output block */
};

struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t bytes, used;
    const char *name;
    bool shape_only;
    struct dom_image image;
    uint8_t *raw; /* rows as libpng gives them, 1..4 channels */
    png_bytep *rows;
    int raw_channels;
    bool no_memory;
    enum sy_status status;
    struct sy_error *err;
    jmp_buf jump;
};

struct writer {
    png_structp png;
    png_infop info;
    const struct dom_image *image;
    const char *name;
    uint8_t *data;
    size_t bytes, room;
    bool no_memory;
    enum sy_status status;
    struct sy_error *err;
    jmp_buf jump;
};

bool dom_png_recognise(const uint8_t *data, size_t bytes)
{
    static const uint8_t signature[SIGNATURE_BYTES] = {0x89, 'P',  'N',  'G',
                                                       '\r', '\n', 0x1a, '\n'};
    return bytes >= SIGNATURE_BYTES &&
           memcmp(data, signature, SIGNATURE_BYTES) == 0;
}

/*
 * libpng's memory comes through our door too, so that tests can fail it. What
 * it says when there is none sounds like damage, hence the note.
 */
static png_voidp take_memory(png_structp png, png_alloc_size_t bytes)
{
    bool *no_memory = png_get_mem_ptr(png);
    void *block = sy_alloc(bytes);
    *no_memory = *no_memory || block == NULL;
    return block;
}

static void give_memory(png_structp png, png_voidp block)
{
    (void)png;
    sy_free(block);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static _Noreturn void reader_failed(png_structp png, png_const_charp text)
{
    struct reader *in = png_get_error_ptr(png);
    if (in->no_memory && in->status == SY_OK) {
        in->status = sy_fail(in->err, SY_NO_MEMORY, "%s: %s", in->name, text);
    }
    if (in->status == SY_OK) {
        in->status = sy_fail(in->err, SY_BAD_INPUT,
                             "%s: the PNG is damaged near byte %zu of %zu: "
                             "%s; replace the file",
                             in->name, in->used, in->bytes, text);
    }
    longjmp(in->jump, 1);
}

static void read_bytes(png_structp png, png_bytep out, size_t bytes)
{
    struct reader *in = png_get_io_ptr(png);
    if (bytes > in->bytes - in->used) {
        png_error(png, "the file ends too early");
    }
    memcpy(out, in->data + in->used, bytes);
    in->used += bytes;
}

/* Asks libpng for 8 bits, no palette, no hidden transparency. */
static void set_transforms(struct reader *in)
{
    png_set_expand(in->png);
    png_set_scale_16(in->png);
    (void)png_set_interlace_handling(in->png);
    png_read_update_info(in->png, in->info);
}

static enum sy_status make_rows(struct reader *in)
{
    size_t height = (size_t)in->image.height;
    size_t stride = png_get_rowbytes(in->png, in->info);
    if (stride != (size_t)in->image.width * (size_t)in->raw_channels) {
        return sy_fail(in->err, SY_INTERNAL,
                       "%s: libpng gives rows of %zu bytes", in->name, stride);
    }
    in->raw = sy_alloc(height * stride);
    in->rows = sy_alloc_zero(height, sizeof(in->rows[0]));
    if (in->raw == NULL || in->rows == NULL) {
        return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory for its rows",
                       in->name);
    }
    for (size_t y = 0; y < height; y++) {
        in->rows[y] = in->raw + y * stride;
    }
    return SY_OK;
}

/* Everything of decoding that libpng may leave by longjmp. */
static enum sy_status decode_guarded(struct reader *in)
{
    if (setjmp(in->jump) != 0) {
        return in->status;
    }
    png_set_read_fn(in->png, in, read_bytes);
    /* Ours is the message about sides, so libpng's bound is out of its way. */
    png_set_user_limits(in->png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_cache_max(in->png, MAX_CHUNKS);
    png_set_chunk_malloc_max(in->png, MAX_CHUNK_BYTES);
    png_set_crc_action(in->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(in->png, in->info);
    int64_t height = png_get_image_height(in->png, in->info);
    int64_t width = png_get_image_width(in->png, in->info);
    int grey = (png_get_color_type(in->png, in->info) &
                (PNG_COLOR_MASK_COLOR | PNG_COLOR_MASK_PALETTE)) == 0;
    in->status = dom_image_shape(&in->image, height, width, grey ? 1 : 3,
                                 in->name, in->err);
    if (in->status != SY_OK) {
        return in->status;
    }
    if (in->shape_only) {
        return SY_OK;
    }
    set_transforms(in);
    in->raw_channels = png_get_channels(in->png, in->info);
    in->status = dom_image_take(&in->image, in->name, in->err);
    if (in->status == SY_OK) {
        in->status = make_rows(in);
    }
    if (in->status != SY_OK) {
        return in->status;
    }
    png_read_image(in->png, in->rows);
    png_read_end(in->png, NULL);
    return SY_OK;
}

/* Copies raw rows to the picture, an alpha channel laid over black. */
static void flatten(const struct reader *in)
{
    size_t count = (size_t)in->image.height * (size_t)in->image.width;
    int channels = in->image.channels;
    const uint8_t *from = in->raw;
    uint8_t *to = in->image.pixels;
    if (in->raw_channels == channels) {
        memcpy(to, from, count * (size_t)channels);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned alpha = from[channels];
        for (int c = 0; c < channels; c++) {
            to[c] = (uint8_t)((from[c] * alpha + 127U) / 255U);
        }
        from += channels + 1;
        to += channels;
    }
}

enum sy_status dom_png_decode(struct dom_image *image, const uint8_t *data,
                              size_t bytes, bool shape_only, const char *name,
                              struct sy_error *err)
{
    struct reader in = {.data = data,
                        .bytes = bytes,
                        .name = name,
                        .shape_only = shape_only,
                        .err = err};
    enum sy_status status = SY_OK;
    /* Our error callback is set after creation, which guards itself, so that
     * it never runs before our setjmp. */
    in.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &in, NULL,
                                      ignore_warning, &in.no_memory,
                                      take_memory, give_memory);
    if (in.png != NULL) {
        in.info = png_create_info_struct(in.png);
    }
    if (in.info == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory for libpng", name);
        goto out;
    }
    png_set_error_fn(in.png, &in, reader_failed, ignore_warning);
    SY_TRY_OUT(decode_guarded(&in));
    if (!shape_only && in.raw_channels != in.image.channels &&
        in.raw_channels != in.image.channels + 1) {
        status = sy_fail(err, SY_INTERNAL, "%s: libpng gives %d channels", name,
                         in.raw_channels);
        goto out;
    }
    if (!shape_only) {
        flatten(&in);
    }
    *image = in.image;
    in.image.pixels = NULL;
out:
    png_destroy_read_struct(&in.png, &in.info, NULL);
    sy_free(in.rows);
    sy_free(in.raw);
    sy_free(in.image.pixels);
    return status;
}

static _Noreturn void writer_failed(png_structp png, png_const_charp text)
{
    struct writer *out = png_get_error_ptr(png);
    out->status = sy_fail(out->err, out->no_memory ? SY_NO_MEMORY : SY_INTERNAL,
                          "%s: cannot make a PNG: %s", out->name, text);
    longjmp(out->jump, 1);
}

static void write_bytes(png_structp png, png_bytep data, size_t bytes)
{
    struct writer *out = png_get_io_ptr(png);
    if (bytes > out->room - out->bytes) {
        size_t room = 2 * out->room + bytes;
        if (room < FIRST_ENCODE_BYTES) {
            room = FIRST_ENCODE_BYTES;
        }
        uint8_t *grown = sy_realloc(out->data, room);
        if (grown == NULL) {
            out->no_memory = true;
            png_error(png, "out of memory");
        }
        out->data = grown;
        out->room = room;
    }
    memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* Everything of encoding that libpng may leave by longjmp. */
static enum sy_status encode_guarded(struct writer *out)
{
    if (setjmp(out->jump) != 0) {
        return out->status;
    }
    const struct dom_image *image = out->image;
    png_set_write_fn(out->png, out, write_bytes, flush_nothing);
    png_set_IHDR(out->png, out->info, (png_uint_32)image->width,
                 (png_uint_32)image->height, 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY
                                      : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(out->png, out->info);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++) {
        png_write_row(out->png, image->pixels + (size_t)y * stride);
    }
    png_write_end(out->png, out->info);
    return SY_OK;
}

enum sy_status dom_png_encode(const struct dom_image *image, uint8_t **data,
                              size_t *bytes, const char *name,
                              struct sy_error *err)
{
    SY_ASSERT(image->height > 0 && image->width > 0);
    SY_ASSERT(image->channels == 1 || image->channels == 3);
    struct writer to = {.image = image, .name = name, .err = err};
    enum sy_status status = SY_OK;
    to.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &to, NULL,
                                       ignore_warning, &to.no_memory,
                                       take_memory, give_memory);
    if (to.png != NULL) {
        to.info = png_create_info_struct(to.png);
    }
    if (to.info == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory for libpng", name);
        goto out;
    }
    png_set_error_fn(to.png, &to, writer_failed, ignore_warning);
    SY_TRY_OUT(encode_guarded(&to));
    *data = to.data;
    *bytes = to.bytes;
    to.data = NULL;
out:
    png_destroy_write_struct(&to.png, &to.info);
    sy_free(to.data);
    return status;
}
