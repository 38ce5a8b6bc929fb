/*
 * trainer.c - the training loop.
 *
 * DESIGN. Everything a step does is a function of (config, step, state): the
 * loaders draw by step, the tape reduces in fixed trees, the optimiser works
 * element by element. `struct training` is that state plus the memory for a
 * step; what must survive is listed once, in describe_state.
 */
#include "search/train/trainer.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/tape/tape.h"
#include "search/routing/routes.h"
#include "search/study/study.h"
#include "search/train/build.h"
#include "search/train/checkpoint.h"
#include "search/train/heldout.h"
#include "search/train/identity.h"
#include "search/train/progress.h"
#include "search/train/start.h"

struct training {
    const struct nas_train_job *job;
    const struct nas_config *config;
    struct nas_config over; /* the job's, over the layers of job->start */
    struct sy_pool *pool;
    struct nas_data data;
    struct sy_network *network;
    struct sy_tape *tape;
    struct nas_optimiser optimiser;
    float *average; /* of the values, or NULL */
    float *grads;
    uint8_t *used;
    uint8_t *started; /* by tensor: begins with a number of job->start */
    char start_sha256[SY_HASH_TEXT_BYTES];

    int images[SY_MAX_DOMAINS]; /* per step */
    int segment_count;          /* one per expert */
    struct sy_segment *segment;
    float *pixels[SY_MAX_DOMAINS];
    int *labels[SY_MAX_DOMAINS];
    float weight_state[SY_MAX_DOMAINS * NAS_WEIGHT_STATE_FLOATS];
    double weight[SY_MAX_DOMAINS];
    float weight_saved[SY_MAX_DOMAINS];
    struct nas_heldout heldout;
    double accuracy[SY_MAX_DOMAINS]; /* of a measuring step */

    int64_t step, steps;
    struct nas_progress progress;
    struct nas_study *study; /* NULL: none is kept */
    char checkpoint_folder[SY_PATH_BYTES];
    char checkpoint_path[SY_PATH_BYTES];
    json_t *about;  /* owned */
    json_t *search; /* what paths.json says of its origin, owned, or NULL */
    char identity[SY_HASH_TEXT_BYTES];
};

/* What a checkpoint holds, in one place for saving and loading. */
static struct nas_checkpoint describe_state(struct training *t)
{
    struct nas_checkpoint state = {.step = t->step, .about = t->about};
    size_t count = t->network->value_count;
    memcpy(state.identity, t->identity, sizeof state.identity);
    nas_checkpoint_add(&state, "values", t->network->values, count);
    if (t->average != NULL) {
        nas_checkpoint_add(&state, "average", t->average, count);
    }
    nas_checkpoint_add(&state, "optimiser.0", t->optimiser.slot[0], count);
    if (nas_optimiser_slots(&t->optimiser) > 1) {
        nas_checkpoint_add(&state, "optimiser.1", t->optimiser.slot[1], count);
    }
    nas_checkpoint_add(&state, "weighting.state", t->weight_state,
                       SY_MAX_DOMAINS * NAS_WEIGHT_STATE_FLOATS);
    nas_checkpoint_add(&state, "weighting.weights", t->weight_saved,
                       SY_MAX_DOMAINS);
    return state;
}

static enum sy_status save_checkpoint(struct training *t, struct sy_error *err)
{
    for (int d = 0; d < t->data.count; d++) {
        t->weight_saved[d] = (float)t->weight[d];
    }
    nas_study_flush(t->study);
    struct nas_checkpoint state = describe_state(t);
    if (!nas_checkpoint_finite(&state)) {
        sy_log_warn("step %lld: weights are not finite; the checkpoint before "
                    "it stays",
                    (long long)t->step);
        return SY_OK; /* the next loss says whose they are */
    }
    return nas_checkpoint_save(&state, t->checkpoint_path, err);
}

