/*
 * run.c - does one run of a comparison, or finds that it is done.
 *
 * DESIGN. Each of the three parts knows by itself whether it has ended: the
 * search by its checkpoint's last step, the training by the version that
 * stands, the test by result.json. So a process that was killed anywhere is
 * followed by one that does what is missing.
 */
#include "search/compare/run.h"

#include <string.h>

#include "domains/walk.h"
#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"
#include "search/eval/evaluate.h"
#include "search/study/study.h"
#include "search/supernet/search.h"
#include "search/train/identity.h"
#include "search/train/trainer.h"

/* The run under way. */
struct doing {
    const struct nas_compare_job *job;
    const struct nas_compare_run *run;
    struct nas_config config;
    json_t *about;
    json_t *paths; /* object: domain -> text */
    double entropy;
    bool searched;
    char folder[SY_PATH_BYTES];
    char paths_file[SY_PATH_BYTES];
    char model[SY_PATH_BYTES];
    char start[SY_PATH_BYTES];
    char result[SY_PATH_BYTES];
};

static enum sy_status name_files(struct doing *d, struct sy_error *err)
{
    const char *out = d->job->out;
    SY_TRY(sy_path_join(d->folder, sizeof d->folder, out, d->run->place, err));
    SY_TRY(sy_path_join(d->paths_file, sizeof d->paths_file, d->folder,
                        "paths.json", err));
    SY_TRY(sy_path_join(d->model, sizeof d->model, d->folder, "model", err));
    SY_TRY(sy_path_join(d->result, sizeof d->result, d->folder, "result.json",
                        err));
    if (d->run->start[0] != '\0') {
        char folder[SY_PATH_BYTES];
        SY_TRY(sy_path_join(folder, sizeof folder, out, d->run->start, err));
        SY_TRY(sy_path_join(d->start, sizeof d->start, folder, "model", err));
    }
    return sy_dir_make(d->folder, err);
}

/* What makes it this run. */
static enum sy_status identify(struct doing *d, struct sy_error *err)
{
    json_t *data = json_object();
    for (int i = 0; i < d->config.domain_count && data != NULL; i++) {
        char folder[SY_PATH_BYTES];
        char hash[SY_HASH_TEXT_BYTES];
        enum sy_status status = sy_path_join(
            folder, sizeof folder, d->job->data, d->config.domain[i], err);
        if (status == SY_OK) {
            status = dom_walk_hash(folder, hash, err);
        }
        if (status != SY_OK) {
            json_decref(data);
            return status;
        }
        (void)json_object_set_new(data, d->config.domain[i], json_string(hash));
    }
    d->about =
        json_pack("{s:s, s:O, s:o, s:s}", "program", SY_VERSION, "config",
                  d->config.effective, "data", data, "start", d->run->start);
    return d->about != NULL ? SY_OK
                            : sy_fail(err, SY_NO_MEMORY, "compare: no memory");
}

/* The result that stands in the folder, or NULL in *result. */
static enum sy_status find_result(const struct doing *d, json_t **result,
                                  struct sy_error *err)
{
    char difference[NAS_DIFFERENCE_BYTES];
    *result = NULL;
    if (!sy_file_exists(d->result)) {
        return SY_OK;
    }
    SY_TRY(sy_json_load(d->result, result, err));
    const json_t *there = json_object_get(*result, "about");
    if (!json_is_array(json_object_get(*result, "domains")) ||
        !json_is_object(there)) {
        json_decref(*result);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: is no result of a comparison; remove it to have "
                       "the run done again",
                       d->result);
    }
    if (nas_identity_differ(there, d->about, difference)) {
        json_decref(*result);
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: is of another run: %s; choose another --out, or "
                       "remove its folder to have it done again",
                       d->result, difference);
    }
    return SY_OK;
}

/* Stage one, where the run has one. */
static enum sy_status find_paths(struct doing *d, struct sy_error *err)
{
    char checkpoint[SY_PATH_BYTES];
    SY_TRY(sy_path_join(checkpoint, sizeof checkpoint, d->folder,
                        "checkpoint.safetensors", err));
    struct nas_search_report *report = sy_alloc_zero(1, sizeof *report);
    if (report == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    }
    struct nas_search_job job = {
        .config = &d->config,
        .data = d->job->data,
        .run = d->folder,
        .resume = sy_file_exists(checkpoint),
        .quiet = d->job->quiet,
        .threads = d->job->threads,
        .stop = d->job->stop,
    };
    enum sy_status status = nas_search(&job, report, err);
    if (status == SY_OK) {
        d->entropy = report->entropy;
        d->searched = true;
    }
    sy_free(report);
    return status;
}

static enum sy_status train(struct doing *d, struct sy_error *err)
{
    char checkpoint[SY_PATH_BYTES], study[SY_PATH_BYTES];
    struct sy_artefact artefact;
    if (sy_artefact_find(d->model, &artefact, err) == SY_OK) {
        return SY_OK; /* trained, and killed before it was tested */
    }
    SY_TRY(sy_path_join(checkpoint, sizeof checkpoint, d->model,
                        ".train/checkpoint.safetensors", err));
    SY_TRY(sy_path_join(study, sizeof study, d->folder, NAS_STUDY_FILE, err));
    struct nas_train_report *report = sy_alloc_zero(1, sizeof *report);
    if (report == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    }
    struct nas_train_job job = {
        .config = &d->config,
        .data = d->job->data,
        .model = d->model,
        .paths_file = d->run->search ? d->paths_file : NULL,
        .start = d->start[0] != '\0' ? d->start : NULL,
        .freeze = d->start[0] != '\0',
        .study = study,
        .resume = sy_file_exists(checkpoint),
        .quiet = d->job->quiet,
        .threads = d->job->threads,
        .stop = d->job->stop,
    };
    enum sy_status status = nas_train(&job, report, err);
    sy_free(report);
    return status;
}

