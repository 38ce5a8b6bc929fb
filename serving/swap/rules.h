/*
 * rules.h - when a candidate is good enough, and when it has to go.
 *
 * Rules are declared with the swap and judged on a window: what was counted
 * since the window before ended. A window is judged once it has min_samples
 * images that the candidate ran; too many errors are judged at once. So a
 * candidate that turns bad late is found by the window in which it does, not
 * by an average over its good days.
 *
 * All of it is arithmetic on what it is given.
 *
 * Thread: any.
 */
#ifndef SRV_SWAP_RULES_H
#define SRV_SWAP_RULES_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/base/json.h"
#include "serving/swap/tally.h"

struct srv_rules {
    int min_samples;             /* of one window, 1..1e9 */
    int windows;                 /* good ones in a row that a step takes */
    double min_agreement;        /* share of pairs with one label, 0..1 */
    double max_confidence_drift; /* of the means over pairs, 0..1 */
    double max_time_ratio;       /* candidate's time over the served one's */
    int max_errors;              /* in a window */
    bool promote;                /* go on by itself when it is good */
    bool rollback;               /* go back by itself when it is not */
};

/* 200 samples, 1 window, agreement 0.9, drift 0.1, time 1.5, no errors;
   rolls back by itself, does not promote by itself. */
extern const struct srv_rules srv_rules_default;

enum srv_verdict {
    SRV_VERDICT_WAIT, /* not enough was seen */
    SRV_VERDICT_GOOD,
    SRV_VERDICT_BAD
};

enum { SRV_REASON_BYTES = 256 };

/*
 * Judges a window of one domain. `reason` (SRV_REASON_BYTES) becomes why it
 * is bad, or "".
 */
enum srv_verdict srv_rules_judge(const struct srv_rules *rules,
                                 const struct srv_tally_copy *window,
                                 char *reason);

/* Reads the object under "rules" over what is there; a failure is left in
   `in`. Absent: nothing changes. */
void srv_rules_read(struct srv_rules *rules, struct sy_json *in);

/* Owned; NULL: no memory. */
json_t *srv_rules_json(const struct srv_rules *rules);

#endif
