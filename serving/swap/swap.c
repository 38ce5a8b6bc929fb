/*
 * swap.c - the threads of the swaps, and who waits for them.
 *
 * DESIGN: calls are two queues, done one after another without the lock, which
 * guards what others read meanwhile. A pack that has been staged goes on to
 * the queue of the acting thread, which alone changes where swaps stand. That
 * a pack is being staged is noted when the call is taken, not when its turn
 * comes: so of two that come at once the second is refused, whatever the
 * threads are doing.
 */
#include "serving/swap/swap.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "serving/swap/swap_private.h"

#define WATCH_NS INT64_C(50000000)

enum { STAGER_NICE = 15 };

struct srv_swap *srv_swaps_find(struct srv_swaps *swaps, const char *network)
{
    for (int i = 0; i < swaps->count; i++) {
        if (strcmp(swaps->swap[i]->network, network) == 0) {
            return swaps->swap[i];
        }
    }
    return NULL;
}

struct srv_swap *srv_swaps_make(struct srv_swaps *swaps, const char *network)
{
    struct srv_swap *swap = srv_swaps_find(swaps, network);
    if (swap == NULL && swaps->count < SRV_MAX_NETWORKS) {
        swap = sy_alloc_zero(1, sizeof *swap);
        if (swap != NULL) {
            (void)snprintf(swap->network, sizeof swap->network, "%s", network);
            swaps->swap[swaps->count++] = swap;
        }
    }
    return swap;
}

/* Waits until there is work or, with something to watch, for a moment. */
static void wait_for_work(struct srv_swaps *swaps, bool watching)
{
    if (!watching) {
        pthread_cond_wait(&swaps->work, &swaps->lock);
        return;
    }
    int64_t until_ns = sy_now_ns() + WATCH_NS;
    struct timespec until = {.tv_sec = until_ns / 1000000000,
                             .tv_nsec = until_ns % 1000000000};
    pthread_cond_timedwait(&swaps->work, &swaps->lock, &until);
}

static void put(struct srv_swap_queue *queue, struct srv_swap_call *call)
{
    call->next = NULL;
    *queue->last = call;
    queue->last = &call->next;
}

/* The first call, or NULL. */
static struct srv_swap_call *take(struct srv_swap_queue *queue)
{
    struct srv_swap_call *call = queue->first;
    if (call != NULL) {
        queue->first = call->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return call;
}

static void *actor_main(void *context)
{
    struct srv_swaps *swaps = context;
    bool watching = false;
    pthread_mutex_lock(&swaps->lock);
    while (!swaps->stopping) {
        struct srv_swap_call *call = take(&swaps->acts);
        if (call == NULL) {
            wait_for_work(swaps, watching);
        }
        pthread_mutex_unlock(&swaps->lock);
        if (call != NULL) {
            srv_swaps_do(swaps, call);
            call->done(call->waiter, false);
        }
        watching = srv_swaps_watch(swaps);
        pthread_mutex_lock(&swaps->lock);
    }
    pthread_mutex_unlock(&swaps->lock);
    return NULL;
}

/* Stages one pack after another and hands them over. On Linux a thread has a
   niceness of its own; where it cannot be had, staging is merely louder. It
   rests as well, for processors that share a core (rest.h). */
static void *stager_main(void *context)
{
    struct srv_swaps *swaps = context;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), STAGER_NICE);
    pthread_mutex_lock(&swaps->lock);
    while (!swaps->stopping) {
        struct srv_swap_call *call = take(&swaps->stages);
        if (call == NULL) {
            pthread_cond_wait(&swaps->packs, &swaps->lock);
            continue;
        }
        pthread_mutex_unlock(&swaps->lock);
        srv_swaps_stage(swaps, call);
        pthread_mutex_lock(&swaps->lock);
        put(&swaps->acts, call);
        pthread_cond_signal(&swaps->work);
    }
    pthread_mutex_unlock(&swaps->lock);
    return NULL;
}

static enum sy_status start_threads(struct srv_swaps *swaps,
                                    struct sy_error *err)
{
    int code = pthread_create(&swaps->actor, NULL, actor_main, swaps);
    swaps->acting = code == 0;
    if (code == 0) {
        code = pthread_create(&swaps->stager, NULL, stager_main, swaps);
        swaps->staging = code == 0;
    }
    return code == 0 ? SY_OK
                     : sy_fail_errno(err, SY_INTERNAL, code,
                                     "starting the swaps' threads");
}

enum sy_status srv_swaps_new(struct srv_swaps **swaps,
                             struct srv_repository *repository,
                             const struct srv_stage_options *options,
                             struct sy_error *err)
{
    struct srv_swaps *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "swaps: out of memory");
    }
    made->repository = repository;
    made->options = *options;
    made->acts.last = &made->acts.first;
    made->stages.last = &made->stages.first;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->packs, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum sy_status status = start_threads(made, err);
    if (status != SY_OK) {
        srv_swaps_free(made);
        return status;
    }
    *swaps = made;
    return SY_OK;
}

