/*
 * history.c - what a report shows of a study store.
 *
 * DESIGN. The database does the thinning: curves are means over at most 200
 * parts of the run, sampled paths are those that were drawn most in its second
 * half, when the supernet's scores mean something. So a page of a long search
 * is as small as that of a short one.
 */
#include <math.h>
#include <stdio.h>

#include "runtime/base/memory.h"
#include "search/eval/stats.h"
#include "search/report/parts.h"
#include "search/study/db.h"
#include "search/train/trainer.h"

enum { CURVE_PARTS = 200, MOST_PATHS = 40, LEAST_PAIRS = 3, MOST_PAIRS = 1000 };

struct history {
    struct nas_db *db;
    int64_t run;
    json_t *root;
};

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A query of which ?1 is the run and ?2 the domain, if it has one. */
static enum sy_status ask(struct nas_query **query, const struct history *h,
                          const char *sql, int domain, struct sy_error *err)
{
    SY_TRY(nas_db_query(query, h->db, sql, err));
    nas_query_int(*query, 1, h->run);
    if (domain >= 0) {
        nas_query_int(*query, 2, domain);
    }
    return SY_OK;
}

/* Puts an owned list, NULL included, into the document. */
static enum sy_status put(struct history *h, const char *key, json_t *list,
                          struct sy_error *err)
{
    return json_object_set_new(h->root, key, list) == 0
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "report: no memory");
}

static enum sy_status find_run(struct history *h, const char *file,
                               const char *label, struct sy_error *err)
{
    struct nas_query *query = NULL;
    bool row = false;
    enum sy_status status = SY_OK;
    SY_TRY(nas_db_query(&query, h->db,
                        "SELECT id, label, seed, steps, begun, program, config "
                        "FROM runs WHERE ?1 IS NULL OR label=?1 "
                        "ORDER BY id DESC LIMIT 1",
                        err));
    nas_query_text(query, 1, label);
    SY_TRY_OUT(nas_query_next(query, &row, err));
    if (!row) {
        status = sy_fail(err, SY_NOT_FOUND, "%s: there is no run \"%s\" in it",
                         file, label != NULL ? label : "");
        goto out;
    }
    h->run = nas_query_get_int(query, 0);
    json_t *config = json_loads(nas_query_get_text(query, 6), 0, NULL);
    status = put(h, "run",
                 json_pack("{s:s,s:I,s:I,s:s,s:s,s:o?}", "label",
                           nas_query_get_text(query, 1), "seed",
                           (json_int_t)nas_query_get_int(query, 2), "steps",
                           (json_int_t)nas_query_get_int(query, 3), "begun",
                           nas_query_get_text(query, 4), "program",
                           nas_query_get_text(query, 5), "config", config),
                 err);
out:
    nas_query_end(query);
    return status;
}

/* Rows of (domain, numbers ...) become [{"domain", KEY: [...]}]: a new entry
   with each new domain. `keys` ends with NULL. */
static enum sy_status read_columns(struct history *h, const char *key,
                                   const char *sql, const char *const *keys,
                                   struct sy_error *err)
{
    struct nas_query *query = NULL;
    json_t *list = json_array();
    json_t *entry = NULL;
    bool row = false;
    int64_t domain = -1;
    enum sy_status status = ask(&query, h, sql, -1, err);
    while (status == SY_OK &&
           (status = nas_query_next(query, &row, err)) == SY_OK && row) {
        if (nas_query_get_int(query, 0) != domain) {
            domain = nas_query_get_int(query, 0);
            entry = json_pack("{s:I}", "domain", (json_int_t)domain);
            (void)json_array_append_new(list, entry);
            for (int k = 0; keys[k] != NULL; k++) {
                (void)json_object_set_new(entry, keys[k], json_array());
            }
        }
        for (int k = 0; keys[k] != NULL; k++) {
            (void)json_array_append_new(
                json_object_get(entry, keys[k]),
                number(nas_query_get_real(query, k + 1)));
        }
    }
    nas_query_end(query);
    if (status != SY_OK) {
        json_decref(list);
        return status;
    }
    return put(h, key, list, err);
}

