/*
 * find.h - how well the root gate finds domains.
 *
 * Thread: one at a time; it runs on the pool.
 */
#ifndef NAS_EVAL_FIND_H
#define NAS_EVAL_FIND_H

#include "search/eval/score.h"

/* What became of the images of one folder that came without their domain. */
struct nas_finding {
    char name[SY_NAME_BYTES];
    int domain; /* index; -1: a folder whose domain the network does not have */
    int n;
    int abstained;
    int found[SY_MAX_DOMAINS]; /* images that were taken for this domain */
    int right;                 /* found, and then given their label */
    double madds_mean;
};

struct nas_find_options {
    /*
     * Quality of a JPEG that each image becomes and is read back from, in the
     * network's size, before the gate sees it; 0: it stays as it is. Folders
     * hold PNG, JPEG and raw pixels, and this is how to tell whether a gate
     * reads pictures or the traces of their files.
     */
    int jpeg;
};

/*
 * Sends the test images of DIR/NAME through the network without saying what
 * they are; `options` NULL takes all defaults. The network must have a root
 * gate and its executor take NAS_SCORE_BATCH requests.
 */
enum sy_status nas_find(struct nas_finding *finding,
                        struct sy_executor *executor, const char *dir,
                        const char *name,
                        const struct nas_find_options *options,
                        struct sy_pool *pool, struct sy_error *err) SY_MUST_USE;

/* Mean over the rows of the network's domains of the share that was found. */
double nas_found_balanced(const struct nas_finding *rows, int count);

#endif
