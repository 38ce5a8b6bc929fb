/*
 * colours.c - which colour lies inside which: eight ordered pairs.
 *
 * A few targets, discs with a core and a rim, share one pair of colours; the
 * class is that pair in that order. Plain discs and rings of the same four
 * colours lie about, and the ground has any tint, so that neither which
 * colours are present nor how much of each decides: only which one encloses
 * which. Every disc's hue and brightness vary a little.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 32, CLASSES = 8, HUES = 4 };

static const char *const names[CLASSES] = {
    "red-in-green", "green-in-red", "blue-in-yellow",  "yellow-in-blue",
    "red-in-blue",  "blue-in-red",  "green-in-yellow", "yellow-in-green",
};

enum hue { RED, GREEN, BLUE, YELLOW };

static const struct dom_ink hues[HUES] = {
    [RED] = {{0.85f, 0.15f, 0.15f}},
    [GREEN] = {{0.15f, 0.65f, 0.2f}},
    [BLUE] = {{0.15f, 0.3f, 0.85f}},
    [YELLOW] = {{0.9f, 0.8f, 0.15f}},
};

static const enum hue pairs[CLASSES][2] = {
    {RED, GREEN}, {GREEN, RED}, {BLUE, YELLOW},  {YELLOW, BLUE},
    {RED, BLUE},  {BLUE, RED},  {GREEN, YELLOW}, {YELLOW, GREEN},
};

/* The hue under a light of its own, every channel off by a little. */
static struct dom_ink shade(enum hue hue, struct sy_rng *rng)
{
    struct dom_ink ink = hues[hue];
    float light = dom_between(rng, 0.5f, 1.1f);
    for (int c = 0; c < 3; c++) {
        ink.level[c] = ink.level[c] * light + dom_between(rng, -0.14f, 0.14f);
    }
    return ink;
}

static void put_disc(struct dom_canvas *canvas, struct dom_point at,
                     float radius, struct dom_ink ink)
{
    struct dom_field field;
    dom_field_clear(&field, SIDE);
    dom_field_disc(&field, at, radius);
    dom_canvas_paint(canvas, &field, 0.0f, ink, 1.0f);
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_COLOURS, image);
    struct dom_canvas canvas;

    struct dom_ink ground;
    for (int c = 0; c < 3; c++) {
        ground.level[c] = dom_between(&rng, 0.1f, 0.9f);
    }
    dom_canvas_fill(&canvas, SIDE, 3, ground);
    dom_canvas_clouds(&canvas, &rng, 0.15f, 3);
    for (uint32_t left = 5 + sy_rng_below(&rng, 3); left > 0; left--) {
        enum hue hue = (enum hue)sy_rng_below(&rng, HUES);
        struct dom_point at = dom_anywhere(&rng, 0.0f, SIDE);
        float radius = dom_between(&rng, 2.0f, 5.0f);
        put_disc(&canvas, at, radius, shade(hue, &rng));
    }
    for (uint32_t left = 1 + sy_rng_below(&rng, 2); left > 0; left--) {
        struct dom_point at = dom_anywhere(&rng, 5.0f, SIDE - 5.0f);
        float radius = dom_between(&rng, 3.2f, 5.5f);
        put_disc(&canvas, at, radius, shade(pairs[label][1], &rng));
        radius *= dom_between(&rng, 0.45f, 0.6f);
        put_disc(&canvas, at, radius, shade(pairs[label][0], &rng));
    }
    dom_canvas_blur(&canvas, dom_between(&rng, 0.0f, 0.15f));
    dom_canvas_noise(&canvas, &rng, 0.06f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_colours = {
    .name = "colours",
    .summary = "which colour lies inside which, among plain discs",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 3,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
