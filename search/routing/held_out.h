/*
 * held_out.h - what the experts of a domain say to images that were held out.
 *
 * Temperatures, thresholds and gates are fitted on these outputs: every expert
 * answers every image once, and the fitting itself is arithmetic on arrays.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_HELD_OUT_H
#define NAS_ROUTING_HELD_OUT_H

#include "domains/batch/batch.h"
#include "runtime/base/arena.h"
#include "runtime/executor/executor.h"

enum { NAS_HELD_OUT_BATCH = 32 };

struct nas_held_out {
    int n; /* images */
    int classes;
    int expert_count;
    int *expert;    /* indices into the network's experts, in their order */
    int *labels;    /* by image */
    float *outputs; /* raw, [expert][image][class] */
    struct sy_arena arena;
};

/*
 * Runs all experts of the domain on everything that `loader` holds. The
 * executor must take NAS_HELD_OUT_BATCH requests. On success the caller owns
 * the arrays: nas_held_out_release.
 */
enum sy_status nas_held_out_collect(struct nas_held_out *held,
                                    struct sy_executor *executor, int domain,
                                    struct dom_loader *loader,
                                    struct sy_error *err) SY_MUST_USE;
void nas_held_out_release(struct nas_held_out *held);

/* Leaves only the experts for which keep[number in the list] is true. */
void nas_held_out_keep(struct nas_held_out *held, const bool *keep);

/* The outputs of expert number `i` of the list, image after image. */
const float *nas_held_out_outputs(const struct nas_held_out *held, int i);

#endif
