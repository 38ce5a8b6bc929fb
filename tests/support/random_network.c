/*
 * random_network.c - small random networks for tests.
 *
 * DESIGN. Candidates of a layer walk through the list of kinds from a random
 * start, so that a handful of networks has seen every kind at every place.
 * Sides are odd and even, widths are no multiples of a vector.
 */
#include "tests/support/random_network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

enum { MAX_DOMAINS = 16, MAX_CLASSES = 12, MAX_HALVINGS = 2 };

static int pick(struct sy_rng *rng, const int *from, uint32_t count)
{
    return from[sy_rng_below(rng, count)];
}

static struct sy_block_spec random_block(struct sy_rng *rng,
                                         enum sy_block_kind kind)
{
    struct sy_block_spec spec = sy_block_defaults(kind);
    if (kind == SY_BLOCK_ZERO) {
        return spec;
    }
    spec.kernel = pick(rng, (const int[]){3, 5, 7}, 3);
    spec.act = sy_rng_below(rng, 2) == 0 ? SY_ACT_RELU : SY_ACT_HSWISH;
    if (kind != SY_BLOCK_CONV) {
        spec.expansion = 1 + (int)sy_rng_below(rng, 4);
        spec.se = sy_rng_below(rng, 3) == 0;
    }
    if (kind == SY_BLOCK_GROUP) {
        spec.groups = pick(rng, (const int[]){1, 2, 4, 8}, 4);
    }
    return spec;
}

static void random_layer(struct sy_layer_spec *layer, int index, int channels,
                         bool may_halve, struct sy_rng *rng)
{
    layer->stride = may_halve && sy_rng_below(rng, 3) == 0 ? 2 : 1;
    /* Half of the layers keep the width: zero blocks then do nothing. */
    layer->channels = sy_rng_below(rng, 2) == 0
                          ? channels
                          : pick(rng, (const int[]){8, 12, 16, 24, 36}, 5);
    layer->block_count = 2 + (int)sy_rng_below(rng, 4);
    uint32_t kind = sy_rng_below(rng, SY_BLOCK_KINDS);
    for (int b = 0; b < layer->block_count; b++) {
        struct sy_candidate *block = &layer->block[b];
        snprintf(block->id, sizeof block->id, "l%db%d", index % SY_MAX_LAYERS,
                 b % SY_MAX_BLOCKS);
        block->spec = random_block(
            rng, (enum sy_block_kind)((kind + (uint32_t)b) % SY_BLOCK_KINDS));
    }
}

static void random_spec(struct sy_network_spec *spec,
                        const struct sy_random_options *options,
                        struct sy_rng *rng)
{
    int halvings = 0;
    memset(spec, 0, sizeof *spec);
    spec->input.h = 8 + (int)sy_rng_below(rng, 9);
    spec->input.w = 8 + (int)sy_rng_below(rng, 9);
    spec->input.c = 3;
    spec->stem = sy_block_defaults(SY_BLOCK_CONV);
    spec->stem_channels = pick(rng, (const int[]){8, 12, 16}, 3);
    spec->stem_stride = 1;
    spec->layer_count =
        options->layers > 0 ? options->layers : 3 + (int)sy_rng_below(rng, 4);
    int channels = spec->stem_channels;
    for (int l = 0; l < spec->layer_count; l++) {
        random_layer(&spec->layer[l], l, channels, halvings < MAX_HALVINGS,
                     rng);
        halvings += spec->layer[l].stride == 2;
        channels = spec->layer[l].channels;
    }
    spec->head.width = 20;
    spec->head.act = SY_ACT_HSWISH;
    spec->norm = options->norm;
}

struct sy_path sy_random_path(const struct sy_network_spec *spec,
                              struct sy_rng *rng)
{
    struct sy_path path = {.layer_count = spec->layer_count};
    for (int l = 0; l < spec->layer_count; l++) {
        path.block[l] =
            (int)sy_rng_below(rng, (uint32_t)spec->layer[l].block_count);
    }
    return path;
}

