/*
 * acts.c - what the acts of a swap do, and what its rules say.
 *
 * DESIGN: an act asks the table whether it may, does what can fail (CURRENT),
 * then publishes, then notes where the swap stands. The state that is served
 * in a phase is one of three that staging has made ready: what was served
 * before, the candidate, or, on trial, both joined.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"
#include "serving/swap/swap_private.h"

/* Of what was read for staging, beyond the next pack. */
#define MAX_KEPT_BYTES (INT64_C(128) << 20)

static void add_one(_Atomic int64_t *counter)
{
    atomic_fetch_add(counter, 1);
}

void srv_kept_free(struct sy_base *kept)
{
    if (kept != NULL) {
        sy_base_release(kept);
        sy_free(kept);
    }
}

void srv_swap_clear(struct srv_swap *swap)
{
    srv_staged_release(&swap->staged);
    srv_kept_free(swap->kept);
    srv_live_unref(swap->base);
    struct srv_swap kept = {.staging = swap->staging};
    memcpy(kept.network, swap->network, sizeof kept.network);
    *swap = kept;
}

/* What is served in this phase. */
static struct srv_live *served_in(const struct srv_swap *swap,
                                  enum srv_swap_phase phase)
{
    if (phase == SRV_SWAP_PROMOTED) {
        return swap->staged.next;
    }
    return phase == SRV_SWAP_SHADOW || phase == SRV_SWAP_CANARY
               ? swap->staged.joined
               : swap->base;
}

/* Begins a window at what was counted so far; the lock is held. */
static void begin_windows(struct srv_swap *swap)
{
    const struct srv_live *joined = swap->staged.joined;
    swap->windows = 0;
    for (int i = 0; joined != NULL && i < joined->trial->count; i++) {
        srv_tally_read(&joined->trial->domain[i].tally, &swap->window[i]);
    }
}

static void note_publish(struct srv_swaps *swaps, struct srv_swap *swap,
                         int64_t ns)
{
    struct srv_swap_counts *counts = &swaps->counts;
    pthread_mutex_lock(&swaps->lock);
    swap->publish_ns = ns;
    pthread_mutex_unlock(&swaps->lock);
    srv_buckets_add(&counts->publish, ns);
    atomic_store(&counts->last_publish_ns, ns);
    if (ns > atomic_load(&counts->most_publish_ns)) {
        atomic_store(&counts->most_publish_ns, ns);
    }
}

/* CURRENT, where the step changes it. */
static enum sy_status commit(const struct srv_swap *swap,
                             enum srv_swap_phase to, struct sy_error *err)
{
    if (to == SRV_SWAP_PROMOTED) {
        return srv_staged_commit(&swap->staged, true, err);
    }
    return swap->phase == SRV_SWAP_PROMOTED
               ? srv_staged_commit(&swap->staged, false, err)
               : SY_OK;
}

/*
 * Has the state of phase `to` served in place of that of the phase where the
 * swap stands. Where the exchange finds something else served, CURRENT gets
 * back what it held: whoever loaded it decides.
 */
static enum sy_status move(struct srv_swaps *swaps, struct srv_swap *swap,
                           enum srv_swap_phase to, struct sy_error *err)
{
    struct srv_live *from = served_in(swap, swap->phase);
    struct srv_live *live = served_in(swap, to);
    int64_t ns = 0;
    if (from == live) {
        return SY_OK;
    }
    SY_TRY(commit(swap, to, err));
    if (live != swap->base && !live->served) {
        /* Before anybody waits for it: the first batch would find a thousand
           pages missing. What was served once has them. */
        sy_executor_warm(live->executor);
        live->served = true;
    }
    enum sy_status status = srv_repository_replace(
        swaps->repository, swap->network, from, live, &ns, err);
    if (status == SY_OK) {
        note_publish(swaps, swap, ns);
    } else {
        struct sy_error ignored = {0};
        (void)commit(swap, swap->phase, &ignored);
    }
    return status;
}

