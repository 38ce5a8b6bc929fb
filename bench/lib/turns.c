/*
 * turns.c - one side of a comparison: the commands of turns.h.
 */
#include "bench/lib/turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/machine.h"
#include "bench/lib/subject.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

struct turns {
    const struct bench_side *side;
    float *images;        /* BENCH_MAX_BATCH random ones */
    float *outputs;       /* BENCH_MAX_BATCH x BENCH_CLASSES */
    struct sy_rng stream; /* of the domains that requests are for */
};

struct command {
    char what[16];
    char file[512];
    int batch, repeats;
    double rate;
};

static void draw_domains(struct turns *turns, int *domain, int batch)
{
    uint32_t domains = (uint32_t)turns->side->domains;
    for (int i = 0; i < batch; i++) {
        domain[i] = (int)sy_rng_below(&turns->stream, domains);
    }
}

static enum sy_status timed(struct turns *turns, const struct command *command,
                            struct sy_error *err)
{
    const struct bench_side *side = turns->side;
    bool train = strcmp(command->what, "train") == 0;
    int domain[BENCH_MAX_BATCH];
    double loss;
    int64_t begin_ns = sy_now_ns();

    for (int i = 0; i < command->repeats; i++) {
        draw_domains(turns, domain, command->batch);
        SY_TRY(train ? side->train(side->self, turns->images, command->batch,
                                   1e-3, &loss, err)
                     : side->infer(side->self, turns->images, domain,
                                   command->batch, turns->outputs, err));
    }
    printf("%.0f\n", (double)(sy_now_ns() - begin_ns) / command->repeats);
    return SY_OK;
}

/* The answers to the images of a file, or the loss of a step on them. */
static enum sy_status told(const struct turns *turns,
                           const struct command *command, struct sy_error *err)
{
    const struct bench_side *side = turns->side;
    size_t need =
        (size_t)command->batch * sy_shape_floats(side->input) * sizeof(float);
    struct sy_map map;

    SY_TRY(sy_map_open(&map, command->file, err));
    enum sy_status status =
        map.bytes == need
            ? SY_OK
            : sy_fail(err, SY_BAD_INPUT, "%s: expected %zu bytes, found %zu",
                      command->file, need, map.bytes);
    const float *images = (const float *)(const void *)map.data;
    if (status == SY_OK && strcmp(command->what, "loss") == 0) {
        double loss = 0.0;
        status = side->train(side->self, images, command->batch, command->rate,
                             &loss, err);
        printf("%.9g\n", loss);
    } else if (status == SY_OK) {
        int domain[BENCH_MAX_BATCH];
        for (int i = 0; i < command->batch; i++) {
            domain[i] = i % side->domains;
        }
        status = side->infer(side->self, images, domain, command->batch,
                             turns->outputs, err);
        for (int i = 0; i < command->batch * BENCH_CLASSES; i++) {
            printf("%.9g ", (double)turns->outputs[i]);
        }
        printf("\n");
    }
    sy_map_close(&map);
    return status;
}

static enum sy_status obey(struct turns *turns, const char *line,
                           struct sy_error *err)
{
    const struct bench_side *side = turns->side;
    struct command c = {.what = ""};
    bool trains = side->train != NULL;

    if (strcmp(line, "about\n") == 0) {
        side->about(side->self);
        return SY_OK;
    }
    if (strcmp(line, "shape\n") == 0) {
        printf("%d %d %d\n", side->input.h, side->input.w, side->input.c);
        return SY_OK;
    }
    if (strcmp(line, "peak\n") == 0) {
        printf("%.3f\n", bench_peak_gflops(side->backend));
        return SY_OK;
    }
    if (sscanf(line, "%15s %d %d", c.what, &c.batch, &c.repeats) == 3 &&
        c.batch > 0 && c.batch <= BENCH_MAX_BATCH && c.repeats > 0 &&
        (strcmp(c.what, "infer") == 0 ||
         (trains && strcmp(c.what, "train") == 0))) {
        return timed(turns, &c, err);
    }
    int words =
        sscanf(line, "%15s %511s %d %lf", c.what, c.file, &c.batch, &c.rate);
    if (words >= 3 && c.batch > 0 && c.batch <= BENCH_MAX_BATCH &&
        (strcmp(c.what, "answer") == 0 ||
         (trains && words == 4 && strcmp(c.what, "loss") == 0))) {
        return told(turns, &c, err);
    }
    return sy_fail(err, SY_BAD_INPUT, "bad command: %s", line);
}

int bench_take_turns(const struct bench_side *side)
{
    size_t floats = BENCH_MAX_BATCH * sy_shape_floats(side->input);
    struct turns turns = {
        .side = side,
        .images = sy_alloc(floats * sizeof(float)),
        .outputs = sy_alloc_zero((size_t)BENCH_MAX_BATCH * BENCH_CLASSES,
                                 sizeof(float)),
        .stream = sy_rng_stream(1, SY_RNG_BENCH, 0, 2),
    };
    struct sy_error err = {0};
    char line[640];

    if (turns.images == NULL || turns.outputs == NULL) {
        (void)sy_fail(&err, SY_NO_MEMORY, "no memory for images");
    } else {
        bench_pixels(turns.images, floats);
    }
    while (err.status == SY_OK && fgets(line, sizeof line, stdin) != NULL) {
        if (obey(&turns, line, &err) == SY_OK) {
            (void)fflush(stdout);
        }
    }
    if (err.status != SY_OK) {
        fprintf(stderr, "%s: %s\n", side->program, err.message);
    }
    sy_free(turns.images);
    sy_free(turns.outputs);
    return err.status == SY_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
