/*
 * run_floats.c - our answers for images that are floats already.
 *
 *     run_floats MODEL DOMAIN EXPERT <images >answers
 *
 * Reads images as raw float32, H x W x C each and normalised, from standard
 * input until it ends; writes for each image its logits, then its
 * probabilities, as raw float32. All images run in one batch, with the
 * machine's best kernels. For comparisons with other runtimes, bit for bit on
 * the same input.
 */
#include <stdio.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"

enum { MAX_IMAGES = 64 };

static int complain(const struct sy_error *err)
{
    fprintf(stderr, "run_floats: %s\n", err->message);
    return 1;
}

/* Runs `count` images and writes their answers; false: it could not. */
static bool answer(struct sy_executor *executor, int domain, int expert,
                   const float *images, int count)
{
    const struct sy_network *network = sy_executor_network(executor);
    size_t floats = sy_shape_floats(network->spec.input);
    size_t classes = (size_t)network->domain[domain].classes;
    struct sy_request request[MAX_IMAGES] = {0};
    float *answers =
        sy_alloc_zero((size_t)count * 2 * classes, sizeof *answers);
    if (answers == NULL) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        float *at = answers + (size_t)i * 2 * classes;
        request[i] = (struct sy_request){
            .image = images + (size_t)i * floats,
            .domain = domain,
            .lane_count = 1,
            .expert = {expert},
            .result = {{.outputs = at, .probabilities = at + classes}}};
    }
    sy_executor_run(executor, request, count, NULL);
    size_t wanted = (size_t)count * 2 * classes;
    bool written = fwrite(answers, sizeof *answers, wanted, stdout) == wanted;
    sy_free(answers);
    return written;
}

static int run(struct sy_network *network, const char *domain_name,
               const char *expert_name)
{
    struct sy_error err = {0};
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    size_t floats = sy_shape_floats(network->spec.input);
    int domain = sy_network_find_domain(network, domain_name);
    int expert =
        domain < 0 ? -1 : sy_network_find_expert(network, domain, expert_name);
    if (sy_snapshot_new(&snapshot, network, "1", NULL, &err) != SY_OK) {
        return complain(&err);
    }
    if (expert < 0) {
        fprintf(stderr, "run_floats: no %s.%s\n", domain_name, expert_name);
        sy_snapshot_unref(snapshot);
        return 1;
    }
    float *images = sy_alloc(MAX_IMAGES * floats * sizeof *images);
    bool done = false;
    if (images != NULL &&
        sy_executor_new(&executor, snapshot, NULL, MAX_IMAGES, &err) == SY_OK) {
        size_t read = fread(images, sizeof *images, MAX_IMAGES * floats, stdin);
        int count = (int)(read / floats);
        done = count > 0 && read % floats == 0 &&
               answer(executor, domain, expert, images, count);
    }
    sy_free(images);
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    if (!done) {
        fprintf(stderr, "run_floats: 1 to %d images of %zu floats %s\n",
                MAX_IMAGES, floats, err.message);
    }
    return done ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct sy_network *network = NULL;
    struct sy_artefact artefact;
    struct sy_error err = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: run_floats MODEL DOMAIN EXPERT\n");
        return 2;
    }
    if (sy_artefact_load(argv[1], &network, &artefact, &err) != SY_OK) {
        return complain(&err);
    }
    return run(network, argv[2], argv[3]);
}
