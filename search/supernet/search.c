/*
 * search.c - the search loop.
 *
 * DESIGN. As in training, a step is a function of (configuration, step,
 * state); `struct searching` is that state plus the memory for a step, and
 * what must survive is listed once, in describe_state.
 *
 * Proposals of step t are drawn from the streams (seed, PATH, t, domain and
 * slot): slot 0 is the one that is trained, 1 and on are scored. The scored
 * ones are drawn anew, so that no path is favoured because the weights have
 * just moved along it.
 */
#include "search/supernet/search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "domains/batch/order.h"
#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"
#include "search/supernet/supernet.h"
#include "search/train/checkpoint.h"
#include "search/train/identity.h"
#include "search/train/progress.h"

struct searching {
    const struct nas_search_job *job;
    struct nas_config config; /* the job's, with its held-out part held out */
    struct sy_pool *pool;
    struct nas_supernet net;
    struct nas_cost_table costs;
    struct nas_sharing sharing;

    int domains;
    int controller_count; /* 1 with a common path */
    struct nas_controller controller[SY_MAX_DOMAINS];
    size_t controller_floats; /* of all together */
    float *controller_saved;  /* their states, as the checkpoint has them */

    int paths;                      /* scored per domain and step */
    struct nas_proposal *proposals; /* domains x paths */
    double *accuracy, *reward;      /* of each proposal */

    float weight_state[SY_MAX_DOMAINS * NAS_WEIGHT_STATE_FLOATS];
    double weight[SY_MAX_DOMAINS];
    float weight_saved[SY_MAX_DOMAINS];

    int64_t step, steps;
    struct nas_progress progress;
    double shown_reward[SY_MAX_DOMAINS]; /* running means, for people */
    char checkpoint_path[SY_PATH_BYTES];
    json_t *about; /* owned */
    char identity[SY_HASH_TEXT_BYTES];
};

static const struct nas_search_config *options_of(const struct searching *s)
{
    return &s->config.search;
}

static struct nas_controller *controller_of(struct searching *s, int d)
{
    return &s->controller[s->controller_count == 1 ? 0 : d];
}

/* What a checkpoint holds, in one place for saving and loading. */
static struct nas_checkpoint describe_state(struct searching *s)
{
    struct nas_checkpoint state = {.step = s->step, .about = s->about};
    struct nas_supernet *net = &s->net;
    size_t count = net->network->value_count;
    memcpy(state.identity, s->identity, sizeof state.identity);
    nas_checkpoint_add(&state, "values", net->network->values, count);
    nas_checkpoint_add(&state, "optimiser.0", net->optimiser.slot[0], count);
    if (nas_optimiser_slots(&net->optimiser) > 1) {
        nas_checkpoint_add(&state, "optimiser.1", net->optimiser.slot[1],
                           count);
    }
    nas_checkpoint_add(&state, "controllers", s->controller_saved,
                       s->controller_floats);
    nas_checkpoint_add(&state, "weighting.state", s->weight_state,
                       SY_MAX_DOMAINS * NAS_WEIGHT_STATE_FLOATS);
    nas_checkpoint_add(&state, "weighting.weights", s->weight_saved,
                       SY_MAX_DOMAINS);
    return state;
}

static enum sy_status save_checkpoint(struct searching *s, struct sy_error *err)
{
    float *at = s->controller_saved;
    for (int c = 0; c < s->controller_count; c++) {
        memcpy(at, s->controller[c].state,
               s->controller[c].state_count * sizeof(float));
        at += s->controller[c].state_count;
    }
    for (int d = 0; d < s->domains; d++) {
        s->weight_saved[d] = (float)s->weight[d];
    }
    struct nas_checkpoint state = describe_state(s);
    if (!nas_checkpoint_finite(&state)) {
        sy_log_warn("step %lld: weights are not finite; the checkpoint before "
                    "it stays",
                    (long long)s->step);
        return SY_OK; /* the next loss says whose they are */
    }
    return nas_checkpoint_save(&state, s->checkpoint_path, err);
}

