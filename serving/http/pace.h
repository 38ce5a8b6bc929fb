/*
 * pace.h - how many requests an HTTP thread has in work at a time.
 *
 * Where HTTP threads and the engine share processors, the threads fall behind
 * before any queue is full: requests then wait in sockets, where nothing
 * counts them. What can be measured is how long a request waits for its thread:
 * before it is read, at most since the turn before began, and when work has
 * woken its connection. So, as TCP finds out how much a path takes, a thread
 * lowers the number that it has in work when it is behind by more than a
 * target, and raises it while it is not. What comes beyond that number is
 * refused before it is parsed, which costs a fraction of an answer and leaves
 * time for those that were taken.
 *
 * A single long wait is the scheduler's whim or one large picture: a thread is
 * behind when for twice as long as the target nobody waited less than it.
 *
 * The number is shared: a model below an equal share of it is taken in also
 * when it is reached, so that one that is flooded does not lock others out;
 * and beside others one has half of it at most, so that they do not wait
 * behind all that it sends.
 *
 * There is no clock here: the time is given.
 *
 * Source: the standing queue of Nichols and Jacobson, "Controlling Queue
 * Delay", 2012; additive increase, multiplicative decrease of Chiu and Jain,
 * 1989.
 *
 * Thread: one; every HTTP thread has its own.
 */
#ifndef SRV_HTTP_PACE_H
#define SRV_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A pace is never lower: so many wait for nothing but the engine. Models are
   told apart by a hash. */
enum { SRV_PACE_FLOOR = 32, SRV_PACE_MODELS = 64 };

/* So long a thread counts as pressed after it was behind. */
#define SRV_PACE_PRESSED_NS INT64_C(50000000)

/* Zeroed memory is a valid start: no limit is known yet. */
struct srv_pace {
    int limit;                     /* 0: none */
    int count;                     /* in work */
    int most;                      /* of count, in the window that runs */
    bool refused;                  /* somebody, in it */
    int of_model[SRV_PACE_MODELS]; /* in work, by srv_pace_model */
    int models;                    /* that have any */
    int64_t since_ns, least_ns; /* the window's begin, the least wait in it */
    int64_t behind_ns;          /* when it was behind last; 0: never */
};

/* The place of a model in of_model. */
int srv_pace_model(const char *name);

/* Whether one more of that model may be taken in. */
bool srv_pace_has_room(struct srv_pace *pace, int model);

/*
 * Whether it was behind lately: from one window before anything is refused, so
 * that cheaper answers can be tried first.
 */
bool srv_pace_is_pressed(const struct srv_pace *pace, int64_t now_ns);

/* One more is in work, and one less. */
void srv_pace_enter(struct srv_pace *pace, int model);
void srv_pace_leave(struct srv_pace *pace, int model);

/*
 * One of them has its last turn now and waited so long for all its turns.
 * Target 0: no limit is wanted.
 */
void srv_pace_turn(struct srv_pace *pace, int64_t wait_ns, int64_t now_ns,
                   int64_t target_ns);

#endif
