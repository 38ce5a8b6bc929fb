/*
 * search_result.c - what a search leaves: paths, what they are worth, where
 * they come from.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"
#include "search/report/report.h"
#include "search/supernet/search_private.h"
#include "search/train/start.h"

/* Where the paths come from, for model.json. Over a model also the hash of the
   layers that the paths' indices are of. Owned; NULL: no memory. */
static json_t *make_provenance(const struct searching *s)
{
    char layers[SY_HASH_TEXT_BYTES];
    json_t *data = json_object_get(s->about, "data");
    json_t *made =
        json_pack("{s:s, s:O, s:I, s:I, s:O, s:s}", "config_sha256",
                  s->config.hash, "config", s->config.effective, "seed",
                  (json_int_t)s->config.seed, "steps", (json_int_t)s->steps,
                  "data_sha256", data, "program", "switchyard " SY_VERSION);
    if (made != NULL && s->job->start != NULL &&
        (!nas_start_hash(&s->config, layers) ||
         json_object_set_new(made, "start",
                             json_pack("{s:s, s:s}", "sha256",
                                       s->net.start_sha256, "layers",
                                       layers)) != 0)) {
        json_decref(made);
        return NULL;
    }
    return made;
}

/* One more of domain d. The configuration has been refused where they could be
   too many. */
static enum sy_status add_expert(const struct searching *s,
                                 struct sy_paths *paths, int d,
                                 const char *name, const struct sy_path *path,
                                 struct sy_error *err)
{
    if (paths->count == SY_MAX_EXPERTS) {
        return sy_fail(err, SY_INTERNAL,
                       "search: found more than the %d experts that a network "
                       "has",
                       SY_MAX_EXPERTS);
    }
    struct sy_paths_entry *entry = &paths->entry[paths->count++];
    struct sy_cost size = sy_network_path_cost(s->net.network, path, d);
    (void)snprintf(entry->domain, sizeof entry->domain, "%s",
                   s->config.domain[d]);
    (void)snprintf(entry->expert, sizeof entry->expert, "%s", name);
    entry->path = *path;
    entry->madds = size.madds;
    entry->params = size.params;
    return SY_OK;
}

/*
 * The experts of a domain: "main" for its last target, before it "e0", "e1",
 * ... for those below, and behind it "n0", "n1", ... for those that answer well
 * together with it.
 */
static enum sy_status add_experts(struct searching *s, struct sy_paths *paths,
                                  const struct nas_search_report *report, int d,
                                  struct sy_error *err)
{
    char name[SY_NAME_BYTES];
    int last = search_options(s)->levels[d] - 1;
    for (int k = 0; k < last; k++) {
        (void)snprintf(name, sizeof name, "e%d", k);
        SY_TRY(add_expert(s, paths, d, name, &s->found[k][d], err));
    }
    SY_TRY(add_expert(s, paths, d, "main", &report->domain[d].path, err));
    for (int k = 0; k < s->member_count[d]; k++) {
        (void)snprintf(name, sizeof name, "n%d", k);
        SY_TRY(add_expert(s, paths, d, name, &s->member[k][d], err));
    }
    return SY_OK;
}

static enum sy_status save_paths(struct searching *s,
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
        SY_TRY_OUT(add_experts(s, paths, report, d, err));
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

/* The page about it. The search is done: that it cannot be drawn is said. */
static void save_page(const struct searching *s,
                      const struct nas_search_report *report)
{
    char page[SY_PATH_BYTES], study[SY_PATH_BYTES];
    struct sy_error err;
    struct nas_report_job job = {
        .out = page,
        .title = s->config.name,
        .spec = &s->config.network,
        .study = s->study != NULL ? study : NULL,
        .label = NAS_SEARCH_LABEL,
        .paths = report->paths_file,
    };
    nas_study_flush(s->study);
    if (sy_path_join(page, sizeof page, s->job->run, "report.html", &err) !=
            SY_OK ||
        sy_path_join(study, sizeof study, s->job->run, NAS_STUDY_FILE, &err) !=
            SY_OK) {
        sy_log_warn("there is no report: %s", err.message);
        return;
    }
    enum sy_status status = nas_report_write(&job, &err);
    if (status != SY_OK && job.study != NULL) {
        sy_log_warn("the report has no history: %s", err.message);
        job.study = NULL;
        status = nas_report_write(&job, &err);
    }
    if (status != SY_OK) {
        sy_log_warn("there is no report: %s", err.message);
    }
}

static int most_levels(const struct searching *s)
{
    int most = 1;
    for (int d = 0; d < s->domains; d++) {
        int levels = search_options(s)->levels[d];
        most = levels > most ? levels : most;
    }
    return most;
}

/* The domains' paths, what they are worth, and paths.json. */
enum sy_status search_result(struct searching *s,
                             struct nas_search_report *report,
                             struct sy_error *err)
{
    struct sy_path path[SY_MAX_DOMAINS];
    double accuracy[SY_MAX_DOMAINS];
    report->steps = s->steps;
    report->domain_count = s->domains;
    for (int k = 0; k < most_levels(s); k++) {
        SY_TRY(search_choose(s, k, s->found[k], accuracy, err));
        memcpy(path, s->found[k], sizeof path);
    }
    for (int d = 0; d < s->domains; d++) {
        double target = search_options(s)->target[d];
        double cost = nas_cost_path(&s->costs, d, &path[d]);
        double entropy = nas_controller_entropy(search_controller(s, d));
        memcpy(report->domain[d].name, s->config.domain[d],
               sizeof report->domain[d].name);
        report->domain[d].path = path[d];
        report->domain[d].size =
            sy_network_path_cost(s->net.network, &path[d], d);
        report->domain[d].cost = cost;
        report->domain[d].target = target;
        report->domain[d].accuracy = accuracy[d];
        report->domain[d].reward =
            nas_reward(&search_options(s)->reward, accuracy[d], cost, target);
        report->domain[d].entropy = entropy;
        report->entropy += entropy / s->domains;
        nas_study_add_evaluation(
            s->study, s->steps, d,
            &(struct nas_study_evaluation){
                .kind = "supernet",
                .path = &path[d],
                .top1 = accuracy[d],
                .nll = NAN,
                .madds = (double)report->domain[d].size.madds,
                .params = (double)report->domain[d].size.params});
    }
    if (report->entropy > NAS_SEARCH_UNDECIDED &&
        search_options(s)->controller.kind != NAS_CONTROLLER_RANDOM) {
        sy_log_warn("the controllers have not decided: their entropy is %.0f%% "
                    "of its start, and above %.0f%% what they found is noise; "
                    "search longer, or raise search.controller.travel",
                    100 * report->entropy, 100 * NAS_SEARCH_UNDECIDED);
    }
    SY_TRY(search_ensemble(s, err));
    SY_TRY(save_paths(s, report, err));
    save_page(s, report);
    return SY_OK;
}
