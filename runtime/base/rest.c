/*
 * rest.c - see rest.h.
 *
 * DESIGN. What counts is processor time: of this thread, for how long it is to
 * sleep, and of the whole process, for whether anybody else works. Both are
 * read when a piece has lasted, so a point costs one read of a thread's own
 * variable, and one of a clock for those who do rest.
 *
 * Work of others comes in bursts with gaps between, as requests do; that they
 * worked is remembered for a while.
 */
#include "runtime/base/rest.h"

#include <stdint.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"

#define PIECE_NS  INT64_C(300000)   /* of work between two rests */
#define LONG_NS   INT64_C(50000000) /* no rest is longer */
#define MEMORY_NS INT64_C(200000000)
#define IDLE      50 /* others at work for a 50th of the time or less */

struct resting {
    double sleep;    /* for each nanosecond of work; 0: never rests */
    int64_t own_ns;  /* at the last rest: this thread's processor time, */
    int64_t all_ns;  /* that of the process, */
    int64_t then_ns; /* and the time */
    int64_t busy_ns; /* until when others count as being at work */
};

static _Thread_local struct resting resting;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void begin_piece(int64_t own_ns)
{
    resting.own_ns = own_ns;
    resting.all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    resting.then_ns = sy_now_ns();
}

void sy_rest_set(double share)
{
    SY_ASSERT(share > 0.0 && share <= 1.0);
    resting = (struct resting){.sleep = 1.0 / share - 1.0};
    begin_piece(clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

/* Whether others have worked since the last rest, or shortly before. */
static bool others_work(int64_t spent_ns)
{
    int64_t now_ns = sy_now_ns();
    int64_t others_ns =
        clock_ns(CLOCK_PROCESS_CPUTIME_ID) - resting.all_ns - spent_ns;
    if (others_ns > (now_ns - resting.then_ns) / IDLE) {
        resting.busy_ns = now_ns + MEMORY_NS;
    }
    return now_ns < resting.busy_ns;
}

void sy_rest(void)
{
    if (resting.sleep <= 0.0) {
        return;
    }
    int64_t own_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t spent_ns = own_ns - resting.own_ns;
    if (spent_ns < PIECE_NS) {
        return;
    }
    if (others_work(spent_ns)) {
        double sleep_ns = resting.sleep * (double)spent_ns;
        int64_t ns = sleep_ns < (double)LONG_NS ? (int64_t)sleep_ns : LONG_NS;
        struct timespec sleep = {.tv_sec = ns / 1000000000,
                                 .tv_nsec = ns % 1000000000};
        (void)nanosleep(&sleep, NULL);
    }
    begin_piece(own_ns);
}