/* Each domain's path, in the terms of the configuration's network. */
static enum sy_status take_paths(struct doing *d, struct sy_error *err)
{
    char text[SY_PATH_TEXT_BYTES];
    enum sy_status status = SY_OK;
    struct sy_paths *paths = NULL;
    d->paths = json_object();
    if (!d->run->search) {
        for (int i = 0; i < d->config.domain_count; i++) {
            const char *path = d->config.path[i % d->config.path_count];
            (void)json_object_set_new(d->paths, d->config.domain[i],
                                      json_string(path));
        }
        return SY_OK;
    }
    paths = sy_alloc_zero(1, sizeof *paths);
    if (paths == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    }
    SY_TRY_OUT(sy_paths_load(paths, d->paths_file, &d->config.network, err));
    for (int i = 0; i < paths->count; i++) {
        (void)json_object_set_new(
            d->paths, paths->entry[i].domain,
            json_string(sy_path_text(&paths->entry[i].path, text)));
    }
out:
    sy_free(paths);
    return status;
}

static json_t *row_of(const struct sy_network *network,
                      const struct nas_evaluation *row)
{
    return json_pack("{s:s, s:i, s:f, s:f, s:f, s:I, s:f}", "name",
                     network->domain[row->domain].name, "n", row->score.n,
                     "top1", row->score.top1, "nll", row->score.nll, "ece",
                     row->score.ece, "params", (json_int_t)row->params,
                     "madds_mean", row->score.madds_mean);
}

/* Scores every domain, on its test images or on those held out. */
static enum sy_status score(const struct doing *d, struct sy_executor *executor,
                            struct sy_pool *pool, json_t *rows,
                            struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    enum sy_status status = SY_OK;
    static const struct nas_data nothing;
    struct nas_data data = nothing;
    if (d->run->held_out) {
        SY_TRY(nas_data_open(&data, &d->config, d->job->data, pool, err));
    }
    for (int i = 0; i < network->domain_count; i++) {
        struct nas_evaluation row = {.domain = i};
        if (!d->run->held_out) {
            SY_TRY_OUT(
                nas_evaluate(&row, executor, i, d->job->data, NULL, pool, err));
        } else if (data.valid[i] != NULL) {
            SY_TRY_OUT(nas_score_domain(&row.score, executor, network, i,
                                        data.valid[i], NULL, err));
        }
        (void)json_array_append_new(rows, row_of(network, &row));
    }
out:
    nas_data_close(&data);
    return status;
}

/* Tests the model; the result without its frame. Owned. */
static enum sy_status test_model(const struct doing *d, json_t **result,
                                 struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_pool *pool = NULL;
    struct sy_network *network = NULL;
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    struct sy_artefact artefact;
    json_t *rows = json_array();
    SY_TRY_OUT(sy_artefact_load(d->model, &network, &artefact, err));
    int64_t params = sy_network_params(network);
    SY_TRY_OUT(sy_snapshot_new(&snapshot, network, "test", NULL, err));
    SY_TRY_OUT(sy_pool_new(&pool, d->job->threads, err));
    SY_TRY_OUT(
        sy_executor_new(&executor, snapshot, pool, NAS_SCORE_BATCH, err));
    SY_TRY_OUT(score(d, executor, pool, rows, err));
    *result =
        json_pack("{s:O, s:I}", "domains", rows, "params", (json_int_t)params);
    if (*result == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    }
out:
    json_decref(rows);
    sy_executor_free(executor);
    sy_pool_free(pool);
    sy_snapshot_unref(snapshot);
    return status;
}

static enum sy_status work(struct doing *d, json_t **result,
                           struct sy_error *err)
{
    int64_t begin_ns = sy_now_ns();
    if (d->run->search) {
        SY_TRY(find_paths(d, err));
    }
    SY_TRY(train(d, err));
    SY_TRY(take_paths(d, err));
    SY_TRY(test_model(d, result, err));
    double seconds = (double)(sy_now_ns() - begin_ns) / 1e9;
    (void)json_object_set(*result, "about", d->about);
    (void)json_object_set(*result, "paths", d->paths);
    (void)json_object_set_new(*result, "seconds", json_real(seconds));
    if (d->searched) {
        (void)json_object_set_new(*result, "entropy", json_real(d->entropy));
    }
    return sy_json_save(d->result, *result, err);
}

enum sy_status nas_compare_run(const struct nas_compare_job *job,
                               const struct nas_compare_run *run,
                               json_t **result, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    json_t *found = NULL;
    struct doing *d = sy_alloc_zero(1, sizeof *d);
    if (d == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    }
    d->job = job;
    d->run = run;
    SY_TRY_OUT(nas_config_take(&d->config, json_deep_copy(run->config),
                               run->place, NULL, 0, err));
    SY_TRY_OUT(name_files(d, err));
    SY_TRY_OUT(identify(d, err));
    SY_TRY_OUT(find_result(d, &found, err));
    if (found == NULL) {
        status = work(d, &found, err);
        if (status != SY_OK) {
            json_decref(found);
            goto out;
        }
    }
    *result = found;
out:
    nas_config_release(&d->config);
    json_decref(d->about);
    json_decref(d->paths);
    sy_free(d);
    return status;
}
