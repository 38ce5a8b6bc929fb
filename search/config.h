/*
 * config.h - the configuration of a search or training job, checked.
 *
 * One JSON file, docs/configuration.md lists every key with its default. The
 * command line changes single keys with --set KEY=VALUE before anything is
 * read, so an override is checked exactly like the file.
 *
 * Thread: init.
 */
#ifndef NAS_CONFIG_H
#define NAS_CONFIG_H

#include <jansson.h>

#include "runtime/base/hash.h"
#include "runtime/network/network.h"
#include "search/controllers/controller.h"
#include "search/rewards/reward.h"
#include "search/routing/fit.h"
#include "search/routing/root.h"
#include "search/supernet/evolve.h"
#include "search/train/optimiser.h"
#include "search/weights/weights.h"

/* How training goes; "train" in the file. */
struct nas_train_config {
    double epochs;      /* passes over all training images of all domains */
    int batch;          /* images per domain and step, on average */
    double warmup;      /* share of all steps with a rising rate */
    double smoothing;   /* label smoothing */
    double ema;         /* decay of the average of the weights; 0 = off */
    double holdout;     /* share of train kept for validation */
    bool use_holdout;   /* train on the held-out part too, but for: */
    double calibration; /* least share that is never trained on */
    bool balance_classes;
    bool balance_domains; /* equal batches, else by number of images */
    int shift, cutout;    /* pixels */
    double norm_momentum;
    double checkpoint_every_s;
    int shards;
    struct nas_optimiser_config optimiser;
    struct nas_weighting_config weighting;
    double distil; /* share of imitation in the loss of cheaper experts */
    struct nas_route_config routes;
    struct nas_root_config root;
};

enum { NAS_CONFIG_FILE_BYTES = 1024, NAS_MAX_TARGETS = 4 };

/* How a search goes; "search" in the file. */
struct nas_search_config {
    bool given;    /* the file has this section */
    double passes; /* over all training images; "search_passes" */
    /*
     * Of the costs below, in their unit; 0: none is given. A domain may have
     * several, rising, of which `target` is the last: level[k] for k below
     * `levels` of it. A path is looked for for each.
     */
    double target[SY_MAX_DOMAINS];
    int levels[SY_MAX_DOMAINS];
    double level[NAS_MAX_TARGETS][SY_MAX_DOMAINS];
    int shared_prefix; /* layers that all paths of a domain have in common */
    struct nas_reward_config reward;
    struct nas_controller_config controller;
    double op_warmup;      /* share of the steps in which the share of */
    double width_warmup;   /* replaced layers falls to 0: from this one, */
    double op_warmup_from; /* or from 1 */
    int reward_batch;      /* held-out images per domain and step */
    int reward_paths;      /* proposals that are scored on them */
    int final_paths;       /* of which the result is the best */
    struct nas_evolution_options ensemble; /* of paths beside these */
    bool common_path; /* one controller and one path for all domains */
    char latency_table[NAS_CONFIG_FILE_BYTES]; /* where cost is latency */
    struct nas_optimiser_config optimiser;     /* of the supernet's weights */
};

enum { NAS_COMPARE_SEEDS = 16, NAS_COMPARE_RATES = 8, NAS_COMPARE_RANDOM = 32 };

/* See search/compare/compare.h. */
enum nas_strategy {
    NAS_INDEPENDENT,
    NAS_SINGLE_PATH_MULTI_HEAD,
    NAS_SINGLE_PATH_JOINT,
    NAS_MULTI_HEAD_NAS,
    NAS_MPNAS,
    NAS_STRATEGIES
};

extern const char *const nas_strategy_names[NAS_STRATEGIES + 1];

/* What `compare` sets side by side; "compare" in the file. */
struct nas_compare_config {
    bool given;    /* the file has this section */
    double target; /* of `independent`, in the unit of the reward's cost */
    double share;  /* of it that the paths of all other strategies may cost */
    /* The fixed path of the single-path strategies, and the domain on whose
       images it is trained for the frozen one (of DIR, in `domains` or not). */
    char backbone[SY_PATH_TEXT_BYTES];
    char pretrain[SY_NAME_BYTES];
    bool runs[NAS_STRATEGIES];
    int seed_count;
    int64_t seed[NAS_COMPARE_SEEDS];
    /* Learning rates of which the best on held-out images of some domains is
       taken for all strategies; none: train.optimiser.rate. */
    int rate_count;
    double rate[NAS_COMPARE_RATES];
    int rate_domain_count;
    char rate_domain[SY_MAX_DOMAINS][SY_NAME_BYTES];
    double rate_passes;
    int loss_count; /* of the ablation, on the paths that MPNAS has found */
    enum nas_weighting loss[NAS_WEIGHTINGS];
    int random_paths;  /* networks of random paths beside the found ones */
    int without_count; /* a second mean leaves these domains out */
    char without[SY_MAX_DOMAINS][SY_NAME_BYTES];
};

struct nas_config {
    char name[SY_NAME_BYTES];
    uint64_t seed;
    int domain_count;
    char domain[SY_MAX_DOMAINS][SY_NAME_BYTES];
    bool flip[SY_MAX_DOMAINS]; /* mirrored images keep their class */
    struct sy_network_spec network;
    /* Paths for domains 0, 1, ...; further domains begin again at 0. Texts
       that the network's spec has parsed once. May be empty. */
    int path_count;
    char path[SY_MAX_DOMAINS][SY_PATH_TEXT_BYTES];
    double fraction[SY_MAX_DOMAINS]; /* of the training images, in (0, 1] */
    struct nas_train_config train;
    struct nas_search_config search;
    struct nas_compare_config compare;

    json_t *effective;             /* the file with overrides, owned */
    char hash[SY_HASH_TEXT_BYTES]; /* of `effective`, keys sorted */
};

/*
 * Reads `path`, applies `set_count` overrides "a.b.c=VALUE" (VALUE is JSON,
 * or a bare word taken as text; a number indexes an array) and checks all.
 * On success the config owns `effective`: nas_config_release.
 */
enum sy_status nas_config_load(struct nas_config *config, const char *path,
                               const char *const *set, int set_count,
                               struct sy_error *err) SY_MUST_USE;

/* The same for JSON in memory, which is taken also on failure; `path` stands
   for it in messages. */
enum sy_status nas_config_take(struct nas_config *config, json_t *root,
                               const char *path, const char *const *set,
                               int set_count, struct sy_error *err) SY_MUST_USE;
void nas_config_release(struct nas_config *config);

/* Applies one override to a JSON object. */
enum sy_status nas_config_set(json_t *root, const char *assignment,
                              struct sy_error *err) SY_MUST_USE;

#endif
