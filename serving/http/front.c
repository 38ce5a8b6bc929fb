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
 * What the library lets through and should not is refused in framing.c and
 * target.c. Bare LF line ends and folded headers cannot be seen: docs/http.md
 * says so.
 *
 * A sleeping connection has no timeout of its own and does not notice that
 * its peer left: the deadline lives with the work (batcher.c), and peers.c
 * looks after peers that left or are too slow.
 *
 * The threads are ours (loop.h), each with a daemon of the library that it
 * alone touches: the library's own threads would be woken, and switched to,
 * for every single connection of a batch. In a turn what has been woken is
 * answered first, then what came meanwhile is read.
 */
#include "serving/http/front.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "serving/http/body.h"
#include "serving/http/coding.h"
#include "serving/http/framing.h"
#include "serving/http/listen.h"
#include "serving/http/loop.h"
#include "serving/http/pace.h"

enum {
    CONNECTION_BYTES = 32 << 10, /* above it each request costs a memset */
    SLEPT_NS = 50000, /* a poll that took longer had nothing at first */
    LINGER_MS = 300,  /* a client that had an answer then may come again */
    DISCARD_BYTES = 1 << 20 /* beyond max_body_bytes, before we hang up */
};

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* All but the loop is touched by its thread only, while that runs. */
struct thread {
    struct srv_loop loop;
    struct srv_front *front;
    struct MHD_Daemon *daemon;
    struct srv_pace pace;
    int64_t asked_ns; /* when it was about to sleep */
    int64_t turn_ns;  /* when this turn began */
    int64_t since_ns; /* what it reads may have been there since */
    bool has_place;   /* a connection has ended since it last slept */
};

struct srv_front {
    struct srv_front_options options;
    struct thread *thread; /* [options.threads] */
    bool closed;           /* accepts nobody; init thread only */
    atomic_bool draining;
    _Atomic int64_t max_lag_ns; /* 0: no limit */

    struct srv_peers peers;
};

/* A connection, from accept to close. */
struct client {
    struct srv_peer peer;
    char address[48];
    bool is_local;
};

enum phase { PHASE_NEW, PHASE_BODY, PHASE_WAITING };

struct exchange {
    struct srv_woken woken; /* first: the list of woken ones is of exchanges */
    struct thread *thread;
    struct srv_front *front;
    struct MHD_Connection *connection;
    struct client *client;
    enum phase phase;
    struct srv_request request;
    struct srv_reply reply;
    struct srv_later later;
    bool handled; /* the handler was called */
    bool in_work; /* counts in its thread's pace, */
    int model;    /* as this model of it */
    bool sent;
    int64_t born_ns, whole_ns, parsed_ns, answered_ns;
    int64_t waited_ns;         /* at most, before it was read */
    int64_t wake_ns, woken_ns; /* when work called, when it was heard */
    size_t body_bytes;
    struct srv_body body;
    size_t discarded_bytes;
};

static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    (void)kind;
    srv_framing_see(context, name, value == NULL ? "" : value);
    return MHD_YES;
}

static bool judge_framing(struct exchange *x)
{
    struct srv_framing framing = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, see_header,
                              &framing);
    return srv_framing_judge(&framing, x->front->options.max_body_bytes,
                             &x->reply);
}

static void copy_header(struct exchange *x, const char *name,
                        char out[SRV_HEADER_BYTES])
{
    const char *value =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
    srv_copy_text(out, SRV_HEADER_BYTES, value == NULL ? "" : value);
}

static bool is_inference(const struct exchange *x)
{
    return x->request.route->class == SRV_INFER;
}

static void enter_work(struct exchange *x)
{
    x->in_work = is_inference(x);
    if (x->in_work) {
        srv_pace_enter(&x->thread->pace, x->model);
    }
}

