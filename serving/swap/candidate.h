/*
 * candidate.h - from two networks, the one that is served and the one that is
 * to be, to states that are ready: the part of staging that knows no files.
 *
 * Thread: one at a time (the swaps').
 */
#ifndef SRV_SWAP_CANDIDATE_H
#define SRV_SWAP_CANDIDATE_H

#include "serving/swap/stage.h"

/* Both with their values; `served` is what was read of what the base serves.
   `domain` names those that the candidate may change or bring. */
struct srv_two {
    const struct sy_network *served;
    struct sy_network *candidate; /* taken by srv_candidate_make */
    int domain_count;
    const char *domain[SY_MAX_DOMAINS];
    bool root; /* the candidate may bring another root gate */
};

/*
 * Fills `next`, `joined` (not for a dry run), `bytes`, and `domain` of a
 * staged pack whose label is set. Refused: anything over a `served` whose
 * domains, experts and gates do not stand as those of input->base; a candidate
 * in which a domain that is not named, or the root gate, is not what is served,
 * bit for bit; one that cannot run beside it. What was made is the caller's to
 * release, also after a failure.
 */
enum sy_status srv_candidate_make(struct srv_staged *staged,
                                  const struct srv_stage_input *input,
                                  struct srv_two *two,
                                  struct sy_error *err) SY_MUST_USE;

/* One image of a domain through a state's route, by an executor of its snapshot
   for one image, on this thread; `probabilities` has room for the domain's
   classes. `us` becomes the median of some runs. */
enum sy_status srv_candidate_time(struct sy_executor *executor, int domain,
                                  const float *image, float *probabilities,
                                  double *us, struct sy_error *err) SY_MUST_USE;

#endif
