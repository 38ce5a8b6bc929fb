/*
 * tape_memory.c - memory that is used again as soon as it is free.
 *
 * DESIGN. A program is written before it runs, and not in the order in which
 * it runs: segments are followed one after the other. So a buffer knows the
 * round after which it is free, and serves whoever begins later than that.
 * The smallest that is large enough is taken, of those the one that was given
 * back last, because it is most likely still in a cache.
 */
#include "runtime/tape/tape_private.h"

/* A buffer more than twice as large as needed is left for others. */
enum { MOST_WASTE = 2 };

struct tape_buffer *tape_take(struct sy_tape *tape, size_t floats, int round)
{
    struct tape_buffer **best = NULL;
    for (struct tape_buffer **at = &tape->free_buffers; *at != NULL;
         at = &(*at)->next_free) {
        const struct tape_buffer *found = *at;
        if (found->free_after < round && found->floats >= floats &&
            found->floats <= MOST_WASTE * floats &&
            (best == NULL || found->floats < (*best)->floats)) {
            best = at;
        }
    }
    struct tape_buffer *buffer = best != NULL ? *best : NULL;
    if (buffer != NULL) {
        *best = buffer->next_free;
    } else {
        buffer = sy_arena_zero(&tape->step, 1, sizeof *buffer);
        float *memory = sy_arena_alloc(&tape->buffers, floats * sizeof(float));
        if (buffer == NULL || memory == NULL) {
            return NULL;
        }
        buffer->at = memory;
        buffer->floats = floats;
    }
    buffer->holders = 1;
    buffer->free_after = -1;
    buffer->parts_until = -1;
    return buffer;
}

void tape_give(struct sy_tape *tape, struct tape_buffer *buffer, int round)
{
    if (buffer == NULL) {
        return;
    }
    SY_ASSERT(buffer->holders > 0);
    buffer->holders--;
    buffer->free_after =
        buffer->free_after > round ? buffer->free_after : round;
    if (buffer->holders == 0) {
        buffer->next_free = tape->free_buffers;
        tape->free_buffers = buffer;
    }
}

void tape_forget(struct sy_tape *tape)
{
    tape->free_buffers = NULL;
    sy_arena_reset(&tape->buffers);
}
