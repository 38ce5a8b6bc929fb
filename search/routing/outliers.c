/*
 * outliers.c - images that are of no domain.
 *
 * DESIGN. A gate that has seen nothing but its domains is sure everywhere. It
 * is shown what lies beyond them (an image changed so that it keeps something
 * of its domain and loses something else), between them (halves, means) and
 * elsewhere (noise, generated pictures). Half of all are changed, since what
 * is taken for a domain is what looks nearly like it.
 *
 * Source: D. Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure",
 * ICLR 2019.
 */
#include "search/routing/outliers.h"

#include <stdlib.h>
#include <string.h>

#include "domains/generated/generated.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"

enum { CHANNELS = 3 };
enum { HALVES, MEAN, NOISE, GENERATED, CHANGED, KINDS = 2 * CHANGED };

static const uint8_t *pick(const struct nas_outlier_source *source, int domain,
                           struct sy_rng *rng)
{
    size_t bytes = sy_shape_floats(source->network->spec.input);
    uint32_t image = sy_rng_below(rng, (uint32_t)source->each);
    return source->pixels +
           ((size_t)domain * (size_t)source->each + image) * bytes;
}

/* Left half of one and right half of the other, or their mean. */
static void mix(const struct nas_outlier_source *source, bool halves,
                struct sy_rng *rng, uint8_t *pixels)
{
    struct sy_shape input = source->network->spec.input;
    uint32_t domains = (uint32_t)source->network->domain_count;
    int first = (int)sy_rng_below(rng, domains);
    int second =
        domains < 2
            ? first
            : (int)((uint32_t)(first + 1) + sy_rng_below(rng, domains - 1)) %
                  (int)domains;
    const uint8_t *a = pick(source, first, rng);
    const uint8_t *b = pick(source, second, rng);
    int row = input.w * input.c;
    for (int i = 0; i < input.h * row; i++) {
        bool left = i % row < row / 2;
        pixels[i] =
            halves ? (left ? a[i] : b[i]) : (uint8_t)((a[i] + b[i]) / 2);
    }
}

/* Squares of one colour, from single pixels to half of the image. */
static void noise(struct sy_shape input, struct sy_rng *rng, uint8_t *pixels)
{
    int side = 1 << sy_rng_below(rng, 5);
    bool grey = sy_rng_below(rng, 2) == 0;
    for (int y = 0; y < input.h; y++) {
        for (int x = 0; x < input.w; x++) {
            uint8_t *at = pixels + (y * input.w + x) * input.c;
            int above = y % side != 0 ? input.w * input.c : 0;
            int before = x % side != 0 ? input.c : 0;
            if (above > 0 || before > 0) {
                memcpy(at, above > 0 ? at - above : at - before,
                       (size_t)input.c);
                continue;
            }
            uint8_t shade = (uint8_t)sy_rng_below(rng, 256);
            for (int c = 0; c < input.c; c++) {
                at[c] = grey ? shade : (uint8_t)sy_rng_below(rng, 256);
            }
        }
    }
}

/* A change of an image; `to` is another place than `from`. */
typedef enum sy_status (*change_fn)(struct sy_shape input, struct sy_rng *rng,
                                    const uint8_t *from, uint8_t *to,
                                    struct sy_error *err);

static enum sy_status negate(struct sy_shape input, struct sy_rng *rng,
                             const uint8_t *from, uint8_t *to,
                             struct sy_error *err)
{
    (void)rng;
    (void)err;
    for (size_t i = 0; i < sy_shape_floats(input); i++) {
        to[i] = (uint8_t)(255 - from[i]);
    }
    return SY_OK;
}

/* Shades from one colour to another, in place of dark to light. */
static enum sy_status recolour(struct sy_shape input, struct sy_rng *rng,
                               const uint8_t *from, uint8_t *to,
                               struct sy_error *err)
{
    int dark[CHANNELS], light[CHANNELS];
    (void)err;
    for (int c = 0; c < CHANNELS; c++) {
        dark[c] = (int)sy_rng_below(rng, 256);
        light[c] = (int)sy_rng_below(rng, 256);
    }
    for (int i = 0; i < input.h * input.w; i++) {
        const uint8_t *at = from + (ptrdiff_t)i * CHANNELS;
        int grey = (at[0] + 2 * at[1] + at[2]) / 4;
        for (int c = 0; c < CHANNELS; c++) {
            to[i * CHANNELS + c] =
                (uint8_t)(dark[c] + (light[c] - dark[c]) * grey / 255);
        }
    }
    return SY_OK;
}

