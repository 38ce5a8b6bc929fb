/*
 * calibrate.c - a temperature per expert, from held-out images.
 *
 * DESIGN. How a temperature is fitted is the head's business; here stands
 * where the outputs come from: the executor that serves, so that what is
 * calibrated is what is answered. For that time the network is a snapshot's,
 * which never changes; the temperatures are set when it has come back.
 */
#include "search/routing/calibrate.h"

/* Fits the temperatures of one domain's experts into `temperature`. */
static enum sy_status fit_domain(struct sy_executor *executor, int domain,
                                 struct dom_loader *loader, double *temperature,
                                 struct sy_error *err)
{
    struct nas_held_out held;
    SY_TRY(nas_held_out_collect(&held, executor, domain, loader, err));
    for (int i = 0; i < held.expert_count; i++) {
        temperature[held.expert[i]] = sy_head_classify.calibrate(
            nas_held_out_outputs(&held, i), held.labels, held.n, held.classes);
    }
    nas_held_out_release(&held);
    return SY_OK;
}

enum sy_status nas_calibrate(struct sy_network **network,
                             struct dom_loader *const *held_out,
                             struct sy_pool *pool, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    double temperature[SY_MAX_EXPERTS];
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    struct sy_network *taken = *network;

    *network = NULL;
    for (int e = 0; e < taken->expert_count; e++) {
        temperature[e] = taken->expert[e].temperature;
    }
    SY_TRY(sy_snapshot_new(&snapshot, taken, "new", NULL, err));
    SY_TRY_OUT(
        sy_executor_new(&executor, snapshot, pool, NAS_HELD_OUT_BATCH, err));
    for (int d = 0; d < taken->domain_count; d++) {
        if (held_out[d] != NULL) {
            SY_TRY_OUT(fit_domain(executor, d, held_out[d], temperature, err));
        }
    }
out:
    sy_executor_free(executor);
    if (status != SY_OK) {
        sy_snapshot_unref(snapshot);
        return status;
    }
    *network = sy_snapshot_dissolve(snapshot);
    for (int e = 0; e < taken->expert_count; e++) {
        taken->expert[e].temperature = temperature[e];
    }
    return SY_OK;
}
