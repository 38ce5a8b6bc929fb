/*
 * canvas.c - shapes by signed distance, and the same bits everywhere.
 *
 * DESIGN. The pixels of a seed are a promise, so only operations that IEEE
 * 754 rounds exactly are used: + - * / and sqrt on float, conversions, and
 * comparisons. No function of libm whose last bit is left to the vendor
 * (sin, exp, pow) may be called here or in the domains; the build switches
 * off contraction into fused multiply-add. sy_rng_normal takes logarithms
 * and is therefore not used either: noise is a sum of four uniform bytes.
 *
 * A shape only visits the pixels within REACH of it, so that a curve of a
 * hundred segments costs little more than its own pixels.
 */
#include "domains/generated/canvas.h"

#include <math.h>

#include "runtime/base/status.h"

/* Beyond this many pixels a distance is only known to be far. */
static const float reach = 5.0f;
static const float far = 1.0e4f;

enum { MAX_CELLS = 8, MAX_CORNERS = 16 };

static float clampf(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

float dom_sin(float turns)
{
    int whole = (int)turns;
    float t = turns - (float)whole;
    if (t < 0.0f) {
        t += 1.0f;
    }
    if (t > 0.75f) {
        t -= 1.0f;
    } else if (t > 0.25f) {
        t = 0.5f - t;
    }
    /* Taylor's series in 2 pi t, which is at most pi / 2. */
    float z = t * 6.28318531f, q = z * z;
    float p = q * (1.0f / 362880.0f) - 1.0f / 5040.0f;
    p = q * p + 1.0f / 120.0f;
    p = q * p - 1.0f / 6.0f;
    return z + z * q * p;
}

float dom_cos(float turns)
{
    return dom_sin(turns + 0.25f);
}

float dom_between(struct sy_rng *rng, float low, float high)
{
    return low + (high - low) * sy_rng_uniform(rng);
}

struct dom_point dom_anywhere(struct sy_rng *rng, float low, float high)
{
    struct dom_point p;
    p.x = dom_between(rng, low, high);
    p.y = dom_between(rng, low, high);
    return p;
}

float dom_bell(struct sy_rng *rng)
{
    uint32_t bits = sy_rng_u32(rng);
    int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) +
              (int)(bits >> 16 & 255) + (int)(bits >> 24);
    /* Four uniform bytes have the variance 4 (256^2 - 1) / 12 = 147.8^2. */
    return (float)(sum - 510) * (1.0f / 147.8f);
}

struct dom_affine dom_affine_make(const struct dom_pose *pose)
{
    float c = dom_cos(pose->turns), s = dom_sin(pose->turns);
    struct dom_affine map = {
        .a = c * pose->scale_x,
        .b = c * pose->scale_x * pose->shear - s * pose->scale_y,
        .c = s * pose->scale_x,
        .d = s * pose->scale_x * pose->shear + c * pose->scale_y,
        .x = pose->centre.x,
        .y = pose->centre.y,
    };
    return map;
}

struct dom_point dom_affine_apply(const struct dom_affine *map,
                                  struct dom_point p)
{
    struct dom_point out = {
        .x = map->a * p.x + map->b * p.y + map->x,
        .y = map->c * p.x + map->d * p.y + map->y,
    };
    return out;
}

struct dom_ink dom_grey(float level)
{
    return (struct dom_ink){{level, level, level}};
}

void dom_canvas_fill(struct dom_canvas *canvas, int side, int channels,
                     struct dom_ink ink)
{
    SY_ASSERT(side > 0 && side <= DOM_CANVAS_MAX_SIDE);
    SY_ASSERT(channels == 1 || channels == 3);
    canvas->side = side;
    canvas->channels = channels;
    for (int i = 0; i < side * side; i++) {
        for (int c = 0; c < channels; c++) {
            canvas->value[i * channels + c] = ink.level[c];
        }
    }
}

void dom_canvas_clouds(struct dom_canvas *canvas, struct sy_rng *rng,
                       float amount, int cells)
{
    SY_ASSERT(cells > 0 && cells <= MAX_CELLS);
    float knot[MAX_CELLS + 1][MAX_CELLS + 1];
    for (int y = 0; y <= cells; y++) {
        for (int x = 0; x <= cells; x++) {
            knot[y][x] = amount * dom_between(rng, -1.0f, 1.0f);
        }
    }
    int side = canvas->side, channels = canvas->channels;
    float *value = canvas->value;
    for (int y = 0; y < side; y++) {
        float v = ((float)y + 0.5f) * (float)cells / (float)side;
        int j = (int)v;
        v -= (float)j;
        v = v * v * (3.0f - 2.0f * v);
        for (int x = 0; x < side; x++) {
            float u = ((float)x + 0.5f) * (float)cells / (float)side;
            int i = (int)u;
            u -= (float)i;
            u = u * u * (3.0f - 2.0f * u);
            float top = knot[j][i] + u * (knot[j][i + 1] - knot[j][i]);
            float low =
                knot[j + 1][i] + u * (knot[j + 1][i + 1] - knot[j + 1][i]);
            float shade = top + v * (low - top);
            for (int c = 0; c < channels; c++) {
                *value++ += shade;
            }
        }
    }
}

void dom_canvas_noise(struct dom_canvas *canvas, struct sy_rng *rng,
                      float deviation)
{
    int count = canvas->side * canvas->side * canvas->channels;
    for (int i = 0; i < count; i++) {
        canvas->value[i] += deviation * dom_bell(rng);
    }
}

/* Blurs `count` values that lie `stride` apart; the ends repeat. */
static void blur_line(float *value, int count, int stride, float s)
{
    float before = value[0];
    for (int i = 0; i < count; i++) {
        float here = value[i * stride];
        float after = i + 1 < count ? value[(i + 1) * stride] : here;
        value[i * stride] = here + s * (before + after - 2.0f * here);
        before = here;
    }
}