static void leave_work(struct exchange *x)
{
    if (x->in_work) {
        srv_pace_leave(&x->thread->pace, x->model);
        x->in_work = false;
    }
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
    MHD_add_response_header(response, "X-Request-Id", x->request.id);
    if (reply->close || atomic_load(&x->front->draining)) {
        MHD_add_response_header(response, "Connection", "close");
    }
    x->answered_ns = sy_now_ns();
    leave_work(x);
    srv_peer_enter(&x->client->peer, SRV_PEER_ANSWER,
                   (int64_t)reply->body_bytes, x->answered_ns);
    enum MHD_Result result =
        MHD_queue_response(x->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called by the work, on whatever thread it ends: the exchange is asked again.
   Once pushed it is its own thread's, which may end it. */
static void wake(void *waiter, bool more)
{
    struct exchange *x = waiter;
    struct srv_front *front = x->front;
    x->wake_ns = sy_now_ns();
    srv_loop_push(&x->thread->loop, &x->woken);
    for (int i = 0; !more && i < front->options.threads; i++) {
        srv_loop_rouse(&front->thread[i].loop);
    }
}

/* The connection sleeps before the work begins, so no wake is lost. */
static void begin_work(struct exchange *x)
{
    struct srv_peer *peer = &x->client->peer;
    x->phase = PHASE_WAITING;
    peer->cancel = x->later.cancel;
    peer->work = x->later.state;
    x->parsed_ns = sy_now_ns();
    srv_peer_enter(peer, SRV_PEER_WORK, 0, x->parsed_ns);
    MHD_suspend_connection(x->connection);
    x->later.start(x->later.state, wake, x);
}

static bool has_header(struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name) !=
           NULL;
}

/* What the headers say about who asks and which request it is. */
static void take_identity(struct exchange *x, const char *method)
{
    struct srv_request *request = &x->request;
    char text[SRV_HEADER_BYTES];
    copy_header(x, "X-Request-Id", text);
    srv_request_id(request->id, text);
    copy_header(x, "traceparent", text);
    request->is_sampled =
        srv_trace_parse(text, request->trace_id, request->span_id) &&
        srv_trace_is_sampled(text);
    copy_header(x, "Authorization", request->authorization);
    copy_header(x, "Origin", request->origin);
    copy_header(x, "Host", request->host);
    srv_copy_text(request->method_text, sizeof request->method_text, method);
    srv_copy_text(request->address, sizeof request->address,
                  x->client->address);
    memcpy(request->client, request->address, sizeof request->address);
    request->is_local = x->client->is_local &&
                        !has_header(x, "X-Forwarded-For") &&
                        !has_header(x, "Forwarded");
    request->is_tls = x->front->options.tls_callback != NULL;
}

/*
 * Whether the thread takes in one more inference, or else a 503. Asked by the
 * headers, so that a body is not kept in vain, and again when it is whole.
 */
static bool has_room(struct exchange *x)
{
    const char *name = x->request.capture[0];
    x->model = name != NULL ? srv_pace_model(name) : 0;
    if (!is_inference(x) || atomic_load(&x->front->max_lag_ns) == 0 ||
        srv_pace_has_room(&x->thread->pace, x->model)) {
        return true;
    }
    srv_reply_error(&x->reply, 503,
                    "the server is overloaded: its HTTP threads are behind");
    return false;
}

/* The headers are there. */
static enum MHD_Result take_headers(struct exchange *x, const char *method)
{
    const struct srv_front_options *options = &x->front->options;
    x->phase = PHASE_BODY;
    x->request.method = srv_method_read(method);
    x->request.start_ns = sy_now_ns();
    x->waited_ns = x->request.start_ns - x->thread->since_ns;
    srv_peer_enter(&x->client->peer, SRV_PEER_BODY, 0, x->request.start_ns);
    take_identity(x, method);
    if (x->reply.status != 0 || !judge_framing(x)) {
        return send_reply(x);
    }
    if (!srv_route_find(options->routes, &x->request, &x->reply) ||
        (options->admit != NULL &&
         !options->admit(options->owner, &x->request, &x->reply)) ||
        !has_room(x)) {
        return MHD_YES;
    }
    copy_header(x, "Content-Encoding", x->request.content_encoding);
    copy_header(x, "Accept-Encoding", x->request.accept_encoding);
    copy_header(x, "Inference-Header-Content-Length",
                x->request.inference_header);
    srv_coding_check(&x->request, &x->reply);
    return MHD_YES;
}

static enum MHD_Result take_piece(struct exchange *x, const char *data,
                                  size_t *bytes)
{
    atomic_fetch_add_explicit(&x->client->peer.bytes, (int64_t)*bytes,
                              memory_order_relaxed);
    if (x->reply.status == 0) {
        (void)srv_body_add(&x->body, &x->request, data, *bytes, &x->reply);
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
    x->whole_ns = sy_now_ns();
    x->body_bytes = x->request.body_bytes;
    if (x->reply.status == 0 && has_room(x) &&
        srv_body_decode(&x->body, &x->request, &x->reply)) {
        x->handled = true;
        x->request.is_pressed =
            atomic_load(&x->front->max_lag_ns) > 0 &&
            srv_pace_is_pressed(&x->thread->pace, x->whole_ns);
        enter_work(x);
        x->request.route->handler(x->front->options.context, &x->request,
                                  &x->reply, &x->later);
        if (x->later.state != NULL) {
            srv_body_drop(&x->body, &x->request);
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
        x->woken_ns = sy_now_ns();
        srv_pace_turn(&x->thread->pace, x->waited_ns + x->woken_ns - x->wake_ns,
                      x->woken_ns, atomic_load(&x->front->max_lag_ns));
        x->later.finish(x->later.state, &x->reply);
        SY_ASSERT(x->reply.status != 0);
        return send_reply(x);
    }
    return MHD_NO;
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void note_address(struct client *client,
                         struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    client->is_local =
        info != NULL && srv_address_read(info->client_addr, client->address,
                                         sizeof client->address);
}

/* Birth and death of a connection. */
static void on_connection(void *context, struct MHD_Connection *connection,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct thread *thread = context;
    struct srv_front *front = thread->front;
    struct client *client = *socket_context;
    thread->has_place |= code == MHD_CONNECTION_NOTIFY_CLOSED;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        client = info == NULL ? NULL : sy_alloc_zero(1, sizeof *client);
        if (client != NULL) {
            note_address(client, connection);
            client->peer.address =
                client->address[0] != '\0' ? client->address : NULL;
            if (!srv_peer_add(&front->peers, &client->peer, info->connect_fd,
                              sy_now_ns())) {
                shutdown(info->connect_fd, SHUT_RDWR);
            }
        }
        *socket_context = client;
    } else if (client != NULL) {
        srv_peer_remove(&front->peers, &client->peer);
        sy_free(client);
        *socket_context = NULL;
    }
}

/* Birth of an exchange: the request line has been read. Without memory for
   it the request is dropped at its first call. */
static void *on_target(void *context, const char *raw,
                       struct MHD_Connection *connection)
{
    struct thread *thread = context;
    struct srv_front *front = thread->front;
    struct client *client = client_of(connection);
    struct exchange *x = client == NULL ? NULL : sy_alloc_zero(1, sizeof *x);
    if (x == NULL) {
        return NULL;
    }
    x->thread = thread;
    x->front = front;
    x->connection = connection;
    x->client = client;
    srv_body_init(&x->body, &x->request, front->options.budget,
                  front->options.max_body_bytes);
    struct sy_error err = {0};
    if (srv_target_parse(&x->request.target, raw, &err) != SY_OK) {
        srv_reply_failure(&x->reply, &err);
        x->reply.close = true;
    }
    x->born_ns = sy_now_ns();
    srv_peer_begin(&front->peers, &client->peer, x->born_ns);
    return x;
}

static int64_t span(int64_t from_ns, int64_t to_ns)
{
    return from_ns != 0 && to_ns > from_ns ? to_ns - from_ns : 0;
}

/* Tells the owner of an exchange that has ended. */
static void observe(const struct exchange *x)
{
    const struct srv_front_options *options = &x->front->options;
    int64_t now_ns = sy_now_ns();
    int64_t parsed_ns = x->parsed_ns != 0 ? x->parsed_ns : x->answered_ns;
    struct srv_record record = {
        .request = &x->request,
        .facts = &x->reply.facts,
        .status = x->answered_ns != 0 ? x->reply.status : 0,
        .rejected = x->reply.status != 0 && !x->handled,
        .sent = x->sent,
        .body_bytes = x->body_bytes,
        .reply_bytes = x->answered_ns != 0 ? x->reply.body_bytes : 0,
        .read_ns = span(x->born_ns, x->whole_ns),
        .parse_ns = span(x->whole_ns, parsed_ns),
        .wake_ns = span(x->wake_ns, x->woken_ns),
        .encode_ns = span(x->woken_ns, x->answered_ns),
        .write_ns = span(x->answered_ns, now_ns),
        .total_ns = span(x->born_ns, now_ns),
    };
    options->observe(options->owner, &record);
}

/* Death of an exchange: answered, or its connection is gone. */
static void on_completed(void *context, struct MHD_Connection *connection,
                         void **exchange,
                         enum MHD_RequestTerminationCode reason)
{
    (void)connection;
    struct thread *thread = context;
    struct srv_front *front = thread->front;
    struct exchange *x = *exchange;
    if (x == NULL) {
        return;
    }
    *exchange = NULL;
    leave_work(x);
    x->sent = reason == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (front->options.observe != NULL) {
        observe(x);
    }
    srv_peer_end(&front->peers, &x->client->peer, sy_now_ns());
    if (x->later.state != NULL) {
        x->later.release(x->later.state);
    }
    srv_body_drop(&x->body, &x->request);
    srv_reply_release(&x->reply);
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

/* The i-th thread's part of all connections. */
static unsigned connections_of(const struct srv_front_options *options, int i)
{
    int part = options->max_connections / options->threads +
               (i < options->max_connections % options->threads ? 1 : 0);
    return part > 0 ? (unsigned)part : 1;
}

static struct MHD_Daemon *start_daemon(struct thread *thread)
{
    const struct srv_front_options *options = &thread->front->options;
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    enum { MOST = 8 };
    struct MHD_OptionItem more[MOST] = {{MHD_OPTION_END, 0, NULL}};
    int count = 0;
    if (options->tls_callback != NULL) {
        flags |= MHD_USE_TLS;
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK,
                                                0, options->tls_callback};
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                (char *)(uintptr_t)PRIORITIES};
    }
    if (options->tls_trust != NULL) {
        more[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0,
                                    (char *)(uintptr_t)options->tls_trust};
    }
    more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, thread,     /**/
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,     /**/
        MHD_OPTION_LISTEN_SOCKET, options->listen_fd, /**/
        MHD_OPTION_ARRAY, more,                       /**/
        MHD_OPTION_STRICT_FOR_CLIENT, 1,              /**/
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_LIMIT,
        connections_of(options, (int)(thread - thread->front->thread)),
        MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((options->limits.idle_ns + 999999999) / 1000000000),
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, thread, /**/
        MHD_OPTION_URI_LOG_CALLBACK, on_target, thread,      /**/
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, thread,   /**/
        MHD_OPTION_END);
}

/*
 * A daemon that was full has taken the listening socket out of its set, and
 * puts it back at the begin of a turn, not where a connection ends: after that
 * one more turn is due at once, or it would accept nobody.
 */
static int patience_ms(void *owner)
{
    struct thread *thread = owner;
    MHD_UNSIGNED_LONG_LONG ms;
    thread->asked_ns = sy_now_ns();
    if (thread->has_place) {
        thread->has_place = false;
        return 0;
    }
    if (MHD_get_timeout(thread->daemon, &ms) != MHD_YES) {
        return -1;
    }
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void resume(struct srv_woken *woken)
{
    while (woken != NULL) {
        struct exchange *x = (struct exchange *)woken;
        woken = woken->next;
        MHD_resume_connection(x->connection);
    }
}

static void turn(void *owner, struct srv_woken *woken)
{
    struct thread *thread = owner;
    int64_t now_ns = sy_now_ns();
    bool slept = now_ns - thread->asked_ns > SLEPT_NS;
    thread->since_ns = slept ? now_ns : thread->turn_ns;
    thread->turn_ns = now_ns;
    resume(woken);
    MHD_run(thread->daemon);
}

static enum sy_status start_thread(struct thread *thread, struct sy_error *err)
{
    thread->daemon = start_daemon(thread);
    const union MHD_DaemonInfo *info =
        thread->daemon == NULL
            ? NULL
            : MHD_get_daemon_info(thread->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        return sy_fail(err, SY_IO, "the HTTP threads could not be started");
    }
    struct srv_loop_options options = {.fd = info->epoll_fd,
                                       .patience_ms = patience_ms,
                                       .turn = turn,
                                       .owner = thread};
    return srv_loop_start(&thread->loop, &options, err);
}

enum sy_status srv_front_new(struct srv_front **front,
                             const struct srv_front_options *options,
                             struct sy_error *err)
{
    size_t threads = (size_t)options->threads;
    struct srv_front *made = sy_alloc_zero(1, sizeof *made);
    struct thread *thread = sy_alloc_zero(threads, sizeof *thread);
    if (made == NULL || thread == NULL) {
        close(options->listen_fd);
        sy_free(thread);
        sy_free(made);
        return sy_fail(err, SY_NO_MEMORY, "starting HTTP: out of memory");
    }
    made->options = *options;
    made->thread = thread;
    atomic_init(&made->draining, false);
    atomic_init(&made->max_lag_ns, options->max_lag_ns);
    srv_peers_init(&made->peers, &options->limits);
    made->peers.most_of_address = options->max_connections_per_client;
    enum sy_status status = SY_OK;
    for (size_t i = 0; i < threads && status == SY_OK; i++) {
        thread[i].front = made;
        status = start_thread(&thread[i], err);
    }
    if (status != SY_OK) {
        srv_front_free(made);
        return status;
    }
    *front = made;
    return SY_OK;
}

void srv_front_close_after_replies(struct srv_front *front)
{
    atomic_store(&front->draining, true);
}

void srv_front_configure(struct srv_front *front,
                         const struct srv_peer_limits *limits,
                         int64_t max_lag_ns)
{
    atomic_store(&front->max_lag_ns, max_lag_ns);
    srv_peers_configure(&front->peers, limits);
}

/* The two acts of draining, on an HTTP thread. */
static void quiesce(void *owner)
{
    struct thread *thread = owner;
    (void)MHD_quiesce_daemon(thread->daemon);
}

static bool is_full(const struct thread *thread)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(
        thread->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info == NULL ||
           info->num_connections >=
               connections_of(&thread->front->options,
                              (int)(thread - thread->front->thread));
}

static void take_over(void *owner)
{
    struct thread *thread = owner;
    while (!is_full(thread)) {
        struct sockaddr_storage address;
        socklen_t bytes = sizeof address;
        int fd = accept4(thread->front->options.listen_fd,
                         (struct sockaddr *)&address, &bytes,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            /* On failure the library has closed it. */
            (void)MHD_add_connection(thread->daemon, fd,
                                     (struct sockaddr *)&address, bytes);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/*
 * Clients whose connection the kernel has made already may have sent their
 * request: they are taken over by hand. Then the socket is shut down, because
 * the kernel would go on making connections that nobody ever answers. A
 * socket that is not ours alone keeps its clients for whoever comes next.
 */
void srv_front_drain(struct srv_front *front)
{
    atomic_store(&front->draining, true);
    if (front->closed) {
        return;
    }
    front->closed = true;
    for (int i = 0; i < front->options.threads; i++) {
        srv_loop_ask(&front->thread[i].loop, quiesce);
    }
    if (front->options.listen_is_shared) {
        return;
    }
    srv_listen_no_more(front->options.listen_fd);
    for (int i = 0; i < front->options.threads; i++) {
        srv_loop_ask(&front->thread[i].loop, take_over);
    }
    shutdown(front->options.listen_fd, SHUT_RDWR);
}

void srv_front_counts(struct srv_front *front, struct srv_front_counts *counts)
{
    pthread_mutex_lock(&front->peers.lock);
    counts->connections = front->peers.count;
    pthread_mutex_unlock(&front->peers.lock);
    for (int i = 0; i < SRV_LOSSES; i++) {
        counts->losses[i] = atomic_load(&front->peers.losses[i]);
    }
}

void srv_front_sweep(struct srv_front *front)
{
    srv_peers_sweep(&front->peers, sy_now_ns());
}

bool srv_front_wait(struct srv_front *front, int64_t deadline_ns)
{
    return srv_peers_wait(&front->peers, deadline_ns,
                          LINGER_MS * INT64_C(1000000));
}

/* The daemons close the listening socket that was left to them: none is. */
void srv_front_free(struct srv_front *front)
{
    if (front == NULL) {
        return;
    }
    for (int i = 0; i < front->options.threads; i++) {
        srv_loop_stop(&front->thread[i].loop); /* they rouse each other */
    }
    for (int i = 0; i < front->options.threads; i++) {
        struct thread *thread = &front->thread[i];
        resume(srv_loop_release(&thread->loop));
        if (thread->daemon != NULL) {
            quiesce(thread);
            MHD_stop_daemon(thread->daemon);
        }
    }
    close(front->options.listen_fd);
    srv_peers_release(&front->peers);
    sy_free(front->thread);
    sy_free(front);
}
