/*
 * server.h - the server: made, run until it is told to stop, freed.
 *
 *     srv_server_new(&server, &settings, &err);
 *     ... srv_server_port(server) answers requests already ...
 *     srv_server_run(server, &reload);   until srv_server_stop(server)
 *     srv_server_free(server);
 *
 * HTTP is open, and says that it is alive, before the networks are loaded;
 * /v2/health/ready turns to 200 when all of them serve.
 *
 * Stopping loses no request: readiness turns to 503 and every answer ends its
 * connection; after grace_ms, in which balancers look elsewhere, no connection
 * is accepted any more; every request that has arrived is answered, what is
 * not done after drain_ms is answered 503, and only then everything ends.
 */
#ifndef SRV_SERVER_H
#define SRV_SERVER_H

#include "serving/settings.h"

struct srv_server;

/* Reads the configuration again, for SIGHUP. */
struct srv_reload {
    enum sy_status (*read)(void *context, struct srv_settings *settings,
                           struct sy_error *err);
    void *context;
};

/*
 * Listens and starts all threads; loading goes on behind. Settings are copied.
 * Errors: whatever srv_settings_check finds, no such folder, files that cannot
 * be used, the address cannot be listened on, out of memory. Thread: init.
 */
enum sy_status srv_server_new(struct srv_server **server,
                              const struct srv_settings *settings,
                              struct sy_error *err) SY_MUST_USE;

/*
 * Does all of that but listening, loads every network, and says what is wrong
 * with the first that cannot be served. Thread: init.
 */
enum sy_status srv_server_check(const struct srv_settings *settings,
                                struct sy_error *err) SY_MUST_USE;

/* The port that it listens on. Thread: any. */
int srv_server_port(const struct srv_server *server);

/* Returns when srv_server_stop was called and all is answered. Thread: init. */
void srv_server_run(struct srv_server *server, const struct srv_reload *reload);

/*
 * Takes other settings: all of those that are live, or, when one of them is
 * wrong, none. Others are logged and wait for the next start. Thread: init.
 */
enum sy_status srv_server_configure(struct srv_server *server,
                                    const struct srv_settings *settings,
                                    struct sy_error *err) SY_MUST_USE;

/* Ask it to stop, or to read its configuration again; may be called often.
   Async-signal-safe. Thread: any. */
void srv_server_stop(struct srv_server *server);
void srv_server_reload(struct srv_server *server);

/* Stops first where that has not happened. NULL is legal. Thread: init. */
void srv_server_free(struct srv_server *server);

#endif
