/*
 * bench_xnnpack.c - XNNPACK's side of a comparison: the same network with the
 * same numbers as bench_runner, through XNNPACK's subgraph interface.
 *
 *   bench_xnnpack CONFIG [--threads N]
 *
 * Built where xnnpack.h and pthreadpool.h are found (bench/README.md).
 * bench/lib/turns.h has the commands; it does not train.
 *
 * DESIGN. What favours the peer is done for it: norms are folded into its
 * filters; ReLU is its output's lower bound; hard-sigmoid, which it does not
 * have, is a scale and an offset folded into the layer before it, with bounds
 * 0 and 1; hard-swish is its own operator. A runtime is made for each batch
 * size before the clock runs, and its buffers are set up once.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#include "bench/lib/subject.h"
#include "bench/lib/turns.h"
#include "runtime/base/arena.h"

enum { INPUT_ID = 0, OUTPUT_ID = 1 };

/* The network for one batch size. */
struct instance {
    xnn_runtime_t runtime;
    const float *images; /* for which it is set up */
    float *outputs;
};

struct peer {
    struct sy_network *network;
    pthreadpool_t pool; /* NULL: the calling thread */
    int threads;
    struct sy_arena weights;
    struct instance instance[BENCH_MAX_BATCH + 1];
};

/* A subgraph while it is built; the first failure stays. */
struct builder {
    struct peer *peer;
    xnn_subgraph_t graph;
    size_t batch;
    const struct sy_unit *unit;
    int unit_index;
    uint32_t value[SY_PLAN_MAX_VALUES]; /* XNNPACK's ids of the unit's values */
    enum xnn_status status;
    const char *place;
};

static void check(struct builder *b, enum xnn_status status, const char *place)
{
    if (b->status == xnn_status_success && status != xnn_status_success) {
        b->status = status;
        b->place = place;
    }
}

/* A value of that shape that lives inside the network. */
static uint32_t inner(struct builder *b, struct sy_shape shape)
{
    const size_t dims[4] = {b->batch, (size_t)shape.h, (size_t)shape.w,
                            (size_t)shape.c};
    uint32_t id = XNN_INVALID_VALUE_ID;
    check(b,
          xnn_define_tensor_value(b->graph, xnn_datatype_fp32, 4, dims, NULL,
                                  XNN_INVALID_VALUE_ID, 0, &id),
          "a value");
    return id;
}

static uint32_t constant(struct builder *b, const float *data, size_t count,
                         const size_t *dims)
{
    uint32_t id = XNN_INVALID_VALUE_ID;
    check(b,
          xnn_define_tensor_value(b->graph, xnn_datatype_fp32, count, dims,
                                  data, XNN_INVALID_VALUE_ID, 0, &id),
          "a constant");
    return id;
}

static float *floats(struct builder *b, size_t count)
{
    float *p = sy_arena_zero(&b->peer->weights, count, sizeof *p);
    if (p == NULL) {
        check(b, xnn_status_out_of_memory, "weights");
    }
    return p;
}

/* What the activation asks of the layer before it. */
struct bounds {
    float low, high;
    double scale, offset; /* on the layer's result */
};

static struct bounds bounds_of(enum sy_act act)
{
    switch (act) {
    case SY_ACT_RELU:
        return (struct bounds){0.0f, INFINITY, 1.0, 0.0};
    case SY_ACT_HSIGMOID:
        return (struct bounds){0.0f, 1.0f, 1.0 / 6.0, 0.5};
    case SY_ACT_NONE:
    case SY_ACT_HSWISH:
    case SY_ACT_COUNT:
        break;
    }
    return (struct bounds){-INFINITY, INFINITY, 1.0, 0.0};
}

