/*
 * bench_roofline.c - each unit of a network against what this machine allows.
 *
 *   bench_roofline [--json] [--check] [--half-weights] [--rounds N] [CONFIG...]
 *
 * One image, one thread, the network of each configuration's first path with
 * random weights. For every unit (stem, block, trunk, head): the multiply-adds
 * and bytes a second that it reached, against the core's multiply-add peak and
 * its read bandwidth, all measured in the same run. --check only says whether
 * every figure is there and positive.
 *
 * DESIGN. Bytes are those that a unit cannot avoid: its weights as they are
 * stored and its folded norms once, its input and output once. Weights come
 * from the smallest level of memory that holds all of the path's, because
 * between two images all others have passed through; activations come from the
 * level that holds the unit's own. The floor is the longer of the time for the
 * multiply-adds at the peak and the time for the bytes at those levels'
 * bandwidth; no unit can be faster, and values inside a block, which may stay
 * in the caches, are not counted. Time is the executor's own profile, two looks
 * at the clock a unit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "bench/lib/subject.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"

enum { MAX_ROUNDS = 201, MAX_STAGES = SY_MAX_LAYERS + 3, RUNS = 20 };

/* One unit on the path, and what was found. */
struct stage {
    const struct sy_unit *unit;
    char text[2 * SY_NAME_BYTES + 8];
    double flops, weight_bytes, value_bytes;
    double us[MAX_ROUNDS]; /* of each round; then [0] is the median */
    double floor_us;
    const char *bound; /* "compute", or the level that weights come from */
    double bound_gbytes;
};

struct roofline {
    const char *config;
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    const struct sy_network *network;
    enum sy_weights stored;
    double peak; /* GFLOP/s */
    struct bench_level level[BENCH_LEVELS];
    int rounds;
    const struct bench_level *weights_from;
    int stage_count;
    struct stage stage[MAX_STAGES];
};

static enum sy_status open_network(struct roofline *r, const char *config,
                                   struct sy_error *err)
{
    const struct sy_snapshot_options options = {.label = "bench",
                                                .weights = r->stored};
    struct sy_network *network = NULL;
    r->config = config;
    SY_TRY(bench_network(&network, config, false, err));
    SY_TRY(sy_snapshot_make(&r->snapshot, network, &options, err));
    r->network = sy_snapshot_network(r->snapshot);
    return sy_executor_new(&r->executor, r->snapshot, NULL, 1, err);
}

static void close_network(struct roofline *r)
{
    sy_executor_free(r->executor);
    sy_snapshot_unref(r->snapshot);
    r->executor = NULL;
    r->snapshot = NULL;
}

/* Bytes of the weights and of one set of folded norms. */
static double stored_bytes(const struct roofline *r, int index)
{
    const struct sy_plan *plan = &r->network->unit[index].plan;
    size_t bytes = sy_snapshot_weight_bytes(r->snapshot, index);
    for (int n = 0; n < plan->norm_count; n++) {
        bytes += 2 * (size_t)plan->norm[n].channels * sizeof(float);
    }
    return (double)bytes;
}

/* The units that compute something, in order. */
static void list_stages(struct roofline *r)
{
    const struct sy_network *network = r->network;
    r->stage_count = 0;
    for (int s = 0; s < sy_network_stages(network); s++) {
        int index = sy_network_stage_unit(network, s, &network->expert[0].path,
                                          network->expert[0].domain);
        const struct sy_unit *unit = &network->unit[index];
        if (unit->plan.node_count == 0) {
            continue;
        }
        struct stage *stage = &r->stage[r->stage_count++];
        *stage = (struct stage){.unit = unit};
        (void)snprintf(stage->text, sizeof stage->text, "%s", unit->id);
        if (unit->block >= 0) {
            sy_block_text(
                &network->spec.layer[unit->layer].block[unit->block].spec,
                stage->text, sizeof stage->text);
        }
        size_t in = sy_shape_floats(unit->plan.value[0]);
        size_t out = sy_shape_floats(unit->plan.value[unit->plan.output]);
        stage->flops = 2.0 * (double)unit->cost.madds;
        stage->weight_bytes = stored_bytes(r, index);
        stage->value_bytes = (double)((in + out) * sizeof(float));
    }
}

