/*
 * systemd.h - the two small protocols that systemd speaks with a service.
 *
 * Both are an environment variable and a socket; without the variables every
 * call does nothing, so nobody has to ask whether systemd is there.
 *
 * Thread: init.
 */
#ifndef SRV_SYSTEMD_H
#define SRV_SYSTEMD_H

#include <stdint.h>

#include "runtime/base/status.h"

/* Sends "READY=1" and the like to $NOTIFY_SOCKET. */
void srv_notify(const char *format, ...) SY_PRINTF(1, 2);

/* How often the watchdog wants to hear "WATCHDOG=1", or 0: half of what
   $WATCHDOG_USEC allows. */
int64_t srv_watchdog_ns(void);

/*
 * The listening socket that was passed to this process ($LISTEN_FDS), or -1.
 * More than one is an error. The variables are taken away, so that a child
 * does not take it for its own.
 */
enum sy_status srv_passed_socket(int *fd, struct sy_error *err) SY_MUST_USE;

#endif