/* Ends the calls that wait; what was staged for one is given back. */
static void end_calls(struct srv_swap_queue *queue)
{
    struct srv_swap_call *call;
    while ((call = take(queue)) != NULL) {
        srv_staged_discard(&call->staged);
        srv_staged_release(&call->staged);
        srv_live_unref(call->base);
        srv_kept_free(call->kept);
        call->base = NULL;
        sy_fail(&call->err, SY_BUSY, "the server is stopping");
        call->done(call->waiter, false);
    }
}

void srv_swaps_stop(struct srv_swaps *swaps)
{
    pthread_mutex_lock(&swaps->lock);
    swaps->stopping = true;
    pthread_cond_signal(&swaps->work);
    pthread_cond_signal(&swaps->packs);
    pthread_mutex_unlock(&swaps->lock);
    if (swaps->acting) {
        pthread_join(swaps->actor, NULL);
        swaps->acting = false;
    }
    if (swaps->staging) {
        pthread_join(swaps->stager, NULL);
        swaps->staging = false;
    }
    end_calls(&swaps->stages);
    end_calls(&swaps->acts);
}

void srv_swaps_free(struct srv_swaps *swaps)
{
    if (swaps == NULL) {
        return;
    }
    srv_swaps_stop(swaps);
    for (int i = 0; i < swaps->count; i++) {
        srv_swap_clear(swaps->swap[i]);
        sy_free(swaps->swap[i]);
    }
    pthread_cond_destroy(&swaps->work);
    pthread_cond_destroy(&swaps->packs);
    pthread_mutex_destroy(&swaps->lock);
    sy_free(swaps);
}

/* Notes that a pack is being staged; the lock is held. */
static enum sy_status begin_staging(struct srv_swaps *swaps,
                                    struct srv_swap_call *call,
                                    struct sy_error *err)
{
    struct srv_swap *swap = srv_swaps_make(swaps, call->network);
    if (swap == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "swap: out of memory");
    }
    if (swap->staging) {
        call->conflict = true;
        return sy_fail(err, SY_BUSY,
                       "network '%s': another pack is being staged; one at a "
                       "time",
                       swap->network);
    }
    if (swap->exists && srv_swap_is_open(swap->phase)) {
        call->conflict = true;
        return sy_fail(err, SY_BUSY,
                       "network '%s': pack %s is under way (%s): promote it, "
                       "roll it back or DELETE it first",
                       swap->network, swap->staged.id,
                       srv_swap_phase_names[swap->phase]);
    }
    swap->staging = true;
    return SY_OK;
}

enum sy_status srv_swaps_ask(struct srv_swaps *swaps,
                             struct srv_swap_call *call, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    pthread_mutex_lock(&swaps->lock);
    if (swaps->stopping) {
        status = sy_fail(err, SY_BUSY, "the server is stopping");
    } else if (call->act == SRV_SWAP_DO_ACCEPT) {
        status = begin_staging(swaps, call, err);
    }
    if (status == SY_OK && call->act == SRV_SWAP_DO_ACCEPT) {
        put(&swaps->stages, call);
        pthread_cond_signal(&swaps->packs);
    } else if (status == SY_OK) {
        put(&swaps->acts, call);
        pthread_cond_signal(&swaps->work);
    }
    pthread_mutex_unlock(&swaps->lock);
    return status;
}

json_t *srv_swaps_json(struct srv_swaps *swaps, const char *network,
                       bool *failed)
{
    json_t *json = NULL;
    *failed = false;
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap *swap = srv_swaps_find(swaps, network);
    if (swap != NULL && (swap->exists || swap->staging)) {
        json = srv_swap_json(swap);
        *failed = json == NULL;
    }
    pthread_mutex_unlock(&swaps->lock);
    return json;
}

struct srv_swap_counts *srv_swaps_counts(struct srv_swaps *swaps)
{
    return &swaps->counts;
}

/* Copies what a view tells; the lock is held. */
static void look_at(const struct srv_swap *swap, struct srv_swap_view *view)
{
    const struct srv_live *joined = swap->staged.joined;
    (void)snprintf(view->network, sizeof view->network, "%s", swap->network);
    view->phase = swap->phase;
    view->bytes = swap->staged.bytes;
    view->domain_count = joined != NULL ? joined->trial->count : 0;
    for (int i = 0; i < view->domain_count; i++) {
        struct srv_trial_domain *domain = &joined->trial->domain[i];
        (void)snprintf(view->domain[i].name, sizeof view->domain[i].name, "%s",
                       joined->network->domain[domain->served].name);
        srv_tally_read(&domain->tally, &view->domain[i].tally);
    }
}

void srv_swaps_each(struct srv_swaps *swaps,
                    void (*see)(void *context,
                                const struct srv_swap_view *view),
                    void *context)
{
    struct srv_swap_view view;
    pthread_mutex_lock(&swaps->lock);
    for (int i = 0; i < swaps->count; i++) {
        if (!swaps->swap[i]->exists) {
            continue;
        }
        look_at(swaps->swap[i], &view);
        pthread_mutex_unlock(&swaps->lock);
        see(context, &view);
        pthread_mutex_lock(&swaps->lock);
    }
    pthread_mutex_unlock(&swaps->lock);
}
