/*
 * front.h - HTTP: connections, limits, whole requests in, replies out.
 *
 * The only part that knows libmicrohttpd. It accepts, reads a request up to
 * its bounds, refuses what could be read in two ways, finds the route, calls
 * its handler with the whole body, and sends the reply. A handler that needs
 * time leaves a `later` (message.h): the connection then sleeps and costs no
 * thread until the work wakes it.
 *
 * Ending without losing a request is two calls: srv_front_drain, then
 * srv_front_free when srv_front_wait says that nobody is left (or when the
 * owner has ended all work, which wakes every sleeping connection).
 */
#ifndef SRV_HTTP_FRONT_H
#define SRV_HTTP_FRONT_H

#include "serving/budget.h"
#include "serving/http/peers.h"
#include "serving/http/record.h"
#include "serving/http/router.h"

struct srv_front;

struct srv_front_options {
    int listen_fd;         /* bound and listening; taken, also on failure */
    bool listen_is_shared; /* others listen on it too, or will after us */
    int threads;           /* 1..64 */
    int max_connections;   /* further clients wait to be accepted */
    int max_connections_per_client; /* of one address; 0: no limit */
    size_t max_body_bytes;          /* more is answered 413 */
    struct srv_peer_limits limits;
    int64_t max_lag_ns; /* inferences are refused beyond it (pace.h); 0: none */
    struct srv_budget *budget;      /* of bodies; borrowed; NULL: no limit */
    const struct srv_route *routes; /* borrowed until srv_front_free */
    void *context;                  /* handed to the handlers */

    /* Judges a request whose route is known, before its body is read; false
       after an answer. NULL: everybody may. */
    bool (*admit)(void *owner, struct srv_request *request,
                  struct srv_reply *reply);
    srv_observe_fn observe; /* sees every exchange that ended; NULL: nobody */
    void *owner;            /* handed to both */

    void *tls_callback;    /* srv_tls_callback(), or NULL: no TLS */
    const char *tls_trust; /* PEM of the authorities of clients, or NULL */
};

/* Starts the HTTP threads. Returns an owned front. Thread: init. */
enum sy_status srv_front_new(struct srv_front **front,
                             const struct srv_front_options *options,
                             struct sy_error *err) SY_MUST_USE;

/*
 * From here on every reply ends its connection, so that clients go elsewhere;
 * connections are still accepted. Thread: init.
 */
void srv_front_close_after_replies(struct srv_front *front);

/* Other limits of connections from now on. Thread: any. */
void srv_front_configure(struct srv_front *front,
                         const struct srv_peer_limits *limits,
                         int64_t max_lag_ns);

/*
 * Accepts no further connection; from here on every reply ends its
 * connection. Requests that arrived are answered. Thread: init.
 */
void srv_front_drain(struct srv_front *front);

/*
 * Looks at all connections (peers.h); call it a few times a second.
 * Thread: init.
 */
void srv_front_sweep(struct srv_front *front);

/* Counts for metrics. Thread: any. */
struct srv_front_counts {
    int connections;
    int64_t losses[SRV_LOSSES];
};
void srv_front_counts(struct srv_front *front, struct srv_front_counts *counts);

/*
 * Waits until no request is in progress and none has just ended (its client
 * may be about to send another), at most until `deadline_ns` (sy_now_ns);
 * returns whether that is so. Thread: init.
 */
bool srv_front_wait(struct srv_front *front, int64_t deadline_ns) SY_MUST_USE;

/*
 * Ends all connections and threads. All work that handlers left must have
 * called its wake. NULL is legal. Thread: init.
 */
void srv_front_free(struct srv_front *front);

#endif