static enum sy_status load_checkpoint(struct training *t, struct sy_error *err)
{
    struct nas_checkpoint state = describe_state(t);
    if (access(t->checkpoint_path, F_OK) != 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: there is no checkpoint to resume from; start "
                       "without --resume",
                       t->checkpoint_path);
    }
    SY_TRY(nas_checkpoint_load(&state, t->checkpoint_path, err));
    if (state.step < 0 || state.step > t->steps) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: step %lld is not one of the %lld of this run",
                       t->checkpoint_path, (long long)state.step,
                       (long long)t->steps);
    }
    t->step = state.step;
    for (int d = 0; d < t->data.count; d++) {
        t->weight[d] = (double)t->weight_saved[d];
    }
    return SY_OK;
}

/* Takes from paths.json where its paths come from, if it says so. */
static enum sy_status take_origin(struct training *t, struct sy_error *err)
{
    json_t *root = NULL;
    if (t->job->paths_file != NULL) {
        SY_TRY(sy_json_load(t->job->paths_file, &root, err));
        t->search = json_incref(json_object_get(root, "search"));
        json_decref(root);
    }
    const char *layers = json_string_value(
        json_object_get(json_object_get(t->search, "start"), "layers"));
    char here[SY_HASH_TEXT_BYTES];
    if (!nas_start_hash(t->config, here)) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    if (layers != NULL && strcmp(layers, here) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: its paths were found over other blocks: use the "
                       "configuration, --start and --domain of the search, "
                       "or search again, since the model has changed",
                       t->job->paths_file);
    }
    return SY_OK;
}

/* With one domain over a model, the candidates are those of both. */
static enum sy_status take_layers(struct training *t, struct sy_error *err)
{
    if (!t->job->one_domain) {
        return SY_OK;
    }
    if (t->job->paths_file == NULL || t->job->start == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "one domain of a model is trained on a path over that "
                       "model's blocks: give --start MODEL, and --paths of "
                       "`search --start MODEL --domain D`");
    }
    t->over = *t->config;
    SY_TRY(nas_start_candidates(&t->over, t->job->start, err));
    t->config = &t->over;
    return SY_OK;
}

/* Configuration, data and paths: what makes it the same run. */
static enum sy_status identify(struct training *t, struct sy_error *err)
{
    t->about = nas_identity("train", t->config, &t->data, t->network);
    if (t->job->start != NULL) {
        const char *how = t->job->one_domain ? "one_domain"
                          : t->job->freeze   ? "frozen"
                                             : "start";
        (void)json_object_set_new(t->about, how, json_string(t->start_sha256));
    }
    return t->about != NULL && sy_json_hash(t->about, t->identity)
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "training: no memory");
}

/* Memory for a step's images and labels; one segment per expert. */
static enum sy_status make_segments(struct training *t, struct sy_error *err)
{
    const struct sy_network *network = t->network;
    size_t image = sy_shape_floats(network->spec.input);
    t->segment_count = network->expert_count;
    t->segment = sy_alloc_zero((size_t)t->segment_count, sizeof *t->segment);
    bool enough = t->segment != NULL;
    for (int d = 0; d < t->data.count; d++) {
        size_t count = (size_t)t->images[d];
        t->pixels[d] = sy_alloc(count * image * sizeof(float));
        t->labels[d] = sy_alloc(count * sizeof(int));
        enough = enough && t->pixels[d] != NULL && t->labels[d] != NULL;
    }
    if (!enough) {
        return sy_fail(err, SY_NO_MEMORY,
                       "training: no memory for the images of a step");
    }
    for (int e = 0; e < t->segment_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        t->segment[e] =
            (struct sy_segment){.domain = expert->domain,
                                .count = t->images[expert->domain],
                                .path = &expert->path,
                                .images = t->pixels[expert->domain]};
    }
    return SY_OK;
}

