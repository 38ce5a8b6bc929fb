/*
 * random.c - random search: every path is as probable as any other, and the
 * one with the best reward so far is the result.
 *
 * Rewards on few images are noisy, and the best of many is the luckiest of
 * the good ones: that is what random search is, and why it is the opponent.
 * Proposals with replaced layers are no paths and are not remembered.
 *
 * State: 1 when a path has been seen, its reward, its blocks.
 */
#include "search/controllers/controller.h"

enum { SEEN, BEST, BLOCKS };

static size_t state_count(const struct nas_controller *c)
{
    return (size_t)(BLOCKS + c->layer_count);
}

static void probabilities(const struct nas_controller *c, int layer, double *p)
{
    for (int i = 0; i < c->choices[layer]; i++) {
        p[i] = 1.0 / c->choices[layer];
    }
}

static bool is_path(const struct nas_controller *c,
                    const struct nas_proposal *proposal)
{
    for (int l = 0; l < c->layer_count; l++) {
        if (proposal->pick[l] != NAS_PICK_BLOCK) {
            return false;
        }
    }
    return true;
}

static void update(struct nas_controller *c, int64_t step,
                   const struct nas_proposal *proposals, const double *rewards,
                   int count)
{
    (void)step;
    for (int s = 0; s < count; s++) {
        bool better =
            c->state[SEEN] == 0.0f || (float)rewards[s] > c->state[BEST];
        if (!better || !is_path(c, &proposals[s])) {
            continue;
        }
        c->state[SEEN] = 1.0f;
        c->state[BEST] = (float)rewards[s];
        for (int l = 0; l < c->layer_count; l++) {
            c->state[BLOCKS + l] = (float)proposals[s].path.block[l];
        }
    }
}

static void result(const struct nas_controller *c, struct sy_path *path)
{
    for (int l = 0; l < c->layer_count; l++) {
        path->block[l] = (int)c->state[BLOCKS + l];
    }
}

const struct nas_controller_type nas_controller_random = {
    .state_count = state_count,
    .probabilities = probabilities,
    .update = update,
    .result = result,
};
