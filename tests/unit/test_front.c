/*
 * test_front.c - the HTTP front over loopback, with an engine that only waits.
 *
 * The engine answers in batches on a thread of its own, as the real one does,
 * so that threads, wakes, the pace and the end are those of a server.
 */
#include "serving/http/front.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "serving/http/listen.h"
#include "tests/support/check_main.h"

enum { CLIENTS = 24, REQUESTS = 60, MOST_WAITING = 64, THREADS = 2 };

/* Work that echoes its request's body. */
struct work {
    char text[64];
    srv_wake_fn wake;
    void *waiter;
};

static struct {
    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t came;
    struct work *waiting[MOST_WAITING];
    int count;
    bool ending;
    pthread_t thread;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .came = PTHREAD_COND_INITIALIZER};

static struct srv_front *front;
static int port, most_connections = 2 * MOST_WAITING;
static atomic_int done, refused, seen;

static void *run_engine(void *unused)
{
    struct work *batch[MOST_WAITING];
    (void)unused;
    pthread_mutex_lock(&engine.lock);
    while (!engine.ending || engine.count > 0) {
        if (engine.count == 0) {
            pthread_cond_wait(&engine.came, &engine.lock);
            continue;
        }
        int count = engine.count;
        memcpy(batch, engine.waiting, (size_t)count * sizeof batch[0]);
        engine.count = 0;
        pthread_mutex_unlock(&engine.lock);
        usleep(300);
        for (int i = 0; i < count; i++) {
            batch[i]->wake(batch[i]->waiter, i + 1 < count);
        }
        pthread_mutex_lock(&engine.lock);
    }
    pthread_mutex_unlock(&engine.lock);
    return NULL;
}

static void start(void *state, srv_wake_fn wake, void *waiter)
{
    struct work *work = state;
    work->wake = wake;
    work->waiter = waiter;
    pthread_mutex_lock(&engine.lock);
    engine.waiting[engine.count++] = work; /* fewer than connections */
    pthread_mutex_unlock(&engine.lock);
    pthread_cond_signal(&engine.came);
}

static void finish(void *state, struct srv_reply *reply)
{
    struct work *work = state;
    char *body = sy_alloc(sizeof work->text);
    size_t bytes = strlen(work->text);
    if (body != NULL) {
        memcpy(body, work->text, bytes);
    }
    srv_reply_take(reply, 200, "text/plain", body, bytes);
}

static void echo(void *context, const struct srv_request *in,
                 struct srv_reply *reply, struct srv_later *later)
{
    ck_assert_ptr_eq(context, &engine);
    struct work *work = sy_alloc_zero(1, sizeof *work);
    if (work == NULL || in->body_bytes >= sizeof work->text) {
        sy_free(work);
        srv_reply_error(reply, 400, "no room");
        return;
    }
    memcpy(work->text, in->body, in->body_bytes);
    *later = (struct srv_later){
        .state = work, .start = start, .finish = finish, .release = sy_free};
}

static const struct srv_route routes[] = {
    {SRV_POST, "echo/*", echo, SRV_INFER},
    {SRV_GET, NULL, NULL, SRV_OPEN},
};

static void observe(void *owner, const struct srv_record *record)
{
    ck_assert_ptr_eq(owner, &engine);
    atomic_fetch_add(&seen, record->status == 200 || record->status == 503);
}

static void set_up(int64_t max_lag_ns, int per_client)
{
    struct sy_error err = {0};
    int64_t second = INT64_C(1000000000);
    struct srv_front_options options = {
        .threads = THREADS,
        .max_connections = most_connections,
        .max_connections_per_client = per_client,
        .max_body_bytes = 1 << 20,
        .limits = {30 * second, 30 * second, 30 * second, 0},
        .max_lag_ns = max_lag_ns,
        .routes = routes,
        .context = &engine,
        .observe = observe,
        .owner = &engine};
    sy_check_ok(srv_listen(&options.listen_fd, &port, "127.0.0.1", 0, &err),
                err);
    sy_check_ok(srv_front_new(&front, &options, &err), err);
    engine.ending = false;
    ck_assert_int_eq(pthread_create(&engine.thread, NULL, run_engine, NULL), 0);
}

static void tear_down(void)
{
    srv_front_drain(front);
    ck_assert(srv_front_wait(front, sy_now_ns() + INT64_C(60000000000)));
    pthread_mutex_lock(&engine.lock);
    engine.ending = true;
    pthread_mutex_unlock(&engine.lock);
    pthread_cond_signal(&engine.came);
    pthread_join(engine.thread, NULL);
    srv_front_free(front);
}

