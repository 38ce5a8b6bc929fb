/*
 * reward.h - what a proposal earns: accuracy on held-out images and cost
 * against a target, in one number.
 *
 * With Q the accuracy in 0..1, r = cost / target and b < 0 the `exponent`:
 *
 *   abs        Q + b |r - 1|       pulls the cost to its target from both
 *                                  sides, so one search hits it
 *   mnas       Q r^b               trades all the way
 *   mnas_hard  Q min(r^b, 1)       free below the target
 *
 * Source: TuNAS (Bender et al. 2020) for abs, MnasNet (Tan et al. 2019) for
 * the others.
 *
 * From that is taken off, and kept apart from the cost, so that `abs` still
 * pulls each path to its own target, `sharing` times the parameters which the
 * proposal would add for its domain alone, see nas_private_share. And `joint`
 * adds that part of the mean reward of the other domains.
 *
 * Thread: any.
 */
#ifndef NAS_REWARDS_REWARD_H
#define NAS_REWARDS_REWARD_H

#include "search/rewards/cost.h"

enum nas_reward_kind {
    NAS_REWARD_ABS,
    NAS_REWARD_MNAS,
    NAS_REWARD_MNAS_HARD,
    NAS_REWARDS
};

extern const char *const nas_reward_names[NAS_REWARDS + 1];

struct nas_reward_config {
    enum nas_reward_kind kind;
    double exponent; /* b, not above 0 */
    enum nas_cost_kind cost;
    double sharing; /* 0: parameters of one's own are free */
    double joint;   /* 0: each domain for itself */
};

struct nas_reward_config nas_reward_defaults(void);

/* Accuracy and cost in one number; target > 0. */
double nas_reward(const struct nas_reward_config *config, double accuracy,
                  double cost, double target);

/*
 * What each block would cost a domain in parameters that no other domain
 * uses. Body weights only: norms are a domain's own wherever it goes.
 */
struct nas_sharing {
    int domain_count;
    int layer_count;
    int choices[SY_MAX_LAYERS];
    double weights[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    double scale; /* weights of a path drawn evenly: what counts as 1 */
};

void nas_sharing_init(struct nas_sharing *sharing,
                      const struct sy_network *network);

/*
 * The weights that this proposal would add for domain `domain` alone, as a
 * share of `scale`: of each block, its weights times the probability that
 * none of the other controllers takes it,
 *
 *   sum over layers of weights(block) * prod over e != domain of
 *                                       (1 - p_e(block)).
 *
 * Once the others have decided that is the weights of the blocks that are not
 * on their most probable paths. While they have not, nothing is most probable
 * by more than chance, and a rule that asked for it would pull all domains to
 * whichever blocks happen to stand first.
 */
double nas_private_share(const struct nas_sharing *sharing,
                         const struct nas_controller *controllers, int domain,
                         const struct nas_proposal *proposal);

/*
 * Adds to each domain's reward `joint` times the mean of the others'; in
 * place, `rewards` by domain. A single domain keeps its own.
 */
void nas_reward_join(const struct nas_reward_config *config, double *rewards,
                     int domains);

#endif
