/*
 * access.h - the access log: one JSON object a line for each request.
 *
 * Lines are made on the HTTP threads and written by a thread of the log, so a
 * slow disk delays no request; what does not fit into its bounded buffer is
 * dropped and counted.
 *
 * Thread: open, reopen, close: init. srv_access_log_add: any.
 */
#ifndef SRV_LOG_ACCESS_H
#define SRV_LOG_ACCESS_H

#include "serving/http/record.h"
#include "serving/http/router.h"

struct srv_access_log;

/* Opens (appends to) a file, or stderr for "-". */
enum sy_status srv_access_log_open(struct srv_access_log **log,
                                   const char *path,
                                   struct sy_error *err) SY_MUST_USE;

/* Opens the file anew, after it was moved away, or another one. On failure
   the log goes on as it was. */
enum sy_status srv_access_log_reopen(struct srv_access_log *log,
                                     const char *path,
                                     struct sy_error *err) SY_MUST_USE;

void srv_access_log_add(struct srv_access_log *log,
                        const struct srv_record *record);

/* Lines that were dropped so far. */
int64_t srv_access_log_dropped(struct srv_access_log *log);

/* Writes what is left. NULL is legal. */
void srv_access_log_close(struct srv_access_log *log);

#endif
