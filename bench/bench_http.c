/*
 * bench_http.c - the parts of a request's time that bench/http adds up.
 *
 *   bench_http empty DESCRIPTION ANSWER BINARY [--inline]
 *       a libmicrohttpd server set up as ours is, whose handler takes the
 *       body, sleeps, and is woken by another thread, as ours waits for its
 *       engine; then it sends the file ANSWER, or BINARY to a request with
 *       binary tensors. GETs get the file DESCRIPTION. With --inline the
 *       handler answers at once. Prints its address.
 *   bench_http parse REPOSITORY NAME [ROUNDS]
 *       microseconds of our parser and our encoder for one image, as JSON of
 *       UINT8, JSON of FP32 and binary, in thread CPU time, as a JSON object.
 *
 * Source of the set-up: serving/http/front.c (start_daemon, turn) and
 * serving/batcher.c (engine_main, tell).
 */
#include <microhttpd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "serving/http/listen.h"
#include "serving/http/loop.h"
#include "serving/protocol/infer.h"

enum { MOST_WAITING = 4096, CONNECTION_BYTES = 32 << 10, MOST_BODY = 1 << 20 };

/* One request's state. */
struct visit {
    struct srv_woken woken; /* first */
    struct MHD_Connection *connection;
    bool is_woken;
    size_t bytes;
    char body[MOST_BODY];
};

/* Requests that sleep, for the thread that wakes them. */
static struct {
    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t came;
    struct visit *visit[MOST_WAITING];
    int count;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .came = PTHREAD_COND_INITIALIZER};

struct empty {
    struct srv_loop loop;
    struct MHD_Daemon *daemon;
    struct MHD_Response *description, *answer, *binary;
    bool at_once;
};

static void *wake_all(void *context)
{
    static struct visit *woken[MOST_WAITING];
    static const struct sched_param none = {0};
    struct empty *empty = context;
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    for (;;) {
        pthread_mutex_lock(&waiting.lock);
        while (waiting.count == 0) {
            pthread_cond_wait(&waiting.came, &waiting.lock);
        }
        int count = waiting.count;
        memcpy(woken, waiting.visit, (size_t)count * sizeof woken[0]);
        waiting.count = 0;
        pthread_mutex_unlock(&waiting.lock);
        for (int i = 0; i < count; i++) {
            srv_loop_push(&empty->loop, &woken[i]->woken);
        }
        srv_loop_rouse(&empty->loop);
    }
    return NULL;
}

static int patience_ms(void *context)
{
    struct empty *empty = context;
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(empty->daemon, &ms) == MHD_YES ? (int)ms : -1;
}

static void turn(void *context, struct srv_woken *woken)
{
    struct empty *empty = context;
    while (woken != NULL) {
        struct visit *visit = (struct visit *)woken;
        woken = woken->next;
        MHD_resume_connection(visit->connection);
    }
    MHD_run(empty->daemon);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *bytes, void **state)
{
    struct empty *empty = context;
    struct visit *visit = *state;
    (void)url;
    (void)version;
    if (strcmp(method, "POST") != 0) {
        return MHD_queue_response(c, MHD_HTTP_OK, empty->description);
    }
    if (visit == NULL) {
        visit = malloc(sizeof *visit);
        if (visit != NULL) {
            visit->connection = c;
            visit->is_woken = false;
            visit->bytes = 0;
        }
        *state = visit;
        return visit != NULL ? MHD_YES : MHD_NO;
    }
    if (*bytes > 0) {
        if (*bytes > MOST_BODY - visit->bytes) {
            return MHD_NO;
        }
        memcpy(visit->body + visit->bytes, data, *bytes);
        visit->bytes += *bytes;
        *bytes = 0;
        return MHD_YES;
    }
    if (empty->at_once || visit->is_woken) {
        bool binary = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
                                                  SRV_INFER_HEADER) != NULL;
        return MHD_queue_response(c, MHD_HTTP_OK,
                                  binary ? empty->binary : empty->answer);
    }
    visit->is_woken = true;
    MHD_suspend_connection(c);
    pthread_mutex_lock(&waiting.lock);
    waiting.visit[waiting.count++] = visit; /* fewer than connections */
    pthread_mutex_unlock(&waiting.lock);
    pthread_cond_signal(&waiting.came);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)c;
    (void)code;
    free(*state);
    *state = NULL;
}

