/*
 * compare.c - the order of a comparison's runs, and what each needs of those
 * before it.
 */
#include "search/compare/compare.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/compare/plan.h"
#include "search/compare/ranks.h"
#include "search/compare/table.h"
#include "search/report/report.h"
#include "search/study/study.h"
#include "search/supernet/search.h"

struct comparing {
    const struct nas_compare_job *job;
    const struct nas_compare_config *options;
    struct nas_compare_base base;
    json_t *results; /* by place, owned */
    json_t *ranks;   /* ranks.h, owned; NULL: nothing to rank */
    int done, count; /* runs */
};

/*
 * Whether mpnas itself trains its paths under this weighting: that run, the
 * same to the bit, then stands for the loss's.
 */
static bool is_run_of_mpnas(const struct nas_config *config,
                            enum nas_weighting loss)
{
    const struct nas_weighting_config *own = &config->train.weighting;
    const struct nas_weighting_config plain = nas_weighting_defaults(loss);
    return own->kind == loss && own->gamma == plain.gamma &&
           own->rate == plain.rate && own->memory == plain.memory &&
           own->temperature == plain.temperature && own->floor == plain.floor;
}

static int count_runs(const struct nas_config *config)
{
    const struct nas_compare_config *options = &config->compare;
    int of_a_seed = 0;
    for (int i = 0; i < options->loss_count; i++) {
        of_a_seed += !is_run_of_mpnas(config, options->loss[i]);
    }
    for (int s = 0; s < NAS_STRATEGIES; s++) {
        int runs = s == NAS_INDEPENDENT              ? config->domain_count
                   : s == NAS_SINGLE_PATH_MULTI_HEAD ? 2 /* with pretrain */
                                                     : 1;
        of_a_seed += options->runs[s] ? runs : 0;
    }
    return options->rate_count + options->seed_count * of_a_seed +
           options->random_paths;
}

/* Does the run, keeps its result, drops its configuration. */
static enum sy_status do_run(struct comparing *c, struct nas_compare_run *run,
                             struct sy_error *err)
{
    json_t *result = NULL;
    c->done++;
    if (!c->job->quiet) {
        sy_log_info("run %d of %d: %s", c->done, c->count, run->place);
    }
    enum sy_status status = nas_compare_run(c->job, run, &result, err);
    json_decref(run->config);
    run->config = NULL;
    if (status == SY_CANCELLED) {
        return sy_fail(err, SY_CANCELLED,
                       "stopped in run %d of %d, %s; the same command with "
                       "--resume goes on from there",
                       c->done, c->count, run->place);
    }
    if (status != SY_OK) {
        sy_error_prefix(err, "%s", run->place);
        return status;
    }
    return json_object_set_new(c->results, run->place, result) == 0
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "compare: no memory");
}

/* Mean top-1 of a result's domains. */
static double mean_top1(const json_t *result)
{
    const json_t *rows = json_object_get(result, "domains");
    double sum = 0;
    size_t index = 0;
    json_t *row = NULL;
    json_array_foreach((json_t *)(uintptr_t)rows, index, row)
    {
        sum += json_number_value(json_object_get(row, "top1"));
    }
    return sum / (double)json_array_size(rows);
}

/* The best learning rate on held-out images; of equal ones the lower. */
static enum sy_status choose_rate(struct comparing *c, struct sy_error *err)
{
    double best = -1, chosen = 0;
    for (int i = 0; i < c->options->rate_count; i++) {
        struct nas_compare_run run;
        c->base.seed = c->options->seed[0];
        c->base.rate = c->options->rate[i];
        SY_TRY(nas_plan_rate(&run, &c->base, err));
        SY_TRY(do_run(c, &run, err));
        double top1 = mean_top1(json_object_get(c->results, run.place));
        if (top1 > best) {
            best = top1;
            chosen = c->options->rate[i];
        }
    }
    c->base.rate = chosen;
    return SY_OK;
}

/* All strategies of one seed. */
static enum sy_status do_strategies(struct comparing *c, struct sy_error *err)
{
    struct nas_compare_run run;
    if (c->options->runs[NAS_SINGLE_PATH_MULTI_HEAD]) {
        SY_TRY(nas_plan_pretrain(&run, &c->base, err));
        SY_TRY(do_run(c, &run, err));
    }
    for (int s = NAS_STRATEGIES - 1; s >= 0; s--) {
        enum nas_strategy strategy = (enum nas_strategy)s;
        bool apart = strategy == NAS_INDEPENDENT;
        int parts = !c->options->runs[s] ? 0
                    : apart              ? c->base.config->domain_count
                                         : 1;
        for (int d = 0; d < parts; d++) {
            SY_TRY(nas_plan_strategy(&run, &c->base, strategy, apart ? d : -1,
                                     err));
            SY_TRY(do_run(c, &run, err));
        }
    }
    return SY_OK;
}

/* What mpnas has reached with the seed. Borrowed. */
static json_t *result_of_mpnas(const struct comparing *c)
{
    char place[NAS_PLACE_BYTES];
    (void)snprintf(place, sizeof place, "seed%lld/%s", (long long)c->base.seed,
                   nas_strategy_names[NAS_MPNAS]);
    return json_object_get(c->results, place);
}

