/*
 * trial.h - a candidate that runs beside what is served.
 *
 * While a candidate is on trial the served state of its network is a joined
 * one (runtime/network/join.h) that holds both, with one of these hanging on
 * it. It says for every request of a domain on trial who answers (the served
 * route, or on canary the candidate's) and whether the other one runs as well,
 * in the same batch, to be compared; and it knows what the joined network's
 * domains and experts are called in the one and in the other.
 *
 * An answer is described by one state alone, the one that gave it
 * (struct srv_pick, `named`): its labels, its experts, its snapshot's name.
 *
 * Thread: any; the shares are atomic, the rest never changes.
 */
#ifndef SRV_SWAP_TRIAL_H
#define SRV_SWAP_TRIAL_H

#include "runtime/network/network.h"
#include "serving/swap/tally.h"

struct srv_live;

/* One domain on trial: its index in each of the three networks. */
struct srv_trial_domain {
    int served, next, joined;
    struct srv_tally tally;
};

struct srv_trial {
    struct srv_live *base; /* owned: what is served without the candidate */
    struct srv_live *next; /* owned: what will be, once promoted */
    int count;
    struct srv_trial_domain *domain;   /* owned, [count] */
    int next_expert[SY_MAX_EXPERTS];   /* of one of the joined, or -1 */
    int joined_expert[SY_MAX_EXPERTS]; /* of one of the candidate's, or -1 */
    int next_gate[SY_MAX_GATES];       /* of one of the joined, or -1 */

    /* Shares in hundredths of a percent; they may change at any time. */
    atomic_int shadow_share;
    atomic_int canary_share;
    atomic_uint_fast64_t counter; /* of requests without an id */
};

enum { SRV_SHARE_ALL = 10000 };

/* By whom a request wants to be answered. */
enum srv_pin {
    SRV_PIN_NONE,   /* as the shares have it */
    SRV_PIN_SERVED, /* it names what is served */
    SRV_PIN_NEXT    /* it names the candidate */
};

/* What is decided about a request. */
struct srv_pick {
    struct srv_trial_domain *trial; /* NULL: the domain is not on trial */
    struct srv_live *named;         /* whose answer it is */
    int named_domain;               /* its domain there */
    int run_domain;                 /* its domain in the executor's network */
    bool compare;                   /* the other route runs beside it */
    int beside_domain;              /* that route's, in the executor's */
    int beside_classes;
};

/*
 * Decides about a request for `domain` of a served state. `ticket` is the hash
 * of the request's id, and the same ticket always gets the same decision at
 * the same shares; 0 takes the next number instead.
 */
struct srv_pick srv_trial_pick(struct srv_live *live, int domain,
                               uint64_t ticket, enum srv_pin pin);

/* The ticket of a request's id; 0 for "". */
uint64_t srv_trial_ticket(const char *id);

/* One image that both ran, the candidate being `next`. */
struct srv_pair {
    const char *served_label, *next_label;
    double served_confidence, next_confidence;
    int64_t served_madds, next_madds, served_ns, next_ns;
    int64_t extra_madds;
    int extra_blocks;
    bool failed; /* the candidate's answer is not made of finite numbers */
};
void srv_tally_pair(struct srv_tally *tally, const struct srv_pair *pair);

/*
 * A trial of the candidate's domains `on_trial` (indices there, `count` of
 * them), which are the last ones of `joined`; takes a reference to both
 * states. Owned.
 */
enum sy_status srv_trial_new(struct srv_trial **trial, struct srv_live *base,
                             struct srv_live *next,
                             const struct sy_network *joined,
                             const int *on_trial, int count,
                             struct sy_error *err) SY_MUST_USE;
void srv_trial_free(struct srv_trial *trial); /* NULL is legal */

#endif
