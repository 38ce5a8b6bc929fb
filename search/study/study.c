/*
 * study.c - writes the history of a job.
 *
 * DESIGN. A transaction is opened by the first row and closed when it is some
 * seconds old, so a step costs some inserts into memory and no sync. Every
 * failure ends in give_up(): the history stops, the job does not.
 */
#include "search/study/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "search/study/db.h"
#include "search/study/schema.h"

enum { MOST_ASIDE = 1000 };

static const int64_t batch_ns = 2000000000;

struct nas_study {
    struct nas_db *db; /* NULL: given up */
    struct nas_query *add_step, *add_sample, *add_evaluation;
    int64_t run; /* key; 0: none is begun */
    bool open;   /* a transaction */
    int64_t opened_ns;
};

const struct nas_study_step nas_study_nothing = {NAN, NAN, NAN, NAN,
                                                 NAN, NAN, NAN};

static void close_db(struct nas_study *study)
{
    nas_query_end(study->add_step);
    nas_query_end(study->add_sample);
    nas_query_end(study->add_evaluation);
    nas_db_close(study->db);
    *study = (struct nas_study){0};
}

/* Says why, once, and lets the job go on without a history. */
static void give_up(struct nas_study *study, const struct sy_error *err)
{
    sy_log_warn("%s; the job goes on without its history", err->message);
    close_db(study);
}

/* One number that a query gives. */
static enum sy_status ask(struct nas_db *db, const char *sql, int64_t *value,
                          struct sy_error *err)
{
    struct nas_query *query = NULL;
    bool row = false;
    SY_TRY(nas_db_query(&query, db, sql, err));
    enum sy_status status = nas_query_next(query, &row, err);
    if (status == SY_OK && row) {
        *value = nas_query_get_int(query, 0);
    }
    nas_query_end(query);
    return status;
}

/* SQLite's own look at the file; rows of it are complaints. */
static enum sy_status check_whole(struct nas_db *db, const char *path,
                                  struct sy_error *err)
{
    struct nas_query *query = NULL;
    bool row = false;
    SY_TRY(nas_db_query(&query, db, "PRAGMA quick_check(1)", err));
    enum sy_status status = nas_query_next(query, &row, err);
    if (status == SY_OK && row &&
        strcmp(nas_query_get_text(query, 0), "ok") != 0) {
        status = sy_fail(err, SY_BAD_INPUT, "%s: is damaged: %s", path,
                         nas_query_get_text(query, 0));
    }
    nas_query_end(query);
    return status;
}

/* A new file gets the tables, an old one must have them. */
static enum sy_status take_tables(struct nas_db *db, const char *path,
                                  struct sy_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    SY_TRY(check_whole(db, path, err));
    SY_TRY(ask(db, "PRAGMA application_id", &application, err));
    SY_TRY(ask(db, "PRAGMA user_version", &version, err));
    SY_TRY(ask(db, "SELECT count(*) FROM sqlite_master", &tables, err));
    if (tables == 0) {
        return nas_db_run(db, "BEGIN IMMEDIATE;" NAS_STUDY_SCHEMA "COMMIT",
                          err);
    }
    if (application != atoll(NAS_STUDY_APPLICATION) ||
        version != atoll(NAS_STUDY_VERSION)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: is no study of this version: expected "
                       "application " NAS_STUDY_APPLICATION
                       " and version " NAS_STUDY_VERSION
                       ", found %lld and %lld",
                       path, (long long)application, (long long)version);
    }
    return SY_OK;
}

static enum sy_status open_db(struct nas_study *study, const char *path,
                              struct sy_error *err)
{
    SY_TRY(nas_db_open(&study->db, path, true, err));
    SY_TRY(take_tables(study->db, path, err));
    SY_TRY(nas_db_query(&study->add_step, study->db,
                        "INSERT OR REPLACE INTO steps "
                        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                        err));
    SY_TRY(nas_db_query(&study->add_sample, study->db,
                        "INSERT OR REPLACE INTO samples "
                        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                        err));
    return nas_db_query(&study->add_evaluation, study->db,
                        "INSERT INTO evaluations "
                        "VALUES(NULL,?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                        err);
}

/* Renames the file, with its log, to the first free "PATH.damaged-N". */
static enum sy_status move_aside(const char *path, struct sy_error *err)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char from[SY_PATH_BYTES + 32], to[SY_PATH_BYTES + 32];
    int n = 1;
    do {
        (void)snprintf(to, sizeof to, "%s.damaged-%d", path, n);
    } while (access(to, F_OK) == 0 && n++ < MOST_ASIDE);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, parts[i]);
        (void)snprintf(to, sizeof to, "%s.damaged-%d%s", path, n, parts[i]);
        if (access(from, F_OK) == 0 && rename(from, to) != 0) {
            return sy_fail(err, SY_IO, "%s: cannot be moved aside", from);
        }
    }
    sy_log_warn("%s: moved to %s.damaged-%d; a fresh one is begun", path, path,
                n);
    return SY_OK;
}

