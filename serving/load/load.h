/*
 * load.h - a load on a running server: sends, times, judges, counts.
 *
 * Closed loop: so many clients, each sends its next request when it has its
 * answer; tells how much the server can do. Open loop: requests are due at
 * times that do not depend on the answers (schedule.h), latency counts from
 * the due time; tells what users of that rate would see.
 *
 * Thread: one at a time; `stop` may be set by any, also by a signal handler.
 */
#ifndef SRV_LOAD_LOAD_H
#define SRV_LOAD_LOAD_H

#include <stdatomic.h>

#include "serving/load/histogram.h"
#include "serving/load/inputs.h"
#include "serving/load/schedule.h"

enum { SRV_LOAD_STATUSES = 600 };

/* What became of requests that count, those of the warm-up apart. */
struct srv_load_result {
    double seconds;  /* from the first to the last of them */
    int64_t sent;    /* given to a connection */
    int64_t done;    /* answered 200 */
    int64_t refused; /* answered 503 or 429: the server sheds load */
    /* Failures, by kind. */
    int64_t no_one; /* no connection */
    int64_t closed; /* the connection ended before the answer */
    int64_t timed_out;
    int64_t not_http;
    int64_t unsent; /* due, and never sent: no connection was free in time */
    int64_t status[SRV_LOAD_STATUSES]; /* other statuses than 200, 503, 429 */
    int64_t other_status;              /* their sum */
    /* Answers 200 that were wrong. */
    int64_t wrong_bits;           /* other than before from the same snapshot */
    int64_t wrong_answer;         /* not an answer at all */
    int64_t connections;          /* opened */
    struct srv_histogram latency; /* of `done`, in ns */
    int64_t domain_done[SY_MAX_DOMAINS];
    struct srv_histogram *domain_latency; /* by domain, owned */
};

struct srv_load_options {
    int clients; /* closed loop: connections; open loop: at most so many */
    double rate; /* requests a second, open loop; 0: closed loop */
    enum srv_arrivals arrivals;
    double seconds;   /* how long; 0: until `requests` */
    int64_t requests; /* how many that count; 0: until `seconds` */
    double warmup_s;  /* sent before, and not counted */
    int timeout_ms;   /* of one request, from when it is sent */
    uint64_t seed;
    /* Called about once a second with what was found so far; may be NULL. */
    void (*progress)(void *context, const struct srv_load_result *result);
    void *context;
};

/* Failures and wrong answers together. */
int64_t srv_load_failures(const struct srv_load_result *result);

/*
 * Runs until the end or until *stop. Requests under way at the end are waited
 * for. The result is owned by the caller, also on failure: srv_load_release.
 */
enum sy_status srv_load_run(struct srv_load_result *result,
                            struct srv_inputs *inputs,
                            const struct srv_load_options *options,
                            const atomic_bool *stop,
                            struct sy_error *err) SY_MUST_USE;
void srv_load_release(struct srv_load_result *result);

#endif