/* Scale and offset of each output channel: norm, bias and bounds in one. */
static void fold(const struct builder *b, const struct sy_node *node,
                 struct bounds bounds, int channel, int channels, double *scale,
                 double *offset)
{
    const struct sy_network *network = b->peer->network;
    *scale = 1.0;
    *offset = 0.0;
    if (node->norm >= 0) {
        const float *norm =
            network->values +
            sy_network_norm(network, b->unit_index, 0, node->norm) + channel;
        *scale = (double)norm[0] /
                 sqrt((double)norm[3 * channels] + (double)SY_NORM_EPSILON);
        *offset = (double)norm[channels] - (double)norm[2 * channels] * *scale;
    } else if (node->bias >= 0) {
        *offset =
            (double)network->values[b->unit->weight[node->bias] + channel];
    }
    *scale *= bounds.scale;
    *offset = *offset * bounds.scale + bounds.offset;
}

/*
 * The step's weight, stored by us as [taps][in][K] with the output channel
 * innermost, as XNNPACK wants it: [K][taps][in], or [taps][K] as it is for a
 * depthwise one; folded. Makes both constants.
 */
static void weights(struct builder *b, const struct sy_node *node, size_t taps,
                    size_t in, size_t out, const size_t dims[4], size_t dim,
                    uint32_t *filter_id, uint32_t *bias_id)
{
    const float *weight =
        b->peer->network->values + b->unit->weight[node->weight];
    bool depthwise = node->op == SY_OP_DEPTHWISE;
    struct bounds bounds = bounds_of(node->act);
    float *filter = floats(b, taps * in * out), *bias = floats(b, out);

    if (filter == NULL || bias == NULL) {
        return;
    }
    for (size_t k = 0; k < out; k++) {
        double scale, offset;
        fold(b, node, bounds, (int)k, (int)out, &scale, &offset);
        bias[k] = (float)offset;
        for (size_t i = 0; i < taps * in; i++) {
            size_t at = depthwise ? i * out + k : k * taps * in + i;
            filter[at] = (float)((double)weight[i * out + k] * scale);
        }
    }
    *filter_id = constant(b, filter, dim, dims);
    *bias_id = constant(b, bias, 1, &out);
}

static void add_conv(struct builder *b, const struct sy_node *node,
                     struct sy_shape in, struct sy_shape out, uint32_t y)
{
    uint32_t k = (uint32_t)node->kernel, s = (uint32_t)node->stride, p = k / 2;
    uint32_t groups = node->op == SY_OP_CONV ? (uint32_t)node->groups : 1;
    struct bounds bounds = bounds_of(node->act);
    uint32_t filter = 0, bias = 0, x = b->value[node->in[0]];

    if (node->op == SY_OP_DEPTHWISE) {
        const size_t dims[4] = {1, k, k, (size_t)in.c};
        weights(b, node, (size_t)k * k, 1, (size_t)in.c, dims, 4, &filter,
                &bias);
        check(b,
              xnn_define_depthwise_convolution_2d(
                  b->graph, p, p, p, p, k, k, s, s, 1, 1, 1, (size_t)in.c,
                  bounds.low, bounds.high, x, filter, bias, y, 0),
              "a depthwise convolution");
        return;
    }
    size_t group_in = (size_t)in.c / groups;
    const size_t dims[4] = {(size_t)out.c, k, k, group_in};
    weights(b, node, (size_t)k * k, group_in, (size_t)out.c, dims, 4, &filter,
            &bias);
    check(b,
          xnn_define_convolution_2d(b->graph, p, p, p, p, k, k, s, s, 1, 1,
                                    groups, group_in, (size_t)out.c / groups,
                                    bounds.low, bounds.high, x, filter, bias, y,
                                    0),
          "a convolution");
}

static void add_dense(struct builder *b, const struct sy_node *node,
                      struct sy_shape in, struct sy_shape out, uint32_t y)
{
    const size_t dims[4] = {(size_t)out.c, (size_t)in.c};
    struct bounds bounds = bounds_of(node->act);
    uint32_t filter = 0, bias = 0;

    weights(b, node, 1, (size_t)in.c, (size_t)out.c, dims, 2, &filter, &bias);
    check(b,
          xnn_define_fully_connected(b->graph, bounds.low, bounds.high,
                                     b->value[node->in[0]], filter, bias, y, 0),
          "a dense layer");
}

