/*
 * small_network.c - a network of a few kilobytes for tests.
 */
#include "tests/support/small_network.h"

#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/json.h"
#include "tests/support/check_main.h"

const char sy_small_spec_text[] =
    "{\"input\":{\"height\":8,\"width\":6,\"channels\":3},"
    "\"stem\":{\"kind\":\"conv\",\"kernel\":3,\"act\":\"hswish\","
    "\"channels\":8,\"stride\":1},"
    "\"layers\":[{\"channels\":8,\"blocks\":[{\"kind\":\"conv\","
    "\"kernel\":1},{\"id\":\"skip\",\"kind\":\"zero\"}]},"
    "{\"channels\":8,\"stride\":2,\"blocks\":[{\"kind\":\"mbconv\","
    "\"expansion\":1,\"se\":true,\"act\":\"relu\"},{\"kind\":\"group\","
    "\"expansion\":1,\"groups\":4},{\"kind\":\"zero\"}]}],"
    "\"head\":{\"kind\":\"classify\",\"width\":8,\"act\":\"hswish\"},"
    "\"norm\":\"per_domain\"}";

void sy_small_spec(struct sy_network_spec *spec)
{
    struct sy_error err = {0};
    json_t *root;
    sy_check_ok(sy_json_parse(sy_small_spec_text, strlen(sy_small_spec_text),
                              "small", &root, &err),
                err);
    sy_check_ok(sy_spec_from_json(spec, root, "small", "", &err), err);
    json_decref(root);
}

/* Builds, initialises, and moves all statistics a little. */
static struct sy_network *make(const struct sy_network_spec *spec,
                               const struct sy_expert *experts, int count,
                               uint64_t seed)
{
    static char one[] = "one", two[] = "two", three[] = "three \"3\"";
    static char *digit_labels[] = {one, two, three};
    const struct sy_domain domains[2] = {
        {.name = "digits", .classes = 3, .labels = digit_labels},
        {.name = "shapes", .classes = 2}};
    struct sy_network_parts parts = {.name = "small",
                                     .spec = spec,
                                     .domain_count = 2,
                                     .domain = domains,
                                     .expert_count = count,
                                     .expert = experts};
    struct sy_error err = {0};
    struct sy_network *network;
    sy_check_ok(sy_network_new(&network, &parts, &err), err);
    sy_network_init(network, seed);
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        for (size_t i = 0; !tensor->trained && i < tensor->count; i++) {
            network->values[tensor->offset + i] +=
                0.125f * (float)(1 + i % 7) + (float)t / 1024.0f;
        }
    }
    return network;
}

struct sy_network *sy_small_supernet(uint64_t seed)
{
    struct sy_network_spec spec;
    sy_small_spec(&spec);
    return make(&spec, NULL, 0, seed);
}

struct sy_network *sy_small_network(uint64_t seed)
{
    struct sy_network_spec spec;
    struct sy_path paths[3] = {{2, {0, 0}}, {2, {1, 1}}, {2, {0, 1}}};
    sy_small_spec(&spec);
    sy_spec_prune(&spec, paths, 3);
    const struct sy_expert experts[3] = {
        {.name = "main", .domain = 0, .path = paths[0], .temperature = 1.25},
        {.name = "second", .domain = 0, .path = paths[1], .temperature = 1.0},
        {.name = "main", .domain = 1, .path = paths[2], .temperature = 0.7},
    };
    return make(&spec, experts, 3, seed);
}

int sy_small_unit(const struct sy_network *network, const char *id)
{
    for (int u = 0; u < network->unit_count; u++) {
        if (strcmp(network->unit[u].id, id) == 0) {
            return u;
        }
    }
    ck_abort_msg("no unit %s", id);
    return -1;
}

void sy_small_move(struct sy_network *network, const char *id, float by)
{
    network->values[network->unit[sy_small_unit(network, id)].weight[0]] += by;
}

bool sy_networks_equal(const struct sy_network *a, const struct sy_network *b)
{
    if (a->value_count != b->value_count ||
        memcmp(a->values, b->values, a->value_count * sizeof(float)) != 0) {
        return false;
    }
    json_t *x = sy_artefact_describe(a);
    json_t *y = sy_artefact_describe(b);
    ck_assert_ptr_nonnull(x);
    ck_assert_ptr_nonnull(y);
    bool equal = json_equal(x, y) != 0;
    json_decref(x);
    json_decref(y);
    return equal;
}
