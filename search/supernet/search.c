/*
 * search.c - the search loop.
 *
 * DESIGN. As in training, a step is a function of (configuration, step,
 * state); `struct searching` is that state plus the memory for a step, and
 * what must survive is listed once, in describe_state.
 */
#include "search/supernet/search_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/train/checkpoint.h"
#include "search/train/identity.h"
#include "search/train/start.h"

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
        size_t count = s->controller[c].state_count;
        if (count > 0) {
            memcpy(at, s->controller[c].state, count * sizeof(float));
        }
        at += count;
    }
    for (int d = 0; d < s->domains; d++) {
        s->weight_saved[d] = (float)s->weight[d];
    }
    nas_study_flush(s->study);
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
        size_t count = s->controller[c].state_count;
        if (count > 0) {
            memcpy(s->controller[c].state, at, count * sizeof(float));
        }
        at += count;
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
    enum nas_cost_kind kind = search_options(s)->reward.cost;
    const struct sy_network *network = s->net.network;
    if (kind != NAS_COST_LATENCY) {
        nas_cost_from_network(&s->costs, network, kind);
        return SY_OK;
    }
    struct sy_latency *latency = sy_alloc_zero(1, sizeof *latency);
    if (latency == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    enum sy_status status = sy_latency_load(
        latency, search_options(s)->latency_table, &network->spec, err);
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
        SY_TRY(sy_hash_file(search_options(s)->latency_table, sha256, err));
    }
    s->about = nas_identity("search", &s->config, &s->net.data, s->net.network);
    return s->about != NULL &&
                   json_object_set_new(s->about, "latency_table_sha256",
                                       json_string(sha256)) == 0 &&
                   (s->job->start == NULL ||
                    json_object_set_new(s->about, "start",
                                        json_string(s->net.start_sha256)) ==
                        0) &&
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
        if (nas_cost_least(&s->costs, d, NULL) >
            search_options(s)->level[0][d]) {
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
                   s->config.domain[bad], search_options(s)->level[0][bad],
                   nas_cost_names[s->costs.kind], cheapest);
}

static enum sy_status make_controllers(struct searching *s,
                                       struct sy_error *err)
{
    const struct nas_search_config *options = search_options(s);
    int levels = 1;
    for (int d = 0; d < s->domains; d++) {
        levels = options->levels[d] > levels ? options->levels[d] : levels;
    }
    int wanted = options->common_path ? 1 : levels * s->domains;
    for (int c = 0; c < wanted; c++) {
        int level = c / s->domains, of = options->levels[c % s->domains];
        s->controller_count = c + 1;
        if (level >= of) {
            continue; /* the domain has no such target */
        }
        SY_TRY(nas_controller_init(&s->controller[c], &options->controller,
                                   &s->config.network, (s->steps + of - 1) / of,
                                   err));
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

double search_share_prefix(struct searching *s, int d, int level,
                           struct sy_path *path, enum nas_pick *pick)
{
    int layers = search_options(s)->shared_prefix;
    struct sy_path first;
    double cost = 0;
    if (level == 0 || layers == 0) {
        return 0;
    }
    if (s->chosen) {
        first = s->found[0][d];
    } else {
        nas_controller_result(search_controller_at(s, d, 0), &first);
    }
    for (int l = 0; l < layers && l < path->layer_count; l++) {
        path->block[l] = first.block[l];
        if (pick != NULL) {
            pick[l] = NAS_PICK_BLOCK;
        }
        cost += s->costs.block[l][first.block[l]];
    }
    return cost;
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

/* The history beside the checkpoint. Nothing depends on it. */
static void open_study(struct searching *s)
{
    char path[SY_PATH_BYTES];
    char *config = json_dumps(s->config.effective, JSON_COMPACT);
    struct nas_study_run run = {
        .label = NAS_SEARCH_LABEL,
        .identity = s->identity,
        .config = config,
        .seed = (int64_t)s->config.seed,
        .steps = s->steps,
        .domain_count = s->domains,
        .domain = (const char(*)[SY_NAME_BYTES])s->config.domain,
        .target = search_options(s)->target,
    };
    if (sy_path_join(path, sizeof path, s->job->run, NAS_STUDY_FILE, NULL) ==
        SY_OK) {
        s->study = nas_study_open(path);
        nas_study_begin(s->study, &run, s->step);
    }
    sy_free(config);
}

enum sy_status searching_open(struct searching *s, struct sy_error *err)
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
    if (job->start != NULL) {
        SY_TRY(nas_start_candidates(&s->config, job->start, err));
    }
    SY_TRY(nas_supernet_open(&s->net, &s->config, job->data, job->start,
                             s->pool, err));
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
    SY_TRY(make_run_folder(s, err));
    open_study(s);
    return SY_OK;
}

void searching_close(struct searching *s)
{
    for (int c = 0; c < s->controller_count; c++) {
        nas_controller_release(&s->controller[c]);
    }
    sy_free(s->controller_saved);
    sy_free(s->proposals);
    sy_free(s->accuracy);
    sy_free(s->reward);
    nas_study_close(s->study);
    nas_supernet_close(&s->net);
    sy_pool_free(s->pool);
    json_decref(s->about);
}

/* What a person sees of each domain: reward, entropy, expected cost. */
static void show(struct searching *s)
{
    int images = 0;
    for (int d = 0; d < s->domains; d++) {
        images += s->net.images[d];
    }
    for (int d = 0; d < s->domains; d++) {
        const struct nas_controller *c = search_controller(s, d);
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
        SY_TRY(search_step(s, err));
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
        status = search_result(s, report, err);
    }
out:
    searching_close(s);
    sy_free(s);
    return status;
}
