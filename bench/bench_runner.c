/*
 * bench_runner.c - our side of a comparison with another library: a process
 * that keeps one network in memory and times it when it is told to, so that a
 * driver (bench/inference, bench/training) can take turns between us and the
 * peer within one run.
 *
 *   bench_runner CONFIG [--threads N] [--save MODEL]
 *
 * The network is that of the configuration's first path, with random weights
 * and norms, for one domain of ten classes. --save writes it as a model, so
 * that the peer can run the very same numbers after `switchyard export`.
 *
 * On stdin, one command a line; each is answered by one line on stdout:
 *   infer BATCH REPEATS   nanoseconds of one run, the mean over REPEATS
 *   train BATCH REPEATS   the same for a step: forward, backward, optimiser
 *   about                 backend, threads, MAdds and parameters of the path
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/executor/executor.h"
#include "runtime/tape/tape.h"
#include "search/config.h"
#include "search/train/optimiser.h"

enum { CLASSES = 10, MAX_BATCH = 64 };

struct runner {
    struct sy_pool *pool;
    struct sy_network *trained;    /* for train */
    const struct sy_network *used; /* the snapshot's, for infer */
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_tape *tape;
    struct nas_optimiser optimiser;
    float *images, *outputs, *answers, *grads;
    uint8_t *marks;
    int64_t step;
};

/* The network of the first path; norms and weights random, none silent. */
static enum sy_status make_network(struct sy_network **network,
                                   const struct nas_config *config,
                                   struct sy_error *err)
{
    char *labels[CLASSES];
    static char names[CLASSES][4];
    struct sy_domain domain = {.classes = CLASSES, .labels = labels};
    struct sy_expert expert = {.name = "main", .temperature = 1.0};
    struct sy_network_spec spec = config->network;
    for (int k = 0; k < CLASSES; k++) {
        (void)snprintf(names[k], sizeof names[k], "%d", k);
        labels[k] = names[k];
    }
    memcpy(domain.name, config->domain[0], sizeof domain.name);
    SY_TRY(sy_path_parse(&expert.path, config->path[0], &spec, "path", err));
    sy_spec_prune(&spec, &expert.path, 1);
    struct sy_network_parts parts = {.name = config->name,
                                     .spec = &spec,
                                     .domain_count = 1,
                                     .domain = &domain,
                                     .expert_count = 1,
                                     .expert = &expert};
    SY_TRY(sy_network_new(network, &parts, err));
    sy_network_init(*network, config->seed);
    struct sy_rng rng = sy_rng_stream(config->seed, SY_RNG_BENCH, 0, 0);
    for (int t = 0; t < (*network)->tensor_count; t++) {
        const struct sy_tensor *tensor = &(*network)->tensor[t];
        float *values = (*network)->values + tensor->offset;
        for (size_t i = 0; i < tensor->count && tensor->slot >= 0; i++) {
            values[i] += 0.1f * sy_rng_uniform(&rng);
        }
    }
    return SY_OK;
}

static enum sy_status open_memory(struct runner *runner, struct sy_error *err)
{
    const struct sy_network *network = runner->trained;
    size_t image = sy_shape_floats(network->spec.input);
    runner->images = sy_alloc(MAX_BATCH * image * sizeof(float));
    runner->outputs = sy_alloc_zero(MAX_BATCH * CLASSES, sizeof(float));
    runner->answers = sy_alloc_zero(MAX_BATCH * CLASSES, sizeof(float));
    runner->grads = sy_alloc_zero(network->value_count, sizeof(float));
    runner->marks = sy_alloc_zero((size_t)network->tensor_count, 1);
    if (!runner->images || !runner->outputs || !runner->answers ||
        !runner->grads || !runner->marks) {
        return sy_fail(err, SY_NO_MEMORY, "no memory");
    }
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_BENCH, 0, 1);
    for (size_t i = 0; i < MAX_BATCH * image; i++) {
        runner->images[i] = 2.0f * sy_rng_uniform(&rng) - 1.0f;
    }
    return SY_OK;
}

/* Two networks of the same numbers: one is served, the other trains. */
static enum sy_status open_runner(struct runner *runner, const char *path,
                                  int threads, const char *save,
                                  struct sy_error *err)
{
    static struct nas_config config;
    struct sy_network *served = NULL;
    struct sy_artefact artefact;
    struct sy_tape_options tape = {0};
    struct nas_optimiser_config sgd = nas_optimiser_defaults(NAS_SGD);
    SY_TRY(nas_config_load(&config, path, NULL, 0, err));
    enum sy_status status = make_network(&runner->trained, &config, err);
    status = status == SY_OK ? make_network(&served, &config, err) : status;
    nas_config_release(&config);
    SY_TRY(status);
    if (save != NULL) {
        json_t *provenance = json_pack("{s:s}", "weights", "random");
        status = sy_artefact_save(served, save, provenance, &artefact, err);
        json_decref(provenance);
        SY_TRY(status);
    }
    SY_TRY(sy_snapshot_new(&runner->snapshot, served, "bench", NULL, err));
    runner->used = sy_snapshot_network(runner->snapshot);
    SY_TRY(sy_pool_new(&runner->pool, threads, err));
    SY_TRY(sy_executor_new(&runner->executor, runner->snapshot, runner->pool,
                           MAX_BATCH, err));
    SY_TRY(
        sy_tape_new(&runner->tape, runner->trained, runner->pool, &tape, err));
    SY_TRY(nas_optimiser_init(&runner->optimiser, &sgd,
                              runner->trained->value_count, err));
    return open_memory(runner, err);
}

