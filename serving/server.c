/*
 * server.c - putting the parts together, and taking them apart in order.
 *
 * DESIGN: ownership is a stack: pool, repository, batcher, front. Each uses
 * only those below it, so they are made in this order and freed in the other.
 * Stopping walks from the top: the front stops accepting and waits for its
 * requests; the batcher then ends what is left, which wakes every connection
 * that sleeps (the HTTP library forbids ending with a sleeping one); the
 * front sends those last answers and ends.
 *
 * The thread that runs the server looks after everything that has to happen
 * now and then: signals, the sweep over connections, the watchdog.
 */
#include "serving/server.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "serving/context.h"
#include "serving/http/front.h"
#include "serving/http/listen.h"
#include "serving/protocol/routes.h"
#include "serving/systemd.h"

#define MS_NS INT64_C(1000000)

enum {
    SWEEP_MS = 200,        /* between looks at the connections */
    LAST_ANSWERS_MS = 2000 /* for sending the 503s at the very end */
};

struct srv_server {
    struct srv_settings settings;
    struct srv_budget budget;
    struct srv_context context;
    struct sy_pool *pool;
    struct srv_front *front;
    int wake_fd; /* an eventfd: readable once something is wanted */
    atomic_bool stop_wanted, reload_wanted;
    int port;
    bool stopped;
};

static struct srv_peer_limits peer_limits(const struct srv_settings *s)
{
    return (struct srv_peer_limits){
        .idle_ns = s->idle_timeout_ms * MS_NS,
        .headers_ns = s->headers_timeout_ms * MS_NS,
        .grace_ns = s->min_rate_grace_ms * MS_NS,
        .least_rate = s->min_rate,
    };
}

/* What handlers may see changed. */
static void configure_context(struct srv_server *server)
{
    const struct srv_settings *s = &server->settings;
    atomic_store(&server->context.request_timeout_ns,
                 s->request_timeout_ms * MS_NS);
    atomic_store(&server->context.max_images, s->max_images);
}

/* Everything below HTTP. */
static enum sy_status start_engine(struct srv_server *server,
                                   struct sy_error *err)
{
    const struct srv_settings *s = &server->settings;
    srv_budget_init(&server->budget, (size_t)s->max_memory_mib << 20);
    SY_TRY(sy_pool_new(&server->pool, s->threads, err));
    struct srv_repository_options repository = {.path = s->repository,
                                                .pool = server->pool,
                                                .budget = &server->budget,
                                                .weights = s->weight,
                                                .weight_count = s->weight_count,
                                                .max_batch = s->max_batch};
    SY_TRY(srv_repository_new(&server->context.repository, &repository, err));
    struct srv_batcher_options batcher = {.queue = srv_settings_queue(s)};
    return srv_batcher_new(&server->context.batcher, &batcher, err);
}

/* A socket of systemd's, or one of our own. */
static enum sy_status open_socket(struct srv_server *server,
                                  struct srv_front_options *front,
                                  struct sy_error *err)
{
    const struct srv_settings *s = &server->settings;
    SY_TRY(srv_passed_socket(&front->listen_fd, err));
    front->listen_is_shared = front->listen_fd >= 0;
    if (front->listen_is_shared) {
        server->port = srv_listen_port(front->listen_fd);
        return SY_OK;
    }
    return srv_listen(&front->listen_fd, &server->port, s->host, s->port, err);
}

static enum sy_status start_front(struct srv_server *server,
                                  struct sy_error *err)
{
    const struct srv_settings *s = &server->settings;
    struct srv_front_options front = {
        .listen_fd = -1,
        .threads = s->http_threads,
        .max_connections = s->max_connections,
        .max_connections_per_client = s->max_connections_per_client,
        .max_body_bytes = (size_t)s->max_body_mib << 20,
        .limits = peer_limits(s),
        .budget = &server->budget,
        .routes = srv_routes,
        .context = &server->context};
    SY_TRY(open_socket(server, &front, err));
    return srv_front_new(&server->front, &front, err);
}

/* All but listening. */
static enum sy_status new_server(struct srv_server **server,
                                 const struct srv_settings *settings,
                                 struct sy_error *err)
{
    SY_TRY(srv_settings_check(settings, err));
    struct srv_server *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "server: out of memory");
    }
    enum sy_status status = SY_OK;
    made->settings = *settings;
    configure_context(made);
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        status = sy_fail_errno(err, SY_IO, errno, "server: eventfd");
        goto out;
    }
    SY_TRY_OUT(start_engine(made, err));
    *server = made;
    made = NULL;
out:
    srv_server_free(made);
    return status;
}

enum sy_status srv_server_new(struct srv_server **server,
                              const struct srv_settings *settings,
                              struct sy_error *err)
{
    struct srv_server *made = NULL;
    SY_TRY(new_server(&made, settings, err));
    enum sy_status status = start_front(made, err);
    if (status != SY_OK) {
        srv_server_free(made);
        return status;
    }
    *server = made;
    return SY_OK;
}