static enum sy_status load_checkpoint(struct searching *s, struct sy_error *err)
{
    struct nas_checkpoint state = describe_state(s);
    if (access(s->checkpoint_path, F_OK) != 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: there is no checkpoint to resume from; start "
                       "without --resume",
                       s->checkpoint_path);
    }
    SY_TRY(nas_checkpoint_load(&state, s->checkpoint_path, err));
    if (state.step < 0 || state.step > s->steps) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: step %lld is not one of the %lld of this run",
                       s->checkpoint_path, (long long)state.step,
                       (long long)s->steps);
    }
    s->step = state.step;
    const float *at = s->controller_saved;
    for (int c = 0; c < s->controller_count; c++) {
        memcpy(s->controller[c].state, at,
               s->controller[c].state_count * sizeof(float));
        at += s->controller[c].state_count;
    }
    for (int d = 0; d < s->domains; d++) {
        s->weight[d] = (double)s->weight_saved[d];
    }
    sy_log_info("resuming at step %lld of %lld", (long long)s->step,
                (long long)s->steps);
    return SY_OK;
}

/* The table of costs that the reward asks for. */
static enum sy_status make_costs(struct searching *s, struct sy_error *err)
{
    enum nas_cost_kind kind = options_of(s)->reward.cost;
    const struct sy_network *network = s->net.network;
    if (kind != NAS_COST_LATENCY) {
        nas_cost_from_network(&s->costs, network, kind);
        return SY_OK;
    }
    struct nas_latency *latency = sy_alloc_zero(1, sizeof *latency);
    if (latency == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    enum sy_status status = nas_latency_load(
        latency, options_of(s)->latency_table, &network->spec, err);
    if (status == SY_OK) {
        nas_cost_from_latency(&s->costs, network, latency);
    }
    sy_free(latency);
    return status;
}

/* What makes it the same search; a latency table by its content. */
static enum sy_status identify(struct searching *s, struct sy_error *err)
{
    char sha256[SY_HASH_TEXT_BYTES] = "";
    if (s->costs.kind == NAS_COST_LATENCY) {
        SY_TRY(sy_hash_file(options_of(s)->latency_table, sha256, err));
    }
    s->about = nas_identity("search", &s->config, &s->net.data, s->net.network);
    return s->about != NULL &&
                   json_object_set_new(s->about, "latency_table_sha256",
                                       json_string(sha256)) == 0 &&
                   sy_json_hash(s->about, s->identity)
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "search: no memory");
}

/* Every domain has a path at or below its target. */
static enum sy_status check_targets(const struct searching *s,
                                    struct sy_error *err)
{
    char cheapest[SY_ERROR_BYTES / 2] = "";
    size_t used = 0;
    int bad = -1;
    for (int d = s->domains - 1; d >= 0; d--) {
        if (nas_cost_least(&s->costs, d, NULL) > options_of(s)->target[d]) {
            bad = d;
        }
    }
    if (bad < 0) {
        return SY_OK;
    }
    for (int d = 0; d < s->domains && used < sizeof cheapest; d++) {
        used += (size_t)snprintf(cheapest + used, sizeof cheapest - used,
                                 "%s%s %.0f", d > 0 ? ", " : "",
                                 s->config.domain[d],
                                 nas_cost_least(&s->costs, d, NULL));
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "search.target: no path of \"%s\" has at most %.0f %s; the "
                   "cheapest paths have: %s",
                   s->config.domain[bad], options_of(s)->target[bad],
                   nas_cost_names[s->costs.kind], cheapest);
}

static enum sy_status make_controllers(struct searching *s,
                                       struct sy_error *err)
{
    const struct nas_search_config *options = options_of(s);
    int wanted = options->common_path ? 1 : s->domains;
    for (int c = 0; c < wanted; c++) {
        SY_TRY(nas_controller_init(&s->controller[c], &options->controller,
                                   &s->config.network, s->steps, err));
        s->controller_count = c + 1;
        s->controller_floats += s->controller[c].state_count;
    }
    s->controller_saved = sy_alloc_zero(s->controller_floats, sizeof(float));
    s->paths = options->reward_paths;
    size_t count = (size_t)s->domains * (size_t)s->paths;
    s->proposals = sy_alloc_zero(count, sizeof *s->proposals);
    s->accuracy = sy_alloc_zero(count, sizeof *s->accuracy);
    s->reward = sy_alloc_zero(count, sizeof *s->reward);
    return s->controller_saved != NULL && s->proposals != NULL &&
                   s->accuracy != NULL && s->reward != NULL
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "search: no memory");
}

