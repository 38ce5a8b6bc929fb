/*
 * blobs.c - counting: one to eight discs that never touch.
 *
 * Sizes, places and brightness differ from disc to disc, and few large discs
 * may cover as much as many small ones, so the amount of light does not give
 * the number away; the discs have to be seen one by one.
 */
#include "domains/generated/canvas.h"
#include "domains/generated/members.h"

enum { SIDE = 32, CLASSES = 8, TRIES = 200 };

static const char *const names[CLASSES] = {"one",  "two", "three", "four",
                                           "five", "six", "seven", "eight"};

struct disc {
    struct dom_point centre;
    float radius;
};

/* Whether a disc keeps a clear gap from all that stand. */
static int fits(const struct disc *disc, int count, struct disc with)
{
    for (int i = 0; i < count; i++) {
        float dx = disc[i].centre.x - with.centre.x;
        float dy = disc[i].centre.y - with.centre.y;
        float gap = disc[i].radius + with.radius + 2.2f;
        if (dx * dx + dy * dy < gap * gap) {
            return 0;
        }
    }
    return 1;
}

/*
 * Places `wanted` discs, the largest allowed radius shrinking with every
 * failed try. Large discs may fill the square before the last one is placed;
 * then all are taken up and small ones placed instead. Of those there is
 * always room for one more: seven keep its centre out of 7 pi 5.8^2 = 740
 * square pixels at most, and it has 28.4^2 = 806.
 */
static void place(struct disc *disc, int wanted, struct sy_rng *rng)
{
    const float smallest = 1.6f, small = 1.8f;
    float most = dom_between(rng, 2.2f, 4.2f);
    int count = 0, failures = 0;
    while (count < wanted) {
        struct disc with;
        with.radius = dom_between(rng, smallest, most);
        with.centre = dom_anywhere(rng, with.radius, SIDE - with.radius);
        if (fits(disc, count, with)) {
            disc[count++] = with;
        } else if (++failures == TRIES) {
            count = 0;
            most = small;
        } else if (most > small) {
            most *= 0.97f;
        }
    }
}

static void draw(uint64_t seed, uint32_t image, int label, uint8_t *pixels)
{
    struct sy_rng rng =
        sy_rng_stream(seed, SY_RNG_GENERATE, DOM_STREAM_BLOBS, image);
    struct dom_canvas canvas;
    struct dom_field field;
    struct disc disc[CLASSES];

    float ground = dom_between(&rng, 0.05f, 0.45f);
    dom_canvas_fill(&canvas, SIDE, 1, dom_grey(ground));
    dom_canvas_clouds(&canvas, &rng, 0.1f, 3);
    place(disc, label + 1, &rng);
    for (int i = 0; i <= label; i++) {
        dom_field_clear(&field, SIDE);
        dom_field_disc(&field, disc[i].centre, disc[i].radius);
        float level = ground + dom_between(&rng, 0.4f, 0.55f);
        dom_canvas_paint(&canvas, &field, 0.0f, dom_grey(level), 1.0f);
    }
    dom_canvas_noise(&canvas, &rng, 0.03f);
    if (sy_rng_below(&rng, 2) == 1) {
        for (int i = 0; i < SIDE * SIDE; i++) {
            canvas.value[i] = 1.0f - canvas.value[i];
        }
    }
    dom_canvas_bytes(&canvas, pixels);
}

const struct dom_generator dom_blobs = {
    .name = "blobs",
    .summary = "counting one to eight discs of any size",
    .classes = CLASSES,
    .side = SIDE,
    .channels = 1,
    .train = 4000,
    .test = 1000,
    .class_names = names,
    .draw = draw,
};
