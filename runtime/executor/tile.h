/*
 * tile.h - one unit on a tile of images: the body of a task; private to the
 * executor.
 *
 * Thread: any, with a memory of its own.
 */
#ifndef SY_EXECUTOR_TILE_H
#define SY_EXECUTOR_TILE_H

#include "runtime/base/arena.h"
#include "runtime/executor/lanes.h"

/* One worker's memory, as large as the largest unit asks for. */
struct sy_tile_memory {
    float *values;         /* what lies between the steps */
    float *scratch;        /* of one kernel */
    float *gathered;       /* inputs of a tile that lie apart */
    struct sy_ahead ahead; /* weights: how far they have been asked for */
};

/* Room for every unit of the snapshot. SY_NO_MEMORY says nothing further. */
enum sy_status sy_tile_memory_init(struct sy_tile_memory *memory,
                                   const struct sy_snapshot *snapshot,
                                   struct sy_arena *arena) SY_MUST_USE;

/*
 * Computes the states order[0 .. count), at most unit->tile of them, all of
 * the unit and sorted by slot, which sy_lanes_place has placed one behind the
 * other. `next` is a unit that will be run soon, or NULL: when this one leaves
 * time for it, weights of that one are brought into the cache.
 */
void sy_tile_run(const struct sy_ready_unit *unit,
                 const struct sy_ready_unit *next,
                 struct sy_tile_memory *memory,
                 const struct sy_lane_state *states, const int *order,
                 int count);

#endif