/* Candidate `turn` of each layer, counted round. */
static struct sy_path path_in_turn(const struct sy_network_spec *spec, int turn)
{
    struct sy_path path = {.layer_count = spec->layer_count};
    for (int l = 0; l < spec->layer_count; l++) {
        path.block[l] = turn % spec->layer[l].block_count;
    }
    return path;
}

/*
 * The experts of each domain, each on the beginning of an earlier one, or each
 * on the candidates that have its turn.
 */
static struct sy_expert *random_experts(const struct sy_network_spec *spec,
                                        int domains, int experts, bool in_turn,
                                        struct sy_rng *rng)
{
    struct sy_expert *all =
        sy_alloc_zero((size_t)(domains * experts) + 1, sizeof *all);
    SY_ASSERT(all != NULL);
    for (int d = 0; d < domains; d++) {
        for (int e = 0; e < experts; e++) {
            struct sy_expert *expert = &all[d * experts + e];
            snprintf(expert->name, sizeof expert->name, "e%d", e);
            expert->domain = d;
            expert->path =
                in_turn ? path_in_turn(spec, e) : sy_random_path(spec, rng);
            expert->temperature = 0.5 + (double)sy_rng_uniform(rng);
            if (e > 0 && !in_turn) {
                uint32_t from = sy_rng_below(rng, (uint32_t)e);
                uint32_t shared =
                    sy_rng_below(rng, (uint32_t)spec->layer_count + 1);
                memcpy(expert->path.block,
                       all[d * experts + (int)from].path.block,
                       shared * sizeof expert->path.block[0]);
            }
        }
    }
    return all;
}

/*
 * Three gates for each domain, behind the stem or any layer of an expert's
 * path, with two, three and four scores; the root gate is the last.
 */
static int random_gates(struct sy_gate *gates, int domains, int experts,
                        int layers, struct sy_rng *rng)
{
    int count = 0;
    for (int d = 0; d < domains; d++) {
        for (int g = 0; g < 3; g++) {
            struct sy_gate *gate = &gates[count++];
            *gate = (struct sy_gate){.domain = d, .expert = -1};
            snprintf(gate->name, sizeof gate->name, "g%d", g);
            gate->layers = (int)sy_rng_below(rng, (uint32_t)layers + 1);
            if (gate->layers > 0) {
                gate->expert =
                    d * experts + (int)sy_rng_below(rng, (uint32_t)experts);
            }
            gate->cells = 1 + (int)sy_rng_below(rng, 2);
            gate->hidden = sy_rng_below(rng, 2) == 0 ? 0 : 6;
            gate->textures = g == 1 && gate->layers == 0;
            gate->outputs = 2 + g;
        }
    }
    gates[count++] = (struct sy_gate){.name = "root",
                                      .domain = -1,
                                      .expert = -1,
                                      .cells = 2,
                                      .textures = true,
                                      .hidden = 5,
                                      .outputs = domains + 1};
    for (int d = 0; d < domains; d++) {
        gates[count - 1].threshold[d] = 0.3;
    }
    return count;
}

