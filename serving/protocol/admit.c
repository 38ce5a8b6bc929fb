/*
 * admit.c - choosing what answers a request.
 *
 * DESIGN: max_madds bounds one image, as a route's cost is one image's. The
 * executor runs no expert that would pass it, so what is to be judged here is
 * only whether there will be an answer at all. Experts outside of the route
 * stand in where it is too dear altogether. A deadline is a bound of this kind
 * too where the network has a latency table: from here on nothing looks at a
 * clock to decide what to run.
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

/* What an image may cost, and why. */
struct bound {
    int64_t madds;       /* 0: no limit */
    int64_t deadline_us; /* it comes from this one; 0: it was asked for */
};

/* The bound of a request to a domain of what `live` serves; -1: to whichever
   is found, of which the slowest counts. */
static struct bound bound_of(const struct srv_live *live, int domain,
                             const struct srv_params *params)
{
    struct bound bound = {.madds = params->max_madds};
    if (params->deadline_us == 0 || !live->deadlines.known) {
        return bound;
    }
    int first = domain < 0 ? 0 : domain;
    int last = domain < 0 ? live->network->domain_count - 1 : domain;
    for (int d = first; d <= last; d++) {
        int64_t madds =
            srv_deadline_madds(&live->deadlines, d, params->deadline_us);
        if (bound.madds == 0 || madds < bound.madds) {
            bound = (struct bound){madds, params->deadline_us};
        }
    }
    return bound;
}

/* Refuses a bound below `least`, with what would do in the request's terms. */
static enum sy_status too_low(const struct srv_live *live, int domain,
                              const struct bound *bound, int64_t least,
                              struct sy_error *err)
{
    const struct sy_network *network = live->network;
    if (bound->deadline_us == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "parameters.max_madds: no expert of domain '%s' costs "
                       "at most %lld; the cheapest costs %lld",
                       network->domain[domain].name, (long long)bound->madds,
                       (long long)least);
    }
    return sy_fail(
        err, SY_BAD_INPUT,
        "parameters.deadline_us: no expert of domain '%s' runs within %lld us; "
        "the cheapest takes %lld us (%lld multiply-adds)",
        network->domain[domain].name, (long long)bound->deadline_us,
        (long long)srv_deadline_us(&live->deadlines, domain, least),
        (long long)least);
}

/*
 * The expert that answers where the route cannot within the bound; -1 where
 * it can.
 */
static enum sy_status choose_expert(const struct srv_live *live, int domain,
                                    const struct bound *bound, int *expert,
                                    struct sy_error *err)
{
    const struct sy_network *network = live->network;
    int64_t cheapest = sy_route_least_madds(network->route[domain], network);
    *expert = -1;
    if (cheapest <= bound->madds) {
        return SY_OK;
    }
    *expert = dearest_within(network, domain, bound->madds);
    if (*expert >= 0) {
        return SY_OK;
    }
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain == domain) {
            int64_t madds = expert_madds(network, e);
            cheapest = madds < cheapest ? madds : cheapest;
        }
    }
    return too_low(live, domain, bound, cheapest, err);
}

/*
 * That the bound pays for the root gate and then for an answer, whichever
 * domain is found.
 */
static enum sy_status check_any(const struct srv_live *live,
                                const struct bound *bound, struct sy_error *err)
{
    const struct sy_network *network = live->network;
    int gate = sy_network_gate(network, sy_network_root_gate(network));
    int64_t gate_madds = network->unit[gate].cost.madds, most = 0, most_us = 0;
    for (int d = 0; d < network->domain_count; d++) {
        int64_t least =
            gate_madds + sy_route_least_madds(network->route[d], network);
        most = least > most ? least : most;
    }
    if (bound->madds == 0 || bound->madds >= most) {
        return SY_OK;
    }
    if (bound->deadline_us == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "parameters.max_madds: without a domain it has to "
                       "pay for an answer of any: expected at least %lld, "
                       "found %lld",
                       (long long)most, (long long)bound->madds);
    }
    for (int d = 0; d < network->domain_count; d++) {
        int64_t us = srv_deadline_us(&live->deadlines, d, most);
        most_us = us > most_us ? us : most_us;
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "parameters.deadline_us: without a domain there has to be "
                   "time for an answer of any: expected at least %lld, found "
                   "%lld",
                   (long long)most_us, (long long)bound->deadline_us);
}

static void set_params(struct srv_job *job, const struct srv_model *model,
                       const struct srv_params *params,
                       const struct bound *bound)
{
    job->max_madds = bound->madds;
    job->timed = bound->deadline_us > 0;
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
        struct bound any = bound_of(live, -1, params);
        SY_TRY(check_any(live, &any, err));
        SY_TRY(srv_job_new_finding(job, live, image_count, err));
        set_params(*job, model, params, &any);
        return SY_OK;
    }
    struct srv_pick pick =
        srv_trial_pick(live, domain, model->ticket, model->pin);
    struct bound bound = bound_of(pick.named, pick.named_domain, params);
    int expert = -1;
    if (bound.madds > 0) {
        pick.compare = false; /* a budget cuts two routes at two places */
        SY_TRY(
            choose_expert(pick.named, pick.named_domain, &bound, &expert, err));
    }
    struct srv_job *made = NULL;
    SY_TRY(srv_job_new_picked(&made, live, domain, &pick, image_count, err));
    made->expert = expert;
    set_params(made, model, params, &bound);
    *job = made;
    return SY_OK;
}