/* The numbers that the network begins with, where a model gives them. */
static enum sy_status take_start(struct training *t, struct sy_error *err)
{
    if (t->job->start == NULL) {
        return SY_OK;
    }
    t->started = sy_alloc_zero((size_t)t->network->tensor_count, 1);
    if (t->started == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    return nas_start_from(t->network, t->job->start,
                          t->job->one_domain ? t->config->domain[0] : NULL,
                          t->started, t->start_sha256, err);
}

/* Gradients, optimiser and average. */
static enum sy_status make_state(struct training *t, struct sy_error *err)
{
    const struct nas_train_config *train = &t->config->train;
    struct sy_tape_options options = {
        .shards = train->shards,
        .frozen = t->job->freeze || t->job->one_domain ? t->started : NULL};
    size_t count = t->network->value_count;
    SY_TRY(sy_tape_new(&t->tape, t->network, t->pool, &options, err));
    SY_TRY(nas_optimiser_init(&t->optimiser, &train->optimiser, count, err));
    t->grads = sy_alloc_zero(count, sizeof(float));
    t->used = sy_alloc_zero((size_t)t->network->tensor_count, 1);
    if (train->ema > 0) {
        t->average = sy_alloc_zero(count, sizeof(float));
    }
    if (t->grads == NULL || t->used == NULL ||
        (train->ema > 0 && t->average == NULL)) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    if (t->average != NULL) {
        memcpy(t->average, t->network->values, count * sizeof(float));
    }
    for (int d = 0; d < t->data.count; d++) {
        t->weight[d] = 1.0;
    }
    return nas_weighting_uses_accuracy(train->weighting.kind)
               ? nas_heldout_init(&t->heldout, t->network, &t->data, err)
               : SY_OK;
}

/*
 * Where checkpoints of this model live. The folder is made before the first
 * step, so that one who cannot write there is told now and not at the end; a
 * run that resumes has nothing to make.
 */
static enum sy_status make_checkpoint_path(struct training *t,
                                           struct sy_error *err)
{
    SY_TRY(sy_path_join(t->checkpoint_folder, sizeof t->checkpoint_folder,
                        t->job->model, ".train", err));
    if (!t->job->resume) {
        SY_TRY(sy_dir_make(t->checkpoint_folder, err));
    }
    SY_TRY(sy_path_join(t->checkpoint_path, sizeof t->checkpoint_path,
                        t->checkpoint_folder, "checkpoint.safetensors", err));
    if (!t->job->resume && access(t->checkpoint_path, F_OK) == 0) {
        sy_log_warn("%s: an earlier run has left a checkpoint, which the "
                    "first one of this run replaces; --resume continues it",
                    t->checkpoint_path);
    }
    return SY_OK;
}

/* The history. Nothing depends on it. */
static void open_study(struct training *t)
{
    char *config = json_dumps(t->config->effective, JSON_COMPACT);
    struct nas_study_run run = {
        .label = NAS_TRAIN_LABEL,
        .identity = t->identity,
        .config = config,
        .seed = (int64_t)t->config->seed,
        .steps = t->steps,
        .domain_count = t->data.count,
        .domain = (const char(*)[SY_NAME_BYTES])t->config->domain,
    };
    if (t->job->study != NULL) {
        t->study = nas_study_open(t->job->study);
        nas_study_begin(t->study, &run, t->step);
    }
    sy_free(config);
}

static enum sy_status training_open(struct training *t, struct sy_error *err)
{
    const struct nas_train_job *job = t->job;
    SY_TRY(sy_artefact_check_target(job->model, err));
    SY_TRY(take_layers(t, err));
    SY_TRY(take_origin(t, err));
    SY_TRY(sy_pool_new(&t->pool, job->threads, err));
    SY_TRY(nas_data_open(&t->data, t->config, job->data, t->pool, err));
    SY_TRY(nas_build(&t->network, t->config, &t->data, job->paths_file, err));
    SY_TRY(nas_route_check(&t->config->train.routes, t->network,
                           t->config->name, err));
    SY_TRY(nas_data_deal(&t->data, t->config, t->images, err));
    t->steps = nas_data_steps(&t->data, t->images, t->config->train.epochs);
    SY_TRY(make_segments(t, err));
    SY_TRY(take_start(t, err));
    SY_TRY(make_state(t, err));
    SY_TRY(identify(t, err));
    SY_TRY(make_checkpoint_path(t, err));
    if (job->resume) {
        SY_TRY(load_checkpoint(t, err));
        sy_log_info("resuming at step %lld of %lld", (long long)t->step,
                    (long long)t->steps);
    }
    open_study(t);
    t->progress.domains = t->data.count;
    for (int d = 0; d < t->data.count; d++) {
        t->progress.name[d] = t->config->domain[d];
    }
    return SY_OK;
}

static void training_close(struct training *t)
{
    sy_tape_free(t->tape);
    nas_optimiser_release(&t->optimiser);
    nas_heldout_release(&t->heldout);
    sy_free(t->average);
    sy_free(t->grads);
    sy_free(t->used);
    sy_free(t->started);
    sy_free(t->segment);
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        sy_free(t->pixels[d]);
        sy_free(t->labels[d]);
    }
    nas_study_close(t->study);
    sy_network_free(t->network);
    nas_data_close(&t->data);
    sy_pool_free(t->pool);
    json_decref(t->about);
    json_decref(t->search);
}

