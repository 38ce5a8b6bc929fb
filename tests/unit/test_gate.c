/*
 * test_gate.c - gates on disk and in a network. What they do in routes and
 * batches is in test_route.c, test_route_walk.c and test_walks.c.
 */
#include <math.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"
#include "runtime/network/equal.h"
#include "runtime/network/join.h"
#include "runtime/network/network.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

static struct sy_network *with_gates(void)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(3);
    const struct sy_gate gates[] = {
        {.name = "pick", .layers = 1, .cells = 2, .hidden = 4, .outputs = 2},
        {.name = "root",
         .domain = -1,
         .expert = -1,
         .cells = 1,
         .textures = true,
         .outputs = 3,
         .threshold = {0.75, 0.75}},
    };
    sy_check_ok(sy_network_set_gates(&network, gates, 2, &err), err);
    for (size_t i = 0; i < 10; i++) {
        network->values[network->value_count - 1 - i] = (float)i;
    }
    return network;
}

START_TEST(gates_are_stored_with_their_numbers)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again, *network = with_gates();
    network->gate[1].threshold[1] = 0.25;
    sy_check_ok(
        sy_artefact_save(network, sy_check_path("m"), NULL, &artefact, &err),
        err);
    sy_check_ok(sy_artefact_load(sy_check_path("m"), &again, &artefact, &err),
                err);
    ck_assert(sy_networks_equal(network, again));
    ck_assert_int_eq(again->gate_count, 2);
    ck_assert_int_eq(again->gate[0].layers, 1);
    ck_assert_int_eq(again->gate[0].expert, 0);
    ck_assert_int_eq(again->gate[0].hidden, 4);
    ck_assert_int_eq(again->gate[1].domain, -1);
    ck_assert(again->gate[1].threshold[0] == 0.75);
    ck_assert(again->gate[1].threshold[1] == 0.25);
    ck_assert(!again->gate[0].textures && again->gate[1].textures);
    ck_assert_int_eq(sy_network_params(again), sy_network_params(network));
    sy_network_free(again);
    sy_network_free(network);
}
END_TEST

