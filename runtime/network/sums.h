/*
 * sums.h - the hashes of a network's content, and networks that know theirs.
 *
 * A unit is known by the SHA-256 of its weights, and its norms in each slot by
 * one of their own. Reading all numbers for that is most of what it costs to
 * make one network of another; so a network can keep its hashes
 * (sy_network_sum), and one that is composed or joined from such networks takes
 * over the hash of whatever it has from them, bit for bit, and computes those
 * of what is new.
 *
 * Only who makes a network and changes no number of it afterwards has it keep
 * them: nothing notices a hash that is no longer true.
 *
 * Thread: as for networks; one that keeps its hashes is only read.
 */
#ifndef SY_NETWORK_SUMS_H
#define SY_NETWORK_SUMS_H

#include "runtime/base/hash.h"
#include "runtime/network/network.h"

struct sy_sums {
    char (*weights)[SY_HASH_TEXT_BYTES]; /* [unit] */
    char (*norms)[SY_HASH_TEXT_BYTES];   /* [unit * slots + slot]; "": none */
};

enum { SY_SUMS_LIKE = 2 };

/*
 * Has the network keep its hashes. Where a unit or its norms are the same in
 * one of `like` (networks that keep theirs; NULL: none), its hash is taken from
 * there. On failure it keeps none.
 */
enum sy_status sy_network_sum(struct sy_network *network,
                              const struct sy_network *const like[SY_SUMS_LIKE],
                              struct sy_error *err) SY_MUST_USE;

/* Has it keep none, before its numbers change. */
void sy_network_forget_sums(struct sy_network *network);

/* The same in two steps, for who knows some from elsewhere: room for all, ""
   each, and those that are "" still. */
enum sy_status sy_network_make_sums(struct sy_network *network,
                                    struct sy_error *err) SY_MUST_USE;
void sy_network_fill_sums(struct sy_network *network,
                          const struct sy_network *const like[SY_SUMS_LIKE]);

/* The hash of a unit's weights, in the order of its plan, and of its norms in
   one slot, which must be there: as kept, else computed. */
void sy_network_hash_weights(const struct sy_network *network, int unit,
                             char text[SY_HASH_TEXT_BYTES]);
void sy_network_hash_norms(const struct sy_network *network, int unit, int slot,
                           char text[SY_HASH_TEXT_BYTES]);

#endif
