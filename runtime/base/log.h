/*
 * log.h - lines for people, on stderr.
 *
 * The only global mutable state of the project beside the list of backends.
 * A line is "2026-01-31T12:00:00Z level message", written with one call, so
 * that lines of several threads never mix; control characters in the message
 * are escaped, so that input from outside cannot forge a line.
 *
 * Thread: any.
 */
#ifndef SY_BASE_LOG_H
#define SY_BASE_LOG_H

#include "runtime/base/status.h"

enum sy_log_level { SY_LOG_DEBUG, SY_LOG_INFO, SY_LOG_WARN, SY_LOG_ERROR };

/* Lines below `level` are dropped; the start value is SY_LOG_INFO. */
void sy_log_set_level(enum sy_log_level level);

void sy_log(enum sy_log_level level, const char *format, ...) SY_PRINTF(2, 3);

#define sy_log_debug(...) sy_log(SY_LOG_DEBUG, __VA_ARGS__)
#define sy_log_info(...)  sy_log(SY_LOG_INFO, __VA_ARGS__)
#define sy_log_warn(...)  sy_log(SY_LOG_WARN, __VA_ARGS__)
#define sy_log_error(...) sy_log(SY_LOG_ERROR, __VA_ARGS__)

#endif
