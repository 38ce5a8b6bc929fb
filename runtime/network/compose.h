/*
 * compose.h - a network made of domains of others: some domains of one, all
 * but one, or those of two networks together.
 *
 * Blocks of equal form and content are held once, those that no path needs are
 * left out, and every domain answers as it did where it comes from, bit for
 * bit.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_COMPOSE_H
#define SY_NETWORK_COMPOSE_H

#include "runtime/network/network.h"

/* One domain of the network to be made. All is borrowed. */
struct sy_compose_domain {
    const struct sy_network *from;
    int domain;         /* there */
    const char *expert; /* this one alone, as the whole route; NULL: all, with
                           the domain's route */
};

/*
 * Makes a network of these domains, in this order. All must be of one form
 * (input, layers, mode of norms, stem, trunk); SY_BAD_INPUT says what differs.
 * Within a layer blocks keep their order, those of the first network before
 * those of the next; an id that another block has already gets a suffix of the
 * hash of its content. Owned.
 */
enum sy_status sy_network_compose(struct sy_network **made, const char *name,
                                  const struct sy_compose_domain *domains,
                                  int count, struct sy_error *err) SY_MUST_USE;

#endif
