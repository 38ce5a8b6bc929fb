/*
 * test_routes.c - outputs on held-out images, and the temperatures that
 * are fitted on them, against plain evaluation.
 */
#include "search/routing/routes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum {
    IMAGES = NAS_HELD_OUT_BATCH + 9,
    EXPERTS = SY_MAX_LANES + 2,
    MOST_CLASSES = 16
};

static struct sy_error err;
static struct nas_route_config config;
static struct sy_network *network;
static struct dom_domain *domain;
static struct dom_loader *loader;

/* A network of two domains, and a domain of files for its second one. */
static void setup(void)
{
    sy_check_folder_make();
    config = nas_route_defaults();
    network = sy_random_network(&(struct sy_random_options){
        .seed = 8, .layers = 3, .domains = 2, .experts = EXPERTS});
    sy_put_domain(&(struct sy_domain_files){
        .classes = network->domain[1].classes, .test = IMAGES});
    sy_check_ok(dom_open(&domain, sy_check_folder(), "toy", NULL, &err), err);
    struct dom_loader_options options = {.split = DOM_TEST,
                                         .height = network->spec.input.h,
                                         .width = network->spec.input.w};
    sy_check_ok(dom_loader_new(&loader, domain, &options, NULL, &err), err);
}

static void teardown(void)
{
    dom_loader_free(loader);
    dom_close(domain);
    sy_check_folder_remove();
}

/* Plain outputs of an expert on every `step`th image, owned; and labels. */
static float *plain_outputs(int expert, int step, int *labels)
{
    size_t floats = sy_shape_floats(network->spec.input);
    size_t classes = (size_t)network->domain[1].classes;
    float *outputs = sy_alloc(IMAGES * classes * sizeof *outputs);
    uint8_t *pixels = sy_alloc(floats);
    float *image = sy_alloc(floats * sizeof *image);
    for (int i = 0; i < IMAGES; i += step) {
        sy_check_ok(dom_loader_read(loader, i, 1, pixels, &labels[i], &err),
                    err);
        dom_normalise(pixels, floats, image);
        sy_plain_eval(network, &network->expert[expert].path, 1, image,
                      outputs + (size_t)i * classes);
    }
    sy_free(pixels);
    sy_free(image);
    return outputs;
}

START_TEST(every_expert_of_the_domain_answers_every_image)
{
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct nas_held_out held;
    int labels[IMAGES];
    int64_t live = sy_alloc_live();
    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", NULL, &err), err);
    sy_check_ok(
        sy_executor_new(&executor, snapshot, NULL, NAS_HELD_OUT_BATCH, &err),
        err);
    sy_check_ok(nas_held_out_collect(&held, executor, 1, loader, &err), err);
    ck_assert_int_eq(held.n, IMAGES);
    ck_assert_int_eq(held.classes, network->domain[1].classes);
    ck_assert_int_eq(held.expert_count, EXPERTS);
    for (int e = 0; e < EXPERTS; e++) {
        ck_assert_int_eq(network->expert[held.expert[e]].domain, 1);
        ck_assert(e == 0 || held.expert[e] > held.expert[e - 1]);
        float *plain = plain_outputs(held.expert[e], 8, labels);
        const float *outputs = nas_held_out_outputs(&held, e);
        for (int i = 0; i < IMAGES; i += 8) {
            ck_assert_int_eq(held.labels[i], labels[i]);
            for (int k = i * held.classes; k < (i + 1) * held.classes; k++) {
                ck_assert_float_eq_tol(outputs[k], plain[k],
                                       1e-3f * (1.0f + fabsf(plain[k])));
            }
        }
        sy_free(plain);
    }
    nas_held_out_release(&held);
    sy_executor_free(executor);
    ck_assert_ptr_eq(sy_snapshot_dissolve(snapshot), network);
    ck_assert_int_eq(sy_alloc_live(), live);
    sy_network_free(network);
}
END_TEST

START_TEST(each_expert_gets_the_temperature_of_its_own_outputs)
{
    struct dom_loader *loaders[2] = {NULL, loader};
    double before[2 * EXPERTS];
    int labels[IMAGES];
    for (int e = 0; e < network->expert_count; e++) {
        before[e] = network->expert[e].temperature;
    }
    sy_check_ok(nas_routes_fit(&network, &config, loaders, NULL, &err), err);
    for (int e = 0; e < EXPERTS; e++) {
        ck_assert_double_eq(network->expert[e].temperature, before[e]);
    }
    for (int e = EXPERTS; e < 2 * EXPERTS; e += EXPERTS - 1) {
        double found = network->expert[e].temperature;
        float *plain = plain_outputs(e, 1, labels);
        double expected = sy_head_classify.calibrate(
            plain, labels, IMAGES, network->domain[1].classes);
        ck_assert_double_eq_tol(found / expected, 1.0, 1e-3);
        ck_assert(found != before[e]);
        sy_free(plain);
    }
    sy_network_free(network);
}
END_TEST