/* The run's steps. */
static enum sy_status read_curves(struct history *h, const char *key,
                                  struct sy_error *err)
{
    static const char *const keys[] = {"step",   "loss",   "accuracy",
                                       "weight", "reward", "entropy",
                                       "cost",   NULL};
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SELECT domain, avg(step), avg(loss), avg(accuracy), "
                   "avg(weight), avg(reward), avg(entropy), avg(steps.cost) "
                   "FROM steps JOIN runs ON runs.id=run WHERE run=?1 "
                   "GROUP BY domain, step * %d / max(runs.steps, 1) "
                   "ORDER BY domain, step",
                   CURVE_PARTS);
    return read_columns(h, key, sql, keys, err);
}

/* One row as an object: [domain, path, numbers ...]. */
typedef json_t *(*row_fn)(struct nas_query *query);

static enum sy_status read_rows(struct history *h, const char *key,
                                const char *sql, row_fn make,
                                struct sy_error *err)
{
    struct nas_query *query = NULL;
    json_t *list = json_array();
    bool row = false;
    enum sy_status status = ask(&query, h, sql, -1, err);
    while (status == SY_OK &&
           (status = nas_query_next(query, &row, err)) == SY_OK && row) {
        (void)json_array_append_new(list, make(query));
    }
    nas_query_end(query);
    if (status != SY_OK) {
        json_decref(list);
        return status;
    }
    return put(h, key, list, err);
}

static json_t *domain_row(struct nas_query *query)
{
    return json_pack("{s:s,s:o}", "name", nas_query_get_text(query, 0),
                     "target", number(nas_query_get_real(query, 1)));
}

static json_t *sample_row(struct nas_query *query)
{
    return json_pack("{s:I,s:s,s:o,s:o,s:I}", "domain",
                     (json_int_t)nas_query_get_int(query, 0), "path",
                     nas_query_get_text(query, 1), "accuracy",
                     number(nas_query_get_real(query, 2)), "cost",
                     number(nas_query_get_real(query, 3)), "count",
                     (json_int_t)nas_query_get_int(query, 4));
}

static json_t *score_row(struct nas_query *query)
{
    return json_pack("{s:I,s:s,s:s,s:o,s:o}", "domain",
                     (json_int_t)nas_query_get_int(query, 0), "kind",
                     nas_query_get_text(query, 1), "path",
                     nas_query_get_text(query, 2), "top1",
                     number(nas_query_get_real(query, 3)), "madds",
                     number(nas_query_get_real(query, 4)));
}

static enum sy_status read_samples(struct history *h, struct sy_error *err)
{
    char sql[640];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT domain, path, accuracy, cost, times FROM (SELECT domain, path, "
        "avg(accuracy) accuracy, avg(samples.cost) cost, count(*) times, "
        "row_number() OVER (PARTITION BY domain ORDER BY count(*) DESC, path) "
        "place FROM samples JOIN runs ON runs.id=run WHERE run=?1 AND "
        "step * 2 >= runs.steps GROUP BY domain, path) WHERE place <= %d "
        "ORDER BY domain, place",
        MOST_PATHS);
    return read_rows(h, "samples", sql, sample_row, err);
}