/* The level in which a working set of so many bytes stays. */
static const struct bench_level *level_for(const struct roofline *r,
                                           double bytes)
{
    int i = 0;
    while (i < BENCH_LEVELS - 1 && bytes > (double)r->level[i].bytes) {
        i++;
    }
    return &r->level[i];
}

static void find_floors(struct roofline *r)
{
    double weights = 0.0;
    for (int i = 0; i < r->stage_count; i++) {
        weights += r->stage[i].weight_bytes;
    }
    const struct bench_level *from = level_for(r, weights);
    r->weights_from = from;
    for (int i = 0; i < r->stage_count; i++) {
        struct stage *stage = &r->stage[i];
        double compute_us = stage->flops / r->peak / 1e3;
        double memory_us =
            stage->weight_bytes / from->gbytes / 1e3 +
            stage->value_bytes / level_for(r, stage->value_bytes)->gbytes / 1e3;
        bool memory = memory_us > compute_us;
        stage->floor_us = memory ? memory_us : compute_us;
        stage->bound = memory ? from->name : "compute";
        stage->bound_gbytes =
            (stage->weight_bytes + stage->value_bytes) / memory_us / 1e3;
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum sy_status measure(struct roofline *r, struct sy_error *err)
{
    size_t floats = sy_shape_floats(r->network->spec.input);
    float *image = sy_alloc(floats * sizeof *image);
    float answer[BENCH_CLASSES];
    if (image == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "no memory for an image");
    }
    bench_pixels(image, floats);
    struct sy_request request = {.image = image, .lane_count = 1};
    request.result[0].probabilities = answer;
    for (int round = -1; round < r->rounds; round++) {
        sy_executor_profile(r->executor, true);
        for (int i = 0; i < RUNS; i++) {
            sy_executor_run(r->executor, &request, 1, NULL);
        }
        for (int i = 0; i < r->stage_count; i++) {
            struct stage *stage = &r->stage[i];
            const struct sy_unit_profile *p = sy_executor_unit_profile(
                r->executor, (int)(stage->unit - r->network->unit));
            stage->us[round < 0 ? 0 : round] =
                (double)p->ns / 1e3 / (double)(p->runs > 0 ? p->runs : 1);
        }
    }
    sy_executor_profile(r->executor, false);
    for (int i = 0; i < r->stage_count; i++) {
        double *us = r->stage[i].us;
        qsort(us, (size_t)r->rounds, sizeof *us, by_value);
        us[0] = us[r->rounds / 2];
    }
    sy_free(image);
    return SY_OK;
}

static void print_text(const struct roofline *r)
{
    double us = 0.0, floor_us = 0.0, flops = 0.0;
    printf("\n%s\n%-10s %-26s %9s %8s %8s %6s %7s %8s %6s %s\n", r->config,
           "unit", "", "MAdds", "us", "GFLOP/s", "of it", "GB/s", "floor us",
           "of it", "bound by");
    for (int i = 0; i < r->stage_count; i++) {
        const struct stage *s = &r->stage[i];
        double rate = s->flops / s->us[0] / 1e3;
        printf("%-10s %-26s %9.0f %8.2f %8.1f %5.0f%% %7.1f %8.2f %5.0f%% %s\n",
               s->unit->id, s->text, s->flops / 2.0, s->us[0], rate,
               100.0 * rate / r->peak,
               (s->weight_bytes + s->value_bytes) / s->us[0] / 1e3, s->floor_us,
               100.0 * s->floor_us / s->us[0], s->bound);
        us += s->us[0];
        floor_us += s->floor_us;
        flops += s->flops;
    }
    printf("%-10s %-26s %9.0f %8.2f %8.1f %5.0f%% %7s %8.2f %5.0f%%\n", "all",
           "", flops / 2.0, us, flops / us / 1e3,
           100.0 * flops / us / 1e3 / r->peak, "", floor_us,
           100.0 * floor_us / us);
}

/* Three rows a unit: against the peak, the bandwidth and the floor. */
static void add_rows(const struct roofline *r, json_t *rows)
{
    char name[512], peer[48];
    for (int i = 0; i < r->stage_count; i++) {
        const struct stage *s = &r->stage[i];
        double bytes = s->weight_bytes + s->value_bytes;
        (void)snprintf(name, sizeof name, "%s %s %s", r->network->name,
                       s->unit->id, s->text);
        (void)snprintf(peer, sizeof peer, "reads, weights from %s",
                       r->weights_from->name);
        (void)bench_row(rows, name, "multiply-add peak", "GFLOP/s",
                        s->flops / s->us[0] / 1e3, r->peak);
        (void)bench_row(rows, name, peer, "GB/s", bytes / s->us[0] / 1e3,
                        s->bound_gbytes);
        json_t *row =
            bench_row(rows, name, "floor", "us", s->us[0], s->floor_us);
        (void)json_object_set_new(row, "bound", json_string(s->bound));
    }
}

/* What --check promises. */
static enum sy_status check(const struct roofline *r, struct sy_error *err)
{
    for (int i = 0; i < r->stage_count; i++) {
        const struct stage *s = &r->stage[i];
        if (!(s->us[0] > 0.0) || !(s->floor_us > 0.0) || !(s->flops > 0.0)) {
            return sy_fail(err, SY_INTERNAL, "%s: no figures for %s", r->config,
                           s->unit->id);
        }
    }
    printf("%s: %d units measured\n", r->config, r->stage_count);
    return SY_OK;
}

struct options {
    bool json, check;
    enum sy_weights weights;
    int rounds;
};

static enum sy_status run(const struct options *options, char *const *configs,
                          int count, struct sy_error *err)
{
    static struct roofline r;
    const struct sy_backend *backend = sy_backend_best();
    enum sy_status status = SY_OK;
    json_t *rows = json_array(), *machine = bench_machine(backend);

    r.rounds = options->rounds;
    r.stored = options->weights;
    r.peak = bench_peak_gflops(backend);
    bench_levels(backend, r.level);
    (void)json_object_set_new(machine, "peak_gflops", json_real(r.peak));
    for (int i = 0; i < BENCH_LEVELS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "%s_gbytes", r.level[i].name);
        (void)json_object_set_new(machine, key, json_real(r.level[i].gbytes));
    }
    if (!options->json && !options->check) {
        printf("kernels %s, %s weights, one thread; peak %.0f GFLOP/s; reads",
               backend->name, r.stored == SY_WEIGHTS_HALF ? "half" : "full",
               r.peak);
        for (int i = 0; i < BENCH_LEVELS; i++) {
            printf("%s %s %.0f GB/s", i > 0 ? "," : "", r.level[i].name,
                   r.level[i].gbytes);
        }
        printf("\n");
    }
    for (int i = 0; i < count && status == SY_OK; i++) {
        status = open_network(&r, configs[i], err);
        if (status == SY_OK) {
            list_stages(&r);
            status = measure(&r, err);
        }
        if (status == SY_OK) {
            find_floors(&r);
            if (options->check) {
                status = check(&r, err);
            } else if (options->json) {
                add_rows(&r, rows);
            } else {
                print_text(&r);
            }
        }
        close_network(&r);
    }
    if (options->json && status == SY_OK) {
        bench_print(machine, rows);
        return status;
    }
    json_decref(machine);
    json_decref(rows);
    return status;
}