/* The domain of files as one of a network with three experts each. */
static void fit(void)
{
    struct dom_loader *loaders[2] = {NULL, loader};
    sy_network_free(network);
    network = sy_random_network(&(struct sy_random_options){
        .seed = 8, .layers = 3, .domains = 2, .experts = 3});
    sy_check_ok(nas_route_check(&config, network, "c.json", &err), err);
    sy_check_ok(nas_routes_fit(&network, &config, loaders, NULL, &err), err);
}

static int64_t cost_of(int expert)
{
    return sy_network_path_cost(network, &network->expert[expert].path, 1)
        .madds;
}

/* The fitted route of domain 1 as JSON, owned. */
static json_t *fitted(const char *kind)
{
    json_t *json = sy_route_to_json(network->route[1], network);
    ck_assert_str_eq(json_string_value(json_object_get(json, "kind")), kind);
    /* The other domain had no images, and keeps its route. */
    ck_assert_str_eq(network->route[0]->type->name, "expert");
    return json;
}

START_TEST(a_cascade_has_the_experts_in_the_order_of_their_cost)
{
    config.kind = NAS_ROUTE_CASCADE;
    config.exit = _i;
    config.cost = 0.9;
    config.background[0] = 'a';
    fit();
    json_t *json = fitted("cascade");
    const struct sy_route *route = network->route[1];
    for (int k = 0; k < route->child_count; k++) {
        json_t *stage = json_array_get(json_object_get(json, "stages"), k);
        bool last = k + 1 == route->child_count;
        ck_assert(k == 0 || cost_of(route->child[k]->expert) >=
                                cost_of(route->child[k - 1]->expert));
        ck_assert_int_eq(json_object_get(stage, "exit") == NULL, last);
        if (!last) {
            ck_assert_str_eq(json_string_value(json_object_get(stage, "exit")),
                             nas_exit_names[_i]);
        }
    }
    json_decref(json);
    sy_network_free(network);
}
END_TEST

START_TEST(only_the_named_experts_take_part)
{
    config.kind = NAS_ROUTE_CASCADE;
    config.cost = 0.9;
    config.expert_count = 2;
    (void)snprintf(config.expert[0], SY_NAME_BYTES, "e0");
    (void)snprintf(config.expert[1], SY_NAME_BYTES, "e2");
    fit();
    struct sy_route_experts all = sy_route_all_experts(network->route[1]);
    for (int i = 0; i < all.count; i++) {
        ck_assert_str_ne(network->expert[all.expert[i]].name, "e1");
    }
    /* All have their temperature, and a domain that has none of the names is
       not concerned. */
    for (int e = 3; e < 6; e++) {
        ck_assert(network->expert[e].temperature != 1.0);
    }
    (void)snprintf(config.expert[0], SY_NAME_BYTES, "x");
    (void)snprintf(config.expert[1], SY_NAME_BYTES, "y");
    for (int e = 0; e < 6; e++) {
        ck_assert(nas_route_takes(&config, network, e));
    }
    sy_network_free(network);
}
END_TEST

START_TEST(where_nothing_can_be_promised_the_dearest_expert_stays_alone)
{
    config.kind = NAS_ROUTE_CASCADE;
    config.epsilon = 1e-3; /* of 41 images */
    fit();
    json_t *json = fitted("expert");
    int expert = network->route[1]->expert;
    for (int e = 3; e < 6; e++) {
        ck_assert_int_le(cost_of(e), cost_of(expert));
    }
    json_decref(json);
    sy_network_free(network);
}
END_TEST

START_TEST(an_ensemble_has_those_who_answer_better_together)
{
    /* The label's probability, by expert and image; the rest is spread. */
    static const double p[3][4] = {{0.125, 0.125, 0.125, 0.125},
                                   {0.75, 0.75, 0.75, 0.25},
                                   {0.5, 0.25, 0.5, 0.9375}};
    float outputs[3 * 4 * MOST_CLASSES];
    int labels[4] = {0}, experts[3] = {3, 4, 5};
    double temperature[6] = {1, 1, 1, 1, 1, 1};
    struct sy_route *route;
    sy_network_free(network);
    network = sy_random_network(&(struct sy_random_options){
        .seed = 8, .layers = 3, .domains = 2, .experts = 3});
    int classes = network->domain[1].classes;
    ck_assert_int_le(classes, MOST_CLASSES);
    for (int i = 0; i < 12; i++) {
        double rest = (1 - p[i / 4][i % 4]) / (classes - 1);
        for (int k = 0; k < classes; k++) {
            outputs[i * classes + k] =
                (float)log(k == 0 ? p[i / 4][i % 4] : rest);
        }
    }
    struct nas_held_out held = {.n = 4,
                                .classes = classes,
                                .expert_count = 3,
                                .expert = experts,
                                .labels = labels,
                                .outputs = outputs};
    config.kind = NAS_ROUTE_ENSEMBLE;
    sy_check_ok(
        nas_route_fit(&route, &config, network, 1, &held, temperature, &err),
        err);
    ck_assert_str_eq(route->type->name, "ensemble");
    ck_assert_int_eq(route->child_count, 2);
    ck_assert_int_eq(route->child[0]->expert, 4);
    ck_assert_int_eq(route->child[1]->expert, 5);
    sy_route_free(route);
    sy_network_free(network);
}
END_TEST