START_TEST(a_wrong_gate_is_refused_with_its_place)
{
    static const struct {
        int gate;
        const char *key, *json, *says;
    } wrong_gates[] = {
        {0, "domain", "\"digit\"", "gates[0].domain"},
        {0, "domain", NULL, "gates[0].expert"},
        {0, "expert", "\"third\"",
         "gates[0].expert: the gate's domain has no expert \"third\""},
        {0, "expert", NULL, "gates[0].expert: expected an expert of domain"},
        {0, "layers", "9", "gates[0].layers: expected 0 to 2, found 9"},
        {0, "layers", "-1", "gates[0].layers"},
        {0, "cells", "17", "gates[0].cells"},
        {0, "cells", "12", "cells: expected 1 to 16 a side"},
        {0, "hidden", "5000", "gates[0].hidden"},
        {0, "outputs", "9", "gates[0].outputs: expected 2 to 8, found 9"},
        {0, "outputs", "1", "gates[0].outputs"},
        {0, "threshold", "0.5", "gates[0].threshold: unknown key"},
        {0, "hash", "\"00\"", "gates[0].hash: expected 64"},
        {0, "name", "\"a.b\"", "gates[0].name: expected letters"},
        {0, "colour", "1", "gates[0].colour: unknown key"},
        {1, "outputs", "4",
         "gates[1].outputs: expected at most 3, one for each domain and one"},
        {1, "threshold", "1.5", "gates[1].threshold"},
        {1, "threshold", "[0.5]", "gates[1].threshold: expected an array of 2"},
        {1, "threshold", "[0.5, 2]",
         "gates[1].threshold: [1]: expected a number from 0 to 1"},
        {1, "textures", "2", "gates[1].textures: expected"},
        {1, "cells", "4", "textures: expected 1 to 16 cells a side, of 2 x 2"},
        {1, "layers", "1", "gates[1]: the root gate reads behind the stem"},
    };
    struct sy_error err = {0};
    struct sy_network *again = NULL, *network = with_gates();
    json_t *root = sy_artefact_describe(network);
    json_t *gate = json_array_get(json_object_get(root, "gates"),
                                  (size_t)wrong_gates[_i].gate);
    const char *text = wrong_gates[_i].json;
    if (text != NULL) {
        json_object_set_new(gate, wrong_gates[_i].key,
                            json_loads(text, JSON_DECODE_ANY, NULL));
    } else {
        json_object_del(gate, wrong_gates[_i].key);
    }
    sy_check_fails(sy_artefact_network(&again, root, "m.json", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, wrong_gates[_i].says);
    json_decref(root);
    sy_network_free(network);
}
END_TEST

START_TEST(one_threshold_is_that_of_every_domain)
{
    struct sy_error err = {0};
    struct sy_network *again = NULL, *network = with_gates();
    json_t *root = sy_artefact_describe(network);
    json_t *gate = json_array_get(json_object_get(root, "gates"), 1);
    ck_assert(json_is_real(json_object_get(gate, "threshold")));
    json_object_set_new(gate, "threshold", json_real(0.5));
    sy_check_ok(sy_artefact_network(&again, root, "m.json", &err), err);
    ck_assert(again->gate[1].threshold[0] == 0.5);
    ck_assert(again->gate[1].threshold[1] == 0.5);
    ck_assert(again->gate[1].threshold[2] == 0.0);
    json_decref(root);
    sy_network_free(again);
    sy_network_free(network);
}
END_TEST

START_TEST(other_features_take_no_numbers_over)
{
    struct sy_error err = {0};
    struct sy_network *network = with_gates();
    struct sy_gate gates[2] = {network->gate[0], network->gate[1]};
    int unit = sy_network_gate(network, 1);
    float *weight = network->values + network->unit[unit].weight[0];
    weight[0] = 5.0f;
    /* The mean and three differences of one cell are as many as the means of
       four cells. */
    gates[1].textures = false;
    gates[1].cells = 2;
    sy_check_ok(sy_network_set_gates(&network, gates, 2, &err), err);
    weight = network->values + network->unit[unit].weight[0];
    ck_assert(weight[0] == 0.0f);
    sy_network_free(network);
}
END_TEST

START_TEST(exchanging_gates_keeps_all_other_numbers)
{
    struct sy_error err = {0};
    struct sy_network *plain = sy_small_network(3), *network = with_gates();
    const struct sy_gate *first = &network->gate[0];
    size_t before = plain->value_count;
    float scores = network->values[network->value_count - 1];
    ck_assert_mem_eq(plain->values, network->values, before * sizeof(float));
    const struct sy_gate gates[] = {
        {.name = "new", .domain = 1, .expert = -1, .cells = 1, .outputs = 2},
        network->gate[1],
    };
    ck_assert_str_eq(first->name, "pick");
    sy_check_ok(sy_network_set_gates(&network, gates, 2, &err), err);
    ck_assert_mem_eq(plain->values, network->values, before * sizeof(float));
    ck_assert(network->values[network->value_count - 1] == scores);
    int unit = sy_network_gate(network, 0);
    ck_assert_str_eq(network->unit[unit].id, "gate.shapes.new");
    ck_assert(network->values[network->unit[unit].weight[0]] == 0.0f);
    sy_check_ok(sy_network_set_gates(&network, NULL, 0, &err), err);
    ck_assert(sy_networks_equal(network, plain));
    sy_network_free(network);
    sy_network_free(plain);
}
END_TEST

static const char route_text[] =
    "{\"kind\":\"gate\",\"gate\":\"pick\",\"children\":["
    "{\"kind\":\"expert\",\"expert\":\"main\"},"
    "{\"kind\":\"expert\",\"expert\":\"second\"}]}";

static void gate_digits(struct sy_network *network)
{
    struct sy_error err = {0};
    struct sy_route *route;
    json_t *json = json_loads(route_text, 0, NULL);
    sy_check_ok(sy_route_from_json(&route, json, network, 0, "m", "", &err),
                err);
    json_decref(json);
    sy_network_set_route(network, 0, route);
}

START_TEST(a_gate_that_a_route_names_cannot_be_left_out)
{
    struct sy_error err = {0};
    struct sy_network *network = with_gates(), *same = network;
    gate_digits(network);
    struct sy_gate gates[] = {network->gate[1], network->gate[0]};
    sy_check_fails(sy_network_set_gates(&network, gates, 1, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err,
                  "gate \"pick\" of domain \"digits\" stands in its route");
    ck_assert_ptr_eq(network, same);
    sy_check_ok(sy_network_set_gates(&network, gates, 2, &err), err);
    ck_assert_int_eq(network->route[0]->gate, 1);
    sy_network_free(network);
}
END_TEST

START_TEST(joined_networks_keep_the_gates_of_both)
{
    struct sy_error err = {0};
    struct sy_network *served = with_gates(), *candidate = with_gates(),
                      *joined;
    int on_trial = 0;
    gate_digits(served);
    gate_digits(candidate);
    ck_assert(sy_domain_equal(served, 0, candidate, 0));
    int unit = sy_network_gate(candidate, 0);
    candidate->values[candidate->unit[unit].weight[3]] = 9.0f;
    ck_assert(!sy_domain_equal(served, 0, candidate, 0));
    sy_check_ok(sy_network_join(&joined, served, candidate, &on_trial, 1, &err),
                err);
    ck_assert_int_eq(joined->gate_count, 3);
    ck_assert_int_eq(sy_network_root_gate(joined), 1);
    int next = sy_network_find_gate(joined, 2, "pick");
    ck_assert_int_eq(next, 2);
    ck_assert_int_eq(joined->expert[joined->gate[next].expert].domain, 2);
    ck_assert_int_eq(joined->route[2]->gate, next);
    ck_assert(
        sy_unit_equal(joined, sy_network_gate(joined, next), candidate, unit));
    ck_assert(sy_unit_equal(joined, sy_network_gate(joined, 0), served,
                            sy_network_gate(served, 0)));
    sy_network_free(joined);
    sy_network_free(served);
    sy_network_free(candidate);
}
END_TEST

START_TEST(the_softmax_of_scores_is_that_of_the_text_book)
{
    const float scores[] = {1.0f, 3.0f, 3.0f};
    const float broken[] = {1.0f, INFINITY};
    double p[3], sum = exp(1.0) + 2 * exp(3.0);
    ck_assert_int_eq(sy_gate_softmax(scores, 3, p), 1);
    ck_assert_double_eq_tol(p[0], exp(1.0) / sum, 1e-12);
    ck_assert_double_eq_tol(p[2], exp(3.0) / sum, 1e-12);
    ck_assert_int_eq(sy_gate_softmax(broken, 2, p), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tc = tcase_create("gate");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, gates_are_stored_with_their_numbers);
    tcase_add_loop_test(tc, a_wrong_gate_is_refused_with_its_place, 0, 18);
    tcase_add_test(tc, one_threshold_is_that_of_every_domain);
    tcase_add_test(tc, other_features_take_no_numbers_over);
    tcase_add_test(tc, exchanging_gates_keeps_all_other_numbers);
    tcase_add_test(tc, a_gate_that_a_route_names_cannot_be_left_out);
    tcase_add_test(tc, joined_networks_keep_the_gates_of_both);
    tcase_add_test(tc, the_softmax_of_scores_is_that_of_the_text_book);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
