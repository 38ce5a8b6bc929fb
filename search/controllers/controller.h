/*
 * controller.h - who decides which path a domain tries next.
 *
 * A search has one controller per domain. It proposes paths, is told the
 * reward of each, and in the end names the path it has found. A member is one
 * file of this folder and one line of the table:
 *
 *   reinforce  TuNAS (Bender et al., CVPR 2020): one independent categorical
 *              distribution per layer, its logits moved by REINFORCE
 *   random     every path alike; the result is the best one that was seen.
 *              The opponent that a controller has to beat
 *
 * Warm-up. Early in a search the weights are worth little, and a controller
 * that learned from them would learn which blocks train fast. So a layer of a
 * proposal may be *replaced*, each layer by its own draw: with probability
 * `mean_share` by the mean of all its candidates (they all get gradients),
 * else with probability `widest_share` by the candidate with the most
 * channels inside. The second is the filter warm-up of TuNAS, where narrow
 * filters are a part of the wide ones and are trained along with them; our
 * candidates own their weights, so it has a meaning only where candidates of
 * a layer differ in width and the wide ones need a longer training. A
 * controller learns nothing about a replaced layer.
 *
 * State is floats, for checkpoints; it is rounded after every update, so that
 * a resumed search goes on to the same bits.
 *
 * Thread: one at a time.
 */
#ifndef NAS_CONTROLLERS_CONTROLLER_H
#define NAS_CONTROLLERS_CONTROLLER_H

#include "runtime/base/rng.h"
#include "runtime/network/path.h"

enum nas_controller_kind {
    NAS_CONTROLLER_REINFORCE,
    NAS_CONTROLLER_RANDOM,
    NAS_CONTROLLERS
};

extern const char *const nas_controller_names[NAS_CONTROLLERS + 1];

struct nas_controller_config {
    enum nas_controller_kind kind;
    double travel;       /* sum of the rates of all steps */
    double growth;       /* the last step's rate over the first one's */
    double delay;        /* share of the steps, from the start, at rate 0 */
    double baseline;     /* decay of the moving mean of rewards */
    bool batch_baseline; /* else: the moving mean also where others are there */
    double entropy;      /* weight of the entropy among the rewards */
};

struct nas_controller_config nas_controller_defaults(void);

/* What stands at a layer of a proposal. */
enum nas_pick { NAS_PICK_BLOCK, NAS_PICK_MEAN, NAS_PICK_WIDEST };

struct nas_proposal {
    struct sy_path path; /* of a layer with NAS_PICK_MEAN: one of its blocks */
    enum nas_pick pick[SY_MAX_LAYERS];
};

struct nas_controller_type;

/* Read freely; changed by the functions below only. */
struct nas_controller {
    const struct nas_controller_type *type;
    struct nas_controller_config config;
    int64_t steps; /* of the whole search */
    int layer_count;
    int choices[SY_MAX_LAYERS];
    int first[SY_MAX_LAYERS]; /* of a layer's choices among all */
    int widest[SY_MAX_LAYERS];
    int choice_count; /* of all layers together */
    size_t state_count;
    float *state; /* owned; the member says what it holds */
};

struct nas_controller_type {
    size_t (*state_count)(const struct nas_controller *controller);
    /* Probabilities of all choices of a layer. */
    void (*probabilities)(const struct nas_controller *controller, int layer,
                          double *p);
    /* Rewards of `count` proposals that were scored on the same images. */
    void (*update)(struct nas_controller *controller, int64_t step,
                   const struct nas_proposal *proposals, const double *rewards,
                   int count);
    void (*result)(const struct nas_controller *controller,
                   struct sy_path *path);
};

extern const struct nas_controller_type nas_controller_reinforce,
    nas_controller_random;

/*
 * A controller at its start over the candidates of `spec`, for a search of
 * `steps` > 0 updates. Owned: nas_controller_release.
 */
enum sy_status nas_controller_init(struct nas_controller *controller,
                                   const struct nas_controller_config *config,
                                   const struct sy_network_spec *spec,
                                   int64_t steps,
                                   struct sy_error *err) SY_MUST_USE;
void nas_controller_release(struct nas_controller *controller);

/* Shares of replaced layers, see above; zeros for none. */
struct nas_warmup {
    double mean_share, widest_share;
};

/* Draws a path. Borrows nothing. */
void nas_controller_propose(const struct nas_controller *controller,
                            const struct nas_warmup *warmup, struct sy_rng *rng,
                            struct nas_proposal *proposal);

/* Update number `step` of the search, from 0. */
void nas_controller_update(struct nas_controller *controller, int64_t step,
                           const struct nas_proposal *proposals,
                           const double *rewards, int count);

/* The path found so far. */
void nas_controller_result(const struct nas_controller *controller,
                           struct sy_path *path);

/* Probability of each choice of a layer: choices[layer] numbers. */
void nas_controller_probabilities(const struct nas_controller *controller,
                                  int layer, double *p);

/*
 * Entropy of the distribution over paths as a share of the largest possible:
 * 1 knows nothing, 0 has decided. A space of one path has 0.
 */
double nas_controller_entropy(const struct nas_controller *controller);

/* The same in nats, summed over layers. */
double nas_controller_entropy_nats(const struct nas_controller *controller);

/*
 * The learning rate of update `step` (reinforce):
 *
 *   rate(t) = 0                              for t < D = delay * steps
 *           = r0 growth^((t - D)/(steps - D))     afterwards
 *
 * with r0 such that the rates of all steps sum up to `travel`.
 *
 * Why. The Adam variant below divides a gradient by the root of its mean
 * square, so a step moves a logit by at most about its rate, and by exactly
 * that where the rewards agree: `travel` is how far a logit can go in the
 * whole search. It is what the published rates really fix: 3e-4 * 4096 / 256,
 * times ten over the last three quarters of 27,050 steps, is a travel of 381
 * for 128 rewards a step. A search of 1,500 steps with these rates would have
 * moved nothing; one with the same travel moves as far. With agreement a
 * (mean gradient over its root mean square, after averaging the proposals of
 * a step) a logit drifts by a * travel, while the noise carries it by about
 * travel / sqrt(steps * proposals): more travel decides faster, never better,
 * and more proposals on the same images decide better.
 */
double nas_controller_rate(const struct nas_controller_config *config,
                           int64_t step, int64_t steps);

#endif