static int connect_one(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One request whose body is `text`; the status, 0 when the server hung up.
   An answer of 200 is the text again. */
static int ask(int fd, const char *text)
{
    char buffer[2048];
    int bytes = snprintf(buffer, sizeof buffer,
                         "POST /echo/%s HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         text, strlen(text), text);
    if (send(fd, buffer, (size_t)bytes, MSG_NOSIGNAL) != bytes) {
        return 0;
    }
    size_t used = 0;
    char *body = NULL;
    size_t want = 0;
    do {
        ssize_t got = recv(fd, buffer + used, sizeof buffer - 1 - used, 0);
        if (got <= 0) {
            return 0;
        }
        used += (size_t)got;
        buffer[used] = '\0';
        body = strstr(buffer, "\r\n\r\n");
        const char *length = strstr(buffer, "Content-Length: ");
        want = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    } while (body == NULL || strlen(body + 4) < want);
    int status = (int)strtol(buffer + 9, NULL, 10);
    ck_assert(status != 200 || strcmp(body + 4, text) == 0);
    return status;
}

static void *ask_many(void *context)
{
    int number = *(int *)context;
    int fd = connect_one();
    ck_assert_int_ge(fd, 0);
    for (int i = 0; i < REQUESTS; i++) {
        char text[32];
        snprintf(text, sizeof text, "m%d-%d", number % 3, i);
        int status = ask(fd, text);
        ck_assert_msg(status == 200 || status == 503, "%d", status);
        atomic_fetch_add(status == 200 ? &done : &refused, 1);
    }
    close(fd);
    return NULL;
}

static void flood(void)
{
    pthread_t client[CLIENTS];
    int number[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&client[i], NULL, ask_many, &number[i]),
                         0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(client[i], NULL);
    }
}

START_TEST(every_request_of_many_gets_its_own_answer)
{
    set_up(0, 0);
    flood();
    ck_assert_int_eq(atomic_load(&done), CLIENTS * REQUESTS);
    tear_down();
    ck_assert_int_eq(atomic_load(&seen), CLIENTS * REQUESTS);
}
END_TEST

START_TEST(a_pace_answers_all_that_it_takes_and_refuses_the_rest)
{
    set_up(1, 0); /* a nanosecond: always behind */
    flood();
    ck_assert_int_eq(atomic_load(&done) + atomic_load(&refused),
                     CLIENTS * REQUESTS);
    ck_assert_int_gt(atomic_load(&done), 0);
    tear_down();
    ck_assert_int_eq(atomic_load(&seen), CLIENTS * REQUESTS);
}
END_TEST

START_TEST(of_one_address_no_more_connect_than_its_number)
{
    set_up(0, 2);
    int first = connect_one(), second = connect_one();
    ck_assert_int_eq(ask(first, "a"), 200);
    ck_assert_int_eq(ask(second, "b"), 200);
    int third = connect_one();
    ck_assert_int_eq(ask(third, "c"), 0);
    close(third);
    ck_assert_int_eq(ask(first, "d"), 200);
    close(first);
    close(second);
    tear_down();
}
END_TEST

START_TEST(a_server_that_was_full_accepts_again_when_somebody_leaves)
{
    most_connections = THREADS; /* one each */
    set_up(0, 0);
    most_connections = 2 * MOST_WAITING;
    for (int round = 0; round < 20; round++) {
        int fd[THREADS];
        for (int i = 0; i < THREADS; i++) {
            struct timeval patience = {.tv_sec = 20};
            fd[i] = connect_one();
            setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &patience,
                       sizeof patience);
            ck_assert_int_eq(ask(fd[i], "a"), 200);
        }
        for (int i = 0; i < THREADS; i++) {
            close(fd[i]);
        }
    }
    tear_down();
}
END_TEST

START_TEST(a_server_that_drains_answers_who_was_connected_and_nobody_else)
{
    set_up(0, 0);
    int fd = connect_one(); /* perhaps only in the kernel */
    srv_front_drain(front);
    ck_assert_int_eq(connect_one(), -1);
    ck_assert_int_eq(ask(fd, "last"), 200);
    close(fd);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, every_request_of_many_gets_its_own_answer);
    tcase_add_test(tc, a_pace_answers_all_that_it_takes_and_refuses_the_rest);
    tcase_add_test(tc, of_one_address_no_more_connect_than_its_number);
    tcase_add_test(tc,
                   a_server_that_was_full_accepts_again_when_somebody_leaves);
    tcase_add_test(
        tc, a_server_that_drains_answers_who_was_connected_and_nobody_else);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
