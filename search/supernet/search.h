/*
 * search.h - stage one: finds a path for every domain (MPNAS).
 *
 * A step draws a proposal per domain from its controller and moves the weights
 * of the supernet on a training batch of every domain, the domains' losses
 * weighed as in stage two. Then, once the controllers may learn, it draws
 * `reward_paths` more proposals per domain, scores them on one held-out batch,
 * makes rewards of accuracies and costs, and moves the controllers: weights
 * first, controllers second. In the end each domain's path is its
 * controller's result.
 *
 * Until the controllers' delay is nearly over nothing is scored: the rates
 * are 0, so all that a reward would move is the means, and these need a few
 * steps only.
 *
 * RUN/checkpoint.safetensors holds the whole state between two steps: weights,
 * optimiser, controllers with their means, the domains' weights, the number
 * of the next step. It is written on a schedule, at the end, and when *stop
 * becomes non-zero. Batches and proposals are functions of the step, so a
 * resumed search goes on to the same bits; the number of threads never
 * matters. The result is RUN/paths.json; RUN/study.sqlite has the history, and
 * RUN/report.html draws both.
 *
 * Thread: init.
 */
#ifndef NAS_SUPERNET_SEARCH_H
#define NAS_SUPERNET_SEARCH_H

#include <signal.h>

#include "runtime/base/file.h"
#include "search/config.h"

/* Of the run in the study store. */
#define NAS_SEARCH_LABEL "search"

/* Entropy of the controllers above which what they found is noise. */
#define NAS_SEARCH_UNDECIDED 0.3

struct nas_search_job {
    const struct nas_config *config;
    const char *data; /* the data folder */
    const char *run;  /* the folder to write to */
    /* MODEL over whose blocks the one domain of the configuration finds its
       path; NULL: all is new. See nas_start_candidates. */
    const char *start;
    bool resume;
    bool quiet;
    int threads;                       /* 0: all CPUs */
    const volatile sig_atomic_t *stop; /* or NULL */
};

struct nas_search_report {
    int64_t steps;
    double seconds; /* of this process */
    double images_per_s;
    double entropy; /* mean over domains, as a share of the start's */
    char paths_file[SY_PATH_BYTES];
    int domain_count;
    struct {
        char name[SY_NAME_BYTES];
        struct sy_path path;
        struct sy_cost size;
        double cost, target; /* in the unit of the reward */
        double accuracy;     /* of the supernet, on held-out images */
        double reward;       /* of that accuracy and cost */
        double entropy;      /* 1 knows nothing, 0 has decided */
    } domain[SY_MAX_DOMAINS];
};

/* A path, and what it has reached when it was trained from scratch. */
struct nas_search_rival {
    struct sy_path path;
    double top1;  /* trained without the supernet */
    double score; /* filled in: held-out accuracy with the supernet's weights */
};

/*
 * Scores `count` paths of every domain with the weights that a finished search
 * has left in job->run: number i of domain d is rivals[i * domains + d]. Both
 * numbers go into the run's study in place of those from before, so that its
 * report shows how well one ranks like the other.
 */
enum sy_status nas_search_rank(const struct nas_search_job *job,
                               struct nas_search_rival *rivals, int count,
                               struct sy_error *err) SY_MUST_USE;

/*
 * Searches, or goes on with a search. Refused before any work is done: a
 * target that no path of its domain meets, a domain smaller than a batch,
 * images of which none is held out, a checkpoint of another run.
 * SY_CANCELLED when stopped: the message says how to go on.
 */
enum sy_status nas_search(const struct nas_search_job *job,
                          struct nas_search_report *report,
                          struct sy_error *err) SY_MUST_USE;

#endif
