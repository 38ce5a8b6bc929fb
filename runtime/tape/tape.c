/*
 * tape.c - life of a tape, and its calls.
 *
 * DESIGN. A forward or a backward is first written as a program and then run
 * (tape_program.c). All that describes a step lives in the step arena; what
 * is written and read again within a pass is in the buffers of tape_memory.c.
 */
#include "runtime/tape/tape.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/tape/tape_private.h"

enum { TAPE_SHARDS = 8, TAPE_ARENA_BYTES = 16 << 20 };

/* Rounds that a node and a stage may need: its own, those of parts, sums. */
enum { ROUNDS_OF_NODE = 4, ROUNDS_OF_STAGE = 4 };

/* Rounds that are enough for any wave on this network. */
static int count_rounds(const struct sy_network *network)
{
    int rounds = 1;
    for (int s = 0; s < sy_network_stages(network); s++) {
        int most = 0;
        for (int u = 0; u < network->unit_count; u++) {
            const struct sy_unit *unit = &network->unit[u];
            bool of_stage = s > 0 && s <= network->spec.layer_count
                                ? unit->layer == s - 1
                                : unit->layer < 0;
            int nodes = unit->plan.node_count;
            most = of_stage && nodes > most ? nodes : most;
        }
        rounds += most * ROUNDS_OF_NODE + ROUNDS_OF_STAGE;
    }
    return rounds;
}

enum sy_status sy_tape_new(struct sy_tape **tape, struct sy_network *network,
                           struct sy_pool *pool,
                           const struct sy_tape_options *options,
                           struct sy_error *err)
{
    struct sy_tape *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    made->network = network;
    made->pool = pool;
    made->shards = options->shards > 0 ? options->shards : TAPE_SHARDS;
    made->backend =
        options->backend != NULL ? options->backend : sy_backend_best();
    made->frozen = options->frozen;
    sy_arena_init(&made->step, TAPE_ARENA_BYTES);
    sy_arena_init(&made->buffers, TAPE_ARENA_BYTES);
    made->wave_rounds = count_rounds(network);
    made->scratch =
        sy_alloc_zero((size_t)sy_pool_threads(pool), sizeof(float *));
    if (made->scratch == NULL) {
        sy_tape_free(made);
        return sy_fail(err, SY_NO_MEMORY, "tape: no memory");
    }
    *tape = made;
    return SY_OK;
}

void sy_tape_free(struct sy_tape *tape)
{
    if (tape == NULL) {
        return;
    }
    if (tape->scratch != NULL) {
        for (int i = 0; i < sy_pool_threads(tape->pool); i++) {
            sy_free(tape->scratch[i]);
        }
    }
    sy_free(tape->scratch);
    sy_arena_release(&tape->step);
    sy_arena_release(&tape->buffers);
    sy_free(tape);
}

/* Copies the segments; each one's images enter the first stage. */
static enum sy_status take_segments(struct sy_tape *tape,
                                    const struct sy_segment *segments,
                                    int count, const float *images)
{
    size_t n = (size_t)count;
    tape->segment = sy_arena_zero(&tape->step, n, sizeof *tape->segment);
    tape->input = sy_arena_zero(&tape->step, n, sizeof *tape->input);
    tape->input_held = sy_arena_zero(&tape->step, n, sizeof *tape->input_held);
    tape->cursor = sy_arena_zero(&tape->step, n, sizeof *tape->cursor);
    tape->flow = sy_arena_zero(&tape->step, n, sizeof *tape->flow);
    tape->lane = sy_arena_zero(&tape->step, n, sizeof *tape->lane);
    tape->wave_of = sy_arena_zero(&tape->step, n, sizeof *tape->wave_of);
    tape->output_grad =
        sy_arena_zero(&tape->step, n, sizeof *tape->output_grad);
    tape->stage_count = sy_network_stages(tape->network);
    tape->stage = sy_arena_zero(&tape->step, (size_t)tape->stage_count,
                                sizeof *tape->stage);
    if (tape->segment == NULL || tape->input == NULL ||
        tape->input_held == NULL || tape->cursor == NULL ||
        tape->flow == NULL || tape->lane == NULL || tape->wave_of == NULL ||
        tape->output_grad == NULL || tape->stage == NULL) {
        return SY_NO_MEMORY;
    }
    tape->segment_count = count;
    memcpy(tape->segment, segments, n * sizeof *segments);
    for (int i = 0; i < count; i++) {
        const float *from = segments[i].images;
        if (from == NULL) {
            from = images;
            images += (size_t)segments[i].count *
                      sy_shape_floats(tape->network->spec.input);
        }
        /* Only read through: a stem never writes its value 0. */
        memcpy(&tape->input[i], &from, sizeof from);
    }
    tape_build_waves(tape);
    return SY_OK;
}

/* Buffers in which the caller leaves the gradient of the outputs. */
static enum sy_status make_output_grads(struct sy_tape *tape)
{
    for (int i = 0; i < tape->segment_count; i++) {
        const struct sy_segment *segment = &tape->segment[i];
        size_t classes = (size_t)tape->network->domain[segment->domain].classes;
        tape->output_grad[i] = sy_arena_zero(
            &tape->step, (size_t)segment->count * classes, sizeof(float));
        if (tape->output_grad[i] == NULL) {
            return SY_NO_MEMORY;
        }
    }
    return SY_OK;
}

/* Takes the segments, writes the program of their forward, and runs it. */
static enum sy_status run_forward(struct sy_tape *tape,
                                  const struct sy_segment *segments,
                                  int segment_count, const float *images,
                                  bool scoring, struct sy_error *err)
{
    sy_arena_reset(&tape->step);
    tape_forget(tape);
    tape->scoring = scoring;
    enum sy_status status =
        take_segments(tape, segments, segment_count, images);
    status = status == SY_OK ? tape_program_begin(tape, false) : status;
    status = status == SY_OK ? tape_write_forward(tape) : status;
    if (status == SY_OK && !scoring) {
        status = make_output_grads(tape);
    }
    if (status != SY_OK) {
        return sy_fail(err, status, "tape: no memory for a step");
    }
    return tape_program_run(tape, err);
}

enum sy_status sy_tape_forward(struct sy_tape *tape,
                               const struct sy_segment *segments,
                               int segment_count, const float *images,
                               struct sy_error *err)
{
    return run_forward(tape, segments, segment_count, images, false, err);
}

enum sy_status sy_tape_score(struct sy_tape *tape,
                             const struct sy_segment *segments,
                             int segment_count, const float *images,
                             struct sy_error *err)
{
    return run_forward(tape, segments, segment_count, images, true, err);
}

const float *sy_tape_outputs(const struct sy_tape *tape, int segment)
{
    return tape->input[segment];
}

float *sy_tape_output_grads(struct sy_tape *tape, int segment)
{
    SY_ASSERT(!tape->scoring);
    return tape->output_grad[segment];
}
