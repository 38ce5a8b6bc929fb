/*
 * make_pack.c - writes an expert pack that answers otherwise, for tests.
 *
 *     make_pack REPOSITORY/NAME PACK SEED AMOUNT DOMAIN...
 *
 * The pack sets the domains as they are in the model, but for the last block
 * on the way of each domain's first expert, whose weights get noise of AMOUNT
 * times their size, and the head's biases, which get noise of AMOUNT. So a
 * small AMOUNT answers nearly alike, a large one otherwise, and neither with
 * the same bits. Blocks before it are those of the model and left out. Prints
 * the pack's id.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

enum { PROBES = 4, FIRST_DOMAIN = 5 };

/* The last unit of a layer on the path that has weights, or -1. */
static int last_block(const struct sy_network *network,
                      const struct sy_path *path)
{
    for (int l = path->layer_count - 1; l >= 0; l--) {
        int u = sy_network_block(network, l, path->block[l]);
        if (network->unit[u].plan.param_count > 0) {
            return u;
        }
    }
    return -1;
}

static void add_noise(struct sy_network *network, int unit, int param,
                      double amount, struct sy_rng *rng)
{
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        double squares = 0;
        if (tensor->offset != network->unit[unit].weight[param]) {
            continue;
        }
        float *values = network->values + tensor->offset;
        for (size_t i = 0; i < tensor->count; i++) {
            squares += (double)values[i] * (double)values[i];
        }
        double size = amount * sqrt(squares / (double)tensor->count + 1e-4);
        for (size_t i = 0; i < tensor->count; i++) {
            values[i] += (float)(size * (double)sy_rng_normal(rng));
        }
    }
}

static void change_domain(struct sy_network *network, int domain, double amount,
                          struct sy_rng *rng)
{
    int expert = 0;
    (void)sy_network_route_experts(network, domain, &expert, 1);
    int block = last_block(network, &network->expert[expert].path);
    if (block >= 0) {
        add_noise(network, block, 0, amount, rng);
    }
    add_noise(network, sy_network_head(network, domain), 1, amount, rng);
}

static enum sy_status make(char **argv, int argc, struct sy_error *err)
{
    struct sy_network *base = NULL, *changed = NULL;
    struct sy_artefact artefact;
    struct sy_pack_domain domain[SY_MAX_DOMAINS] = {{0}};
    char id[SY_PACK_ID_BYTES];
    uint8_t *probes = NULL;
    enum sy_status status;
    struct sy_rng rng =
        sy_rng_stream(strtoull(argv[3], NULL, 10), SY_RNG_TEST, 0, 0);
    int count = argc - FIRST_DOMAIN;
    SY_TRY_OUT(sy_artefact_load(argv[1], &base, &artefact, err));
    SY_TRY_OUT(sy_artefact_load(argv[1], &changed, &artefact, err));
    size_t bytes = PROBES * sy_shape_floats(base->spec.input);
    probes = sy_alloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        probes[i] = (uint8_t)sy_rng_below(&rng, 256);
    }
    for (int i = 0; i < count; i++) {
        int d = sy_network_find_domain(base, argv[FIRST_DOMAIN + i]);
        if (d < 0) {
            status = sy_fail(err, SY_BAD_INPUT, "no domain %s",
                             argv[FIRST_DOMAIN + i]);
            goto out;
        }
        change_domain(changed, d, strtod(argv[4], NULL), &rng);
        domain[i] = (struct sy_pack_domain){
            .domain = d, .probe_count = PROBES, .probes = probes};
    }
    struct sy_pack_plan plan = {.from = changed,
                                .domain_count = count,
                                .domain = domain,
                                .base = base,
                                .network = artefact.name};
    SY_TRY_OUT(sy_pack_write(argv[2], &plan, id, err));
    printf("%s\n", id);
out:
    sy_free(probes);
    sy_network_free(base);
    sy_network_free(changed);
    return status;
}

int main(int argc, char **argv)
{
    struct sy_error err = {0};
    if (argc <= FIRST_DOMAIN || argc > FIRST_DOMAIN + SY_MAX_DOMAINS) {
        fprintf(stderr, "usage: make_pack MODEL PACK SEED AMOUNT DOMAIN...\n");
        return 2;
    }
    if (make(argv, argc, &err) != SY_OK) {
        fprintf(stderr, "make_pack: %s\n", err.message);
        return 1;
    }
    return 0;
}
