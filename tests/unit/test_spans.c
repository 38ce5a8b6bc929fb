/*
 * test_spans.c - a request as a span, and a collector that takes, refuses or
 * is not there.
 */
#include "serving/log/spans.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serving/http/listen.h"
#include "tests/support/check_main.h"

static const char trace[] = "0af7651916cd43dd8448eb211c80319c";
static const struct srv_route route = {.pattern = "v2/models/*/infer",
                                       .class = SRV_INFER};
static struct srv_request request;
static struct srv_facts facts;
static struct srv_record record;

static void setup(void)
{
    memset(&request, 0, sizeof request);
    memset(&facts, 0, sizeof facts);
    request.route = &route;
    strcpy(request.method_text, "POST");
    strcpy(request.address, "10.0.0.1");
    strcpy(request.id, "job-7");
    strcpy(request.trace_id, trace);
    strcpy(request.span_id, "b7ad6b7169203331");
    request.is_sampled = true;
    strcpy(facts.model, "net.d\"0");
    facts.images = 2;
    facts.madds = INT64_C(123456789012);
    record = (struct srv_record){.request = &request,
                                 .facts = &facts,
                                 .status = 200,
                                 .wake_ns = 7,
                                 .total_ns = 1500};
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The value of an attribute, as text. */
static const char *attribute(const json_t *span, const char *key)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(span, "attributes"), i, pair)
    {
        json_t *value = json_object_get(pair, "value");
        if (strcmp(text_of(pair, "key"), key) == 0) {
            return text_of(value, "stringValue") != NULL
                       ? text_of(value, "stringValue")
                       : text_of(value, "intValue");
        }
    }
    return "";
}

static json_t *put(void)
{
    struct srv_text text = {0};
    srv_span_put(&text, &record, trace, "0123456789abcdef",
                 INT64_C(1764066000000001000));
    json_t *span = json_loadb(text.data, text.bytes, 0, NULL);
    ck_assert_ptr_nonnull(span);
    srv_text_release(&text);
    return span;
}

START_TEST(a_span_tells_trace_times_and_route)
{
    json_t *span = put();
    ck_assert_str_eq(text_of(span, "traceId"), trace);
    ck_assert_str_eq(text_of(span, "spanId"), "0123456789abcdef");
    ck_assert_str_eq(text_of(span, "parentSpanId"), "b7ad6b7169203331");
    ck_assert_str_eq(text_of(span, "name"), route.pattern);
    ck_assert_str_eq(text_of(span, "startTimeUnixNano"), "1764065999999999500");
    ck_assert_str_eq(text_of(span, "endTimeUnixNano"), "1764066000000001000");
    ck_assert_str_eq(attribute(span, "http.response.status_code"), "200");
    ck_assert_str_eq(attribute(span, "switchyard.request_id"), "job-7");
    ck_assert_str_eq(attribute(span, "switchyard.model"), "net.d\"0");
    ck_assert_str_eq(attribute(span, "switchyard.madds"), "123456789012");
    ck_assert_str_eq(attribute(span, "switchyard.wake_ns"), "7");
    ck_assert_uint_eq(json_object_size(json_object_get(span, "status")), 0);
    json_decref(span);
}
END_TEST

START_TEST(only_the_servers_own_failures_are_errors)
{
    static const struct {
        int status, code;
    } cases[] = {{200, 0}, {404, 0}, {500, 2}, {503, 2}, {0, 2}};
    facts.images = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        record.status = cases[i].status;
        json_t *span = put();
        json_t *status = json_object_get(span, "status");
        ck_assert_int_eq(
            (int)json_integer_value(json_object_get(status, "code")),
            cases[i].code);
        ck_assert_str_eq(attribute(span, "switchyard.madds"), "");
        json_decref(span);
    }
}
END_TEST

/* A collector that answers one post with a status and keeps its text. */
static struct {
    int fd, status;
    char text[16384];
} collector;

static void *collect(void *unused)
{
    char answer[128];
    int fd = accept(collector.fd, NULL, NULL);
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && strstr(collector.text, "]}]}]}") == NULL) {
        got = recv(fd, collector.text + used, sizeof collector.text - 1 - used,
                   0);
        used += got > 0 ? (size_t)got : 0;
        collector.text[used] = '\0';
    }
    int bytes = snprintf(answer, sizeof answer,
                         "HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}",
                         collector.status);
    (void)send(fd, answer, (size_t)bytes, MSG_NOSIGNAL);
    close(fd);
    return unused;
}

