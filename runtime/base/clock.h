/*
 * clock.h - time. Monotonic for durations and deadlines, wall for stamps.
 * Thread: any.
 */
#ifndef SY_BASE_CLOCK_H
#define SY_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of a clock that never goes back; the origin means nothing. */
int64_t sy_now_ns(void);

/* Writes "2026-01-31T12:00:00Z" (UTC) to `text`, at least 21 bytes. */
void sy_clock_stamp(char *text, size_t text_bytes);

#endif
