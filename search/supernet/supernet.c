/*
 * supernet.c - training and scoring of a network with all candidates.
 *
 * The tape does the work; what stands here turns proposals into segments and
 * back into losses and accuracies.
 */
#include "search/supernet/supernet.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "search/train/build.h"
#include "search/train/start.h"

/* Images of every domain in a score. Norms need two, and a domain that holds
   out fewer than a batch shows all it has. */
static enum sy_status deal_held(struct nas_supernet *net, struct sy_error *err)
{
    for (int d = 0; d < net->data.count; d++) {
        if (net->data.valid[d] == NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: no image is held out, and a search rewards "
                           "paths on held-out images: raise train.holdout",
                           net->config->domain[d]);
        }
        int held = dom_loader_images(net->data.valid[d]);
        int batch = net->config->search.reward_batch;
        held = held < batch ? held : batch;
        net->scored[d] = held > 2 ? held : 2;
    }
    return SY_OK;
}

/* Room for the images of either kind of step, and for segments. */
static enum sy_status make_room(struct nas_supernet *net, struct sy_error *err)
{
    size_t image = sy_shape_floats(net->network->spec.input);
    size_t images = 0;
    size_t layers = (size_t)net->network->spec.layer_count;
    bool enough = true;
    net->segment_room = net->data.count * net->config->search.reward_paths;
    for (int d = 0; d < net->data.count; d++) {
        size_t most =
            (size_t)(net->images[d] > net->scored[d] ? net->images[d]
                                                     : net->scored[d]);
        net->labels[d] = sy_alloc(most * sizeof(int));
        enough = enough && net->labels[d] != NULL;
        images += most;
    }
    size_t room = (size_t)net->segment_room;
    size_t values = net->network->value_count;
    net->pixels = sy_alloc(images * image * sizeof(float));
    net->segment = sy_alloc_zero(room, sizeof *net->segment);
    net->soft = sy_alloc_zero(room * layers, sizeof *net->soft);
    net->grads = sy_alloc_zero(values, sizeof(float));
    net->used = sy_alloc_zero((size_t)net->network->tensor_count, 1);
    enough = enough && net->pixels != NULL && net->segment != NULL &&
             net->soft != NULL && net->grads != NULL && net->used != NULL;
    return enough ? SY_OK
                  : sy_fail(err, SY_NO_MEMORY,
                            "search: no memory for %zu images a step", images);
}

static enum sy_status take_start(struct nas_supernet *net, const char *start,
                                 struct sy_error *err)
{
    if (start == NULL) {
        return SY_OK;
    }
    net->held = sy_alloc_zero((size_t)net->network->tensor_count, 1);
    return net->held == NULL
               ? sy_fail(err, SY_NO_MEMORY, "search: no memory")
               : nas_start_from(net->network, start, net->config->domain[0],
                                net->held, net->start_sha256, err);
}

static enum sy_status open_all(struct nas_supernet *net, const char *data,
                               const char *start, struct sy_error *err)
{
    const struct nas_config *config = net->config;
    struct sy_tape_options options = {.shards = config->train.shards};
    SY_TRY(nas_data_open(&net->data, config, data, net->pool, err));
    SY_TRY(nas_data_deal(&net->data, config, net->images, err));
    SY_TRY(deal_held(net, err));
    SY_TRY(nas_build_supernet(&net->network, config, &net->data, err));
    SY_TRY(take_start(net, start, err));
    options.frozen = net->held;
    SY_TRY(make_room(net, err));
    SY_TRY(nas_optimiser_init(&net->optimiser, &config->search.optimiser,
                              net->network->value_count, err));
    return sy_tape_new(&net->tape, net->network, net->pool, &options, err);
}

enum sy_status nas_supernet_open(struct nas_supernet *net,
                                 const struct nas_config *config,
                                 const char *data, const char *start,
                                 struct sy_pool *pool, struct sy_error *err)
{
    memset(net, 0, sizeof *net);
    net->config = config;
    net->pool = pool;
    enum sy_status status = open_all(net, data, start, err);
    if (status != SY_OK) {
        nas_supernet_close(net);
    }
    return status;
}

void nas_supernet_close(struct nas_supernet *net)
{
    sy_tape_free(net->tape);
    nas_optimiser_release(&net->optimiser);
    sy_free(net->grads);
    sy_free(net->used);
    sy_free(net->held);
    sy_free(net->segment);
    sy_free(net->soft);
    sy_free(net->pixels);
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        sy_free(net->labels[d]);
    }
    sy_network_free(net->network);
    nas_data_close(&net->data);
    memset(net, 0, sizeof *net);
}

/* Segment `index`: a proposal of domain `d` on `count` images. */
static void make_segment(struct nas_supernet *net, int index, int d, int count,
                         const struct nas_proposal *proposal,
                         const float *images)
{
    const struct sy_network_spec *spec = &net->network->spec;
    struct sy_soft_choice *soft =
        net->soft + (size_t)index * (size_t)spec->layer_count;
    bool any = false;
    for (int l = 0; l < spec->layer_count; l++) {
        int blocks = spec->layer[l].block_count;
        soft[l].count = 0;
        if (proposal->pick[l] != NAS_PICK_MEAN) {
            continue;
        }
        any = true;
        soft[l].count = blocks;
        for (int b = 0; b < blocks; b++) {
            soft[l].block[b] = b;
            soft[l].weight[b] = 1.0f / (float)blocks;
        }
    }
    net->segment[index] = (struct sy_segment){.domain = d,
                                              .count = count,
                                              .path = &proposal->path,
                                              .soft = any ? soft : NULL,
                                              .images = images};
}

