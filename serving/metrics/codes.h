/*
 * codes.h - the statuses that are told apart in metrics, and what a refusal
 * with each of them is called.
 */
#ifndef SRV_METRICS_CODES_H
#define SRV_METRICS_CODES_H

#include <stddef.h>

#define SRV_CODES(X)                                                           \
    X(0, "lost")                                                               \
    X(200, "")                                                                 \
    X(400, "bad_request")                                                      \
    X(401, "unauthorized")                                                     \
    X(403, "forbidden")                                                        \
    X(404, "not_found")                                                        \
    X(405, "method")                                                           \
    X(413, "too_large")                                                        \
    X(429, "rate")                                                             \
    X(499, "client_gone")                                                      \
    X(500, "internal")                                                         \
    X(501, "unsupported")                                                      \
    X(503, "busy")                                                             \
    X(504, "timeout")                                                          \
    X(-1, "other")

struct srv_metric_name {
    int status;
    const char *reason;
};

/* Ends with the status -1, which stands for all others. */
extern const struct srv_metric_name srv_metric_names[];

/* The place of a status among them. */
int srv_metric_code(int status);

#endif
