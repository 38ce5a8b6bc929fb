/*
 * canvas.h - the drawing kit of the generated domains. Private to the folder.
 *
 * Two ideas. A *field* holds for every pixel the signed distance to the
 * nearest edge of the shapes put into it (negative inside); a *canvas* holds
 * colours from 0 to 1. Painting turns a field's distances into coverage, so
 * every edge is anti-aliased, an outline is a field painted with a width, and
 * strokes that meet never show a seam.
 *
 * Pixel (x, y) has its centre at (x + 0.5, y + 0.5); x goes right, y down.
 * Angles are in turns (1 = full circle), so that reducing them is exact.
 *
 * C leaves open in which order the arguments of a call and the values of an
 * initialiser are computed: at most one of them may draw a random number, or
 * two compilers would draw two different pictures.
 *
 * Thread: any; nothing is shared and nothing is allocated.
 */
#ifndef DOM_GENERATED_CANVAS_H
#define DOM_GENERATED_CANVAS_H

#include <stdint.h>

#include "runtime/base/rng.h"

enum {
    DOM_CANVAS_MAX_SIDE = 32,
    DOM_CANVAS_PIXELS = DOM_CANVAS_MAX_SIDE * DOM_CANVAS_MAX_SIDE
};

/* Picks the stream of a domain. Append only: the value reaches the pixels. */
enum dom_stream {
    DOM_STREAM_LABELS = 0,
    DOM_STREAM_GLYPHS = 1,
    DOM_STREAM_POLYGONS = 2,
    DOM_STREAM_TEXTURES = 3,
    DOM_STREAM_BLOBS = 4,
    DOM_STREAM_COLOURS = 5,
    DOM_STREAM_BARCODES = 6,
    DOM_STREAM_CURVES = 7
};

struct dom_point {
    float x, y;
};

/* A canvas without a third colour uses the first of the three. */
struct dom_ink {
    float level[3];
};

/* Channel last. */
struct dom_canvas {
    int side, channels;
    float value[DOM_CANVAS_PIXELS * 3];
};

struct dom_field {
    int side;
    float distance[DOM_CANVAS_PIXELS];
};

/* p -> (a b; c d) p + (x, y). */
struct dom_affine {
    float a, b, c, d, x, y;
};

/* Sine and cosine of an angle in turns, |turns| < 2^20, error below 1e-5. */
float dom_sin(float turns);
float dom_cos(float turns);

/* Uniform in [low, high). */
float dom_between(struct sy_rng *rng, float low, float high);

/* A point whose x and y are each uniform in [low, high). */
struct dom_point dom_anywhere(struct sy_rng *rng, float low, float high);

/* Bell-shaped, mean 0, variance 1, within 3.5: a sum of four uniform bytes. */
float dom_bell(struct sy_rng *rng);

/* Sheared and scaled in the shape's own axes, then turned, then moved. */
struct dom_pose {
    float turns, scale_x, scale_y, shear;
    struct dom_point centre;
};

struct dom_affine dom_affine_make(const struct dom_pose *pose);
struct dom_point dom_affine_apply(const struct dom_affine *map,
                                  struct dom_point p);

struct dom_ink dom_grey(float level);

/* One colour over all. */
void dom_canvas_fill(struct dom_canvas *canvas, int side, int channels,
                     struct dom_ink ink);

/* Adds smooth random light and shade of about +-amount, `cells` a side. */
void dom_canvas_clouds(struct dom_canvas *canvas, struct sy_rng *rng,
                       float amount, int cells);

/* Adds independent noise of that standard deviation to every value. */
void dom_canvas_noise(struct dom_canvas *canvas, struct sy_rng *rng,
                      float deviation);

/* One pass of (s, 1 - 2s, s) in both directions, 0 <= s <= 1/3. */
void dom_canvas_blur(struct dom_canvas *canvas, float s);

/*
 * Lays `ink` over every pixel whose distance is below `grow`, with an edge
 * one pixel wide; `opacity` 1 covers fully.
 */
void dom_canvas_paint(struct dom_canvas *canvas, const struct dom_field *field,
                      float grow, struct dom_ink ink, float opacity);

/* Clamps to 0..1 and rounds to bytes. */
void dom_canvas_bytes(const struct dom_canvas *canvas, uint8_t *pixels);

/* No shape: every distance is far. */
void dom_field_clear(struct dom_field *field, int side);

/* Joins a line, a closed polygon (3 to 16 corners) or a disc. */
void dom_field_segment(struct dom_field *field, struct dom_point from,
                       struct dom_point to);
void dom_field_polygon(struct dom_field *field, const struct dom_point *corner,
                       int corners);
void dom_field_disc(struct dom_field *field, struct dom_point centre,
                    float radius);

#endif
