/*
 * identity.h - what makes two runs the same run, as JSON, so that a checkpoint
 * of another one can be refused with the difference named.
 *
 * Thread: init.
 */
#ifndef NAS_TRAIN_IDENTITY_H
#define NAS_TRAIN_IDENTITY_H

#include "search/train/data.h"

enum { NAS_DIFFERENCE_BYTES = 256 };

/*
 * Program version, stage, configuration, data and paths:
 *
 *   {"program", "stage", "config": {...}, "data": {"DOMAIN": SHA-256},
 *    "paths": {"DOMAIN.EXPERT": "l0b1:l1b0"}}
 *
 * Paths tell blocks by id, because the indices of a path count only what is
 * left after pruning; a supernet has none. Owned; NULL: no memory.
 */
json_t *nas_identity(const char *stage, const struct nas_config *config,
                     const struct nas_data *data,
                     const struct sy_network *network);

/*
 * Finds the first place where the two differ, keys in order of the alphabet:
 * "config.train.batch is 64 there and 9 here". False where nothing differs.
 */
bool nas_identity_differ(const json_t *there, const json_t *here,
                         char text[NAS_DIFFERENCE_BYTES]);

#endif
