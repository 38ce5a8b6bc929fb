/*
 * trial.c - who answers, and what both would have said.
 *
 * DESIGN: a request's two draws (who answers; whether both run) come from one
 * 64-bit number, mixed with a constant of each, so that they are independent
 * of each other and the same on every server that sees the same id.
 */
#include "serving/swap/trial.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "serving/live.h"

#define MILLIONTHS 1e6

/* Steele, Lea, Flood 2014: splitmix64's finaliser. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t srv_trial_ticket(const char *id)
{
    uint64_t ticket = 0;
    for (; *id != '\0'; id++) {
        ticket = mix(ticket ^ (unsigned char)*id);
    }
    return ticket;
}

static bool drawn(uint64_t ticket, uint64_t salt, int share)
{
    return (int)(mix(ticket ^ mix(salt)) % SRV_SHARE_ALL) < share;
}

static struct srv_trial_domain *find_domain(struct srv_trial *trial, int served)
{
    for (int i = 0; i < trial->count; i++) {
        if (trial->domain[i].served == served) {
            return &trial->domain[i];
        }
    }
    return NULL;
}

/* The pick when the candidate, or what is served, answers. */
static struct srv_pick pick_of(struct srv_live *live,
                               struct srv_trial_domain *on_trial, bool canary,
                               bool compare)
{
    const struct srv_trial *trial = live->trial;
    const struct sy_domain *served = &live->network->domain[on_trial->served];
    const struct sy_domain *next =
        &trial->next->network->domain[on_trial->next];
    return (struct srv_pick){
        .trial = on_trial,
        .named = canary ? trial->next : live,
        .named_domain = canary ? on_trial->next : on_trial->served,
        .run_domain = canary ? on_trial->joined : on_trial->served,
        .compare = compare,
        .beside_domain = canary ? on_trial->served : on_trial->joined,
        .beside_classes = canary ? served->classes : next->classes,
    };
}

struct srv_pick srv_trial_pick(struct srv_live *live, int domain,
                               uint64_t ticket, enum srv_pin pin)
{
    struct srv_trial *trial = live->trial;
    struct srv_trial_domain *on_trial =
        trial != NULL ? find_domain(trial, domain) : NULL;
    if (on_trial == NULL) {
        return (struct srv_pick){
            .named = live, .named_domain = domain, .run_domain = domain};
    }
    if (ticket == 0) {
        ticket = mix(atomic_fetch_add(&trial->counter, 1) + 1);
    }
    bool canary = pin == SRV_PIN_NEXT ||
                  (pin == SRV_PIN_NONE &&
                   drawn(ticket, 1, atomic_load(&trial->canary_share)));
    bool compare = drawn(ticket, 2, atomic_load(&trial->shadow_share));
    return pick_of(live, on_trial, canary, compare);
}

void srv_tally_pair(struct srv_tally *tally, const struct srv_pair *pair)
{
    if (pair->failed) {
        srv_tally_add(&tally->errors, 1);
        return;
    }
    srv_tally_add(&tally->pairs, 1);
    srv_tally_add(&tally->agreed,
                  strcmp(pair->served_label, pair->next_label) == 0);
    srv_tally_add(&tally->served_confidence,
                  (int64_t)(pair->served_confidence * MILLIONTHS));
    srv_tally_add(&tally->next_confidence,
                  (int64_t)(pair->next_confidence * MILLIONTHS));
    srv_tally_add(&tally->served_madds, pair->served_madds);
    srv_tally_add(&tally->next_madds, pair->next_madds);
    srv_tally_add(&tally->served_ns, pair->served_ns);
    srv_tally_add(&tally->next_ns, pair->next_ns);
    srv_tally_add(&tally->extra_madds, pair->extra_madds);
    srv_tally_add(&tally->extra_blocks, pair->extra_blocks);
}

/* What the joined network's added gates are called in the candidate. */
static void map_gates(struct srv_trial *trial, const struct sy_network *joined)
{
    const struct sy_network *next = trial->next->network;
    for (int g = 0; g < joined->gate_count; g++) {
        const struct sy_gate *gate = &joined->gate[g];
        trial->next_gate[g] = -1;
        for (int i = 0; i < trial->count; i++) {
            if (gate->domain == trial->domain[i].joined) {
                trial->next_gate[g] = sy_network_find_gate(
                    next, trial->domain[i].next, gate->name);
            }
        }
    }
}

/* What the joined network's added experts are called in the candidate. */
static void map_experts(struct srv_trial *trial,
                        const struct sy_network *joined)
{
    const struct sy_network *next = trial->next->network;
    for (int e = 0; e < SY_MAX_EXPERTS; e++) {
        trial->next_expert[e] = -1;
        trial->joined_expert[e] = -1;
    }
    for (int i = 0; i < trial->count; i++) {
        for (int e = 0; e < joined->expert_count; e++) {
            const struct sy_expert *expert = &joined->expert[e];
            if (expert->domain == trial->domain[i].joined) {
                int own = sy_network_find_expert(next, trial->domain[i].next,
                                                 expert->name);
                SY_ASSERT(own >= 0);
                trial->next_expert[e] = own;
                trial->joined_expert[own] = e;
            }
        }
    }
}

enum sy_status srv_trial_new(struct srv_trial **trial, struct srv_live *base,
                             struct srv_live *next,
                             const struct sy_network *joined,
                             const int *on_trial, int count,
                             struct sy_error *err)
{
    struct srv_trial *made = sy_alloc_zero(1, sizeof *made);
    struct srv_trial_domain *domain =
        sy_alloc_zero((size_t)count, sizeof *domain);
    if (made == NULL || domain == NULL) {
        sy_free(made);
        sy_free(domain);
        return sy_fail(err, SY_NO_MEMORY, "trial: out of memory");
    }
    made->base = srv_live_ref(base);
    made->next = srv_live_ref(next);
    made->count = count;
    made->domain = domain;
    for (int i = 0; i < count; i++) {
        const char *name = next->network->domain[on_trial[i]].name;
        domain[i].next = on_trial[i];
        domain[i].served = sy_network_find_domain(base->network, name);
        domain[i].joined = base->network->domain_count + i;
        SY_ASSERT(domain[i].served >= 0);
    }
    map_experts(made, joined);
    map_gates(made, joined);
    *trial = made;
    return SY_OK;
}

void srv_trial_free(struct srv_trial *trial)
{
    if (trial != NULL) {
        srv_live_unref(trial->base);
        srv_live_unref(trial->next);
        sy_free(trial->domain);
        sy_free(trial);
    }
}
