/*
 * curves.c - one bent line in colour: eight kinds of curve.
 *
 * Roses r = cos(k a), Lissajous figures, a ring and a spiral, at any angle,
 * stretched and wobbling, on a tinted ground; straight lines of other
 * colours cross them. What decides is how the line runs as a whole.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 32, CLASSES = 8, STEPS = 72 };

static const char *const names[CLASSES] = {
    "ring",         "eight",       "three-loops", "fish",
    "three-petals", "four-petals", "five-petals", "spiral",
};

/* The point of the curve at t in [0, 1), within the unit circle. */
static struct dom_point at_time(int kind, float t)
{
    struct dom_point p;
    float r;
    switch (kind) {
    case 0:
        return (struct dom_point){dom_cos(t), dom_sin(t)};
    case 1:
        return (struct dom_point){dom_sin(t), 0.6f * dom_sin(2.0f * t)};
    case 2:
        return (struct dom_point){dom_sin(t), 0.6f * dom_cos(3.0f * t)};
    case 3:
        p.x = 0.85f * dom_sin(2.0f * t);
        p.y = 0.85f * dom_sin(3.0f * t + 0.125f);
        return p;
    case 4:
        r = dom_cos(1.5f * t);
        return (struct dom_point){r * dom_cos(0.5f * t), r * dom_sin(0.5f * t)};
    case 5:
        r = dom_cos(2.0f * t);
        return (struct dom_point){r * dom_cos(t), r * dom_sin(t)};
    case 6:
        r = dom_cos(2.5f * t);
        return (struct dom_point){r * dom_cos(0.5f * t), r * dom_sin(0.5f * t)};
    default:
        r = 0.1f + 0.9f * t;
        return (struct dom_point){r * dom_cos(2.25f * t),
                                  r * dom_sin(2.25f * t)};
    }
}

static void put_curve(struct dom_field *field, int kind,
                      const struct dom_affine *map, struct sy_rng *rng)
{
    float phase = sy_rng_uniform(rng), wobble = dom_between(rng, 0.0f, 0.08f);
    struct dom_point pen = {0.0f, 0.0f};
    for (int i = 0; i <= STEPS; i++) {
        float t = (float)i / STEPS;
        struct dom_point p = at_time(kind, t);
        float grow = 1.0f + wobble * dom_sin(2.0f * t + phase);
        p.x *= grow;
        p.y *= grow;
        p = dom_affine_apply(map, p);
        if (i > 0) {
            dom_field_segment(field, pen, p);
        }
        pen = p;
    }
}

static struct dom_ink any_ink(struct sy_rng *rng)
{
    struct dom_ink ink;
    for (int c = 0; c < 3; c++) {
        ink.level[c] = sy_rng_uniform(rng);
    }
    return ink;
}

/* An ink that stands out from `from`: its channels differ enough in sum. */
static struct dom_ink other_ink(struct dom_ink from, struct sy_rng *rng)
{
    for (;;) {
        struct dom_ink ink = any_ink(rng);
        float sum = 0.0f;
        for (int c = 0; c < 3; c++) {
            float d = ink.level[c] - from.level[c];
            sum += d * d;
        }
        if (sum > 0.35f) {
            return ink;
        }
    }
}

/* Two thin lines from side to side. */
static void put_lines(struct dom_canvas *canvas, struct sy_rng *rng)
{
    struct dom_field field;
    for (int i = 0; i < 2; i++) {
        struct dom_point from = {.y = 0.0f}, to = {.y = SIDE};
        from.x = dom_between(rng, 0.0f, SIDE);
        to.x = dom_between(rng, 0.0f, SIDE);
        if (sy_rng_below(rng, 2) == 1) {
            from = (struct dom_point){from.y, from.x};
            to = (struct dom_point){to.y, to.x};
        }
        dom_field_clear(&field, SIDE);
        dom_field_segment(&field, from, to);
        dom_canvas_paint(canvas, &field, 0.4f, any_ink(rng), 0.7f);
    }
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_CURVES, image);
    struct dom_canvas canvas;
    struct dom_field field;

    struct dom_ink ground = any_ink(&rng);
    dom_canvas_fill(&canvas, SIDE, 3, ground);
    dom_canvas_clouds(&canvas, &rng, 0.12f, 3);
    put_lines(&canvas, &rng);

    float size = dom_between(&rng, 10.0f, 13.5f);
    struct dom_pose pose;
    pose.centre = dom_anywhere(&rng, size + 1.0f, SIDE - 1.0f - size);
    pose.turns = sy_rng_uniform(&rng);
    pose.scale_x = size * dom_between(&rng, 0.8f, 1.0f);
    pose.scale_y = size * dom_between(&rng, 0.8f, 1.0f);
    pose.shear = dom_between(&rng, -0.1f, 0.1f);
    struct dom_affine map = dom_affine_make(&pose);
    dom_field_clear(&field, SIDE);
    put_curve(&field, label, &map, &rng);
    struct dom_ink ink = other_ink(ground, &rng);
    dom_canvas_paint(&canvas, &field, dom_between(&rng, 0.5f, 0.9f), ink, 1.0f);
    dom_canvas_noise(&canvas, &rng, 0.06f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_curves = {
    .name = "curves",
    .summary = "eight kinds of coloured curve, crossed by straight lines",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 3,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
