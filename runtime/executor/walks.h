/*
 * walks.h - the routes of a batch on their way; private to the executor.
 *
 * A request that names neither experts nor a path goes the way of its domain's
 * route, which the root gate has to find first where it names no domain. Its
 * walk keeps the answers of the experts and the scores of the gates that have
 * run, and asks the route again after each round.
 *
 * Thread: one at a time, but sy_walks_ask: any, one at a time per request and
 * per worker.
 */
#ifndef SY_EXECUTOR_WALKS_H
#define SY_EXECUTOR_WALKS_H

#include "runtime/executor/lanes.h"

struct sy_walks {
    const struct sy_network *network;
    int width;   /* most experts of a route */
    int classes; /* most of a domain that has a route */
    size_t room_floats;
    struct sy_walk *walk; /* by request */
    float *answers;       /* [request][lane][classes] */
    float *room;          /* [worker][room_floats] */
};

/* Takes all memory that batches of up to max_requests can need. */
enum sy_status sy_walks_init(struct sy_walks *walks,
                             const struct sy_network *network, int max_requests,
                             int workers, struct sy_arena *memory) SY_MUST_USE;

/* Starts the request's walk: it waits for the root gate, or can be asked. */
void sy_walks_begin(struct sy_walks *walks, int index,
                    const struct sy_request *request);

/*
 * Asks the route with the answers of all lanes that have ended. A walk that
 * ends fills in the request; one that has ended is left alone.
 */
void sy_walks_ask(struct sy_walks *walks, int index, int worker,
                  const struct sy_lanes *lanes, struct sy_request *request);

/* Opens the lanes that the walk waits for; returns how many. */
int sy_walks_open(struct sy_walks *walks, int index, struct sy_lanes *lanes,
                  const struct sy_request *request);

#endif
