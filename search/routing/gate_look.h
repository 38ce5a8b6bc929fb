/*
 * gate_look.h - what a gate sees of images: features, through the executor.
 *
 * Thread: one at a time.
 */
#ifndef NAS_ROUTING_GATE_LOOK_H
#define NAS_ROUTING_GATE_LOOK_H

#include "runtime/executor/executor.h"

enum { NAS_LOOK_BATCH = 32 };

/* Where the features are taken. */
struct nas_gate_look {
    struct sy_executor *executor; /* takes NAS_LOOK_BATCH requests; borrowed */
    int expert;                   /* of the network, along whose path */
    int layers;                   /* behind so many of them */
    int cells;                    /* of a side */
    bool textures;                /* differences too */
    float *tap;                   /* owned: maps of a batch */
};

enum sy_status nas_gate_look_init(struct nas_gate_look *look,
                                  struct sy_executor *executor, int expert,
                                  int layers, int cells, bool textures,
                                  struct sy_error *err) SY_MUST_USE;
void nas_gate_look_release(struct nas_gate_look *look);

/* Features of an image. */
int nas_gate_look_inputs(const struct nas_gate_look *look);

/* Features of `count` (at most NAS_LOOK_BATCH) normalised images, row by row.
 */
void nas_gate_look_at(struct nas_gate_look *look, const float *images,
                      int count, float *features);

#endif