/* Lines where it changes, on black. */
static enum sy_status outline(struct sy_shape input, struct sy_rng *rng,
                              const uint8_t *from, uint8_t *to,
                              struct sy_error *err)
{
    int strength = 1 + (int)sy_rng_below(rng, 4);
    int row = input.w * CHANNELS;
    (void)err;
    for (int i = 0; i < input.h * row; i++) {
        int right = i % row + CHANNELS < row ? from[i + CHANNELS] : from[i];
        int below = i + row < input.h * row ? from[i + row] : from[i];
        int change = strength * (abs(right - from[i]) + abs(below - from[i]));
        to[i] = (uint8_t)(change < 255 ? change : 255);
    }
    return SY_OK;
}

/* A quarter of it, as large as the whole. */
static enum sy_status enlarge(struct sy_shape input, struct sy_rng *rng,
                              const uint8_t *from, uint8_t *to,
                              struct sy_error *err)
{
    int height = (input.h + 1) / 2, width = (input.w + 1) / 2;
    int top = (int)sy_rng_below(rng, (uint32_t)(input.h - height + 1));
    int left = (int)sy_rng_below(rng, (uint32_t)(input.w - width + 1));
    size_t line = (size_t)width * CHANNELS;
    uint8_t *window = sy_alloc((size_t)height * line);
    if (window == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for an image");
    }
    for (int h = 0; h < height; h++) {
        memcpy(window + (size_t)h * line,
               from + ((ptrdiff_t)(top + h) * input.w + left) * CHANNELS, line);
    }
    struct dom_image image = {height, width, CHANNELS, window};
    enum sy_status status = dom_image_fit(&image, input.h, input.w, to, err);
    sy_free(window);
    return status;
}

/* Shrunk to between half and a sixth, and back again. */
static enum sy_status blur(struct sy_shape input, struct sy_rng *rng,
                           const uint8_t *from, uint8_t *to,
                           struct sy_error *err)
{
    int by = 2 + (int)sy_rng_below(rng, 5);
    int height = (input.h + by - 1) / by, width = (input.w + by - 1) / by;
    uint8_t *small = sy_alloc((size_t)height * (size_t)width * CHANNELS);
    if (small == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for an image");
    }
    struct dom_image whole = {input.h, input.w, CHANNELS,
                              (uint8_t *)(uintptr_t)from};
    struct dom_image part = {height, width, CHANNELS, small};
    enum sy_status status = dom_image_fit(&whole, height, width, small, err);
    status = status == SY_OK ? dom_image_fit(&part, input.h, input.w, to, err)
                             : status;
    sy_free(small);
    return status;
}

/* Four of it, each of half the size. */
static enum sy_status repeat(struct sy_shape input, struct sy_rng *rng,
                             const uint8_t *from, uint8_t *to,
                             struct sy_error *err)
{
    int height = (input.h + 1) / 2, width = (input.w + 1) / 2;
    struct dom_image image = {input.h, input.w, CHANNELS,
                              (uint8_t *)(uintptr_t)from};
    (void)rng;
    SY_TRY(dom_image_fit(&image, height, width, to, err));
    /* From behind, so that nothing is read after it was written. */
    for (int h = input.h - 1; h >= 0; h--) {
        for (int w = input.w - 1; w >= 0; w--) {
            const uint8_t *small =
                to + ((ptrdiff_t)(h % height) * width + w % width) * CHANNELS;
            memmove(to + ((ptrdiff_t)h * input.w + w) * CHANNELS, small,
                    CHANNELS);
        }
    }
    return SY_OK;
}

