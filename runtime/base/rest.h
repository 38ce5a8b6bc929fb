/*
 * rest.h - a thread that leaves the machine to others most of the time.
 *
 * A niceness says who gets a processor that two want. It does not help where
 * two processors are one core and share its units and caches, as virtual ones
 * do: what runs on the one slows the other down, however low its priority. So
 * a thread that is in no hurry says once what share of the time it may run
 * (sy_rest_set), and what works for long has points at which such a thread
 * sleeps (sy_rest). Asking for memory and giving it back is one everywhere. It
 * then runs in short pieces, and no one who waits for the process meets more
 * than a few of them.
 *
 * Only while other threads of the process are at work: when they are not, there
 * is nobody to make room for.
 *
 * Thread: any; each for itself.
 */
#ifndef SY_BASE_REST_H
#define SY_BASE_REST_H

/* From now on this thread runs for at most this share of the time, 0 < share
   < 1; 1: it never rests, as at first. What others did before does not count,
   so it is called again where new work begins. */
void sy_rest_set(double share);

/* A point to rest at. For threads that never rest it costs as good as nothing,
   so it may stand in a loop whose turns take some microseconds. */
void sy_rest(void);

#endif
