/*
 * conform_executor.c - the executor on every backend against the plain
 * evaluation of the unfused plans.
 *
 * Random networks of every block kind, with norms shared and per domain; all
 * paths of a batch in one run. It checks fusing, packing, folding and placing
 * at once, and prints the largest difference of each backend.
 */
#include <math.h>
#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "tests/support/check_main.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 24, REQUESTS = 6, MAX_CLASSES = 16 };

/*
 * Differences are relative to the largest output of the sample. The
 * reference sums in double and rounds once per operator; kernels sum in
 * float over up to 7 * 7 * 144 products, through up to 20 operators.
 */
static const double tolerance = 1e-4;

static double relative_difference(const float *a, const float *b, int count)
{
    double worst = 0.0, largest = 1e-6;
    for (int k = 0; k < count; k++) {
        if (isnan(a[k])) {
            return INFINITY;
        }
        worst = fmax(worst, fabs((double)a[k] - (double)b[k]));
        largest = fmax(largest, fabs((double)b[k]));
    }
    return worst / largest;
}

/* One network, one batch of random paths; returns the largest difference. */
static double check_network(const struct sy_backend *backend, uint64_t seed)
{
    struct sy_random_options options = {
        .seed = seed,
        .norm = seed % 2 == 0 ? SY_NORM_PER_DOMAIN : SY_NORM_SHARED,
    };
    struct sy_network *network = sy_random_network(&options);
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, 0);
    struct sy_path path[REQUESTS];
    struct sy_request request[REQUESTS];
    float got[REQUESTS][MAX_CLASSES], expected[MAX_CLASSES];
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_error err = {0};
    double worst = 0.0;

    sy_check_ok(sy_snapshot_new(&snapshot, network, "1", backend, &err), err);
    sy_check_ok(sy_executor_new(&executor, snapshot, NULL, REQUESTS, &err),
                err);
    for (int i = 0; i < REQUESTS; i++) {
        path[i] = sy_random_path(&network->spec, &rng);
        request[i] = (struct sy_request){
            .image = sy_random_image(network, &rng),
            .domain = i % network->domain_count,
            .path = &path[i],
            .result = {{.outputs = got[i]}},
        };
    }
    sy_executor_run(executor, request, REQUESTS, NULL);
    for (int i = 0; i < REQUESTS; i++) {
        sy_plain_eval(network, &path[i], request[i].domain, request[i].image,
                      expected);
        worst = fmax(worst, relative_difference(
                                got[i], expected,
                                network->domain[request[i].domain].classes));
        sy_free((void *)(uintptr_t)request[i].image);
    }
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    return worst;
}

START_TEST(the_executor_computes_what_the_plans_say_on_every_backend)
{
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        double worst = 0.0;
        if (!(*b)->available()) {
            printf("%-10s not available here\n", (*b)->name);
            continue;
        }
        for (uint64_t seed = 0; seed < NETWORKS; seed++) {
            double difference = check_network(*b, seed);
            ck_assert_msg(difference <= tolerance,
                          "%s, network %d: difference of %g, at most %g",
                          (*b)->name, (int)seed, difference, tolerance);
            worst = fmax(worst, difference);
        }
        printf("%-10s %d networks, largest relative difference %.1e\n",
               (*b)->name, (int)NETWORKS, worst);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executor on every backend");
    TCase *tc = tcase_create("conformance");
    tcase_add_test(tc,
                   the_executor_computes_what_the_plans_say_on_every_backend);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
