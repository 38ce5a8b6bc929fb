/*
 * polygons.c - eight outlines, at any angle, partly hidden.
 *
 * A shape is turned to any angle, scaled, stretched a little and moved; it
 * is lighter or darker than the ground, and either filled or only outlined.
 * A bar of a third grey may hide a part of it, and small discs of the
 * shape's own grey lie about.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 32, CLASSES = 8, MAX_CORNERS = 12 };

/* Corners within the unit circle. */
struct outline {
    const char *name;
    int corners;
    struct dom_point corner[MAX_CORNERS];
};

static const struct outline outlines[CLASSES] = {
    {"triangle", 3, {{0, -1}, {0.866f, 0.5f}, {-0.866f, 0.5f}}},
    {"square",
     4,
     {{-0.75f, -0.75f}, {0.75f, -0.75f}, {0.75f, 0.75f}, {-0.75f, 0.75f}}},
    {"bar", 4, {{-1, -0.3f}, {1, -0.3f}, {1, 0.3f}, {-1, 0.3f}}},
    {"hexagon",
     6,
     {{1, 0},
      {0.5f, 0.866f},
      {-0.5f, 0.866f},
      {-1, 0},
      {-0.5f, -0.866f},
      {0.5f, -0.866f}}},
    {"star",
     10,
     {{0, -1},
      {0.247f, -0.34f},
      {0.951f, -0.309f},
      {0.4f, 0.13f},
      {0.588f, 0.809f},
      {0, 0.42f},
      {-0.588f, 0.809f},
      {-0.4f, 0.13f},
      {-0.951f, -0.309f},
      {-0.247f, -0.34f}}},
    {"cross",
     12,
     {{-0.3f, -1},
      {0.3f, -1},
      {0.3f, -0.3f},
      {1, -0.3f},
      {1, 0.3f},
      {0.3f, 0.3f},
      {0.3f, 1},
      {-0.3f, 1},
      {-0.3f, 0.3f},
      {-1, 0.3f},
      {-1, -0.3f},
      {-0.3f, -0.3f}}},
    {"arrow",
     7,
     {{0, -1},
      {0.85f, 0},
      {0.32f, 0},
      {0.32f, 1},
      {-0.32f, 1},
      {-0.32f, 0},
      {-0.85f, 0}}},
    {"angle",
     6,
     {{-0.8f, -0.9f},
      {-0.2f, -0.9f},
      {-0.2f, 0.3f},
      {0.9f, 0.3f},
      {0.9f, 0.9f},
      {-0.8f, 0.9f}}},
};

static const char *const names[CLASSES] = {
    "triangle", "square", "bar", "hexagon", "star", "cross", "arrow", "angle"};

static void put_outline(struct dom_field *field, const struct outline *outline,
                        float size, struct dom_point centre, struct sy_rng *rng)
{
    struct dom_pose pose = {.centre = centre};
    pose.turns = sy_rng_uniform(rng);
    pose.scale_x = size * dom_between(rng, 0.85f, 1.1f);
    pose.scale_y = size * dom_between(rng, 0.85f, 1.1f);
    struct dom_affine map = dom_affine_make(&pose);
    struct dom_point corner[MAX_CORNERS];
    for (int i = 0; i < outline->corners; i++) {
        corner[i] = dom_affine_apply(&map, outline->corner[i]);
    }
    dom_field_polygon(field, corner, outline->corners);
}

/* The band |distance| < 1 of a filled shape. */
static void hollow(struct dom_field *field)
{
    for (int i = 0; i < field->side * field->side; i++) {
        float d = field->distance[i];
        field->distance[i] = (d < 0.0f ? -d : d) - 0.9f;
    }
}

/* Small discs anywhere, then one bar across a part of the shape. */
static void put_clutter(struct dom_canvas *canvas, struct dom_field *field,
                        struct dom_point centre, float size, float shape,
                        float third, struct sy_rng *rng)
{
    dom_field_clear(field, SIDE);
    for (int i = 0; i < 2; i++) {
        struct dom_point at = dom_anywhere(rng, 0.0f, SIDE);
        dom_field_disc(field, at, dom_between(rng, 0.8f, 1.8f));
    }
    dom_canvas_paint(canvas, field, 0.0f, dom_grey(shape), 1.0f);

    float turns = sy_rng_uniform(rng);
    float off = size * dom_between(rng, 0.4f, 1.0f);
    float c = dom_cos(turns), s = dom_sin(turns);
    struct dom_point at = {centre.x + off * c, centre.y + off * s};
    struct dom_point from = {at.x - 30.0f * s, at.y + 30.0f * c};
    struct dom_point to = {at.x + 30.0f * s, at.y - 30.0f * c};
    dom_field_clear(field, SIDE);
    dom_field_segment(field, from, to);
    dom_canvas_paint(canvas, field, dom_between(rng, 0.3f, 0.9f),
                     dom_grey(third), 1.0f);
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_POLYGONS, image);
    struct dom_canvas canvas;
    struct dom_field field;

    float ground = dom_between(&rng, 0.1f, 0.9f);
    float step = dom_between(&rng, 0.4f, 0.7f);
    if (ground > 0.5f) {
        step = -step;
    }
    dom_canvas_fill(&canvas, SIDE, 1, dom_grey(ground));
    dom_canvas_clouds(&canvas, &rng, 0.1f, 4);

    float size = dom_between(&rng, 9.0f, 13.0f);
    struct dom_point centre = dom_anywhere(&rng, size + 1, SIDE - 1 - size);
    dom_field_clear(&field, SIDE);
    put_outline(&field, &outlines[label], size, centre, &rng);
    if (sy_rng_below(&rng, 4) == 0) {
        hollow(&field);
    }
    float shape = ground + step;
    dom_canvas_paint(&canvas, &field, 0.0f, dom_grey(shape), 1.0f);
    put_clutter(&canvas, &field, centre, size, shape,
                dom_between(&rng, 0.0f, 1.0f), &rng);

    dom_canvas_blur(&canvas, dom_between(&rng, 0.0f, 0.15f));
    dom_canvas_noise(&canvas, &rng, 0.04f);
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_polygons = {
    .name = "polygons",
    .summary = "eight filled or outlined shapes at any angle, partly hidden",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 1,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
