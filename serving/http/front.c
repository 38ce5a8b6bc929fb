/*
 * front.c - libmicrohttpd, and nothing of it outside this file.
 *
 * DESIGN: a request is an exchange, born with its request target (the only
 * moment at which the raw target can be seen) and ended by the library's
 * "completed" call, the only certain end of one. In between it goes through
 * phases, one per kind of call that the library makes:
 *
 *   NEW      headers are there: judge them, find the route
 *   BODY     pieces of the body, then a call without any: run the handler
 *   WAITING  asleep; the next call comes after the wake: fetch the answer
 *
 * A reply may be queued only when no upload data is pending, so a verdict
 * reached in the middle of a body is kept, the rest of the body is thrown
 * away up to a bound, and the reply goes out at the end. Verdicts on framing
 * (what smuggles requests past proxies) are sent at once and end the
 * connection.
 *
 * The library 0.9.75 itself takes Content-Length together with
 * Transfer-Encoding, differing Content-Lengths, and several Hosts; what can
 * be seen of that in the header list is refused here. Bare LF line ends and
 * folded headers cannot be seen: docs/http.md says so.
 *
 * A sleeping connection has no timeout of its own and does not notice that
 * its peer left: the deadline lives with the work (batcher.c). A watcher for
 * lost peers would take MHD_CONNECTION_INFO_CONNECTION_FD in begin_work.
 */
#include "serving/http/front.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "serving/http/coding.h"

enum {
    CONNECTION_BYTES = 32 << 10, /* above it each request costs a memset */
    FIRST_BODY_BYTES = 16 << 10,
    DISCARD_BYTES = 1 << 20, /* beyond max_body_bytes, before we hang up */
    LOOK_MS = 100            /* between looks at connections while waiting */
};

struct srv_front {
    struct MHD_Daemon *daemon;
    struct srv_front_options options;
    int drained_fd; /* the listening socket, ours after draining; or -1 */
    atomic_bool draining;

    pthread_mutex_t lock;   /* guards first and the exchanges' links */
    pthread_cond_t idle;    /* first has become NULL */
    struct exchange *first; /* those in progress */
};

enum phase { PHASE_NEW, PHASE_BODY, PHASE_WAITING };

struct exchange {
    struct srv_front *front;
    struct exchange *next, *previous; /* guarded by front->lock */
    bool lost;                        /* likewise; see hang_up_lost */
    atomic_bool whole;                /* the whole request is there */
    struct MHD_Connection *connection;
    enum phase phase;
    struct srv_request request;
    struct srv_reply reply;
    struct srv_later later;
    char *body; /* owned; request.body while the handler runs */
    size_t body_room;
    size_t discarded_bytes;
};

/* What the header list says about framing. */
struct framing {
    int hosts;
    bool chunked;
    bool unknown_coding;
    int lengths;
    bool lengths_differ;
    char length[32];
};

static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    (void)kind;
    struct framing *seen = context;
    value = value == NULL ? "" : value;
    if (strcasecmp(name, "Host") == 0) {
        seen->hosts++;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        seen->chunked = true;
        seen->unknown_coding |= strcasecmp(value, "chunked") != 0;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        if (seen->lengths++ == 0) {
            snprintf(seen->length, sizeof seen->length, "%s", value);
        } else if (strcmp(seen->length, value) != 0) {
            seen->lengths_differ = true;
        }
    }
    return MHD_YES;
}

/* Refuses what two programs could frame differently, and ends it. */
static void judge_framing(struct exchange *x)
{
    struct framing seen = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, see_header,
                              &seen);
    const char *message = NULL;
    int status = 400;
    if (seen.hosts > 1) {
        message = "more than one Host header";
    } else if (seen.chunked && seen.lengths > 0) {
        message = "Content-Length together with Transfer-Encoding";
    } else if (seen.lengths_differ) {
        message = "Content-Length headers that differ";
    } else if (seen.unknown_coding) {
        status = 501;
        message = "only the transfer coding 'chunked' is supported";
    } else if (seen.lengths > 0 && strtoumax(seen.length, NULL, 10) >
                                       x->front->options.max_body_bytes) {
        status = 413;
        message = "the body is larger than this server accepts";
    }
    if (message != NULL) {
        srv_reply_error(&x->reply, status, "%s", message);
        x->reply.close = true;
    }
}

