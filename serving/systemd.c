/*
 * systemd.c - sd_notify and socket activation, without the library.
 *
 * DESIGN: a datagram to a UNIX socket and three variables are all there is to
 * it; a dependency would be larger than this file.
 *
 * Source: sd_notify(3), sd_listen_fds(3).
 */
#include "serving/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

void srv_notify(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = path == NULL ? 0 : strlen(path);
    if (bytes < 2 || bytes >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, path, bytes);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract name space */
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        /* Nobody to tell is no reason to fail. */
        (void)sendto(
            fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
        close(fd);
    }
}

/* A number in the environment that is meant for this process, or 0. */
static int64_t own_number(const char *name, const char *pid_name)
{
    const char *text = getenv(name);
    const char *pid = getenv(pid_name);
    if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid())) {
        return 0;
    }
    return strtoll(text, NULL, 10);
}

int64_t srv_watchdog_ns(void)
{
    int64_t us = own_number("WATCHDOG_USEC", "WATCHDOG_PID");
    return us > 0 ? us * 1000 / 2 : 0;
}

enum sy_status srv_passed_socket(int *fd, struct sy_error *err)
{
    int64_t count = getenv("LISTEN_PID") == NULL
                        ? 0
                        : own_number("LISTEN_FDS", "LISTEN_PID");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (count > 1) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%lld sockets were passed to this service: it takes one",
                       (long long)count);
    }
    *fd = count == 1 ? FIRST_FD : -1;
    if (*fd < 0) {
        return SY_OK;
    }
    int listens = 0;
    socklen_t bytes = sizeof listens;
    if (getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0 ||
        listens == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "the socket that was passed to this service does not "
                       "listen");
    }
    int flags = fcntl(*fd, F_GETFL);
    if (fcntl(*fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(*fd, F_SETFD, FD_CLOEXEC) != 0) {
        return sy_fail_errno(err, SY_IO, errno, "the passed socket");
    }
    return SY_OK;
}