/* The folder is made before the first step, so that one who cannot write
   there is told now. */
static enum sy_status make_run_folder(struct searching *s, struct sy_error *err)
{
    const struct nas_search_job *job = s->job;
    SY_TRY(sy_path_join(s->checkpoint_path, sizeof s->checkpoint_path, job->run,
                        "checkpoint.safetensors", err));
    if (job->resume) {
        return load_checkpoint(s, err);
    }
    SY_TRY(sy_dir_make(job->run, err));
    if (access(s->checkpoint_path, F_OK) == 0) {
        sy_log_warn("%s: an earlier run has left a checkpoint, which the "
                    "first one of this run replaces; --resume continues it",
                    s->checkpoint_path);
    }
    return SY_OK;
}

static enum sy_status searching_open(struct searching *s, struct sy_error *err)
{
    const struct nas_search_job *job = s->job;
    if (!job->config->search.given) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: search is missing: the section that says what to "
                       "look for",
                       job->config->name);
    }
    s->config = *job->config;
    s->config.train.use_holdout = false;
    SY_TRY(sy_pool_new(&s->pool, job->threads, err));
    SY_TRY(nas_supernet_open(&s->net, &s->config, job->data, s->pool, err));
    s->domains = s->net.data.count;
    s->steps =
        nas_data_steps(&s->net.data, s->net.images, s->config.search.passes);
    SY_TRY(make_costs(s, err));
    nas_sharing_init(&s->sharing, s->net.network);
    SY_TRY(check_targets(s, err));
    SY_TRY(make_controllers(s, err));
    SY_TRY(identify(s, err));
    s->progress.domains = s->domains;
    for (int d = 0; d < s->domains; d++) {
        s->weight[d] = 1.0;
        s->progress.name[d] = s->config.domain[d];
    }
    return make_run_folder(s, err);
}

static void searching_close(struct searching *s)
{
    for (int c = 0; c < s->controller_count; c++) {
        nas_controller_release(&s->controller[c]);
    }
    sy_free(s->controller_saved);
    sy_free(s->proposals);
    sy_free(s->accuracy);
    sy_free(s->reward);
    nas_supernet_close(&s->net);
    sy_pool_free(s->pool);
    json_decref(s->about);
}

/* Shares of replaced layers at this step: each falls in a line to 0. */
static struct nas_warmup warmup_at(const struct searching *s)
{
    double done = (double)s->step / (double)s->steps;
    double mean = options_of(s)->op_warmup;
    double widest = options_of(s)->width_warmup;
    return (struct nas_warmup){
        .mean_share = mean > 0 ? fmax(0.0, 1.0 - done / mean) : 0.0,
        .widest_share = widest > 0 ? fmax(0.0, 1.0 - done / widest) : 0.0,
    };
}

/* Draws proposals of all domains: slots first..first+count-1. */
static void propose(struct searching *s, int first, int count)
{
    struct nas_warmup warmup = warmup_at(s);
    for (int d = 0; d < s->domains; d++) {
        int whose = s->controller_count == 1 ? 0 : d;
        for (int i = 0; i < count; i++) {
            struct sy_rng rng =
                sy_rng_stream(s->config.seed, SY_RNG_PATH, (uint64_t)s->step,
                              dom_slot((uint32_t)whose, first + i));
            nas_controller_propose(&s->controller[whose], &warmup, &rng,
                                   &s->proposals[d * count + i]);
        }
    }
}

