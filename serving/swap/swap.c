/*
 * swap.c - the thread of the swaps, and who waits for it.
 *
 * DESIGN: calls are a queue, done one after another without the lock, which
 * guards what others read meanwhile. That a pack is being staged is noted when
 * the call is taken, not when its turn comes: so of two that come at once the
 * second is refused, whatever the thread is doing.
 */
#include "serving/swap/swap.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "serving/swap/swap_private.h"

#define WATCH_NS INT64_C(50000000)

struct srv_swap *srv_swaps_find(struct srv_swaps *swaps, const char *network)
{
    for (int i = 0; i < swaps->count; i++) {
        if (strcmp(swaps->swap[i]->network, network) == 0) {
            return swaps->swap[i];
        }
    }
    return NULL;
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

static void *swaps_main(void *context)
{
    struct srv_swaps *swaps = context;
    bool watching = false;
    pthread_mutex_lock(&swaps->lock);
    while (!swaps->stopping) {
        struct srv_swap_call *call = swaps->first;
        if (call == NULL) {
            wait_for_work(swaps, watching);
        } else {
            swaps->first = call->next;
            if (swaps->first == NULL) {
                swaps->last = &swaps->first;
            }
        }
        pthread_mutex_unlock(&swaps->lock);
        if (call != NULL) {
            srv_swaps_do(swaps, call);
            call->done(call->waiter);
        }
        watching = srv_swaps_watch(swaps);
        pthread_mutex_lock(&swaps->lock);
    }
    pthread_mutex_unlock(&swaps->lock);
    return NULL;
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
    made->last = &made->first;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&made->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&made->thread, NULL, swaps_main, made);
    made->running = code == 0;
    if (code != 0) {
        srv_swaps_free(made);
        return sy_fail_errno(err, SY_INTERNAL, code,
                             "starting the swaps' thread");
    }
    *swaps = made;
    return SY_OK;
}

void srv_swaps_stop(struct srv_swaps *swaps)
{
    pthread_mutex_lock(&swaps->lock);
    swaps->stopping = true;
    pthread_cond_signal(&swaps->work);
    pthread_mutex_unlock(&swaps->lock);
    if (swaps->running) {
        pthread_join(swaps->thread, NULL);
        swaps->running = false;
    }
    while (swaps->first != NULL) {
        struct srv_swap_call *call = swaps->first;
        swaps->first = call->next;
        sy_fail(&call->err, SY_BUSY, "the server is stopping");
        call->done(call->waiter);
    }
    swaps->last = &swaps->first;
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
    pthread_mutex_destroy(&swaps->lock);
    sy_free(swaps);
}

/* Notes that a pack is being staged; the lock is held. */
static enum sy_status begin_staging(struct srv_swaps *swaps,
                                    struct srv_swap_call *call,
                                    struct sy_error *err)
{
    struct srv_swap *swap = srv_swaps_find(swaps, call->network);
    if (swap == NULL) {
        if (swaps->count == SRV_MAX_NETWORKS ||
            (swap = sy_alloc_zero(1, sizeof *swap)) == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "swap: out of memory");
        }
        (void)snprintf(swap->network, sizeof swap->network, "%s",
                       call->network);
        swaps->swap[swaps->count++] = swap;
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
    if (status == SY_OK) {
        call->next = NULL;
        *swaps->last = call;
        swaps->last = &call->next;
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
