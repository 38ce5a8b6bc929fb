/*
 * random_network.h - small random networks for tests: every block kind, odd
 * sizes, strides, several domains, and numbers that leave nothing silent.
 */
#ifndef SY_TESTS_RANDOM_NETWORK_H
#define SY_TESTS_RANDOM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/rng.h"
#include "runtime/network/network.h"

struct sy_random_options {
    uint64_t seed;
    int domains; /* 0 takes 3 */
    int layers;  /* 0 takes 3 to 6 */
    int experts; /* of each domain; 0: a supernet */
    bool gates;  /* three of each domain, "g0" to "g2", and the root gate "root"
                  */
    enum sy_norm_mode norm;
    /*
     * A spec to take in place of a random one; `domains`, `experts` and the
     * values stay random, except that expert e takes candidate e of a layer
     * (modulo their number), so that enough experts use every one.
     */
    const struct sy_network_spec *spec;
};

/*
 * A network in which the weights are those of its seed, norms are far from
 * the identity, and biases and classifiers are not near zero. The experts of
 * a domain form a random tree: each takes the beginning of an earlier one's
 * path. The same options give the same network. Owned.
 */
struct sy_network *sy_random_network(const struct sy_random_options *options);

/* A random path through all candidates. */
struct sy_path sy_random_path(const struct sy_network_spec *spec,
                              struct sy_rng *rng);

/*
 * Drops from the spec what none of the experts uses, as a network with
 * experts wants it, and renumbers their paths.
 */
void sy_prune_for_experts(struct sy_network_spec *spec,
                          struct sy_expert *experts, int count);

/* As many normal numbers as the network's input has; owned (sy_free). */
float *sy_random_image(const struct sy_network *network, struct sy_rng *rng);

/*
 * Sets to NaN every number that none of the `count` (path, domain) pairs
 * uses.
 */
void sy_poison_unused(struct sy_network *network, const struct sy_path *paths,
                      const int *domains, int count);

#endif
