/*
 * turns.h - one side of a comparison: a process that keeps a network in
 * memory and runs it when a driver says so, so that the driver can take turns
 * between us and the peers within one run.
 *
 * On stdin, one command a line; each is answered by one line on stdout:
 *   about                 words that the side chooses
 *   shape                 height, width and channels of an image
 *   peak                  GFLOP/s that one core reaches, in registers
 *   infer BATCH REPEATS   nanoseconds of one run, the mean over REPEATS
 *   train BATCH REPEATS   the same for a step: forward, backward, optimiser
 *   answer FILE BATCH     raw outputs for BATCH images of the file (float32,
 *                         H x W x C)
 *   loss FILE BATCH RATE  the loss of a step on them, labels 0, 1, ... 9, 0
 *
 * Images of `infer` belong to domains drawn at random, those of `answer` to
 * the domains in turn.
 */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include "runtime/backend/backend.h"

enum { BENCH_MAX_BATCH = 64 };

struct bench_side {
    const char *program; /* for messages */
    void *self;
    const struct sy_backend *backend; /* whose peak is measured */
    struct sy_shape input;
    int domains;
    void (*about)(void *self);
    /* `domain`: one for each image; `outputs`: batch x BENCH_CLASSES. */
    enum sy_status (*infer)(void *self, const float *images, const int *domain,
                            int batch, float *outputs, struct sy_error *err);
    /* NULL for a side that does not train. */
    enum sy_status (*train)(void *self, const float *images, int batch,
                            double rate, double *loss, struct sy_error *err);
};

/* Serves commands until the end of stdin; returns the exit status. */
int bench_take_turns(const struct bench_side *side);

#endif
