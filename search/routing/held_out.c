/*
 * held_out.c - all experts of a domain on all images of a loader.
 *
 * DESIGN. The outputs go straight from the executor into their place; only
 * one batch of pixels is in memory at a time.
 */
#include "search/routing/held_out.h"

#include <string.h>

/* One batch of images on its way. */
struct batch {
    uint8_t *pixels;
    float *images;
    struct sy_request *request;
};

static float *outputs_at(const struct nas_held_out *held, int expert, int image)
{
    size_t row =
        (size_t)expert * (size_t)held->n + (size_t)image; /* of `classes` */
    return held->outputs + row * (size_t)held->classes;
}

/* Finds the domain's experts and takes memory for their outputs. */
static bool prepare(struct nas_held_out *held, const struct sy_network *network,
                    int domain, struct batch *batch)
{
    size_t image = sy_shape_floats(network->spec.input);
    size_t most = NAS_HELD_OUT_BATCH;
    struct sy_arena *arena = &held->arena;

    held->classes = network->domain[domain].classes;
    held->expert =
        sy_arena_zero(arena, (size_t)network->expert_count, sizeof(int));
    for (int e = 0; held->expert != NULL && e < network->expert_count; e++) {
        if (network->expert[e].domain == domain) {
            held->expert[held->expert_count++] = e;
        }
    }
    held->labels = sy_arena_zero(arena, (size_t)held->n, sizeof(int));
    held->outputs =
        sy_arena_zero(arena, (size_t)held->n * (size_t)held->expert_count,
                      (size_t)held->classes * sizeof(float));
    batch->pixels = sy_arena_zero(arena, most, image);
    batch->images = sy_arena_zero(arena, most * image, sizeof(float));
    batch->request = sy_arena_zero(arena, most, sizeof *batch->request);
    return held->expert && held->labels && held->outputs && batch->pixels &&
           batch->images && batch->request;
}

/* Runs `lanes` experts from number `first` on one batch. */
static void run_experts(struct nas_held_out *held, struct sy_executor *executor,
                        int domain, struct batch *batch, int at, int count,
                        int first, int lanes)
{
    size_t image = sy_shape_floats(sy_executor_network(executor)->spec.input);

    for (int i = 0; i < count; i++) {
        struct sy_request *request = &batch->request[i];
        memset(request, 0, sizeof *request);
        request->image = batch->images + (size_t)i * image;
        request->domain = domain;
        request->lane_count = lanes;
        for (int lane = 0; lane < lanes; lane++) {
            request->expert[lane] = held->expert[first + lane];
            request->result[lane].outputs =
                outputs_at(held, first + lane, at + i);
        }
    }
    sy_executor_run(executor, batch->request, count, NULL);
}

enum sy_status nas_held_out_collect(struct nas_held_out *held,
                                    struct sy_executor *executor, int domain,
                                    struct dom_loader *loader,
                                    struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    size_t image = sy_shape_floats(network->spec.input);
    enum sy_status status = SY_OK;
    struct batch batch;

    *held = (struct nas_held_out){.n = dom_loader_images(loader)};
    sy_arena_init(&held->arena, 0);
    if (!prepare(held, network, domain, &batch)) {
        status = sy_fail(err, SY_NO_MEMORY,
                         "held-out images of \"%s\": no memory for the "
                         "outputs",
                         network->domain[domain].name);
        goto out;
    }
    for (int at = 0; at < held->n; at += NAS_HELD_OUT_BATCH) {
        int left = held->n - at;
        int count = left < NAS_HELD_OUT_BATCH ? left : NAS_HELD_OUT_BATCH;
        SY_TRY_OUT(dom_loader_read(loader, at, count, batch.pixels,
                                   held->labels + at, err));
        dom_normalise(batch.pixels, (size_t)count * image, batch.images);
        for (int e = 0; e < held->expert_count; e += SY_MAX_LANES) {
            int rest = held->expert_count - e;
            run_experts(held, executor, domain, &batch, at, count, e,
                        rest < SY_MAX_LANES ? rest : SY_MAX_LANES);
        }
    }
out:
    if (status != SY_OK) {
        nas_held_out_release(held);
    }
    return status;
}

void nas_held_out_release(struct nas_held_out *held)
{
    sy_arena_release(&held->arena);
    *held = (struct nas_held_out){0};
}

void nas_held_out_keep(struct nas_held_out *held, const bool *keep)
{
    size_t floats = (size_t)held->n * (size_t)held->classes;
    int kept = 0;
    for (int i = 0; i < held->expert_count; i++) {
        if (!keep[i]) {
            continue;
        }
        memmove(held->outputs + (size_t)kept * floats,
                held->outputs + (size_t)i * floats, floats * sizeof(float));
        held->expert[kept++] = held->expert[i];
    }
    held->expert_count = kept;
}

const float *nas_held_out_outputs(const struct nas_held_out *held, int i)
{
    SY_ASSERT(i >= 0 && i < held->expert_count);
    return outputs_at(held, i, 0);
}
