/*
 * barcodes.c - the ten digits of the EAN code, scanned badly.
 *
 * A digit is four widths (bar, space, bar, space) that sum to seven modules,
 * after one guard bar and space and before a last bar. The strip is shifted,
 * scaled, turned a little and cut to some height; black and white may be
 * swapped; the light is uneven, dirt covers spots, and blur and noise lie
 * over all. What is left to read are relative widths.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 28, CLASSES = 10, WIDTHS = 7, MODULES = 10 };

/* Guard, the four widths of the digit, last bar; bars at even places. */
static const char *const widths[CLASSES] = {
    "1132111", "1122211", "1121221", "1114111", "1111321",
    "1112311", "1111141", "1113121", "1112131", "1131121",
};

static const char *const names[CLASSES] = {"zero",  "one",  "two", "three",
                                           "four",  "five", "six", "seven",
                                           "eight", "nine"};

/* The bars as upright boxes around the origin, one module = 1. */
static void put_bars(struct dom_field *field, const char *width,
                     float half_height, const struct dom_affine *map)
{
    float x = -0.5f * MODULES;
    for (int i = 0; i < WIDTHS; i++) {
        float next = x + (float)(width[i] - '0');
        if (i % 2 == 0) {
            struct dom_point corner[4] = {{x, -half_height},
                                          {next, -half_height},
                                          {next, half_height},
                                          {x, half_height}};
            for (int k = 0; k < 4; k++) {
                corner[k] = dom_affine_apply(map, corner[k]);
            }
            dom_field_polygon(field, corner, 4);
        }
        x = next;
    }
}

static void put_dirt(struct dom_canvas *canvas, struct sy_rng *rng)
{
    struct dom_field field;
    for (int i = 0; i < 5; i++) {
        struct dom_point at = dom_anywhere(rng, 0.0f, SIDE);
        dom_field_clear(&field, SIDE);
        dom_field_disc(&field, at, dom_between(rng, 1.0f, 2.5f));
        dom_canvas_paint(canvas, &field, 0.0f,
                         dom_grey(dom_between(rng, 0.0f, 1.0f)), 1.0f);
    }
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_BARCODES, image);
    struct dom_canvas canvas;
    struct dom_field field;

    float paper = dom_between(&rng, 0.65f, 0.95f);
    float ink = dom_between(&rng, 0.05f, 0.35f);
    if (sy_rng_below(&rng, 2) == 1) {
        float swap = paper;
        paper = ink;
        ink = swap;
    }
    dom_canvas_fill(&canvas, SIDE, 1, dom_grey(paper));

    float module = dom_between(&rng, 1.6f, 2.3f);
    float room = (SIDE - 2.0f - MODULES * module) * 0.5f;
    struct dom_pose pose = {.scale_x = module, .scale_y = module};
    pose.centre.x = SIDE * 0.5f + dom_between(&rng, -room, room);
    pose.centre.y = SIDE * 0.5f + dom_between(&rng, -6.0f, 6.0f);
    pose.turns = dom_between(&rng, -0.07f, 0.07f);
    pose.shear = dom_between(&rng, -0.2f, 0.2f);
    struct dom_affine map = dom_affine_make(&pose);
    dom_field_clear(&field, SIDE);
    put_bars(&field, widths[label], dom_between(&rng, 2.5f, 4.5f), &map);
    dom_canvas_paint(&canvas, &field, dom_between(&rng, -0.15f, 0.15f),
                     dom_grey(ink), 1.0f);

    put_dirt(&canvas, &rng);
    dom_canvas_clouds(&canvas, &rng, 0.2f, 3);
    dom_canvas_blur(&canvas, dom_between(&rng, 0.0f, 0.2f));
    dom_canvas_noise(&canvas, &rng, 0.09f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_barcodes = {
    .name = "barcodes",
    .summary = "ten bar codes, turned, dirty, blurred and noisy",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 1,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
