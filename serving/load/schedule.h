/*
 * schedule.h - when the requests of an open loop are due.
 *
 * An open loop sends at times that do not depend on the answers, as people
 * do; latency counts from the due time, so that a server which stops for a
 * second is charged for every request that this second held up (what G. Tene
 * calls coordinated omission is left out of nothing).
 *
 * Thread: one at a time.
 */
#ifndef SRV_LOAD_SCHEDULE_H
#define SRV_LOAD_SCHEDULE_H

#include <stdint.h>

#include "runtime/base/rng.h"

enum srv_arrivals { SRV_POISSON, SRV_FIXED };

struct srv_schedule {
    enum srv_arrivals arrivals;
    double gap_ns; /* the mean */
    double at_ns;
    struct sy_rng rng;
};

/* `rate` requests a second, above 0; the same seed gives the same times. */
void srv_schedule_init(struct srv_schedule *schedule,
                       enum srv_arrivals arrivals, double rate, uint64_t seed);

/*
 * The next due time, in nanoseconds after the start. Fixed: every gap is the
 * same, the first request is due at 0. Poisson: gaps are exponential.
 */
int64_t srv_schedule_next(struct srv_schedule *schedule);

#endif
