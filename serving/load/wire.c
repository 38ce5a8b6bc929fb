/*
 * wire.c - the client's end of one HTTP/1.1 connection.
 */
#include "serving/load/wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

enum { FIRST_ROOM = 4096, MAX_HEAD_BYTES = 65536 };

/* Cuts HOST and PORT out of the URL; brackets around an address go. */
static bool split_url(const char *url, char host[SRV_WIRE_HOST_BYTES],
                      char port[8])
{
    const char *scheme = "http://";
    if (strncmp(url, scheme, strlen(scheme)) != 0) {
        return false;
    }
    const char *at = url + strlen(scheme);
    size_t length = strcspn(at, "/");
    const char *end = at + length;
    if (end[0] == '/' && end[1] != '\0') {
        return false;
    }
    const char *colon = memrchr(at, ':', length);
    if (at[0] == '[') {
        const char *bracket = memchr(at, ']', length);
        if (bracket == NULL) {
            return false;
        }
        colon = bracket + 1 < end && bracket[1] == ':' ? bracket + 1 : NULL;
        at++;
        length = (size_t)(bracket - at);
    } else if (colon != NULL) {
        length = (size_t)(colon - at);
    }
    int wrote = snprintf(port, 8, "%.*s", colon ? (int)(end - colon - 1) : 2,
                         colon ? colon + 1 : "80");
    if (length == 0 || length >= SRV_WIRE_HOST_BYTES - 8 || wrote < 1 ||
        wrote > 5 || strspn(port, "0123456789") != (size_t)wrote) {
        return false;
    }
    memcpy(host, at, length);
    host[length] = '\0';
    return true;
}

enum sy_status srv_wire_find(struct srv_wire_target *target, const char *url,
                             struct sy_error *err)
{
    char host[SRV_WIRE_HOST_BYTES], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

    if (!split_url(url, host, port)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "\"%s\": expected http://HOST[:PORT], for instance "
                       "http://127.0.0.1:8000",
                       url);
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        return sy_fail(err, SY_NOT_FOUND, "%s: %s", host, gai_strerror(failed));
    }
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    bool bare = strchr(host, ':') == NULL;
    (void)snprintf(target->host, sizeof target->host, "%s%s%s:%s",
                   bare ? "" : "[", host, bare ? "" : "]", port);
    return SY_OK;
}

void srv_wire_init(struct srv_wire *wire)
{
    *wire = (struct srv_wire){.fd = -1};
}

void srv_wire_release(struct srv_wire *wire)
{
    srv_wire_close(wire);
    sy_free(wire->in);
    srv_wire_init(wire);
}

void srv_wire_close(struct srv_wire *wire)
{
    if (wire->fd >= 0) {
        (void)close(wire->fd);
    }
    wire->fd = -1;
    wire->connected = false;
}

enum sy_status srv_wire_open(struct srv_wire *wire,
                             const struct srv_wire_target *target,
                             struct sy_error *err)
{
    const int on = 1;
    wire->fd = socket(target->address.ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0) {
        return sy_fail(err, SY_IO, "no socket: %s", strerror(errno));
    }
    /* A request is one write; nothing is gained by waiting for more. */
    (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wire->connected = false;
    wire->fresh = true;
    if (connect(wire->fd, (const struct sockaddr *)&target->address,
                target->address_bytes) != 0 &&
        errno != EINPROGRESS) {
        /* Told by the next step, as a refusal that comes later is. */
        srv_wire_close(wire);
    }
    return SY_OK;
}

enum srv_wire_state srv_wire_send(struct srv_wire *wire, const char *bytes,
                                  size_t count)
{
    wire->out = bytes;
    wire->out_bytes = count;
    wire->out_done = 0;
    wire->in_bytes = wire->head_bytes = wire->body_bytes = 0;
    return wire->connected ? srv_wire_step(wire)
           : wire->fd >= 0 ? SRV_WIRE_BUSY
                           : SRV_WIRE_NO_ONE;
}

uint32_t srv_wire_events(const struct srv_wire *wire)
{
    return wire->out_done < wire->out_bytes ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

const char *srv_wire_body(const struct srv_wire *wire)
{
    return wire->in + wire->head_bytes;
}

/* The value of a header, or NULL; `in` ends with a NUL behind the head. */
static const char *header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(head, "\r\n"); at != NULL;
         at = strstr(at, "\r\n")) {
        at += 2;
        if (strncasecmp(at, name, length) == 0 && at[length] == ':') {
            return at + length + 1 + strspn(at + length + 1, " \t");
        }
    }
    return NULL;
}

