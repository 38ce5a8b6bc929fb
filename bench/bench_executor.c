/*
 * bench_executor.c - does time follow the path?
 *
 *   bench_executor [--json] [--rounds N] [--paths N]
 *
 * Builds a supernet of the shape of a typical configuration with random
 * weights and times random paths at batch 1 on one thread, interleaved. Says
 * how well the ranks of time and MAdds agree, and what one path costs in
 * supernets with one, two and four times the candidates.
 *
 * Rows of --json: `ours` against `theirs`, in `unit`, and their ratio. The
 * peer of a path is the mean time per MAdd of all paths, times its MAdds; the
 * peer of a larger supernet is the one with 1x candidates.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "runtime/base/memory.h"
#include "runtime/executor/bench.h"

enum { CANDIDATES = 6, MAX_PATHS = 200, SIZES = 3, SEED = 1 };

struct options {
    bool json;
    int rounds;
    int paths;
};

/* One supernet, ready to run. */
struct subject {
    struct sy_network *network; /* belongs to the snapshot */
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
};

/* Channels and stride of each layer: 32 x 32 down to 4 x 4. */
static const int layers[][2] = {{16, 1}, {24, 2}, {24, 1}, {40, 2},
                                {40, 1}, {64, 2}, {96, 1}, {96, 1}};
enum { LAYERS = sizeof layers / sizeof layers[0] };

static struct sy_block_spec candidate(int index)
{
    static const struct {
        enum sy_block_kind kind;
        int kernel, expansion;
    } kinds[CANDIDATES] = {
        {SY_BLOCK_MBCONV, 3, 1}, {SY_BLOCK_MBCONV, 5, 3},
        {SY_BLOCK_MBCONV, 7, 6}, {SY_BLOCK_FUSED, 3, 2},
        {SY_BLOCK_GROUP, 3, 2},  {SY_BLOCK_ZERO, 0, 0},
    };
    struct sy_block_spec spec =
        sy_block_defaults(kinds[index % CANDIDATES].kind);

    if (spec.kind != SY_BLOCK_ZERO) {
        spec.kernel = kinds[index % CANDIDATES].kernel;
        spec.expansion = kinds[index % CANDIDATES].expansion;
    }
    return spec;
}

static void fill_spec(struct sy_network_spec *spec, int times)
{
    memset(spec, 0, sizeof *spec);
    spec->input = (struct sy_shape){32, 32, 3};
    spec->stem = sy_block_defaults(SY_BLOCK_CONV);
    spec->stem_channels = 16;
    spec->stem_stride = 1;
    spec->layer_count = LAYERS;
    for (int l = 0; l < LAYERS; l++) {
        struct sy_layer_spec *layer = &spec->layer[l];
        layer->channels = layers[l][0];
        layer->stride = layers[l][1];
        layer->block_count = CANDIDATES * times;
        for (int b = 0; b < layer->block_count; b++) {
            (void)snprintf(layer->block[b].id, sizeof layer->block[b].id,
                           "l%db%d", l, b);
            layer->block[b].spec = candidate(b);
        }
    }
    spec->head = (struct sy_head_spec){.width = 192, .act = SY_ACT_HSWISH};
    spec->norm = SY_NORM_PER_DOMAIN;
}

static enum sy_status subject_open(struct subject *subject, int times,
                                   struct sy_error *err)
{
    static char *labels[10] = {"0", "1", "2", "3", "4",
                               "5", "6", "7", "8", "9"};
    struct sy_domain domains[2] = {
        {.name = "a", .classes = 10, .labels = labels},
        {.name = "b", .classes = 10, .labels = labels}};
    struct sy_network_spec *spec = sy_alloc(sizeof *spec);
    if (spec == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "no memory for a description");
    }
    fill_spec(spec, times);
    enum sy_status status =
        sy_network_new(&subject->network,
                       &(struct sy_network_parts){.name = "bench",
                                                  .spec = spec,
                                                  .domain_count = 2,
                                                  .domain = domains},
                       err);
    sy_free(spec);
    SY_TRY(status);
    sy_network_init(subject->network, SEED);
    SY_TRY(sy_snapshot_new(&subject->snapshot, subject->network, "bench", NULL,
                           err));
    return sy_executor_new(&subject->executor, subject->snapshot, NULL, 1, err);
}

static void subject_close(struct subject *subject)
{
    sy_executor_free(subject->executor);
    sy_snapshot_unref(subject->snapshot);
}

struct report {
    const struct options *options;
    const struct sy_bench_case *paths; /* options->paths of them */
    const double *madds;
    double spearman;
    const struct sy_bench_case *sizes; /* SIZES of them */
};