static struct MHD_Response *file_response(const char *path,
                                          struct sy_error *err)
{
    char *data = NULL;
    size_t bytes = 0;
    if (sy_file_read(path, 16 << 20, &data, &bytes, err) != SY_OK) {
        return NULL;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, data, MHD_RESPMEM_MUST_COPY);
    sy_free(data);
    return response;
}

static int serve_empty(const char *description, const char *answer,
                       const char *binary, bool at_once)
{
    struct sy_error err = {0};
    static struct empty empty;
    empty = (struct empty){.description = file_response(description, &err),
                           .answer = file_response(answer, &err),
                           .binary = file_response(binary, &err),
                           .at_once = at_once};
    int fd = -1, port = 0;
    pthread_t waker;
    if (empty.description == NULL || empty.answer == NULL ||
        empty.binary == NULL ||
        srv_listen(&fd, &port, "127.0.0.1", 0, &err) != SY_OK) {
        fprintf(stderr, "bench_http: %s\n", err.message);
        return EXIT_FAILURE;
    }
    empty.daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
        &empty, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_WAITING,
        MHD_OPTION_CONNECTION_TIMEOUT, 30U, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_END);
    struct srv_loop_options loop = {
        .patience_ms = patience_ms, .turn = turn, .owner = &empty};
    if (empty.daemon != NULL) {
        loop.fd = MHD_get_daemon_info(empty.daemon, MHD_DAEMON_INFO_EPOLL_FD)
                      ->epoll_fd;
    }
    if (empty.daemon == NULL ||
        srv_loop_start(&empty.loop, &loop, &err) != SY_OK ||
        pthread_create(&waker, NULL, wake_all, &empty) != 0) {
        fprintf(stderr, "bench_http: the server does not start\n");
        return EXIT_FAILURE;
    }
    printf("listening on http://127.0.0.1:%d\n", port);
    (void)fflush(stdout);
    sigset_t end;
    int number;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    pthread_sigmask(SIG_BLOCK, &end, NULL);
    (void)sigwait(&end, &number);
    return EXIT_SUCCESS; /* the process ends with everything that is in it */
}

/* A body for one image of random pixels; returns its length. */
static size_t make_body(char *body, size_t room, struct sy_shape s, bool json,
                        bool floats, char header[32])
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_BENCH, 0, 3);
    size_t count = sy_shape_floats(s);
    size_t used = (size_t)snprintf(
        body, room,
        "{\"inputs\":[{\"name\":\"image\",\"shape\":[1,%d,%d,%d],\"datatype\":"
        "\"%s\",",
        s.h, s.w, s.c, floats ? "FP32" : "UINT8");
    if (!json) {
        used += (size_t)snprintf(body + used, room - used,
                                 "\"parameters\":{\"binary_data_size\":%zu}}],"
                                 "\"outputs\":[{\"name\":\"probabilities\","
                                 "\"parameters\":{\"binary_data\":true}}]}",
                                 count);
        (void)snprintf(header, 32, "%zu", used);
        for (size_t i = 0; i < count; i++) {
            body[used++] = (char)sy_rng_below(&rng, 256);
        }
        return used;
    }
    header[0] = '\0';
    used += (size_t)snprintf(body + used, room - used, "\"data\":[");
    for (size_t i = 0; i < count; i++) {
        unsigned pixel = sy_rng_below(&rng, 256);
        const char *comma = i > 0 ? "," : "";
        used += (size_t)(floats ? snprintf(body + used, room - used, "%s%.9g",
                                           comma, (double)pixel / 255.0)
                                : snprintf(body + used, room - used, "%s%u",
                                           comma, pixel));
    }
    used += (size_t)snprintf(body + used, room - used,
                             "]}],\"outputs\":[{\"name\":\"probabilities\"}]}");
    return used;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