int main(int argc, char **argv)
{
    static char *usual[] = {
        "bench/nets/mbv3s32_1M.json",  "bench/nets/mbv3s32_6M.json",
        "bench/nets/mbv3s32_30M.json", "bench/nets/mbv3s224.json",
        "configs/first.json",
    };
    struct options options = {.rounds = 51};
    struct sy_error err = {0};
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--half-weights") == 0) {
            options.weights = SY_WEIGHTS_HALF;
        } else if (strcmp(argv[i], "--check") == 0) {
            options.check = true;
            options.rounds = 1;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            options.rounds = (int)strtol(argv[++i], NULL, 10);
        } else {
            options.rounds = 0;
        }
    }
    if (options.rounds < 1 || options.rounds > MAX_ROUNDS) {
        fprintf(stderr,
                "usage: bench_roofline [--json] [--check] [--half-weights] "
                "[--rounds 1..%d] [CONFIG...]\n",
                MAX_ROUNDS);
        return EXIT_FAILURE;
    }
    int count = argc - i;
    enum sy_status status =
        count > 0
            ? run(&options, argv + i, count, &err)
            : run(&options, usual, (int)(sizeof usual / sizeof usual[0]), &err);
    if (status != SY_OK) {
        fprintf(stderr, "bench_roofline: %s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