static void infer_once(struct runner *runner, int batch)
{
    static struct sy_request request[MAX_BATCH];
    size_t image = sy_shape_floats(runner->used->spec.input);
    for (int i = 0; i < batch; i++) {
        request[i] = (struct sy_request){
            .image = runner->images + (size_t)i * image, .lane_count = 1};
        request[i].result[0].outputs = runner->outputs + i * CLASSES;
        request[i].result[0].probabilities = runner->answers + i * CLASSES;
    }
    sy_executor_run(runner->executor, request, batch, NULL);
}

static enum sy_status train_once(struct runner *runner, int batch,
                                 struct sy_error *err)
{
    struct sy_segment segment = {.count = batch,
                                 .path = &runner->trained->expert[0].path};
    int labels[MAX_BATCH];
    for (int i = 0; i < batch; i++) {
        labels[i] = i % CLASSES;
    }
    SY_TRY(sy_tape_forward(runner->tape, &segment, 1, runner->images, err));
    (void)sy_head_classify.loss(sy_tape_outputs(runner->tape, 0), labels, batch,
                                CLASSES, 0.1, 1.0, batch,
                                sy_tape_output_grads(runner->tape, 0));
    SY_TRY(sy_tape_backward(runner->tape, runner->grads, runner->marks, err));
    sy_tape_update_norms(runner->tape, 0.1f);
    nas_optimiser_step(&runner->optimiser, runner->trained, runner->grads,
                       runner->marks, 1e-3, runner->step++, runner->pool);
    return SY_OK;
}

/* Nanoseconds of one run or step, or -1. */
static double timed(struct runner *runner, bool train, int batch, int repeats,
                    struct sy_error *err)
{
    int64_t begin_ns = sy_now_ns();
    for (int i = 0; i < repeats; i++) {
        if (!train) {
            infer_once(runner, batch);
        } else if (train_once(runner, batch, err) != SY_OK) {
            return -1;
        }
    }
    return (double)(sy_now_ns() - begin_ns) / repeats;
}

static void about(const struct runner *runner)
{
    const struct sy_expert *expert = &runner->used->expert[0];
    struct sy_cost cost =
        sy_network_path_cost(runner->used, &expert->path, expert->domain);
    printf("%s %d %lld %lld\n", sy_snapshot_backend(runner->snapshot)->name,
           sy_pool_threads(runner->pool), (long long)cost.madds,
           (long long)cost.params);
}

/* Reads commands until the end of stdin. */
static int serve(struct runner *runner)
{
    char line[128];
    struct sy_error err = {0};
    while (fgets(line, sizeof line, stdin) != NULL) {
        char what[8] = "";
        int batch = 0, repeats = 0;
        int words = sscanf(line, "%7s %d %d", what, &batch, &repeats);
        bool train = strcmp(what, "train") == 0;
        if (words == 1 && strcmp(what, "about") == 0) {
            about(runner);
        } else if (words == 3 && (train || strcmp(what, "infer") == 0) &&
                   batch > 0 && batch <= MAX_BATCH && repeats > 0) {
            printf("%.0f\n", timed(runner, train, batch, repeats, &err));
        } else {
            fprintf(stderr, "bench_runner: bad command: %s", line);
            return EXIT_FAILURE;
        }
        (void)fflush(stdout);
    }
    return err.status == SY_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void close_runner(struct runner *runner)
{
    sy_tape_free(runner->tape);
    sy_executor_free(runner->executor);
    sy_snapshot_unref(runner->snapshot);
    sy_network_free(runner->trained);
    nas_optimiser_release(&runner->optimiser);
    sy_pool_free(runner->pool);
    sy_free(runner->images);
    sy_free(runner->outputs);
    sy_free(runner->answers);
    sy_free(runner->grads);
    sy_free(runner->marks);
}

int main(int argc, char **argv)
{
    struct runner runner = {0};
    struct sy_error err = {0};
    const char *save = NULL;
    int threads = 1;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) {
            threads = (int)strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--save") == 0) {
            save = argv[i + 1];
        } else {
            argc = 0;
        }
    }
    if (argc < 2 || argc % 2 != 0 || threads < 1) {
        fprintf(stderr, "usage: bench_runner CONFIG [--threads N] "
                        "[--save MODEL]\n");
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (open_runner(&runner, argv[1], threads, save, &err) == SY_OK) {
        status = serve(&runner);
    } else {
        fprintf(stderr, "bench_runner: %s\n", err.message);
    }
    close_runner(&runner);
    return status;
}