struct nas_study *nas_study_open(const char *path)
{
    struct sy_error err = {0};
    struct nas_study *study = sy_alloc_zero(1, sizeof *study);
    if (study == NULL) {
        sy_log_warn("%s: no memory; the job goes on without its history", path);
        return NULL;
    }
    enum sy_status status = open_db(study, path, &err);
    if (status == SY_BAD_INPUT) {
        sy_log_warn("%s", err.message);
        close_db(study);
        status = move_aside(path, &err);
        status = status == SY_OK ? open_db(study, path, &err) : status;
    }
    if (status != SY_OK) {
        give_up(study, &err);
        sy_free(study);
        return NULL;
    }
    return study;
}

/* Ends the transaction, if there is one. */
static enum sy_status commit(struct nas_study *study, struct sy_error *err)
{
    if (!study->open) {
        return SY_OK;
    }
    study->open = false;
    return nas_db_run(study->db, "COMMIT", err);
}

/* Runs a statement inside the transaction of the moment. */
static void add(struct nas_study *study, struct nas_query *query)
{
    struct sy_error err = {0};
    enum sy_status status = SY_OK;
    if (!study->open) {
        study->opened_ns = sy_now_ns();
        SY_TRY_OUT(nas_db_run(study->db, "BEGIN IMMEDIATE", &err));
        study->open = true;
    }
    SY_TRY_OUT(nas_query_run(query, &err));
    if (sy_now_ns() - study->opened_ns >= batch_ns) {
        SY_TRY_OUT(commit(study, &err));
    }
out:
    if (status != SY_OK) {
        give_up(study, &err);
    }
}

static bool running(const struct nas_study *study)
{
    return study != NULL && study->db != NULL && study->run > 0;
}

static enum sy_status delete_from(struct nas_study *study, const char *sql,
                                  int64_t first_step, struct sy_error *err)
{
    struct nas_query *query = NULL;
    SY_TRY(nas_db_query(&query, study->db, sql, err));
    nas_query_int(query, 1, study->run);
    nas_query_int(query, 2, first_step);
    enum sy_status status = nas_query_run(query, err);
    nas_query_end(query);
    return status;
}

/* The key of the run, or 0. */
static enum sy_status find_run(struct nas_study *study,
                               const struct nas_study_run *run,
                               struct sy_error *err)
{
    struct nas_query *query = NULL;
    bool row = false;
    study->run = 0;
    SY_TRY(nas_db_query(&query, study->db,
                        "SELECT id FROM runs WHERE label=?1 AND identity=?2",
                        err));
    nas_query_text(query, 1, run->label);
    nas_query_text(query, 2, run->identity);
    enum sy_status status = nas_query_next(query, &row, err);
    if (status == SY_OK && row) {
        study->run = nas_query_get_int(query, 0);
    }
    nas_query_end(query);
    return status;
}

static enum sy_status insert_run(struct nas_study *study,
                                 const struct nas_study_run *run,
                                 struct sy_error *err)
{
    struct nas_query *query = NULL;
    char stamp[32];
    sy_clock_stamp(stamp, sizeof stamp);
    SY_TRY(nas_db_query(&query, study->db,
                        "INSERT INTO runs VALUES(NULL,?1,?2,?3,?4,?5,?6,?7)",
                        err));
    nas_query_text(query, 1, run->label);
    nas_query_text(query, 2, run->identity);
    nas_query_text(query, 3, run->config);
    nas_query_int(query, 4, run->seed);
    nas_query_int(query, 5, run->steps);
    nas_query_text(query, 6, SY_VERSION);
    nas_query_text(query, 7, stamp);
    enum sy_status status = nas_query_run(query, err);
    nas_query_end(query);
    study->run = nas_db_last(study->db);
    return status;
}

static enum sy_status insert_domains(struct nas_study *study,
                                     const struct nas_study_run *run,
                                     struct sy_error *err)
{
    struct nas_query *query = NULL;
    enum sy_status status = SY_OK;
    SY_TRY(nas_db_query(&query, study->db,
                        "INSERT INTO domains VALUES(?1,?2,?3,?4)", err));
    for (int d = 0; d < run->domain_count; d++) {
        nas_query_int(query, 1, study->run);
        nas_query_int(query, 2, d);
        nas_query_text(query, 3, run->domain[d]);
        nas_query_real(query, 4, run->target != NULL ? run->target[d] : NAN);
        SY_TRY_OUT(nas_query_run(query, err));
    }
out:
    nas_query_end(query);
    return status;
}

