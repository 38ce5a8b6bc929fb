/*
 * search_ensemble.c - paths that answer well together, from the weights that
 * a search ends with.
 *
 * DESIGN. Every candidate is one score of the supernet on all held-out images,
 * in which the domains take part side by side, each with a history of its own
 * (evolve.h). The first ones are the path that was found and paths that the
 * controller draws, or children where it draws nothing new; no child costs more
 * than the found path, or the target where that is more. A domain for which no
 * other path is found has fewer candidates.
 */
#include "domains/batch/order.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/supernet/evolve.h"
#include "search/supernet/search_private.h"

enum { DRAWS = 50 }; /* of a controller, for a path that is not known yet */

struct breeding {
    struct searching *s;
    struct nas_evolution evolution[SY_MAX_DOMAINS];
    int domain; /* whose child is looked for */
    double limit[SY_MAX_DOMAINS];
};

static bool may_cost(void *context, const struct sy_path *path)
{
    struct breeding *b = context;
    return nas_cost_path(&b->s->costs, b->domain, path) <= b->limit[b->domain];
}

/* A path of the domain's controller that is no candidate yet, if it has one. */
static bool draw(struct breeding *b, int d, struct sy_rng *rng,
                 struct sy_path *path)
{
    static const struct nas_warmup none;
    struct nas_proposal drawn;
    for (int i = 0; i < DRAWS; i++) {
        nas_controller_propose(search_controller(b->s, d), &none, rng, &drawn);
        if (!nas_evolution_has(&b->evolution[d], &drawn.path)) {
            *path = drawn.path;
            return true;
        }
    }
    return false;
}

/* Candidate `index` of domain d, if there is another. */
static bool choose(struct breeding *b, int d, int index, struct sy_path *path)
{
    struct searching *s = b->s;
    int last = search_options(s)->levels[d] - 1;
    struct sy_rng rng =
        sy_rng_stream(s->config.seed, SY_RNG_PATH, (uint64_t)s->steps + 1,
                      dom_slot((uint32_t)d, index));
    b->domain = d;
    if (index == 0) {
        *path = s->found[last][d];
        return true;
    }
    if (index < b->evolution[d].options.population && draw(b, d, &rng, path)) {
        return true;
    }
    return nas_evolution_child(&b->evolution[d], &rng, may_cost, b, path);
}

static enum sy_status breed(struct breeding *b, struct sy_error *err)
{
    struct searching *s = b->s;
    struct sy_path path[SY_MAX_DOMAINS];
    float *p[SY_MAX_DOMAINS];
    for (int i = 0; i < search_options(s)->ensemble.paths; i++) {
        bool any = false;
        for (int d = 0; d < s->domains; d++) {
            bool another = choose(b, d, i, &path[d]);
            any |= another;
            p[d] =
                another ? nas_evolution_add(&b->evolution[d], &path[d]) : NULL;
        }
        if (any) {
            SY_TRY(nas_supernet_likelihood(&s->net, path, p, err));
        }
    }
    return SY_OK;
}

/* The members beside the found path. */
static void take_members(struct breeding *b, int d)
{
    struct searching *s = b->s;
    int chosen[NAS_EVOLUTION_MEMBERS];
    double nll[NAS_EVOLUTION_MEMBERS];
    int count = nas_evolution_members(&b->evolution[d], chosen, nll);
    s->member_count[d] = count - 1; /* chosen[0] is "main" */
    for (int i = 1; i < count; i++) {
        s->member[i - 1][d] = b->evolution[d].path[chosen[i]];
    }
    sy_log_info("%s: %d of %d paths answer best together: NLL %.4f on held-out "
                "images, the found one alone %.4f",
                s->config.domain[d], count, b->evolution[d].count,
                nll[count - 1], nll[0]);
}

enum sy_status search_ensemble(struct searching *s, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    const struct nas_evolution_options *options = &search_options(s)->ensemble;
    if (options->members == 0) {
        return SY_OK;
    }
    struct breeding *b = sy_alloc_zero(1, sizeof *b);
    if (b == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search.ensemble: no memory");
    }
    b->s = s;
    for (int d = 0; d < s->domains; d++) {
        int last = search_options(s)->levels[d] - 1;
        double cost = nas_cost_path(&s->costs, d, &s->found[last][d]);
        double target = search_options(s)->target[d];
        b->limit[d] = cost > target ? cost : target;
        SY_TRY_OUT(nas_evolution_init(&b->evolution[d], options,
                                      &s->net.network->spec,
                                      nas_supernet_images(&s->net, d), err));
    }
    SY_TRY_OUT(breed(b, err));
    for (int d = 0; d < s->domains; d++) {
        take_members(b, d);
    }
out:
    for (int d = 0; d < s->domains; d++) {
        nas_evolution_release(&b->evolution[d]);
    }
    sy_free(b);
    return status;
}
