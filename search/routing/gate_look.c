/*
 * gate_look.c - what a gate sees of images.
 *
 * DESIGN. The maps come out of the executor that serves and the features from
 * the kernels of the operators that the gate's plan has, so a gate is fitted
 * on what it will get.
 */
#include "search/routing/gate_look.h"

#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/base/memory.h"

static struct sy_shape map_of(const struct nas_gate_look *look)
{
    const struct sy_network *network = sy_executor_network(look->executor);
    return sy_spec_shape(&network->spec, look->layers);
}

enum sy_status nas_gate_look_init(struct nas_gate_look *look,
                                  struct sy_executor *executor, int expert,
                                  int layers, int cells, bool textures,
                                  struct sy_error *err)
{
    *look = (struct nas_gate_look){.executor = executor,
                                   .expert = expert,
                                   .layers = layers,
                                   .cells = cells,
                                   .textures = textures};
    struct sy_shape map = map_of(look);
    int side = textures ? 2 * cells : cells; /* positions that it needs */
    if (layers < 0 ||
        layers > sy_executor_network(executor)->spec.layer_count || cells < 1 ||
        side > map.h || side > map.w) {
        return sy_fail(err, SY_BAD_INPUT,
                       "gate: expected at most %d layers and a grid that fits "
                       "into %d x %d positions, found %d and %d cells a side",
                       sy_executor_network(executor)->spec.layer_count, map.h,
                       map.w, layers, cells);
    }
    look->tap = sy_alloc(NAS_LOOK_BATCH * sy_shape_floats(map) * sizeof(float));
    return look->tap != NULL
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "gate: no memory for features");
}

void nas_gate_look_release(struct nas_gate_look *look)
{
    sy_free(look->tap);
    look->tap = NULL;
}

int nas_gate_look_inputs(const struct nas_gate_look *look)
{
    int each = look->textures ? SY_TEXTURES : 1;
    return each * look->cells * look->cells * map_of(look).c;
}

void nas_gate_look_at(struct nas_gate_look *look, const float *images,
                      int count, float *features)
{
    const struct sy_network *network = sy_executor_network(look->executor);
    size_t image = sy_shape_floats(network->spec.input);
    struct sy_shape map = map_of(look);
    struct sy_node node = {.op = look->textures    ? SY_OP_TEXTURES
                                 : look->cells > 1 ? SY_OP_CELLS
                                                   : SY_OP_POOL,
                           .kernel = look->cells,
                           .in = {0, -1},
                           .out = 1};
    struct sy_request request[NAS_LOOK_BATCH];

    SY_ASSERT(count >= 1 && count <= NAS_LOOK_BATCH);
    memset(request, 0, sizeof request);
    for (int i = 0; i < count; i++) {
        request[i].image = images + (size_t)i * image;
        request[i].domain = network->expert[look->expert].domain;
        request[i].lane_count = 1;
        request[i].expert[0] = look->expert;
        request[i].tap = look->tap + (size_t)i * sy_shape_floats(map);
        request[i].tap_layers = look->layers;
    }
    sy_executor_run(look->executor, request, count, NULL);
    struct sy_op_args args = {
        .node = &node,
        .in = map,
        .out = {.h = 1, .w = 1, .c = nas_gate_look_inputs(look)},
        .count = count,
        .x = look->tap,
        .y = features,
    };
    sy_kernel_fn fast = sy_backend_best()->forward[node.op];
    (fast != NULL ? fast : sy_op_of(node.op)->forward)(&args);
}