/* Median microseconds of parsing and of encoding that body. */
static enum sy_status time_body(const struct srv_model *model, const char *data,
                                size_t bytes, const char *header, int rounds,
                                double *parse_us, double *encode_us,
                                struct sy_error *err)
{
    enum { REPEATS = 50, MOST_ROUNDS = 201 };
    double parse[MOST_ROUNDS], encode[MOST_ROUNDS];
    rounds = rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    for (int r = 0; r < rounds; r++) {
        int64_t parse_ns = 0, encode_ns = 0;
        for (int i = 0; i < REPEATS; i++) {
            struct srv_infer_body body;
            struct srv_infer infer;
            struct srv_text text = {0};
            size_t json_bytes = 0;
            int64_t start_ns = bench_thread_ns();
            SY_TRY(srv_infer_split(&body, header, data, bytes, err));
            SY_TRY(srv_infer_parse(&infer, model, &body, 8, err));
            int64_t parsed_ns = bench_thread_ns();
            for (int k = 0; k < infer.job->classes; k++) {
                infer.job->probabilities[k] = 0.1234567f * (float)(k + 1);
            }
            int64_t begin_ns = bench_thread_ns();
            srv_infer_encode(&infer, &text, &json_bytes);
            encode_ns += bench_thread_ns() - begin_ns;
            parse_ns += parsed_ns - start_ns;
            srv_text_release(&text);
            srv_infer_release(&infer);
        }
        parse[r] = (double)parse_ns / 1e3 / REPEATS;
        encode[r] = (double)encode_ns / 1e3 / REPEATS;
    }
    *parse_us = median(parse, rounds);
    *encode_us = median(encode, rounds);
    return SY_OK;
}

static enum sy_status time_parser(const char *repository, const char *name,
                                  int rounds, struct sy_error *err)
{
    static const struct {
        const char *name;
        bool json, floats;
    } forms[] = {{"json UINT8", true, false},
                 {"json FP32", true, true},
                 {"binary UINT8", false, false}};
    static char body[MOST_BODY];
    struct srv_live *live = NULL;
    struct sy_pool *pool = NULL;
    SY_TRY(sy_pool_new(&pool, 1, err));
    struct srv_live_options options = {
        .repository = repository, .name = name, .pool = pool, .max_batch = 8};
    enum sy_status status = srv_live_load(&live, &options, err);
    json_t *out = json_object();
    for (size_t f = 0; f < sizeof forms / sizeof forms[0] && status == SY_OK;
         f++) {
        struct srv_model model = {.live = live, .domain = 0};
        char header[32];
        double parse_us = 0.0, encode_us = 0.0;
        (void)snprintf(model.name, sizeof model.name, "%s.%s", name,
                       live->network->domain[0].name);
        struct sy_shape input = live->network->spec.input;
        if (sy_shape_floats(input) * 13 + 512 > sizeof body) {
            status = sy_fail(err, SY_BAD_INPUT, "too large an input");
            break;
        }
        size_t bytes = make_body(body, sizeof body, input, forms[f].json,
                                 forms[f].floats, header);
        status = time_body(&model, body, bytes, header, rounds, &parse_us,
                           &encode_us, err);
        (void)json_object_set_new(out, forms[f].name,
                                  json_pack("{s:f, s:f, s:I}", "parse_us",
                                            parse_us, "encode_us", encode_us,
                                            "bytes", (json_int_t)bytes));
    }
    if (status == SY_OK) {
        (void)json_dumpf(out, stdout, 0);
        printf("\n");
    }
    json_decref(out);
    srv_live_unref(live);
    sy_pool_free(pool);
    return status;
}

int main(int argc, char **argv)
{
    struct sy_error err = {0};
    if (argc >= 5 && strcmp(argv[1], "empty") == 0) {
        return serve_empty(argv[2], argv[3], argv[4],
                           argc == 6 && strcmp(argv[5], "--inline") == 0);
    }
    if (argc >= 4 && strcmp(argv[1], "parse") == 0) {
        int rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 51;
        if (time_parser(argv[2], argv[3], rounds < 1 ? 1 : rounds, &err) ==
            SY_OK) {
            return EXIT_SUCCESS;
        }
        fprintf(stderr, "bench_http: %s\n", err.message);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "usage: bench_http empty DESCRIPTION ANSWER BINARY "
                    "[--inline]\n"
                    "       bench_http parse REPOSITORY NAME [ROUNDS]\n");
    return EXIT_FAILURE;
}