/* Every expert of a domain gets the domain's batch. */
static enum sy_status fill_batch(struct training *t, struct sy_error *err)
{
    for (int d = 0; d < t->data.count; d++) {
        SY_TRY(dom_loader_fill(t->data.train[d], t->step, t->images[d],
                               t->pixels[d], t->labels[d], t->pool, err));
    }
    return SY_OK;
}

/*
 * The domains' weights for the next step. Where images are held out, how well
 * domains answer is measured on them, in some steps; else the share of right
 * answers of this step's batch, seen before the step learns from it, stands
 * for it.
 */
static void move_weights(struct training *t, const double *loss,
                         const double *right)
{
    int classes[SY_MAX_DOMAINS];
    struct nas_weighting_step step = {
        .domains = t->data.count, .loss = loss, .classes = classes};
    for (int d = 0; d < t->data.count; d++) {
        classes[d] = t->network->domain[d].classes;
    }
    if (t->heldout.segment_count == 0) {
        step.accuracy = right;
    } else if (nas_heldout_due(&t->heldout, t->step)) {
        step.accuracy = t->accuracy;
    }
    nas_weighting_update(&t->config->train.weighting, &step, t->weight_state,
                         t->weight);
    /* A checkpoint holds floats: the next step sees what a resumed one sees. */
    for (int d = 0; d < t->data.count; d++) {
        t->weight[d] = (double)(float)t->weight[d];
    }
}

/* The segment of the dearest expert of the same domain, which teaches. */
static int teacher_of(const struct training *t, int segment)
{
    int best = segment;
    int64_t most = -1;
    for (int s = 0; s < t->segment_count; s++) {
        int d = t->segment[s].domain;
        if (d == t->segment[segment].domain) {
            int64_t madds =
                sy_network_path_cost(t->network, &t->network->expert[s].path, d)
                    .madds;
            best = madds > most ? s : best;
            most = madds > most ? madds : most;
        }
    }
    return best;
}

/*
 * The loss of one segment: of the labels, and with train.distil in part of the
 * answers of the domain's dearest expert, which saw the same images.
 */
static struct sy_head_loss segment_loss(struct training *t, int s,
                                        double weight)
{
    const struct sy_head_type *head = &sy_head_classify;
    int d = t->segment[s].domain, count = t->images[d];
    int classes = t->network->domain[d].classes;
    int teacher = t->config->train.distil > 0 ? teacher_of(t, s) : s;
    double part = teacher != s ? t->config->train.distil : 0.0;
    struct sy_head_loss one =
        head->loss(sy_tape_outputs(t->tape, s), t->labels[d], count, classes,
                   t->config->train.smoothing, (1.0 - part) * weight, count,
                   sy_tape_output_grads(t->tape, s));
    if (part > 0) {
        double told = head->imitate(sy_tape_outputs(t->tape, s),
                                    sy_tape_outputs(t->tape, teacher), count,
                                    classes, part * weight, count,
                                    sy_tape_output_grads(t->tape, s));
        one.loss = (1.0 - part) * one.loss + part * told;
    }
    return one;
}

/* Losses and their gradients: every expert learns with its domain's weight, and
   the domain's loss is the mean of theirs. */
