/*
 * random_route.h - random routes for tests, and what they must answer.
 */
#ifndef SY_TESTS_RANDOM_ROUTE_H
#define SY_TESTS_RANDOM_ROUTE_H

#include "tests/support/random_network.h"

/*
 * A random tree of the kinds there are, up to four deep, over the experts of
 * the domain, of which the same may stand in several places. Thresholds lie
 * where answers of random networks are on both sides of them. Owned.
 */
json_t *sy_random_route(const struct sy_network *network, int domain,
                        struct sy_rng *rng);

/* Gives every domain a random route, read as from a file. */
void sy_random_routes(struct sy_network *network, struct sy_rng *rng);

/*
 * The oracle: what the route answers, straight from its JSON and from what
 * each expert of the network answers (`answers[expert]`) and each gate says
 * (`scores[gate]`), without a budget. used[expert] and asked[gate] tell who had
 * to run. Written apart from the nodes' own code.
 */
struct sy_plain_route {
    const struct sy_network *network;
    int domain;
    const float *const *answers;
    const float *const *scores;
    bool *used, *asked;
};
void sy_plain_route(const struct sy_plain_route *of, json_t *route,
                    float *answer);

#endif
