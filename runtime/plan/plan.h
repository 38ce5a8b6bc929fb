/*
 * plan.h - the operators of one block (or stem, or head) as a small DAG.
 *
 * A block kind emits its operators into a plan through the builder calls
 * below. Parameters, cost and initialisation follow from what was emitted, so
 * they are written down once. Plans are made and checked before they run,
 * are never changed afterwards, and are shared by training and inference.
 *
 * Nodes stand in an order in which they can run. Value 0 is the input.
 *
 * Thread: building: one at a time; a finished plan: any.
 */
#ifndef SY_PLAN_PLAN_H
#define SY_PLAN_PLAN_H

#include <stdint.h>

#include "runtime/ops/op.h"

enum {
    SY_PLAN_MAX_NODES = 32,
    SY_PLAN_MAX_VALUES = 33,
    SY_PLAN_MAX_PARAMS = 32,
    SY_PLAN_MAX_NORMS = 8,
    SY_PARAM_NAME_BYTES = 32
};

/* How a parameter starts; fan-in is that of the operator. */
enum sy_init {
    SY_INIT_HE,     /* normal, variance 2 / fan-in */
    SY_INIT_GLOROT, /* normal, variance 2 / (fan-in + fan-out) */
    SY_INIT_DENSE,  /* normal, standard deviation 0.01 */
    SY_INIT_ZERO,
    SY_INIT_ONE
};

struct sy_plan_param {
    char name[SY_PARAM_NAME_BYTES]; /* "expand.weight" */
    enum sy_init init;
    bool decay; /* weight decay applies */
    int dims;
    int dim[4];
    int fan_in, fan_out;
};

/* A norm: scale, bias, mean, var, each [channels]; kept per domain. */
struct sy_plan_norm {
    char name[SY_PARAM_NAME_BYTES]; /* "expand" */
    int channels;
    bool zero_scale; /* scale starts at 0: a residual branch starts silent */
};

struct sy_plan {
    int value_count;
    struct sy_shape value[SY_PLAN_MAX_VALUES];
    int node_count;
    struct sy_node node[SY_PLAN_MAX_NODES];
    int param_count;
    struct sy_plan_param param[SY_PLAN_MAX_PARAMS];
    int norm_count;
    struct sy_plan_norm norm[SY_PLAN_MAX_NORMS];
    int output; /* value index; the emit functions of blocks and heads set it
                   and leave sy_plan_end to their caller */

    /* First failure while building; every later call does nothing. */
    enum sy_status status;
    struct sy_error *err;
};

/* Options of a convolution with its norm and activation. */
struct sy_conv_options {
    const char *name; /* prefix of its parameters */
    int channels;     /* out */
    int kernel;
    int stride;
    int groups;
    enum sy_act act; /* after the norm */
};

/* An empty plan with value 0 of shape `input`. */
void sy_plan_begin(struct sy_plan *plan, struct sy_shape input,
                   struct sy_error *err);

/*
 * Each emits nodes and returns the index of the result value; after a failure
 * it emits nothing and returns 0.
 */
int sy_plan_conv(struct sy_plan *plan, int x,
                 const struct sy_conv_options *options);
int sy_plan_depthwise(struct sy_plan *plan, int x, const char *name, int kernel,
                      int stride, enum sy_act act);
int sy_plan_add(struct sy_plan *plan, int x, int x2);
int sy_plan_pool(struct sy_plan *plan, int x);
int sy_plan_cells(struct sy_plan *plan, int x, int grid);
int sy_plan_textures(struct sy_plan *plan, int x, int grid);
int sy_plan_dense(struct sy_plan *plan, int x, const char *name, int channels,
                  enum sy_act act, enum sy_init init);
int sy_plan_scale(struct sy_plan *plan, int x, int x2);

/*
 * Squeeze-and-excite (Hu et al. 2018) as in MobileNetV3: pool, dense to
 * make_divisible(C/4, 8) with ReLU, dense back with hard-sigmoid, scale.
 */
int sy_plan_squeeze_excite(struct sy_plan *plan, int x);

/*
 * Ends building; fails with the first failure, or if a value is not used. A
 * plan without nodes, whose output is value 0, is legal: it does nothing.
 */
enum sy_status sy_plan_end(struct sy_plan *plan, int output) SY_MUST_USE;

/*
 * A width rounded to a multiple of 8, at least 8, and never below 0.9 times
 * the width asked for (make_divisible of MobileNet).
 */
int sy_make_divisible(double width);

/* Numbers of a parameter: the product of its dimensions. */
size_t sy_plan_param_count(const struct sy_plan_param *param);

/* Cost for one image. */
struct sy_cost {
    int64_t madds;
    int64_t params; /* trained numbers: weights and one set of norms (4 each) */
    int64_t bytes;  /* weights and norms in memory as float32 */
};
struct sy_cost sy_plan_cost(const struct sy_plan *plan);

/*
 * Inference form: the same values with norm, activation and a residual add
 * taken into the conv or depthwise node before them. `residual` of a step is
 * the value index added after the activation, or -1. Steps keep the order.
 */
struct sy_step {
    struct sy_node node; /* out and act are those of the fused whole */
    bool pair;           /* `then` runs with it, see sy_plan_pair */
    struct sy_node then;
    int residual; /* of `then` in a pair */
};
struct sy_infer_plan {
    int step_count;
    struct sy_step step[SY_PLAN_MAX_NODES];
    int output;
};
void sy_plan_fuse(const struct sy_plan *plan, struct sy_infer_plan *fused);

/*
 * Makes one step of each 1 x 1 convolution (stride 1, no groups, no residual)
 * and the depthwise convolution right behind it that alone reads it, for
 * backends that compute both at once. Their value between is then nowhere.
 */
void sy_plan_pair(struct sy_infer_plan *fused);

/* The value that the step leaves behind. */
int sy_step_out(const struct sy_step *step);

#endif
