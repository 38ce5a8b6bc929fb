/*
 * routes.c - temperatures and routes of a network, from held-out images.
 *
 * DESIGN. The outputs come from the executor that serves, so that what is
 * fitted is what will answer. For that time the network is a snapshot's, which
 * never changes; what was found is set when it has come back.
 */
#include "search/routing/routes.h"

/* What was found for the network. */
struct found {
    double temperature[SY_MAX_EXPERTS];
    struct sy_route *route[SY_MAX_DOMAINS]; /* owned; NULL: as it was */
};

/* How a temperature is fitted is the head's business. */
static enum sy_status fit_domain(struct sy_executor *executor,
                                 const struct nas_route_config *config,
                                 int domain, struct dom_loader *loader,
                                 struct found *found, struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    struct nas_held_out held;
    SY_TRY(nas_held_out_collect(&held, executor, domain, loader, err));
    for (int i = 0; i < held.expert_count; i++) {
        found->temperature[held.expert[i]] = sy_head_classify.calibrate(
            nas_held_out_outputs(&held, i), held.labels, held.n, held.classes);
    }
    enum sy_status status =
        nas_route_fit(&found->route[domain], config, network, domain, &held,
                      found->temperature, err);
    nas_held_out_release(&held);
    return status;
}

static void release(struct found *found)
{
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        sy_route_free(found->route[d]);
    }
}

enum sy_status nas_routes_fit(struct sy_network **network,
                              const struct nas_route_config *config,
                              struct dom_loader *const *held_out,
                              struct sy_pool *pool, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct found found = {0};
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    struct sy_network *taken = *network;

    *network = NULL;
    for (int e = 0; e < taken->expert_count; e++) {
        found.temperature[e] = taken->expert[e].temperature;
    }
    SY_TRY(sy_snapshot_new(&snapshot, taken, "new", NULL, err));
    SY_TRY_OUT(
        sy_executor_new(&executor, snapshot, pool, NAS_HELD_OUT_BATCH, err));
    for (int d = 0; d < taken->domain_count; d++) {
        if (held_out[d] != NULL) {
            SY_TRY_OUT(
                fit_domain(executor, config, d, held_out[d], &found, err));
        }
    }
out:
    sy_executor_free(executor);
    if (status != SY_OK) {
        release(&found);
        sy_snapshot_unref(snapshot);
        return status;
    }
    *network = sy_snapshot_dissolve(snapshot);
    for (int e = 0; e < taken->expert_count; e++) {
        taken->expert[e].temperature = found.temperature[e];
    }
    for (int d = 0; d < taken->domain_count; d++) {
        if (found.route[d] != NULL) {
            sy_network_set_route(taken, d, found.route[d]);
        }
    }
    return SY_OK;
}
