/*
 * routes.c - temperatures and routes of a network, from held-out images.
 *
 * DESIGN. The outputs come from the executor that serves, so that what is
 * fitted is what will answer. For that time the network is a snapshot's, which
 * never changes; what was found is set when it has come back.
 */
#include "search/routing/routes.h"

#include "runtime/base/memory.h"

/* What was found for the network. */
struct found {
    double temperature[SY_MAX_EXPERTS];
    struct sy_route *route[SY_MAX_DOMAINS];       /* owned; NULL: as it was */
    struct nas_gate_route *gates[SY_MAX_DOMAINS]; /* owned; NULL: none */
};

/* Experts that the configuration leaves out of routes are forgotten. */
static void leave_out(struct nas_held_out *held,
                      const struct nas_route_config *config,
                      const struct sy_network *network)
{
    bool keep[SY_MAX_EXPERTS];
    for (int i = 0; i < held->expert_count; i++) {
        keep[i] = nas_route_takes(config, network, held->expert[i]);
    }
    nas_held_out_keep(held, keep);
}

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
    leave_out(&held, config, network);
    enum sy_status status =
        nas_route_fit(&found->route[domain], config, network, domain, &held,
                      found->temperature, err);
    if (status == SY_OK && config->kind == NAS_ROUTE_GATE &&
        held.expert_count > 1) {
        struct nas_gate_route *gates = sy_alloc_zero(1, sizeof *gates);
        found->gates[domain] = gates;
        status = gates == NULL ? sy_fail(err, SY_NO_MEMORY, "routes: no memory")
                               : nas_gate_route_fit(gates, &config->gate,
                                                    executor, domain, loader,
                                                    &held, found->temperature,
                                                    config->seed, err);
    }
    nas_held_out_release(&held);
    return status;
}

static void release(struct found *found)
{
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        sy_route_free(found->route[d]);
        found->route[d] = NULL;
        if (found->gates[d] != NULL) {
            nas_gate_route_release(found->gates[d]);
        }
        sy_free(found->gates[d]);
        found->gates[d] = NULL;
    }
}

/* Puts the fitted gates behind those of other domains, then their routes. */
static enum sy_status install_gates(struct sy_network **network,
                                    const struct found *found,
                                    struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_gate *all = sy_alloc_zero(SY_MAX_GATES, sizeof *all);
    int count = 0;
    if (all == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "routes: no memory");
    }
    for (int g = 0; g < (*network)->gate_count; g++) {
        int domain = (*network)->gate[g].domain;
        if (domain < 0 || found->gates[domain] == NULL) {
            all[count++] = (*network)->gate[g];
        }
    }
    for (int d = 0; d < (*network)->domain_count; d++) {
        int more = found->gates[d] != NULL ? found->gates[d]->count : 0;
        if (count + more > SY_MAX_GATES) {
            status =
                sy_fail(err, SY_BAD_INPUT, "more than %d gates", SY_MAX_GATES);
            goto out;
        }
        for (int g = 0; g < more; g++) {
            all[count++] = found->gates[d]->gate[g];
        }
    }
    SY_TRY_OUT(sy_network_set_gates(network, all, count, err));
    for (int d = 0; d < (*network)->domain_count; d++) {
        const struct nas_gate_route *gates = found->gates[d];
        struct sy_route *route = NULL;
        for (int g = 0; gates != NULL && g < gates->count; g++) {
            nas_gate_net_export(
                &gates->net[g], *network,
                sy_network_find_gate(*network, d, gates->gate[g].name));
        }
        if (gates != NULL) {
            SY_TRY_OUT(sy_route_from_json(&route, gates->json, *network, d,
                                          "fitted routes",
                                          (*network)->domain[d].name, err));
            sy_network_set_route(*network, d, route);
        }
    }
out:
    sy_free(all);
    return status;
}

/* Sets what was found in the network that the snapshot gave back. */
static enum sy_status install(struct sy_network **network, struct found *found,
                              struct sy_error *err)
{
    struct sy_network *at = *network;
    bool gated = false;
    for (int e = 0; e < at->expert_count; e++) {
        at->expert[e].temperature = found->temperature[e];
    }
    for (int d = 0; d < at->domain_count; d++) {
        gated |= found->gates[d] != NULL;
        if (found->route[d] != NULL) {
            sy_network_set_route(at, d, found->route[d]);
            found->route[d] = NULL;
        }
    }
    return gated ? install_gates(network, found, err) : SY_OK;
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
    status = install(network, &found, err);
    release(&found);
    if (status != SY_OK) {
        sy_network_free(*network);
        *network = NULL;
    }
    return status;
}
