/*
 * outliers.c - images that are of no domain.
 *
 * DESIGN. A gate that has seen nothing but its domains is sure everywhere. It
 * is shown what lies between them (halves, means), beyond them (negatives) and
 * elsewhere (noise, generated pictures), in equal parts.
 *
 * Source: D. Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure",
 * ICLR 2019.
 */
#include "search/routing/outliers.h"

#include <string.h>

#include "domains/generated/generated.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"

enum { HALVES, MEAN, NEGATIVE, NOISE, GENERATED, KINDS };

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
    if (kind == NOISE || kind == GENERATED) {
        noise(input, rng, pixels);
    } else if (kind == NEGATIVE) {
        uint32_t domains = (uint32_t)source->network->domain_count;
        const uint8_t *from =
            pick(source, (int)sy_rng_below(rng, domains), rng);
        for (size_t i = 0; i < sy_shape_floats(input); i++) {
            pixels[i] = (uint8_t)(255 - from[i]);
        }
    } else {
        mix(source, kind == HALVES, rng, pixels);
    }
    return SY_OK;
}