static void sleep_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* Waits until nothing is loading any more. */
static void await_loading(struct srv_repository *repository)
{
    enum { LOOK_MS = 5 };
    for (int i = 0; i < srv_repository_count(repository); i++) {
        struct srv_entry entry;
        srv_repository_entry(repository, i, &entry);
        while (entry.state == SRV_LOADING) {
            sleep_ms(LOOK_MS);
            srv_repository_entry(repository, i, &entry);
        }
    }
}

enum sy_status srv_server_check(const struct srv_settings *settings,
                                struct sy_error *err)
{
    struct srv_server *server = NULL;
    SY_TRY(new_server(&server, settings, err));
    await_loading(server->context.repository);
    enum sy_status status =
        srv_repository_ready(server->context.repository, err);
    if (status == SY_BUSY) {
        /* Not for long: it is what the folder holds. */
        status = SY_BAD_INPUT;
        if (err != NULL) {
            err->status = status;
        }
    }
    srv_server_free(server);
    return status;
}

int srv_server_port(const struct srv_server *server)
{
    return server->port;
}

static void wake(struct srv_server *server, atomic_bool *wanted)
{
    int saved = errno;
    uint64_t one = 1;
    atomic_store(wanted, true);
    /* It can only fail when it is readable already. */
    ssize_t written = write(server->wake_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

void srv_server_stop(struct srv_server *server)
{
    wake(server, &server->stop_wanted);
}

void srv_server_reload(struct srv_server *server)
{
    wake(server, &server->reload_wanted);
}

enum sy_status srv_server_configure(struct srv_server *server,
                                    const struct srv_settings *settings,
                                    struct sy_error *err)
{
    SY_TRY(srv_settings_check(settings, err));
    const struct srv_setting *late =
        srv_settings_need_restart(&server->settings, settings);
    if (late != NULL) {
        sy_log_warn("%s takes effect at the next start", late->key);
    }
    struct srv_queue_options queue = srv_settings_queue(settings);
    struct srv_peer_limits limits = peer_limits(settings);
    server->settings = *settings;
    configure_context(server);
    srv_batcher_configure(server->context.batcher, &queue);
    srv_repository_set_weights(server->context.repository, settings->weight,
                               settings->weight_count);
    if (server->front != NULL) {
        srv_front_configure(server->front, &limits);
    }
    return SY_OK;
}

static void reload(struct srv_server *server, const struct srv_reload *from)
{
    struct srv_settings settings;
    struct sy_error err = {0};
    srv_notify("RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)(sy_now_ns() / 1000));
    if (from->read(from->context, &settings, &err) != SY_OK ||
        srv_server_configure(server, &settings, &err) != SY_OK) {
        sy_log_error("the configuration stays as it was: %s", err.message);
    } else {
        sy_log_info("the configuration was read again");
    }
    srv_notify("READY=1");
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
    srv_front_close_after_replies(server->front);
    int64_t until_ns = sy_now_ns() + server->settings.grace_ms * MS_NS;
    while (sy_now_ns() < until_ns) {
        srv_front_sweep(server->front);
        int64_t left_ms = (until_ns - sy_now_ns()) / MS_NS + 1;
        sleep_ms(left_ms < SWEEP_MS ? (int)left_ms : SWEEP_MS);
    }
    srv_front_drain(server->front);
    until_ns = sy_now_ns() + server->settings.drain_ms * MS_NS;
    if (!srv_front_wait(server->front, until_ns)) {
        sy_log_warn("not all requests were done after %d ms: the rest is "
                    "answered 503",
                    server->settings.drain_ms);
    }
    srv_batcher_stop(server->context.batcher);
    srv_repository_stop(server->context.repository);
    until_ns = sy_now_ns() + LAST_ANSWERS_MS * MS_NS;
    if (!srv_front_wait(server->front, until_ns)) {
        sy_log_warn("some clients did not take their answer");
    }
}

/* The watchdog hears of us as long as the engine's lock can be had. */
static void pet_watchdog(struct srv_server *server, int64_t every_ns,
                         int64_t *next_ns)
{
    struct srv_batcher_stats stats;
    if (every_ns > 0 && sy_now_ns() >= *next_ns) {
        srv_batcher_stats(server->context.batcher, &stats);
        srv_notify("WATCHDOG=1");
        *next_ns = sy_now_ns() + every_ns;
    }
}

void srv_server_run(struct srv_server *server, const struct srv_reload *from)
{
    struct pollfd wanted = {.fd = server->wake_fd, .events = POLLIN};
    int64_t watchdog_ns = srv_watchdog_ns();
    int64_t next_ns = 0;
    srv_notify("READY=1\nSTATUS=listening on port %d", server->port);
    while (!atomic_load(&server->stop_wanted)) {
        uint64_t count;
        if (poll(&wanted, 1, SWEEP_MS) > 0) {
            ssize_t taken = read(server->wake_fd, &count, sizeof count);
            (void)taken;
        }
        if (atomic_exchange(&server->reload_wanted, false) && from != NULL) {
            reload(server, from);
        }
        srv_front_sweep(server->front);
        pet_watchdog(server, watchdog_ns, &next_ns);
    }
    srv_notify("STOPPING=1");
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
    if (server->wake_fd >= 0) {
        close(server->wake_fd);
    }
    sy_free(server);
}
