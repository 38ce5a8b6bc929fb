/*
 * evolve.h - paths that answer well together: neural ensemble search by
 * regularised evolution (NES-RE), for one domain.
 *
 * The first candidates are given. Each later one is a child: of the newest
 * `population` candidates those that answer best together are selected
 * (routing/ensemble.h), one of these is drawn, and one layer of its path takes
 * another block. The oldest candidate leaves the population, but not the
 * history, and the members are in the end selected from all candidates, to
 * stand beside the first. So what is bred is not the best path but what an
 * ensemble lacks.
 *
 * Source: S. Zaidi et al., "Neural Ensemble Search for Uncertainty Estimation
 * and Dataset Shift", NeurIPS 2021, algorithm 1, without its severities of
 * shift. A candidate costs a training there and a score on a supernet's
 * weights here, so a copy would say nothing new, and no candidate is one.
 *
 * Thread: one at a time.
 */
#ifndef NAS_SUPERNET_EVOLVE_H
#define NAS_SUPERNET_EVOLVE_H

#include "runtime/base/rng.h"
#include "runtime/network/path.h"

enum { NAS_EVOLUTION_MEMBERS = 4 };

struct nas_evolution_options {
    int members;    /* 2 to NAS_EVOLUTION_MEMBERS; 0: no ensemble is wanted */
    int paths;      /* candidates in all */
    int population; /* of which the newest so many have children */
};

struct nas_evolution_options nas_evolution_defaults(void);

/* Read freely; changed by the functions below only. */
struct nas_evolution {
    struct nas_evolution_options options;
    const struct sy_network_spec *spec; /* borrowed */
    int images;
    int count;             /* candidates that there are */
    struct sy_path *path;  /* of each; these are owned */
    float *p;              /* [candidate][image]: p(label), each in (0, 1] */
    const float **answers; /* rows of p */
    int *labels;           /* zeros */
    double *room;
};

/* An empty history. Owned: nas_evolution_release. */
enum sy_status nas_evolution_init(struct nas_evolution *evolution,
                                  const struct nas_evolution_options *options,
                                  const struct sy_network_spec *spec,
                                  int images, struct sy_error *err) SY_MUST_USE;
void nas_evolution_release(struct nas_evolution *evolution);

/* Whether a path may be tried. */
typedef bool (*nas_path_allowed_fn)(void *context, const struct sy_path *path);

/* Whether the path is among the candidates. */
bool nas_evolution_has(const struct nas_evolution *evolution,
                       const struct sy_path *path);

/*
 * The next path to try, once there are candidates: a child that is allowed and
 * not among the candidates. false: none was found in some tries; the path is
 * then none to try.
 */
bool nas_evolution_child(struct nas_evolution *evolution, struct sy_rng *rng,
                         nas_path_allowed_fn allowed, void *context,
                         struct sy_path *path) SY_MUST_USE;

/* Adds a candidate, no copy of another; its row of p(label) is the caller's to
   fill. */
float *nas_evolution_add(struct nas_evolution *evolution,
                         const struct sy_path *path);

/*
 * The members: candidate 0 and those that answer best together with it, so
 * indices of at most options.members candidates in the order in which they were
 * selected, and the NLL of the first i + 1 together (NULL: not wanted). Returns
 * how many.
 */
int nas_evolution_members(struct nas_evolution *evolution, int *chosen,
                          double *nll);

#endif
