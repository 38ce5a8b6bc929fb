/*
 * ready.h - what a snapshot has made ready for the executor; private to this
 * folder and its tests.
 *
 * A ready unit is a plan in the form in which it runs: fused steps with their
 * kernel chosen and their weights packed, a place in the worker's memory for
 * every value in between, and the folded norms of each slot.
 *
 * Thread: any; nothing here changes after sy_snapshot_new.
 */
#ifndef SY_EXECUTOR_READY_H
#define SY_EXECUTOR_READY_H

#include "runtime/executor/snapshot.h"

/* A norm as one multiply-add: y = scale * x + bias, `channels` floats each. */
struct sy_folded_norm {
    const float *scale; /* NULL: this slot has no such norm */
    const float *bias;
};

struct sy_ready_step {
    struct sy_node node; /* fused: out and act are those of the whole */
    struct sy_shape in, out;
    int residual; /* value added at the end, or -1 */
    sy_infer_fn infer;
    sy_pair_fn pair; /* in place of `infer`: together with `then` */
    const struct sy_ready_step *then;
    const void *packed; /* NULL where the operator has no weight */
    bool half;          /* packed holds numbers of half the width */
    const char *behind; /* packed weights of later steps begin here */
    const float *bias;  /* dense: in the network's values */
};

struct sy_ready_unit {
    int step_count; /* 0: passes its input on and is not computed */
    const struct sy_ready_step *step;
    const struct sy_shape *value; /* by value index; 0 is the input */
    int output;                   /* value index */
    size_t output_floats;
    /*
     * Where a value lies in the worker's memory, in floats, by value index;
     * `count` images take `count` times the room at `count` times the place.
     * The input is the parents' buffers and the output the states' own, and
     * what lies inside a pair is nowhere: they hold SY_ABSENT.
     */
    const size_t *at;
    size_t value_floats;   /* memory of all values in between, one image */
    size_t scratch_floats; /* most that a kernel of this unit asks for */
    /* Packed weights of all steps, in their order: what a run reads. */
    const char *weights, *weights_end;
    int tile; /* images that a task of this unit takes, at most */
    int64_t madds;
    int norm_count;
    const struct sy_folded_norm *norm; /* [slot * norm_count + norm] */
};

const struct sy_ready_unit *sy_snapshot_unit(const struct sy_snapshot *snapshot,
                                             int unit);

/*
 * Gives every value but input and output its place, so that two values that
 * are needed at the same time never overlap. `at` has plan->value_count
 * entries. Returns the floats needed in all.
 */
size_t sy_place_values(const struct sy_plan *plan,
                       const struct sy_infer_plan *fused, size_t *at);

#endif
