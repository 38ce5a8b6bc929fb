/*
 * small_network.h - a network of a few kilobytes for tests of the network and
 * artefact folders.
 *
 * Two layers; layer 0 has the candidates conv ("l0b0") and zero that passes
 * on ("skip"), layer 1 (stride 2) mbconv with squeeze-excite ("l1b0"), group
 * ("l1b1") and zero that projects ("l1b2"). Domains are "digits" (3 classes)
 * and "shapes" (2 classes).
 */
#ifndef SY_TESTS_SMALL_NETWORK_H
#define SY_TESTS_SMALL_NETWORK_H

#include "runtime/network/network.h"

extern const char sy_small_spec_text[];

/* The spec above. */
void sy_small_spec(struct sy_network_spec *spec);

/*
 * The supernet, or the network of the experts digits/main 0:0, digits/second
 * 1:1 and shapes/main 0:1 (block l1b2 is dropped); initialised by the seed,
 * with statistics that differ from their start. Owned.
 */
struct sy_network *sy_small_supernet(uint64_t seed);
struct sy_network *sy_small_network(uint64_t seed);

/* The unit of that id, which must be there. */
int sy_small_unit(const struct sy_network *network, const char *id);

/* Adds to the first weight of a unit, so that it is another. */
void sy_small_move(struct sy_network *network, const char *id, float by);

/* True when both hold the same in every respect, values bit for bit. */
bool sy_networks_equal(const struct sy_network *a, const struct sy_network *b);

#endif
