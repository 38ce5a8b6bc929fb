/*
 * generated.h - domains drawn by formulas, for the demo and the tests.
 *
 * At least six that look truly different and are not trivial: position,
 * scale, pose, contrast, clutter and noise vary so much that ridge regression
 * and 1-nearest-neighbour on pixels stay at or below 0.70, while a small
 * convolutional network reaches 0.90. Image i of a domain depends on (seed,
 * domain, part, i) alone; all arithmetic that reaches a pixel is such that
 * the same seed gives the same bits on every machine.
 */
#ifndef DOM_GENERATED_GENERATED_H
#define DOM_GENERATED_GENERATED_H

#include <stdint.h>

#include "runtime/base/status.h"

/* One generated domain: one file of this folder, one line of the table. */
struct dom_generator {
    const char *name;    /* folder name, for instance "glyphs" */
    const char *summary; /* what it shows, for `domains make --help` */
    int classes;
    int side;     /* pixels, square */
    int channels; /* 1 or 3 */
    int train, test;
    const char *const *class_names;

    /* Draws one image of class `label`; `pixels` is side*side*channels. */
    void (*draw)(uint64_t seed, uint32_t image, int label, uint8_t *pixels);
};

/* NULL-terminated. */
extern const struct dom_generator *const dom_generators[];

/* The generator of that name, or NULL. */
const struct dom_generator *dom_generator_find(const char *name);

/*
 * Writes DIR/NAME/ as gzip'd IDX files with labels.txt, atomically file by
 * file. What the files hold depends on the generator and the seed only; the
 * packed bytes also on the zlib that packs them.
 */
enum sy_status dom_generate(const struct dom_generator *generator,
                            const char *dir, uint64_t seed,
                            struct sy_error *err) SY_MUST_USE;

/*
 * Draws a sheet for people: one row for each of the `count` generators of
 * `list`, `per_row` images in a row with the classes taking turns, every
 * pixel doubled. They are the first images that dom_generate would number,
 * though of classes of their own. Written atomically as PNG.
 */
enum sy_status dom_contact_sheet(const struct dom_generator *const *list,
                                 int count, int per_row, uint64_t seed,
                                 const char *png_path,
                                 struct sy_error *err) SY_MUST_USE;

#endif
