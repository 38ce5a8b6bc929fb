/*
 * forged_pack.h - packs as somebody would write them who knows the format.
 *
 * Thread: one at a time.
 */
#ifndef SY_TESTS_FORGED_PACK_H
#define SY_TESTS_FORGED_PACK_H

#include "runtime/artefact/pack_parts.h"

/* Changes a pack's description and tensors, of which there is room for one
   more. */
typedef void (*sy_forge_fn)(json_t *root, struct sy_st_entry *entry,
                            int *count);

/*
 * Writes the pack at `path` again after a change, with hashes of the tensors
 * and the description that fit.
 */
void sy_forge_pack(const char *path, sy_forge_fn change);

/* The tensor of that name, which must be there; a copy of its numbers, which
   stand in its place and may be changed. */
struct sy_st_entry *sy_forge_entry(struct sy_st_entry *entry, int count,
                                   const char *name);
float *sy_forge_numbers(struct sy_st_entry *entry);

#endif
