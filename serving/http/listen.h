/*
 * listen.h - the listening socket.
 *
 * It is made here, not by the HTTP library, so that a port in use, an unknown
 * host or a missing right is reported in words, and port 0 can be asked what
 * it became.
 *
 * Thread: init.
 */
#ifndef SRV_HTTP_LISTEN_H
#define SRV_HTTP_LISTEN_H

#include "runtime/base/status.h"

/*
 * Binds and listens on host (name or address, IPv4 or IPv6) and port (0: any
 * free one). Returns the descriptor, owned by the caller, and the real port.
 */
enum sy_status srv_listen(int *fd, int *port, const char *host, int wanted_port,
                          struct sy_error *err) SY_MUST_USE;

/* The port that a listening socket has; 0 for one without, as a UNIX one. */
int srv_listen_port(int fd);

#endif
