/*
 * db.c - SQLite, and nobody else's business.
 */
#include "search/study/db.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { WAIT_MS = 10000 };

struct nas_db {
    sqlite3 *handle;
    char path[];
};

struct nas_query {
    sqlite3_stmt *statement;
    struct nas_db *db;
};

static enum sy_status fail(const struct nas_db *db, struct sy_error *err)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    enum sy_status status = SY_IO;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        status = SY_BAD_INPUT;
    } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        status = SY_BUSY;
    } else if (code == SQLITE_NOMEM) {
        status = SY_NO_MEMORY;
    }
    return sy_fail(err, status, "%s: SQLite: %s", db->path,
                   sqlite3_errmsg(db->handle));
}

enum sy_status nas_db_open(struct nas_db **db, const char *path, bool write,
                           struct sy_error *err)
{
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                      : SQLITE_OPEN_READONLY;
    enum sy_status status = SY_OK;
    size_t bytes = strlen(path) + 1;
    struct nas_db *made = sy_alloc_zero(1, sizeof *made + bytes);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", path);
    }
    memcpy(made->path, path, bytes);
    if (sqlite3_open_v2(path, &made->handle, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(made->handle, WAIT_MS) != SQLITE_OK) {
        status = fail(made, err);
        goto out;
    }
    if (write) {
        /* NORMAL: after a power cut the last seconds may be missing, but what
           is there is whole. */
        SY_TRY_OUT(nas_db_run(made,
                              "PRAGMA journal_mode=WAL;"
                              "PRAGMA synchronous=NORMAL;"
                              "PRAGMA foreign_keys=ON",
                              err));
    }
    *db = made;
    made = NULL;
out:
    nas_db_close(made);
    return status;
}

void nas_db_close(struct nas_db *db)
{
    if (db != NULL) {
        (void)sqlite3_close(db->handle);
        sy_free(db);
    }
}

enum sy_status nas_db_run(struct nas_db *db, const char *sql,
                          struct sy_error *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
               ? SY_OK
               : fail(db, err);
}

enum sy_status nas_db_query(struct nas_query **query, struct nas_db *db,
                            const char *sql, struct sy_error *err)
{
    struct nas_query *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", db->path);
    }
    made->db = db;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &made->statement, NULL) !=
        SQLITE_OK) {
        sy_free(made);
        return fail(db, err);
    }
    *query = made;
    return SY_OK;
}

void nas_query_end(struct nas_query *query)
{
    if (query != NULL) {
        (void)sqlite3_finalize(query->statement);
        sy_free(query);
    }
}

/* Binding fails for want of memory or for a parameter that is not there. */
static void bound(int code)
{
    SY_ASSERT(code == SQLITE_OK || code == SQLITE_NOMEM);
}

void nas_query_int(struct nas_query *query, int at, int64_t value)
{
    bound(sqlite3_bind_int64(query->statement, at, value));
}

void nas_query_real(struct nas_query *query, int at, double value)
{
    bound(isfinite(value) ? sqlite3_bind_double(query->statement, at, value)
                          : sqlite3_bind_null(query->statement, at));
}

void nas_query_text(struct nas_query *query, int at, const char *value)
{
    bound(value != NULL ? sqlite3_bind_text(query->statement, at, value, -1,
                                            SQLITE_STATIC)
                        : sqlite3_bind_null(query->statement, at));
}

enum sy_status nas_query_next(struct nas_query *query, bool *row,
                              struct sy_error *err)
{
    int code = sqlite3_step(query->statement);
    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        return SY_OK;
    }
    enum sy_status status = code == SQLITE_DONE ? SY_OK : fail(query->db, err);
    (void)sqlite3_reset(query->statement);
    return status;
}

enum sy_status nas_query_run(struct nas_query *query, struct sy_error *err)
{
    bool row = false;
    SY_TRY(nas_query_next(query, &row, err));
    (void)sqlite3_reset(query->statement);
    return SY_OK;
}

int64_t nas_query_get_int(struct nas_query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double nas_query_get_real(struct nas_query *query, int column)
{
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL
               ? NAN
               : sqlite3_column_double(query->statement, column);
}

const char *nas_query_get_text(struct nas_query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->statement, column);
    return text != NULL ? (const char *)text : "";
}

int64_t nas_db_last(struct nas_db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}
