/*
 * lanes.h - the lanes of one batch and what they have computed; private to
 * the executor.
 *
 * A lane is one request on one path. At each stage (stem, layers, trunk,
 * head) it stands in a state: the result of one unit on one image. Lanes of
 * one request share a state as long as they have taken the same units.
 *
 * A lane that was opened for a gate ends where the gate reads, and has one
 * more state at the last stage, that of the gates.
 *
 * Thread: one at a time.
 */
#ifndef SY_EXECUTOR_LANES_H
#define SY_EXECUTOR_LANES_H

#include "runtime/base/arena.h"
#include "runtime/executor/executor.h"
#include "runtime/executor/ready.h"

struct sy_lane_state {
    int request;
    int unit;
    int slot;
    int parent;         /* state of the stage before (of a gate: of the stage
                           that it reads); -1 at the stem */
    bool computes;      /* false: the unit passes its input on */
    const float *input; /* the image; set by sy_lanes_place after the stem */
    /* Set by sy_lanes_place: where it computes to, and its result, which is
       the input where it was passed on. */
    float *buffer;
    const float *output;
    int64_t ns; /* spent on it, where profiling is on */
};

struct sy_lane_stage {
    int first_unit; /* units that can stand here follow each other */
    int unit_count;
    int capacity;
    int count; /* states opened */
    int done;  /* states computed; those after it wait */
    struct sy_lane_state *state;
};

struct sy_lanes {
    const struct sy_snapshot *snapshot;
    const struct sy_network *network;
    int max_requests;
    int stage_count;
    int head_stage; /* lanes of experts end here; gates come behind it */
    int slots;      /* lanes that a request can have */
    struct sy_lane_stage *stage;
    int *at;   /* [(request * slots + lane) * stage_count + stage]; -1: none */
    int *open; /* lanes of each request */
    struct sy_arena memory;  /* the arrays above and all states */
    struct sy_arena buffers; /* outputs of the states; reset by each batch */
    size_t buffer_bytes;     /* that the fullest batch takes of them */
};

/* Takes all memory that batches of up to max_requests can need. */
enum sy_status sy_lanes_init(struct sy_lanes *lanes,
                             const struct sy_snapshot *snapshot,
                             int max_requests,
                             struct sy_error *err) SY_MUST_USE;
void sy_lanes_release(struct sy_lanes *lanes);

/* Writes to the buffers of the fullest batch; nothing may have run. */
void sy_lanes_warm(struct sy_lanes *lanes);

/* Forgets the batch before. */
void sy_lanes_begin(struct sy_lanes *lanes);

/*
 * Opens the next lane of the request, whose image is borrowed until the next
 * batch, and returns the lane's number. It shares the states of the request's
 * other lanes as far as the paths agree, computed or not; from there on it
 * has states of its own, which wait. So a lane may be opened after others
 * have run, and starts where it parts from them.
 *
 * `beside` is another request of the batch on the same image, whose states are
 * shared as well, or -1. The other one never looks here: what it computes and
 * is charged with is as if it were alone.
 */
int sy_lanes_open(struct sy_lanes *lanes, int request, int beside,
                  const float *image, int domain, const struct sy_path *path);

/*
 * The same for a gate: the lane goes as far as the gate reads, and then
 * through the gate.
 */
int sy_lanes_open_gate(struct sy_lanes *lanes, int request, int beside,
                       const float *image, int gate);

/*
 * Gives the states of the stage that wait their input, and their output its
 * place, after all stages before have been placed. order[0 .. count) are those
 * that compute, sorted by unit; outputs of one unit lie one behind the other
 * in that order.
 */
void sy_lanes_place(struct sy_lanes *lanes, int stage, const int *order,
                    int count);

/* The place in the batch of the one that request number `index` is beside. */
static inline int sy_lanes_beside(const struct sy_request *request, int index)
{
    return request->beside != NULL ? index - (int)(request - request->beside)
                                   : -1;
}

/* Nanoseconds spent on the states of the request's lanes, each once. */
int64_t sy_lanes_ns(const struct sy_lanes *lanes, int request);

/* The state in which the lane stands at the stage, which it must reach. */
const struct sy_lane_state *sy_lanes_state(const struct sy_lanes *lanes,
                                           int request, int lane, int stage);

/* What the lane leaves behind: the raw outputs of a head, or a gate's scores.
 */
const float *sy_lanes_outputs(const struct sy_lanes *lanes, int request,
                              int lane, bool gate);

#endif
