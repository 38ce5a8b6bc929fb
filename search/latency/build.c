/*
 * build.c - measures the blocks of a network and checks the sum.
 *
 * DESIGN. A block is measured where it lives: inside a path that the executor
 * runs, with its input just written by the block before it, and its weights
 * fetched once before. All blocks of a layer take turns in every round, each
 * round in a new order and beside other blocks, so what else the machine does
 * meets them alike, and the median over rounds stands. What lies between the
 * blocks (opening lanes, sorting them, the clock itself) is in no block; it is
 * nearly the same for all paths, and a straight line fitted from sums of
 * blocks to whole paths measured without the inner clock takes it in.
 */
#include "search/latency/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/bench.h"
#include "runtime/latency/table.h"

enum {
    DEFAULT_ROUNDS = 101,
    DEFAULT_FIT = 40,
    DEFAULT_TEST = 20,
    TRIES = 50 /* for each path that is to differ from those before */
};

/* Sums that differ by less than this share, squared, are one point. */
static const double flat = 1e-6;

struct builder {
    struct sy_latency_table *table;
    struct nas_latency_options options;
    struct sy_network *network; /* the snapshot's */
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    float *image;
    int turns;      /* runs in a round: blocks of the widest layer */
    int *seen;      /* samples of each unit, */
    double *sample; /* turns x rounds places for each */
    struct sy_bench_case *timed;
    struct sy_latency_path *path; /* of the fit, then of the test */
    double *error;                /* of the test */
    int fit, test;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts in place. */
static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count > 0 ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

/* A supernet of the spec with a head of each measured number of classes. */
static enum sy_status open_network(struct builder *b, struct sy_error *err)
{
    struct sy_domain domain[SY_LATENCY_HEADS];
    memset(domain, 0, sizeof domain);
    for (int i = 0; i < SY_LATENCY_HEADS; i++) {
        domain[i].classes = sy_latency_classes[i];
        (void)snprintf(domain[i].name, sizeof domain[i].name, "classes-%d",
                       sy_latency_classes[i]);
    }
    struct sy_network_parts parts = {.name = b->table->name,
                                     .spec = &b->table->spec,
                                     .domain_count = SY_LATENCY_HEADS,
                                     .domain = domain};
    SY_TRY(sy_network_new(&b->network, &parts, err));
    sy_network_init(b->network, b->options.seed);
    struct sy_network *given = b->network;
    SY_TRY(sy_snapshot_new(&b->snapshot, given, "latency", NULL, err));
    return sy_executor_new(&b->executor, b->snapshot, NULL, 1, err);
}

static enum sy_status reserve(struct builder *b, struct sy_error *err)
{
    const struct sy_network_spec *spec = &b->table->spec;
    size_t units = (size_t)b->network->unit_count;
    size_t floats = sy_shape_floats(spec->input);
    size_t paths = (size_t)(b->options.fit_paths + b->options.test_paths);
    for (int l = 0; l < spec->layer_count; l++) {
        int count = spec->layer[l].block_count;
        b->turns = count > b->turns ? count : b->turns;
    }
    b->turns = b->turns > SY_LATENCY_HEADS ? b->turns : SY_LATENCY_HEADS;
    b->seen = sy_alloc_zero(units, sizeof *b->seen);
    b->sample =
        sy_alloc_zero(units * (size_t)b->turns * (size_t)b->options.rounds,
                      sizeof *b->sample);
    b->image = sy_alloc(floats * sizeof *b->image);
    b->timed = sy_alloc_zero(paths, sizeof *b->timed);
    b->path = sy_alloc_zero(paths, sizeof *b->path);
    b->error = sy_alloc_zero(paths, sizeof *b->error);
    if (!b->seen || !b->sample || !b->image || !b->timed || !b->path ||
        !b->error) {
        return sy_fail(err, SY_NO_MEMORY, "latency: no memory");
    }
    struct sy_rng rng = sy_rng_stream(b->options.seed, SY_RNG_BENCH, 0, 0);
    for (size_t i = 0; i < floats; i++) {
        b->image[i] = sy_rng_normal(&rng);
    }
    return SY_OK;
}

/* Runs the path once unseen, then once under the clock. */
static void time_units(struct builder *b, const struct sy_path *path,
                       int domain)
{
    struct sy_request request = {
        .image = b->image, .domain = domain, .path = path};
    int most = b->turns * b->options.rounds;
    sy_executor_profile(b->executor, false);
    sy_executor_run(b->executor, &request, 1, NULL);
    sy_executor_profile(b->executor, true);
    sy_executor_run(b->executor, &request, 1, NULL);
    for (int s = 0; s < sy_network_stages(b->network); s++) {
        int unit = sy_network_stage_unit(b->network, s, path, domain);
        const struct sy_unit_profile *profile =
            sy_executor_unit_profile(b->executor, unit);
        SY_ASSERT(b->seen[unit] < most);
        b->sample[(size_t)unit * (size_t)most + (size_t)b->seen[unit]++] =
            (double)profile->ns / 1e3;
    }
}

/* One round: every block of every layer is on some path. */
static void run_round(struct builder *b, int round)
{
    const struct sy_network_spec *spec = &b->table->spec;
    uint32_t order[SY_MAX_LAYERS][SY_MAX_BLOCKS];
    struct sy_rng rng =
        sy_rng_stream(b->options.seed, SY_RNG_BENCH, (uint64_t)round + 1, 1);
    for (int l = 0; l < spec->layer_count; l++) {
        sy_rng_permutation(&rng, order[l],
                           (uint32_t)spec->layer[l].block_count);
    }
    for (int turn = 0; turn < b->turns; turn++) {
        struct sy_path path = {.layer_count = spec->layer_count};
        for (int l = 0; l < spec->layer_count; l++) {
            path.block[l] = (int)order[l][turn % spec->layer[l].block_count];
        }
        time_units(b, &path, turn % SY_LATENCY_HEADS);
    }
}

static double unit_us(struct builder *b, int unit)
{
    size_t most = (size_t)b->turns * (size_t)b->options.rounds;
    return median(b->sample + (size_t)unit * most, b->seen[unit]);
}

static void measure_blocks(struct builder *b)
{
    struct sy_latency_table *table = b->table;
    for (int round = 0; round < b->options.rounds; round++) {
        run_round(b, round);
    }
    sy_executor_profile(b->executor, false);
    table->stem_us = unit_us(b, b->network->stem);
    table->trunk_us = unit_us(b, b->network->trunk);
    for (int i = 0; i < SY_LATENCY_HEADS; i++) {
        table->head_us[i] = unit_us(b, sy_network_head(b->network, i));
    }
    for (int l = 0; l < table->spec.layer_count; l++) {
        for (int i = 0; i < table->spec.layer[l].block_count; i++) {
            table->block_us[l][i] =
                unit_us(b, sy_network_block(b->network, l, i));
        }
    }
}

/* Draws distinct paths: for the fit, and of those left over for the test.
   A small network has fewer than asked for; the fit then gets half. */
static void draw_paths(struct builder *b)
{
    int wanted = b->options.fit_paths + b->options.test_paths;
    int found = 0;
    struct sy_rng rng = sy_rng_stream(b->options.seed, SY_RNG_PATH, 0, 0);
    for (int tries = 0; found < wanted && tries < wanted * TRIES; tries++) {
        struct sy_path path = sy_bench_random_path(&b->table->spec, &rng);
        bool is_new = true;
        for (int i = 0; i < found && is_new; i++) {
            is_new = !sy_path_equal(&path, &b->path[i].path);
        }
        if (is_new) {
            b->path[found++].path = path;
        }
    }
    b->fit = found < wanted ? (found + 1) / 2 : b->options.fit_paths;
    b->test = found - b->fit;
}

static enum sy_status measure_paths(struct builder *b, struct sy_error *err)
{
    struct sy_bench_options options = {.rounds = b->options.rounds,
                                       .seed = b->options.seed};
    draw_paths(b);
    for (int i = 0; i < b->fit + b->test; i++) {
        b->timed[i] = (struct sy_bench_case){
            .executor = b->executor, .path = &b->path[i].path, .domain = 0};
    }
    SY_TRY(sy_bench_paths(b->timed, b->fit + b->test, &options, err));
    for (int i = 0; i < b->fit + b->test; i++) {
        b->path[i].measured_us = b->timed[i].median_us;
    }
    return SY_OK;
}

/* Predicts all paths with the table's offset and factor. */
static enum sy_status predict(struct builder *b, struct sy_latency *latency,
                              struct sy_error *err)
{
    SY_TRY(
        sy_latency_apply(latency, b->table, &b->table->spec, "latency", err));
    for (int i = 0; i < b->fit + b->test; i++) {
        b->path[i].predicted_us = sy_latency_path_us(latency, &b->path[i].path,
                                                     sy_latency_classes[0]);
    }
    return SY_OK;
}

void sy_latency_fit(struct sy_latency_table *table,
                    const struct sy_latency_path *path, int count)
{
    double n = count, x = 0, y = 0, xx = 0, xy = 0;
    for (int i = 0; i < count; i++) {
        x += path[i].predicted_us / n;
        y += path[i].measured_us / n;
    }
    for (int i = 0; i < count; i++) {
        double dx = path[i].predicted_us - x;
        xx += dx * dx;
        xy += dx * (path[i].measured_us - y);
    }
    bool line = xx > flat * x * x * n && xy > 0;
    table->factor = line ? xy / xx : y / x;
    table->offset_us = line ? y - table->factor * x : 0;
}

static enum sy_status check(struct builder *b, struct sy_latency *latency,
                            struct sy_error *err)
{
    struct sy_latency_check *check = &b->table->check;
    double *errors = b->error;
    b->table->factor = 1;
    SY_TRY(predict(b, latency, err));
    sy_latency_fit(b->table, b->path, b->fit);
    SY_TRY(predict(b, latency, err));
    check->fit_paths = b->fit;
    check->test_paths = b->test;
    b->table->path = b->path + b->fit;
    for (int i = 0; i < b->test; i++) {
        const struct sy_latency_path *path = &b->table->path[i];
        errors[i] =
            fabs(path->predicted_us - path->measured_us) / path->measured_us;
    }
    check->median_error = median(errors, b->test);
    check->worst_error = b->test > 0 ? errors[b->test - 1] : 0;
    latency->check = *check;
    return SY_OK;
}

static void close_builder(struct builder *b)
{
    sy_executor_free(b->executor);
    sy_snapshot_unref(b->snapshot);
    sy_free(b->table);
    sy_free(b->image);
    sy_free(b->seen);
    sy_free(b->sample);
    sy_free(b->timed);
    sy_free(b->path);
    sy_free(b->error);
}

enum sy_status nas_latency_build(json_t **table, struct sy_latency *latency,
                                 const struct sy_network_spec *spec,
                                 const struct nas_latency_options *options,
                                 struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct builder b = {.options = *options};
    b.options.rounds = options->rounds > 0 ? options->rounds : DEFAULT_ROUNDS;
    b.options.fit_paths =
        options->fit_paths > 0 ? options->fit_paths : DEFAULT_FIT;
    b.options.test_paths =
        options->test_paths > 0 ? options->test_paths : DEFAULT_TEST;
    b.table = sy_alloc_zero(1, sizeof *b.table);
    if (b.table == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "latency: no memory");
    }
    b.table->spec = *spec;
    (void)snprintf(b.table->name, sizeof b.table->name, "%s", options->name);
    (void)snprintf(b.table->program, sizeof b.table->program, "%s", SY_VERSION);
    (void)sy_machine_cpu(b.table->cpu, sizeof b.table->cpu);
    SY_TRY_OUT(open_network(&b, err));
    (void)snprintf(b.table->kernels, sizeof b.table->kernels, "%s",
                   sy_snapshot_backend(b.snapshot)->name);
    SY_TRY_OUT(reserve(&b, err));
    measure_blocks(&b);
    SY_TRY_OUT(measure_paths(&b, err));
    SY_TRY_OUT(check(&b, latency, err));
    *table = sy_latency_table_to_json(b.table);
    if (*table == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "latency: no memory");
    }
out:
    close_builder(&b);
    return status;
}