/* Reads the head when it is whole; false: this is no answer. */
static bool read_head(struct srv_wire *wire)
{
    const char *end = memmem(wire->in, wire->in_bytes, "\r\n\r\n", 4);
    if (end == NULL) {
        return wire->in_bytes < MAX_HEAD_BYTES;
    }
    wire->head_bytes = (size_t)(end - wire->in) + 4;
    char *last = wire->in + wire->head_bytes - 2;
    char kept = *last;
    *last = '\0'; /* for the search in the head alone */
    const char *length = header(wire->in, "Content-Length");
    const char *connection = header(wire->in, "Connection");
    bool good = wire->head_bytes > 16 && strncmp(wire->in, "HTTP/1.", 7) == 0 &&
                length != NULL;
    if (good) {
        wire->status = (int)strtol(wire->in + 9, NULL, 10);
        wire->body_bytes = (size_t)strtoull(length, NULL, 10);
        wire->last =
            connection != NULL && strncasecmp(connection, "close", 5) == 0;
    }
    *last = kept;
    return good && wire->body_bytes <= SRV_WIRE_MAX_BYTES;
}

/* Room for what is known to come, and one byte for a NUL. */
static bool make_room(struct srv_wire *wire)
{
    size_t need = wire->head_bytes + wire->body_bytes + 1;
    need =
        need < wire->in_bytes + FIRST_ROOM ? wire->in_bytes + FIRST_ROOM : need;
    if (need <= wire->in_room) {
        return true;
    }
    char *larger = sy_realloc(wire->in, need);
    if (larger == NULL) {
        return false;
    }
    wire->in = larger;
    wire->in_room = need;
    return true;
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static enum srv_wire_state read_answer(struct srv_wire *wire)
{
    for (;;) {
        if (!make_room(wire)) {
            return SRV_WIRE_CLOSED;
        }
        size_t room = wire->in_room - wire->in_bytes - 1;
        ssize_t got = recv(wire->fd, wire->in + wire->in_bytes, room, 0);
        if (got < 0) {
            return would_wait() ? SRV_WIRE_BUSY : SRV_WIRE_CLOSED;
        }
        if (got == 0) {
            return SRV_WIRE_CLOSED;
        }
        wire->in_bytes += (size_t)got;
        if (wire->head_bytes == 0 && !read_head(wire)) {
            return SRV_WIRE_NOT_HTTP;
        }
        size_t whole = wire->head_bytes + wire->body_bytes;
        if (wire->head_bytes > 0 && wire->in_bytes >= whole) {
            wire->in[wire->in_bytes] = '\0';
            wire->fresh = false;
            /* One request at a time: more than one answer is none. */
            return wire->in_bytes == whole ? SRV_WIRE_DONE : SRV_WIRE_NOT_HTTP;
        }
        if ((size_t)got < room) {
            return SRV_WIRE_BUSY;
        }
    }
}

enum srv_wire_state srv_wire_step(struct srv_wire *wire)
{
    if (!wire->connected) {
        int failed = 0;
        socklen_t bytes = sizeof failed;
        if (wire->fd < 0 ||
            getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &failed, &bytes) != 0 ||
            failed != 0) {
            return SRV_WIRE_NO_ONE;
        }
        wire->connected = true;
    }
    while (wire->out_done < wire->out_bytes) {
        ssize_t sent = send(wire->fd, wire->out + wire->out_done,
                            wire->out_bytes - wire->out_done, MSG_NOSIGNAL);
        if (sent < 0 && would_wait()) {
            break;
        }
        if (sent < 0) {
            /* The peer may have answered before it closed. */
            return read_answer(wire) == SRV_WIRE_DONE ? SRV_WIRE_DONE
                                                      : SRV_WIRE_CLOSED;
        }
        wire->out_done += (size_t)sent;
    }
    /* An answer may come before all is sent: a refusal of a large body. */
    return read_answer(wire);
}

