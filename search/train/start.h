/*
 * start.h - beginning with the numbers of a trained model.
 *
 * Thread: init.
 */
#ifndef NAS_TRAIN_START_H
#define NAS_TRAIN_START_H

#include "runtime/network/network.h"

/*
 * Copies every tensor of the network that MODEL has too, by name: blocks by
 * their ids, norms by the domain they belong to ("all" where they are shared).
 * `taken` (tensor_count entries) becomes 1 for these and 0 for others. A
 * tensor of the same name with another shape, and a model that has none of
 * them, are SY_BAD_INPUT and leave the network unchanged. `sha256`
 * (SY_HASH_TEXT_BYTES) becomes the hash of what was copied.
 */
enum sy_status nas_start_from(struct sy_network *network, const char *model,
                              uint8_t *taken, char *sha256,
                              struct sy_error *err) SY_MUST_USE;

#endif
