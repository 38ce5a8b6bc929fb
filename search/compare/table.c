/*
 * table.c - sums runs up: one row per strategy, loss, and the random paths.
 *
 * DESIGN. Everything becomes a `struct tally` first: for each seed (or each
 * random network) its parameters, its mean multiply-adds and the top-1 of
 * every domain. Rows, means, deviations and intervals are the same for all.
 */
#include "search/compare/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "search/compare/alike.h"
#include "search/compare/run.h"
#include "search/compare/text.h"
#include "search/eval/stats.h"

enum {
    TALLIES = NAS_COMPARE_SEEDS > NAS_COMPARE_RANDOM ? NAS_COMPARE_SEEDS
                                                     : NAS_COMPARE_RANDOM
};

struct tally {
    int count; /* seeds, or random networks */
    double params[TALLIES];
    double madds[TALLIES];
    double mean[TALLIES];    /* of top-1 over the domains */
    double without[TALLIES]; /* the same with some left out */
    double entropy[TALLIES]; /* NaN where nothing was searched */
    double top1[TALLIES][SY_MAX_DOMAINS];
};

struct summing {
    const struct nas_config *config;
    json_t *results; /* by place, borrowed */
    json_t *ranks;   /* of the random paths, borrowed; or NULL */
    struct tally mpnas, other;
};

static int find_domain(const struct nas_config *config, const char *name)
{
    for (int d = 0; name != NULL && d < config->domain_count; d++) {
        if (strcmp(config->domain[d], name) == 0) {
            return d;
        }
    }
    return -1;
}

