/*
 * search_private.h - what the files of a search share. Not for others.
 */
#ifndef NAS_SUPERNET_SEARCH_PRIVATE_H
#define NAS_SUPERNET_SEARCH_PRIVATE_H

#include "search/study/study.h"
#include "search/supernet/search.h"
#include "search/supernet/supernet.h"
#include "search/train/progress.h"

struct searching {
    const struct nas_search_job *job;
    struct nas_config config; /* the job's, with its held-out part held out */
    struct sy_pool *pool;
    struct nas_supernet net;
    struct nas_cost_table costs;
    struct nas_sharing sharing;

    int domains;
    /* 1 with a common path; else one per target: [level * domains + domain],
       without state where the domain has no such level. */
    int controller_count;
    struct nas_controller controller[NAS_MAX_TARGETS * SY_MAX_DOMAINS];
    size_t controller_floats; /* of all together */
    float *controller_saved;  /* their states, as the checkpoint has them */

    /* The paths that the search ends with; found[0] from the end of the search
       on, `chosen`, is what is laid under the others. */
    struct sy_path found[NAS_MAX_TARGETS][SY_MAX_DOMAINS];
    bool chosen;

    /* With search.ensemble: what answers well together beside found[last]. */
    struct sy_path member[NAS_EVOLUTION_MEMBERS][SY_MAX_DOMAINS];
    int member_count[SY_MAX_DOMAINS];

    int paths;                      /* scored per domain and step */
    struct nas_proposal *proposals; /* domains x paths */
    double *accuracy, *reward;      /* of each proposal */

    float weight_state[SY_MAX_DOMAINS * NAS_WEIGHT_STATE_FLOATS];
    double weight[SY_MAX_DOMAINS];
    float weight_saved[SY_MAX_DOMAINS];

    int64_t step, steps;
    struct nas_progress progress;
    struct nas_study *study;             /* NULL: none can be written */
    double shown_reward[SY_MAX_DOMAINS]; /* running means, for people */
    char checkpoint_path[SY_PATH_BYTES];
    json_t *about; /* owned */
    char identity[SY_HASH_TEXT_BYTES];
};

static inline const struct nas_search_config *search_options(
    const struct searching *s)
{
    return &s->config.search;
}

/*
 * The level whose turn it is: a domain with several targets looks for one path
 * in each step, and its controllers take turns.
 */
static inline int search_level(const struct searching *s, int d)
{
    return (int)(s->step % s->config.search.levels[d]);
}

/* The controller of a domain at a level; with a common path they share one. */
static inline struct nas_controller *search_controller_at(struct searching *s,
                                                          int d, int level)
{
    return &s->controller[s->controller_count == 1 ? 0
                                                   : level * s->domains + d];
}

/* Its dearest level's: what people see of a domain. */
static inline const struct nas_controller *search_controller(
    const struct searching *s, int d)
{
    int last = s->config.search.levels[d] - 1;
    return &s->controller[s->controller_count == 1 ? 0 : last * s->domains + d];
}

/*
 * Lays the first layers of the domain's cheapest path under a path of another
 * level, and returns the cost of their blocks, which it need not pay again.
 */
double search_share_prefix(struct searching *s, int d, int level,
                           struct sy_path *path, enum nas_pick *pick);

/*
 * Opens all that the job needs, its checkpoint too where it resumes; after a
 * failure as well, searching_close gives everything back.
 */
enum sy_status searching_open(struct searching *s, struct sy_error *err);
void searching_close(struct searching *s);

/* The share of the proposal's parameters that no other domain uses, these
   being at the levels level[domain]. */
double search_private_share(struct searching *s, int d, const int *level,
                            const struct nas_proposal *proposal);

/* Does step s->step; the caller counts it. */
enum sy_status search_step(struct searching *s, struct sy_error *err);

/*
 * The path of every domain for this level, or its last where it has fewer (0
 * is to be asked for first), and its accuracy on all held-out images: of the
 * controller's most likely path and `final_paths` - 1 that it draws, the one
 * of the highest reward. The first of equal ones.
 */
enum sy_status search_choose(struct searching *s, int level,
                             struct sy_path *path, double *accuracy,
                             struct sy_error *err);

/* Where the configuration wants it: the members of an ensemble, from the
   weights as they are and the paths that were found. */
enum sy_status search_ensemble(struct searching *s, struct sy_error *err);

/* After the last step: fills in the report and writes paths.json. */
enum sy_status search_result(struct searching *s,
                             struct nas_search_report *report,
                             struct sy_error *err);

#endif
