/*
 * tape_private.h - what the files of this folder share. Not installed.
 *
 * A stage holds groups; a group is one unit with its member segments; each
 * member owns one buffer per value of the unit's plan.
 *
 * What a forward or a backward computes is written down first, as a program:
 * rounds, which follow each other; in a round items, which may run at the
 * same time; in an item steps, which a task runs one after the other. An item
 * by shard has a task for each shard of a segment; an item by part has a task
 * for each part of what its steps compute for all images.
 */
#ifndef SY_TAPE_PRIVATE_H
#define SY_TAPE_PRIVATE_H

#include "runtime/base/arena.h"
#include "runtime/tape/tape.h"

/*
 * Memory that has a first and a last round: what is given back after round r
 * serves whoever begins after r. Holders share it; who wants to overwrite it
 * must be the only one.
 */
struct tape_buffer {
    float *at;
    size_t floats; /* of the memory, not less than were asked for */
    int holders;
    int free_after;  /* round, once nobody holds it */
    int parts_until; /* round until which tasks by part may read it */
    struct tape_buffer *next_free;
};

/* Sums over images of one norm slot: a slice for each shard that counts. */
struct tape_moments {
    bool frozen; /* applies running statistics; totals are 0 */
    int channels;
    int64_t rows;
    int slice_count;
    int64_t *slice_rows;
    float *slices;  /* each 2 * channels */
    float *batch;   /* mean[C], sum of squared deviations[C] */
    float *applied; /* mean[C], 1/sqrt(var + eps)[C] */
    float *totals;  /* backward: gradient of scale[C], bias[C] */
};

enum tape_step_kind {
    STEP_KERNEL, /* args, on the task's images or part */
    STEP_MIX,    /* the sum of a mix's parts */
    STEP_SPLIT,  /* backward: the parts' gradients and those of the weights */
    STEP_JOIN,   /* backward: the sum of the parts' gradients of the input */
    STEP_SUM     /* part of a tree sum of slices */
};

struct tape_mix;

struct tape_step {
    struct tape_step *next;
    enum tape_step_kind kind;
    sy_kernel_fn kernel;
    struct sy_op_args args; /* of all images of the segment */
    size_t second_floats;   /* of one image of args.x2 */
    size_t slice_floats;    /* args.partial is one slice for each shard */
    struct tape_mix *mix;
    /* STEP_SUM: slices at args.partial; the sums go to `to`, and what lies
       behind the first `to_floats` goes to `rest`. */
    int slice_count;
    float *to, *rest;
    size_t to_floats;
};

struct tape_item {
    struct tape_item *next;
    int segment; /* -1: by part */
    int tasks;
    struct tape_step *first, *last;
};

/* What follows a round, on the caller. */
struct tape_after {
    struct tape_after *next;
    struct tape_moments *moments; /* merge, or in a backward add up, or NULL */
    struct tape_mix *mix;         /* add up the gradients of its weights */
};

struct tape_round {
    struct tape_item *first, *last;
    struct tape_after *after;
    int tasks;
};

/* Where the next step of a segment (or of a part of a mix) goes. */
struct tape_cursor {
    int round;
    struct tape_item *item; /* open in that round, or NULL */
};

struct tape_member {
    int segment;
    int slot;             /* of its norms */
    int lane;             /* the number of what it leaves */
    int input_lane;       /* of what it reads */
    int users;            /* choices that read what it leaves, while they do */
    struct tape_mix *mix; /* of which this is a part; NULL: a hard choice */
    struct tape_cursor cursor;
    struct tape_buffer **held; /* score: by value index, what to give back */
    float **value;             /* by value index of the plan */
    struct tape_buffer **grad; /* by value index, NULL: none yet */
    struct tape_moments **moments; /* by norm index */
};

struct tape_group {
    int unit;
    int member_count;
    struct tape_member *member;
};

/* One entry of a soft choice: the block's group and the place in it. */
struct tape_part {
    struct tape_group *group; /* NULL: weight 0, not computed */
    int member;
};

