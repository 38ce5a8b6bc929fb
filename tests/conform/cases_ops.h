/*
 * cases_ops.h - the operator cases: data only. A new case is a new row.
 *
 * Shapes are chosen not to divide evenly: channel counts around the widths of
 * vectors and tiles, sides that differ, windows larger than the image, counts
 * that leave a remainder.
 *
 *   op, {h, w, c}, output channels (conv, dense), kernel, stride, groups,
 *   activation, images
 */
#ifndef TESTS_CONFORM_CASES_OPS_H
#define TESTS_CONFORM_CASES_OPS_H

#include "runtime/ops/op.h"

struct op_case {
    enum sy_op_kind op;
    struct sy_shape in;
    int channels, kernel, stride, groups;
    enum sy_act act;
    int count;
};

/* clang-format off */
static const struct op_case op_cases[] = {
    /* Pointwise convolutions. */
    {SY_OP_CONV, {1, 1, 1},      1, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_CONV, {1, 1, 3},      8, 1, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_CONV, {2, 2, 8},     17, 1, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_CONV, {5, 7, 17},    33, 1, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_CONV, {5, 7, 24},   100, 1, 1, 1, SY_ACT_NONE, 7},
    {SY_OP_CONV, {16, 16, 33},  40, 1, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {16, 16, 100}, 24, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_CONV, {3, 3, 100},    1, 1, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_CONV, {7, 5, 40},    16, 1, 2, 1, SY_ACT_NONE, 3},
    {SY_OP_CONV, {2, 2, 17},     3, 1, 2, 1, SY_ACT_HSWISH, 7},
    {SY_OP_CONV, {4, 4, 64},   128, 1, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {1, 1, 320},   65, 1, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_CONV, {3, 11, 96},   48, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_CONV, {6, 6, 9},      7, 1, 1, 1, SY_ACT_HSIGMOID, 2},
    /* Windows. */
    {SY_OP_CONV, {1, 1, 1},      1, 3, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_CONV, {1, 1, 3},      8, 7, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_CONV, {2, 2, 3},     17, 7, 2, 1, SY_ACT_HSWISH, 3},
    {SY_OP_CONV, {2, 2, 8},      8, 5, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_CONV, {16, 16, 3},   16, 3, 2, 1, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {16, 16, 3},   24, 3, 1, 1, SY_ACT_RELU, 1},
    {SY_OP_CONV, {5, 7, 17},    33, 3, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_CONV, {5, 7, 17},    24, 3, 2, 1, SY_ACT_NONE, 7},
    {SY_OP_CONV, {7, 5, 8},     40, 5, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_CONV, {7, 5, 24},    17, 5, 2, 1, SY_ACT_NONE, 1},
    {SY_OP_CONV, {9, 4, 3},      8, 7, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {11, 13, 1},   33, 7, 2, 1, SY_ACT_RELU, 1},
    {SY_OP_CONV, {8, 8, 40},    40, 3, 1, 1, SY_ACT_HSWISH, 1},
    {SY_OP_CONV, {4, 4, 100},    8, 3, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_CONV, {1, 16, 8},     8, 3, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_CONV, {16, 1, 8},     8, 5, 2, 1, SY_ACT_NONE, 2},
    {SY_OP_CONV, {6, 6, 33},     1, 3, 1, 1, SY_ACT_HSIGMOID, 2},
    /* Lines of 3, 9 and 15 numbers, as stems have (narrow.c). */
    {SY_OP_CONV, {9, 4, 1},      5, 3, 2, 1, SY_ACT_NONE, 3},
    {SY_OP_CONV, {6, 7, 3},     33, 3, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_CONV, {7, 5, 3},     17, 5, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_CONV, {2, 8, 3},      8, 5, 2, 1, SY_ACT_NONE, 2},
    /* Groups. */
    {SY_OP_CONV, {5, 7, 8},      8, 3, 1, 8, SY_ACT_RELU, 2},
    {SY_OP_CONV, {5, 7, 24},    24, 3, 2, 3, SY_ACT_HSWISH, 3},
    {SY_OP_CONV, {4, 6, 40},    40, 5, 1, 8, SY_ACT_NONE, 1},
    {SY_OP_CONV, {6, 4, 34},    51, 3, 1, 17, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {4, 4, 100},   50, 3, 2, 2, SY_ACT_RELU, 2},
    {SY_OP_CONV, {3, 3, 33},    99, 1, 1, 3, SY_ACT_NONE, 7},
    {SY_OP_CONV, {4, 4, 64},    64, 3, 1, 4, SY_ACT_HSWISH, 2},
    {SY_OP_CONV, {5, 5, 18},    36, 7, 2, 9, SY_ACT_NONE, 1},
    /* Depthwise. */
    {SY_OP_DEPTHWISE, {1, 1, 1},     0, 3, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_DEPTHWISE, {1, 1, 17},    0, 7, 2, 1, SY_ACT_RELU, 2},
    {SY_OP_DEPTHWISE, {2, 2, 3},     0, 5, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_DEPTHWISE, {2, 2, 8},     0, 3, 2, 1, SY_ACT_NONE, 7},
    {SY_OP_DEPTHWISE, {5, 7, 17},    0, 3, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_DEPTHWISE, {5, 7, 33},    0, 5, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_DEPTHWISE, {7, 5, 24},    0, 7, 1, 1, SY_ACT_HSWISH, 1},
    {SY_OP_DEPTHWISE, {7, 5, 40},    0, 3, 2, 1, SY_ACT_NONE, 2},
    {SY_OP_DEPTHWISE, {8, 6, 100},   0, 5, 2, 1, SY_ACT_RELU, 3},
    {SY_OP_DEPTHWISE, {16, 16, 33},  0, 3, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_DEPTHWISE, {16, 16, 24},  0, 5, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_DEPTHWISE, {16, 16, 8},   0, 7, 2, 1, SY_ACT_HSWISH, 2},
    {SY_OP_DEPTHWISE, {9, 3, 100},   0, 7, 1, 1, SY_ACT_RELU, 1},
    {SY_OP_DEPTHWISE, {4, 4, 64},    0, 3, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_DEPTHWISE, {3, 2, 9},     0, 1, 1, 1, SY_ACT_HSIGMOID, 2},
    {SY_OP_DEPTHWISE, {6, 5, 48},    0, 1, 2, 1, SY_ACT_NONE, 2},
    {SY_OP_DEPTHWISE, {1, 13, 16},   0, 3, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_DEPTHWISE, {13, 1, 15},   0, 5, 2, 1, SY_ACT_NONE, 2},
    /* Norm. */
    {SY_OP_NORM, {1, 1, 1},      0, 1, 1, 1, SY_ACT_NONE, 7},
    {SY_OP_NORM, {1, 1, 33},     0, 1, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_NORM, {2, 2, 3},      0, 1, 1, 1, SY_ACT_HSWISH, 2},
    {SY_OP_NORM, {5, 7, 17},     0, 1, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_NORM, {5, 7, 8},      0, 1, 1, 1, SY_ACT_HSIGMOID, 2},
    {SY_OP_NORM, {16, 16, 24},   0, 1, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_NORM, {16, 16, 100},  0, 1, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_NORM, {3, 9, 40},     0, 1, 1, 1, SY_ACT_HSWISH, 7},
    {SY_OP_NORM, {4, 4, 64},     0, 1, 1, 1, SY_ACT_RELU, 1},
    /* Activations that stand alone. */
    {SY_OP_ACT, {1, 1, 1},       0, 1, 1, 1, SY_ACT_RELU, 1},
    {SY_OP_ACT, {5, 7, 17},      0, 1, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_ACT, {5, 7, 33},      0, 1, 1, 1, SY_ACT_HSIGMOID, 2},
    {SY_OP_ACT, {16, 16, 8},     0, 1, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_ACT, {3, 1, 100},     0, 1, 1, 1, SY_ACT_NONE, 1},
    /* Sums. */
    {SY_OP_ADD, {1, 1, 1},       0, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_ADD, {5, 7, 17},      0, 1, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_ADD, {16, 16, 40},    0, 1, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_ADD, {1, 1, 33},      0, 1, 1, 1, SY_ACT_NONE, 7},
    /* Means. */
    {SY_OP_POOL, {1, 1, 1},      0, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_POOL, {1, 1, 33},     0, 1, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_POOL, {2, 2, 100},    0, 1, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_POOL, {5, 7, 17},     0, 1, 1, 1, SY_ACT_NONE, 7},
    {SY_OP_POOL, {16, 16, 24},   0, 1, 1, 1, SY_ACT_NONE, 2},
    /* Cells: kernel is the cells of a side. */
    {SY_OP_CELLS, {1, 1, 3},     0, 1, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_CELLS, {5, 7, 17},    0, 2, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_CELLS, {7, 5, 33},    0, 3, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_CELLS, {16, 16, 24},  0, 4, 1, 1, SY_ACT_NONE, 2},
    /* Textures: likewise. */
    {SY_OP_TEXTURES, {2, 2, 3},    0, 1, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_TEXTURES, {5, 7, 17},   0, 2, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_TEXTURES, {7, 6, 33},   0, 3, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_TEXTURES, {16, 16, 24}, 0, 4, 1, 1, SY_ACT_NONE, 2},
    {SY_OP_TEXTURES, {9, 13, 8},   0, 1, 1, 1, SY_ACT_NONE, 1},
    /* Dense. */
    {SY_OP_DENSE, {1, 1, 1},     1, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_DENSE, {1, 1, 3},    17, 1, 1, 1, SY_ACT_RELU, 2},
    {SY_OP_DENSE, {1, 1, 17},    1, 1, 1, 1, SY_ACT_HSIGMOID, 7},
    {SY_OP_DENSE, {1, 1, 24},   33, 1, 1, 1, SY_ACT_HSWISH, 3},
    {SY_OP_DENSE, {1, 1, 33},    8, 1, 1, 1, SY_ACT_RELU, 3},
    {SY_OP_DENSE, {1, 1, 40},  100, 1, 1, 1, SY_ACT_HSIGMOID, 2},
    {SY_OP_DENSE, {1, 1, 100},  10, 1, 1, 1, SY_ACT_NONE, 7},
    {SY_OP_DENSE, {1, 1, 256}, 129, 1, 1, 1, SY_ACT_NONE, 2},
    /* Factors per channel. */
    {SY_OP_SCALE, {1, 1, 1},     0, 1, 1, 1, SY_ACT_NONE, 1},
    {SY_OP_SCALE, {1, 1, 33},    0, 1, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_SCALE, {5, 7, 17},    0, 1, 1, 1, SY_ACT_NONE, 3},
    {SY_OP_SCALE, {2, 2, 100},   0, 1, 1, 1, SY_ACT_NONE, 7},
    {SY_OP_SCALE, {16, 16, 24},  0, 1, 1, 1, SY_ACT_NONE, 2},
};