/* Waits and steps until something is decided. */
static enum srv_wire_state wait_for_answer(struct srv_wire *wire,
                                           enum srv_wire_state state,
                                           int timeout_ms)
{
    int64_t until_ns = sy_now_ns() + (int64_t)timeout_ms * 1000000;
    while (state == SRV_WIRE_BUSY) {
        int64_t left_ms = (until_ns - sy_now_ns()) / 1000000;
        struct pollfd wait = {.fd = wire->fd,
                              .events = (short)srv_wire_events(wire)};
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) < 0) {
            return SRV_WIRE_CLOSED;
        }
        state = wait.revents != 0 ? srv_wire_step(wire) : state;
    }
    return state;
}

/* The bytes of a request, owned; NULL: no memory. */
static char *write_request(const struct srv_wire_target *target,
                           const struct srv_wire_request *request,
                           size_t *bytes)
{
    size_t room = strlen(request->path) + strlen(request->headers) +
                  sizeof target->host + request->body_bytes + 128;
    char *text = sy_alloc(room);
    if (text == NULL) {
        return NULL;
    }
    int head = snprintf(text, room,
                        "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: "
                        "%zu\r\n\r\n",
                        request->method, request->path, target->host,
                        request->headers, request->body_bytes);
    SY_ASSERT(head > 0 && (size_t)head + request->body_bytes <= room);
    if (request->body_bytes > 0) {
        memcpy(text + head, request->body, request->body_bytes);
    }
    *bytes = (size_t)head + request->body_bytes;
    return text;
}

enum sy_status srv_wire_ask(const struct srv_wire_target *target,
                            const struct srv_wire_request *request, int *code,
                            char **body, size_t *bytes, struct sy_error *err)
{
    struct srv_wire wire;
    size_t length;
    char *text = write_request(target, request, &length);
    if (text == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "out of memory for a request");
    }
    enum sy_status status;
    srv_wire_init(&wire);
    SY_TRY_OUT(srv_wire_open(&wire, target, err));
    enum srv_wire_state state = wait_for_answer(
        &wire, srv_wire_send(&wire, text, length), request->timeout_ms);
    if (state != SRV_WIRE_DONE) {
        status =
            sy_fail(err, SY_IO, "http://%s%s: %s", target->host, request->path,
                    state == SRV_WIRE_NO_ONE ? "nobody answers there"
                    : state == SRV_WIRE_NOT_HTTP
                        ? "the answer is not HTTP/1.1 with a length"
                        : "no answer came");
        goto out;
    }
    *code = wire.status;
    *bytes = wire.body_bytes;
    memmove(wire.in, srv_wire_body(&wire), wire.body_bytes + 1);
    *body = wire.in;
    wire.in = NULL;
out:
    srv_wire_release(&wire);
    sy_free(text);
    return status;
}

enum sy_status srv_wire_get(const struct srv_wire_target *target,
                            const char *path, const char *headers,
                            int timeout_ms, char **body, size_t *bytes,
                            struct sy_error *err)
{
    struct srv_wire_request request = {.method = "GET",
                                       .path = path,
                                       .headers = headers,
                                       .timeout_ms = timeout_ms};
    char *found = NULL;
    size_t length = 0;
    int code = 0;
    SY_TRY(srv_wire_ask(target, &request, &code, &found, &length, err));
    if (code != 200) {
        enum sy_status status =
            sy_fail(err, SY_IO, "http://%s%s: status %d: %.200s", target->host,
                    path, code, found);
        sy_free(found);
        return status;
    }
    *body = found;
    *bytes = length;
    return SY_OK;
}
