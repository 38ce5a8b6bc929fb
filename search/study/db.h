/*
 * db.h - a thin layer over SQLite, so that one file includes its header:
 * connections, prepared queries, errors as ours.
 *
 * A file that is no database, or is damaged, is SY_BAD_INPUT; one that stays
 * locked is SY_BUSY; all else is SY_IO.
 *
 * Thread: one at a time per connection.
 */
#ifndef NAS_STUDY_DB_H
#define NAS_STUDY_DB_H

#include <stdint.h>

#include "runtime/base/status.h"

struct nas_db;
struct nas_query;

/*
 * Opens a file, made if `write` and it is not there. Waits up to ten seconds
 * for a lock. Writers use a write-ahead log, so readers never wait for them
 * nor they for readers.
 */
enum sy_status nas_db_open(struct nas_db **db, const char *path, bool write,
                           struct sy_error *err) SY_MUST_USE;
void nas_db_close(struct nas_db *db); /* NULL is legal */

/* Runs statements that give no rows, or whose rows do not matter. */
enum sy_status nas_db_run(struct nas_db *db, const char *sql,
                          struct sy_error *err) SY_MUST_USE;

/* Prepares one statement; it ends before its connection. */
enum sy_status nas_db_query(struct nas_query **query, struct nas_db *db,
                            const char *sql, struct sy_error *err) SY_MUST_USE;
void nas_query_end(struct nas_query *query); /* NULL is legal */

/*
 * Parameters are counted from 1. Texts are borrowed until the next step's end
 * and may be NULL; a number that is not finite is stored as NULL.
 */
void nas_query_int(struct nas_query *query, int at, int64_t value);
void nas_query_real(struct nas_query *query, int at, double value);
void nas_query_text(struct nas_query *query, int at, const char *value);

/* The next row, if there is one; after the last the query can run again. */
enum sy_status nas_query_next(struct nas_query *query, bool *row,
                              struct sy_error *err) SY_MUST_USE;

/* Runs a statement without rows, and makes it ready to run again. */
enum sy_status nas_query_run(struct nas_query *query,
                             struct sy_error *err) SY_MUST_USE;

/* Columns of the row, counted from 0; a text lives until the next row. NULL
   is 0, NaN or "". */
int64_t nas_query_get_int(struct nas_query *query, int column);
double nas_query_get_real(struct nas_query *query, int column);
const char *nas_query_get_text(struct nas_query *query, int column);

/* Key of the row that was inserted last. */
int64_t nas_db_last(struct nas_db *db);

#endif
