/*
 * server.c - putting the parts together, and taking them apart in order.
 *
 * DESIGN: ownership is a stack: pool, repository, batcher, front. Each uses
 * only those below it, so they are made in this order and freed in the other.
 * Stopping walks from the top: the front stops accepting and waits for its
 * requests; the batcher then ends what is left, which wakes every connection
 * that sleeps (the HTTP library forbids ending with a sleeping one); the
 * front sends those last answers and ends.
 */
#include "serving/server.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "serving/context.h"
#include "serving/http/front.h"
#include "serving/http/listen.h"
#include "serving/protocol/routes.h"

enum {
    SWEEP_MS = 200,   /* between looks at the connections */
    HEADERS_S = 20,   /* for the headers of a request */
    GRACE_S = 20,     /* before a body or answer has to keep the rate */
    LEAST_RATE = 500, /* bytes a second */
    MAX_CONNECTIONS = 10000,
    LAST_ANSWERS_MS = 2000 /* for sending the 503s at the very end */
};

#define SECOND_NS INT64_C(1000000000)

struct srv_server {
    struct srv_server_options options;
    struct srv_context context;
    struct sy_pool *pool;
    struct srv_front *front;
    int stop_fd; /* an eventfd: readable once a stop is wanted */
    int port;
    bool stopped;
};

static int or_else(int value, int otherwise)
{
    return value > 0 ? value : otherwise;
}

static struct srv_server_options fill_options(
    const struct srv_server_options *given)
{
    struct srv_server_options o = *given;
    o.host = o.host == NULL ? "127.0.0.1" : o.host;
    o.http_threads = or_else(o.http_threads, 2);
    o.max_batch = or_else(o.max_batch, 32);
    o.max_queue = or_else(o.max_queue, 256);
    o.max_images = or_else(o.max_images, 4096);
    o.request_timeout_ms = or_else(o.request_timeout_ms, 10000);
    o.idle_timeout_ms = or_else(o.idle_timeout_ms, 30000);
    o.drain_ms = or_else(o.drain_ms, 10000);
    o.max_body_bytes =
        o.max_body_bytes == 0 ? (size_t)64 << 20 : o.max_body_bytes;
    return o;
}

/* Everything below HTTP. */
static enum sy_status start_engine(struct srv_server *server,
                                   struct sy_error *err)
{
    const struct srv_server_options *o = &server->options;
    SY_TRY(sy_pool_new(&server->pool, o->threads, err));
    struct srv_repository_options repository = {
        .path = o->repository, .pool = server->pool, .max_batch = o->max_batch};
    SY_TRY(srv_repository_new(&server->context.repository, &repository, err));
    struct srv_batcher_options batcher = {
        .queue = {.max_batch = o->max_batch, .max_queue = o->max_queue}};
    return srv_batcher_new(&server->context.batcher, &batcher, err);
}

static enum sy_status start_front(struct srv_server *server,
                                  struct sy_error *err)
{
    const struct srv_server_options *o = &server->options;
    struct srv_front_options front = {
        .listen_fd = -1,
        .threads = o->http_threads,
        .max_connections = MAX_CONNECTIONS,
        .max_body_bytes = o->max_body_bytes,
        .limits = {.idle_ns = (int64_t)o->idle_timeout_ms * 1000000,
                   .headers_ns = HEADERS_S * SECOND_NS,
                   .grace_ns = GRACE_S * SECOND_NS,
                   .least_rate = LEAST_RATE},
        .routes = srv_routes,
        .context = &server->context};
    SY_TRY(srv_listen(&front.listen_fd, &server->port, o->host, o->port, err));
    return srv_front_new(&server->front, &front, err);
}

enum sy_status srv_server_new(struct srv_server **server,
                              const struct srv_server_options *options,
                              struct sy_error *err)
{
    struct srv_server *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "server: out of memory");
    }
    enum sy_status status = SY_OK;
    made->options = fill_options(options);
    made->context.request_timeout_ns =
        (int64_t)made->options.request_timeout_ms * 1000000;
    made->context.max_images = made->options.max_images;
    atomic_init(&made->context.draining, false);
    made->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->stop_fd < 0) {
        status = sy_fail_errno(err, SY_IO, errno, "server: eventfd");
        goto out;
    }
    SY_TRY_OUT(start_engine(made, err));
    SY_TRY_OUT(start_front(made, err));
    *server = made;
    made = NULL;
out:
    srv_server_free(made);
    return status;
}

int srv_server_port(const struct srv_server *server)
{
    return server->port;
}

void srv_server_stop(struct srv_server *server)
{
    int saved = errno;
    uint64_t one = 1;
    /* It can only fail when it is readable already. */
    ssize_t written = write(server->stop_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

/* The order of the end; see the top. */
static void drain(struct srv_server *server)
{
    if (server->stopped) {
        return;
    }
    server->stopped = true;
    atomic_store(&server->context.draining, true);
    if (server->front == NULL) {
        return;
    }
    srv_front_drain(server->front);
    int64_t until_ns =
        sy_now_ns() + (int64_t)server->options.drain_ms * 1000000;
    if (!srv_front_wait(server->front, until_ns)) {
        sy_log_warn("not all requests were done after %d ms: the rest is "
                    "answered 503",
                    server->options.drain_ms);
    }
    srv_batcher_stop(server->context.batcher);
    srv_repository_stop(server->context.repository);
    until_ns = sy_now_ns() + (int64_t)LAST_ANSWERS_MS * 1000000;
    if (!srv_front_wait(server->front, until_ns)) {
        sy_log_warn("some clients did not take their answer");
    }
}

void srv_server_run(struct srv_server *server)
{
    struct pollfd wanted = {.fd = server->stop_fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&wanted, 1, SWEEP_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            break;
        }
        srv_front_sweep(server->front);
    }
    sy_log_info("stopping");
    drain(server);
}

void srv_server_free(struct srv_server *server)
{
    if (server == NULL) {
        return;
    }
    drain(server);
    srv_front_free(server->front);
    srv_batcher_free(server->context.batcher);
    srv_repository_free(server->context.repository);
    sy_pool_free(server->pool);
    if (server->stop_fd >= 0) {
        close(server->stop_fd);
    }
    sy_free(server);
}
