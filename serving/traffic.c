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
    size_t gates = (size_t)network->gate_count;
    struct srv_traffic *made = sy_alloc_zero(1, sizeof *made);
    atomic_llong *counts =
        sy_alloc_zero(2 * (experts + gates) + domains + units, sizeof *counts);
    if (made == NULL || counts == NULL) {
        sy_free(made);
        sy_free(counts);
        return sy_fail(err, SY_NO_MEMORY, "counters: out of memory");
    }
    *made = (struct srv_traffic){.network = network, .expert_images = counts};
    made->expert_exits = made->expert_images + experts;
    made->domain_madds = made->expert_exits + experts;
    made->unit_images = made->domain_madds + domains;
    made->gate_images = made->unit_images + units;
    made->gate_nanonats = made->gate_images + gates;
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

void srv_traffic_gates(struct srv_traffic *traffic, int domain,
                       const struct sy_route_taken *taken)
{
    int end = 0;
    for (int i = 0; traffic != NULL && i < taken->decision_count; i = end) {
        const struct sy_route_decision *first = &taken->decision[i];
        const struct sy_route *node =
            sy_route_node(traffic->network->route[domain], first->node);
        while (end < taken->decision_count &&
               taken->decision[end].node == first->node) {
            end++;
        }
        /* Of a large route the last decisions may be missing. */
        if (node->type == &sy_route_gate && end - i == node->child_count) {
            double nats = sy_route_gate_doubt(node, first);
            add(&traffic->gate_images[node->gate], 1);
            add(&traffic->gate_nanonats[node->gate],
                (int64_t)(1e9 * nats + 0.5));
        }
    }
}
