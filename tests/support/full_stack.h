/*
 * full_stack.h - a model on which no pack fits any more.
 */
#ifndef SY_TESTS_FULL_STACK_H
#define SY_TESTS_FULL_STACK_H

#include "runtime/artefact/pack.h"

/*
 * Puts SY_STACK_PACKS packs of the first domain on version 1 of `model`, each
 * on a block that the one below has brought, so that all of them matter, and
 * has CURRENT name them. One more such pack is written to `path`, with this id,
 * and not stored. `network`, of the form of the version, is what packs are made
 * of; its numbers are moved.
 */
void sy_check_fill_stack(const char *model, struct sy_network *network,
                         const char *path, char id[SY_PACK_ID_BYTES]);

#endif