enum sy_status nas_supernet_train(struct nas_supernet *net, int64_t step,
                                  double rate,
                                  const struct nas_proposal *proposals,
                                  const double *weights,
                                  struct nas_supernet_seen *seen,
                                  struct sy_error *err)
{
    size_t image = sy_shape_floats(net->network->spec.input);
    float *at = net->pixels;
    for (int d = 0; d < net->data.count; d++) {
        SY_TRY(dom_loader_fill(net->data.train[d], step, net->images[d], at,
                               net->labels[d], net->pool, err));
        make_segment(net, d, d, net->images[d], &proposals[d], at);
        at += (size_t)net->images[d] * image;
    }
    SY_TRY(sy_tape_forward(net->tape, net->segment, net->data.count,
                           net->pixels, err));
    for (int d = 0; d < net->data.count; d++) {
        struct sy_head_loss one = sy_head_classify.loss(
            sy_tape_outputs(net->tape, d), net->labels[d], net->images[d],
            net->network->domain[d].classes, net->config->train.smoothing,
            weights[d], net->images[d], sy_tape_output_grads(net->tape, d));
        if (!isfinite(one.loss)) {
            return sy_fail(err, SY_INTERNAL,
                           "search: the loss of \"%s\" is not finite at step "
                           "%lld; lower search.optimiser.rate (the last good "
                           "checkpoint, if there is one, stays)",
                           net->config->domain[d], (long long)step);
        }
        seen->loss[d] = one.loss;
        seen->right[d] = (double)one.correct / net->images[d];
    }
    SY_TRY(sy_tape_backward(net->tape, net->grads, net->used, err));
    nas_optimiser_step(&net->optimiser, net->network, net->grads, net->used,
                       rate, step, net->pool);
    return SY_OK;
}

enum sy_status nas_supernet_score(struct nas_supernet *net, int64_t batch,
                                  const struct nas_proposal *proposals,
                                  int paths, double *accuracy,
                                  struct sy_error *err)
{
    size_t image = sy_shape_floats(net->network->spec.input);
    float *at = net->pixels;
    int segments = net->data.count * paths;
    SY_ASSERT(segments <= net->segment_room);
    for (int d = 0; d < net->data.count; d++) {
        SY_TRY(dom_loader_fill(net->data.valid[d], batch, net->scored[d], at,
                               net->labels[d], net->pool, err));
        for (int s = 0; s < paths; s++) {
            int index = d * paths + s;
            make_segment(net, index, d, net->scored[d], &proposals[index], at);
        }
        at += (size_t)net->scored[d] * image;
    }
    SY_TRY(sy_tape_score(net->tape, net->segment, segments, net->pixels, err));
    for (int i = 0; i < segments; i++) {
        int d = i / paths;
        struct sy_head_loss one = sy_head_classify.loss(
            sy_tape_outputs(net->tape, i), net->labels[d], net->scored[d],
            net->network->domain[d].classes, 0.0, 0.0, net->scored[d], NULL);
        accuracy[i] = (double)one.correct / net->scored[d];
    }
    return SY_OK;
}

/* Batches that cover the domain with the most held-out images. */
static int64_t held_batches(const struct nas_supernet *net)
{
    int64_t batches = 1;
    for (int d = 0; d < net->data.count; d++) {
        int64_t all = dom_loader_images(net->data.valid[d]);
        int64_t needed = (all + net->scored[d] - 1) / net->scored[d];
        batches = needed > batches ? needed : batches;
    }
    return batches;
}

enum sy_status nas_supernet_accuracy(struct nas_supernet *net,
                                     const struct sy_path *paths,
                                     double *accuracy, struct sy_error *err)
{
    struct nas_proposal proposals[SY_MAX_DOMAINS] = {0};
    double one[SY_MAX_DOMAINS];
    int64_t batches = held_batches(net);
    for (int d = 0; d < net->data.count; d++) {
        proposals[d].path = paths[d];
        accuracy[d] = 0;
    }
    for (int64_t i = 0; i < batches; i++) {
        SY_TRY(nas_supernet_score(net, i, proposals, 1, one, err));
        for (int d = 0; d < net->data.count; d++) {
            accuracy[d] += one[d] / (double)batches;
        }
    }
    return SY_OK;
}

int nas_supernet_images(const struct nas_supernet *net, int domain)
{
    return (int)held_batches(net) * net->scored[domain];
}

/* Of the batch that was scored last: p(label) of the domain's images. */
static void take_likelihood(const struct nas_supernet *net, int d, float *room,
                            float *p)
{
    int classes = net->network->domain[d].classes;
    const float *outputs = sy_tape_outputs(net->tape, d);
    for (int i = 0; i < net->scored[d]; i++) {
        sy_head_classify.answer(outputs + (size_t)i * (size_t)classes, classes,
                                1.0, room);
        p[i] = room[net->labels[d][i]];
    }
}

enum sy_status nas_supernet_likelihood(struct nas_supernet *net,
                                       const struct sy_path *paths,
                                       float *const *p, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct nas_proposal proposals[SY_MAX_DOMAINS] = {0};
    double one[SY_MAX_DOMAINS];
    int classes = 0;
    for (int d = 0; d < net->data.count; d++) {
        int these = net->network->domain[d].classes;
        classes = these > classes ? these : classes;
        proposals[d].path = paths[d];
    }
    float *room = sy_alloc((size_t)classes * sizeof *room);
    if (room == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "search: no memory");
    }
    for (int64_t i = 0; i < held_batches(net); i++) {
        SY_TRY_OUT(nas_supernet_score(net, i, proposals, 1, one, err));
        for (int d = 0; d < net->data.count; d++) {
            if (p[d] != NULL) {
                take_likelihood(net, d, room, p[d] + i * net->scored[d]);
            }
        }
    }
out:
    sy_free(room);
    return status;
}