/* A soft choice of a segment: what its parts leave is summed up. */
struct tape_mix {
    int segment;
    const struct sy_soft_choice *choice;
    struct tape_part *part; /* by entry */
    size_t input_floats;    /* of one image */
    size_t output_floats;
    float *output;
    struct tape_buffer *held;        /* score: the output's */
    const float *output_grad;        /* backward, as all below */
    struct tape_buffer **part_grad;  /* by entry: of what the part leaves */
    struct tape_buffer **part_input; /* by entry: of the part's input */
    struct tape_buffer *input_grad;
    float *weight_slices; /* SY_MAX_BLOCKS for each shard */
    float *weight_grad;   /* by entry */
};

struct tape_stage {
    int group_count;
    struct tape_group *group;
    int mix_count;
    struct tape_mix *mix;
    struct tape_part *hard; /* by segment; group NULL where it is soft */
};

struct sy_tape {
    struct sy_network *network;
    struct sy_pool *pool;
    const struct sy_backend *backend;
    const uint8_t *frozen; /* by tensor, or NULL */
    int shards;

    struct sy_arena step;    /* lives from one forward to the next */
    struct sy_arena buffers; /* of struct tape_buffer: gradients, slices, and
                                in a score the values */
    struct tape_buffer *free_buffers;
    bool scoring; /* the last call was sy_tape_score */

    int segment_count;
    struct sy_segment *segment;
    float **input; /* by segment: what enters the stage being written, in the
                      end the outputs */
    struct tape_buffer **input_held; /* score */
    struct tape_cursor *cursor;      /* by segment */
    int lane_count;
    int *lane;      /* by segment: what enters the stage being built */
    int wave_count; /* waves are written one after the other */
    int *wave_of;   /* by segment */
    int wave;       /* being written, or TAPE_ALL_WAVES */
    int wave_round; /* where it begins */
    int stage_count;
    struct tape_stage *stage;
    float **output_grad;       /* by segment */
    struct tape_buffer **flow; /* by segment: gradient of a stage's output */

    int wave_rounds; /* enough for any wave */
    int round_count; /* enough for the program */
    int round_end;   /* behind the last one with tasks */
    struct tape_round *round;
    bool backward;

    float **scratch; /* by worker */
    size_t scratch_floats;
};

/* --- tape_memory.c ----------------------------------------------------- */

/* Memory from round `round` on, with one holder; NULL: none left. */
struct tape_buffer *tape_take(struct sy_tape *tape, size_t floats, int round);

/* One holder less, who needed it until `round`. NULL is legal. */
void tape_give(struct sy_tape *tape, struct tape_buffer *buffer, int round);

/* Ends the life of all buffers. */
void tape_forget(struct sy_tape *tape);

/* --- tape_program.c ---------------------------------------------------- */

/* An empty program with room for what all waves may need. */
enum sy_status tape_program_begin(struct sy_tape *tape, bool backward);

/* Runs it, round by round. */
enum sy_status tape_program_run(struct sy_tape *tape, struct sy_error *err);

/* Appends an empty step at the cursor of a segment; NULL: no memory. */
struct tape_step *tape_append(struct sy_tape *tape, struct tape_cursor *cursor,
                              int segment, enum tape_step_kind kind);

/* An item of `parts` tasks in a round; NULL: no memory. */
struct tape_item *tape_add_parts(struct sy_tape *tape, int round, int parts);

/* Appends an empty step to an item; NULL: no memory. */
struct tape_step *tape_add_step(struct sy_tape *tape, struct tape_item *item,
                                enum tape_step_kind kind);

/* What is to follow a round; NULL: no memory. */
struct tape_after *tape_add_after(struct sy_tape *tape, int round);

/* The first round in which other tasks see what stands at the cursor. */
int tape_ready(const struct tape_cursor *cursor);

