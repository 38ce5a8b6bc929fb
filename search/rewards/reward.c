/*
 * reward.c - rewards from accuracy and cost, the price of what is not shared,
 * and the part that domains take in each other's.
 */
#include "search/rewards/reward.h"

#include <math.h>
#include <string.h>

const char *const nas_reward_names[NAS_REWARDS + 1] = {"abs", "mnas",
                                                       "mnas_hard", NULL};

/* A path that costs nothing would give 0 to a negative power. */
static const double least_ratio = 1e-6;

struct nas_reward_config nas_reward_defaults(void)
{
    return (struct nas_reward_config){
        .kind = NAS_REWARD_ABS, .exponent = -0.1, .cost = NAS_COST_MADDS};
}

double nas_reward(const struct nas_reward_config *config, double accuracy,
                  double cost, double target)
{
    SY_ASSERT(target > 0);
    double ratio = fmax(cost / target, least_ratio);
    double factor = pow(ratio, config->exponent);
    switch (config->kind) {
    case NAS_REWARD_ABS:
        return accuracy + config->exponent * fabs(ratio - 1.0);
    case NAS_REWARD_MNAS:
        return accuracy * factor;
    case NAS_REWARD_MNAS_HARD:
        return accuracy * fmin(factor, 1.0);
    case NAS_REWARDS:
        break;
    }
    SY_ASSERT(false);
    return 0;
}

/* Numbers of a block's own weights. */
static double count_weights(const struct sy_plan *plan)
{
    double sum = 0;
    for (int i = 0; i < plan->param_count; i++) {
        double count = 1;
        for (int k = 0; k < plan->param[i].dims; k++) {
            count *= plan->param[i].dim[k];
        }
        sum += count;
    }
    return sum;
}

void nas_sharing_init(struct nas_sharing *sharing,
                      const struct sy_network *network)
{
    memset(sharing, 0, sizeof *sharing);
    sharing->domain_count = network->domain_count;
    sharing->layer_count = network->spec.layer_count;
    for (int l = 0; l < sharing->layer_count; l++) {
        int count = network->spec.layer[l].block_count;
        sharing->choices[l] = count;
        for (int b = 0; b < count; b++) {
            int unit = sy_network_block(network, l, b);
            sharing->weights[l][b] = count_weights(&network->unit[unit].plan);
            sharing->scale += sharing->weights[l][b] / count;
        }
    }
}

double nas_private_share(const struct nas_sharing *sharing,
                         const struct nas_controller *controllers, int domain,
                         const struct nas_proposal *proposal)
{
    double p[SY_MAX_BLOCKS];
    double own = 0;
    for (int l = 0; l < sharing->layer_count; l++) {
        double alone[SY_MAX_BLOCKS];
        double mean = 0;
        for (int b = 0; b < sharing->choices[l]; b++) {
            alone[b] = sharing->weights[l][b];
        }
        for (int e = 0; e < sharing->domain_count; e++) {
            if (e == domain) {
                continue;
            }
            nas_controller_probabilities(&controllers[e], l, p);
            for (int b = 0; b < sharing->choices[l]; b++) {
                alone[b] *= 1.0 - p[b];
            }
        }
        for (int b = 0; b < sharing->choices[l]; b++) {
            mean += alone[b] / sharing->choices[l];
        }
        own += proposal->pick[l] == NAS_PICK_MEAN
                   ? mean
                   : alone[proposal->path.block[l]];
    }
    return sharing->scale > 0 ? own / sharing->scale : 0;
}

void nas_reward_join(const struct nas_reward_config *config, double *rewards,
                     int domains)
{
    double total = 0;
    for (int d = 0; d < domains; d++) {
        total += rewards[d];
    }
    for (int d = 0; d < domains && domains > 1; d++) {
        rewards[d] += config->joint * (total - rewards[d]) / (domains - 1);
    }
}