/* Each number the highest of 3 x 3, or the lowest. */
static enum sy_status thicken(struct sy_shape input, struct sy_rng *rng,
                              const uint8_t *from, uint8_t *to,
                              struct sy_error *err)
{
    int flip = sy_rng_below(rng, 2) == 0 ? 0 : 255;
    (void)err;
    for (int i = 0; i < input.h * input.w * CHANNELS; i++) {
        int h = i / CHANNELS / input.w, w = i / CHANNELS % input.w, most = 0;
        for (int k = 0; k < 9; k++) {
            int y = h + k / 3 - 1, x = w + k % 3 - 1;
            if (y >= 0 && y < input.h && x >= 0 && x < input.w) {
                int at = (y * input.w + x) * CHANNELS + i % CHANNELS;
                int value = from[at] ^ flip;
                most = value > most ? value : most;
            }
        }
        to[i] = (uint8_t)(most ^ flip);
    }
    return SY_OK;
}

static const change_fn changes[] = {negate,  recolour, outline, thicken,
                                    enlarge, blur,     repeat};
enum { CHANGES = sizeof changes / sizeof changes[0] };

/* An image of a domain, changed in one way or in two. */
static enum sy_status change(const struct nas_outlier_source *source,
                             struct sy_rng *rng, uint8_t *pixels,
                             struct sy_error *err)
{
    struct sy_shape input = source->network->spec.input;
    uint32_t domains = (uint32_t)source->network->domain_count;
    const uint8_t *from = pick(source, (int)sy_rng_below(rng, domains), rng);
    uint32_t first = sy_rng_below(rng, CHANGES);
    uint32_t second = (first + 1 + sy_rng_below(rng, CHANGES - 1)) % CHANGES;
    SY_TRY(changes[first](input, rng, from, pixels, err));
    if (sy_rng_below(rng, 2) == 0) {
        return SY_OK;
    }
    uint8_t *once = sy_alloc(sy_shape_floats(input));
    if (once == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for an image");
    }
    memcpy(once, pixels, sy_shape_floats(input));
    enum sy_status status = changes[second](input, rng, once, pixels, err);
    sy_free(once);
    return status;
}

/* A generator whose pictures no domain has, or NULL. */
static const struct dom_generator *foreign(const struct sy_network *network,
                                           struct sy_rng *rng)
{
    const struct dom_generator *found[32];
    uint32_t count = 0;
    for (int i = 0; dom_generators[i] != NULL && count < 32; i++) {
        if (sy_network_find_domain(network, dom_generators[i]->name) < 0) {
            found[count++] = dom_generators[i];
        }
    }
    return count > 0 ? found[sy_rng_below(rng, count)] : NULL;
}

static enum sy_status generate(const struct dom_generator *generator,
                               struct sy_shape input, struct sy_rng *rng,
                               uint8_t *pixels, struct sy_error *err)
{
    size_t bytes = (size_t)generator->side * (size_t)generator->side *
                   (size_t)generator->channels;
    uint8_t *drawn = sy_alloc(bytes);
    if (drawn == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "gate: no memory for an image");
    }
    uint32_t label = sy_rng_below(rng, (uint32_t)generator->classes);
    generator->draw(sy_rng_u32(rng), sy_rng_u32(rng) >> 1, (int)label, drawn);
    struct dom_image image = {.height = generator->side,
                              .width = generator->side,
                              .channels = generator->channels,
                              .pixels = drawn};
    enum sy_status status =
        dom_image_fit(&image, input.h, input.w, pixels, err);
    sy_free(drawn);
    return status;
}

enum sy_status nas_outlier_draw(const struct nas_outlier_source *source,
                                struct sy_rng *rng, uint8_t *pixels,
                                struct sy_error *err)
{
    struct sy_shape input = source->network->spec.input;
    uint32_t kind = sy_rng_below(rng, KINDS);
    const struct dom_generator *generator =
        kind == GENERATED ? foreign(source->network, rng) : NULL;
    if (generator != NULL) {
        return generate(generator, input, rng, pixels, err);
    }
    if (kind >= CHANGED) {
        return change(source, rng, pixels, err);
    }
    if (kind == NOISE || kind == GENERATED) {
        noise(input, rng, pixels);
    } else {
        mix(source, kind == HALVES, rng, pixels);
    }
    return SY_OK;
}
