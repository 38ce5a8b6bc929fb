/*
 * compare.h - strategies side by side, on the same space, data and budget.
 *
 *   independent               every domain searched and trained by itself
 *   single_path_multi_head    one fixed path, trained on one domain's images,
 *                             then frozen: only heads are trained
 *   single_path_joint         the same path trained on all domains together
 *   multi_head_nas            one path searched for all domains together
 *   mpnas                     a path per domain on one supernet
 *
 * and, where the configuration asks for it, the weightings of the loss on the
 * paths that mpnas has found, and networks of random paths that cost as much
 * as those. Every domain is passed over equally often by all of them: images
 * are dealt to the domains of a step in proportion to their number
 * (train.balance_domains is off here, whatever the configuration says).
 *
 * A comparison is a list of runs, each a search, a training and a test in a
 * folder of its own under OUT (run.h). A run that has ended is not done again;
 * one that was stopped goes on from its checkpoint. The test images decide
 * nothing: the learning rate is chosen on held-out images.
 *
 * Leaves OUT/table.json, OUT/table.md and OUT/report.html, which
 * docs/compare.md describes.
 *
 * Thread: init.
 */
#ifndef NAS_COMPARE_COMPARE_H
#define NAS_COMPARE_COMPARE_H

#include <signal.h>

#include "runtime/base/file.h"
#include "search/config.h"

struct nas_compare_job {
    const struct nas_config *config; /* with a section "compare" */
    const char *data;
    const char *out;
    bool resume;
    bool quiet;
    int threads;                       /* 0: all CPUs */
    const volatile sig_atomic_t *stop; /* or NULL */
};

/*
 * Runs all that is left to run and writes the tables. *table becomes what
 * table.json holds, owned. SY_CANCELLED when stopped: the message says how to
 * go on. A folder of another comparison is SY_BAD_INPUT with the difference
 * named.
 */
enum sy_status nas_compare(const struct nas_compare_job *job, json_t **table,
                           struct sy_error *err) SY_MUST_USE;

#endif
