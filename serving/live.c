/*
 * live.c - from a folder on disk to something that runs.
 *
 * DESIGN: all that can fail or take time (reading, checking, packing, taking
 * the executor's memory) happens here, on the thread that loads, before
 * anyone can see the result; publishing is then one pointer.
 */
#include "serving/live.h"

#include <stdio.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/clock.h"
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
        live->cost_madds[d] = sy_route_union_madds(network, &all);
    }
    return SY_OK;
}

enum sy_status srv_live_load(struct srv_live **live,
                             const struct srv_live_options *options,
                             struct sy_error *err)
{
    int64_t start_ns = sy_now_ns();
    struct srv_live *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "loading %s: out of memory",
                       options->name);
    }
    atomic_init(&made->refs, 1);
    made->budget = options->budget;
    struct sy_network *network = NULL;
    struct sy_artefact artefact = {0};
    char model[SY_PATH_BYTES];
    enum sy_status status;
    SY_TRY_OUT(sy_path_join(model, sizeof model, options->repository,
                            options->name, err));
    SY_TRY_OUT(sy_artefact_load(model, &network, &artefact, err));
    snprintf(made->name, sizeof made->name, "%s", options->name);
    snprintf(made->label, sizeof made->label, "%d", artefact.version);
    made->version = artefact.version;
    SY_TRY_OUT(
        sy_snapshot_new(&made->snapshot, network, made->label, NULL, err));
    made->network = sy_snapshot_network(made->snapshot);
    SY_TRY_OUT(check_routes(made, err));
    SY_TRY_OUT(
        srv_stats_new(&made->stats, made->network->domain_count + 1, err));
    SY_TRY_OUT(srv_traffic_new(&made->traffic, made->network, err));
    SY_TRY_OUT(sy_executor_new(&made->executor, made->snapshot, options->pool,
                               options->max_batch, err));
    made->loaded_ns = sy_now_ns() - start_ns;
    *live = made;
    made = NULL;
out:
    srv_live_unref(made);
    return status;
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
    srv_stats_free(live->stats);
    srv_traffic_free(live->traffic);
    sy_free(live);
}
