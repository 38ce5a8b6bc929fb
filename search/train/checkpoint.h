/*
 * checkpoint.h - the whole state of a training between two steps, on disk.
 *
 * A safetensors file: the network's values, the optimiser's slots, the
 * average of the weights, the domain weighting's state; in its metadata the
 * number of the next step, the hash of configuration, data and paths, and a
 * hash of the state itself.
 * Batches and augmentation are functions of the step, so nothing else is
 * needed: a resumed run goes on to the same bits.
 *
 * Thread: one at a time.
 */
#ifndef NAS_TRAIN_CHECKPOINT_H
#define NAS_TRAIN_CHECKPOINT_H

#include "runtime/base/hash.h"
#include "search/train/optimiser.h"

enum { NAS_CHECKPOINT_ARRAYS = 6 };

/* What is saved: borrowed arrays by name. */
struct nas_checkpoint {
    int64_t step;                      /* the next step to do */
    char identity[SY_HASH_TEXT_BYTES]; /* of all that shapes the run */
    const json_t *about; /* what was hashed (identity.h), borrowed, or NULL:
                            lets a refusal name the difference */
    int array_count;
    struct {
        const char *name;
        float *data;
        size_t count;
    } array[NAS_CHECKPOINT_ARRAYS];
};

void nas_checkpoint_add(struct nas_checkpoint *checkpoint, const char *name,
                        float *data, size_t count);

/*
 * False when a number is infinite or NaN: a training that has gone wrong, and
 * whose last good checkpoint should not be replaced.
 */
bool nas_checkpoint_finite(const struct nas_checkpoint *checkpoint);

/* Writes the file atomically. */
enum sy_status nas_checkpoint_save(const struct nas_checkpoint *checkpoint,
                                   const char *path,
                                   struct sy_error *err) SY_MUST_USE;

/*
 * Reads into the arrays and `step`. A file of another run (its identity
 * differs), with other sizes or damaged is SY_BAD_INPUT and changes nothing.
 */
enum sy_status nas_checkpoint_load(struct nas_checkpoint *checkpoint,
                                   const char *path,
                                   struct sy_error *err) SY_MUST_USE;

#endif
