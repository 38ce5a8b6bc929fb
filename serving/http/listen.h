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

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "runtime/base/status.h"

/*
 * Binds and listens on host (name or address, IPv4 or IPv6) and port (0: any
 * free one). Returns the descriptor, owned by the caller, and the real port.
 */
enum sy_status srv_listen(int *fd, int *port, const char *host, int wanted_port,
                          struct sy_error *err) SY_MUST_USE;

/* The port that a listening socket has; 0 for one without, as a UNIX one. */
int srv_listen_port(int fd);

/*
 * The kernel makes no further connection on it, nor refuses one: those it has
 * made can be accepted to the last, before the socket is shut down. Without
 * this a client that comes between the last accept and the shutdown would be
 * reset. Thread: any.
 */
void srv_listen_no_more(int fd);

/* A client's address as text, "" for none; returns whether it is this machine.
   NULL is legal: not known. Thread: any. */
bool srv_address_read(const struct sockaddr *address, char *text, size_t room);

#endif