/* Inside a transaction. */
static enum sy_status begin(struct nas_study *study,
                            const struct nas_study_run *run, int64_t first_step,
                            struct sy_error *err)
{
    SY_TRY(find_run(study, run, err));
    if (study->run > 0 && first_step > 0) {
        SY_TRY(delete_from(study, "DELETE FROM steps WHERE run=?1 AND step>=?2",
                           first_step, err));
        SY_TRY(delete_from(study,
                           "DELETE FROM samples WHERE run=?1 AND step>=?2",
                           first_step, err));
        return delete_from(study,
                           "DELETE FROM evaluations WHERE run=?1 AND step>=?2",
                           first_step, err);
    }
    if (study->run > 0) { /* the rest of the run follows it, by its key */
        SY_TRY(delete_from(study, "DELETE FROM runs WHERE id=?1 AND 0<=?2",
                           first_step, err));
    }
    SY_TRY(insert_run(study, run, err));
    return insert_domains(study, run, err);
}

void nas_study_begin(struct nas_study *study, const struct nas_study_run *run,
                     int64_t first_step)
{
    struct sy_error err = {0};
    enum sy_status status = SY_OK;
    if (study == NULL || study->db == NULL) {
        return;
    }
    SY_TRY_OUT(commit(study, &err));
    SY_TRY_OUT(nas_db_run(study->db, "BEGIN IMMEDIATE", &err));
    study->open = true;
    SY_TRY_OUT(begin(study, run, first_step, &err));
    SY_TRY_OUT(commit(study, &err));
out:
    if (status != SY_OK) {
        give_up(study, &err);
    }
}

void nas_study_add_step(struct nas_study *study, int64_t step, int domain,
                        const struct nas_study_step *numbers)
{
    if (!running(study)) {
        return;
    }
    struct nas_query *query = study->add_step;
    nas_query_int(query, 1, study->run);
    nas_query_int(query, 2, step);
    nas_query_int(query, 3, domain);
    nas_query_real(query, 4, numbers->loss);
    nas_query_real(query, 5, numbers->accuracy);
    nas_query_real(query, 6, numbers->weight);
    nas_query_real(query, 7, numbers->reward);
    nas_query_real(query, 8, numbers->baseline);
    nas_query_real(query, 9, numbers->entropy);
    nas_query_real(query, 10, numbers->cost);
    add(study, query);
}

void nas_study_add_sample(struct nas_study *study, int64_t step, int domain,
                          int index, const struct nas_study_sample *sample)
{
    char path[SY_PATH_TEXT_BYTES];
    if (!running(study)) {
        return;
    }
    struct nas_query *query = study->add_sample;
    nas_query_int(query, 1, study->run);
    nas_query_int(query, 2, step);
    nas_query_int(query, 3, domain);
    nas_query_int(query, 4, index);
    nas_query_text(query, 5, sy_path_text(sample->path, path));
    nas_query_real(query, 6, sample->accuracy);
    nas_query_real(query, 7, sample->cost);
    nas_query_real(query, 8, sample->reward);
    add(study, query);
}

void nas_study_add_evaluation(struct nas_study *study, int64_t step, int domain,
                              const struct nas_study_evaluation *evaluation)
{
    char path[SY_PATH_TEXT_BYTES];
    if (!running(study)) {
        return;
    }
    struct nas_query *query = study->add_evaluation;
    nas_query_int(query, 1, study->run);
    nas_query_int(query, 2, step);
    nas_query_int(query, 3, domain);
    nas_query_text(query, 4, evaluation->kind);
    nas_query_text(
        query, 5,
        evaluation->path != NULL ? sy_path_text(evaluation->path, path) : NULL);
    nas_query_real(query, 6, evaluation->top1);
    nas_query_real(query, 7, evaluation->nll);
    nas_query_real(query, 8, evaluation->madds);
    nas_query_real(query, 9, evaluation->params);
    add(study, query);
}

void nas_study_flush(struct nas_study *study)
{
    struct sy_error err = {0};
    if (study != NULL && study->db != NULL && commit(study, &err) != SY_OK) {
        give_up(study, &err);
    }
}

void nas_study_close(struct nas_study *study)
{
    if (study != NULL) {
        nas_study_flush(study);
        close_db(study);
        sy_free(study);
    }
}
