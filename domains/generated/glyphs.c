/*
 * glyphs.c - ten capital letters, drawn by hand with a pen.
 *
 * Each letter is a few strokes on a 9 x 9 grid. What makes it hard for
 * anything that compares pixels: the whole letter is turned, sheared, scaled
 * and moved; every joint of a stroke wanders on its own; the pen's width
 * varies; ink may be lighter or darker than the paper; stray strokes of the
 * same ink cross the paper, and the paper is uneven and noisy.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 28, CLASSES = 10, GRID = 8 };

/* Joints as "xy" in 0..8, y down; a blank joins, a bar lifts the pen. */
static const char *const strokes[CLASSES] = {
    "08 40 88|25 65",                /* A */
    "82 60 20 02 06 28 68 86",       /* C */
    "80 00 08 88|04 64",             /* E */
    "00 08|80 88|04 84",             /* H */
    "00 08|80 04 88",                /* K */
    "08 00 45 80 88",                /* M */
    "08 00 60 82 64 04|44 88",       /* R */
    "82 60 20 02 24 64 86 68 28 06", /* S */
    "00 80|40 48",                   /* T */
    "00 88|80 08",                   /* X */
};

static const char *const names[CLASSES] = {"A", "C", "E", "H", "K",
                                           "M", "R", "S", "T", "X"};

/* A joint of the letter, wandered and mapped onto the canvas. */
static struct dom_point joint(const char *text, const struct dom_affine *map,
                              struct sy_rng *rng)
{
    struct dom_point p = {
        .x = (float)(text[0] - '0') * (2.0f / GRID) - 1.0f,
        .y = (float)(text[1] - '0') * (2.0f / GRID) - 1.0f,
    };
    p.x += dom_between(rng, -0.17f, 0.17f);
    p.y += dom_between(rng, -0.17f, 0.17f);
    return dom_affine_apply(map, p);
}

static void draw_letter(struct dom_field *field, const char *text,
                        const struct dom_affine *map, struct sy_rng *rng)
{
    struct dom_point pen = joint(text, map, rng);
    while (text[2] != '\0') {
        struct dom_point next = joint(text + 3, map, rng);
        if (text[2] == ' ') {
            dom_field_segment(field, pen, next);
        }
        pen = next;
        text += 3;
    }
}

/* A short stroke anywhere on the paper. */
static void draw_stray(struct dom_field *field, struct sy_rng *rng)
{
    struct dom_point from = dom_anywhere(rng, 0.0f, SIDE);
    float turns = sy_rng_uniform(rng), length = dom_between(rng, 3.0f, 8.0f);
    struct dom_point to = {from.x + length * dom_cos(turns),
                           from.y + length * dom_sin(turns)};
    dom_field_segment(field, from, to);
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_GLYPHS, image);
    struct dom_canvas canvas;
    struct dom_field field;

    float paper = dom_between(&rng, 0.1f, 0.9f);
    float step = dom_between(&rng, 0.28f, 0.55f);
    if (paper > 0.5f) {
        step = -step;
    }
    dom_canvas_fill(&canvas, SIDE, 1, dom_grey(paper));
    dom_canvas_clouds(&canvas, &rng, 0.12f, 3);

    float size = dom_between(&rng, 6.0f, 10.0f);
    float margin = size + SIDE * 0.5f - 12.0f;
    struct dom_pose pose;
    pose.centre = dom_anywhere(&rng, margin, SIDE - margin);
    pose.turns = dom_between(&rng, -0.08f, 0.08f);
    pose.scale_x = size * dom_between(&rng, 0.7f, 1.0f);
    pose.scale_y = size;
    pose.shear = dom_between(&rng, -0.25f, 0.25f);
    struct dom_affine map = dom_affine_make(&pose);
    dom_field_clear(&field, SIDE);
    draw_letter(&field, strokes[label], &map, &rng);
    float width = dom_between(&rng, 0.5f, 1.3f);
    dom_canvas_paint(&canvas, &field, width, dom_grey(paper + step), 1.0f);

    dom_field_clear(&field, SIDE);
    for (uint32_t left = 3 + sy_rng_below(&rng, 3); left > 0; left--) {
        draw_stray(&field, &rng);
    }
    dom_canvas_paint(&canvas, &field, 0.5f, dom_grey(paper + step), 1.0f);

    dom_canvas_blur(&canvas, dom_between(&rng, 0.0f, 0.2f));
    dom_canvas_noise(&canvas, &rng, 0.07f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_glyphs = {
    .name = "glyphs",
    .summary = "ten pen-drawn capital letters, distorted, on uneven paper",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 1,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
