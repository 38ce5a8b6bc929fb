/*
 * test_traffic.c - what is counted of images: how undecided gates were. (That
 * blocks times their cost are what was computed is tests/integration's.)
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "serving/traffic.h"
#include "tests/support/check_main.h"
#include "tests/support/random_network.h"

enum { DOMAIN = 1, EXPERTS = 2 };

static struct sy_error err;

/* A network in which a gate chooses between the domain's two experts. */
static struct sy_network *make_network(const char *choose, int *gate)
{
    struct sy_network *network = sy_random_network(&(struct sy_random_options){
        .seed = 3, .experts = EXPERTS, .gates = true});
    const char *name[EXPERTS];
    int count = 0;
    char text[512];
    json_t *json = NULL;
    struct sy_route *route = NULL;
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain == DOMAIN) {
            name[count++] = network->expert[e].name;
        }
    }
    ck_assert_int_eq(count, EXPERTS);
    *gate = sy_network_find_gate(network, DOMAIN, "g0");
    snprintf(text, sizeof text,
             "{\"kind\": \"gate\", \"gate\": \"g0\", \"choose\": \"%s\", "
             "\"children\": ["
             "{\"kind\": \"expert\", \"expert\": \"%s\"},"
             "{\"kind\": \"expert\", \"expert\": \"%s\"}]}",
             choose, name[0], name[1]);
    sy_check_ok(sy_json_parse(text, strlen(text), "m", &json, &err), err);
    sy_check_ok(
        sy_route_from_json(&route, json, network, DOMAIN, "m", "", &err), err);
    json_decref(json);
    sy_network_set_route(network, DOMAIN, route);
    return network;
}

/* What a route tells whose gate, its root, wanted the children so much. */
static struct sy_route_taken wanted(double first, double second)
{
    return (struct sy_route_taken){
        .decision_count = 2,
        .decision = {{.node = 0, .child = 0, .value = first},
                     {.node = 0, .child = 1, .value = second}}};
}

START_TEST(the_entropy_of_a_gate_is_summed_over_the_images_it_was_asked_of)
{
    struct srv_traffic *traffic = NULL;
    int gate = -1;
    struct sy_network *network = make_network("top", &gate);
    struct sy_route_taken quarter = wanted(0.25, 0.75), sure = wanted(0, 1);
    struct sy_route_taken torn = wanted(0.5, 0.5);
    sy_check_ok(srv_traffic_new(&traffic, network, &err), err);
    srv_traffic_gates(traffic, DOMAIN, &quarter);
    ck_assert_int_eq(traffic->gate_images[gate], 1);
    ck_assert_int_eq(traffic->gate_nanonats[gate], 562335145);
    srv_traffic_gates(traffic, DOMAIN, &sure);
    ck_assert_int_eq(traffic->gate_nanonats[gate], 562335145);
    srv_traffic_gates(traffic, DOMAIN, &torn);
    ck_assert_int_eq(traffic->gate_nanonats[gate], 562335145 + 693147181);
    ck_assert_int_eq(traffic->gate_images[gate], 3);
    for (int g = 0; g < network->gate_count; g++) {
        ck_assert(g == gate || traffic->gate_images[g] == 0);
    }
    srv_traffic_free(traffic);
    sy_network_free(network);
}
END_TEST

START_TEST(switches_are_undecided_each_for_itself)
{
    struct srv_traffic *traffic = NULL;
    int gate = -1;
    struct sy_network *network = make_network("each", &gate);
    struct sy_route_taken both = wanted(1, 1), torn = wanted(1, 0.5);
    sy_check_ok(srv_traffic_new(&traffic, network, &err), err);
    srv_traffic_gates(traffic, DOMAIN, &both);
    ck_assert_int_eq(traffic->gate_nanonats[gate], 0);
    srv_traffic_gates(traffic, DOMAIN, &torn);
    ck_assert_int_eq(traffic->gate_nanonats[gate], 346573590);
    ck_assert_int_eq(traffic->gate_images[gate], 2);
    srv_traffic_free(traffic);
    sy_network_free(network);
}
END_TEST

START_TEST(other_decisions_than_those_of_gates_are_not_counted)
{
    struct srv_traffic *traffic = NULL;
    int gate = -1;
    struct sy_network *network = make_network("top", &gate);
    struct sy_route_taken stage = wanted(0.5, 0.5), nothing = {0};
    sy_check_ok(srv_traffic_new(&traffic, network, &err), err);
    srv_traffic_gates(traffic, 0, &stage); /* whose route is one expert */
    srv_traffic_gates(traffic, DOMAIN, &nothing);
    srv_traffic_gates(NULL, DOMAIN, &stage);
    stage.decision_count = 1; /* of the gate's two: the rest did not fit */
    srv_traffic_gates(traffic, DOMAIN, &stage);
    for (int g = 0; g < network->gate_count; g++) {
        ck_assert_int_eq(traffic->gate_images[g], 0);
        ck_assert_int_eq(traffic->gate_nanonats[g], 0);
    }
    srv_traffic_free(traffic);
    sy_network_free(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traffic");
    TCase *tc = tcase_create("gates");
    tcase_add_test(
        tc, the_entropy_of_a_gate_is_summed_over_the_images_it_was_asked_of);
    tcase_add_test(tc, switches_are_undecided_each_for_itself);
    tcase_add_test(tc, other_decisions_than_those_of_gates_are_not_counted);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
