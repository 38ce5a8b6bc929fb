/*
 * bench.c - microseconds per path, interleaved.
 *
 * DESIGN. Machines drift: the same program is a third slower a minute later.
 * So cases are never timed one after the other but round by round, each round
 * in an order of its own, and the median over the rounds is reported. Within
 * a round a case runs once untimed, since otherwise its time would depend on
 * how many other cases there are to push its weights out of the caches.
 */
#include "runtime/executor/bench.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

enum { DEFAULT_ROUNDS = 101, DEFAULT_REPEATS = 3 };

struct sy_path sy_bench_random_path(const struct sy_network_spec *spec,
                                    struct sy_rng *rng)
{
    struct sy_path path = {.layer_count = spec->layer_count};

    for (int l = 0; l < spec->layer_count; l++) {
        path.block[l] =
            (int)sy_rng_below(rng, (uint32_t)spec->layer[l].block_count);
    }
    return path;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One sample, in microseconds per run. */
static double sample(const struct sy_bench_case *c, const float *image,
                     int repeats)
{
    struct sy_request request = {
        .image = image, .domain = c->domain, .path = c->path};

    sy_executor_run(c->executor, &request, 1, NULL);
    int64_t start_ns = sy_now_ns();
    for (int i = 0; i < repeats; i++) {
        sy_executor_run(c->executor, &request, 1, NULL);
    }
    return (double)(sy_now_ns() - start_ns) / repeats / 1000.0;
}

/* The largest input of all cases, filled with random numbers; owned. */
static float *make_image(const struct sy_bench_case *cases, int count,
                         uint64_t seed)
{
    size_t most = 0;
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_BENCH, 0, 0);

    for (int i = 0; i < count; i++) {
        const struct sy_network *network =
            sy_executor_network(cases[i].executor);
        size_t floats = sy_shape_floats(network->spec.input);
        most = floats > most ? floats : most;
    }
    float *image = sy_alloc(most * sizeof(float));
    for (size_t i = 0; image != NULL && i < most; i++) {
        image[i] = sy_rng_normal(&rng);
    }
    return image;
}

enum sy_status sy_bench_paths(struct sy_bench_case *cases, int count,
                              const struct sy_bench_options *options,
                              struct sy_error *err)
{
    struct sy_bench_options o =
        options != NULL ? *options : (struct sy_bench_options){0};
    size_t n = (size_t)count;
    o.rounds = o.rounds > 0 ? o.rounds : DEFAULT_ROUNDS;
    o.repeats = o.repeats > 0 ? o.repeats : DEFAULT_REPEATS;
    size_t rounds = (size_t)o.rounds;
    float *image = make_image(cases, count, o.seed);
    double *all_us = sy_alloc_zero(n * rounds, sizeof *all_us);
    uint32_t *order = sy_alloc_zero(n, sizeof *order);
    enum sy_status status = SY_OK;

    if (image == NULL || all_us == NULL || order == NULL) {
        status =
            sy_fail(err, SY_NO_MEMORY, "bench: no memory for %d cases", count);
        goto out;
    }
    for (size_t r = 0; r < rounds; r++) {
        struct sy_rng rng = sy_rng_stream(o.seed, SY_RNG_BENCH, r + 1, 0);
        sy_rng_permutation(&rng, order, (uint32_t)count);
        for (size_t i = 0; i < n; i++) {
            all_us[order[i] * rounds + r] =
                sample(&cases[order[i]], image, o.repeats);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double *us = all_us + i * rounds;
        qsort(us, rounds, sizeof *us, compare);
        cases[i].median_us = (us[(rounds - 1) / 2] + us[rounds / 2]) / 2.0;
        cases[i].p95_us = us[(rounds * 95 + 99) / 100 - 1];
    }
out:
    sy_free(image);
    sy_free(all_us);
    sy_free(order);
    return status;
}

/* Rank of values[i], from 0; equal values share the mean of theirs. */
static double rank_of(const double *values, int count, int i)
{
    int below = 0, equal = 0;

    for (int j = 0; j < count; j++) {
        below += values[j] < values[i];
        equal += values[j] == values[i];
    }
    return below + (equal - 1) / 2.0;
}

double sy_spearman(const double *a, const double *b, int count)
{
    double mean = (count - 1) / 2.0; /* of any ranks, ties or not */
    double ab = 0.0, aa = 0.0, bb = 0.0;

    for (int i = 0; i < count; i++) {
        double x = rank_of(a, count, i) - mean;
        double y = rank_of(b, count, i) - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}
