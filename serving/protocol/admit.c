/*
 * admit.c - choosing what answers a request.
 *
 * DESIGN: max_madds bounds one image, as a route's cost is one image's. The
 * executor runs no expert that would pass it, so what is to be judged here is
 * only whether there will be an answer at all. Experts outside of the route
 * stand in where it is too dear altogether.
 */
#include "serving/protocol/admit.h"

static int64_t expert_madds(const struct sy_network *network, int expert)
{
    const struct sy_expert *e = &network->expert[expert];
    return sy_network_path_cost(network, &e->path, e->domain).madds;
}

/* The dearest expert of the domain within `max_madds`, or -1. */
static int dearest_within(const struct sy_network *network, int domain,
                          int64_t max_madds)
{
    int found = -1;
    int64_t found_madds = -1;
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain != domain) {
            continue;
        }
        int64_t madds = expert_madds(network, e);
        if (madds <= max_madds && madds > found_madds) {
            found = e;
            found_madds = madds;
        }
    }
    return found;
}

/*
 * The expert that answers where the route cannot within `max_madds`; -1 where
 * it can.
 */
static enum sy_status choose_expert(const struct sy_network *network,
                                    int domain, int64_t max_madds, int *expert,
                                    struct sy_error *err)
{
    int64_t cheapest = sy_route_least_madds(network->route[domain], network);
    *expert = -1;
    if (cheapest <= max_madds) {
        return SY_OK;
    }
    *expert = dearest_within(network, domain, max_madds);
    if (*expert >= 0) {
        return SY_OK;
    }
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain == domain) {
            int64_t madds = expert_madds(network, e);
            cheapest = madds < cheapest ? madds : cheapest;
        }
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "parameters.max_madds: no expert of domain '%s' costs "
                   "at most %lld; the cheapest costs %lld",
                   network->domain[domain].name, (long long)max_madds,
                   (long long)cheapest);
}

/*
 * That the budget pays for the root gate and then for an answer, whichever
 * domain is found.
 */
static enum sy_status check_any(const struct sy_network *network,
                                int64_t max_madds, struct sy_error *err)
{
    int gate = sy_network_gate(network, sy_network_root_gate(network));
    int64_t most = 0;
    for (int d = 0; d < network->domain_count; d++) {
        int64_t least = sy_route_least_madds(network->route[d], network);
        most = least > most ? least : most;
    }
    most += network->unit[gate].cost.madds;
    return max_madds == 0 || max_madds >= most
               ? SY_OK
               : sy_fail(err, SY_BAD_INPUT,
                         "parameters.max_madds: without a domain it has to "
                         "pay for an answer of any: expected at least %lld, "
                         "found %lld",
                         (long long)most, (long long)max_madds);
}

static void set_params(struct srv_job *job, const struct srv_model *model,
                       const struct srv_params *params)
{
    job->max_madds = params->max_madds;
    job->model = srv_model_index(model);
    job->priority = params->priority;
    job->timeout_ns = params->timeout_ns;
}

enum sy_status srv_admit(struct srv_job **job, const struct srv_model *model,
                         const struct srv_params *params, int image_count,
                         struct sy_error *err)
{
    struct srv_live *live = model->live;
    int domain;
    SY_TRY(srv_model_domain(model, params->domain, &domain, err));
    if (domain < 0) {
        SY_TRY(check_any(live->network, params->max_madds, err));
        SY_TRY(srv_job_new_finding(job, live, image_count, err));
        set_params(*job, model, params);
        return SY_OK;
    }
    struct srv_pick pick =
        srv_trial_pick(live, domain, model->ticket, model->pin);
    int expert = -1;
    if (params->max_madds > 0) {
        pick.compare = false; /* a budget cuts two routes at two places */
        SY_TRY(choose_expert(pick.named->network, pick.named_domain,
                             params->max_madds, &expert, err));
    }
    struct srv_job *made = NULL;
    SY_TRY(srv_job_new_picked(&made, live, domain, &pick, image_count, err));
    made->expert = expert;
    set_params(made, model, params);
    *job = made;
    return SY_OK;
}