START_TEST(gates_are_fitted_stored_in_the_network_and_give_the_same_bits)
{
    static float first[4096];
    struct sy_network *kept = NULL;
    config.kind = NAS_ROUTE_GATE;
    config.gate.method = (enum nas_gate_method)_i;
    config.gate.passes = 3;
    config.gate.hidden = 4;
    config.gate.layers = _i % 2;
    for (int run = 0; run < 2; run++) {
        fit();
        json_t *json = fitted("gate");
        ck_assert_int_eq(network->gate_count, 1);
        ck_assert_int_eq(network->gate[0].outputs, 3);
        ck_assert_int_eq(network->gate[0].layers, _i % 2);
        ck_assert_int_eq(network->gate[0].expert >= 0, _i % 2);
        ck_assert_int_eq(json_object_get(json, "choose") != NULL,
                         _i == NAS_GATE_SWITCHES);
        const struct sy_unit *unit = &network->unit[network->first_gate];
        size_t count = network->value_count - unit->weight[0];
        ck_assert_uint_le(count, 4096);
        float *values = network->values + unit->weight[0];
        if (run == 0) {
            memcpy(first, values, count * sizeof(float));
            kept = network;
            network = NULL;
        } else {
            ck_assert_mem_eq(first, values, count * sizeof(float));
        }
        json_decref(json);
    }
    sy_network_free(kept);
    sy_network_free(network);
}
END_TEST

START_TEST(a_gate_does_not_choose_more_experts_than_there_are)
{
    config.kind = NAS_ROUTE_GATE;
    config.gate.top = 4;
    sy_network_free(network);
    network = sy_random_network(
        &(struct sy_random_options){.seed = 8, .domains = 2, .experts = 3});
    sy_check_fails(nas_route_check(&config, network, "c.json", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "train.routes.gate.top: expected at most 3");
    sy_network_free(network);
}
END_TEST

START_TEST(what_cannot_become_a_route_is_said_before_the_training)
{
    config.kind = NAS_ROUTE_CASCADE;
    sy_check_fails(nas_route_check(&config, network, "c.json", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "c.json: train.routes: expected at most 4 experts of a "
                       "domain, found 10");
    sy_network_free(network);
    network = sy_random_network(
        &(struct sy_random_options){.seed = 8, .domains = 2, .experts = 3});
    sy_check_ok(nas_route_check(&config, network, "c.json", &err), err);
    config.exit = NAS_EXIT_REJECT;
    strcpy(config.background, "nothing");
    sy_check_fails(nas_route_check(&config, network, "c.json", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "has no class \"nothing\"");
    sy_network_free(network);
}
END_TEST

START_TEST(memory_that_ends_leaves_nothing_behind)
{
    struct dom_loader *loaders[2] = {NULL, loader};
    int64_t live = sy_alloc_live();
    struct sy_network *copy = sy_random_network(&(struct sy_random_options){
        .seed = 8, .layers = 3, .domains = 2, .experts = EXPERTS});
    enum sy_status status = SY_NO_MEMORY;
    int failures = 0;
    for (int n = 1; status == SY_NO_MEMORY; n++, failures++) {
        sy_alloc_fail_at(n, false);
        status = nas_routes_fit(&copy, &config, loaders, NULL, &err);
        sy_alloc_fail_at(0, false);
        if (status == SY_NO_MEMORY) {
            ck_assert_ptr_null(copy);
            ck_assert_int_eq(sy_alloc_live(), live);
            copy = sy_random_network(&(struct sy_random_options){
                .seed = 8, .layers = 3, .domains = 2, .experts = EXPERTS});
        }
    }
    sy_check_ok(status, err);
    ck_assert_int_gt(failures, 5);
    sy_network_free(copy);
    sy_network_free(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routes");
    TCase *tc = tcase_create("routes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_expert_of_the_domain_answers_every_image);
    tcase_add_test(tc, each_expert_gets_the_temperature_of_its_own_outputs);
    tcase_add_loop_test(
        tc, a_cascade_has_the_experts_in_the_order_of_their_cost, 0, 4);
    tcase_add_test(tc, only_the_named_experts_take_part);
    tcase_add_test(
        tc, where_nothing_can_be_promised_the_dearest_expert_stays_alone);
    tcase_add_test(tc, an_ensemble_has_those_who_answer_better_together);
    tcase_add_loop_test(
        tc, gates_are_fitted_stored_in_the_network_and_give_the_same_bits, 0,
        NAS_GATE_METHODS);
    tcase_add_test(tc, a_gate_does_not_choose_more_experts_than_there_are);
    tcase_add_test(tc, what_cannot_become_a_route_is_said_before_the_training);
    tcase_add_test(tc, memory_that_ends_leaves_nothing_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
