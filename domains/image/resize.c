/*
 * resize.c - pictures to the network's input size.
 *
 * DESIGN. Two passes, rows first, each a sum over a few source pixels with
 * weights from a triangle whose half-width is the reduction factor (at least
 * one pixel), so that reducing averages instead of skipping. Weights are
 * computed once per output column or row in double, normalised to sum one,
 * rounded to 22 fraction bits; pixels are then pure integer arithmetic. The
 * doubles see only +, *, / and comparisons, which IEEE 754 fixes, so every
 * machine gives the same bits. A pass whose size does not change is skipped.
 *
 * The sum cannot overflow: weights sum to 2^22 within one unit each, pixels
 * are below 2^8, and half a unit is added: below 2^31.
 *
 * Source: the method of Pillow's Resample.c (BILINEAR), with which each pass
 * agrees bit for bit (tests/unit/test_resize.c). Rows always go first here;
 * Pillow 13 begins with the cheaper pass.
 */
#include <math.h>
#include <string.h>

#include "domains/image/codec.h"
#include "runtime/base/memory.h"

enum { FRACTION_BITS = 22 };

/* For each output position: `count` weights for inputs from `first` on. */
struct taps {
    int *first, *count;
    int32_t *weights; /* outputs x room */
    int room;
};

static void taps_release(struct taps *taps)
{
    sy_free(taps->first);
    sy_free(taps->count);
    sy_free(taps->weights);
    *taps = (struct taps){0};
}

/* The weights of one output position, into real[] and then taps. */
static void taps_fill(struct taps *taps, int inputs, int at, double scale,
                      double *real)
{
    double reach = scale < 1.0 ? 1.0 : scale;
    double centre = (at + 0.5) * scale;
    int first = (int)(centre - reach + 0.5);
    int end = (int)(centre + reach + 0.5);
    first = first < 0 ? 0 : first;
    end = end > inputs ? inputs : end;
    double sum = 0.0;
    for (int i = first; i < end; i++) {
        double distance = fabs((i - centre + 0.5) * (1.0 / reach));
        real[i - first] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += real[i - first];
    }
    int32_t *weights = taps->weights + (size_t)at * (size_t)taps->room;
    for (int i = 0; i < end - first; i++) {
        double share = sum != 0.0 ? real[i] / sum : real[i];
        weights[i] = (int32_t)(0.5 + share * (1 << FRACTION_BITS));
    }
    taps->first[at] = first;
    taps->count[at] = end - first;
}

static enum sy_status taps_make(struct taps *taps, int inputs, int outputs,
                                struct sy_error *err)
{
    double scale = (double)inputs / (double)outputs;
    int room = (int)ceil(scale < 1.0 ? 1.0 : scale) * 2 + 1;
    double *real = sy_alloc_zero((size_t)room, sizeof(real[0]));
    *taps = (struct taps){
        .room = room,
        .first = sy_alloc_zero((size_t)outputs, sizeof(taps->first[0])),
        .count = sy_alloc_zero((size_t)outputs, sizeof(taps->count[0])),
        .weights = sy_alloc_zero((size_t)outputs * (size_t)room,
                                 sizeof(taps->weights[0])),
    };
    if (real == NULL || taps->first == NULL || taps->count == NULL ||
        taps->weights == NULL) {
        sy_free(real);
        taps_release(taps);
        return sy_fail(err, SY_NO_MEMORY, "no memory to resize a picture");
    }
    for (int at = 0; at < outputs; at++) {
        taps_fill(taps, inputs, at, scale, real);
    }
    sy_free(real);
    return SY_OK;
}

static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One output row of width `outputs` from one input row. */
static void pass_row(const struct taps *taps, int outputs, int channels,
                     const uint8_t *in, uint8_t *out)
{
    for (int x = 0; x < outputs; x++) {
        const int32_t *w = taps->weights + (size_t)x * (size_t)taps->room;
        const uint8_t *from = in + (size_t)taps->first[x] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = 1 << (FRACTION_BITS - 1);
            for (int i = 0; i < taps->count[x]; i++) {
                sum += from[i * channels + c] * w[i];
            }
            out[x * channels + c] = to_byte(sum);
        }
    }
}

/* All output rows from rows of `stride` bytes. */
static void pass_columns(const struct taps *taps, int outputs, size_t stride,
                         const uint8_t *in, uint8_t *out)
{
    for (int y = 0; y < outputs; y++) {
        const int32_t *w = taps->weights + (size_t)y * (size_t)taps->room;
        const uint8_t *from = in + (size_t)taps->first[y] * stride;
        for (size_t x = 0; x < stride; x++) {
            int32_t sum = 1 << (FRACTION_BITS - 1);
            for (int i = 0; i < taps->count[y]; i++) {
                sum += from[(size_t)i * stride + x] * w[i];
            }
            out[(size_t)y * stride + x] = to_byte(sum);
        }
    }
}

/* Copies count pixels, a single channel to all three. */
static void to_three(const uint8_t *in, int channels, size_t count,
                     uint8_t *out)
{
    if (channels == 3) {
        memcpy(out, in, count * 3);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = in[i];
    }
}

/* Makes *now the picture with its rows brought to `width`. */
static enum sy_status fit_width(const struct dom_image *image, int width,
                                uint8_t **made, struct sy_error *err)
{
    struct taps taps;
    SY_TRY(taps_make(&taps, image->width, width, err));
    size_t from = (size_t)image->width * (size_t)image->channels;
    size_t to = (size_t)width * (size_t)image->channels;
    uint8_t *rows = sy_alloc((size_t)image->height * to);
    if (rows == NULL) {
        taps_release(&taps);
        return sy_fail(err, SY_NO_MEMORY, "no memory to resize a picture");
    }
    for (int y = 0; y < image->height; y++) {
        pass_row(&taps, width, image->channels,
                 image->pixels + (size_t)y * from, rows + (size_t)y * to);
    }
    taps_release(&taps);
    *made = rows;
    return SY_OK;
}

/* Makes *made the rows `in` of `stride` bytes brought to `height` rows. */
static enum sy_status fit_height(const uint8_t *in, int from, int height,
                                 size_t stride, uint8_t **made,
                                 struct sy_error *err)
{
    struct taps taps;
    SY_TRY(taps_make(&taps, from, height, err));
    uint8_t *rows = sy_alloc((size_t)height * stride);
    if (rows == NULL) {
        taps_release(&taps);
        return sy_fail(err, SY_NO_MEMORY, "no memory to resize a picture");
    }
    pass_columns(&taps, height, stride, in, rows);
    taps_release(&taps);
    *made = rows;
    return SY_OK;
}

enum sy_status dom_image_fit(const struct dom_image *image, int height,
                             int width, uint8_t *out, struct sy_error *err)
{
    SY_ASSERT(height > 0 && width > 0 && image->pixels != NULL);
    uint8_t *wide = NULL;
    uint8_t *tall = NULL;
    const uint8_t *now = image->pixels;
    size_t stride = (size_t)width * (size_t)image->channels;
    enum sy_status status = SY_OK;
    if (width != image->width) {
        SY_TRY_OUT(fit_width(image, width, &wide, err));
        now = wide;
    }
    if (height != image->height) {
        SY_TRY_OUT(fit_height(now, image->height, height, stride, &tall, err));
        now = tall;
    }
    to_three(now, image->channels, (size_t)height * (size_t)width, out);
out:
    sy_free(wide);
    sy_free(tall);
    return status;
}
