/*
 * random_route.c - random routes, and the plain way through them.
 *
 * DESIGN. Combined answers are compared bit for bit, so the oracle sums in the
 * order of the children; where a gate's order by score would give other last
 * bits the test allows for them (test_walks.c).
 */
#include "tests/support/random_route.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/check_main.h"

enum { MOST_CLASSES = 16, DEEPEST = 3 };

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

/* The children of a node, and what stands beside them. */
static json_t *random_children(const struct sy_network *network, int domain,
                               int depth, int count, bool stages,
                               struct sy_rng *rng)
{
    json_t *children = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(
            children,
            stages ? random_stage(network, domain, depth, i + 1 == count, rng)
                   : random_node(network, domain, depth + 1, rng));
    }
    return children;
}

/*
 * A gate of as many scores as it has children. The first child is the expert
 * along whose path it reads, which has to be among them.
 */
static json_t *random_gate(const struct sy_network *network, int domain,
                           int depth, struct sy_rng *rng)
{
    char name[16];
    int count = 2 + (int)sy_rng_below(rng, 3);
    snprintf(name, sizeof name, "g%d", count - 2);
    json_t *node = json_object();
    json_t *children =
        random_children(network, domain, depth, count, false, rng);
    int gate = sy_network_find_gate(network, domain, name);
    if (network->gate[gate].expert >= 0) {
        const char *along = network->expert[network->gate[gate].expert].name;
        json_array_set_new(
            children, 0,
            json_pack("{s:s,s:s}", "kind", "expert", "expert", along));
    }
    json_object_set_new(node, "kind", json_string("gate"));
    json_object_set_new(node, "gate", json_string(name));
    if (sy_rng_below(rng, 3) == 0) {
        json_object_set_new(node, "choose", json_string("each"));
    } else {
        uint32_t top = sy_rng_below(rng, (uint32_t)count);
        json_object_set_new(node, "top", json_integer((json_int_t)top + 1));
    }
    json_object_set_new(node, "children", children);
    return node;
}

static json_t *random_node(const struct sy_network *network, int domain,
                           int depth, struct sy_rng *rng)
{
    uint32_t kind = depth >= DEEPEST ? 0 : sy_rng_below(rng, depth < 2 ? 5 : 3);
    if (kind == 0) {
        return random_leaf(network, domain, rng);
    }
    if (depth < 2 && network->gate_count > 0 && sy_rng_below(rng, 2) == 0) {
        return random_gate(network, domain, depth, rng);
    }
    bool cascade = kind % 2 == 1;
    int count = 2 + (int)sy_rng_below(rng, 2);
    json_t *node = json_object();
    json_object_set_new(node, "kind",
                        json_string(cascade ? "cascade" : "ensemble"));
    json_object_set_new(
        node, cascade ? "stages" : "members",
        random_children(network, domain, depth, count, cascade, rng));
    if (!cascade && sy_rng_below(rng, 2) == 0) {
        json_t *weights = json_array();
        for (int i = 0; i < count; i++) {
            json_array_append_new(weights,
                                  json_real(0.1 + (double)sy_rng_uniform(rng)));
        }
        json_object_set_new(node, "weights", weights);
    }
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

/* The mean of the children's answers by these weights; 0: not asked. */
static void plain_mean(const struct sy_plain_route *of, json_t *children,
                       const double *weight, float *answer)
{
    int classes = of->network->domain[of->domain].classes;
    double sum[MOST_CLASSES] = {0}, all = 0;
    float each[MOST_CLASSES];
    json_t *one;
    size_t i;
    json_array_foreach(children, i, one)
    {
        all += weight[i];
    }
    json_array_foreach(children, i, one)
    {
        if (weight[i] > 0) {
            sy_plain_route(of, one, each);
            for (int k = 0; k < classes; k++) {
                sum[k] += weight[i] / all * (double)each[k];
                answer[k] = weight[i] == all ? each[k] : (float)sum[k];
            }
        }
    }
}

/* Which children the gate chooses, as weights. */
static void plain_gate(const struct sy_plain_route *of, json_t *route,
                       float *answer)
{
    json_t *children = json_object_get(route, "children");
    const char *name = json_string_value(json_object_get(route, "gate"));
    int gate = sy_network_find_gate(of->network, of->domain, name);
    const float *scores = of->scores[gate];
    int count = (int)json_array_size(children), on = 0, best = 0;
    bool each = json_object_get(route, "choose") != NULL;
    double weight[SY_ROUTE_MAX_CHILDREN] = {0};
    of->asked[gate] = true;
    for (int i = 0; i < count; i++) {
        int ahead = 0;
        for (int j = 0; j < count; j++) {
            ahead += scores[j] > scores[i] || (scores[j] == scores[i] && j < i);
        }
        best = ahead == 0 ? i : best;
        on += scores[i] >= 0;
        if (each ? scores[i] >= 0
                 : ahead < json_integer_value(json_object_get(route, "top"))) {
            weight[i] = each ? 1 : exp((double)scores[i]);
        }
    }
    if (each && on == 0) {
        weight[best] = 1;
    }
    plain_mean(of, children, weight, answer);
}

void sy_plain_route(const struct sy_plain_route *of, json_t *route,
                    float *answer)
{
    const struct sy_domain *domain = &of->network->domain[of->domain];
    const char *kind = json_string_value(json_object_get(route, "kind"));
    json_t *stages = json_object_get(route, "stages"), *one;
    json_t *weights = json_object_get(route, "weights");
    double weight[SY_ROUTE_MAX_CHILDREN];
    size_t i;
    if (strcmp(kind, "expert") == 0) {
        const char *name = json_string_value(json_object_get(route, "expert"));
        int expert = sy_network_find_expert(of->network, of->domain, name);
        of->used[expert] = true;
        memcpy(answer, of->answers[expert],
               (size_t)domain->classes * sizeof(float));
        return;
    }
    if (strcmp(kind, "gate") == 0) {
        plain_gate(of, route, answer);
        return;
    }
    json_array_foreach(stages, i, one)
    {
        sy_plain_route(of, json_object_get(one, "route"), answer);
        if (i + 1 < json_array_size(stages) &&
            plain_exit(one, domain, answer)) {
            return;
        }
    }
    if (stages == NULL) {
        for (i = 0; i < SY_ROUTE_MAX_CHILDREN; i++) {
            weight[i] = weights != NULL
                            ? json_number_value(json_array_get(weights, i))
                            : 1.0;
        }
        plain_mean(of, json_object_get(route, "members"), weight, answer);
    }
}
