/*
 * jpeg.c - JPEG in and out, by libjpeg-turbo. The only file that includes
 * jpeglib.h.
 *
 * DESIGN. As in png.c, the library leaves by longjmp, so all it changes is
 * behind a pointer and the guarded function owns nothing. The library mends
 * damaged data and only warns (it fills a truncated picture with grey): here
 * the first warning is kept and the picture refused, because a training set
 * or an answer made from half a picture is wrong without anybody noticing.
 *
 * A small progressive file can hold thousands of scans over a large picture
 * and cost minutes: more than MAX_SCANS are refused (the bound and the idea
 * are from libjpeg-turbo's own advice for programs that read foreign files).
 *
 * Source: ITU-T T.81; libjpeg.txt; "Two Issues with the JPEG Standard",
 * libjpeg-turbo project.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "domains/domain.h"
#include "domains/image/codec.h"
#include "runtime/base/memory.h"

enum { MAX_SCANS = 200 };

struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    const uint8_t *data;
    size_t bytes;
    const char *name;
    bool shape_only;
    struct dom_image image;
    enum sy_status status;
    struct sy_error *err;
    jmp_buf jump;
};

bool dom_jpeg_recognise(const uint8_t *data, size_t bytes)
{
    return bytes >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

static void refuse(struct reader *in, const char *text)
{
    if (in->status == SY_OK) {
        in->status = sy_fail(in->err, SY_BAD_INPUT,
                             "%s: the JPEG is damaged: %s; replace the file",
                             in->name, text);
    }
}

/* The library's fatal error. */
static _Noreturn void reader_failed(j_common_ptr common)
{
    struct reader *in = common->client_data;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    if (common->err->msg_code == JERR_OUT_OF_MEMORY && in->status == SY_OK) {
        in->status = sy_fail(in->err, SY_NO_MEMORY, "%s: %s", in->name, text);
    }
    refuse(in, text);
    longjmp(in->jump, 1);
}

/* Level -1 is a warning about damaged data: here it ends the decoding. */
static void note_message(j_common_ptr common, int level)
{
    if (level < 0) {
        reader_failed(common);
    }
}

static void print_nothing(j_common_ptr common)
{
    (void)common;
}

static void watch_scans(j_common_ptr common)
{
    struct reader *in = common->client_data;
    if (in->jpeg.input_scan_number > MAX_SCANS) {
        refuse(in, "more than 200 scans");
        longjmp(in->jump, 1);
    }
}

/* Chooses grey or RGB as output; colour spaces with black ink are refused. */
static enum sy_status choose_colours(struct reader *in)
{
    struct jpeg_decompress_struct *jpeg = &in->jpeg;
    J_COLOR_SPACE space = jpeg->jpeg_color_space;
    if (space == JCS_GRAYSCALE) {
        jpeg->out_color_space = JCS_GRAYSCALE;
        return SY_OK;
    }
    if (space == JCS_YCbCr || space == JCS_RGB) {
        jpeg->out_color_space = JCS_RGB;
        return SY_OK;
    }
    return sy_fail(in->err, SY_BAD_INPUT,
                   "%s: expected a grey or RGB JPEG, found %s with %d "
                   "components; convert it to RGB first",
                   in->name,
                   space == JCS_CMYK || space == JCS_YCCK ? "CMYK"
                                                          : "other colours",
                   jpeg->num_components);
}

/* Everything that the library may leave by longjmp. */
static enum sy_status decode_guarded(struct reader *in)
{
    struct jpeg_decompress_struct *jpeg = &in->jpeg;
    if (setjmp(in->jump) != 0) {
        return in->status;
    }
    jpeg_create_decompress(jpeg);
    jpeg->client_data = in;
    in->progress.progress_monitor = watch_scans;
    jpeg->progress = &in->progress;
    jpeg_mem_src(jpeg, in->data, in->bytes);
    (void)jpeg_read_header(jpeg, TRUE);
    in->status = choose_colours(in);
    if (in->status != SY_OK) {
        return in->status;
    }
    int channels = jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    in->status =
        dom_image_shape(&in->image, jpeg->image_height, jpeg->image_width,
                        channels, in->name, in->err);
    if (in->status == SY_OK && !in->shape_only) {
        in->status = dom_image_take(&in->image, in->name, in->err);
    }
    if (in->status != SY_OK || in->shape_only) {
        return in->status;
    }
    jpeg->dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(jpeg);
    size_t stride = (size_t)in->image.width * (size_t)channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = in->image.pixels + jpeg->output_scanline * stride;
        (void)jpeg_read_scanlines(jpeg, &row, 1);
    }
    (void)jpeg_finish_decompress(jpeg);
    return SY_OK;
}

