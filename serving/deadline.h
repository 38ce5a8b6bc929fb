/*
 * deadline.h - from a deadline in microseconds to a budget of multiply-adds.
 *
 * What can be run until a deadline depends on the machine; what a request is
 * answered must not depend on how busy it is. So a deadline becomes a budget
 * once, at admission, by a latency table that was measured on this machine
 * (docs/latency.md), and the same deadline is always the same budget. That it
 * is kept besides, whatever the queue holds, is the batcher's business.
 *
 * A domain's path takes the time that all its paths have in common, and for
 * its blocks as long as the slowest of the domain's experts does per
 * multiply-add. So a budget never pays for an expert that the table has as
 * slower than the deadline.
 *
 * Thread: loading: any, one at a time; the rest: any.
 */
#ifndef SRV_DEADLINE_H
#define SRV_DEADLINE_H

#include "runtime/network/network.h"

/* The file beside a network's versions. */
#define SRV_LATENCY_FILE "latency.json"

struct srv_deadlines {
    bool known; /* there is a table that holds for the network */
    struct srv_domain_pace {
        double fixed_us; /* stem, trunk, head, and what lies between blocks */
        int64_t fixed_madds;
        double us_per_madds; /* of blocks */
    } domain[SY_MAX_DOMAINS];
};

/*
 * Applies the table to every expert whose blocks it has; a domain of which it
 * has none goes by the slowest of the others. SY_BAD_INPUT: it is no table, or
 * has no expert of this network.
 */
enum sy_status srv_deadlines_load(struct srv_deadlines *deadlines,
                                  const char *file,
                                  const struct sy_network *network,
                                  struct sy_error *err) SY_MUST_USE;

/* The multiply-adds that an image of the domain may cost; 1 where there is
   not even time for what all paths have in common. */
int64_t srv_deadline_madds(const struct srv_deadlines *deadlines, int domain,
                           int64_t deadline_us);

/* The least deadline in whole microseconds that pays for so many. */
int64_t srv_deadline_us(const struct srv_deadlines *deadlines, int domain,
                        int64_t madds);

#endif
