/*
 * subject.c - the network of a configuration, with random numbers.
 */
#include "bench/lib/subject.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "search/config.h"

/* Norms start as ones and zeros, which would hide what is done with them. */
static void shake_norms(struct sy_network *network, uint64_t seed)
{
    struct sy_rng rng = sy_rng_stream(seed, SY_RNG_BENCH, 0, 0);

    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        float *values = network->values + tensor->offset;
        for (size_t i = 0; i < tensor->count && tensor->slot >= 0; i++) {
            values[i] += 0.1f * sy_rng_uniform(&rng);
        }
    }
}

static enum sy_status from_config(struct sy_network **network,
                                  const struct nas_config *config, bool all,
                                  struct sy_error *err)
{
    static struct sy_domain domain[SY_MAX_DOMAINS];
    static struct sy_expert expert[SY_MAX_DOMAINS];
    static struct sy_path path[SY_MAX_DOMAINS];
    static struct sy_network_spec spec;
    int count = all ? config->domain_count : 1;

    spec = config->network;
    if (config->path_count == 0) {
        return sy_fail(err, SY_BAD_INPUT, "the configuration has no paths");
    }
    for (int d = 0; d < count; d++) {
        domain[d] = (struct sy_domain){.classes = BENCH_CLASSES};
        expert[d] =
            (struct sy_expert){.name = "main", .domain = d, .temperature = 1.0};
        memcpy(domain[d].name, config->domain[d], sizeof domain[d].name);
        SY_TRY(sy_path_parse(&expert[d].path,
                             config->path[d % config->path_count],
                             &config->network, "path", err));
        path[d] = expert[d].path;
    }
    sy_spec_prune(&spec, path, count);
    for (int d = 0; d < count; d++) {
        expert[d].path = path[d];
    }
    struct sy_network_parts parts = {.name = config->name,
                                     .spec = &spec,
                                     .domain_count = count,
                                     .domain = domain,
                                     .expert_count = count,
                                     .expert = expert};
    SY_TRY(sy_network_new(network, &parts, err));
    sy_network_init(*network, config->seed);
    shake_norms(*network, config->seed);
    return SY_OK;
}

enum sy_status bench_network(struct sy_network **network, const char *config,
                             bool all, struct sy_error *err)
{
    static struct nas_config read;

    SY_TRY(nas_config_load(&read, config, NULL, 0, err));
    enum sy_status status = from_config(network, &read, all, err);
    nas_config_release(&read);
    return status;
}

void bench_pixels(float *pixels, size_t count)
{
    struct sy_rng rng = sy_rng_stream(1, SY_RNG_BENCH, 0, 1);

    for (size_t i = 0; i < count; i++) {
        pixels[i] = 2.0f * sy_rng_uniform(&rng) - 1.0f;
    }
}
