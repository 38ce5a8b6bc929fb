/*
 * loop.h - an HTTP thread: it sleeps until sockets, or work that has ended,
 * want a turn.
 *
 * Work ends on other threads, many at a time: a batch. A thread that was woken
 * for each of them would take the processor from the engine as often, send one
 * answer and sleep again. So those who end work push what has ended, and rouse
 * the thread once, behind the last; it finds all of them in one turn.
 *
 * What a turn does is the owner's affair: there is no HTTP here.
 */
#ifndef SRV_HTTP_LOOP_H
#define SRV_HTTP_LOOP_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/base/status.h"

/* A link inside of what is pushed; its owner's until it is pushed, and again
   from the turn that gets it. */
struct srv_woken {
    struct srv_woken *next;
};

struct srv_loop_options {
    int fd; /* readable: a turn is wanted; borrowed */
    /* Milliseconds until a turn is wanted in any case; -1: never. */
    int (*patience_ms)(void *owner);
    /* A turn; `woken` is a list of what was pushed since the last, or NULL. */
    void (*turn)(void *owner, struct srv_woken *woken);
    void *owner;
};

/* Private to loop.c; zeroed memory may be stopped. */
struct srv_loop {
    struct srv_loop_options options;
    pthread_t thread;
    bool runs, stopped; /* init thread only */
    int event_fd;
    _Atomic(struct srv_woken *) woken;
    atomic_bool asleep, stopping;
    _Atomic(void (*)(void *owner)) asked;
    sem_t done; /* what was asked for */
};

/* Starts the thread. Thread: init. */
enum sy_status srv_loop_start(struct srv_loop *loop,
                              const struct srv_loop_options *options,
                              struct sy_error *err) SY_MUST_USE;

/* Hands something over, for the turn after the next srv_loop_rouse at the
   latest. Thread: any. */
void srv_loop_push(struct srv_loop *loop, struct srv_woken *woken);

/* If something was pushed, the thread will see it. Thread: any. */
void srv_loop_rouse(struct srv_loop *loop);

/* Has the thread call `act(owner)` between two turns, and waits for it.
   Thread: init. */
void srv_loop_ask(struct srv_loop *loop, void (*act)(void *owner));

/* Ends the thread. Others may still push and rouse. Thread: init. */
void srv_loop_stop(struct srv_loop *loop);

/* Of a stopped loop, when nobody pushes or rouses any more: returns what had
   no turn. Thread: init. */
struct srv_woken *srv_loop_release(struct srv_loop *loop);

#endif
