/*
 * wire.h - the client's end of one HTTP/1.1 connection that stays open.
 *
 * Sockets do not block: the caller waits for what srv_wire_events asks and
 * calls srv_wire_step. One request at a time; its bytes are borrowed until
 * the answer is there. Answers have a Content-Length, as all of our server's
 * do; others are a failure.
 *
 * DESIGN. A load generator takes time from the server on the same machine, so
 * a request costs it one send, one receive and one wait: libcurl's multi
 * interface was measured against this (docs/load.md) and costs several times
 * as much.
 *
 * Thread: one at a time.
 */
#ifndef SRV_LOAD_WIRE_H
#define SRV_LOAD_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/status.h"

enum { SRV_WIRE_HOST_BYTES = 256, SRV_WIRE_MAX_BYTES = 64 << 20 };

/* Where a URL points: http://HOST[:PORT][/], HOST a name or an address. */
struct srv_wire_target {
    char host[SRV_WIRE_HOST_BYTES + 16]; /* the Host header, with the port */
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

enum srv_wire_state {
    SRV_WIRE_BUSY,    /* wait and step again */
    SRV_WIRE_DONE,    /* the answer is there */
    SRV_WIRE_NO_ONE,  /* could not connect */
    SRV_WIRE_CLOSED,  /* the peer left before the answer was whole */
    SRV_WIRE_NOT_HTTP /* an answer that is none, or without a length */
};

struct srv_wire {
    int fd; /* -1: closed */
    bool connected;
    bool fresh; /* no answer has come on this connection yet */
    const char *out;
    size_t out_bytes, out_done;
    char *in; /* owned */
    size_t in_bytes, in_room;
    size_t head_bytes; /* 0: not there yet */
    size_t body_bytes;
    int status;
    bool last; /* the peer closes after this answer */
};

/* Reads the URL and looks its host up. */
enum sy_status srv_wire_find(struct srv_wire_target *target, const char *url,
                             struct sy_error *err) SY_MUST_USE;

/* A closed wire, which owns nothing. */
void srv_wire_init(struct srv_wire *wire);
void srv_wire_release(struct srv_wire *wire);

/* Begins to connect. Errors: SY_IO, with no descriptor left for instance. */
enum sy_status srv_wire_open(struct srv_wire *wire,
                             const struct srv_wire_target *target,
                             struct sy_error *err) SY_MUST_USE;
void srv_wire_close(struct srv_wire *wire);

/* Gives an idle, open wire its next request, and writes what it can. */
enum srv_wire_state srv_wire_send(struct srv_wire *wire, const char *bytes,
                                  size_t count);

/* Writes and reads what can be; DONE: status, head and body may be read. */
enum srv_wire_state srv_wire_step(struct srv_wire *wire);

/* What to wait for: EPOLLIN, and EPOLLOUT while there is something to send. */
uint32_t srv_wire_events(const struct srv_wire *wire);

const char *srv_wire_body(const struct srv_wire *wire);

/* A request of its own, for srv_wire_ask; strings are borrowed. */
struct srv_wire_request {
    const char *method, *path;
    const char *headers; /* lines that end with \r\n, or "" */
    const char *body;    /* or NULL */
    size_t body_bytes;
    int timeout_ms;
};

/*
 * A whole exchange on a connection of its own, which blocks for at most the
 * timeout. The answer's body is owned by the caller (sy_free), whatever its
 * status is, and ends with a NUL.
 */
enum sy_status srv_wire_ask(const struct srv_wire_target *target,
                            const struct srv_wire_request *request, int *code,
                            char **body, size_t *bytes,
                            struct sy_error *err) SY_MUST_USE;

/*
 * A whole exchange that blocks for at most `timeout_ms`: GET `path`, 200
 * expected. The body is owned by the caller (sy_free) and ends with a NUL.
 */
enum sy_status srv_wire_get(const struct srv_wire_target *target,
                            const char *path, const char *headers,
                            int timeout_ms, char **body, size_t *bytes,
                            struct sy_error *err) SY_MUST_USE;

#endif
