/*
 * swap_private.h - what the files of the swaps share.
 */
#ifndef SRV_SWAP_SWAP_PRIVATE_H
#define SRV_SWAP_SWAP_PRIVATE_H

#include <pthread.h>

#include "serving/swap/swap.h"

/* The swap of one network. */
struct srv_swap {
    char network[SY_NAME_BYTES];
    bool staging; /* a pack is being checked; what is below is of the one
                     before it */
    bool exists;  /* there is one */
    enum srv_swap_phase phase;
    char reason[SY_ERROR_BYTES]; /* why it is where it is, or "" */
    bool automatic;              /* its rules did the last step */
    struct srv_staged staged;
    struct srv_live *base; /* owned: what was served when it was staged */
    struct sy_base *kept;  /* owned: what was read for staging, while there is
                              a swap; NULL: nothing, or it is being used */
    struct srv_rules rules;
    int canary_plan; /* share that follows a good shadow; 0: promotion */
    int windows;     /* good ones in a row */
    struct srv_tally_copy window[SY_MAX_DOMAINS]; /* where the last ended */
    int64_t stage_ns, publish_ns;                 /* how long they took */
};

/* Calls that wait for a thread. */
struct srv_swap_queue {
    struct srv_swap_call *first, **last;
};

struct srv_swaps {
    struct srv_repository *repository;
    struct srv_stage_options options;
    struct srv_swap_counts counts;
    pthread_mutex_t lock; /* guards what follows; swaps are written by the
                             acting thread alone (but `staging`), under it */
    pthread_cond_t work;  /* for the acting thread */
    pthread_cond_t packs; /* for the staging thread */
    struct srv_swap *swap[SRV_MAX_NETWORKS]; /* owned; the list only grows */
    int count;
    struct srv_swap_queue acts, stages;
    bool stopping;
    bool acting, staging; /* init thread only: which threads run */
    pthread_t actor, stager;
};

/* The network's swap, or NULL; the lock is held. */
struct srv_swap *srv_swaps_find(struct srv_swaps *swaps, const char *network);

/* The same, made where there is none; NULL: no memory. */
struct srv_swap *srv_swaps_make(struct srv_swaps *swaps, const char *network);

/* The swap as JSON (owned; NULL: no memory); the lock is held. */
json_t *srv_swap_json(const struct srv_swap *swap);

/* Stages the call's pack, on the staging thread, without the lock; what comes
   of it is in the call. */
void srv_swaps_stage(struct srv_swaps *swaps, struct srv_swap_call *call);

/* Does a call, or what is left of a staging, on the acting thread, without the
   lock; fills its outcome. */
void srv_swaps_do(struct srv_swaps *swaps, struct srv_swap_call *call);

/* Judges all that are on trial; returns whether any is. */
bool srv_swaps_watch(struct srv_swaps *swaps);

/* What was read for staging; NULL is legal. */
void srv_kept_free(struct sy_base *kept);

/* Gives back what a swap holds; it exists no more. */
void srv_swap_clear(struct srv_swap *swap);

#endif
