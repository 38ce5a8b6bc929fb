/*
 * schedule.c - when the requests of an open loop are due.
 */
#include "serving/load/schedule.h"

#include <math.h>

void srv_schedule_init(struct srv_schedule *schedule,
                       enum srv_arrivals arrivals, double rate, uint64_t seed)
{
    *schedule = (struct srv_schedule){
        .arrivals = arrivals,
        .gap_ns = 1e9 / rate,
        .rng = sy_rng_stream(seed, SY_RNG_BENCH, 1, 0),
    };
}

int64_t srv_schedule_next(struct srv_schedule *schedule)
{
    double at_ns = schedule->at_ns;

    if (schedule->arrivals == SRV_FIXED) {
        schedule->at_ns += schedule->gap_ns;
        return (int64_t)at_ns;
    }
    /* 1 - u is in (0, 1]. */
    schedule->at_ns -=
        schedule->gap_ns * log(1.0 - (double)sy_rng_uniform(&schedule->rng));
    return (int64_t)schedule->at_ns;
}