/* One domain's pairs of scores, and how alike they rank. */
static enum sy_status read_rank(struct history *h, json_t *list, int domain,
                                double *a, double *b, struct sy_error *err)
{
    struct nas_query *query = NULL;
    struct nas_interval tau;
    json_t *pairs = json_array();
    bool row = false;
    int count = 0;
    enum sy_status status = ask(
        &query, h,
        "SELECT s.path, avg(s.top1), avg(a.top1) FROM evaluations s JOIN "
        "evaluations a ON a.run=s.run AND a.domain=s.domain AND a.path=s.path "
        "WHERE s.run=?1 AND s.domain=?2 AND s.kind='supernet' AND "
        "a.kind='alone' AND s.top1 IS NOT NULL AND a.top1 IS NOT NULL "
        "GROUP BY s.path ORDER BY s.path",
        domain, err);
    while (status == SY_OK && count < MOST_PAIRS &&
           (status = nas_query_next(query, &row, err)) == SY_OK && row) {
        a[count] = nas_query_get_real(query, 1);
        b[count] = nas_query_get_real(query, 2);
        (void)json_array_append_new(
            pairs, json_pack("[s,f,f]", nas_query_get_text(query, 0), a[count],
                             b[count]));
        count++;
    }
    nas_query_end(query);
    if (status == SY_OK && count >= LEAST_PAIRS) {
        status = nas_kendall_interval(&tau, a, b, count, err);
    }
    if (status == SY_OK && count >= LEAST_PAIRS) {
        (void)json_array_append_new(
            list, json_pack("{s:i,s:f,s:f,s:f,s:O}", "domain", domain, "tau",
                            tau.value, "low", tau.low, "high", tau.high,
                            "pairs", pairs));
    }
    json_decref(pairs);
    return status;
}

static enum sy_status read_ranks(struct history *h, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    json_t *list = json_array();
    double *a = sy_alloc_zero(MOST_PAIRS, sizeof *a);
    double *b = sy_alloc_zero(MOST_PAIRS, sizeof *b);
    size_t domains = json_array_size(json_object_get(h->root, "domains"));
    if (list == NULL || a == NULL || b == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "report: no memory");
        goto out;
    }
    for (size_t d = 0; d < domains; d++) {
        SY_TRY_OUT(read_rank(h, list, (int)d, a, b, err));
    }
    status = put(h, "ranks", json_incref(list), err);
out:
    json_decref(list);
    sy_free(a);
    sy_free(b);
    return status;
}

/* The curves of the training that stands beside the search in its file. */
static enum sy_status read_training(struct history *h, struct sy_error *err)
{
    struct nas_query *query = NULL;
    bool row = false;
    SY_TRY(nas_db_query(&query, h->db,
                        "SELECT id FROM runs WHERE label=?1 AND id<>?2 "
                        "ORDER BY id DESC LIMIT 1",
                        err));
    nas_query_text(query, 1, NAS_TRAIN_LABEL);
    nas_query_int(query, 2, h->run);
    enum sy_status status = nas_query_next(query, &row, err);
    h->run = row ? nas_query_get_int(query, 0) : h->run;
    nas_query_end(query);
    SY_TRY(status);
    return row ? read_curves(h, "training", err) : SY_OK;
}

enum sy_status nas_report_history(json_t **history, const char *file,
                                  const char *label, struct sy_error *err)
{
    struct history h = {0};
    enum sy_status status = SY_OK;
    SY_TRY(nas_db_open(&h.db, file, false, err));
    h.root = json_object();
    /* One picture of the file, however the job writes on. */
    SY_TRY_OUT(nas_db_run(h.db, "BEGIN", err));
    SY_TRY_OUT(find_run(&h, file, label, err));
    SY_TRY_OUT(read_rows(&h, "domains",
                         "SELECT name, target FROM domains WHERE run=?1 "
                         "ORDER BY domain",
                         domain_row, err));
    SY_TRY_OUT(read_curves(&h, "curves", err));
    SY_TRY_OUT(read_samples(&h, err));
    SY_TRY_OUT(read_rows(&h, "scores",
                         "SELECT domain, kind, path, top1, madds FROM "
                         "evaluations WHERE run=?1 AND kind IN "
                         "('valid', 'test') ORDER BY domain, id",
                         score_row, err));
    SY_TRY_OUT(read_ranks(&h, err));
    SY_TRY_OUT(read_training(&h, err));
    *history = json_incref(h.root);
out:
    json_decref(h.root);
    nas_db_close(h.db);
    return status;
}
