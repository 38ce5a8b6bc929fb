/*
 * search_rank.c - does the supernet rank paths as training from scratch does?
 * The question that tells whether a search can be believed.
 */
#include <math.h>

#include "runtime/base/memory.h"
#include "search/supernet/search_private.h"

/* Both numbers of one path into the study. */
static void note(struct searching *s, int d,
                 const struct nas_search_rival *rival)
{
    struct sy_cost cost = sy_network_path_cost(s->net.network, &rival->path, d);
    struct nas_study_evaluation row = {.kind = "supernet",
                                       .path = &rival->path,
                                       .top1 = rival->score,
                                       .nll = NAN,
                                       .madds = (double)cost.madds,
                                       .params = (double)cost.params};
    nas_study_add_evaluation(s->study, s->steps, d, &row);
    row.kind = "alone";
    row.top1 = rival->top1;
    nas_study_add_evaluation(s->study, s->steps, d, &row);
}

/* Number `index` of every domain. */
static enum sy_status score(struct searching *s,
                            struct nas_search_rival *rivals, int index,
                            struct sy_error *err)
{
    struct sy_path path[SY_MAX_DOMAINS];
    double accuracy[SY_MAX_DOMAINS];
    rivals += (size_t)index * (size_t)s->domains;
    for (int d = 0; d < s->domains; d++) {
        path[d] = rivals[d].path;
    }
    SY_TRY(nas_supernet_accuracy(&s->net, path, accuracy, err));
    for (int d = 0; d < s->domains; d++) {
        rivals[d].score = accuracy[d];
        note(s, d, &rivals[d]);
    }
    return SY_OK;
}

enum sy_status nas_search_rank(const struct nas_search_job *job,
                               struct nas_search_rival *rivals, int count,
                               struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct nas_search_job finished = *job;
    struct searching *s = sy_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    finished.resume = true;
    s->job = &finished;
    SY_TRY_OUT(searching_open(s, err));
    if (s->step < s->steps) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: stopped at step %lld of %lld; finish the search "
                         "before its scores are ranked",
                         s->checkpoint_path, (long long)s->step,
                         (long long)s->steps);
        goto out;
    }
    for (int i = 0; i < count; i++) {
        SY_TRY_OUT(score(s, rivals, i, err));
    }
    nas_study_flush(s->study);
out:
    searching_close(s);
    sy_free(s);
    return status;
}