/* The step without hard-swish and residual, from the step's inputs to `y`. */
static void add_node(struct builder *b, const struct sy_node *node, uint32_t y)
{
    struct sy_shape in = b->unit->plan.value[node->in[0]];
    struct sy_shape out = b->unit->plan.value[node->out];
    uint32_t x = b->value[node->in[0]];
    struct bounds bounds = bounds_of(node->act);

    switch (node->op) {
    case SY_OP_CONV:
    case SY_OP_DEPTHWISE:
        add_conv(b, node, in, out, y);
        break;
    case SY_OP_DENSE:
        add_dense(b, node, in, out, y);
        break;
    case SY_OP_POOL:
        check(b,
              xnn_define_global_average_pooling_2d(b->graph, -INFINITY,
                                                   INFINITY, x, y, 0),
              "a pool");
        break;
    case SY_OP_SCALE:
        check(b,
              xnn_define_multiply2(b->graph, -INFINITY, INFINITY, x,
                                   b->value[node->in[1]], y, 0),
              "a scale");
        break;
    case SY_OP_ADD:
        check(b,
              xnn_define_add2(b->graph, bounds.low, bounds.high, x,
                              b->value[node->in[1]], y, 0),
              "an addition");
        break;
    case SY_OP_NORM:
    case SY_OP_ACT:
    case SY_OP_COUNT:
        check(b, xnn_status_unsupported_parameter,
              "a norm or an activation that stands alone");
        break;
    case SY_OP_CELLS:
    case SY_OP_TEXTURES:
        check(b, xnn_status_unsupported_parameter, "a gate");
        break;
    }
}

static void add_step(struct builder *b, const struct sy_step *step, bool last)
{
    const struct sy_node *node = &step->node;
    struct sy_shape shape = b->unit->plan.value[node->out];
    bool swish = node->act == SY_ACT_HSWISH, residual = step->residual >= 0;
    uint32_t y = last && !swish && !residual ? OUTPUT_ID : inner(b, shape);

    add_node(b, node, y);
    if (swish) {
        uint32_t x = y;
        y = last && !residual ? OUTPUT_ID : inner(b, shape);
        check(b, xnn_define_hardswish(b->graph, x, y, 0), "a hard-swish");
    }
    if (residual) {
        uint32_t x = y;
        y = last ? OUTPUT_ID : inner(b, shape);
        check(b,
              xnn_define_add2(b->graph, -INFINITY, INFINITY, x,
                              b->value[step->residual], y, 0),
              "a residual");
    }
    b->value[node->out] = y;
}

/* All units of the one path, from the external input to the output. */
static void add_path(struct builder *b)
{
    const struct sy_network *network = b->peer->network;
    struct sy_shape in = network->spec.input;
    const size_t image[4] = {b->batch, (size_t)in.h, (size_t)in.w,
                             (size_t)in.c};
    const size_t answer[4] = {b->batch, 1, 1, BENCH_CLASSES};
    int stages = sy_network_stages(network);
    uint32_t id;

    check(b,
          xnn_define_tensor_value(b->graph, xnn_datatype_fp32, 4, image, NULL,
                                  INPUT_ID, XNN_VALUE_FLAG_EXTERNAL_INPUT, &id),
          "the input");
    check(b,
          xnn_define_tensor_value(b->graph, xnn_datatype_fp32, 4, answer, NULL,
                                  OUTPUT_ID, XNN_VALUE_FLAG_EXTERNAL_OUTPUT,
                                  &id),
          "the output");
    b->value[0] = INPUT_ID;
    for (int s = 0; s < stages; s++) {
        struct sy_infer_plan fused;
        b->unit_index =
            sy_network_stage_unit(network, s, &network->expert[0].path, 0);
        b->unit = &network->unit[b->unit_index];
        sy_plan_fuse(&b->unit->plan, &fused);
        for (int i = 0; i < fused.step_count; i++) {
            add_step(b, &fused.step[i],
                     s == stages - 1 && i == fused.step_count - 1);
        }
        b->value[0] = b->value[fused.output];
    }
}

/* The runtime for a batch size, made when it is first asked for. */
static enum sy_status instance_open(struct peer *peer, int batch,
                                    struct sy_error *err)
{
    struct builder b = {.peer = peer, .batch = (size_t)batch};

