/*
 * listen.c - bind and listen.
 *
 * DESIGN: the first address that the name gives and that can be bound wins.
 * The backlog is long, because refusing work is the business of the bounded
 * queue, which can say why.
 */
#include "serving/http/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

/* A bound, listening, non-blocking socket, or -1 with errno. */
static int open_one(const struct addrinfo *address)
{
    int fd = socket(address->ai_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0) {
        return fd;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int srv_listen_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, &address, sizeof six);
        return ntohs(six.sin6_port);
    }
    if (address.ss_family != AF_INET) {
        return 0;
    }
    struct sockaddr_in four;
    memcpy(&four, &address, sizeof four);
    return ntohs(four.sin_port);
}

enum sy_status srv_listen(int *fd, int *port, const char *host, int wanted_port,
                          struct sy_error *err)
{
    char service[16];
    snprintf(service, sizeof service, "%d", wanted_port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, service, &hints, &list);
    if (code != 0) {
        return sy_fail(err, SY_BAD_INPUT, "host %s: %s", host,
                       gai_strerror(code));
    }
    int made = -1;
    for (struct addrinfo *a = list; a != NULL && made < 0; a = a->ai_next) {
        made = open_one(a);
    }
    int saved = errno;
    freeaddrinfo(list);
    if (made < 0) {
        return sy_fail_errno(err, SY_IO, saved, "listening on %s port %d", host,
                             wanted_port);
    }
    *fd = made;
    *port = srv_listen_port(made);
    return SY_OK;
}

void srv_listen_no_more(int fd)
{
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop_all};
    /* Failing leaves a window of some microseconds. */
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                     sizeof program);
}

bool srv_address_read(const struct sockaddr *address, char *text, size_t room)
{
    text[0] = '\0';
    if (address == NULL || address->sa_family == AF_UNIX) {
        return address != NULL;
    }
    socklen_t bytes = address->sa_family == AF_INET6
                          ? sizeof(struct sockaddr_in6)
                          : sizeof(struct sockaddr_in);
    if (getnameinfo(address, bytes, text, (socklen_t)room, NULL, 0,
                    NI_NUMERICHOST) != 0) {
        text[0] = '\0';
    }
    return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0 ||
           strncmp(text, "::ffff:127.", 11) == 0;
}
