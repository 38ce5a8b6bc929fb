/*
 * order.c - which images make up a batch.
 *
 * DESIGN. There is no cursor: batch `step` is positions step * count and on
 * of an endless sequence of shuffled passes, pass e being the permutation of
 * the stream (seed, SHUFFLE, e, domain). The permutation of one pass is kept,
 * because steps usually follow each other, and made anew for another pass,
 * so any step can be asked for at any time and gives the same images.
 *
 * Balanced sampling has no passes: each slot has its own stream, from which
 * the class and then an image of it are drawn.
 */
#include "domains/batch/order.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

uint32_t dom_slot(uint32_t domain, int slot)
{
    return domain << 16 | (uint32_t)slot;
}

/* Sorts images by class; classes without an image are squeezed out. */
static enum sy_status group(struct dom_order *order, const int *labels,
                            struct sy_error *err)
{
    size_t images = (size_t)order->images;
    size_t classes = (size_t)order->classes;
    order->members = sy_alloc_zero(images, sizeof(order->members[0]));
    order->first = sy_alloc_zero(classes + 1, sizeof(order->first[0]));
    int *next = sy_alloc_zero(classes + 1, sizeof(next[0]));
    if (order->members == NULL || order->first == NULL || next == NULL) {
        sy_free(next);
        return sy_fail(err, SY_NO_MEMORY, "no memory for sampling");
    }
    for (size_t i = 0; i < images; i++) {
        next[labels[i] + 1]++;
    }
    for (size_t k = 0; k < classes; k++) {
        next[k + 1] += next[k];
    }
    int used = 0;
    for (size_t k = 0; k < classes; k++) {
        if (next[k + 1] > next[k]) {
            order->first[used++] = next[k];
        }
    }
    order->first[used] = order->images;
    order->classes = used;
    for (size_t i = 0; i < images; i++) {
        order->members[next[labels[i]]++] = (int)i;
    }
    sy_free(next);
    return SY_OK;
}

enum sy_status dom_order_init(struct dom_order *order, const int *labels,
                              int images, int classes, bool balanced,
                              uint64_t seed, uint32_t domain,
                              struct sy_error *err)
{
    SY_ASSERT(images > 0 && classes > 0 && domain < DOM_MAX_INDEX);
    struct dom_order made = {.seed = seed,
                             .domain = domain,
                             .balanced = balanced,
                             .images = images,
                             .classes = classes,
                             .epoch = -1};
    enum sy_status status = SY_OK;
    if (balanced) {
        SY_TRY_OUT(group(&made, labels, err));
    } else {
        made.shuffled = sy_alloc_zero((size_t)images, sizeof(uint32_t));
        if (made.shuffled == NULL) {
            status = sy_fail(err, SY_NO_MEMORY, "no memory for sampling");
            goto out;
        }
    }
    *order = made;
    return SY_OK;
out:
    dom_order_release(&made);
    return status;
}

void dom_order_release(struct dom_order *order)
{
    sy_free(order->shuffled);
    sy_free(order->members);
    sy_free(order->first);
    *order = (struct dom_order){0};
}

static int pick_balanced(const struct dom_order *order, int64_t step, int slot)
{
    struct sy_rng rng =
        sy_rng_stream(order->seed, SY_RNG_SHUFFLE, (uint64_t)step,
                      dom_slot(order->domain, slot));
    uint32_t class = sy_rng_below(&rng, (uint32_t)order->classes);
    int first = order->first[class];
    uint32_t count = (uint32_t)(order->first[class + 1] - first);
    return order->members[first + (int)sy_rng_below(&rng, count)];
}

void dom_order_pick(struct dom_order *order, int64_t step, int count,
                    int *picks)
{
    SY_ASSERT(step >= 0 && count > 0 && count <= DOM_MAX_BATCH);
    for (int slot = 0; slot < count; slot++) {
        if (order->balanced) {
            picks[slot] = pick_balanced(order, step, slot);
            continue;
        }
        int64_t at = step * count + slot;
        int64_t epoch = at / order->images;
        if (epoch != order->epoch) {
            struct sy_rng rng =
                sy_rng_stream(order->seed, SY_RNG_SHUFFLE, (uint64_t)epoch,
                              dom_slot(order->domain, 0));
            sy_rng_permutation(&rng, order->shuffled, (uint32_t)order->images);
            order->epoch = epoch;
        }
        picks[slot] = (int)order->shuffled[at % order->images];
    }
}
