/*
 * study.h - the history of a job, for people and plots: an SQLite file that
 * others can read while the job writes. docs/study.md has its schema.
 *
 * The history is never needed to go on: the checkpoint alone is. So nothing
 * here fails a job. A store that cannot be opened or written is warned about
 * once, and the job goes on without it; a damaged one is moved aside and a
 * fresh one begun. NULL for a store is legal everywhere and does nothing.
 *
 * Rows are written in one transaction for some seconds of them. Call
 * nas_study_flush before each checkpoint is saved: then a job that was killed
 * and resumed finds all rows up to its checkpoint, and nas_study_begin
 * removes those after it, which are about to be written again.
 *
 * Thread: one at a time. One process writes a file; any may read.
 */
#ifndef NAS_STUDY_H
#define NAS_STUDY_H

#include <stdint.h>

#include "runtime/network/path.h"

struct nas_study;

/* The name of the file in a job's folder. */
#define NAS_STUDY_FILE "study.sqlite"

/* What a run is; all texts are copied. */
struct nas_study_run {
    const char *label;    /* in its file: "search", "train/mpnas/1" */
    const char *identity; /* hash of all that makes it the same run */
    const char *config;   /* JSON, or NULL */
    int64_t seed;
    int64_t steps; /* of the whole run */
    int domain_count;
    const char (*domain)[SY_NAME_BYTES];
    const double *target; /* of the cost, by domain, or NULL */
};

/* One domain in one step. What a job does not have is NaN: start from
   nas_study_nothing. */
struct nas_study_step {
    double loss;
    double accuracy; /* of the training batch */
    double weight;   /* of the domain's loss */
    double reward;   /* mean over the step's samples */
    double baseline;
    double entropy; /* of the controller, nats */
    double cost;    /* expected, of the controller */
};

extern const struct nas_study_step nas_study_nothing;

/* One path that was drawn and scored. */
struct nas_study_sample {
    const struct sy_path *path;
    double accuracy; /* on held-out images */
    double cost;
    double reward;
};

/* A score that stands for itself. NaN and NULL for what is not known. */
struct nas_study_evaluation {
    const char *kind; /* "supernet", "alone", "valid", "test" */
    const struct sy_path *path;
    double top1;
    double nll;
    double madds;
    double params;
};

/* Opens or makes the file; NULL after a warning. */
struct nas_study *nas_study_open(const char *path);

/*
 * Begins or goes on with a run at step `first_step`: rows of the same label
 * and identity from that step on are removed. At step 0 it is a new run.
 */
void nas_study_begin(struct nas_study *study, const struct nas_study_run *run,
                     int64_t first_step);

void nas_study_add_step(struct nas_study *study, int64_t step, int domain,
                        const struct nas_study_step *numbers);

/* `index` tells the samples of one domain and step apart. */
void nas_study_add_sample(struct nas_study *study, int64_t step, int domain,
                          int index, const struct nas_study_sample *sample);

void nas_study_add_evaluation(struct nas_study *study, int64_t step, int domain,
                              const struct nas_study_evaluation *evaluation);

/* Makes all rows so far visible to others. */
void nas_study_flush(struct nas_study *study);

void nas_study_close(struct nas_study *study);

#endif