static enum srv_method read_method(const char *text)
{
    static const struct {
        const char *text;
        enum srv_method method;
    } methods[] = {{"GET", SRV_GET},
                   {"HEAD", SRV_GET},
                   {"POST", SRV_POST},
                   {"PUT", SRV_PUT},
                   {"DELETE", SRV_DELETE}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(text, methods[i].text) == 0) {
            return methods[i].method;
        }
    }
    return SRV_OTHER_METHOD;
}

static void copy_header(struct exchange *x, const char *name,
                        char out[SRV_HEADER_BYTES])
{
    const char *value =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
    snprintf(out, SRV_HEADER_BYTES, "%s", value == NULL ? "" : value);
}

/* Sends the reply; its body goes over to the library. */
static enum MHD_Result send_reply(struct exchange *x)
{
    static char no_memory[] = "{\"error\":\"out of memory\"}";
    struct srv_reply *reply = &x->reply;
    struct MHD_Response *response;
    srv_coding_encode(&x->request, reply);
    if (reply->body != NULL) {
        response = MHD_create_response_from_buffer_with_free_callback(
            reply->body_bytes, reply->body, sy_free);
        if (response != NULL) {
            reply->body = NULL;
        }
    } else {
        size_t bytes = reply->status >= 400 ? sizeof no_memory - 1 : 0;
        response = MHD_create_response_from_buffer(bytes, no_memory,
                                                   MHD_RESPMEM_PERSISTENT);
    }
    if (response == NULL) {
        return MHD_NO;
    }
    if (reply->content_type != NULL) {
        MHD_add_response_header(response, "Content-Type", reply->content_type);
    }
    for (int i = 0; i < reply->header_count; i++) {
        MHD_add_response_header(response, reply->header[i].name,
                                reply->header[i].value);
    }
    if (reply->close || atomic_load(&x->front->draining)) {
        MHD_add_response_header(response, "Connection", "close");
    }
    enum MHD_Result result =
        MHD_queue_response(x->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called by the work, on its thread: the exchange is asked again. */
static void wake(void *waiter)
{
    struct exchange *x = waiter;
    MHD_resume_connection(x->connection);
}

/* The connection sleeps before the work begins, so no wake is lost. */
static void begin_work(struct exchange *x)
{
    x->phase = PHASE_WAITING;
    MHD_suspend_connection(x->connection);
    x->later.start(x->later.state, wake, x);
}

/* The headers are there. */
static enum MHD_Result take_headers(struct exchange *x, const char *method)
{
    x->phase = PHASE_BODY;
    x->request.method = read_method(method);
    x->request.start_ns = sy_now_ns();
    bool target_is_bad = x->reply.status != 0;
    judge_framing(x);
    if (x->reply.close) {
        return send_reply(x);
    }
    if (target_is_bad ||
        !srv_route_find(x->front->options.routes, &x->request, &x->reply)) {
        return MHD_YES;
    }
    copy_header(x, "Content-Encoding", x->request.content_encoding);
    copy_header(x, "Accept-Encoding", x->request.accept_encoding);
    copy_header(x, "Inference-Header-Content-Length",
                x->request.inference_header);
    srv_coding_check(&x->request, &x->reply);
    return MHD_YES;
}

static void drop_body(struct exchange *x)
{
    sy_free(x->body);
    x->body = NULL;
    x->request.body = "";
    x->request.body_bytes = 0;
    x->body_room = 0;
}

/* Adds a piece to the body, or keeps the verdict that it cannot be. */
static void keep_piece(struct exchange *x, const char *data, size_t bytes)
{
    struct srv_request *request = &x->request;
    size_t most = x->front->options.max_body_bytes;
    if (bytes > most - request->body_bytes) {
        drop_body(x);
        srv_reply_error(&x->reply, 413,
                        "the body is larger than this server accepts");
        return;
    }
    size_t need = request->body_bytes + bytes + 1;
    if (need > x->body_room) {
        size_t room = x->body_room * 2;
        room = room < FIRST_BODY_BYTES ? FIRST_BODY_BYTES : room;
        room = room < need ? need : room;
        char *body = sy_realloc(x->body, room);
        if (body == NULL) {
            drop_body(x);
            srv_reply_error(&x->reply, 503, "out of memory");
            return;
        }
        x->body = body;
        request->body = body;
        x->body_room = room;
    }
    memcpy(x->body + request->body_bytes, data, bytes);
    request->body_bytes += bytes;
    x->body[request->body_bytes] = '\0';
}

static enum MHD_Result take_piece(struct exchange *x, const char *data,
                                  size_t *bytes)
{
    if (x->reply.status == 0) {
        keep_piece(x, data, *bytes);
    } else {
        x->discarded_bytes += *bytes;
        if (x->discarded_bytes >
            x->front->options.max_body_bytes + DISCARD_BYTES) {
            return MHD_NO;
        }
    }
    *bytes = 0;
    return MHD_YES;
}

/* The whole request is there. */
static enum MHD_Result run_handler(struct exchange *x)
{
    atomic_store(&x->whole, true);
    if (x->reply.status == 0 &&
        srv_coding_decode(&x->request, &x->body,
                          x->front->options.max_body_bytes, &x->reply)) {
        x->request.route->handler(x->front->options.context, &x->request,
                                  &x->reply, &x->later);
        if (x->later.state != NULL) {
            drop_body(x);
            begin_work(x);
            return MHD_YES;
        }
        SY_ASSERT(x->reply.status != 0);
    }
    return send_reply(x);
}

static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *data_bytes, void **exchange)
{
    (void)context, (void)connection, (void)url, (void)version;
    struct exchange *x = *exchange;
    if (x == NULL) {
        return MHD_NO;
    }
    switch (x->phase) {
    case PHASE_NEW:
        return take_headers(x, method);
    case PHASE_BODY:
        if (*data_bytes > 0) {
            return take_piece(x, data, data_bytes);
        }
        return run_handler(x);
    case PHASE_WAITING:
        x->later.finish(x->later.state, &x->reply);
        SY_ASSERT(x->reply.status != 0);
        return send_reply(x);
    }
    return MHD_NO;
}

/* Birth of an exchange: the request line has been read. */
static void *on_target(void *context, const char *raw,
                       struct MHD_Connection *connection)
{
    struct srv_front *front = context;
    struct exchange *x = sy_alloc_zero(1, sizeof *x);
    if (x == NULL) {
        return NULL;
    }
    x->front = front;
    x->connection = connection;
    x->request.body = "";
    struct sy_error err = {0};
    if (srv_target_parse(&x->request.target, raw, &err) != SY_OK) {
        srv_reply_failure(&x->reply, &err);
    }
    pthread_mutex_lock(&front->lock);
    x->next = front->first;
    if (x->next != NULL) {
        x->next->previous = x;
    }
    front->first = x;
    pthread_mutex_unlock(&front->lock);
    return x;
}

/* Death of an exchange: answered, or its connection is gone. */
static void on_completed(void *context, struct MHD_Connection *connection,
                         void **exchange,
                         enum MHD_RequestTerminationCode reason)
{
    (void)connection, (void)reason;
    struct srv_front *front = context;
    struct exchange *x = *exchange;
    if (x == NULL) {
        return;
    }
    *exchange = NULL;
    if (x->later.state != NULL) {
        x->later.release(x->later.state);
    }
    drop_body(x);
    srv_reply_release(&x->reply);
    pthread_mutex_lock(&front->lock);
    if (x->next != NULL) {
        x->next->previous = x->previous;
    }
    if (x->previous != NULL) {
        x->previous->next = x->next;
    } else {
        front->first = x->next;
    }
    if (front->first == NULL) {
        pthread_cond_broadcast(&front->idle);
    }
    pthread_mutex_unlock(&front->lock);
    sy_free(x);
}

static void on_log(void *context, const char *format, va_list args)
    SY_PRINTF(2, 0);

/* The library's own messages speak of single bad connections. */
static void on_log(void *context, const char *format, va_list args)
{
    (void)context;
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    sy_log_debug("http: %s", line);
}

static struct MHD_Daemon *start_daemon(struct srv_front *front)
{
    const struct srv_front_options *options = &front->options;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, options->threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    if (options->threads < 2) {
        pool[0].option = MHD_OPTION_END;
    }
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, front,             /**/
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,     /**/
        MHD_OPTION_LISTEN_SOCKET, options->listen_fd, /**/
        MHD_OPTION_ARRAY, pool,                       /**/
        MHD_OPTION_STRICT_FOR_CLIENT, 1,              /**/
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->idle_timeout_s,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, front,    /**/
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, front, /**/
        MHD_OPTION_END);
}

