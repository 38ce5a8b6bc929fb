/*
 * live.c - from a folder on disk to something that runs.
 *
 * DESIGN: all that can fail or take time (reading, checking, packing, taking
 * the executor's memory) happens here, on the thread that loads, before
 * anyone can see the result; publishing is then one pointer.
 */
#include "serving/live.h"

#include <stdio.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

/* That every domain has a route, and what an image costs that goes all of it.
 */
static enum sy_status check_routes(struct srv_live *live, struct sy_error *err)
{
    const struct sy_network *network = live->network;
    for (int d = 0; d < network->domain_count; d++) {
        const struct sy_route *route = network->route[d];
        if (route == NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "network %s: no expert answers for domain %s: "
                           "train it before serving it",
                           live->name, network->domain[d].name);
        }
        struct sy_route_experts all = sy_route_all_experts(route);
        struct sy_route_gates gates = sy_route_all_gates(route);
        live->cost_madds[d] = sy_route_madds(network, &all, &gates);
    }
    int root = sy_network_root_gate(network);
    int64_t *any = &live->cost_madds[network->domain_count];
    for (int d = 0; root >= 0 && d < network->domain_count; d++) {
        *any = live->cost_madds[d] > *any ? live->cost_madds[d] : *any;
    }
    if (root >= 0) {
        *any += network->unit[sy_network_gate(network, root)].cost.madds;
    }
    return SY_OK;
}

/* An empty state with its names. */
static enum sy_status begin(struct srv_live **live,
                            const struct srv_live_options *options,
                            const char *label, int version,
                            struct sy_error *err)
{
    struct srv_live *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "loading %s: out of memory",
                       options->name);
    }
    atomic_init(&made->refs, 1);
    made->budget = options->budget;
    made->version = version;
    snprintf(made->name, sizeof made->name, "%s", options->name);
    snprintf(made->label, sizeof made->label, "%s", label);
    *live = made;
    return SY_OK;
}

/* Whether counters of the one can go on in the other. */
static bool same_domains(const struct sy_network *a, const struct sy_network *b)
{
    bool same = a->domain_count == b->domain_count;
    for (int d = 0; same && d < a->domain_count; d++) {
        same = strcmp(a->domain[d].name, b->domain[d].name) == 0;
    }
    return same;
}

static enum sy_weights weights_of(const struct srv_live_options *options)
{
    return options->half_weights ? SY_WEIGHTS_HALF : SY_WEIGHTS_FULL;
}

/* The table beside the versions, where there is one. Serving without it is
   better than not serving. */
static void read_deadlines(struct srv_live *live,
                           const struct srv_live_options *options)
{
    char folder[SY_PATH_BYTES], file[SY_PATH_BYTES];
    struct sy_error err = {0};
    if (options->repository == NULL ||
        sy_path_join(folder, sizeof folder, options->repository, options->name,
                     &err) != SY_OK ||
        sy_path_join(file, sizeof file, folder, SRV_LATENCY_FILE, &err) !=
            SY_OK ||
        !sy_file_exists(file)) {
        return;
    }
    if (srv_deadlines_load(&live->deadlines, file, live->network, &err) ==
        SY_OK) {
        sy_log_info("network %s: deadlines become multiply-adds by %s",
                    live->name, file);
    } else {
        sy_log_warn("network %s: deadlines do not become multiply-adds: %s",
                    live->name, err.message);
    }
}

/* What hangs on a state whose snapshot and network are there. */
static enum sy_status complete(struct srv_live *made,
                               const struct srv_live_options *options,
                               const struct srv_live *before,
                               struct sy_error *err)
{
    int batch = options->max_batch;
    SY_TRY(check_routes(made, err));
    read_deadlines(made, options);
    if (before != NULL && same_domains(before->network, made->network)) {
        made->stats = srv_stats_ref(before->stats);
    } else {
        SY_TRY(
            srv_stats_new(&made->stats, made->network->domain_count + 1, err));
    }
    SY_TRY(srv_traffic_new(&made->traffic, made->network, err));
    made->weights_bytes = sy_snapshot_bytes(made->snapshot);
    /* On trial every image may run twice. */
    SY_TRY(sy_executor_new(&made->executor, made->snapshot, options->pool,
                           made->trial != NULL ? 2 * batch : batch, err));
    sy_executor_profile(made->executor, made->trial != NULL);
    return SY_OK;
}

