/*
 * peers.c - a look at every connection, a few times a second.
 *
 * DESIGN: the sweep only ever shuts a socket down; the HTTP library then sees
 * its end, and all clean-up takes the one usual way. While a request is read,
 * a peer counts as gone when two looks in a row find the end of the stream
 * and nothing left to read (the library waits for an edge of epoll and can
 * miss an end that was there before it first read). While it is worked on,
 * the peer's end alone says so: nobody sends the first half of a conversation
 * and stays for the second, and other servers treat it alike.
 *
 * Looking costs nothing per request, where an own epoll set would cost two
 * system calls for each.
 */
#include "serving/http/peers.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "runtime/base/clock.h"

enum {
    LOOK_MS = 50,        /* between looks while waiting for the end */
    IDLE_EVERY = 5,      /* sweeps between looks at the many that are idle */
    WORK_AGE_MS = 20,    /* work younger than this is not looked at */
    IDLE_SLACK_MS = 2000 /* the library's own idle timeout goes first */
};

#define MS INT64_C(1000000)

void srv_peers_init(struct srv_peers *peers,
                    const struct srv_peer_limits *limits)
{
    peers->limits = *limits;
    peers->first = NULL;
    peers->count = 0;
    peers->most_of_address = 0;
    peers->sweeps = 0;
    atomic_init(&peers->busy, 0);
    for (int i = 0; i < SRV_LOSSES; i++) {
        atomic_init(&peers->losses[i], 0);
    }
    pthread_mutex_init(&peers->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&peers->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void srv_peers_release(struct srv_peers *peers)
{
    pthread_cond_destroy(&peers->quiet);
    pthread_mutex_destroy(&peers->lock);
}

/* Whether the address has its number of connections; the lock is held. A walk
   over all, but only where there is a limit, and once a connection. */
static bool is_crowded(const struct srv_peers *peers, const char *address)
{
    int own = 0;
    if (peers->most_of_address == 0 || address == NULL) {
        return false;
    }
    for (const struct srv_peer *p = peers->first; p != NULL; p = p->next) {
        own +=
            !p->crowd && p->address != NULL && strcmp(p->address, address) == 0;
    }
    return own >= peers->most_of_address;
}

bool srv_peer_add(struct srv_peers *peers, struct srv_peer *peer, int fd,
                  int64_t now_ns)
{
    peer->fd = fd;
    atomic_store(&peer->since_ns, now_ns);
    pthread_mutex_lock(&peers->lock);
    bool crowd = is_crowded(peers, peer->address);
    peer->crowd = crowd;
    peer->previous = NULL;
    peer->next = peers->first;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    peers->first = peer;
    peers->count++;
    pthread_mutex_unlock(&peers->lock);
    return !crowd;
}

void srv_peer_remove(struct srv_peers *peers, struct srv_peer *peer)
{
    pthread_mutex_lock(&peers->lock);
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        peers->first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    peers->count--;
    pthread_mutex_unlock(&peers->lock);
}

void srv_peer_enter(struct srv_peer *peer, enum srv_peer_phase phase,
                    int64_t bytes, int64_t now_ns)
{
    atomic_store_explicit(&peer->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&peer->since_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&peer->phase, (int)phase, memory_order_release);
}

void srv_peer_begin(struct srv_peers *peers, struct srv_peer *peer,
                    int64_t now_ns)
{
    atomic_fetch_add(&peers->busy, 1);
    srv_peer_enter(peer, SRV_PEER_HEADERS, 0, now_ns);
}

void srv_peer_end(struct srv_peers *peers, struct srv_peer *peer,
                  int64_t now_ns)
{
    pthread_mutex_lock(&peers->lock);
    srv_peer_enter(peer, SRV_PEER_IDLE, 0, now_ns);
    peer->work = NULL;
    peer->lost = false;
    peer->told = false;
    if (atomic_fetch_sub(&peers->busy, 1) == 1) {
        pthread_cond_broadcast(&peers->quiet);
    }
    pthread_mutex_unlock(&peers->lock);
}

static void count_loss(struct srv_peers *peers, enum srv_peer_loss loss)
{
    atomic_fetch_add_explicit(&peers->losses[loss], 1, memory_order_relaxed);
}

static void hang_up(struct srv_peers *peers, struct srv_peer *peer,
                    enum srv_peer_loss loss)
{
    if (!peer->told) {
        count_loss(peers, loss);
        peer->told = true;
    }
    shutdown(peer->fd, SHUT_RDWR);
}

/* The stream's end is there and nothing is left to read. */
static bool has_ended(const struct srv_peer *peer)
{
    char byte;
    return recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The other side is gone, whatever it sent before. */
static bool has_left(const struct srv_peer *peer)
{
    struct pollfd look = {.fd = peer->fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 &&
           (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static bool is_slow(const struct srv_peer_limits *limits, int64_t bytes,
                    int64_t age_ns)
{
    return limits->least_rate > 0 && age_ns > limits->grace_ns &&
           (double)bytes < (double)limits->least_rate *
                               (double)(age_ns - limits->grace_ns) / 1e9;
}

/* An answer has until its size could have gone at the least rate. */
static bool is_stuck(const struct srv_peer_limits *limits, int64_t bytes,
                     int64_t age_ns)
{
    return limits->least_rate > 0 &&
           (double)(age_ns - limits->grace_ns) >
               (double)bytes * 1e9 / (double)limits->least_rate;
}

/* Whether the stream has ended for good: two looks in a row found it so. */
static bool is_gone(struct srv_peer *peer)
{
    bool was_lost = peer->lost;
    peer->lost = has_ended(peer);
    return peer->lost && was_lost;
}

static void look_at(struct srv_peers *peers, struct srv_peer *peer,
                    int64_t now_ns)
{
    const struct srv_peer_limits *limits = &peers->limits;
    int phase = atomic_load_explicit(&peer->phase, memory_order_acquire);
    int64_t bytes = atomic_load_explicit(&peer->bytes, memory_order_relaxed);
    int64_t age_ns =
        now_ns - atomic_load_explicit(&peer->since_ns, memory_order_relaxed);
    switch ((enum srv_peer_phase)phase) {
    case SRV_PEER_IDLE:
        if (age_ns > limits->idle_ns + IDLE_SLACK_MS * MS) {
            hang_up(peers, peer, SRV_LOSS_IDLE);
        } else if (peers->sweeps % IDLE_EVERY == 0 && is_gone(peer)) {
            hang_up(peers, peer, SRV_LOSS_LEFT);
        }
        break;
    case SRV_PEER_HEADERS:
    case SRV_PEER_BODY:
        if (phase == SRV_PEER_HEADERS && age_ns > limits->headers_ns) {
            hang_up(peers, peer, SRV_LOSS_HEADERS);
        } else if (phase == SRV_PEER_BODY && is_slow(limits, bytes, age_ns)) {
            hang_up(peers, peer, SRV_LOSS_SLOW);
        } else if (is_gone(peer)) {
            hang_up(peers, peer, SRV_LOSS_LEFT);
        }
        break;
    case SRV_PEER_WORK:
        if (age_ns > WORK_AGE_MS * MS && !peer->told && peer->cancel != NULL &&
            has_left(peer)) {
            peer->told = true;
            count_loss(peers, SRV_LOSS_CANCEL);
            peer->cancel(peer->work);
        }
        break;
    case SRV_PEER_ANSWER:
        if (is_stuck(limits, bytes, age_ns)) {
            hang_up(peers, peer, SRV_LOSS_SLOW);
        }
        break;
    }
}

static void sweep_locked(struct srv_peers *peers, int64_t now_ns)
{
    peers->sweeps++;
    for (struct srv_peer *p = peers->first; p != NULL; p = p->next) {
        look_at(peers, p, now_ns);
    }
}

void srv_peers_sweep(struct srv_peers *peers, int64_t now_ns)
{
    pthread_mutex_lock(&peers->lock);
    sweep_locked(peers, now_ns);
    pthread_mutex_unlock(&peers->lock);
}

void srv_peers_configure(struct srv_peers *peers,
                         const struct srv_peer_limits *limits)
{
    pthread_mutex_lock(&peers->lock);
    peers->limits = *limits;
    pthread_mutex_unlock(&peers->lock);
}

/* Nobody is busy, nor was a moment ago; the lock is held. */
static bool is_quiet(struct srv_peers *peers, int64_t linger_ns)
{
    int64_t since_ns = sy_now_ns() - linger_ns;
    if (atomic_load(&peers->busy) > 0) {
        return false;
    }
    for (struct srv_peer *p = peers->first; p != NULL; p = p->next) {
        if (atomic_load(&p->since_ns) > since_ns) {
            return false;
        }
    }
    return true;
}

bool srv_peers_wait(struct srv_peers *peers, int64_t deadline_ns,
                    int64_t linger_ns)
{
    pthread_mutex_lock(&peers->lock);
    bool quiet;
    while (!(quiet = is_quiet(peers, linger_ns)) && sy_now_ns() < deadline_ns) {
        int64_t until_ns = sy_now_ns() + LOOK_MS * MS;
        until_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
        struct timespec until = {.tv_sec = until_ns / 1000000000,
                                 .tv_nsec = until_ns % 1000000000};
        sweep_locked(peers, sy_now_ns());
        pthread_cond_timedwait(&peers->quiet, &peers->lock, &until);
    }
    pthread_mutex_unlock(&peers->lock);
    return quiet;
}