/* Notes where a swap stands now. */
static void arrive(struct srv_swaps *swaps, struct srv_swap *swap,
                   enum srv_swap_phase phase, bool automatic,
                   const char *reason)
{
    struct srv_swap_counts *counts = &swaps->counts;
    pthread_mutex_lock(&swaps->lock);
    swap->phase = phase;
    swap->automatic = automatic;
    (void)snprintf(swap->reason, sizeof swap->reason, "%s", reason);
    pthread_mutex_unlock(&swaps->lock);
    if (phase == SRV_SWAP_PROMOTED) {
        add_one(&counts->promoted);
    } else if (phase == SRV_SWAP_ROLLED_BACK) {
        add_one(&counts->rolled_back);
    }
    if (automatic) {
        add_one(&counts->automatic);
    }
    sy_log_info("network %s: pack %s: %s%s, serving %s (published in %.1f us)%s"
                "%s",
                swap->network, swap->staged.id, srv_swap_phase_names[phase],
                automatic ? " by its rules" : "", served_in(swap, phase)->label,
                (double)swap->publish_ns / 1e3, reason[0] != '\0' ? ": " : "",
                reason);
}

/* Takes the shares and rules of a shadow or canary; the lock is held. */
static enum sy_status take_shares(struct srv_swap *swap,
                                  const struct srv_swap_call *call,
                                  struct sy_error *err)
{
    struct srv_live *joined = swap->staged.joined;
    if (joined == NULL) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "pack %s changes no domain that is served now, so there "
                       "is nothing to compare: promote it",
                       swap->staged.id);
    }
    struct srv_trial *trial = joined->trial;
    if (call->has_rules) {
        swap->rules = call->rules;
    }
    if (call->shadow_share >= 0) {
        atomic_store(&trial->shadow_share, call->shadow_share);
    }
    bool canary = call->act == SRV_SWAP_DO_CANARY;
    if (canary && call->canary_share >= 0) {
        atomic_store(&trial->canary_share, call->canary_share);
    }
    if (!canary) {
        atomic_store(&trial->canary_share, 0);
        swap->canary_plan = call->canary_share > 0 ? call->canary_share : 0;
    }
    begin_windows(swap);
    return SY_OK;
}

/* Drops a swap: on trial, what is served goes back first. */
static enum sy_status drop(struct srv_swaps *swaps, struct srv_swap *swap,
                           struct sy_error *err)
{
    if (swap->phase == SRV_SWAP_SHADOW || swap->phase == SRV_SWAP_CANARY) {
        SY_TRY(move(swaps, swap, SRV_SWAP_STAGED, err));
    }
    bool promoted = swap->phase == SRV_SWAP_PROMOTED;
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap gone = *swap;
    memset(&swap->staged, 0, sizeof swap->staged);
    swap->base = NULL;
    swap->kept = NULL;
    swap->exists = false;
    pthread_mutex_unlock(&swaps->lock);
    sy_log_info("network %s: pack %s: dropped", gone.network, gone.staged.id);
    if (!promoted) {
        srv_staged_discard(&gone.staged);
    }
    srv_staged_release(&gone.staged);
    srv_live_unref(gone.base);
    srv_kept_free(gone.kept);
    add_one(&swaps->counts.dropped);
    return SY_OK;
}

/* A swap for a promotion that happened before the server was started. */
static enum sy_status revive(struct srv_swaps *swaps,
                             const struct srv_swap_call *call,
                             struct sy_error *err)
{
    struct srv_live_options options =
        srv_repository_live_options(swaps->repository, call->network);
    struct srv_live *served = NULL, *base = NULL;
    struct srv_staged staged = {0};
    SY_TRY(srv_repository_get(swaps->repository, call->network, &served, err));
    enum sy_status status =
        srv_stage_revive(&staged, &base, &options, served, call->id, err);
    srv_live_unref(served);
    SY_TRY(status);
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap *swap = srv_swaps_make(swaps, call->network);
    if (swap != NULL) {
        swap->exists = true;
        swap->phase = SRV_SWAP_PROMOTED;
        swap->staged = staged;
        swap->base = base;
        swap->rules = srv_rules_default;
    }
    pthread_mutex_unlock(&swaps->lock);
    if (swap == NULL) {
        srv_staged_release(&staged);
        srv_live_unref(base);
        return sy_fail(err, SY_NO_MEMORY, "swap: out of memory");
    }
    return SY_OK;
}

