/*
 * swap.h - the life of expert packs on a running server.
 *
 * Each network has at most one swap, which is staged (everything is checked
 * and made ready, off the serving threads), perhaps tried beside what is
 * served (shadow, canary), promoted, perhaps rolled back, and dropped; phase.h
 * has the table. Every step that changes what is served is one exchange of a
 * pointer between states that were made before, so it cannot fail half-way
 * and takes microseconds. The state before stays ready until the swap is
 * dropped or the next one is staged.
 *
 * A promotion and the rollback of one write CURRENT first and publish then:
 * what a restart serves is what CURRENT names, whole, and a file that cannot
 * be written changes nothing.
 *
 * While a candidate is on trial its rules are judged some times a second; what
 * they say is done without asking, where they say so.
 *
 * One thread stages, at a low priority, so that serving has the processor
 * first; another one does everything else, so that a rollback never waits for
 * a pack that is being checked. Calls of each are answered in their order.
 *
 * Thread: new/stop/free: init. The rest: any.
 */
#ifndef SRV_SWAP_SWAP_H
#define SRV_SWAP_SWAP_H

#include <jansson.h>

#include "serving/metrics/buckets.h"
#include "serving/repository.h"
#include "serving/swap/phase.h"
#include "serving/swap/rules.h"
#include "serving/swap/stage.h"

struct srv_swaps;

/* What is asked for; one act on one network's swap. */
struct srv_swap_call {
    enum srv_swap_act act; /* accept: stage `body` */
    char network[SY_NAME_BYTES];
    char id[SRV_PACK_ID_BYTES]; /* of the pack; not for staging */

    /* Staging. */
    char *body; /* the pack's bytes; owned by the call */
    size_t body_bytes;
    bool dry_run;   /* tell what it would cost, and keep nothing */
    int64_t max_us; /* that the candidate may take for an image; 0: any */

    /* Shadow and canary: the share in hundredths of a percent, and how it is
       judged; `canary_share` of a shadow is where its rules lead when it is
       good (0: promote at once). */
    int shadow_share, canary_share; /* -1: as it is */
    bool has_rules;
    struct srv_rules rules;

    /* The outcome, after `done`. */
    struct sy_error err;
    bool conflict;  /* refused because of where the swap stands */
    json_t *answer; /* owned by the call: the swap as srv_swaps_json has it */

    void (*done)(void *waiter, bool more);
    void *waiter;

    /* Private: what staging hands over. */
    struct srv_staged staged;
    struct srv_live *base; /* owned */
    struct sy_base *kept;  /* owned */
    int64_t stage_ns;
    struct srv_swap_call *next;
};

/* What has happened since the start, of all networks. */
struct srv_swap_counts {
    _Atomic int64_t staged, refused, promoted, rolled_back, automatic, dropped;
    struct srv_buckets stage, publish; /* how long it took */
    _Atomic int64_t last_publish_ns, most_publish_ns;
};

/* Starts the threads. The repository is borrowed until srv_swaps_free. Owned.
 */
enum sy_status srv_swaps_new(struct srv_swaps **swaps,
                             struct srv_repository *repository,
                             const struct srv_stage_options *options,
                             struct sy_error *err) SY_MUST_USE;

/* Takes no more calls, ends those that wait with SY_BUSY. */
void srv_swaps_stop(struct srv_swaps *swaps);
void srv_swaps_free(struct srv_swaps *swaps); /* stops; NULL is legal */

/*
 * Has a call done; `done(waiter)` follows exactly once, from one of the swaps'
 * threads, and the call must last until then. A failure to take it is told by
 * the status, and `done` is not called: SY_BUSY when stopping, or, with
 * call->conflict, while another pack of the network is under way.
 */
enum sy_status srv_swaps_ask(struct srv_swaps *swaps,
                             struct srv_swap_call *call,
                             struct sy_error *err) SY_MUST_USE;

/* The swap of a network, or NULL: it has none, or (`failed`) no memory.
   docs/hot-swap.md describes the object. Owned. */
json_t *srv_swaps_json(struct srv_swaps *swaps, const char *network,
                       bool *failed);

struct srv_swap_counts *srv_swaps_counts(struct srv_swaps *swaps);

/* Calls `see` with what is known of each network's swap, copied out. */
struct srv_swap_view {
    char network[SY_NAME_BYTES];
    enum srv_swap_phase phase;
    struct srv_staged_bytes bytes;
    int domain_count;
    struct {
        char name[SY_NAME_BYTES];
        struct srv_tally_copy tally;
    } domain[SY_MAX_DOMAINS];
};
void srv_swaps_each(struct srv_swaps *swaps,
                    void (*see)(void *context,
                                const struct srv_swap_view *view),
                    void *context);

#endif
