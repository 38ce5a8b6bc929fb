/*
 * tape_private.h - what the files of this folder share. Not installed.
 *
 * A stage holds groups; a group is one unit with its member segments; each
 * member owns one buffer per value of the unit's plan. A group's work on a
 * node is a list of tasks, one per (member, shard), the same for all nodes.
 */
#ifndef SY_TAPE_PRIVATE_H
#define SY_TAPE_PRIVATE_H

#include "runtime/base/arena.h"
#include "runtime/tape/tape.h"

/* Some images of one member: what one kernel call works on. */
struct tape_task {
    int member;
    int first; /* image within the segment */
    int count;
};

/* What a norm saw in the last forward; members of one slot share one. */
struct tape_moments {
    float *batch;        /* mean[C], sum of squared deviations[C] */
    float *applied;      /* mean[C], 1/sqrt(var + eps)[C] */
    const float *totals; /* backward: gradient of scale[C], bias[C] */
    int64_t rows;
};

struct tape_mix;

struct tape_member {
    int segment;
    struct tape_mix *mix; /* of which this is a part; NULL: a hard choice */
    int entry;            /* in the mix */
    float **value;        /* by value index of the plan */
    float *output; /* what the unit leaves: a value, or a copy of the input */
    float **grad;
    bool *grad_written;
    struct tape_moments **moments; /* by norm index */
};

struct tape_group {
    int unit;
    int member_count;
    struct tape_member *member;
    int task_count;
    struct tape_task *task;
};

/* One entry of a soft choice: the block's group and the place in it. */
struct tape_part {
    struct tape_group *group; /* NULL: weight 0, not computed */
    int member;
};

/* A soft choice of a segment: what its parts leave is summed up here. */
struct tape_mix {
    int segment;
    const struct sy_soft_choice *choice;
    struct tape_part *part; /* by entry */
    float *output;
    float *input_grad;   /* backward: all parts add to it */
    bool input_written;  /* the first part has */
    float *weight_grad;  /* by entry */
    size_t input_floats; /* of one image */
    size_t output_floats;
};

struct tape_stage {
    int group_count;
    struct tape_group *group;
    int mix_count;
    struct tape_mix *mix;
};

struct sy_tape {
    struct sy_network *network;
    struct sy_pool *pool;
    const struct sy_backend *backend;
    int shards;

    struct sy_arena step;     /* lives from one forward to the next */
    struct sy_arena grads[2]; /* stage s uses s % 2, so its successor's
                                 gradients are still there */
    bool scoring;             /* the last call was sy_tape_score */
    int segment_count;
    struct sy_segment *segment;
    float **input; /* by segment: what enters the stage being built */
    int stage_count;
    struct tape_stage *stage;
    float **output_grad; /* by segment */
    float **flow;        /* by segment: gradient entering a stage */

    float *partial; /* one slice per task */
    size_t partial_floats;
    float **scratch; /* by worker */
    size_t scratch_floats;
};

/* One node of one group, as the pool sees it. */
struct tape_job {
    struct sy_tape *tape;
    const struct tape_group *group;
    const struct sy_node *node;
    sy_kernel_fn kernel;
    bool backward;
    size_t partial_size; /* floats of one task's slice */
};

/*
 * Puts all segments into groups of stage `s` and gives them their buffers;
 * value 0 of each is tape->input, which afterwards is what the stage leaves.
 */
enum sy_status tape_build_stage(struct sy_tape *tape, int s);

/*
 * Mixes of a stage. Forward: sums the parts up. Open: before the backward of
 * its groups, writes each part's gradient, weight * that of the output, and
 * the gradient of the weight; close: `flow` becomes the input's gradient.
 */
void tape_mix_forward(struct sy_tape *tape, struct tape_stage *stage);
enum sy_status tape_mix_open(struct sy_tape *tape, struct tape_stage *stage,
                             struct sy_arena *arena, struct sy_error *err);
void tape_mix_close(struct sy_tape *tape, struct tape_stage *stage);

/* Makes room for slices of `size` floats for `tasks` tasks. */
enum sy_status tape_reserve_partial(struct sy_tape *tape, int tasks,
                                    size_t size, struct sy_error *err);

/* Makes room in every worker's scratch for the node on this group. */
enum sy_status tape_reserve_scratch(struct sy_tape *tape,
                                    const struct tape_group *group,
                                    const struct sy_node *node,
                                    struct sy_error *err);

/* The slice of a task. */
float *tape_slice(const struct tape_job *job, int task);

/* Runs the job's kernel on all tasks of the group. */
void tape_run(struct tape_job *job);

/*
 * Adds up the slices of the tasks `list` (indices, in order) in a fixed
 * binary tree; the sum is left in the first one's slice.
 */
void tape_sum(struct tape_job *job, const int *list, int count);

/* Merges norm moments of the tasks `list` likewise; returns their rows. */
int64_t tape_merge_moments(struct tape_job *job, const int *list, int count);

/*
 * Writes to `list` the tasks of all members whose norm statistics are those
 * of member `first`, and returns how many; 0 when an earlier member has them.
 */
int tape_slot_tasks(const struct sy_tape *tape, const struct tape_group *group,
                    int first, int *list);

/* The images of shard `s` of a segment: [first, first + count). */
void tape_shard(const struct sy_tape *tape, int segment, int s, int *first,
                int *count);

const struct sy_unit *tape_unit(const struct sy_tape *tape,
                                const struct tape_group *group);

#endif
