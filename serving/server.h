/*
 * server.h - the server: made, run until it is told to stop, freed.
 *
 *     srv_server_new(&server, &options, &err);
 *     ... srv_server_port(server) answers requests already ...
 *     srv_server_run(server);      until srv_server_stop(server)
 *     srv_server_free(server);
 *
 * HTTP is open, and says that it is alive, before the networks are loaded;
 * /v2/health/ready turns to 200 when all of them serve.
 *
 * Stopping loses no request: readiness turns to 503, no connection is
 * accepted any more, every request that has arrived is answered, what is not
 * done after drain_ms is answered 503, and only then everything ends.
 */
#ifndef SRV_SERVER_H
#define SRV_SERVER_H

#include <stddef.h>

#include "runtime/base/status.h"

struct srv_server;

/* Zero (or NULL) takes the value in brackets. */
struct srv_server_options {
    const char *repository; /* folder of networks; required */
    const char *host;       /* ["127.0.0.1"] */
    int port;               /* 0: any free one */
    int http_threads;       /* that parse and encode [2] */
    int threads;            /* of the engine's pool [all CPUs] */
    int max_batch;          /* images in one batch [32] */
    int max_queue;          /* requests that wait [256] */
    int max_images;         /* in one request [4096] */
    int request_timeout_ms; /* from a parsed request to its answer [10000] */
    int idle_timeout_ms;    /* of a silent connection [30000] */
    int drain_ms;           /* for requests under way when stopping [10000] */
    size_t max_body_bytes;  /* [64 MiB] */
};

/*
 * Listens and starts all threads; loading goes on behind. Options are copied.
 * Errors: no such folder, the address cannot be listened on, out of memory.
 * Thread: init.
 */
enum sy_status srv_server_new(struct srv_server **server,
                              const struct srv_server_options *options,
                              struct sy_error *err) SY_MUST_USE;

/* The port that it listens on. Thread: any. */
int srv_server_port(const struct srv_server *server);

/* Returns when srv_server_stop was called and all is answered. Thread: init. */
void srv_server_run(struct srv_server *server);

/* Asks it to stop; may be called often. Async-signal-safe. Thread: any. */
void srv_server_stop(struct srv_server *server);

/* Stops first where that has not happened. NULL is legal. Thread: init. */
void srv_server_free(struct srv_server *server);

#endif