    check(&b, xnn_create_subgraph(2, 0, &b.graph), "the graph");
    if (b.status == xnn_status_success) {
        add_path(&b);
    }
    if (b.status == xnn_status_success) {
        check(&b,
              xnn_create_runtime_v2(b.graph, peer->pool, 0,
                                    &peer->instance[batch].runtime),
              "the runtime");
    }
    (void)xnn_delete_subgraph(b.graph);
    return b.status == xnn_status_success
               ? SY_OK
               : sy_fail(err, SY_UNSUPPORTED, "XNNPACK refuses %s (status %d)",
                         b.place, (int)b.status);
}

static enum sy_status infer(void *self, const float *images, const int *domain,
                            int batch, float *outputs, struct sy_error *err)
{
    struct peer *peer = self;
    struct instance *instance = &peer->instance[batch];
    (void)domain;

    if (instance->runtime == NULL) {
        SY_TRY(instance_open(peer, batch, err));
    }
    if (instance->images != images || instance->outputs != outputs) {
        union { /* XNNPACK's field is not const, but it only reads */
            const void *in;
            void *data;
        } input = {.in = images};
        const struct xnn_external_value external[2] = {{INPUT_ID, input.data},
                                                       {OUTPUT_ID, outputs}};
        if (xnn_setup_runtime(instance->runtime, 2, external) !=
            xnn_status_success) {
            return sy_fail(err, SY_UNSUPPORTED, "XNNPACK refuses the buffers");
        }
        instance->images = images;
        instance->outputs = outputs;
    }
    return xnn_invoke_runtime(instance->runtime) == xnn_status_success
               ? SY_OK
               : sy_fail(err, SY_UNSUPPORTED, "XNNPACK fails to run");
}

static void about(void *self)
{
    const struct peer *peer = self;
    const struct sy_expert *expert = &peer->network->expert[0];
    struct sy_cost cost =
        sy_network_path_cost(peer->network, &expert->path, expert->domain);
    printf("xnnpack %d %lld %lld\n", peer->threads, (long long)cost.madds,
           (long long)cost.params);
}

static enum sy_status open_peer(struct peer *peer, const char *config,
                                struct sy_error *err)
{
    sy_arena_init(&peer->weights, 0);
    SY_TRY(bench_network(&peer->network, config, false, err));
    if (xnn_initialize(NULL) != xnn_status_success) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "XNNPACK does not start on this machine");
    }
    if (peer->threads > 1) {
        peer->pool = pthreadpool_create((size_t)peer->threads);
    }
    return peer->threads > 1 && peer->pool == NULL
               ? sy_fail(err, SY_NO_MEMORY, "no thread pool")
               : SY_OK;
}

static void close_peer(struct peer *peer)
{
    for (int i = 0; i <= BENCH_MAX_BATCH; i++) {
        (void)xnn_delete_runtime(peer->instance[i].runtime);
    }
    pthreadpool_destroy(peer->pool);
    sy_arena_release(&peer->weights);
    sy_network_free(peer->network);
}

int main(int argc, char **argv)
{
    static struct peer peer = {.threads = 1};
    struct sy_error err = {0};
    int status = EXIT_FAILURE;

    if (argc == 4 && strcmp(argv[2], "--threads") == 0) {
        peer.threads = (int)strtol(argv[3], NULL, 10);
    }
    if ((argc != 2 && argc != 4) || peer.threads < 1) {
        fprintf(stderr, "usage: bench_xnnpack CONFIG [--threads N]\n");
        return EXIT_FAILURE;
    }
    if (open_peer(&peer, argv[1], &err) == SY_OK) {
        status = bench_take_turns(
            &(struct bench_side){.program = "bench_xnnpack",
                                 .self = &peer,
                                 .backend = sy_backend_best(),
                                 .input = peer.network->spec.input,
                                 .domains = 1,
                                 .about = about,
                                 .infer = infer});
    } else {
        fprintf(stderr, "bench_xnnpack: %s\n", err.message);
    }
    close_peer(&peer);
    return status;
}