static enum sy_status take_losses(struct training *t, struct sy_error *err)
{
    double loss[SY_MAX_DOMAINS] = {0};
    double right[SY_MAX_DOMAINS] = {0};
    int experts[SY_MAX_DOMAINS] = {0};
    for (int s = 0; s < t->segment_count; s++) {
        experts[t->segment[s].domain]++;
    }
    for (int s = 0; s < t->segment_count; s++) {
        int d = t->segment[s].domain;
        int count = t->images[d];
        struct sy_head_loss one = segment_loss(t, s, t->weight[d]);
        loss[d] += one.loss / experts[d];
        right[d] += (double)one.correct / count / experts[d];
    }
    for (int d = 0; d < t->data.count; d++) {
        if (!isfinite(loss[d])) {
            return sy_fail(err, SY_INTERNAL,
                           "training: the loss of \"%s\" is not finite at "
                           "step %lld; lower train.optimiser.rate (the last "
                           "good checkpoint, if there is one, stays)",
                           t->config->domain[d], (long long)t->step);
        }
        nas_progress_domain(&t->progress, d, loss[d], right[d]);
        struct nas_study_step row = nas_study_nothing;
        row.loss = loss[d];
        row.accuracy = right[d];
        row.weight = t->weight[d];
        nas_study_add_step(t->study, t->step, d, &row);
    }
    move_weights(t, loss, right);
    return SY_OK;
}

/* average += (1 - decay) (values - average), faster in the first steps. */
static void move_average(struct training *t)
{
    if (t->average == NULL) {
        return;
    }
    double young = (1.0 + (double)t->step) / (10.0 + (double)t->step);
    double decay = t->config->train.ema;
    nas_average_step(t->average, t->network->values, t->network->value_count,
                     1.0 - (young < decay ? young : decay), t->pool);
}

static enum sy_status do_step(struct training *t, struct sy_error *err)
{
    const struct nas_train_config *train = &t->config->train;
    double rate =
        nas_rate(train->optimiser.rate, train->warmup, t->step, t->steps);
    if (nas_heldout_due(&t->heldout, t->step)) {
        SY_TRY(nas_heldout_measure(&t->heldout, t->tape, t->network, &t->data,
                                   t->pool, t->step, t->accuracy, err));
    }
    SY_TRY(fill_batch(t, err));
    SY_TRY(sy_tape_forward(t->tape, t->segment, t->segment_count, NULL, err));
    SY_TRY(take_losses(t, err));
    SY_TRY(sy_tape_backward(t->tape, t->grads, t->used, err));
    sy_tape_update_norms(t->tape, (float)train->norm_momentum);
    nas_optimiser_step(&t->optimiser, t->network, t->grads, t->used, rate,
                       t->step, t->pool);
    move_average(t);
    return SY_OK;
}

/* All steps that are left, with checkpoints; SY_CANCELLED when stopped. */
static enum sy_status run_steps(struct training *t, struct sy_error *err)
{
    int64_t saved_ns = sy_now_ns();
    int64_t every_ns = (int64_t)(t->config->train.checkpoint_every_s * 1e9);
    int images = 0;
    for (int d = 0; d < t->data.count; d++) {
        images += t->images[d];
    }
    while (t->step < t->steps) {
        SY_TRY(do_step(t, err));
        nas_progress_step(&t->progress, t->step, images);
        t->step++;
        bool stop = t->job->stop != NULL && *t->job->stop != 0;
        if (stop || (t->step < t->steps && every_ns > 0 &&
                     sy_now_ns() - saved_ns >= every_ns)) {
            SY_TRY(save_checkpoint(t, err));
            saved_ns = sy_now_ns();
        }
        if (stop) {
            return sy_fail(err, SY_CANCELLED,
                           "stopped after step %lld of %lld; the same "
                           "command with --resume goes on from there",
                           (long long)t->step, (long long)t->steps);
        }
    }
    return SY_OK;
}

/*
 * Where the artefact comes from, for model.json; of searched paths also where
 * these come from. Owned; NULL: no memory.
 */