void sy_prune_for_experts(struct sy_network_spec *spec,
                          struct sy_expert *experts, int count)
{
    struct sy_path *paths = sy_alloc_zero((size_t)count + 1, sizeof *paths);
    SY_ASSERT(paths != NULL);
    for (int e = 0; e < count; e++) {
        paths[e] = experts[e].path;
    }
    sy_spec_prune(spec, paths, count);
    for (int e = 0; e < count; e++) {
        experts[e].path = paths[e];
    }
    sy_free(paths);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Moves a tensor away from the values at which mistakes do not show. */
static void unsilence(struct sy_network *network,
                      const struct sy_tensor *tensor, struct sy_rng *rng)
{
    float *at = network->values + tensor->offset;
    for (size_t i = 0; i < tensor->count; i++) {
        if (tensor->slot >= 0 && (ends_with(tensor->name, ".scale") ||
                                  ends_with(tensor->name, ".var"))) {
            at[i] = 0.5f + sy_rng_uniform(rng);
        } else if (tensor->slot >= 0 || tensor->init == SY_INIT_ZERO) {
            at[i] = 0.6f * sy_rng_uniform(rng) - 0.3f;
        } else if (tensor->init == SY_INIT_DENSE) {
            at[i] = 0.3f * sy_rng_normal(rng);
        }
    }
}

struct sy_network *sy_random_network(const struct sy_random_options *options)
{
    static char *labels[MAX_CLASSES] = {"a", "b", "c", "d", "e", "f",
                                        "g", "h", "i", "j", "k", "l"};
    struct sy_rng rng = sy_rng_stream(options->seed, SY_RNG_TEST, 0, 0);
    struct sy_domain domain[MAX_DOMAINS] = {0};
    struct sy_gate gates[3 * MAX_DOMAINS + 1];
    struct sy_error err = {0};
    struct sy_network *network = NULL;
    int gate_count = 0;
    int domains = options->domains > 0 ? options->domains : 3;
    struct sy_network_spec *spec = sy_alloc(sizeof *spec);

    SY_ASSERT(spec != NULL && domains <= MAX_DOMAINS);
    if (options->spec != NULL) {
        *spec = *options->spec;
    } else {
        random_spec(spec, options, &rng);
    }
    for (int d = 0; d < domains; d++) {
        snprintf(domain[d].name, sizeof domain[d].name, "d%d", d);
        domain[d].classes = 2 + (int)sy_rng_below(&rng, MAX_CLASSES - 1);
        domain[d].labels = labels;
    }
    struct sy_expert *experts = random_experts(spec, domains, options->experts,
                                               options->spec != NULL, &rng);
    if (options->experts > 0) {
        sy_prune_for_experts(spec, experts, domains * options->experts);
    }
    if (options->gates) {
        gate_count = random_gates(gates, domains, options->experts,
                                  spec->layer_count, &rng);
    }
    enum sy_status status = sy_network_new(
        &network,
        &(struct sy_network_parts){.name = "random",
                                   .spec = spec,
                                   .domain_count = domains,
                                   .domain = domain,
                                   .expert_count = domains * options->experts,
                                   .expert = experts,
                                   .gate_count = gate_count,
                                   .gate = gates},
        &err);
    if (status != SY_OK) {
        fprintf(stderr, "random network %llu: %s\n",
                (unsigned long long)options->seed, err.message);
    }
    SY_ASSERT(status == SY_OK);
    sy_network_init(network, options->seed);
    for (int t = 0; t < network->tensor_count; t++) {
        unsilence(network, &network->tensor[t], &rng);
    }
    sy_free(experts);
    sy_free(spec);
    return network;
}

float *sy_random_image(const struct sy_network *network, struct sy_rng *rng)
{
    size_t floats = sy_shape_floats(network->spec.input);
    float *image = sy_alloc(floats * sizeof(float));
    SY_ASSERT(image != NULL);
    for (size_t i = 0; i < floats; i++) {
        image[i] = sy_rng_normal(rng);
    }
    return image;
}

static bool is_used(const struct sy_network *network,
                    const struct sy_tensor *tensor, const struct sy_path *paths,
                    const int *domains, int count)
{
    for (int i = 0; i < count; i++) {
        bool slot_fits = tensor->slot < 0 ||
                         tensor->slot == sy_network_slot(network, tensor->unit,
                                                         domains[i], &paths[i]);
        for (int s = 0; slot_fits && s < sy_network_stages(network); s++) {
            if (sy_network_stage_unit(network, s, &paths[i], domains[i]) ==
                tensor->unit) {
                return true;
            }
        }
    }
    return false;
}

void sy_poison_unused(struct sy_network *network, const struct sy_path *paths,
                      const int *domains, int count)
{
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        if (!is_used(network, tensor, paths, domains, count)) {
            for (size_t i = 0; i < tensor->count; i++) {
                network->values[tensor->offset + i] = NAN;
            }
        }
    }
}