/* The last round in which something stands at the cursor. */
int tape_last_round(const struct tape_cursor *cursor);

/* The cursor's next step begins in `round`. */
void tape_go_to(struct tape_cursor *cursor, int round);

/* Shards of a segment, and the images of one: [first, first + count). */
int tape_shards(const struct sy_tape *tape, int segment);
void tape_shard(const struct sy_tape *tape, int segment, int s, int *first,
                int *count);

/* --- tape_bind.c ------------------------------------------------------- */

/* The plan of a group's unit. */
const struct sy_plan *tape_plan(const struct sy_tape *tape,
                                const struct tape_group *group);

/* Floats of value `v` for all images of the member. */
size_t tape_value_floats(const struct sy_tape *tape,
                         const struct tape_group *group,
                         const struct tape_member *member, int v);

/*
 * Fills in a kernel step on all images of a member: activations, parameters,
 * and the moments of a norm; makes room in every worker's scratch.
 */
enum sy_status tape_bind(struct sy_tape *tape, struct tape_step *step,
                         const struct tape_group *group,
                         const struct tape_member *member,
                         const struct sy_node *node);

/* The backend's kernel of that node, or the reference's. */
enum tape_pass { PASS_STATS, PASS_FORWARD, PASS_SUMS, PASS_BACKWARD };
sy_kernel_fn tape_kernel(const struct sy_tape *tape, const struct sy_node *node,
                         enum tape_pass pass);

/* Parts that the node is cut into for the whole group, or 0: by shard. */
int tape_parts(const struct sy_tape *tape, const struct tape_group *group,
               const struct sy_node *node, enum sy_split_pass pass);

/* True if the norms of two members of a group count their rows together. */
bool tape_counts_together(const struct sy_tape *tape,
                          const struct tape_group *group, int a, int b);

/* True if no earlier member counts together with this one. */
bool tape_is_first_of_slot(const struct sy_tape *tape,
                           const struct tape_group *group, int member);

/* --- tape_frozen.c ----------------------------------------------------- */

/* True if the member's norm applies its running statistics. */
bool tape_is_frozen_norm(const struct sy_tape *tape,
                         const struct tape_group *group, int member, int norm);

/* The moments of a frozen slot, for all its members from `first` on. */
enum sy_status tape_frozen_moments(struct sy_tape *tape,
                                   struct tape_group *group, int first,
                                   int norm);

/* The first stage of this step where something moves: no gradient is wanted
   below it. The number of stages where nothing does. */
int tape_first_moving(const struct sy_tape *tape);

/* --- tape_groups.c, tape_forward.c, tape_mix.c ------------------------- */

enum { TAPE_ALL_WAVES = -1 };

/* Deals the segments to waves; what they read are lanes of the images. */
void tape_build_waves(struct sy_tape *tape);

/* Puts all segments into groups of stage `s`; they have no buffers yet. */
enum sy_status tape_build_stage(struct sy_tape *tape, int s);

/* True if the segment, or the member's, is of the wave being written. */
bool tape_is_now(const struct sy_tape *tape, int segment);

/* Writes the program of all stages. */
enum sy_status tape_write_forward(struct sy_tape *tape);

/* The sum of a mix's parts, once all are computed. */
enum sy_status tape_mix_forward(struct sy_tape *tape, struct tape_mix *mix);

/*
 * Backward of a mix: `split` gives each part the gradient of what it leaves,
 * `join` adds up what the parts give their input and hands it on.
 */
enum sy_status tape_mix_split(struct sy_tape *tape, struct tape_mix *mix);
enum sy_status tape_mix_join(struct sy_tape *tape, struct tape_mix *mix);

/* The tasks of the steps of tape_mix.c: images [first, first + count). */
void tape_run_mix(const struct sy_tape *tape, const struct tape_step *step,
                  int shard, int first, int count);

/* The gradients of the weights, from those of the shards. */
void tape_mix_sum_weights(const struct sy_tape *tape, struct tape_mix *mix);

#endif