enum sy_status srv_front_new(struct srv_front **front,
                             const struct srv_front_options *options,
                             struct sy_error *err)
{
    struct srv_front *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        close(options->listen_fd);
        return sy_fail(err, SY_NO_MEMORY, "starting HTTP: out of memory");
    }
    made->options = *options;
    made->drained_fd = -1;
    atomic_init(&made->draining, false);
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    made->daemon = start_daemon(made);
    if (made->daemon == NULL) {
        made->drained_fd = options->listen_fd;
        srv_front_free(made);
        return sy_fail(err, SY_IO, "the HTTP threads could not be started");
    }
    *front = made;
    return SY_OK;
}

void srv_front_drain(struct srv_front *front)
{
    atomic_store(&front->draining, true);
    if (front->drained_fd < 0) {
        front->drained_fd = MHD_quiesce_daemon(front->daemon);
        /* Without this the kernel would go on completing handshakes of
           clients that nobody will ever answer. */
        shutdown(front->drained_fd, SHUT_RDWR);
    }
}

/*
 * Hangs up on peers that went away in the middle of a request. The library
 * waits for an edge of epoll and misses the end of a connection that was
 * there before it first read, so such a connection would keep us waiting for
 * its idle timeout. A peer is lost when two looks in a row find its end with
 * nothing left to read; shutting the socket down makes the library see it.
 * The lock is held: an exchange on the list has an open socket.
 */
