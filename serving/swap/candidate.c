/*
 * candidate.c - two networks to states that are ready.
 *
 * DESIGN: the candidate is made first, with the packed weights of what is
 * served wherever they are the same, then the joined state with those of both.
 * So together they cost what is new. Everything runs on the swaps' thread
 * alone: the pool is the engine's.
 */
#include "serving/swap/candidate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/rest.h"
#include "runtime/network/equal.h"
#include "runtime/network/join.h"

enum { TIMED_RUNS = 7 };

static bool is_named(const struct srv_two *two, const char *name)
{
    for (int i = 0; i < two->domain_count; i++) {
        if (strcmp(two->domain[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* That the root gate is the one that is served; it may be gone, with a domain
   that it knew. */
static enum sy_status check_root(const struct srv_two *two,
                                 struct sy_error *err)
{
    const struct sy_network *a = two->served, *b = two->candidate;
    int x = sy_network_root_gate(a), y = sy_network_root_gate(b);
    bool same = y < 0 || (x >= 0 &&
                          memcmp(a->gate[x].threshold, b->gate[y].threshold,
                                 sizeof a->gate[x].threshold) == 0 &&
                          sy_unit_equal(a, sy_network_gate(a, x), b,
                                        sy_network_gate(b, y)));
    return same || two->root
               ? SY_OK
               : sy_fail(err, SY_BAD_INPUT,
                         "the pack would change the root gate, which it does "
                         "not bring");
}

/* That what was read from disk stands as what is served does: the joined
   network is made of the one, and asked with the indices of the other. */
static enum sy_status check_layout(const struct srv_two *two,
                                   const struct srv_live *base,
                                   struct sy_error *err)
{
    return sy_layout_equal(two->served, base->network)
               ? SY_OK
               : sy_fail(err, SY_BAD_INPUT,
                         "what is served has other domains, experts or gates "
                         "than %s on disk, or in another order: load it first",
                         base->label);
}

/* That nothing changes but what is said to. */
static enum sy_status check_others(const struct srv_two *two,
                                   struct sy_error *err)
{
    const struct sy_network *a = two->served, *b = two->candidate;
    for (int d = 0; d < a->domain_count; d++) {
        const char *name = a->domain[d].name;
        int other = sy_network_find_domain(b, name);
        if (is_named(two, name)) {
            continue;
        }
        if (other < 0 || !sy_domain_equal(a, d, b, other)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "the pack would %s domain '%s', which it does not "
                           "name",
                           other < 0 ? "remove" : "change", name);
        }
    }
    for (int d = 0; d < b->domain_count; d++) {
        const char *name = b->domain[d].name;
        if (!is_named(two, name) && sy_network_find_domain(a, name) < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "the pack would add domain '%s', which it does not "
                           "name",
                           name);
        }
    }
    return check_root(two, err);
}

static int64_t most_madds(const struct sy_network *network, int domain)
{
    struct sy_route_experts all = sy_route_all_experts(network->route[domain]);
    struct sy_route_gates gates = sy_route_all_gates(network->route[domain]);
    return sy_route_madds(network, &all, &gates);
}

/* Notes the domains of the pack; fills on_trial with those that are served,
   as the candidate counts them, and returns how many. */
static int note_domains(struct srv_staged *staged, const struct srv_two *two,
                        int *on_trial)
{
    int count = 0;
    for (int i = 0; i < two->domain_count; i++) {
        int served = sy_network_find_domain(two->served, two->domain[i]);
        int next = sy_network_find_domain(two->candidate, two->domain[i]);
        struct srv_staged_domain *domain =
            &staged->domain[staged->domain_count++];
        (void)snprintf(domain->name, sizeof domain->name, "%s", two->domain[i]);
        domain->is_new = served < 0;
        domain->served_madds =
            served >= 0 ? most_madds(two->served, served) : 0;
        domain->next_madds = next >= 0 ? most_madds(two->candidate, next) : 0;
        if (served >= 0 && next >= 0) {
            on_trial[count++] = next;
        }
    }
    return count;
}

static enum sy_status make_states(struct srv_staged *staged,
                                  const struct srv_stage_input *input,
                                  struct srv_two *two, const int *on_trial,
                                  int count, struct sy_error *err)
{
    struct srv_live *base = input->base;
    struct sy_network *joined = NULL;
    if (count > 0 && !input->dry_run) {
        SY_TRY(sy_network_join(&joined, two->served, two->candidate, on_trial,
                               count, err));
    }
    struct srv_live_parts parts = {.label = staged->label,
                                   .version = base->version,
                                   .network = two->candidate,
                                   .before = base};
    two->candidate = NULL;
    enum sy_status status =
        srv_live_new(&staged->next, input->live, &parts, err);
    if (status != SY_OK) {
        sy_network_free(joined);
        return status;
    }
    return joined == NULL
               ? SY_OK
               : srv_live_join(&staged->joined, input->live, base, staged->next,
                               joined, on_trial, count, err);
}

enum sy_status srv_candidate_make(struct srv_staged *staged,
                                  const struct srv_stage_input *input,
                                  struct srv_two *two, struct sy_error *err)
{
    int on_trial[SY_MAX_DOMAINS];
    struct srv_live *base = input->base;
    SY_ASSERT(base->trial == NULL);
    enum sy_status status = check_layout(two, base, err);
    if (status == SY_OK) {
        status = check_others(two, err);
    }
    if (status == SY_OK) {
        int count = note_domains(staged, two, on_trial);
        status = make_states(staged, input, two, on_trial, count, err);
    }
    sy_network_free(two->candidate);
    two->candidate = NULL;
    SY_TRY(status);
    int64_t common =
        sy_snapshot_common_bytes(base->snapshot, staged->next->snapshot);
    staged->bytes = (struct srv_staged_bytes){
        .fresh = staged->next->weights_bytes - common,
        .shared = common,
        .freed = base->weights_bytes - common,
    };
    return SY_OK;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

enum sy_status srv_candidate_time(struct sy_executor *executor, int domain,
                                  const float *image, float *probabilities,
                                  double *us, struct sy_error *err)
{
    struct sy_request request = {.image = image,
                                 .domain = domain,
                                 .result = {{.probabilities = probabilities}}};
    int64_t ns[TIMED_RUNS];
    for (int i = 0; i < TIMED_RUNS; i++) {
        sy_rest();
        int64_t start_ns = sy_now_ns();
        sy_executor_run(executor, &request, 1, NULL);
        ns[i] = sy_now_ns() - start_ns;
    }
    if (request.status != SY_OK) {
        return sy_fail(err, SY_BAD_INPUT,
                       "domain '%s': an answer is not made of finite numbers",
                       sy_executor_network(executor)->domain[domain].name);
    }
    qsort(ns, TIMED_RUNS, sizeof ns[0], by_value);
    *us = (double)ns[TIMED_RUNS / 2] / 1e3;
    return SY_OK;
}