static json_t *make_provenance(const struct training *t)
{
    json_t *made = json_pack(
        "{s:s, s:O, s:I, s:I, s:O}", "config_sha256", t->config->hash, "config",
        t->config->effective, "seed", (json_int_t)t->config->seed, "steps",
        (json_int_t)t->steps, "data_sha256", json_object_get(t->about, "data"));
    if (t->job->start != NULL && made != NULL) {
        (void)json_object_set_new(made, "start",
                                  json_pack("{s:s, s:b}", "sha256",
                                            t->start_sha256, "frozen",
                                            (int)t->job->freeze));
    }
    if (t->search != NULL && made != NULL &&
        json_object_set(made, "search", t->search) != 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}

/* Scores every domain that has a validation part. Takes the network. */
static enum sy_status score_valid(struct training *t,
                                  struct nas_train_report *report,
                                  struct sy_error *err)
{
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    enum sy_status status = SY_OK;
    struct sy_network *network = t->network;
    t->network = NULL;
    SY_TRY(sy_snapshot_new(&snapshot, network, "new", NULL, err));
    SY_TRY_OUT(
        sy_executor_new(&executor, snapshot, t->pool, NAS_SCORE_BATCH, err));
    for (int d = 0; d < t->data.count; d++) {
        if (t->data.valid[d] != NULL) {
            SY_TRY_OUT(nas_score_domain(&report->valid[d], executor, network, d,
                                        t->data.valid[d], NULL, err));
        }
    }
out:
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    return status;
}

/* sy_dir_list's callback. */
static enum sy_status remove_entry(void *context, const char *name, bool is_dir,
                                   struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(path, sizeof path, context, name, err));
    (void)(is_dir ? 0 : unlink(path));
    return SY_OK;
}

/*
 * The checkpoint, and what a process that was killed while it wrote one has
 * left. The model is saved: that something stays is no failure.
 */
static void remove_checkpoints(struct training *t)
{
    struct sy_error ignored;
    if (sy_dir_list(t->checkpoint_folder, remove_entry, t->checkpoint_folder,
                    &ignored) == SY_OK) {
        (void)rmdir(t->checkpoint_folder);
    }
}

/* The averaged weights become the network's, and its answers calibrated. */
static enum sy_status make_final(struct training *t, struct sy_error *err)
{
    int held_out = 0;
    if (t->average != NULL) {
        memcpy(t->network->values, t->average,
               t->network->value_count * sizeof(float));
    }
    sy_tape_free(t->tape);
    t->tape = NULL;
    for (int d = 0; d < t->data.count; d++) {
        held_out += t->data.valid[d] != NULL;
    }
    if (held_out < t->data.count) {
        sy_log_info("%d of %d domains have no image held out: their answers "
                    "are not calibrated, and no route is fitted; see "
                    "train.calibration",
                    t->data.count - held_out, t->data.count);
    }
    struct nas_route_config routes = t->config->train.routes;
    routes.seed = t->config->seed;
    SY_TRY(nas_routes_fit(&t->network, &routes, t->data.valid, t->pool, err));
    return t->config->train.root.wanted
               ? nas_root_fit(&t->network, &t->config->train.root,
                              t->data.train, t->data.valid, t->config->seed,
                              t->pool, err)
               : SY_OK;
}

/* Writes the artefact, removes the checkpoint, fills in the report. */
static enum sy_status finish(struct training *t,
                             struct nas_train_report *report,
                             struct sy_error *err)
{
    SY_TRY(make_final(t, err));
    json_t *provenance = make_provenance(t);
    if (provenance == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    enum sy_status status = sy_artefact_save(
        t->network, t->job->model, provenance, &report->artefact, err);
    json_decref(provenance);
    SY_TRY(status);
    remove_checkpoints(t);
    report->steps = t->steps;
    report->domain_count = t->data.count;
    for (int d = 0; d < t->data.count; d++) {
        memcpy(report->name[d], t->config->domain[d], sizeof report->name[d]);
        report->loss[d] = t->progress.loss[d];
    }
    return score_valid(t, report, err);
}

enum sy_status nas_train(const struct nas_train_job *job,
                         struct nas_train_report *report, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    int64_t begin_ns = 0;
    struct training *t = sy_alloc_zero(1, sizeof *t);
    memset(report, 0, sizeof *report);
    if (t == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    t->job = job;
    t->config = job->config;
    SY_TRY_OUT(training_open(t, err));
    begin_ns = sy_now_ns();
    nas_progress_begin(&t->progress, t->step, t->steps, job->quiet);
    status = run_steps(t, err);
    nas_progress_end(&t->progress);
    report->seconds = (double)(sy_now_ns() - begin_ns) / 1e9;
    if (report->seconds > 0) {
        report->images_per_s = (double)t->progress.images / report->seconds;
    }
    if (status == SY_OK) {
        status = finish(t, report, err);
    }
out:
    training_close(t);
    sy_free(t);
    return status;
}