static void hang_up_lost(struct srv_front *front)
{
    for (struct exchange *x = front->first; x != NULL; x = x->next) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        char byte;
        if (info == NULL || atomic_load(&x->whole)) {
            continue;
        }
        if (recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) {
            x->lost = false;
        } else if (x->lost) {
            shutdown(info->connect_fd, SHUT_RDWR);
        } else {
            x->lost = true;
        }
    }
}

void srv_front_sweep(struct srv_front *front)
{
    pthread_mutex_lock(&front->lock);
    hang_up_lost(front);
    pthread_mutex_unlock(&front->lock);
}

bool srv_front_wait(struct srv_front *front, int64_t deadline_ns)
{
    pthread_mutex_lock(&front->lock);
    while (front->first != NULL && sy_now_ns() < deadline_ns) {
        int64_t until_ns = sy_now_ns() + (int64_t)LOOK_MS * 1000000;
        until_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
        struct timespec until = {.tv_sec = until_ns / 1000000000,
                                 .tv_nsec = until_ns % 1000000000};
        hang_up_lost(front);
        pthread_cond_timedwait(&front->idle, &front->lock, &until);
    }
    bool none = front->first == NULL;
    pthread_mutex_unlock(&front->lock);
    return none;
}

void srv_front_free(struct srv_front *front)
{
    if (front == NULL) {
        return;
    }
    if (front->daemon != NULL) {
        MHD_stop_daemon(front->daemon);
    }
    if (front->drained_fd >= 0) {
        close(front->drained_fd);
    }
    pthread_cond_destroy(&front->idle);
    pthread_mutex_destroy(&front->lock);
    sy_free(front);
}
