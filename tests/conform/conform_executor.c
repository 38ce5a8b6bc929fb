/*
 * conform_executor.c - the executor on every backend against the plain
 * evaluation of the unfused plans.
 *
 * Random networks of every block kind, with norms shared and per domain; all
 * paths of a batch in one run. It checks fusing, packing, folding and placing
 * at once, and prints the largest difference of each backend. Weights of half
 * the width are held against two things: the bits of a network that was rounded
 * beforehand, and how far rounding alone moves the outputs.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/half.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "runtime/executor/ready.h"
#include "tests/support/check_main.h"
#include "tests/support/plain_eval.h"
#include "tests/support/random_network.h"

enum { NETWORKS = 24, REQUESTS = 6, MAX_CLASSES = 16 };

/*
 * Differences are relative to the largest output of the sample. The
 * reference sums in double and rounds once per operator; kernels sum in
 * float over up to 7 * 7 * 144 products, through up to 20 operators. What
 * rounding weights to half the width does to outputs is a property of the
 * format and of these networks, not of kernels: a little above what was found,
 * 2.1e-3, and the same on all backends.
 */
static const double tolerance = 1e-4, rounding = 2.5e-3;

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

static struct sy_random_options options_of(uint64_t seed)
{
    return (struct sy_random_options){
        .seed = seed,
        .norm = (enum sy_norm_mode)(seed % SY_NORM_MODES),
    };
}

/*
 * One batch of random paths of the network, which is taken; returns the
 * largest difference from its plain evaluation, if that is wanted, or 0.
 */
static double run_network(struct sy_network *network,
                          const struct sy_snapshot_options *made, bool plain,
                          float got[REQUESTS][MAX_CLASSES], uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_TEST, 1, 0);
    struct sy_path path[REQUESTS];
    struct sy_request request[REQUESTS];
    float expected[MAX_CLASSES];
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_error err = {0};
    double worst = 0.0;

    memset(got, 0, sizeof(float[REQUESTS][MAX_CLASSES]));
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
        if (plain) {
            sy_plain_eval(network, &path[i], request[i].domain,
                          request[i].image, expected);
            worst =
                fmax(worst, relative_difference(
                                got[i], expected,
                                network->domain[request[i].domain].classes));
        }
        sy_free((void *)(uintptr_t)request[i].image);
    }
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    return worst;
}

/* Rounds the weights that the snapshot, of an equal network, keeps in half. */
static void round_weights(struct sy_network *network,
                          const struct sy_snapshot *snapshot)
{
    for (int u = 0; u < network->unit_count; u++) {
        const struct sy_unit *unit = &network->unit[u];
        const struct sy_ready_unit *ready = sy_snapshot_unit(snapshot, u);
        for (int i = 0; i < ready->step_count; i++) {
            int weight = ready->step[i].node.weight;
            if (!ready->step[i].half) {
                continue;
            }
            const struct sy_plan_param *param = &unit->plan.param[weight];
            size_t count = 1;
            for (int d = 0; d < param->dims; d++) {
                count *= (size_t)param->dim[d];
            }
            float *values = network->values + unit->weight[weight];
            for (size_t n = 0; n < count; n++) {
                values[n] = sy_half_float(sy_half(values[n]));
            }
        }
    }
}

/* The network of that seed, rounded where `made` keeps half the width. */
static struct sy_network *rounded_network(
    const struct sy_random_options *options,
    const struct sy_snapshot_options *made)
{
    struct sy_network *network = sy_random_network(options);
    struct sy_snapshot *snapshot;
    struct sy_error err = {0};
    sy_check_ok(
        sy_snapshot_make(&snapshot, sy_random_network(options), made, &err),
        err);
    round_weights(network, snapshot);
    sy_snapshot_unref(snapshot);
    return network;
}

/* Calls `check` for every backend that is there; it returns a difference. */
static void each_backend(double (*check)(const struct sy_backend *backend,
                                         uint64_t seed),
                         double limit)
{
    for (const struct sy_backend *const *b = sy_backends(); *b != NULL; b++) {
        double worst = 0.0;
        if (!(*b)->available()) {
            printf("%-10s not available here\n", (*b)->name);
            continue;
        }
        for (uint64_t seed = 0; seed < NETWORKS; seed++) {
            double difference = check(*b, seed);
            ck_assert_msg(difference <= limit,
                          "%s, network %d: difference of %g, at most %g",
                          (*b)->name, (int)seed, difference, limit);
            worst = fmax(worst, difference);
        }
        printf("%-10s %d networks, largest relative difference %.1e\n",
               (*b)->name, (int)NETWORKS, worst);
    }
}

static double check_full(const struct sy_backend *backend, uint64_t seed)
{
    const struct sy_random_options options = options_of(seed);
    const struct sy_snapshot_options made = {.label = "1", .backend = backend};
    float got[REQUESTS][MAX_CLASSES];
    return run_network(sy_random_network(&options), &made, true, got, seed);
}

/* Also holds the bits against those of the rounded network. */
static double check_half(const struct sy_backend *backend, uint64_t seed)
{
    const struct sy_random_options options = options_of(seed);
    struct sy_snapshot_options made = {
        .label = "1", .backend = backend, .weights = SY_WEIGHTS_HALF};
    struct sy_network *rounded = rounded_network(&options, &made);
    float got[REQUESTS][MAX_CLASSES], expected[REQUESTS][MAX_CLASSES];

    double moved =
        run_network(sy_random_network(&options), &made, true, got, seed);
    made.weights = SY_WEIGHTS_FULL;
    (void)run_network(rounded, &made, false, expected, seed);
    ck_assert_mem_eq(got, expected, sizeof got);
    return moved;
}

START_TEST(the_executor_computes_what_the_plans_say_on_every_backend)
{
    each_backend(check_full, tolerance);
}
END_TEST

START_TEST(weights_of_half_the_width_give_the_bits_of_a_rounded_network)
{
    each_backend(check_half, rounding);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executor on every backend");
    TCase *tc = tcase_create("conformance");
    tcase_add_test(tc,
                   the_executor_computes_what_the_plans_say_on_every_backend);
    tcase_add_test(
        tc, weights_of_half_the_width_give_the_bits_of_a_rounded_network);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