/* Shapes of a small network on 32 x 32 images, for `perf`. */
static const struct op_case perf_cases[] = {
    {SY_OP_CONV, {32, 32, 3},    16, 3, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_CONV, {32, 32, 16},   64, 1, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_CONV, {16, 16, 24},   96, 3, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_CONV, {16, 16, 96},   24, 1, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_CONV, {8, 8, 40},    160, 1, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_CONV, {8, 8, 160},   160, 3, 1, 8, SY_ACT_HSWISH, 8},
    {SY_OP_CONV, {4, 4, 320},    80, 1, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_DEPTHWISE, {32, 32, 64}, 0, 3, 2, 1, SY_ACT_HSWISH, 8},
    {SY_OP_DEPTHWISE, {16, 16, 96}, 0, 3, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_DEPTHWISE, {8, 8, 160},  0, 5, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_DEPTHWISE, {4, 4, 320},  0, 7, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_NORM, {16, 16, 96},   0, 1, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_ACT, {16, 16, 96},    0, 1, 1, 1, SY_ACT_HSWISH, 8},
    {SY_OP_ADD, {16, 16, 24},    0, 1, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_POOL, {4, 4, 320},    0, 1, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_TEXTURES, {32, 32, 16}, 0, 4, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_DENSE, {1, 1, 256}, 100, 1, 1, 1, SY_ACT_NONE, 8},
    {SY_OP_SCALE, {8, 8, 160},   0, 1, 1, 1, SY_ACT_NONE, 8},
};
/* clang-format on */

enum {
    OP_CASES = sizeof op_cases / sizeof op_cases[0],
    PERF_CASES = sizeof perf_cases / sizeof perf_cases[0]
};

#endif