/* Adds two spans while the collector answers so (0: it is not there). */
static struct srv_spans_counts send_two(int status)
{
    struct sy_error err = {0};
    struct srv_spans *spans;
    struct srv_spans_counts counts = {0};
    pthread_t thread;
    char url[64];
    int port;
    sy_check_ok(srv_listen(&collector.fd, &port, "127.0.0.1", 0, &err), err);
    /* The listening socket does not block, but its thread may. */
    ck_assert_int_eq(fcntl(collector.fd, F_SETFL, 0), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    collector.status = status;
    collector.text[0] = '\0';
    if (status == 0) {
        close(collector.fd);
    } else {
        pthread_create(&thread, NULL, collect, NULL);
    }
    sy_check_ok(srv_spans_open(&spans, url, &err), err);
    srv_spans_add(spans, &record);
    request.is_sampled = false; /* of this trace nothing is recorded */
    srv_spans_add(spans, &record);
    request.trace_id[0] = request.span_id[0] = '\0'; /* a trace of its own */
    srv_spans_add(spans, &record);
    for (int i = 0; i < 1000 && counts.sent + counts.dropped == 0; i++) {
        usleep(10000);
        srv_spans_counts(spans, &counts);
    }
    srv_spans_close(spans);
    if (status != 0) {
        pthread_join(thread, NULL);
        close(collector.fd);
    }
    return counts;
}

START_TEST(a_collector_gets_the_sampled_and_those_without_a_trace)
{
    struct srv_spans_counts counts = send_two(200);
    ck_assert_int_eq((int)counts.sent, 2);
    ck_assert_int_eq((int)counts.dropped, 0);
    ck_assert_ptr_nonnull(strstr(collector.text, "POST /v1/traces HTTP/1.1"));
    json_t *root = json_loads(strstr(collector.text, "\r\n\r\n") + 4, 0, NULL);
    json_t *resource =
        json_array_get(json_object_get(root, "resourceSpans"), 0);
    json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    json_t *list = json_object_get(scope, "spans");
    ck_assert_uint_eq(json_array_size(list), 2);
    json_t *own = json_array_get(list, 1);
    ck_assert_str_eq(text_of(json_array_get(list, 0), "traceId"), trace);
    ck_assert_uint_eq(strlen(text_of(own, "traceId")), 32);
    ck_assert_str_ne(text_of(own, "traceId"), trace);
    ck_assert_ptr_null(json_object_get(own, "parentSpanId"));
    json_decref(root);
}
END_TEST

START_TEST(what_a_collector_does_not_take_is_dropped_and_counted)
{
    struct srv_spans_counts counts = send_two(_i == 0 ? 503 : 0);
    ck_assert_int_eq((int)counts.sent, 0);
    ck_assert_int_eq((int)counts.dropped, 2);
}
END_TEST

START_TEST(every_span_is_counted_once_also_those_that_do_not_fit)
{
    enum { SPANS = 5000 }; /* some ten times the buffer */
    struct sy_error err = {0};
    struct srv_spans *spans;
    struct srv_spans_counts counts = {0};
    sy_check_ok(srv_spans_open(&spans, "http://127.0.0.1:1", &err), err);
    memset(facts.experts, 'e', sizeof facts.experts - 1);
    for (int i = 0; i < SPANS; i++) {
        srv_spans_add(spans, &record);
    }
    for (int i = 0; i < 3000 && counts.dropped < SPANS; i++) {
        usleep(10000);
        srv_spans_counts(spans, &counts);
    }
    srv_spans_close(spans);
    ck_assert_int_eq((int)counts.dropped, SPANS);
    ck_assert_int_eq((int)counts.sent, 0);
}
END_TEST

START_TEST(an_address_that_is_none_is_refused)
{
    static const char *const bad[] = {"", "127.0.0.1:4318", "https://there",
                                      "http://127.0.0.1:4318/v1/traces"};
    struct sy_error err = {0};
    struct srv_spans *spans;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sy_check_fails(srv_spans_open(&spans, bad[i], &err), SY_BAD_INPUT, err);
        sy_check_says(err, "otlp_endpoint");
    }
    srv_spans_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spans");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_span_tells_trace_times_and_route);
    tcase_add_test(tc, only_the_servers_own_failures_are_errors);
    tcase_add_test(tc, a_collector_gets_the_sampled_and_those_without_a_trace);
    tcase_add_loop_test(
        tc, what_a_collector_does_not_take_is_dropped_and_counted, 0, 2);
    tcase_add_test(tc, every_span_is_counted_once_also_those_that_do_not_fit);
    tcase_add_test(tc, an_address_that_is_none_is_refused);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
