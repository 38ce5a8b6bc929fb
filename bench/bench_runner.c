/*
 * bench_runner.c - our side of a comparison with another library.
 *
 *   bench_runner CONFIG [--threads N] [--save MODEL] [--all] [--half-weights]
 *
 * The network of the configuration's first path, with random weights and
 * norms, for one domain of ten classes; with --all, every domain of the
 * configuration on its path. --save writes it as a model, so that the peer can
 * run the very same numbers after `switchyard export`. --half-weights stores
 * those of late layers in half the width (runtime/executor/snapshot.h).
 *
 * bench/lib/turns.h has the commands. `about` answers: backend, threads,
 * multiply-adds (the mean over the paths) and parameters of the network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/subject.h"
#include "bench/lib/turns.h"
#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "runtime/tape/tape.h"
#include "search/train/optimiser.h"

struct runner {
    struct sy_pool *pool;
    struct sy_network *trained;    /* for train */
    const struct sy_network *used; /* the snapshot's, for infer */
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    struct sy_tape *tape; /* made by the first step */
    struct nas_optimiser optimiser;
    float *grads;
    uint8_t *marks;
    int64_t step;
};

static enum sy_status save_model(const struct sy_network *network,
                                 const char *model, struct sy_error *err)
{
    struct sy_artefact artefact;
    json_t *provenance = json_pack("{s:s}", "weights", "random");
    enum sy_status status =
        sy_artefact_save(network, model, provenance, &artefact, err);
    json_decref(provenance);
    return status;
}

/* Two networks of the same numbers: one is served, the other trains. */
static enum sy_status open_runner(struct runner *runner, const char *config,
                                  int threads, const char *save, bool all,
                                  enum sy_weights weights, struct sy_error *err)
{
    struct sy_snapshot_options options = {.label = "bench", .weights = weights};
    struct sy_network *served = NULL;
    SY_TRY(bench_network(&runner->trained, config, all, err));
    SY_TRY(bench_network(&served, config, all, err));
    if (save != NULL) {
        enum sy_status status = save_model(served, save, err);
        if (status != SY_OK) {
            sy_network_free(served);
            return status;
        }
    }
    SY_TRY(sy_snapshot_make(&runner->snapshot, served, &options, err));
    runner->used = sy_snapshot_network(runner->snapshot);
    SY_TRY(sy_pool_new(&runner->pool, threads, err));
    return sy_executor_new(&runner->executor, runner->snapshot, runner->pool,
                           BENCH_MAX_BATCH, err);
}

static enum sy_status infer(void *self, const float *images, const int *domain,
                            int batch, float *outputs, struct sy_error *err)
{
    static struct sy_request request[BENCH_MAX_BATCH];
    static float answer[BENCH_MAX_BATCH * BENCH_CLASSES];
    struct runner *runner = self;
    size_t image = sy_shape_floats(runner->used->spec.input);
    (void)err;
    for (int i = 0; i < batch; i++) {
        request[i] = (struct sy_request){.image = images + (size_t)i * image,
                                         .domain = domain[i],
                                         .lane_count = 1,
                                         .expert = {domain[i]}};
        request[i].result[0].outputs = outputs + i * BENCH_CLASSES;
        request[i].result[0].probabilities = answer + i * BENCH_CLASSES;
    }
    sy_executor_run(runner->executor, request, batch, NULL);
    return SY_OK;
}

/* What training needs and inference does not, at the first step. */
static enum sy_status open_training(struct runner *runner, struct sy_error *err)
{
    const struct sy_network *network = runner->trained;
    struct sy_tape_options options = {0};
    struct nas_optimiser_config sgd = nas_optimiser_defaults(NAS_SGD);
    SY_TRY(sy_tape_new(&runner->tape, runner->trained, runner->pool, &options,
                       err));
    SY_TRY(nas_optimiser_init(&runner->optimiser, &sgd, network->value_count,
                              err));
    runner->grads = sy_alloc_zero(network->value_count, sizeof(float));
    runner->marks = sy_alloc_zero((size_t)network->tensor_count, 1);
    return runner->grads != NULL && runner->marks != NULL
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "no memory for gradients");
}

static enum sy_status train(void *self, const float *images, int batch,
                            double rate, double *loss, struct sy_error *err)
{
    struct runner *runner = self;
    struct sy_segment segment = {.count = batch,
                                 .path = &runner->trained->expert[0].path};
    int labels[BENCH_MAX_BATCH];
    if (runner->tape == NULL) {
        SY_TRY(open_training(runner, err));
    }
    for (int i = 0; i < batch; i++) {
        labels[i] = i % BENCH_CLASSES;
    }
    SY_TRY(sy_tape_forward(runner->tape, &segment, 1, images, err));
    *loss = sy_head_classify
                .loss(sy_tape_outputs(runner->tape, 0), labels, batch,
                      BENCH_CLASSES, 0.1, 1.0, batch,
                      sy_tape_output_grads(runner->tape, 0))
                .loss;
    SY_TRY(sy_tape_backward(runner->tape, runner->grads, runner->marks, err));
    sy_tape_update_norms(runner->tape, SY_NORM_MOMENTUM);
    nas_optimiser_step(&runner->optimiser, runner->trained, runner->grads,
                       runner->marks, rate, runner->step++, runner->pool);
    return SY_OK;
}

static void about(void *self)
{
    const struct runner *runner = self;
    const struct sy_network *network = runner->used;
    int64_t madds = 0;
    for (int e = 0; e < network->expert_count; e++) {
        const struct sy_expert *expert = &network->expert[e];
        madds +=
            sy_network_path_cost(network, &expert->path, expert->domain).madds;
    }
    printf("%s %d %lld %lld\n", sy_snapshot_backend(runner->snapshot)->name,
           sy_pool_threads(runner->pool),
           (long long)(madds / network->expert_count),
           (long long)sy_network_params(network));
}

static void close_runner(struct runner *runner)
{
    sy_tape_free(runner->tape);
    sy_executor_free(runner->executor);
    sy_snapshot_unref(runner->snapshot);
    sy_network_free(runner->trained);
    nas_optimiser_release(&runner->optimiser);
    sy_pool_free(runner->pool);
    sy_free(runner->grads);
    sy_free(runner->marks);
}

int main(int argc, char **argv)
{
    struct runner runner = {0};
    struct sy_error err = {0};
    const char *save = NULL;
    bool all = false, good = argc >= 2;
    enum sy_weights weights = SY_WEIGHTS_FULL;
    int threads = 1;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0) {
            all = true;
        } else if (strcmp(argv[i], "--half-weights") == 0) {
            weights = SY_WEIGHTS_HALF;
        } else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            threads = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--save") == 0 && i + 1 < argc) {
            save = argv[++i];
        } else {
            good = false;
        }
    }
    if (!good || threads < 1) {
        fprintf(stderr, "usage: bench_runner CONFIG [--threads N] "
                        "[--save MODEL] [--all] [--half-weights]\n");
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (open_runner(&runner, argv[1], threads, save, all, weights, &err) ==
        SY_OK) {
        status = bench_take_turns(&(struct bench_side){
            .program = "bench_runner",
            .self = &runner,
            .backend = sy_snapshot_backend(runner.snapshot),
            .input = runner.used->spec.input,
            .domains = runner.used->domain_count,
            .about = about,
            .infer = infer,
            .train = train});
    } else {
        fprintf(stderr, "bench_runner: %s\n", err.message);
    }
    close_runner(&runner);
    return status;
}
