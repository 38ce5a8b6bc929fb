/*
 * search_choose.c - the path that a search ends with.
 *
 * DESIGN. A controller's most likely path is made layer by layer, so where
 * several layers are undecided it may be one that the controller would hardly
 * draw, and its cost is not the one that the rewards have pulled to the target.
 * So a few paths are drawn once more, and with the most likely one they are
 * held against each other on all held-out images.
 */
#include <math.h>

#include "domains/batch/order.h"
#include "search/supernet/search_private.h"

struct choosing {
    struct nas_proposal proposal[SY_MAX_DOMAINS]; /* of one candidate */
    double accuracy[SY_MAX_DOMAINS];
    double best[SY_MAX_DOMAINS]; /* reward of the path that is chosen */
    int level[SY_MAX_DOMAINS];
    double shared[SY_MAX_DOMAINS]; /* cost of the beginning it need not pay */
};

/* Candidate `index` of every domain: 0 is the most likely path. */
static void draw(struct searching *s, int index, struct choosing *c)
{
    static const struct nas_warmup none;
    for (int d = 0; d < s->domains; d++) {
        const struct nas_controller *controller =
            search_controller_at(s, d, c->level[d]);
        int whose = s->controller_count == 1 ? 0 : d;
        struct sy_rng rng =
            sy_rng_stream(s->config.seed, SY_RNG_PATH, (uint64_t)s->steps,
                          dom_slot((uint32_t)whose, index));
        nas_controller_propose(controller, &none, &rng, &c->proposal[d]);
        if (index == 0) {
            nas_controller_result(controller, &c->proposal[d].path);
        }
        c->shared[d] = search_share_prefix(
            s, d, c->level[d], &c->proposal[d].path, c->proposal[d].pick);
    }
}

static double reward_of(struct searching *s, const struct choosing *c, int d)
{
    const struct nas_search_config *options = search_options(s);
    double cost =
        nas_cost_proposal(&s->costs, d, &c->proposal[d]) - c->shared[d];
    double reward = nas_reward(&options->reward, c->accuracy[d], cost,
                               options->level[c->level[d]][d]);
    if (options->reward.sharing > 0 && s->controller_count > 1) {
        reward -= options->reward.sharing *
                  search_private_share(s, d, c->level, &c->proposal[d]);
    }
    return reward;
}

/* Takes the candidate where it is better than those before. */
static void keep_better(struct searching *s, struct choosing *c,
                        struct sy_path *path, double *accuracy)
{
    double reward[SY_MAX_DOMAINS], mean = 0;
    for (int d = 0; d < s->domains; d++) {
        reward[d] = reward_of(s, c, d);
        mean += reward[d] / s->domains;
    }
    for (int d = 0; d < s->domains; d++) {
        double worth = search_options(s)->common_path ? mean : reward[d];
        if (worth > c->best[d]) {
            c->best[d] = worth;
            path[d] = c->proposal[d].path;
            accuracy[d] = c->accuracy[d];
        }
    }
}

enum sy_status search_choose(struct searching *s, int level,
                             struct sy_path *path, double *accuracy,
                             struct sy_error *err)
{
    struct choosing c;
    struct sy_path drawn[SY_MAX_DOMAINS];
    /* The random controller's result is the best that it has seen. */
    int count = search_options(s)->controller.kind == NAS_CONTROLLER_RANDOM
                    ? 1
                    : search_options(s)->final_paths;
    for (int d = 0; d < s->domains; d++) {
        int last = search_options(s)->levels[d] - 1;
        c.level[d] = level < last ? level : last;
        c.best[d] = -HUGE_VAL;
    }
    for (int i = 0; i < count; i++) {
        draw(s, i, &c);
        for (int d = 0; d < s->domains; d++) {
            drawn[d] = c.proposal[d].path;
        }
        SY_TRY(nas_supernet_accuracy(&s->net, drawn, c.accuracy, err));
        keep_better(s, &c, path, accuracy);
    }
    s->chosen = true;
    return SY_OK;
}
