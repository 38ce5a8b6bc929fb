/*
 * root_rows.h - the rows of features that a root gate is fitted and judged on.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_ROOT_ROWS_H
#define NAS_ROUTING_ROOT_ROWS_H

#include "domains/batch/batch.h"
#include "runtime/base/arena.h"
#include "search/routing/gate_look.h"

/* What the images come from; borrowed. */
struct nas_root_source {
    const struct sy_network *network;
    struct dom_loader *const *train;    /* of each domain */
    struct dom_loader *const *held_out; /* likewise, or NULL for it */
    uint64_t seed;
};

/*
 * Rows 0 .. n - 1 are for fitting: `each` of every domain in turn, then those
 * that are made up. Behind them are `held` rows to judge on: every tenth image
 * for training, on which nothing is fitted, and the images held out; at most
 * `each` of either for a domain.
 */
struct nas_root_rows {
    struct nas_root_source of;
    int each, inputs, n, held;
    float *features; /* [n + held][inputs] */
    int *domain;     /* of each row; domain_count: of none */
    double *weight;  /* of its loss: 1; to judge on, domains alike, mean 1 */

    struct nas_gate_look *look;
    uint8_t *source; /* [domain][SOURCE_IMAGES] images to make others of */
    uint8_t *pixels; /* of a batch */
    uint8_t *drawn;  /* one image as it is */
    float *images;
    int *labels;
};

/* Room, the rows to judge on, and those of pass 0. */
enum sy_status nas_root_rows_init(struct nas_root_rows *rows,
                                  const struct nas_root_source *of, int each,
                                  struct nas_gate_look *look,
                                  struct sy_arena *arena,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * Rows 0 .. n - 1 of another pass: images drawn anew, each moved by up to two
 * pixels each way and mirrored or not, and other made-up ones (outliers.h); of
 * all of them every fourth or so through a JPEG.
 */
enum sy_status nas_root_rows_draw(struct nas_root_rows *rows, int pass,
                                  struct sy_error *err) SY_MUST_USE;

#endif