/* The swap that a call means, which must stand where its act is possible. */
static enum sy_status find(struct srv_swaps *swaps, struct srv_swap_call *call,
                           struct srv_swap **found, enum srv_swap_phase *next,
                           struct sy_error *err)
{
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap *swap = srv_swaps_find(swaps, call->network);
    pthread_mutex_unlock(&swaps->lock);
    if ((swap == NULL || !swap->exists) && call->act == SRV_SWAP_DO_ROLLBACK) {
        SY_TRY(revive(swaps, call, err));
        pthread_mutex_lock(&swaps->lock);
        swap = srv_swaps_find(swaps, call->network);
        pthread_mutex_unlock(&swaps->lock);
    }
    if (swap == NULL || !swap->exists ||
        strcmp(swap->staged.id, call->id) != 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "network '%s' has no pack '%s' staged%s%s",
                       call->network, call->id,
                       swap != NULL && swap->exists ? "; it has " : "",
                       swap != NULL && swap->exists ? swap->staged.id : "");
    }
    if (!srv_swap_next(swap->phase, call->act, next)) {
        call->conflict = true;
        return sy_fail(err, SY_BUSY, "pack %s is %s: it cannot %s from there",
                       swap->staged.id, srv_swap_phase_names[swap->phase],
                       srv_swap_act_names[call->act]);
    }
    *found = swap;
    return SY_OK;
}

static enum sy_status act(struct srv_swaps *swaps, struct srv_swap_call *call,
                          struct sy_error *err)
{
    struct srv_swap *swap = NULL;
    enum srv_swap_phase next = SRV_SWAP_STAGED;
    SY_TRY(find(swaps, call, &swap, &next, err));
    if (call->act == SRV_SWAP_DO_DROP) {
        return drop(swaps, swap, err);
    }
    if (call->act == SRV_SWAP_DO_SHADOW || call->act == SRV_SWAP_DO_CANARY) {
        pthread_mutex_lock(&swaps->lock);
        enum sy_status status = take_shares(swap, call, err);
        pthread_mutex_unlock(&swaps->lock);
        SY_TRY(status);
    }
    SY_TRY(move(swaps, swap, next, err));
    arrive(swaps, swap, next, false, "");
    return SY_OK;
}

/* Puts what was staged in the place of the swap before, which is given back. */
static void take_staged(struct srv_swaps *swaps, struct srv_swap *swap,
                        struct srv_swap_call *call)
{
    add_one(&swaps->counts.staged);
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap before = *swap;
    swap->exists = true;
    swap->phase = SRV_SWAP_STAGED;
    swap->reason[0] = '\0';
    swap->automatic = false;
    swap->staged = call->staged;
    swap->base = call->base;
    swap->rules = srv_rules_default;
    swap->canary_plan = 0;
    swap->windows = 0;
    swap->stage_ns = call->stage_ns;
    swap->publish_ns = 0;
    pthread_mutex_unlock(&swaps->lock);
    call->staged = (struct srv_staged){0};
    call->base = NULL;
    if (before.exists) {
        if (before.phase == SRV_SWAP_ROLLED_BACK &&
            strcmp(before.staged.id, swap->staged.id) != 0) {
            srv_staged_discard(&before.staged);
        }
        srv_staged_release(&before.staged);
        srv_live_unref(before.base);
    }
}

/* A pack that was refused is told of where there is nothing else to tell. */
static void note_refused(struct srv_swaps *swaps, struct srv_swap *swap,
                         const struct sy_error *err)
{
    add_one(&swaps->counts.refused);
    sy_log_warn("network %s: a pack was refused: %s", swap->network,
                err->message);
    pthread_mutex_lock(&swaps->lock);
    if (!swap->exists || swap->phase == SRV_SWAP_REFUSED) {
        swap->exists = true;
        swap->phase = SRV_SWAP_REFUSED;
        (void)snprintf(swap->reason, sizeof swap->reason, "%s", err->message);
    }
    pthread_mutex_unlock(&swaps->lock);
}

/* What was read for the pack before, for this call to use. */
static enum sy_status take_kept(struct srv_swaps *swaps,
                                struct srv_swap_call *call)
{
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap *swap = srv_swaps_find(swaps, call->network);
    call->kept = swap->kept;
    swap->kept = NULL;
    pthread_mutex_unlock(&swaps->lock);
    if (call->kept == NULL) {
        call->kept = sy_alloc_zero(1, sizeof *call->kept);
    }
    return call->kept != NULL
               ? SY_OK
               : sy_fail(&call->err, SY_NO_MEMORY, "staging: out of memory");
}

/* Keeps what was read for the next pack while there is a swap, if it is not
   too much; else it is given back. */
