/*
 * oip_server.c - a served network without HTTP, for tests of handlers.
 */
#include "tests/support/oip_server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/latency/table.h"
#include "serving/protocol/routes.h"
#include "serving/protocol/text.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

struct srv_context oip_server;
static struct sy_pool *pool;
struct sy_shape oip_shape;
int oip_classes;
bool oip_pressed;

static void set_routes(struct sy_network *network, const char *text)
{
    struct sy_error err = {0};
    for (int d = 0; d < network->domain_count; d++) {
        struct sy_route *route;
        json_t *json;
        sy_check_ok(sy_json_parse(text, strlen(text), "", &json, &err), err);
        sy_check_ok(sy_route_from_json(&route, json, network, d, "", "", &err),
                    err);
        json_decref(json);
        sy_network_set_route(network, d, route);
    }
}

static bool timed; /* a latency table stands beside the versions */

static void save_table(const struct sy_network *network, const char *name)
{
    char file[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_latency_table *table = sy_alloc_zero(1, sizeof *table);
    *table = (struct sy_latency_table){.name = "net",
                                       .program = "0",
                                       .cpu = "a processor",
                                       .kernels = "portable",
                                       .spec = network->spec,
                                       .stem_us = 20e6,
                                       .head_us = {5e6, 5e6, 5e6},
                                       .factor = 1};
    for (int l = 0; l < network->spec.layer_count; l++) {
        for (int b = 0; b < network->spec.layer[l].block_count; b++) {
            int unit = sy_network_block(network, l, b);
            table->block_us[l][b] =
                (double)network->unit[unit].cost.madds * 100;
        }
    }
    json_t *json = sy_latency_table_to_json(table);
    snprintf(file, sizeof file, "%s/" SRV_LATENCY_FILE, sy_check_path(name));
    sy_check_ok(sy_json_save(file, json, &err), err);
    json_decref(json);
    sy_free(table);
}

static double root_threshold =
    -1; /* of the network to save; below 0: no gate */

static void save_network(const char *name, uint64_t seed, const char *route)
{
    struct sy_random_options options = {.seed = seed,
                                        .gates = root_threshold >= 0,
                                        .experts = route != NULL ? 3 : 1};
    struct sy_network *network = sy_random_network(&options);
    struct sy_artefact artefact;
    struct sy_error err = {0};
    if (root_threshold >= 0) {
        struct sy_gate *root = &network->gate[sy_network_root_gate(network)];
        for (int d = 0; d + 1 < root->outputs; d++) {
            root->threshold[d] = root_threshold;
        }
    }
    if (route != NULL) {
        set_routes(network, route);
    }
    json_t *provenance = json_object();
    sy_check_ok(sy_artefact_save(network, sy_check_path(name), provenance,
                                 &artefact, &err),
                err);
    json_decref(provenance);
    if (timed) {
        save_table(network, name);
    }
    oip_shape = network->spec.input;
    oip_classes = network->domain[0].classes;
    sy_network_free(network);
}

void oip_save_network(const char *name, uint64_t seed)
{
    save_network(name, seed, NULL);
}

static void wait_until_loaded(void)
{
    struct srv_entry entry;
    do {
        struct timespec moment = {.tv_nsec = 1000000};
        nanosleep(&moment, NULL);
        srv_repository_entry(oip_server.repository, 0, &entry);
    } while (entry.state == SRV_LOADING);
    ck_assert_msg(entry.state == SRV_READY, "%s", entry.reason);
}

static void set_up(const char *route)
{
    sy_check_folder_make();
    save_network("net", 5, route);
    struct sy_error err = {0};
    sy_check_ok(sy_pool_new(&pool, 2, &err), err);
    struct srv_repository_options repository = {
        .path = sy_check_folder(), .pool = pool, .max_batch = 4};
    sy_check_ok(srv_repository_new(&oip_server.repository, &repository, &err),
                err);
    struct srv_batcher_options batcher = {
        .queue = {.max_batch = 4, .max_queue = 8}};
    sy_check_ok(srv_batcher_new(&oip_server.batcher, &batcher, &err), err);
    oip_server.request_timeout_ns = 60000000000;
    oip_server.max_images = 64;
    wait_until_loaded();
}

void oip_set_up(void)
{
    set_up(NULL);
}

void oip_set_up_route(const char *route)
{
    set_up(route);
}

void oip_set_up_timed(const char *route, double threshold)
{
    timed = true;
    root_threshold = threshold;
    set_up(route);
    root_threshold = -1;
    timed = false;
}

void oip_set_up_root(double threshold)
{
    root_threshold = threshold;
    set_up(NULL);
    root_threshold = -1;
}

void oip_tear_down(void)
{
    srv_batcher_free(oip_server.batcher);
    srv_repository_free(oip_server.repository);
    sy_pool_free(pool);
    sy_check_folder_remove();
}

static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

static void wake(void *waiter, bool more)
{
    (void)more;
    pthread_mutex_lock(&wake_lock);
    *(bool *)waiter = true;
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&wake_lock);
}

