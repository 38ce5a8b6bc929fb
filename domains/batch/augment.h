/*
 * augment.h - one random change of one picture, drawn and then applied.
 */
#ifndef DOM_BATCH_AUGMENT_H
#define DOM_BATCH_AUGMENT_H

#include <stdint.h>

#include "domains/batch/batch.h"
#include "runtime/base/rng.h"

/* What happens to a picture. The cut is rows top..bottom-1, columns
 * left..right-1, empty where top == bottom. */
struct dom_change {
    int down, right_by; /* shift in pixels, negative: up, left */
    bool mirror;
    int top, bottom, left, right;
};

/*
 * Draws a change for pictures of height x width. The same numbers are taken
 * from `rng` whatever is switched on, so that switching one thing on does not
 * change the others.
 */
struct dom_change dom_change_draw(const struct dom_augment *augment, int height,
                                  int width, struct sy_rng *rng);

/*
 * Normalises height * width * 3 bytes into floats with the change applied:
 * out(y, x) = in(y - down, x' - right_by), x' = mirrored x; pixels from
 * outside and inside the cut are 0.
 */
void dom_change_apply(const struct dom_change *change, const uint8_t *pixels,
                      int height, int width, float *out);

#endif
