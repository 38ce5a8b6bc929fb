/*
 * search_step.c - one step: propose, train, score, reward, learn.
 *
 * DESIGN. Proposals of step t are drawn from the streams (seed, PATH, t,
 * domain and slot): slot 0 is the one that is trained, 1 and on are scored.
 * The scored ones are drawn anew, so that no path is favoured because the
 * weights have just moved along it.
 *
 * A domain with several targets has a controller for each, and they take
 * turns, step by step: its weights see the paths of all of them, and each
 * controller learns from its own.
 */
#include <math.h>

#include "domains/batch/order.h"
#include "search/supernet/search_private.h"

/* Shares of replaced layers at this step: each falls in a line to 0. */
static struct nas_warmup warmup_at(const struct searching *s)
{
    double done = (double)s->step / (double)s->steps;
    double mean = search_options(s)->op_warmup;
    double widest = search_options(s)->width_warmup;
    return (struct nas_warmup){
        .mean_share = mean > 0 ? search_options(s)->op_warmup_from *
                                     fmax(0.0, 1.0 - done / mean)
                               : 0.0,
        .widest_share = widest > 0 ? fmax(0.0, 1.0 - done / widest) : 0.0,
    };
}

/* Draws proposals of all domains: slots first..first+count-1. */
static void propose(struct searching *s, int first, int count)
{
    struct nas_warmup warmup = warmup_at(s);
    for (int d = 0; d < s->domains; d++) {
        int whose = s->controller_count == 1 ? 0 : d;
        int level = search_level(s, d);
        for (int i = 0; i < count; i++) {
            struct nas_proposal *proposal = &s->proposals[d * count + i];
            struct sy_rng rng =
                sy_rng_stream(s->config.seed, SY_RNG_PATH, (uint64_t)s->step,
                              dom_slot((uint32_t)whose, first + i));
            nas_controller_propose(search_controller_at(s, d, level), &warmup,
                                   &rng, proposal);
            (void)search_share_prefix(s, d, level, &proposal->path,
                                      proposal->pick);
        }
    }
}

/* What the proposal costs beyond the beginning that it shares. */
static double added_cost(struct searching *s, int d,
                         const struct nas_proposal *proposal)
{
    struct sy_path path = proposal->path;
    return nas_cost_proposal(&s->costs, d, proposal) -
           search_share_prefix(s, d, search_level(s, d), &path, NULL);
}

double search_private_share(struct searching *s, int d, const int *level,
                            const struct nas_proposal *proposal)
{
    struct nas_controller turn[SY_MAX_DOMAINS];
    for (int other = 0; other < s->domains; other++) {
        turn[other] = *search_controller_at(s, other, level[other]);
    }
    return nas_private_share(&s->sharing, turn, d, proposal);
}

/* From accuracies to rewards, proposal by proposal. */
static void make_rewards(struct searching *s)
{
    const struct nas_reward_config *config = &search_options(s)->reward;
    bool sharing = config->sharing > 0 && s->controller_count > 1;
    int level[SY_MAX_DOMAINS];
    for (int d = 0; d < s->domains; d++) {
        level[d] = search_level(s, d);
    }
    for (int i = 0; i < s->paths; i++) {
        double row[SY_MAX_DOMAINS];
        for (int d = 0; d < s->domains; d++) {
            int at = d * s->paths + i;
            const struct nas_proposal *proposal = &s->proposals[at];
            row[d] =
                nas_reward(config, s->accuracy[at], added_cost(s, d, proposal),
                           search_options(s)->level[search_level(s, d)][d]);
            if (sharing) {
                row[d] -= config->sharing *
                          search_private_share(s, d, level, proposal);
            }
        }
        nas_reward_join(config, row, s->domains);
        for (int d = 0; d < s->domains; d++) {
            s->reward[d * s->paths + i] = row[d];
        }
    }
}

/* All controllers learn; the common one from the mean over domains. */
static void move_controllers(struct searching *s)
{
    if (s->controller_count == 1) {
        for (int i = 0; i < s->paths; i++) {
            double sum = 0;
            for (int d = 0; d < s->domains; d++) {
                sum += s->reward[d * s->paths + i];
            }
            for (int d = 0; d < s->domains; d++) {
                s->reward[d * s->paths + i] = sum / s->domains;
            }
        }
    }
    int learning = s->controller_count == 1 ? 1 : s->domains;
    for (int d = 0; d < learning; d++) {
        nas_controller_update(search_controller_at(s, d, search_level(s, d)),
                              s->step / search_options(s)->levels[d],
                              &s->proposals[d * s->paths],
                              &s->reward[d * s->paths], s->paths);
    }
}

