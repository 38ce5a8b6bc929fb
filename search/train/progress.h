/*
 * progress.h - what a long job tells the person who waits for it, on stderr:
 * one line that is rewritten on a terminal, plain lines every ten seconds
 * elsewhere.
 *
 * Thread: one at a time.
 */
#ifndef NAS_TRAIN_PROGRESS_H
#define NAS_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { NAS_PROGRESS_DOMAINS = 64, NAS_PROGRESS_NOTE_BYTES = 64 };

struct nas_progress {
    bool quiet;
    bool terminal;
    int64_t started_ns, shown_ns;
    int64_t first_step; /* of this process */
    int64_t steps;
    int64_t images; /* since the start of this process */
    int domains;
    const char *name[NAS_PROGRESS_DOMAINS];
    double loss[NAS_PROGRESS_DOMAINS];     /* running means */
    double accuracy[NAS_PROGRESS_DOMAINS]; /* on training batches */
    char note[NAS_PROGRESS_DOMAINS][NAS_PROGRESS_NOTE_BYTES];
    bool seen;
};

/* Steps first_step..steps are to be done; `quiet` shows nothing. */
void nas_progress_begin(struct nas_progress *progress, int64_t first_step,
                        int64_t steps, bool quiet);

/* Takes in one domain's loss and share of right answers of a step. */
void nas_progress_domain(struct nas_progress *progress, int domain, double loss,
                         double accuracy);

/* What to show of a domain in place of loss and accuracy, from now on. */
void nas_progress_note(struct nas_progress *progress, int domain,
                       const char *format, ...) SY_PRINTF(3, 4);

/* After step number `step`; shows a line when it is time. */
void nas_progress_step(struct nas_progress *progress, int64_t step, int images);

/* Ends the line on a terminal. */
void nas_progress_end(struct nas_progress *progress);

#endif
