/*
 * augment.c - random changes of pictures.
 *
 * DESIGN. Changes are drawn as a few integers first and applied in one pass
 * from bytes to floats, since "mid grey", the zero of the normalised picture,
 * is no byte. The order is shift, mirror, cut: the cut is placed in the
 * picture as the network sees it.
 */
#include "domains/batch/augment.h"

#include <string.h>

enum { CHANNELS = 3 };

struct dom_change dom_change_draw(const struct dom_augment *augment, int height,
                                  int width, struct sy_rng *rng)
{
    struct dom_change change = {0};
    uint32_t shifts = (uint32_t)(2 * augment->shift + 1);
    uint32_t down = sy_rng_u32(rng);
    uint32_t right = sy_rng_u32(rng);
    uint32_t mirror = sy_rng_u32(rng);
    uint32_t cut = sy_rng_u32(rng);
    uint32_t row = sy_rng_u32(rng);
    uint32_t column = sy_rng_u32(rng);
    /* A product's upper half scales 32 bits to a range; the bias is below
     * one in a million for any shift or side. */
    change.down = (int)((uint64_t)down * shifts >> 32) - augment->shift;
    change.right_by = (int)((uint64_t)right * shifts >> 32) - augment->shift;
    change.mirror = augment->flip && (mirror & 1);
    if (augment->cutout > 0 && (cut & 1)) {
        int side = augment->cutout;
        int top = (int)((uint64_t)row * (uint32_t)height >> 32) - side / 2;
        int left = (int)((uint64_t)column * (uint32_t)width >> 32) - side / 2;
        int bottom = top + side;
        int end = left + side;
        change.top = top < 0 ? 0 : top;
        change.left = left < 0 ? 0 : left;
        change.bottom = bottom > height ? height : bottom;
        change.right = end > width ? width : end;
    }
    return change;
}

/* One row of `width` pixels from `in`, without the cut. */
static void apply_row(const struct dom_change *change, const uint8_t *in,
                      int width, float *out)
{
    if (!change->mirror) {
        int by = change->right_by;
        int first = by < 0 ? 0 : by < width ? by : width;
        int end = by < 0 ? width + by : width;
        end = end < first ? first : end;
        memset(out, 0, (size_t)first * CHANNELS * sizeof(out[0]));
        if (end > first) {
            dom_normalise(in + (size_t)(first - by) * CHANNELS,
                          (size_t)(end - first) * CHANNELS,
                          out + (size_t)first * CHANNELS);
        }
        memset(out + (size_t)end * CHANNELS, 0,
               (size_t)(width - end) * CHANNELS * sizeof(out[0]));
        return;
    }
    for (int x = 0; x < width; x++) {
        int from = width - 1 - x - change->right_by;
        float *to = out + (size_t)x * CHANNELS;
        if (from < 0 || from >= width) {
            memset(to, 0, CHANNELS * sizeof(to[0]));
        } else {
            dom_normalise(in + (size_t)from * CHANNELS, CHANNELS, to);
        }
    }
}

void dom_change_apply(const struct dom_change *change, const uint8_t *pixels,
                      int height, int width, float *out)
{
    size_t stride = (size_t)width * CHANNELS;
    for (int y = 0; y < height; y++) {
        int from = y - change->down;
        float *row = out + (size_t)y * stride;
        if (from < 0 || from >= height) {
            memset(row, 0, stride * sizeof(row[0]));
        } else {
            apply_row(change, pixels + (size_t)from * stride, width, row);
        }
        if (y >= change->top && y < change->bottom &&
            change->right > change->left) {
            memset(row + (size_t)change->left * CHANNELS, 0,
                   (size_t)(change->right - change->left) * CHANNELS *
                       sizeof(row[0]));
        }
    }
}
