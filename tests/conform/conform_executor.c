/*
 * conform_executor.c - the executor on every backend against the plain
 * evaluation of the unfused plans.
 *
 * Random networks of every block kind, with norms shared and per domain; all
 * paths of a batch in one run. It checks fusing, packing, folding and placing
 * at once, with full weights and with those of half the width, and prints the
 * largest difference of each backend.
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
 * float over up to 7 * 7 * 144 products, through up to 20 operators. Weights
 * of half the width are each off by 2^-11 at most, by half of that on average:
 * 2^-12 for each of these operators.
 */
static const double tolerance[] = {
    [SY_WEIGHTS_FULL] = 1e-4, [SY_WEIGHTS_HALF] = 20 * 0x1p-12};

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

/* Each request alone gives the bits that it gave in the batch. */
static void check_alone(struct sy_executor *executor,
                        const struct sy_request *request,
                        float got[REQUESTS][MAX_CLASSES])
{
    for (int i = 0; i < REQUESTS; i++) {
        float alone[MAX_CLASSES] = {0};
        struct sy_request one = request[i];
        one.result[0].outputs = alone;
        sy_executor_run(executor, &one, 1, NULL);
        ck_assert_mem_eq(alone, got[i], sizeof alone);
    }
}

/* One network, one batch of random paths; returns the largest difference. */
static double check_network(const struct sy_snapshot_options *made,
                            uint64_t seed)
{
    struct sy_random_options options = {
        .seed = seed,
        .norm = seed % 2 == 0 ? SY_NORM_PER_DOMAIN : SY_NORM_SHARED,
    };
    struct sy_network *network = sy_random_network(&options);
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, 0);
    struct sy_path path[REQUESTS];
    struct sy_request request[REQUESTS];
    float got[REQUESTS][MAX_CLASSES] = {{0}}, expected[MAX_CLASSES];
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_error err = {0};
    double worst = 0.0;

    sy_check_ok(sy_snapshot_make(&snapshot, network, made, &err), err);
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
    check_alone(executor, request, got);
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

/* All networks on every backend that can run the weights. */
static void check_backends(enum sy_weights weights)
{
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        const struct sy_snapshot_options made = {
            .label = "1", .backend = *b, .weights = weights};
        double worst = 0.0;
        if (!(*b)->available()) {
            printf("%-10s not available here\n", (*b)->name);
            continue;
        }
        if (weights == SY_WEIGHTS_HALF && (*b)->halves == NULL) {
            continue;
        }
        for (uint64_t seed = 0; seed < NETWORKS; seed++) {
            double difference = check_network(&made, seed);
            ck_assert_msg(difference <= tolerance[weights],
                          "%s, network %d: difference of %g, at most %g",
                          (*b)->name, (int)seed, difference,
                          tolerance[weights]);
            worst = fmax(worst, difference);
        }
        printf("%-10s %d networks, largest relative difference %.1e\n",
               (*b)->name, (int)NETWORKS, worst);
    }
}

START_TEST(the_executor_computes_what_the_plans_say_on_every_backend)
{
    check_backends(SY_WEIGHTS_FULL);
}
END_TEST

START_TEST(with_weights_of_half_the_width_it_stays_close)
{
    check_backends(SY_WEIGHTS_HALF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executor on every backend");
    TCase *tc = tcase_create("conformance");
    tcase_add_test(tc,
                   the_executor_computes_what_the_plans_say_on_every_backend);
    tcase_add_test(tc, with_weights_of_half_the_width_it_stays_close);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