/* From accuracies to rewards, proposal by proposal. */
static void make_rewards(struct searching *s)
{
    const struct nas_reward_config *config = &options_of(s)->reward;
    bool sharing = config->sharing > 0 && s->controller_count > 1;
    for (int i = 0; i < s->paths; i++) {
        double row[SY_MAX_DOMAINS];
        for (int d = 0; d < s->domains; d++) {
            int at = d * s->paths + i;
            const struct nas_proposal *proposal = &s->proposals[at];
            row[d] = nas_reward(config, s->accuracy[at],
                                nas_cost_proposal(&s->costs, d, proposal),
                                options_of(s)->target[d]);
            if (sharing) {
                row[d] -=
                    config->sharing *
                    nas_private_share(&s->sharing, s->controller, d, proposal);
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
            s->reward[i] = sum / s->domains;
        }
    }
    for (int c = 0; c < s->controller_count; c++) {
        nas_controller_update(&s->controller[c], s->step,
                              &s->proposals[c * s->paths],
                              &s->reward[c * s->paths], s->paths);
    }
}

/* The first step that is scored: a little before controllers may learn. */
static int64_t first_scored(const struct searching *s)
{
    const struct nas_controller_config *config = &options_of(s)->controller;
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

static enum sy_status do_step(struct searching *s, struct sy_error *err)
{
    struct nas_supernet_seen seen;
    double accuracy[SY_MAX_DOMAINS];
    double rate = nas_rate(options_of(s)->optimiser.rate,
                           s->config.train.warmup, s->step, s->steps);
    propose(s, 0, 1);
    SY_TRY(nas_supernet_train(&s->net, s->step, rate, s->proposals, s->weight,
                              &seen, err));
    bool scored = s->step >= first_scored(s);
    if (scored) {
        SY_TRY(score_step(s, accuracy, err));
    }
    move_weights(s, &seen, scored ? accuracy : seen.right);
    for (int d = 0; d < s->domains; d++) {
        nas_progress_domain(&s->progress, d, seen.loss[d], seen.right[d]);
    }
    return SY_OK;
}

/* What a person sees of each domain: reward, entropy, expected cost. */
static void show(struct searching *s)
{
    int images = 0;
    for (int d = 0; d < s->domains; d++) {
        images += s->net.images[d];
    }
    for (int d = 0; d < s->domains; d++) {
        const struct nas_controller *c = controller_of(s, d);
        nas_progress_note(&s->progress, d, "r %.3f H %.0f%% c %.3g",
                          s->shown_reward[d], 100 * nas_controller_entropy(c),
                          nas_cost_expected(&s->costs, d, c));
    }
    nas_progress_step(&s->progress, s->step, images);
}

/* All steps that are left, with checkpoints; SY_CANCELLED when stopped. */
static enum sy_status run_steps(struct searching *s, struct sy_error *err)
{
    int64_t saved_ns = sy_now_ns();
    int64_t every_ns = (int64_t)(s->config.train.checkpoint_every_s * 1e9);
    while (s->step < s->steps) {
        SY_TRY(do_step(s, err));
        show(s);
        s->step++;
        bool stop = s->job->stop != NULL && *s->job->stop != 0;
        if (stop || s->step == s->steps ||
            (every_ns > 0 && sy_now_ns() - saved_ns >= every_ns)) {
            SY_TRY(save_checkpoint(s, err));
            saved_ns = sy_now_ns();
        }
        if (stop) {
            return sy_fail(err, SY_CANCELLED,
                           "stopped after step %lld of %lld; the same command "
                           "with --resume goes on from there",
                           (long long)s->step, (long long)s->steps);
        }
    }
    return SY_OK;
}

/* Where the paths come from, for model.json. Owned; NULL: no memory. */
static json_t *make_provenance(const struct searching *s)
{
    json_t *data = json_object_get(s->about, "data");
    return json_pack("{s:s, s:O, s:I, s:I, s:O, s:s}", "config_sha256",
                     s->config.hash, "config", s->config.effective, "seed",
                     (json_int_t)s->config.seed, "steps", (json_int_t)s->steps,
                     "data_sha256", data, "program", "switchyard " SY_VERSION);
}

static enum sy_status save_paths(const struct searching *s,
                                 struct nas_search_report *report,
                                 struct sy_error *err)
{
    enum sy_status status = SY_OK;
    json_t *root = NULL;
    struct sy_paths *paths = sy_alloc_zero(1, sizeof *paths);
    if (paths == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    for (int d = 0; d < s->domains; d++) {
        struct sy_paths_entry *entry = &paths->entry[paths->count++];
        memcpy(entry->domain, report->domain[d].name, sizeof entry->domain);
        memcpy(entry->expert, "main", sizeof "main");
        entry->path = report->domain[d].path;
        entry->madds = report->domain[d].size.madds;
        entry->params = report->domain[d].size.params;
    }
    root = sy_paths_to_json(paths);
    if (root == NULL ||
        json_object_set_new(root, "search", make_provenance(s)) != 0) {
        status = sy_fail(err, SY_NO_MEMORY, "search: no memory");
        goto out;
    }
    SY_TRY_OUT(sy_path_join(report->paths_file, sizeof report->paths_file,
                            s->job->run, "paths.json", err));
    SY_TRY_OUT(sy_json_save(report->paths_file, root, err));
out:
    json_decref(root);
    sy_free(paths);
    return status;
}

/* The domains' paths, what they are worth, and paths.json. */
static enum sy_status finish(struct searching *s,
                             struct nas_search_report *report,
                             struct sy_error *err)
{
    struct sy_path path[SY_MAX_DOMAINS];
    double accuracy[SY_MAX_DOMAINS];
    report->steps = s->steps;
    report->domain_count = s->domains;
    for (int d = 0; d < s->domains; d++) {
        nas_controller_result(controller_of(s, d), &path[d]);
    }
    SY_TRY(nas_supernet_accuracy(&s->net, path, accuracy, err));
    for (int d = 0; d < s->domains; d++) {
        double target = options_of(s)->target[d];
        double cost = nas_cost_path(&s->costs, d, &path[d]);
        double entropy = nas_controller_entropy(controller_of(s, d));
        memcpy(report->domain[d].name, s->config.domain[d],
               sizeof report->domain[d].name);
        report->domain[d].path = path[d];
        report->domain[d].size =
            sy_network_path_cost(s->net.network, &path[d], d);
        report->domain[d].cost = cost;
        report->domain[d].target = target;
        report->domain[d].accuracy = accuracy[d];
        report->domain[d].reward =
            nas_reward(&options_of(s)->reward, accuracy[d], cost, target);
        report->domain[d].entropy = entropy;
        report->entropy += entropy / s->domains;
    }
    if (report->entropy > NAS_SEARCH_UNDECIDED &&
        options_of(s)->controller.kind != NAS_CONTROLLER_RANDOM) {
        sy_log_warn("the controllers have not decided: their entropy is %.0f%% "
                    "of its start, and above %.0f%% what they found is noise; "
                    "search longer, or raise search.controller.travel",
                    100 * report->entropy, 100 * NAS_SEARCH_UNDECIDED);
    }
    return save_paths(s, report, err);
}

enum sy_status nas_search(const struct nas_search_job *job,
                          struct nas_search_report *report,
                          struct sy_error *err)
{
    enum sy_status status = SY_OK;
    int64_t begin_ns = 0;
    struct searching *s = sy_alloc_zero(1, sizeof *s);
    memset(report, 0, sizeof *report);
    if (s == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    s->job = job;
    SY_TRY_OUT(searching_open(s, err));
    begin_ns = sy_now_ns();
    nas_progress_begin(&s->progress, s->step, s->steps, job->quiet);
    status = run_steps(s, err);
    nas_progress_end(&s->progress);
    report->seconds = (double)(sy_now_ns() - begin_ns) / 1e9;
    if (report->seconds > 0) {
        report->images_per_s = (double)s->progress.images / report->seconds;
    }
    if (status == SY_OK) {
        status = finish(s, report, err);
    }
out:
    searching_close(s);
    sy_free(s);
    return status;
}
