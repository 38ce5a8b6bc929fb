/*
 * textures.c - woven stuff: five directions of thread, coarse or fine.
 *
 * A texture is a sum of many short wave packets ("sparse Gabor noise": Lagae
 * et al., "Procedural Noise using Sparse Gabor Convolution", SIGGRAPH 2009),
 * all of nearly the same direction and wavelength, each at its own place and
 * phase. The mean of every pixel is the same for every class, and no two
 * textures line up, so comparing pixels says nothing; what tells the classes
 * apart is local. The packet's window is a polynomial, not a Gaussian, which
 * keeps libm out.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 32, DIRECTIONS = 5, CLASSES = 2 * DIRECTIONS, PACKETS = 22 };

static const char *const names[CLASSES] = {
    "coarse-0", "coarse-36", "coarse-72", "coarse-108", "coarse-144",
    "fine-0",   "fine-36",   "fine-72",   "fine-108",   "fine-144",
};

/* Adds one wave packet of that direction and wavelength. */
static void put_packet(struct dom_canvas *canvas, float turns, float wavelength,
                       float amount, struct sy_rng *rng)
{
    struct dom_point at = dom_anywhere(rng, -4.0f, SIDE + 4.0f);
    float radius = dom_between(rng, 8.0f, 12.0f);
    float phase = sy_rng_uniform(rng);
    float fx = dom_cos(turns) / wavelength, fy = dom_sin(turns) / wavelength;
    float over = 1.0f / (radius * radius);
    for (int y = 0; y < SIDE; y++) {
        float dy = (float)y - at.y;
        for (int x = 0; x < SIDE; x++) {
            float dx = (float)x - at.x;
            float w = 1.0f - (dx * dx + dy * dy) * over;
            if (w > 0.0f) {
                canvas->value[y * SIDE + x] +=
                    amount * w * w * dom_sin(dx * fx + dy * fy + phase);
            }
        }
    }
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_TEXTURES, image);
    struct dom_canvas canvas;

    dom_canvas_fill(&canvas, SIDE, 1, dom_grey(dom_between(&rng, 0.3f, 0.7f)));
    dom_canvas_clouds(&canvas, &rng, 0.2f, 3);
    float turns = (float)(label % DIRECTIONS) * (0.5f / DIRECTIONS) +
                  dom_between(&rng, -0.027f, 0.027f);
    float wavelength =
        (label < DIRECTIONS ? 6.4f : 4.2f) * dom_between(&rng, 0.88f, 1.12f);
    float amount = dom_between(&rng, 0.05f, 0.14f);
    for (int i = 0; i < PACKETS; i++) {
        float off = dom_between(&rng, -0.025f, 0.025f);
        float stretch = dom_between(&rng, 0.92f, 1.08f);
        put_packet(&canvas, turns + off, wavelength * stretch, amount, &rng);
    }
    dom_canvas_noise(&canvas, &rng, 0.09f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_textures = {
    .name = "textures",
    .summary = "weaves: five directions of thread, each coarse and fine",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 1,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
