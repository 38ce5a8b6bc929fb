/*
 * order.h - which images make up a batch: a pure function of (seed, domain
 * index, step).
 */
#ifndef DOM_BATCH_ORDER_H
#define DOM_BATCH_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum {
    DOM_MAX_BATCH = 1 << 16, /* images; a slot has 16 bits in a stream's name */
    DOM_MAX_INDEX = 1 << 16  /* domains of a run */
};

/* Private fields; start it with {0}. */
struct dom_order {
    uint64_t seed;
    uint32_t domain;
    bool balanced;
    int images, classes;
    uint32_t *shuffled; /* the permutation of `epoch`, where not balanced */
    int64_t epoch;
    int *members; /* images sorted by class, where balanced */
    int *first;   /* of each class in members, and the end */
};

/*
 * Prepares sampling over `images` > 0 images with labels in [0, classes);
 * where balanced, classes without an image are never drawn.
 */
enum sy_status dom_order_init(struct dom_order *order, const int *labels,
                              int images, int classes, bool balanced,
                              uint64_t seed, uint32_t domain,
                              struct sy_error *err) SY_MUST_USE;
void dom_order_release(struct dom_order *order);

/* The images of batch `step` of `count`, in order. Thread: one at a time. */
void dom_order_pick(struct dom_order *order, int64_t step, int count,
                    int *picks);

/* The stream index of a slot of a batch: the domain above, the slot below. */
uint32_t dom_slot(uint32_t domain, int slot);

#endif