enum sy_status dom_jpeg_decode(struct dom_image *image, const uint8_t *data,
                               size_t bytes, bool shape_only, const char *name,
                               struct sy_error *err)
{
    struct reader in = {.data = data,
                        .bytes = bytes,
                        .name = name,
                        .shape_only = shape_only,
                        .err = err};
    in.jpeg.err = jpeg_std_error(&in.errors);
    in.jpeg.client_data = &in;
    in.errors.error_exit = reader_failed;
    in.errors.emit_message = note_message;
    in.errors.output_message = print_nothing;
    enum sy_status status = decode_guarded(&in);
    if (status == SY_OK) {
        *image = in.image;
        in.image.pixels = NULL;
    }
    jpeg_destroy_decompress(&in.jpeg);
    sy_free(in.image.pixels);
    return status;
}

/* Bytes that a coefficient can become, markers' stuffing included. */
enum { SAMPLE_BYTES = 8, HEADER_BYTES = 4096 };

struct writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr out;
    const struct dom_image *image;
    int quality;
    uint8_t *data; /* owned */
    size_t room;
    struct sy_error *err;
    jmp_buf jump;
};

static _Noreturn void writer_failed(j_common_ptr common)
{
    struct writer *w = common->client_data;
    longjmp(w->jump, 1);
}

static void begin_output(j_compress_ptr jpeg)
{
    struct writer *w = jpeg->client_data;
    w->out.next_output_byte = w->data;
    w->out.free_in_buffer = w->room;
}

/* There is room for the worst picture. */
static boolean output_full(j_compress_ptr jpeg)
{
    writer_failed((j_common_ptr)jpeg);
}

static void end_output(j_compress_ptr jpeg)
{
    (void)jpeg;
}

static enum sy_status encode_guarded(struct writer *w)
{
    struct jpeg_compress_struct *jpeg = &w->jpeg;
    const struct dom_image *image = w->image;
    size_t stride = (size_t)image->width * (size_t)image->channels;
    if (setjmp(w->jump) != 0) {
        return sy_fail(w->err, SY_NO_MEMORY,
                       "JPEG: the picture of %d x %d "
                       "could not be encoded",
                       image->height, image->width);
    }
    jpeg_create_compress(jpeg);
    jpeg->client_data = w;
    jpeg->dest = &w->out;
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = image->channels;
    jpeg->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, w->quality, TRUE);
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->pixels + jpeg->next_scanline * stride;
        (void)jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return SY_OK;
}

enum sy_status dom_image_encode_jpeg(const struct dom_image *image, int quality,
                                     uint8_t **data, size_t *bytes,
                                     struct sy_error *err)
{
    size_t height = ((size_t)image->height + 15) / 16 * 16;
    size_t width = ((size_t)image->width + 15) / 16 * 16;
    struct writer w = {.image = image, .quality = quality, .err = err};
    w.room = height * width * 3 * SAMPLE_BYTES + HEADER_BYTES;
    w.data = sy_alloc(w.room);
    if (w.data == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "JPEG: no memory");
    }
    w.jpeg.err = jpeg_std_error(&w.errors);
    w.jpeg.client_data = &w;
    w.errors.error_exit = writer_failed;
    w.errors.output_message = print_nothing;
    w.out.init_destination = begin_output;
    w.out.empty_output_buffer = output_full;
    w.out.term_destination = end_output;
    enum sy_status status = encode_guarded(&w);
    jpeg_destroy_compress(&w.jpeg);
    if (status != SY_OK) {
        sy_free(w.data);
        return status;
    }
    *data = w.data;
    *bytes = w.room - w.out.free_in_buffer;
    return SY_OK;
}
