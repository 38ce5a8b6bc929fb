/*
 * random_route.c - random routes, and the plain way through them.
 */
#include "tests/support/random_route.h"

#include <math.h>
#include <string.h>

#include "tests/support/check_main.h"

enum { MOST_CLASSES = 16, MOST_CHILDREN = 3, DEEPEST = 3 };

static const char *const exits[] = {"confidence", "margin", "entropy",
                                    "reject"};

static json_t *random_node(const struct sy_network *network, int domain,
                           int depth, struct sy_rng *rng);

static json_t *random_leaf(const struct sy_network *network, int domain,
                           struct sy_rng *rng)
{
    int of_domain[SY_MAX_EXPERTS];
    uint32_t count = 0;
    for (int e = 0; e < network->expert_count; e++) {
        if (network->expert[e].domain == domain) {
            of_domain[count++] = e;
        }
    }
    int expert = of_domain[sy_rng_below(rng, count)];
    return json_pack("{s:s,s:s}", "kind", "expert", "expert",
                     network->expert[expert].name);
}

static json_t *random_stage(const struct sy_network *network, int domain,
                            int depth, bool last, struct sy_rng *rng)
{
    json_t *stage = json_object();
    json_object_set_new(stage, "route",
                        random_node(network, domain, depth + 1, rng));
    if (last) {
        return stage;
    }
    uint32_t rule = sy_rng_below(rng, 4);
    double threshold = (double)sy_rng_uniform(rng);
    json_object_set_new(stage, "exit", json_string(exits[rule]));
    if (rule == 3) {
        const struct sy_domain *of = &network->domain[domain];
        uint32_t class = sy_rng_below(rng, (uint32_t)of->classes);
        json_object_set_new(stage, "background",
                            json_string(of->labels[class]));
        threshold = 0.5;
    }
    json_object_set_new(stage, "threshold", json_real(threshold));
    return stage;
}

static json_t *random_node(const struct sy_network *network, int domain,
                           int depth, struct sy_rng *rng)
{
    uint32_t kind = depth >= DEEPEST ? 0 : sy_rng_below(rng, depth < 2 ? 5 : 3);
    if (kind == 0) {
        return random_leaf(network, domain, rng);
    }
    bool cascade = kind % 2 == 1;
    int count = 2 + (int)sy_rng_below(rng, MOST_CHILDREN - 1);
    json_t *node = json_object();
    json_t *children = json_array(), *weights = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(
            children,
            cascade ? random_stage(network, domain, depth, i + 1 == count, rng)
                    : random_node(network, domain, depth + 1, rng));
        json_array_append_new(weights,
                              json_real(0.1 + (double)sy_rng_uniform(rng)));
    }
    json_object_set_new(node, "kind",
                        json_string(cascade ? "cascade" : "ensemble"));
    json_object_set_new(node, cascade ? "stages" : "members", children);
    if (!cascade && sy_rng_below(rng, 2) == 0) {
        json_object_set(node, "weights", weights);
    }
    json_decref(weights);
    return node;
}

json_t *sy_random_route(const struct sy_network *network, int domain,
                        struct sy_rng *rng)
{
    return random_node(network, domain, 0, rng);
}

void sy_random_routes(struct sy_network *network, struct sy_rng *rng)
{
    struct sy_error err = {0};
    for (int d = 0; d < network->domain_count; d++) {
        struct sy_route *route;
        json_t *json = sy_random_route(network, d, rng);
        sy_check_ok(
            sy_route_from_json(&route, json, network, d, "m", "routes", &err),
            err);
        json_decref(json);
        sy_network_set_route(network, d, route);
    }
}

/* Whether a stage with these keys takes the answer. */
static bool plain_exit(json_t *stage, const struct sy_domain *domain,
                       const float *answer)
{
    const char *exit = json_string_value(json_object_get(stage, "exit"));
    double threshold = json_number_value(json_object_get(stage, "threshold"));
    double top = 0, next = 0, entropy = 0;
    for (int k = 0; k < domain->classes; k++) {
        double p = (double)answer[k];
        next = p > top ? top : p > next ? p : next;
        top = p > top ? p : top;
        entropy -= p > 0 ? p * log(p) : 0;
    }
    if (strcmp(exit, "confidence") == 0) {
        return top >= threshold;
    }
    if (strcmp(exit, "margin") == 0) {
        return (domain->classes > 1 ? top - next : 1) >= threshold;
    }
    if (strcmp(exit, "entropy") == 0) {
        return (domain->classes > 1 ? 1 - entropy / log(domain->classes) : 1) >=
               threshold;
    }
    const char *label = json_string_value(json_object_get(stage, "background"));
    int class = 0;
    while (strcmp(domain->labels[class], label) != 0) {
        class ++;
    }
    return 1 - (double)answer[class] < threshold;
}

void sy_plain_route(json_t *route, const struct sy_network *network, int domain,
                    const float *const *answers, float *answer, bool *used)
{
    const struct sy_domain *of = &network->domain[domain];
    const char *kind = json_string_value(json_object_get(route, "kind"));
    json_t *stages = json_object_get(route, "stages"), *one;
    json_t *members = json_object_get(route, "members");
    json_t *weights = json_object_get(route, "weights");
    size_t i;
    if (strcmp(kind, "expert") == 0) {
        const char *name = json_string_value(json_object_get(route, "expert"));
        int expert = sy_network_find_expert(network, domain, name);
        used[expert] = true;
        memcpy(answer, answers[expert], (size_t)of->classes * sizeof(float));
        return;
    }
    json_array_foreach(stages, i, one)
    {
        sy_plain_route(json_object_get(one, "route"), network, domain, answers,
                       answer, used);
        if (i + 1 < json_array_size(stages) && plain_exit(one, of, answer)) {
            return;
        }
    }
    double sum[MOST_CLASSES] = {0}, all = 0;
    float each[MOST_CHILDREN][MOST_CLASSES];
    double weight[MOST_CHILDREN];
    json_array_foreach(members, i, one)
    {
        sy_plain_route(one, network, domain, answers, each[i], used);
        weight[i] = weights != NULL
                        ? json_number_value(json_array_get(weights, i))
                        : 1.0;
        all += weight[i];
    }
    for (i = 0; i < json_array_size(members); i++) {
        for (int k = 0; k < of->classes; k++) {
            sum[k] += weight[i] / all * (double)each[i][k];
            answer[k] = (float)sum[k];
        }
    }
}
