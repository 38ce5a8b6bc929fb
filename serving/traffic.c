/*
 * traffic.c - counters in one allocation, and the rule of sharing.
 */
#include "serving/traffic.h"

#include "runtime/base/memory.h"

enum sy_status srv_traffic_new(struct srv_traffic **traffic,
                               const struct sy_network *network,
                               struct sy_error *err)
{
    size_t experts = (size_t)network->expert_count;
    size_t domains = (size_t)network->domain_count;
    size_t units = (size_t)network->unit_count;
    struct srv_traffic *made = sy_alloc_zero(1, sizeof *made);
    atomic_llong *counts =
        sy_alloc_zero(2 * experts + domains + units, sizeof *counts);
    if (made == NULL || counts == NULL) {
        sy_free(made);
        sy_free(counts);
        return sy_fail(err, SY_NO_MEMORY, "counters: out of memory");
    }
    *made = (struct srv_traffic){.network = network,
                                 .expert_images = counts,
                                 .expert_exits = counts + experts,
                                 .domain_madds = counts + 2 * experts,
                                 .unit_images = counts + 2 * experts + domains};
    *traffic = made;
    return SY_OK;
}

void srv_traffic_free(struct srv_traffic *traffic)
{
    if (traffic != NULL) {
        sy_free(traffic->expert_images);
        sy_free(traffic);
    }
}

static void add(atomic_llong *counter, int64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* Whether an expert before number `at` has gone the same way up to `stage`. */
static bool is_shared(const struct sy_network *network,
                      const struct sy_route_experts *ran, int at, int stage)
{
    const struct sy_expert *own = &network->expert[ran->expert[at]];
    for (int i = 0; i < at; i++) {
        const struct sy_expert *other = &network->expert[ran->expert[i]];
        int s = 0;
        while (s <= stage &&
               sy_network_stage_unit(network, s, &own->path, own->domain) ==
                   sy_network_stage_unit(network, s, &other->path,
                                         other->domain)) {
            s++;
        }
        if (s > stage) {
            return true;
        }
    }
    return false;
}

void srv_traffic_image(struct srv_traffic *traffic,
                       const struct sy_route_experts *ran, int exit,
                       int64_t madds)
{
    if (traffic == NULL || ran->count == 0) {
        return;
    }
    const struct sy_network *network = traffic->network;
    int stages = sy_network_stages(network);
    for (int i = 0; i < ran->count; i++) {
        const struct sy_expert *expert = &network->expert[ran->expert[i]];
        add(&traffic->expert_images[ran->expert[i]], 1);
        for (int stage = 0; stage < stages; stage++) {
            if (!is_shared(network, ran, i, stage)) {
                add(&traffic->unit_images[sy_network_stage_unit(
                        network, stage, &expert->path, expert->domain)],
                    1);
            }
        }
    }
    if (exit >= 0) {
        add(&traffic->expert_exits[exit], 1);
    }
    add(&traffic->domain_madds[network->expert[ran->expert[0]].domain], madds);
}