static void put_kept(struct srv_swaps *swaps, struct srv_swap *swap,
                     struct srv_swap_call *call)
{
    struct sy_base *kept = call->kept;
    call->kept = NULL;
    pthread_mutex_lock(&swaps->lock);
    if (kept != NULL && swap->exists && swap->phase != SRV_SWAP_REFUSED &&
        swap->kept == NULL && sy_base_bytes(kept) <= MAX_KEPT_BYTES) {
        swap->kept = kept;
        kept = NULL;
    }
    pthread_mutex_unlock(&swaps->lock);
    srv_kept_free(kept);
}

void srv_swaps_stage(struct srv_swaps *swaps, struct srv_swap_call *call)
{
    struct srv_live_options options =
        srv_repository_live_options(swaps->repository, call->network);
    srv_stage_fn make =
        swaps->options.stage != NULL ? swaps->options.stage : srv_stage;
    if (srv_repository_get(swaps->repository, call->network, &call->base,
                           &call->err) != SY_OK ||
        take_kept(swaps, call) != SY_OK) {
        return;
    }
    struct srv_stage_input input = {.live = &options,
                                    .base = call->base,
                                    .kept = call->kept,
                                    .body = call->body,
                                    .body_bytes = call->body_bytes,
                                    .max_us = call->max_us,
                                    .dry_run = call->dry_run};
    int64_t start_ns = sy_now_ns();
    sy_rest_set(swaps->options.share > 0 ? swaps->options.share : 1.0);
    (void)make(&call->staged, &swaps->options, &input, &call->err);
    sy_rest_set(1.0);
    call->stage_ns = sy_now_ns() - start_ns;
}

/* That what the pack was staged over is still what is served. */
static enum sy_status check_base(struct srv_swaps *swaps,
                                 const struct srv_swap_call *call,
                                 struct sy_error *err)
{
    struct srv_live *now = NULL;
    SY_TRY(srv_repository_get(swaps->repository, call->network, &now, err));
    bool same = now == call->base;
    srv_live_unref(now);
    return same ? SY_OK
                : sy_fail(err, SY_BUSY,
                          "network '%s' serves something else than when the "
                          "pack was staged: stage it again",
                          call->network);
}

/* What a dry run has found, as the swap that it would be. */
static json_t *dry_json(const struct srv_swap_call *call)
{
    struct srv_swap told = {.exists = true,
                            .phase = SRV_SWAP_STAGED,
                            .staged = call->staged,
                            .base = call->base,
                            .rules = srv_rules_default,
                            .stage_ns = call->stage_ns};
    memcpy(told.network, call->network, sizeof told.network);
    return srv_swap_json(&told);
}

/* Takes what was staged over, or tells why there is nothing. */
static void end_staging(struct srv_swaps *swaps, struct srv_swap_call *call)
{
    struct sy_error *err = &call->err;
    pthread_mutex_lock(&swaps->lock);
    struct srv_swap *swap = srv_swaps_find(swaps, call->network);
    pthread_mutex_unlock(&swaps->lock);
    if (err->status == SY_OK) {
        (void)check_base(swaps, call, err);
    }
    if (err->status == SY_OK) {
        srv_buckets_add(&swaps->counts.stage, call->stage_ns);
    }
    if (call->dry_run) {
        call->answer = err->status == SY_OK ? dry_json(call) : NULL;
    } else if (err->status == SY_OK) {
        const struct srv_staged *staged = &call->staged;
        sy_log_info("network %s: pack %s: staged as %s in %.1f ms: %lld bytes "
                    "new, %lld shared",
                    swap->network, staged->id, staged->label,
                    (double)call->stage_ns / 1e6,
                    (long long)staged->bytes.fresh,
                    (long long)staged->bytes.shared);
        take_staged(swaps, swap, call);
    } else {
        note_refused(swaps, swap, err);
        srv_staged_discard(&call->staged);
    }
    srv_staged_release(&call->staged);
    srv_live_unref(call->base);
    call->base = NULL;
    put_kept(swaps, swap, call);
    pthread_mutex_lock(&swaps->lock);
    swap->staging = false;
    if (err->status == SY_OK && !call->dry_run) {
        call->answer = srv_swap_json(swap);
    }
    pthread_mutex_unlock(&swaps->lock);
}