void dom_canvas_blur(struct dom_canvas *canvas, float s)
{
    int side = canvas->side, channels = canvas->channels;
    for (int i = 0; i < side; i++) {
        for (int c = 0; c < channels; c++) {
            blur_line(canvas->value + i * side * channels + c, side, channels,
                      s);
        }
    }
    for (int i = 0; i < side * channels; i++) {
        blur_line(canvas->value + i, side, side * channels, s);
    }
}

void dom_canvas_paint(struct dom_canvas *canvas, const struct dom_field *field,
                      float grow, struct dom_ink ink, float opacity)
{
    SY_ASSERT(canvas->side == field->side);
    int channels = canvas->channels;
    for (int i = 0; i < canvas->side * canvas->side; i++) {
        float cover = clampf(grow - field->distance[i] + 0.5f, 0.0f, 1.0f);
        if (cover > 0.0f) {
            for (int c = 0; c < channels; c++) {
                float *value = &canvas->value[i * channels + c];
                *value += cover * opacity * (ink.level[c] - *value);
            }
        }
    }
}

void dom_canvas_bytes(const struct dom_canvas *canvas, uint8_t *pixels)
{
    int count = canvas->side * canvas->side * canvas->channels;
    for (int i = 0; i < count; i++) {
        float level = clampf(canvas->value[i], 0.0f, 1.0f);
        pixels[i] = (uint8_t)(level * 255.0f + 0.5f);
    }
}

void dom_field_clear(struct dom_field *field, int side)
{
    SY_ASSERT(side > 0 && side <= DOM_CANVAS_MAX_SIDE);
    field->side = side;
    for (int i = 0; i < side * side; i++) {
        field->distance[i] = far;
    }
}

/* The pixels within reach of low..high, as a half-open range. */
static void pixel_range(int side, float low, float high, int *first, int *end)
{
    *first = (int)clampf(low - reach, 0.0f, (float)side);
    *end = (int)clampf(high + reach + 1.0f, 0.0f, (float)side);
}

static void put(struct dom_field *field, int x, int y, float distance)
{
    float *at = &field->distance[y * field->side + x];
    if (distance < *at) {
        *at = distance;
    }
}

/* Squared distance of (x, y) from the segment a + t (dx, dy), 0 <= t <= 1. */
static float segment_square(float x, float y, struct dom_point a, float dx,
                            float dy, float over_length)
{
    float px = x - a.x, py = y - a.y;
    float t = clampf((px * dx + py * dy) * over_length, 0.0f, 1.0f);
    px -= t * dx;
    py -= t * dy;
    return px * px + py * py;
}

/* One over the squared length; 0 for a point, where t is then always 0. */
static float over_square(float dx, float dy)
{
    float square = dx * dx + dy * dy;
    return square > 1.0e-12f ? 1.0f / square : 0.0f;
}

void dom_field_segment(struct dom_field *field, struct dom_point from,
                       struct dom_point to)
{
    float dx = to.x - from.x, dy = to.y - from.y;
    float over = over_square(dx, dy);
    int x0, x1, y0, y1;
    pixel_range(field->side, from.x < to.x ? from.x : to.x,
                from.x < to.x ? to.x : from.x, &x0, &x1);
    pixel_range(field->side, from.y < to.y ? from.y : to.y,
                from.y < to.y ? to.y : from.y, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            put(field, x, y,
                sqrtf(segment_square((float)x + 0.5f, (float)y + 0.5f, from, dx,
                                     dy, over)));
        }
    }
}

/* Signed distance of (x, y): even-odd rule for the sign. */
static float polygon_distance(float x, float y, const struct dom_point *corner,
                              int corners)
{
    float nearest = far * far;
    int inside = 0;
    for (int i = 0; i < corners; i++) {
        struct dom_point a = corner[i], b = corner[(i + 1) % corners];
        float dx = b.x - a.x, dy = b.y - a.y;
        float square = segment_square(x, y, a, dx, dy, over_square(dx, dy));
        nearest = square < nearest ? square : nearest;
        if ((a.y > y) != (b.y > y) && x < a.x + dx * (y - a.y) / dy) {
            inside = !inside;
        }
    }
    float distance = sqrtf(nearest);
    return inside ? -distance : distance;
}

void dom_field_polygon(struct dom_field *field, const struct dom_point *corner,
                       int corners)
{
    SY_ASSERT(corners >= 3 && corners <= MAX_CORNERS);
    struct dom_point low = corner[0], high = corner[0];
    for (int i = 1; i < corners; i++) {
        low.x = corner[i].x < low.x ? corner[i].x : low.x;
        low.y = corner[i].y < low.y ? corner[i].y : low.y;
        high.x = corner[i].x > high.x ? corner[i].x : high.x;
        high.y = corner[i].y > high.y ? corner[i].y : high.y;
    }
    int x0, x1, y0, y1;
    pixel_range(field->side, low.x, high.x, &x0, &x1);
    pixel_range(field->side, low.y, high.y, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            put(field, x, y,
                polygon_distance((float)x + 0.5f, (float)y + 0.5f, corner,
                                 corners));
        }
    }
}

void dom_field_disc(struct dom_field *field, struct dom_point centre,
                    float radius)
{
    int x0, x1, y0, y1;
    pixel_range(field->side, centre.x - radius, centre.x + radius, &x0, &x1);
    pixel_range(field->side, centre.y - radius, centre.y + radius, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            float dx = (float)x + 0.5f - centre.x;
            float dy = (float)y + 0.5f - centre.y;
            put(field, x, y, sqrtf(dx * dx + dy * dy) - radius);
        }
    }
}
