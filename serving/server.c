/*
 * server.c - putting the parts together, and taking them apart in order.
 *
 * DESIGN: ownership is a stack: pool, repository, swaps, batcher, front. Each
 * uses only those below it, so they are made in this order and freed in the
 * other. Stopping walks from the top: the front stops accepting and waits for
 * its requests; the batcher then ends what is left, which wakes every
 * connection that sleeps (the HTTP library forbids ending with a sleeping one);
 * the front sends those last answers and ends.
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
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "serving/access/gate.h"
#include "serving/access/tls.h"
#include "serving/context.h"
#include "serving/http/front.h"
#include "serving/http/listen.h"
#include "serving/log/access.h"
#include "serving/log/spans.h"
#include "serving/metrics/metrics.h"
#include "serving/protocol/routes.h"
#include "serving/swap/swap.h"
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
    struct srv_metrics metrics;
    struct srv_gate gate;
    struct srv_tls *tls;           /* NULL: plain HTTP */
    char *tls_trust;               /* PEM, or NULL */
    struct srv_access_log *access; /* NULL: none */
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
    atomic_store(&server->context.degrade_percent, s->degrade_percent);
}

/* Reads the keys and who may do what. `gate` is changed on success only. */
static enum sy_status read_gate(const struct srv_settings *s,
                                struct srv_gate_options *gate,
                                struct sy_error *err)
{
    gate->has_keys = s->keys[0] != '\0';
    gate->client_certificates = s->tls_client_ca[0] != '\0';
    gate->insecure_admin = s->insecure_admin;
    gate->client_rate = s->client_rate;
    return gate->has_keys ? srv_keys_load(&gate->keys, s->keys, err) : SY_OK;
}

/* Keys and certificates. */
static enum sy_status open_access(struct srv_server *server,
                                  struct sy_error *err)
{
    enum { MAX_TRUST_BYTES = 1 << 20 };
    const struct srv_settings *s = &server->settings;
    struct srv_gate_options gate = {0};
    SY_TRY(read_gate(s, &gate, err));
    srv_gate_configure(&server->gate, &gate);
    if (s->tls_cert[0] == '\0') {
        return SY_OK;
    }
    if (s->tls_client_ca[0] != '\0') {
        size_t bytes;
        SY_TRY(sy_file_read(s->tls_client_ca, MAX_TRUST_BYTES,
                            &server->tls_trust, &bytes, err));
    }
    return srv_tls_new(&server->tls, s->tls_cert, s->tls_key,
                       server->tls_trust != NULL, err);
}

static bool admit(void *owner, struct srv_request *request,
                  struct srv_reply *reply)
{
    struct srv_server *server = owner;
    return srv_gate_pass(&server->gate, request, reply, sy_now_ns());
}

static void observe(void *owner, const struct srv_record *record)
{
    struct srv_server *server = owner;
    srv_metrics_count(&server->metrics, srv_routes, record);
    if (server->access != NULL) {
        srv_access_log_add(server->access, record);
    }
    if (server->context.spans != NULL) {
        srv_spans_add(server->context.spans, record);
    }
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
                                                .half_weights = s->half_weights,
                                                .max_batch = s->max_batch};
    SY_TRY(srv_repository_new(&server->context.repository, &repository, err));
    struct srv_stage_options stage = {.max_us = s->pack_max_us,
                                      .share = (double)s->pack_share / 100};
    snprintf(stage.pack_keys, sizeof stage.pack_keys, "%s", s->pack_keys);
    SY_TRY(srv_stage_check_keys(stage.pack_keys, err));
    SY_TRY(srv_swaps_new(&server->context.swaps, server->context.repository,
                         &stage, err));
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
        .max_lag_ns = s->max_lag_us * INT64_C(1000),
        .budget = &server->budget,
        .routes = srv_routes,
        .context = &server->context,
        .admit = admit,
        .observe = observe,
        .owner = server,
        .tls_callback = server->tls != NULL ? srv_tls_callback() : NULL,
        .tls_trust = server->tls_trust};
    SY_TRY(open_socket(server, &front, err));
    SY_TRY(srv_front_new(&server->front, &front, err));
    atomic_store(&server->context.front, server->front);
    return SY_OK;
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
    made->context.metrics = &made->metrics;
    made->context.budget = &made->budget;
    made->context.started_s = time(NULL);
    srv_gate_init(&made->gate, &(struct srv_gate_options){0});
    configure_context(made);
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        status = sy_fail_errno(err, SY_IO, errno, "server: eventfd");
        goto out;
    }
    SY_TRY_OUT(open_access(made, err));
    if (settings->access_log[0] != '\0') {
        SY_TRY_OUT(
            srv_access_log_open(&made->access, settings->access_log, err));
    }
    if (settings->otlp_endpoint[0] != '\0') {
        SY_TRY_OUT(
            srv_spans_open(&made->context.spans, settings->otlp_endpoint, err));
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

/* The files among the settings, which can be wrong: keys, certificate, log.
   Those read first stay as new; all of them are good by themselves. */
static enum sy_status reopen_files(struct srv_server *server,
                                   const struct srv_settings *settings,
                                   struct sy_error *err)
{
    struct srv_gate_options gate = {0};
    SY_TRY(read_gate(settings, &gate, err));
    if (server->access != NULL && settings->access_log[0] != '\0') {
        SY_TRY(
            srv_access_log_reopen(server->access, settings->access_log, err));
    }
    if (server->tls != NULL && settings->tls_cert[0] != '\0') {
        SY_TRY(srv_tls_reload(server->tls, settings->tls_cert,
                              settings->tls_key, err));
    }
    srv_gate_configure(&server->gate, &gate);
    return SY_OK;
}

/* What only a start can switch on or off. */
static const char *switched(const struct srv_settings *before,
                            const struct srv_settings *after)
{
    const struct srv_setting *late = srv_settings_need_restart(before, after);
    if (late != NULL) {
        return late->key;
    }
    if ((before->tls_cert[0] == '\0') != (after->tls_cert[0] == '\0')) {
        return "tls_cert";
    }
    bool same =
        (before->access_log[0] == '\0') == (after->access_log[0] == '\0');
    return same ? NULL : "access_log";
}

enum sy_status srv_server_configure(struct srv_server *server,
                                    const struct srv_settings *settings,
                                    struct sy_error *err)
{
    SY_TRY(srv_settings_check(settings, err));
    SY_TRY(reopen_files(server, settings, err));
    const char *late = switched(&server->settings, settings);
    if (late != NULL) {
        sy_log_warn("%s takes effect at the next start", late);
    }
    struct srv_queue_options queue = srv_settings_queue(settings);
    struct srv_peer_limits limits = peer_limits(settings);
    server->settings = *settings;
    configure_context(server);
    srv_batcher_configure(server->context.batcher, &queue);
    srv_repository_set_weights(server->context.repository, settings->weight,
                               settings->weight_count);
    if (server->front != NULL) {
        srv_front_configure(server->front, &limits,
                            settings->max_lag_us * INT64_C(1000));
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
        sy_log_error("the settings stay as they were: %s", err.message);
    } else {
        sy_log_info("the settings were read again");
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
    srv_swaps_stop(server->context.swaps);
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
    srv_swaps_free(server->context.swaps);
    srv_repository_free(server->context.repository);
    sy_pool_free(server->pool);
    srv_access_log_close(server->access);
    srv_spans_close(server->context.spans);
    srv_gate_release(&server->gate);
    srv_tls_free(server->tls);
    sy_free(server->tls_trust);
    if (server->wake_fd >= 0) {
        close(server->wake_fd);
    }
    sy_free(server);
}
