/*
 * small_pack.h - what tests of packs have in hand: `base`, the small network as
 * it is saved and served, and `next`, the same with some numbers of domain
 * "digits" changed.
 */
#ifndef SY_TESTS_SMALL_PACK_H
#define SY_TESTS_SMALL_PACK_H

#include "runtime/artefact/pack.h"

extern struct sy_network *sy_pack_base, *sy_pack_next;
/* In the test's folder: a pack, and a model. */
extern char sy_pack_file[SY_PATH_BYTES], sy_pack_model[SY_PATH_BYTES];

/* A fixture: makes the test's folder and both networks. */
void sy_small_pack_setup(void);
void sy_small_pack_teardown(void);

/* Opens the pack, which must be one. Owned. */
struct sy_pack *sy_small_pack_open(void);

/* Saves the base as version 1 of the model. */
void sy_small_pack_save_base(void);

/* Puts a pack into the model's store. */
void sy_small_pack_store(struct sy_pack *pack);

#endif