/* The paths that it has found. Borrowed. */
static const json_t *found_paths(const struct comparing *c)
{
    return json_object_get(result_of_mpnas(c), "paths");
}

static enum sy_status do_loss(struct comparing *c, enum nas_weighting loss,
                              struct sy_error *err)
{
    struct nas_compare_run run;
    SY_TRY(nas_plan_loss(&run, &c->base, loss, found_paths(c), err));
    if (!is_run_of_mpnas(c->base.config, loss)) {
        return do_run(c, &run, err);
    }
    json_decref(run.config);
    json_t *same = json_copy(result_of_mpnas(c));
    (void)json_object_del(same, "seconds"); /* they were spent once */
    return json_object_set_new(c->results, run.place, same) == 0
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "compare: no memory");
}

static enum sy_status do_losses(struct comparing *c, struct sy_error *err)
{
    for (int i = 0; i < c->options->loss_count; i++) {
        SY_TRY(do_loss(c, c->options->loss[i], err));
    }
    return SY_OK;
}

/* Networks of random paths, of the first seed. */
static enum sy_status do_random(struct comparing *c, struct sy_error *err)
{
    c->base.seed = c->options->seed[0];
    for (int i = 0; i < c->options->random_paths; i++) {
        struct nas_compare_run run;
        SY_TRY(nas_plan_random(&run, &c->base, i, found_paths(c), err));
        SY_TRY(do_run(c, &run, err));
    }
    return c->options->random_paths > 0
               ? nas_compare_ranks(c->job, &c->base, c->results, &c->ranks, err)
               : SY_OK;
}

static enum sy_status do_all(struct comparing *c, struct sy_error *err)
{
    SY_TRY(choose_rate(c, err));
    for (int i = 0; i < c->options->seed_count; i++) {
        c->base.seed = c->options->seed[i];
        SY_TRY(do_strategies(c, err));
        SY_TRY(do_losses(c, err));
    }
    return do_random(c, err);
}

static enum sy_status check(const struct nas_compare_job *job,
                            struct sy_error *err)
{
    char seed[SY_PATH_BYTES];
    if (!job->config->compare.given) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: a comparison needs a section \"compare\": target, "
                       "backbone, pretrain; see docs/compare.md",
                       job->config->name);
    }
    (void)snprintf(seed, sizeof seed, "seed%lld",
                   (long long)job->config->compare.seed[0]);
    char folder[SY_PATH_BYTES];
    SY_TRY(sy_path_join(folder, sizeof folder, job->out, seed, err));
    if (!job->resume && (sy_dir_exists(folder))) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: a comparison has begun here; --resume goes on "
                       "with it, another --out begins a new one",
                       job->out);
    }
    return sy_dir_make(job->out, err);
}

/* OUT/report.html: the table, and the search of the first seed's mpnas. */
static enum sy_status write_report(const struct comparing *c,
                                   struct sy_error *err)
{
    char folder[SY_PATH_BYTES], page[SY_PATH_BYTES], table[SY_PATH_BYTES];
    char paths[SY_PATH_BYTES], study[SY_PATH_BYTES], place[NAS_PLACE_BYTES];
    const char *out = c->job->out;
    bool searched = c->options->runs[NAS_MPNAS];
    (void)snprintf(place, sizeof place, "seed%lld/%s",
                   (long long)c->options->seed[0],
                   nas_strategy_names[NAS_MPNAS]);
    SY_TRY(sy_path_join(page, sizeof page, out, "report.html", err));
    SY_TRY(sy_path_join(table, sizeof table, out, "table.json", err));
    SY_TRY(sy_path_join(folder, sizeof folder, out, place, err));
    SY_TRY(sy_path_join(paths, sizeof paths, folder, "paths.json", err));
    SY_TRY(sy_path_join(study, sizeof study, folder, NAS_STUDY_FILE, err));
    struct nas_report_job job = {
        .out = page,
        .title = c->base.config->name,
        .spec = &c->base.config->network,
        .label = NAS_SEARCH_LABEL,
        .study = searched && sy_file_exists(study) ? study : NULL,
        .paths = searched ? paths : NULL,
        .table = table,
    };
    return nas_report_write(&job, err);
}

enum sy_status nas_compare(const struct nas_compare_job *job, json_t **table,
                           struct sy_error *err)
{
    SY_TRY(check(job, err));
    struct comparing c = {.job = job,
                          .options = &job->config->compare,
                          .base = {.config = job->config},
                          .results = json_object(),
                          .count = count_runs(job->config)};
    enum sy_status status =
        c.results == NULL ? sy_fail(err, SY_NO_MEMORY, "compare: no memory")
                          : do_all(&c, err);
    if (status == SY_OK) {
        status =
            nas_compare_table(job, c.base.rate, c.results, c.ranks, table, err);
    }
    if (status == SY_OK) {
        status = write_report(&c, err);
        if (status != SY_OK) {
            json_decref(*table);
        }
    }
    json_decref(c.results);
    json_decref(c.ranks);
    return status;
}
