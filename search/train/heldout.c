/*
 * heldout.c - accuracy on held-out images between two steps.
 */
#include "search/train/heldout.h"

#include <string.h>

#include "runtime/base/memory.h"

/* Images of a domain in one measurement; two at least, as norms take their
   statistics from the batch, and the loader begins again where it ends. */
static int images_of(const struct nas_data *data, int d)
{
    int held = dom_loader_images(data->valid[d]);
    held = held < NAS_HELDOUT_IMAGES ? held : NAS_HELDOUT_IMAGES;
    return held > 2 ? held : 2;
}

enum sy_status nas_heldout_init(struct nas_heldout *heldout,
                                const struct sy_network *network,
                                const struct nas_data *data,
                                struct sy_error *err)
{
    size_t image = sy_shape_floats(network->spec.input);
    int experts = network->expert_count;
    for (int d = 0; d < data->count; d++) {
        if (data->valid[d] == NULL) {
            return SY_OK;
        }
    }
    heldout->segment = sy_alloc_zero((size_t)experts, sizeof *heldout->segment);
    bool enough = heldout->segment != NULL;
    for (int d = 0; enough && d < data->count; d++) {
        size_t images = (size_t)images_of(data, d);
        heldout->pixels[d] = sy_alloc(images * image * sizeof(float));
        heldout->labels[d] = sy_alloc(images * sizeof(int));
        enough = heldout->pixels[d] != NULL && heldout->labels[d] != NULL;
    }
    if (!enough) {
        return sy_fail(err, SY_NO_MEMORY, "training: no memory");
    }
    for (int e = 0; e < experts; e++) {
        const struct sy_expert *expert = &network->expert[e];
        heldout->segment[e] = (struct sy_segment){
            .domain = expert->domain,
            .count = images_of(data, expert->domain),
            .path = &expert->path,
            .images = heldout->pixels[expert->domain],
        };
    }
    heldout->segment_count = experts;
    return SY_OK;
}

void nas_heldout_release(struct nas_heldout *heldout)
{
    sy_free(heldout->segment);
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        sy_free(heldout->pixels[d]);
        sy_free(heldout->labels[d]);
    }
    memset(heldout, 0, sizeof *heldout);
}

bool nas_heldout_due(const struct nas_heldout *heldout, int64_t step)
{
    return heldout->segment_count > 0 && step % NAS_HELDOUT_EVERY == 0;
}

enum sy_status nas_heldout_measure(struct nas_heldout *heldout,
                                   struct sy_tape *tape,
                                   const struct sy_network *network,
                                   struct nas_data *data, struct sy_pool *pool,
                                   int64_t step, double *accuracy,
                                   struct sy_error *err)
{
    int experts[SY_MAX_DOMAINS] = {0};
    for (int d = 0; d < data->count; d++) {
        SY_TRY(dom_loader_fill(data->valid[d], step / NAS_HELDOUT_EVERY,
                               images_of(data, d), heldout->pixels[d],
                               heldout->labels[d], pool, err));
    }
    SY_TRY(sy_tape_score(tape, heldout->segment, heldout->segment_count, NULL,
                         err));
    memset(accuracy, 0, (size_t)data->count * sizeof *accuracy);
    for (int s = 0; s < heldout->segment_count; s++) {
        const struct sy_segment *segment = &heldout->segment[s];
        int d = segment->domain;
        struct sy_head_loss one = sy_head_classify.loss(
            sy_tape_outputs(tape, s), heldout->labels[d], segment->count,
            network->domain[d].classes, 0.0, 0.0, segment->count, NULL);
        accuracy[d] += (double)one.correct / segment->count;
        experts[d]++;
    }
    for (int d = 0; d < data->count; d++) {
        accuracy[d] /= experts[d];
    }
    return SY_OK;
}
