/*
 * simple.h - entries that operators without parameters or products share.
 * Private to this folder.
 */
#ifndef SY_OPS_SIMPLE_H
#define SY_OPS_SIMPLE_H

#include "runtime/ops/op.h"

/* The output has the input's shape, whatever it is. */
static inline enum sy_status keep_shape(const struct sy_node *node,
                                        const struct sy_shape *in,
                                        struct sy_shape *out,
                                        struct sy_error *err)
{
    (void)node;
    (void)err;
    *out = *in;
    return SY_OK;
}

enum { SY_MAX_GRID = 16 }; /* cells of a side */

/* Rows or columns of cell `i` of `grid` along a side: those from `first` to
   before `end`. */
struct sy_span {
    int first, end;
};
static inline struct sy_span sy_cell_span(int i, int grid, int side)
{
    return (struct sy_span){.first = i * side / grid,
                            .end = (i + 1) * side / grid};
}

static inline int64_t no_madds(const struct sy_node *node, struct sy_shape in,
                               struct sy_shape out)
{
    (void)node;
    (void)in;
    (void)out;
    return 0;
}

static inline size_t no_partial(const struct sy_node *node, struct sy_shape in,
                                struct sy_shape out)
{
    (void)node;
    (void)in;
    (void)out;
    return 0;
}

#endif
