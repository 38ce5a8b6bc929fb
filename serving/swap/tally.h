/*
 * tally.h - what a candidate did beside what is served, counted.
 *
 * One tally for each domain on trial. A pair is one image that both ran; a
 * sum is over pairs where its name says so. Confidence is the probability of
 * the label that was answered, in millionths, so that sums are whole numbers
 * and do not depend on the order in which they were added.
 *
 * Thread: adding: the engine and HTTP threads; reading: any. Counters are
 * read one by one: a copy may be some images apart in itself.
 */
#ifndef SRV_SWAP_TALLY_H
#define SRV_SWAP_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, what it counts) */
#define SRV_TALLY(X)                                                           \
    X(pairs, "images that both ran")                                           \
    X(agreed, "pairs with the same label")                                     \
    X(served_confidence, "sum over pairs, millionths")                         \
    X(next_confidence, "sum over pairs, millionths")                           \
    X(served_madds, "multiply-adds of the served route, over pairs")           \
    X(next_madds, "multiply-adds of the candidate's route, over pairs")        \
    X(extra_madds, "multiply-adds that pairs cost more than one route")        \
    X(extra_blocks, "blocks run for pairs beyond those of one route")          \
    X(served_ns, "time of the served route's blocks, over pairs")              \
    X(next_ns, "time of the candidate's blocks, over pairs")                   \
    X(errors, "answers of the candidate that are not finite numbers")          \
    X(answered, "images that the candidate answered")                          \
    X(stayed, "images of the domain that what is served answered")             \
    X(answered_requests, "requests that the candidate answered")               \
    X(answered_ns, "time of those requests, from arrival to answer")           \
    X(stayed_requests, "requests of the domain that what is served answered")  \
    X(stayed_ns, "time of those requests")

struct srv_tally {
#define SRV_TALLY_FIELD(name, text) atomic_llong name;
    SRV_TALLY(SRV_TALLY_FIELD)
#undef SRV_TALLY_FIELD
};

struct srv_tally_copy {
#define SRV_TALLY_FIELD(name, text) int64_t name;
    SRV_TALLY(SRV_TALLY_FIELD)
#undef SRV_TALLY_FIELD
};

static inline void srv_tally_add(atomic_llong *counter, int64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void srv_tally_read(struct srv_tally *tally, struct srv_tally_copy *copy);

/* What came between two copies: copy - before. */
struct srv_tally_copy srv_tally_since(const struct srv_tally_copy *copy,
                                      const struct srv_tally_copy *before);

#endif
