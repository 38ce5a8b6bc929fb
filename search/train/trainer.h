/*
 * trainer.h - stage two: trains a network with given paths on its domains.
 *
 * One step takes a batch of every domain, pushes each along its experts'
 * paths (runtime/tape), weighs the domains' losses, and lets the optimiser
 * move what was used. The result is the average of the weights when `ema` is
 * on, with norm statistics likewise averaged, and every expert's temperature
 * and its route fitted on the domain's held-out images.
 *
 * With `balance_domains` each domain has `batch` images a step, otherwise
 * batch * domains are dealt in proportion to the domains' numbers of images,
 * at least 2 each. The number of steps is epochs * images / (images of a
 * step), rounded up.
 *
 * State is written to MODEL/.train/checkpoint.safetensors on a schedule and
 * when *stop becomes non-zero; a resumed run goes on to the same bits, and
 * the number of threads never matters.
 *
 * Thread: init.
 */
#ifndef NAS_TRAIN_TRAINER_H
#define NAS_TRAIN_TRAINER_H

#include <signal.h>

#include "runtime/artefact/artefact.h"
#include "search/config.h"
#include "search/eval/score.h"

/* Of the run in the study store. */
#define NAS_TRAIN_LABEL "train"

struct nas_train_job {
    const struct nas_config *config;
    const char *data;       /* the data folder */
    const char *model;      /* REPOSITORY/NAME */
    const char *paths_file; /* or NULL: the configuration's paths */
    /* MODEL whose numbers the network starts with, where it has them; NULL:
       all are new. With `freeze` they stay as they are: what they compute, its
       norms' statistics included, does not change. */
    const char *start;
    bool freeze;
    /* With `start`: the configuration's one domain is trained over MODEL's
       blocks, of which those that its other domains need stay as they are.
       See nas_start_candidates; needs paths_file. */
    bool one_domain;
    const char *study; /* the study store that the history goes to, or NULL */
    bool resume;
    bool quiet;
    int threads;                       /* 0: all CPUs */
    const volatile sig_atomic_t *stop; /* or NULL */
};

struct nas_train_report {
    struct sy_artefact artefact;
    int64_t steps;
    double seconds; /* of this process */
    double images_per_s;
    int domain_count;
    char name[SY_MAX_DOMAINS][SY_NAME_BYTES];
    double loss[SY_MAX_DOMAINS];            /* running mean at the end */
    struct nas_score valid[SY_MAX_DOMAINS]; /* n = 0: nothing held out */
};

/*
 * Trains and writes the next version of MODEL. SY_CANCELLED when stopped:
 * the message says how to resume.
 */
enum sy_status nas_train(const struct nas_train_job *job,
                         struct nas_train_report *report,
                         struct sy_error *err) SY_MUST_USE;

#endif