/* The first step that is scored: a little before controllers may learn. */
static int64_t first_scored(const struct searching *s)
{
    const struct nas_controller_config *config = &search_options(s)->controller;
    int64_t delay = (int64_t)(config->delay * (double)s->steps);
    return delay - (int64_t)ceil(1.0 / (1.0 - config->baseline));
}

/* Rewards and controllers; `accuracy` becomes each domain's mean. */
static enum sy_status score_step(struct searching *s, double *accuracy,
                                 struct sy_error *err)
{
    propose(s, 1, s->paths);
    SY_TRY(nas_supernet_score(&s->net, s->step, s->proposals, s->paths,
                              s->accuracy, err));
    for (int d = 0; d < s->domains; d++) {
        double sum = 0;
        for (int i = 0; i < s->paths; i++) {
            sum += s->accuracy[d * s->paths + i];
        }
        accuracy[d] = sum / s->paths;
    }
    make_rewards(s);
    for (int d = 0; d < s->domains; d++) {
        double sum = 0;
        for (int i = 0; i < s->paths; i++) {
            sum += s->reward[d * s->paths + i] / s->paths;
        }
        s->shown_reward[d] += 0.05 * (sum - s->shown_reward[d]);
    }
    move_controllers(s);
    return SY_OK;
}

/* The domains' weights for the next step. Accuracy is that of the scored
   proposals, or before there are any, that of the training batch. */
static void move_weights(struct searching *s,
                         const struct nas_supernet_seen *seen,
                         const double *accuracy)
{
    int classes[SY_MAX_DOMAINS];
    struct nas_weighting_step step = {.domains = s->domains,
                                      .loss = seen->loss,
                                      .accuracy = accuracy,
                                      .classes = classes};
    for (int d = 0; d < s->domains; d++) {
        classes[d] = s->net.network->domain[d].classes;
    }
    nas_weighting_update(&s->config.train.weighting, &step, s->weight_state,
                         s->weight);
    /* A checkpoint holds floats: the next step sees what a resumed one sees. */
    for (int d = 0; d < s->domains; d++) {
        s->weight[d] = (double)(float)s->weight[d];
    }
}

/* The step in the study; what was not scored is not known. */
static void note_step(const struct searching *s,
                      const struct nas_supernet_seen *seen, bool scored)
{
    for (int d = 0; d < s->domains; d++) {
        struct nas_study_step row = nas_study_nothing;
        const struct nas_controller *c = search_controller(s, d);
        row.loss = seen->loss[d];
        row.accuracy = seen->right[d];
        row.weight = s->weight[d];
        row.entropy = nas_controller_entropy_nats(c);
        row.cost = nas_cost_expected(&s->costs, d, c);
        for (int i = 0; scored && i < s->paths; i++) {
            int at = d * s->paths + i;
            struct nas_study_sample sample = {
                .path = &s->proposals[at].path,
                .accuracy = s->accuracy[at],
                .cost = nas_cost_proposal(&s->costs, d, &s->proposals[at]),
                .reward = s->reward[at],
            };
            row.reward = (i > 0 ? row.reward : 0) + s->reward[at] / s->paths;
            nas_study_add_sample(s->study, s->step, d, i, &sample);
        }
        nas_study_add_step(s->study, s->step, d, &row);
    }
}

enum sy_status search_step(struct searching *s, struct sy_error *err)
{
    struct nas_supernet_seen seen;
    double accuracy[SY_MAX_DOMAINS];
    double rate = nas_rate(search_options(s)->optimiser.rate,
                           s->config.train.warmup, s->step, s->steps);
    propose(s, 0, 1);
    SY_TRY(nas_supernet_train(&s->net, s->step, rate, s->proposals, s->weight,
                              &seen, err));
    bool scored = s->step >= first_scored(s);
    if (scored) {
        SY_TRY(score_step(s, accuracy, err));
    }
    note_step(s, &seen, scored);
    move_weights(s, &seen, scored ? accuracy : seen.right);
    for (int d = 0; d < s->domains; d++) {
        nas_progress_domain(&s->progress, d, seen.loss[d], seen.right[d]);
    }
    return SY_OK;
}
