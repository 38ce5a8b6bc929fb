/*
 * test_calibrate.c - outputs on held-out images, and the temperatures that
 * are fitted on them, against plain evaluation.
 */
#include "search/routing/calibrate.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum { IMAGES = NAS_HELD_OUT_BATCH + 9, EXPERTS = SY_MAX_LANES + 2 };

static struct sy_error err;
static struct sy_network *network;
static struct dom_domain *domain;
static struct dom_loader *loader;

/* A network of two domains, and a domain of files for its second one. */
static void setup(void)
{
    sy_check_folder_make();
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
    sy_check_ok(nas_calibrate(&network, loaders, NULL, &err), err);
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
        status = nas_calibrate(&copy, loaders, NULL, &err);
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
    Suite *suite = suite_create("calibrate");
    TCase *tc = tcase_create("calibrate");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_expert_of_the_domain_answers_every_image);
    tcase_add_test(tc, each_expert_gets_the_temperature_of_its_own_outputs);
    tcase_add_test(tc, memory_that_ends_leaves_nothing_behind);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
