/*
 * phase.h - where a swap stands, and where it can go from there.
 *
 *            stage
 *              |
 *           STAGING ----------> REFUSED
 *              |
 *   +------- STAGED <--------.
 *   |        |    \           \        every phase but STAGING can be dropped
 *   |     SHADOW - CANARY      |
 *   |        |    /      \     |
 *   +----> PROMOTED --> ROLLED_BACK
 *
 * A swap that was rolled back stands where one that was staged stands: all of
 * it is there still, and it may be tried again.
 *
 * No threads, no clock, no I/O: swap.c asks, then acts.
 *
 * Thread: any.
 */
#ifndef SRV_SWAP_PHASE_H
#define SRV_SWAP_PHASE_H

#include <stdbool.h>

enum srv_swap_phase {
    SRV_SWAP_STAGING, /* being checked */
    SRV_SWAP_REFUSED, /* a check failed; the reason is told */
    SRV_SWAP_STAGED,
    SRV_SWAP_SHADOW,
    SRV_SWAP_CANARY,
    SRV_SWAP_PROMOTED,
    SRV_SWAP_ROLLED_BACK,
    SRV_SWAP_PHASES
};

enum srv_swap_act {
    SRV_SWAP_DO_ACCEPT, /* the checks are done */
    SRV_SWAP_DO_REFUSE,
    SRV_SWAP_DO_SHADOW,
    SRV_SWAP_DO_CANARY,
    SRV_SWAP_DO_PROMOTE,
    SRV_SWAP_DO_ROLLBACK,
    SRV_SWAP_DO_DROP,
    SRV_SWAP_ACTS
};

/* "staging", "rolled_back"; "promote". */
extern const char *const srv_swap_phase_names[SRV_SWAP_PHASES + 1];
extern const char *const srv_swap_act_names[SRV_SWAP_ACTS + 1];

/* Whether the act is possible in the phase; *next is where it leads (dropping
   leaves it as it is). */
bool srv_swap_next(enum srv_swap_phase phase, enum srv_swap_act act,
                   enum srv_swap_phase *next);

/* Whether it is under way, so that another pack has to wait. */
bool srv_swap_is_open(enum srv_swap_phase phase);

#endif
