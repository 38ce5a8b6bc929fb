/*
 * pool.h - the one thread pool.
 *
 * One level of parallelism: a caller runs a loop of independent tasks on all
 * workers and waits until the last has ended. Tasks are leaf loops: they must
 * not call the pool again. Which worker runs which task is not determined,
 * so a task's result may depend on its index only, never on the worker; that
 * is how the same seed gives the same bits whatever the number of threads.
 *
 * Waiting workers spin for a moment before they sleep, because the layers of
 * a small network follow each other within microseconds.
 */
#ifndef SY_BASE_POOL_H
#define SY_BASE_POOL_H

#include "runtime/base/status.h"

struct sy_pool;

/* `task` in [0, tasks), `worker` in [0, sy_pool_threads), for scratch. */
typedef void (*sy_task_fn)(void *context, int task, int worker);

/*
 * Starts `threads` - 1 threads (the caller is the last worker); 0 takes the
 * number of CPUs this process may run on. Returns an owned pool.
 * Thread: init.
 */
enum sy_status sy_pool_new(struct sy_pool **pool, int threads,
                           struct sy_error *err) SY_MUST_USE;

/* Stops and joins the threads. NULL is legal. Thread: init. */
void sy_pool_free(struct sy_pool *pool);

int sy_pool_threads(const struct sy_pool *pool);

/*
 * Runs task(context, i, worker) for every i in [0, tasks) and returns when
 * all have ended; the caller's thread takes part. With one worker or one
 * task it is a plain loop. A NULL pool runs everything on the caller.
 * Thread: one caller at a time.
 */
void sy_pool_run(struct sy_pool *pool, int tasks, sy_task_fn task,
                 void *context);

#endif
