/*
 * clock.c - time. CLOCK_MONOTONIC for durations, CLOCK_REALTIME for stamps;
 * neither can fail with a clock id that the kernel has had for ever, so
 * neither returns a status.
 */
#include "runtime/base/clock.h"

#include <time.h>

#include "runtime/base/status.h"

int64_t sy_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sy_clock_stamp(char *text, size_t text_bytes)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t bytes = strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%SZ", &utc);
    SY_ASSERT(bytes > 0);
}
