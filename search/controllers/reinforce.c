/*
 * reinforce.c - the controller of TuNAS: independent categorical choices,
 * REINFORCE, and its variant of Adam.
 *
 * Logits l start at 0; a layer's probabilities are p = softmax(l). With the
 * proposals s of an update, scored on the same images, their choices c_s and
 * rewards R_s:
 *
 *   b   = EMA of the mean reward, debiased: num/den with
 *         num = mu num + (1 - mu) mean R,  den = mu den + (1 - mu)
 *   A_s = R_s - b, or with `batch_baseline` and several proposals
 *         R_s - mean of the other R
 *   g_s = -A_s (1[j = c_s] - p_j) where the layer was not replaced, else 0
 *   g   = mean_s g_s;  v = b2 v + (1 - b2) mean_s g_s^2   (b2 = 0.999)
 *   l  -= rate sqrt(1 - b2^t) g / (sqrt(v) + eps)         (b1 = 0)
 *   l  += rate * entropy * dH/dl,  dH/dl_j = -p_j (ln p_j + H)
 *
 * The squares are taken before the mean, so that averaging more proposals
 * makes calmer steps and not larger ones. Mean, squares and their debiasing
 * also run while the rate is 0.
 *
 * DESIGN: why `batch_baseline`. The moving mean knows how hard images are on
 * the whole; how hard these ones are is noise that all proposals of an update
 * share, and that is larger than what separates two paths: on 64 images with
 * an accuracy of 0.8 it has a deviation of 0.05. The mean of the *other*
 * proposals takes it away and leaves the gradient unbiased, since it does not
 * depend on the proposal whose reward it judges.
 *
 * State: logits, squares, num, den, number of updates.
 *
 * Source: G. Bender et al., "Can Weight Sharing Outperform Random
 * Architecture Search? An Investigation With TuNAS", CVPR 2020.
 */
#include <math.h>

#include "search/controllers/controller.h"

static const double beta2 = 0.999;
static const double epsilon = 1e-8;

enum { NUMERATOR, DENOMINATOR, UPDATES, SCALARS };

static size_t state_count(const struct nas_controller *c)
{
    return 2 * (size_t)c->choice_count + SCALARS;
}

static float *logits_of(const struct nas_controller *c, int layer)
{
    return c->state + c->first[layer];
}

static float *squares_of(const struct nas_controller *c, int layer)
{
    return c->state + c->choice_count + c->first[layer];
}

static float *scalars_of(const struct nas_controller *c)
{
    return c->state + 2 * c->choice_count;
}

static void probabilities(const struct nas_controller *c, int layer, double *p)
{
    const float *logit = logits_of(c, layer);
    int count = c->choices[layer];
    double most = (double)logit[0];
    double sum = 0;
    for (int i = 1; i < count; i++) {
        most = (double)logit[i] > most ? (double)logit[i] : most;
    }
    for (int i = 0; i < count; i++) {
        p[i] = exp((double)logit[i] - most);
        sum += p[i];
    }
    for (int i = 0; i < count; i++) {
        p[i] /= sum;
    }
}

/* Takes the rewards into the moving mean, and returns it. */
static double move_baseline(struct nas_controller *c, double mean)
{
    float *scalars = scalars_of(c);
    double mu = c->config.baseline;
    double num = mu * (double)scalars[NUMERATOR] + (1.0 - mu) * mean;
    double den = mu * (double)scalars[DENOMINATOR] + (1.0 - mu);
    scalars[NUMERATOR] = (float)num;
    scalars[DENOMINATOR] = (float)den;
    return num / den;
}

/* One logit's distance from its own weight in the entropy. */
static double entropy_slope(const double *p, int count, int choice)
{
    double entropy = 0;
    for (int i = 0; i < count; i++) {
        entropy -= p[i] > 0 ? p[i] * log(p[i]) : 0;
    }
    double own = p[choice] > 0 ? log(p[choice]) : 0;
    return -p[choice] * (own + entropy);
}

/* What an update knows when it comes to a layer. */
struct lesson {
    const struct nas_proposal *proposals;
    const double *rewards;
    int count;
    double baseline, total; /* total: of all rewards */
    double rate, debias;
};

static double advantage(const struct nas_controller *c,
                        const struct lesson *lesson, int s)
{
    double reward = lesson->rewards[s];
    if (c->config.batch_baseline && lesson->count > 1) {
        return reward - (lesson->total - reward) / (lesson->count - 1);
    }
    return reward - lesson->baseline;
}

static void update_layer(struct nas_controller *c, const struct lesson *lesson,
                         int layer)
{
    double p[SY_MAX_BLOCKS];
    float *logit = logits_of(c, layer);
    float *square = squares_of(c, layer);
    probabilities(c, layer, p);
    for (int j = 0; j < c->choices[layer]; j++) {
        double mean = 0;
        double mean_square = 0;
        for (int s = 0; s < lesson->count; s++) {
            const struct nas_proposal *proposal = &lesson->proposals[s];
            if (proposal->pick[layer] != NAS_PICK_BLOCK) {
                continue;
            }
            double own = proposal->path.block[layer] == j ? 1.0 : 0.0;
            double g = -advantage(c, lesson, s) * (own - p[j]);
            mean += g / lesson->count;
            mean_square += g * g / lesson->count;
        }
        double v = beta2 * (double)square[j] + (1.0 - beta2) * mean_square;
        double moved = (double)logit[j] - lesson->rate * lesson->debias * mean /
                                              (sqrt(v) + epsilon);
        if (c->config.entropy > 0) {
            moved += lesson->rate * c->config.entropy *
                     entropy_slope(p, c->choices[layer], j);
        }
        square[j] = (float)v;
        logit[j] = (float)moved;
    }
}

static void update(struct nas_controller *c, int64_t step,
                   const struct nas_proposal *proposals, const double *rewards,
                   int count)
{
    float *scalars = scalars_of(c);
    double total = 0;
    for (int s = 0; s < count; s++) {
        total += rewards[s];
    }
    scalars[UPDATES] += 1.0f;
    struct lesson lesson = {
        .proposals = proposals,
        .rewards = rewards,
        .count = count,
        .baseline = move_baseline(c, total / count),
        .total = total,
        .rate = nas_controller_rate(&c->config, step, c->steps),
        .debias = sqrt(1.0 - pow(beta2, (double)scalars[UPDATES])),
    };
    for (int l = 0; l < c->layer_count; l++) {
        update_layer(c, &lesson, l);
    }
}

/* The most probable choice of each layer; ties go to the first. */
static void result(const struct nas_controller *c, struct sy_path *path)
{
    for (int l = 0; l < c->layer_count; l++) {
        const float *logit = logits_of(c, l);
        int best = 0;
        for (int i = 1; i < c->choices[l]; i++) {
            best = logit[i] > logit[best] ? i : best;
        }
        path->block[l] = best;
    }
}

const struct nas_controller_type nas_controller_reinforce = {
    .state_count = state_count,
    .probabilities = probabilities,
    .update = update,
    .result = result,
};
