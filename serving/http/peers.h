/*
 * peers.h - the clients that are connected, and what each is owed.
 *
 * The HTTP library closes a connection on which nothing at all happens, and
 * knows no other limit: a client that sends a byte now and then keeps its
 * place for ever, and one that goes away while its request is being worked on
 * is not noticed before the answer is sent. So every connection has a peer
 * here, and a look at all of them a few times a second
 *
 *   - hangs up on those that take too long over the headers or are slower
 *     than the least rate over a body or an answer,
 *   - hangs up on those that left in the middle of a request,
 *   - tells the owner of work whose client went away, so that its place in
 *     the queue is free at once.
 *
 * A request costs some stores into its peer and one short lock at its end.
 * There is no clock here: the time is given.
 *
 * Thread: each peer's calls come from the thread that has the connection;
 * srv_peers_sweep: any one thread.
 */
#ifndef SRV_HTTP_PEERS_H
#define SRV_HTTP_PEERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* What a connection is busy with. */
enum srv_peer_phase {
    SRV_PEER_IDLE,    /* between requests, or before the first line's end */
    SRV_PEER_HEADERS, /* the request line was there */
    SRV_PEER_BODY,    /* the headers were there */
    SRV_PEER_WORK,    /* the request was; nothing is owed by the client */
    SRV_PEER_ANSWER   /* the answer is being sent */
};

/* Why the sweep ended connections or work, counted. */
enum srv_peer_loss {
    SRV_LOSS_IDLE,    /* no request for too long */
    SRV_LOSS_HEADERS, /* headers that took too long */
    SRV_LOSS_SLOW,    /* a body or an answer below the least rate */
    SRV_LOSS_LEFT,    /* went away in the middle of a request */
    SRV_LOSS_CANCEL,  /* went away while its request was worked on */
    SRV_LOSSES
};

struct srv_peer_limits {
    int64_t idle_ns;    /* between requests */
    int64_t headers_ns; /* from request line to the end of the headers */
    int64_t grace_ns;   /* before the rate is asked for */
    int64_t least_rate; /* bytes a second of a body or answer; 0: any */
};

/* Lives inside the owner's connection; zeroed memory is a valid start. */
struct srv_peer {
    int fd;
    const char *address; /* borrowed, set before it is added; NULL: not known */
    atomic_int phase;
    _Atomic int64_t since_ns; /* of the phase */
    _Atomic int64_t bytes;    /* of the body so far, or of the whole answer */

    /* Called under the lock of the peers; set before SRV_PEER_WORK. */
    void (*cancel)(void *work);
    void *work;

    struct srv_peer *next, *previous; /* guarded by the lock, as are these */
    bool lost, told, crowd;
};

struct srv_peers {
    struct srv_peer_limits limits;
    pthread_mutex_t lock; /* guards the list, and work from being freed */
    struct srv_peer *first;
    int count;
    int most_of_address; /* connections of one address; 0: any number */
    unsigned sweeps;
    pthread_cond_t quiet; /* nobody is busy any more */
    atomic_int busy;      /* peers with a request */
    _Atomic int64_t losses[SRV_LOSSES];
};

void srv_peers_init(struct srv_peers *peers,
                    const struct srv_peer_limits *limits);
void srv_peers_release(struct srv_peers *peers);

/* A connection came, and went; its socket is open in between. False: it is one
   too many of its address, and the caller hangs up on it. */
bool srv_peer_add(struct srv_peers *peers, struct srv_peer *peer, int fd,
                  int64_t now_ns) SY_MUST_USE;
void srv_peer_remove(struct srv_peers *peers, struct srv_peer *peer);

/* A request begins. */
void srv_peer_begin(struct srv_peers *peers, struct srv_peer *peer,
                    int64_t now_ns);

/* It goes on to the next phase (BODY, WORK or ANSWER). */
void srv_peer_enter(struct srv_peer *peer, enum srv_peer_phase phase,
                    int64_t bytes, int64_t now_ns);

/* It has ended. After this the sweep does not touch its work any more. */
void srv_peer_end(struct srv_peers *peers, struct srv_peer *peer,
                  int64_t now_ns);

/* Looks at all of them. */
void srv_peers_sweep(struct srv_peers *peers, int64_t now_ns);

/* Other limits from now on. */
void srv_peers_configure(struct srv_peers *peers,
                         const struct srv_peer_limits *limits);

/*
 * Waits, sweeping meanwhile, until nobody is busy and nobody who is connected
 * had an answer in the last `linger_ns`, or until `deadline_ns`; returns
 * whether that is so.
 */
bool srv_peers_wait(struct srv_peers *peers, int64_t deadline_ns,
                    int64_t linger_ns);

#endif
