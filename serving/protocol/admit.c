/*
 * admit.c - choosing what answers a request.
 *
 * DESIGN: max_madds bounds one image, as a route's cost is one image's. The
 * cost is that of the path, which is what the executor counts for it, so a
 * request that was admitted never spends more than it allowed.
 */
#include "serving/protocol/admit.h"

static int64_t expert_madds(const struct sy_network *network, int expert)
{
    const struct sy_expert *e = &network->expert[expert];
    return sy_network_path_cost(network, &e->path, e->domain).madds;
}

/* The expert that answers within `max_madds`. */
static enum sy_status choose_expert(const struct srv_live *live, int domain,
                                    int64_t max_madds, int *expert,
                                    struct sy_error *err)
{
    const struct sy_network *network = live->network;
    int64_t cheapest = live->cost_madds[domain]; /* of the route's */
    if (cheapest <= max_madds) {
        return SY_OK;
    }
    int found = -1;
    int64_t found_madds = -1;
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain != domain) {
            continue;
        }
        int64_t madds = expert_madds(network, e);
        cheapest = madds < cheapest ? madds : cheapest;
        if (madds <= max_madds && madds > found_madds) {
            found = e;
            found_madds = madds;
        }
    }
    if (found < 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "parameters.max_madds: no expert of domain '%s' costs "
                       "at most %lld; the cheapest costs %lld",
                       network->domain[domain].name, (long long)max_madds,
                       (long long)cheapest);
    }
    *expert = found;
    return SY_OK;
}

enum sy_status srv_admit(struct srv_job **job, const struct srv_model *model,
                         const struct srv_params *params, int image_count,
                         struct sy_error *err)
{
    struct srv_live *live = model->live;
    int domain;
    SY_TRY(srv_model_domain(model, params->domain, &domain, err));
    int expert = live->expert[domain];
    if (params->max_madds > 0) {
        SY_TRY(choose_expert(live, domain, params->max_madds, &expert, err));
    }
    struct srv_job *made = NULL;
    SY_TRY(srv_job_new(&made, live, domain, image_count, err));
    made->expert = expert;
    made->model = srv_model_index(model);
    made->priority = params->priority;
    made->timeout_ns = params->timeout_ns;
    *job = made;
    return SY_OK;
}