static bool left_out(const struct nas_compare_config *compare, const char *name)
{
    for (int i = 0; i < compare->without_count; i++) {
        if (strcmp(compare->without[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the domains of one run to entry `at`. */
static void add_run(struct summing *s, struct tally *tally, int at,
                    const char *place)
{
    const json_t *result = json_object_get(s->results, place);
    const json_t *rows = json_object_get(result, "domains");
    SY_ASSERT(result != NULL);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int d = find_domain(s->config,
                            json_string_value(json_object_get(row, "name")));
        if (d >= 0) {
            tally->top1[at][d] =
                json_number_value(json_object_get(row, "top1"));
            tally->madds[at] +=
                json_number_value(json_object_get(row, "madds_mean")) /
                s->config->domain_count;
        }
    }
    tally->params[at] += json_number_value(json_object_get(result, "params"));
    const json_t *entropy = json_object_get(result, "entropy");
    tally->entropy[at] = entropy == NULL ? NAN : json_number_value(entropy);
}

/* The means of entry `at`, once all its runs are added. */
static void close_entry(const struct summing *s, struct tally *tally, int at)
{
    int domains = s->config->domain_count, kept = 0;
    for (int d = 0; d < domains; d++) {
        tally->mean[at] += tally->top1[at][d] / domains;
        if (!left_out(&s->config->compare, s->config->domain[d])) {
            tally->without[at] += tally->top1[at][d];
            kept++;
        }
    }
    tally->without[at] = kept > 0 ? tally->without[at] / kept : NAN;
}

static void tally_strategy(struct summing *s, struct tally *tally,
                           enum nas_strategy strategy)
{
    const struct nas_compare_config *compare = &s->config->compare;
    char place[NAS_PLACE_BYTES];
    memset(tally, 0, sizeof *tally);
    for (int i = 0; i < compare->seed_count; i++) {
        long long seed = (long long)compare->seed[i];
        const char *name = nas_strategy_names[strategy];
        for (int d = 0; d < s->config->domain_count; d++) {
            if (strategy == NAS_INDEPENDENT) {
                (void)snprintf(place, sizeof place, "seed%lld/%s/%s", seed,
                               name, s->config->domain[d]);
                add_run(s, tally, i, place);
            }
        }
        if (strategy != NAS_INDEPENDENT) {
            (void)snprintf(place, sizeof place, "seed%lld/%s", seed, name);
            add_run(s, tally, i, place);
        }
        close_entry(s, tally, i);
    }
    tally->count = compare->seed_count;
}

static void tally_loss(struct summing *s, struct tally *tally, const char *loss)
{
    char place[NAS_PLACE_BYTES];
    memset(tally, 0, sizeof *tally);
    for (int i = 0; i < s->config->compare.seed_count; i++) {
        (void)snprintf(place, sizeof place, "seed%lld/loss/%s",
                       (long long)s->config->compare.seed[i], loss);
        add_run(s, tally, i, place);
        close_entry(s, tally, i);
    }
    tally->count = s->config->compare.seed_count;
}

static void tally_random(struct summing *s, struct tally *tally)
{
    char place[NAS_PLACE_BYTES];
    memset(tally, 0, sizeof *tally);
    tally->count = s->config->compare.random_paths;
    for (int i = 0; i < tally->count; i++) {
        (void)snprintf(place, sizeof place, "seed%lld/random/%d",
                       (long long)s->config->compare.seed[0], i + 1);
        add_run(s, tally, i, place);
        close_entry(s, tally, i);
    }
}

/* One number, or {"mean", "std"} of several. */
static json_t *number(const double *values, int count)
{
    struct nas_moments m = nas_moments(values, count);
    return count == 1 ? json_real(m.mean)
                      : json_pack("{s:f, s:f}", "mean", m.mean, "std", m.std);
}

/* {"DOMAIN": number}. */
static json_t *by_domain(const struct summing *s, const struct tally *tally)
{
    json_t *object = json_object();
    for (int d = 0; d < s->config->domain_count; d++) {
        double values[TALLIES];
        for (int i = 0; i < tally->count; i++) {
            values[i] = tally->top1[i][d];
        }
        (void)json_object_set_new(object, s->config->domain[d],
                                  number(values, tally->count));
    }
    return object;
}

/*
 * How far `a` is ahead of `b` in top-1, with a paired interval over all
 * (seed, domain) pairs. NULL where they cannot be paired.
 */
static json_t *ahead(const struct summing *s, const struct tally *a,
                     const struct tally *b)
{
    static double difference[TALLIES * SY_MAX_DOMAINS];
    struct nas_interval interval;
    int count = 0;
    if (a->count != b->count) {
        return NULL;
    }
    for (int i = 0; i < a->count; i++) {
        for (int d = 0; d < s->config->domain_count; d++) {
            difference[count++] = a->top1[i][d] - b->top1[i][d];
        }
    }
    if (nas_mean_interval(&interval, difference, count, NULL) != SY_OK) {
        return NULL;
    }
    return json_pack("{s:f, s:f, s:f}", "mean", interval.value, "low",
                     interval.low, "high", interval.high);
}

/* What all kinds of row have. */
static json_t *row_of(const struct summing *s, const char *key,
                      const char *name, const struct tally *tally)
{
    json_t *row = json_pack("{s:s, s:o, s:o, s:o, s:o}", key, name, "params",
                            number(tally->params, tally->count), "madds_mean",
                            number(tally->madds, tally->count), "top1_mean",
                            number(tally->mean, tally->count), "top1",
                            by_domain(s, tally));
    if (s->config->compare.without_count > 0 && !isnan(tally->without[0])) {
        (void)json_object_set_new(row, "top1_mean_without",
                                  number(tally->without, tally->count));
    }
    if (!isnan(tally->entropy[0])) {
        (void)json_object_set_new(row, "entropy",
                                  number(tally->entropy, tally->count));
    }
    return row;
}

/* Puts a member in where there is one. */
static void set_if(json_t *row, const char *key, json_t *value)
{
    if (value != NULL) {
        (void)json_object_set_new(row, key, value);
    }
}

static json_t *strategy_rows(struct summing *s)
{
    json_t *rows = json_array();
    const bool *runs = s->config->compare.runs;
    if (runs[NAS_MPNAS]) {
        tally_strategy(s, &s->mpnas, NAS_MPNAS);
    }
    for (int k = 0; k < NAS_STRATEGIES; k++) {
        if (!runs[k]) {
            continue;
        }
        if (k == NAS_MPNAS) {
            (void)json_array_append_new(
                rows, row_of(s, "strategy", nas_strategy_names[k], &s->mpnas));
            continue;
        }
        tally_strategy(s, &s->other, (enum nas_strategy)k);
        json_t *row = row_of(s, "strategy", nas_strategy_names[k], &s->other);
        set_if(row, "mpnas_ahead",
               runs[NAS_MPNAS] ? ahead(s, &s->mpnas, &s->other) : NULL);
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

/* The weightings, each held against `uniform` where that is among them. */
static json_t *loss_rows(struct summing *s)
{
    const struct nas_compare_config *compare = &s->config->compare;
    static struct tally uniform;
    json_t *rows = json_array();
    bool has_uniform = false;
    for (int i = 0; i < compare->loss_count; i++) {
        has_uniform |= compare->loss[i] == NAS_WEIGHT_UNIFORM;
    }
    if (has_uniform) {
        tally_loss(s, &uniform, nas_weighting_names[NAS_WEIGHT_UNIFORM]);
    }
    for (int i = 0; i < compare->loss_count; i++) {
        const char *name = nas_weighting_names[compare->loss[i]];
        tally_loss(s, &s->other, name);
        json_t *row = row_of(s, "loss", name, &s->other);
        if (has_uniform && compare->loss[i] != NAS_WEIGHT_UNIFORM) {
            set_if(row, "ahead_of_uniform", ahead(s, &s->other, &uniform));
        }
        (void)json_array_append_new(rows, row);
    }
    return rows;
}

/*
 * The random networks, and how many standard errors of their mean the first
 * seed's found paths are ahead.
 */
static json_t *random_row(struct summing *s)
{
    tally_random(s, &s->other);
    json_t *row = row_of(s, "paths", "random", &s->other);
    struct nas_moments m = nas_moments(s->other.mean, s->other.count);
    double gain = s->mpnas.mean[0] - m.mean;
    (void)json_object_set_new(row, "found_ahead", json_real(gain));
    if (m.error > 0) {
        (void)json_object_set_new(row, "found_ahead_standard_errors",
                                  json_real(gain / m.error));
    }
    if (s->ranks != NULL) {
        (void)json_object_set(row, "kendall_tau", s->ranks);
    }
    return row;
}

/* Of all runs, each once, in however many rows it stands. */
static double all_seconds(json_t *results)
{
    double sum = 0;
    const char *place = NULL;
    json_t *result = NULL;
    json_object_foreach(results, place, result)
    {
        sum += json_number_value(json_object_get(result, "seconds"));
    }
    return sum;
}

static json_t *make_table(struct summing *s, double rate)
{
    const struct nas_compare_config *compare = &s->config->compare;
    json_t *seeds = json_array();
    for (int i = 0; i < compare->seed_count; i++) {
        (void)json_array_append_new(seeds, json_integer(compare->seed[i]));
    }
    json_t *table =
        json_pack("{s:s, s:o, s:o, s:o}", "name", s->config->name, "rows",
                  strategy_rows(s), "ablation", loss_rows(s), "seeds", seeds);
    if (table != NULL && compare->random_paths > 0) {
        set_if(table, "random", random_row(s));
    }
    if (table != NULL && compare->runs[NAS_MPNAS]) {
        set_if(table, "jaccard", nas_compare_alike(s->config, s->results));
    }
    if (table != NULL && rate > 0) {
        set_if(table, "rate", json_real(rate));
    }
    if (table != NULL && compare->without_count > 0) {
        json_t *without = json_array();
        for (int i = 0; i < compare->without_count; i++) {
            (void)json_array_append_new(without,
                                        json_string(compare->without[i]));
        }
        set_if(table, "without", without);
    }
    set_if(table, "seconds", json_real(all_seconds(s->results)));
    return table;
}

static enum sy_status save(const struct nas_compare_job *job, json_t *table,
                           struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    char *text = nas_compare_text(job->config, table);
    enum sy_status status =
        text != NULL ? SY_OK : sy_fail(err, SY_NO_MEMORY, "compare: no memory");
    SY_TRY_OUT(status);
    SY_TRY_OUT(sy_path_join(path, sizeof path, job->out, "table.json", err));
    SY_TRY_OUT(sy_json_save(path, table, err));
    SY_TRY_OUT(sy_path_join(path, sizeof path, job->out, "table.md", err));
    SY_TRY_OUT(sy_file_write(path, text, strlen(text), err));
out:
    sy_free(text);
    return status;
}

enum sy_status nas_compare_table(const struct nas_compare_job *job, double rate,
                                 json_t *results, json_t *ranks, json_t **table,
                                 struct sy_error *err)
{
    struct summing *s = sy_alloc_zero(1, sizeof *s);
    json_t *made = NULL;
    if (s != NULL) {
        s->config = job->config;
        s->results = results;
        s->ranks = ranks;
        made = make_table(s, rate);
    }
    sy_free(s);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "compare: no memory for the table");
    }
    enum sy_status status = save(job, made, err);
    if (status != SY_OK) {
        json_decref(made);
        return status;
    }
    *table = made;
    return SY_OK;
}