static void print_text(const struct report *report)
{
    char text[SY_PATH_TEXT_BYTES];

    printf("%-24s %12s %10s %10s %8s\n", "path", "MAdds", "median us", "p95 us",
           "GMAdd/s");
    for (int i = 0; i < report->options->paths; i++) {
        const struct sy_bench_case *c = &report->paths[i];
        printf("%-24s %12.0f %10.1f %10.1f %8.1f\n",
               sy_path_text(c->path, text), report->madds[i], c->median_us,
               c->p95_us, report->madds[i] / c->median_us / 1000.0);
    }
    printf("Spearman rank correlation of time and MAdds: %.3f\n",
           report->spearman);
    for (int i = 0; i < SIZES; i++) {
        printf("the same path, %dx candidates: %.1f us (%.3f of 1x)\n", 1 << i,
               report->sizes[i].median_us,
               report->sizes[i].median_us / report->sizes[0].median_us);
    }
}

static void print_json(const struct report *report)
{
    char name[SY_PATH_TEXT_BYTES + 64], text[SY_PATH_TEXT_BYTES];
    double us = 0.0, madds = 0.0;
    json_t *rows = json_array(), *machine = bench_machine(sy_backend_best());

    (void)json_object_set_new(machine, "threads", json_integer(1));
    for (int i = 0; i < report->options->paths; i++) {
        us += report->paths[i].median_us;
        madds += report->madds[i];
    }
    for (int i = 0; i < report->options->paths; i++) {
        (void)snprintf(name, sizeof name, "path %s, %.0f MAdds",
                       sy_path_text(report->paths[i].path, text),
                       report->madds[i]);
        (void)bench_row(rows, name, "mean time per MAdd of all paths", "us",
                        report->paths[i].median_us,
                        report->madds[i] * us / madds);
    }
    (void)bench_row(rows, "Spearman of time and MAdds", "target",
                    "rank correlation", report->spearman, 0.95);
    for (int i = 1; i < SIZES; i++) {
        (void)snprintf(name, sizeof name, "same path, %dx candidates", 1 << i);
        (void)bench_row(rows, name, "1x candidates", "us",
                        report->sizes[i].median_us, report->sizes[0].median_us);
    }
    bench_print(machine, rows);
}

/* The random paths in the first supernet. */
static enum sy_status time_paths(const struct options *options,
                                 struct subject *subject,
                                 struct sy_bench_case *cases,
                                 struct sy_path *paths, double *madds,
                                 struct sy_error *err)
{
    struct sy_rng rng = sy_rng_stream(SEED, SY_RNG_BENCH, 0, 1);

    for (int i = 0; i < options->paths; i++) {
        paths[i] = sy_bench_random_path(&subject->network->spec, &rng);
        cases[i] = (struct sy_bench_case){.executor = subject->executor,
                                          .path = &paths[i]};
        madds[i] =
            (double)sy_network_path_cost(subject->network, &paths[i], 0).madds;
    }
    return sy_bench_paths(cases, options->paths,
                          &(struct sy_bench_options){.rounds = options->rounds},
                          err);
}

static enum sy_status bench(const struct options *options, struct sy_error *err)
{
    static struct sy_path paths[MAX_PATHS];
    static struct sy_bench_case cases[MAX_PATHS];
    static double madds[MAX_PATHS], us[MAX_PATHS];
    struct sy_bench_case sizes[SIZES];
    struct subject subject[SIZES] = {{0}};
    enum sy_status status = SY_OK;

    for (int i = 0; i < SIZES; i++) {
        SY_TRY_OUT(subject_open(&subject[i], 1 << i, err));
    }
    SY_TRY_OUT(time_paths(options, &subject[0], cases, paths, madds, err));
    for (int i = 0; i < options->paths; i++) {
        us[i] = cases[i].median_us;
    }
    for (int i = 0; i < SIZES; i++) {
        sizes[i] = (struct sy_bench_case){.executor = subject[i].executor,
                                          .path = &paths[0]};
    }
    SY_TRY_OUT(sy_bench_paths(
        sizes, SIZES, &(struct sy_bench_options){.rounds = options->rounds},
        err));
    struct report report = {
        .options = options,
        .paths = cases,
        .madds = madds,
        .spearman = sy_spearman(us, madds, options->paths),
        .sizes = sizes,
    };
    if (options->json) {
        print_json(&report);
    } else {
        printf("backend %s, one thread, batch 1\n", sy_backend_best()->name);
        print_text(&report);
    }
out:
    for (int i = 0; i < SIZES; i++) {
        subject_close(&subject[i]);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.rounds = 101, .paths = 20};
    struct sy_error err = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            options.rounds = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--paths") == 0 && i + 1 < argc) {
            options.paths = (int)strtol(argv[++i], NULL, 10);
        } else {
            options.paths = 0;
        }
    }
    if (options.rounds < 1 || options.paths < 2 || options.paths > MAX_PATHS) {
        fprintf(stderr,
                "usage: bench_executor [--json] [--rounds N] [--paths N]\n");
        return EXIT_FAILURE;
    }
    if (bench(&options, &err) != SY_OK) {
        fprintf(stderr, "bench_executor: %s\n", err.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