void srv_swaps_do(struct srv_swaps *swaps, struct srv_swap_call *call)
{
    if (call->act == SRV_SWAP_DO_ACCEPT) {
        end_staging(swaps, call);
    } else if (act(swaps, call, &call->err) == SY_OK) {
        pthread_mutex_lock(&swaps->lock);
        struct srv_swap *swap = srv_swaps_find(swaps, call->network);
        call->answer = swap->exists ? srv_swap_json(swap) : json_object();
        pthread_mutex_unlock(&swaps->lock);
    }
    if (call->err.status == SY_OK && call->answer == NULL) {
        sy_fail(&call->err, SY_NO_MEMORY, "out of memory for the answer");
    }
}

/* What the windows of all domains say together: bad if one is, good if all
   that have enough are and one has. `reason` gets the domain. */
static enum srv_verdict judge(const struct srv_swap *swap,
                              struct srv_tally_copy *now, char *reason,
                              size_t bytes)
{
    const struct srv_live *joined = swap->staged.joined;
    enum srv_verdict verdict = SRV_VERDICT_WAIT;
    char why[SRV_REASON_BYTES];
    for (int i = 0; i < joined->trial->count; i++) {
        struct srv_trial_domain *domain = &joined->trial->domain[i];
        srv_tally_read(&domain->tally, &now[i]);
        struct srv_tally_copy window =
            srv_tally_since(&now[i], &swap->window[i]);
        enum srv_verdict own = srv_rules_judge(&swap->rules, &window, why);
        if (own == SRV_VERDICT_BAD) {
            (void)snprintf(reason, bytes, "domain '%s': %s",
                           joined->network->domain[domain->served].name, why);
            return own;
        }
        verdict = own == SRV_VERDICT_GOOD ? own : verdict;
    }
    return verdict;
}

/* One step by the rules. */
static void step(struct srv_swaps *swaps, struct srv_swap *swap,
                 enum srv_swap_phase to, const char *reason)
{
    struct sy_error err = {0};
    if (to == SRV_SWAP_CANARY) {
        atomic_store(&swap->staged.joined->trial->canary_share,
                     swap->canary_plan);
    }
    if (move(swaps, swap, to, &err) == SY_OK) {
        arrive(swaps, swap, to, true, reason);
        return;
    }
    sy_log_error("network %s: pack %s: %s", swap->network, swap->staged.id,
                 err.message);
    pthread_mutex_lock(&swaps->lock);
    (void)snprintf(swap->reason, sizeof swap->reason, "%s", err.message);
    pthread_mutex_unlock(&swaps->lock);
}

static void watch(struct srv_swaps *swaps, struct srv_swap *swap)
{
    struct srv_tally_copy now[SY_MAX_DOMAINS];
    char reason[SRV_REASON_BYTES + SY_NAME_BYTES + 16] = "";
    enum srv_verdict verdict = judge(swap, now, reason, sizeof reason);
    if (verdict == SRV_VERDICT_WAIT) {
        return;
    }
    pthread_mutex_lock(&swaps->lock);
    memcpy(swap->window, now, sizeof swap->window);
    swap->windows = verdict == SRV_VERDICT_GOOD ? swap->windows + 1 : 0;
    bool enough = swap->windows >= swap->rules.windows;
    if (verdict == SRV_VERDICT_BAD) {
        (void)snprintf(swap->reason, sizeof swap->reason, "%s", reason);
    }
    pthread_mutex_unlock(&swaps->lock);
    if (verdict == SRV_VERDICT_BAD) {
        if (swap->rules.rollback) {
            step(swaps, swap, SRV_SWAP_ROLLED_BACK, reason);
        }
    } else if (enough && swap->rules.promote) {
        bool to_canary =
            swap->phase == SRV_SWAP_SHADOW && swap->canary_plan > 0;
        step(swaps, swap, to_canary ? SRV_SWAP_CANARY : SRV_SWAP_PROMOTED,
             "as good as its rules ask");
        pthread_mutex_lock(&swaps->lock);
        begin_windows(swap);
        pthread_mutex_unlock(&swaps->lock);
    }
}

bool srv_swaps_watch(struct srv_swaps *swaps)
{
    bool watching = false;
    pthread_mutex_lock(&swaps->lock);
    int count = swaps->count; /* the list only grows */
    pthread_mutex_unlock(&swaps->lock);
    for (int i = 0; i < count; i++) {
        struct srv_swap *swap = swaps->swap[i];
        if (swap->exists && (swap->phase == SRV_SWAP_SHADOW ||
                             swap->phase == SRV_SWAP_CANARY)) {
            watch(swaps, swap);
            watching = true;
        }
    }
    return watching;
}