enum sy_status srv_live_new(struct srv_live **live,
                            const struct srv_live_options *options,
                            const struct srv_live_parts *parts,
                            struct sy_error *err)
{
    int64_t start_ns = sy_now_ns();
    struct srv_live *made = NULL;
    enum sy_status status =
        begin(&made, options, parts->label, parts->version, err);
    if (status != SY_OK) {
        sy_network_free(parts->network);
        return status;
    }
    struct sy_snapshot_options snapshot = {
        .label = made->label, .weights = weights_of(options), .shared = true};
    if (parts->before != NULL) {
        snapshot.like[0] = parts->before->snapshot;
    }
    if (parts->beside != NULL) {
        snapshot.like[1] = parts->beside->snapshot;
    }
    SY_TRY_OUT(
        sy_snapshot_make(&made->snapshot, parts->network, &snapshot, err));
    made->network = sy_snapshot_network(made->snapshot);
    SY_TRY_OUT(complete(made, options, parts->before, err));
    made->loaded_ns = sy_now_ns() - start_ns;
    *live = made;
    made = NULL;
out:
    srv_live_unref(made);
    return status;
}

enum sy_status srv_live_join(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct srv_live *base, struct srv_live *next,
                             struct sy_network *joined, const int *on_trial,
                             int count, struct sy_error *err)
{
    struct srv_live *made = NULL;
    struct sy_snapshot_options snapshot = {
        .label = base->label,
        .weights = weights_of(options),
        .shared = true,
        .like = {base->snapshot, next->snapshot}};
    enum sy_status status =
        begin(&made, options, base->label, base->version, err);
    if (status != SY_OK) {
        sy_network_free(joined);
        return status;
    }
    SY_TRY_OUT(sy_snapshot_make(&made->snapshot, joined, &snapshot, err));
    SY_TRY_OUT(srv_trial_new(&made->trial, base, next,
                             sy_snapshot_network(made->snapshot), on_trial,
                             count, err));
    made->network = base->network;
    SY_TRY_OUT(complete(made, options, base, err));
    *live = made;
    made = NULL;
out:
    srv_live_unref(made);
    return status;
}

enum sy_status srv_live_load(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct sy_error *err)
{
    int64_t start_ns = sy_now_ns();
    struct srv_live_parts parts = {0};
    struct sy_artefact artefact;
    char model[SY_PATH_BYTES];
    struct srv_live *made = NULL;
    SY_TRY(sy_path_join(model, sizeof model, options->repository, options->name,
                        err));
    SY_TRY(sy_artefact_load(model, &parts.network, &artefact, err));
    parts.label = artefact.label;
    parts.version = artefact.version;
    SY_TRY(srv_live_new(&made, options, &parts, err));
    made->loaded_ns = sy_now_ns() - start_ns;
    *live = made;
    return SY_OK;
}

struct srv_live *srv_live_ref(struct srv_live *live)
{
    atomic_fetch_add(&live->refs, 1);
    return live;
}

void srv_live_unref(struct srv_live *live)
{
    if (live == NULL || atomic_fetch_sub(&live->refs, 1) != 1) {
        return;
    }
    if (live->executor != NULL) {
        sy_executor_free(live->executor);
    }
    sy_snapshot_unref(live->snapshot);
    srv_trial_free(live->trial);
    srv_stats_unref(live->stats);
    srv_traffic_free(live->traffic);
    sy_free(live);
}
