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
 * Makes a network of these domains, in this order. They come from `base`, whose
 * name, order of blocks and root gate it keeps, and from at most one other
 * network of the same form (sy_form_difference; SY_BAD_INPUT says what
 * differs). SY_NOT_FOUND: an expert that is not there.
 *
 * Within a layer blocks keep their order, those of base before new ones; an id
 * that another block has already gets a suffix of the hash of its content. The
 * root gate stays while the domains that it knows are the first ones, in their
 * order; else it is left out, and requests have to name their domain. Owned.
 */
enum sy_status sy_network_compose(struct sy_network **made,
                                  const struct sy_network *base,
                                  const struct sy_compose_domain *domains,
                                  int count, struct sy_error *err) SY_MUST_USE;

#endif