/* What the front does with a request; returns the status. */
int oip_ask_bytes(enum srv_method method, const char *raw, const char *header,
                  const char *body, size_t bytes, struct srv_reply *reply)
{
    static struct srv_request request;
    struct srv_later later = {0};
    struct sy_error err = {0};
    memset(&request, 0, sizeof request);
    memset(reply, 0, sizeof *reply);
    request.method = method;
    request.is_pressed = oip_pressed;
    request.may_read = true;
    sy_check_ok(srv_target_parse(&request.target, raw, &err), err);
    if (!srv_route_find(srv_routes, &request, reply)) {
        return reply->status;
    }
    char *copy = sy_alloc(bytes + 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes > 0) {
        memcpy(copy, body, bytes);
    }
    copy[bytes] = '\0';
    snprintf(request.inference_header, sizeof request.inference_header, "%s",
             header == NULL ? "" : header);
    request.body = copy;
    request.body_bytes = bytes;
    request.route->handler(&oip_server, &request, reply, &later);
    sy_free(copy);
    if (later.state != NULL) {
        bool done = false;
        later.start(later.state, wake, &done);
        pthread_mutex_lock(&wake_lock);
        while (!done) {
            pthread_cond_wait(&woken, &wake_lock);
        }
        pthread_mutex_unlock(&wake_lock);
        later.finish(later.state, reply);
        later.release(later.state);
    }
    ck_assert_int_ne(reply->status, 0);
    return reply->status;
}

/* The reply as JSON, owned. */
json_t *oip_ask(enum srv_method method, const char *raw, const char *body,
                int expected)
{
    struct srv_reply reply;
    int status = oip_ask_bytes(method, raw, NULL, body,
                               body == NULL ? 0 : strlen(body), &reply);
    ck_assert_msg(status == expected, "%s: expected %d, found %d: %s", raw,
                  expected, status, reply.body == NULL ? "" : reply.body);
    json_t *json;
    struct sy_error err = {0};
    sy_check_ok(
        sy_json_parse(reply.body, reply.body_bytes, "reply", &json, &err), err);
    srv_reply_release(&reply);
    return json;
}

void oip_fails(const char *raw, const char *body, int expected,
               const char *says)
{
    json_t *json = oip_ask(SRV_POST, raw, body, expected);
    const char *text = json_string_value(json_object_get(json, "error"));
    ck_assert_msg(text != NULL && strstr(text, says) != NULL,
                  "expected \"%s\" in \"%s\"", says, text);
    json_decref(json);
}

void oip_refuses(const struct oip_refusal *refusal)
{
    oip_fails(refusal->raw, refusal->body, refusal->status, refusal->says);
}

/* A body with `images` images; pixel i is (i * 7) % 256, as u8 or FP32. */
char *oip_make_body(int images, bool floats, const char *before,
                    const char *after)
{
    struct srv_text text = {0};
    srv_text_printf(&text,
                    "{%s\"inputs\":[{\"name\":\"image\",\"shape\":[%d,%d,%d,"
                    "%d],\"datatype\":\"%s\",\"data\":[",
                    before, images, oip_shape.h, oip_shape.w, oip_shape.c,
                    floats ? "FP32" : "UINT8");
    size_t count = (size_t)images * sy_shape_floats(oip_shape);
    for (size_t i = 0; i < count; i++) {
        int u = (int)(i * 7 % 256);
        srv_text_puts(&text, i > 0 ? "," : "");
        if (floats) {
            srv_text_float(&text, (float)u / 255.0f);
        } else {
            srv_text_int(&text, u);
        }
    }
    srv_text_printf(&text, "]}]%s}", after);
    ck_assert(!text.failed);
    return text.data;
}

json_t *oip_infer(const char *raw, int images, bool floats, const char *before,
                  const char *after)
{
    char *body = oip_make_body(images, floats, before, after);
    json_t *json = oip_ask(SRV_POST, raw, body, 200);
    sy_free(body);
    return json;
}

json_t *oip_output(json_t *reply, size_t index, const char *name)
{
    json_t *found = json_array_get(json_object_get(reply, "outputs"), index);
    ck_assert_str_eq(json_string_value(json_object_get(found, "name")), name);
    return json_object_get(found, "data");
}
