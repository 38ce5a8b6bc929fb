/*
 * start.h - beginning with the numbers of a trained model.
 *
 * Thread: init.
 */
#ifndef NAS_TRAIN_START_H
#define NAS_TRAIN_START_H

#include "search/config.h"

/*
 * Copies every tensor of the network that MODEL has too, by name: blocks by
 * their ids, norms by the domain they belong to ("all" where they are shared).
 * `taken` (tensor_count entries) becomes 1 for these and 0 for others. A
 * tensor of the same name with another shape, and a model that has none of
 * them, are SY_BAD_INPUT and leave the network unchanged. `sha256`
 * (SY_HASH_TEXT_BYTES) becomes the hash of what was copied.
 *
 * With `domain`, `taken` becomes 1 only for what must not move when this
 * domain alone is made better: stem, trunk, and the blocks on paths of other
 * domains of MODEL, with their norms where these are shared. The domain's own
 * norms, head and blocks begin with MODEL's numbers, and are free.
 */
enum sy_status nas_start_from(struct sy_network *network, const char *model,
                              const char *domain, uint8_t *taken, char *sha256,
                              struct sy_error *err) SY_MUST_USE;

/*
 * For a search or training of one domain over a served MODEL: the layers of
 * config->network become MODEL's blocks, in its order, and behind them the
 * candidates of the configuration whose id MODEL does not have. Everything
 * else of the two must be the same, and the configuration is left with the
 * one domain that it has. SY_BAD_INPUT says what differs.
 */
enum sy_status nas_start_candidates(struct nas_config *config,
                                    const char *model,
                                    struct sy_error *err) SY_MUST_USE;

/* Hash of the configuration's network, which tells whether paths found over a
   model are of the same candidates. False: no memory. */
bool nas_start_hash(const struct nas_config *config,
                    char text[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

#endif
