/*
 * waiting.h - the part of a served network that belongs to the queue.
 *
 * It lies inside struct srv_live, so that a flow costs no look-up and lives
 * exactly as long as the jobs that can be in it. Zeroed memory is a valid
 * start. Only queue.c touches it.
 */
#ifndef SRV_WAITING_H
#define SRV_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/network/spec.h"

struct srv_job;
struct srv_live;

/* The jobs of one domain, in the order in which they are taken; those whose
   domain the root gate is to find have a flow behind the domains'. */
struct srv_flow {
    struct srv_job *head, *tail;
    int jobs;
    int64_t units; /* work of its jobs that no batch has taken yet */
    int64_t pass;  /* work it has had, over its weight */
};

struct srv_waiting {
    struct srv_live *live; /* while it is listed */
    struct srv_waiting *next, *previous;
    int jobs;
    int images; /* that no batch has taken yet */
    struct srv_flow flow[SY_MAX_DOMAINS + 1];
};

#endif
