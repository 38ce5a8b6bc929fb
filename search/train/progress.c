/*
 * progress.c - rate, time left, loss and accuracy per domain.
 */
#include "search/train/progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/base/clock.h"

enum { TERMINAL_MS = 500, PLAIN_MS = 10000, LINE_BYTES = 4096 };

/* Share of the newest step in the running means. */
static const double progress_share = 0.02;

void nas_progress_begin(struct nas_progress *progress, int64_t first_step,
                        int64_t steps, bool quiet)
{
    progress->quiet = quiet;
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->started_ns = sy_now_ns();
    progress->shown_ns = progress->started_ns;
    progress->first_step = first_step;
    progress->steps = steps;
    progress->images = 0;
    progress->seen = false;
}

void nas_progress_domain(struct nas_progress *progress, int domain, double loss,
                         double accuracy)
{
    double share = progress->seen ? progress_share : 1.0;
    progress->loss[domain] += share * (loss - progress->loss[domain]);
    progress->accuracy[domain] +=
        share * (accuracy - progress->accuracy[domain]);
}

/* The whole line, without its end. */
static void write_line(const struct nas_progress *progress, int64_t step,
                       double seconds, char *line)
{
    double rate = (double)progress->images / (seconds > 0 ? seconds : 1);
    double done = (double)(step + 1 - progress->first_step);
    double left = (double)(progress->steps - step - 1) * seconds / done;
    int used = snprintf(
        line, LINE_BYTES,
        "step %" PRId64 "/%" PRId64 "  %.0f images/s  %d:%02d left ", step + 1,
        progress->steps, rate, (int)left / 60, (int)left % 60);
    for (int d = 0; d < progress->domains && used < LINE_BYTES; d++) {
        if (progress->note[d][0] != '\0') {
            used += snprintf(line + used, (size_t)(LINE_BYTES - used), " %s %s",
                             progress->name[d], progress->note[d]);
            continue;
        }
        used += snprintf(line + used, (size_t)(LINE_BYTES - used),
                         " %s %.3f/%.1f%%", progress->name[d],
                         progress->loss[d], 100 * progress->accuracy[d]);
    }
}

void nas_progress_note(struct nas_progress *progress, int domain,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(progress->note[domain], NAS_PROGRESS_NOTE_BYTES, format,
                    args);
    va_end(args);
}

void nas_progress_step(struct nas_progress *progress, int64_t step, int images)
{
    char line[LINE_BYTES];
    int64_t now_ns = sy_now_ns();
    int64_t wait_ms = progress->terminal ? TERMINAL_MS : PLAIN_MS;
    progress->seen = true;
    progress->images += images;
    bool last = step + 1 == progress->steps;
    if (progress->quiet ||
        (!last && now_ns - progress->shown_ns < wait_ms * 1000000)) {
        return;
    }
    progress->shown_ns = now_ns;
    write_line(progress, step, (double)(now_ns - progress->started_ns) / 1e9,
               line);
    (void)fprintf(stderr, progress->terminal ? "\r\033[K%s" : "%s\n", line);
}

void nas_progress_end(struct nas_progress *progress)
{
    if (progress->terminal && !progress->quiet && progress->seen) {
        (void)fputc('\n', stderr);
    }
}
