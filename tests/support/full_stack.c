/*
 * full_stack.c - a model on which no pack fits any more.
 */
#include "tests/support/full_stack.h"

#include <string.h>

#include "tests/support/check_main.h"

/* Two blocks with weights on the path of the first expert. */
static void find_blocks(const struct sy_network *network, int unit[2])
{
    int found = 0;
    for (int l = 0; found < 2; l++) {
        ck_assert_int_lt(l, network->spec.layer_count);
        int block =
            sy_network_block(network, l, network->expert[0].path.block[l]);
        if (network->unit[block].plan.param_count > 0) {
            unit[found++] = block;
        }
    }
}

/* Stores the pack at `path`, and puts it on top of both. */
static void put_on_top(const char *model, const char *path,
                       struct sy_network **served, struct sy_stack *stack)
{
    struct sy_error err = {0};
    struct sy_pack *pack = NULL;
    struct sy_network *made = NULL;
    sy_check_ok(sy_pack_open(&pack, path, &err), err);
    sy_check_ok(sy_pack_store(model, pack, &err), err);
    sy_check_ok(sy_pack_apply(&made, *served, pack, NULL, &err), err);
    sy_network_free(*served);
    *served = made;
    memcpy(stack->pack[stack->pack_count++], pack->id, SY_PACK_ID_BYTES);
    sy_pack_close(pack);
}

void sy_check_fill_stack(const char *model, struct sy_network *network,
                         const char *path, char id[SY_PACK_ID_BYTES])
{
    struct sy_error err = {0};
    struct sy_current current = {.served = {.version = 1}};
    struct sy_network *served = NULL;
    struct sy_artefact artefact;
    struct sy_pack_domain first = {.domain = 0};
    struct sy_pack_plan plan = {
        .from = network, .domain_count = 1, .domain = &first};
    int unit[2];
    find_blocks(network, unit);
    sy_check_ok(sy_artefact_load(model, &served, &artefact, &err), err);
    plan.network = artefact.name;
    for (int p = 0; p <= SY_STACK_PACKS; p++) {
        network->values[network->unit[unit[p % 2]].weight[0]] += 0.25F;
        plan.base = served;
        sy_check_ok(sy_pack_write(path, &plan, id, &err), err);
        if (p < SY_STACK_PACKS) {
            put_on_top(model, path, &served, &current.served);
        }
    }
    sy_check_ok(sy_current_write(model, &current, &err), err);
    sy_network_free(served);
}
