/*
 * fuzz_model_json.c - any bytes as a model.json.
 *
 * A network that is accepted describes itself as one that is accepted, with
 * the same values in the same places. Its size is bounded, as the size of the
 * weights' file bounds it when a model is loaded.
 */
#include <string.h>

#include "runtime/artefact/model.h"
#include "runtime/base/json.h"

enum { MAX_VALUES = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(struct sy_network *network)
{
    struct sy_error err = {0};
    struct sy_network *again;
    sy_network_init(network, 1);
    json_t *json = sy_artefact_describe(network);
    SY_ASSERT(json != NULL);
    SY_ASSERT(sy_model_read(&again, json, "again", MAX_VALUES, &err) == SY_OK);
    SY_ASSERT(again->value_count == network->value_count);
    for (int t = 0; t < network->tensor_count; t++) {
        SY_ASSERT(strcmp(network->tensor[t].name, again->tensor[t].name) == 0);
    }
    for (int d = 0; d < network->domain_count; d++) {
        int expert;
        int count = sy_network_route_experts(network, d, &expert, 1);
        SY_ASSERT(count == (network->expert_count > 0));
        SY_ASSERT(count == 0 || network->expert[expert].domain == d);
    }
    sy_network_free(again);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sy_error err = {0};
    struct sy_model_weights weights;
    struct sy_network *network;
    json_t *root;
    if (sy_json_parse((const char *)data, bytes, "fuzz", &root, &err) !=
        SY_OK) {
        return 0;
    }
    if (sy_model_read_weights(&weights, root, "fuzz", &err) == SY_OK) {
        SY_ASSERT(strlen(weights.sha256) == SY_HASH_TEXT_BYTES - 1);
    }
    if (sy_model_read(&network, root, "fuzz", MAX_VALUES, &err) == SY_OK) {
        check(network);
        sy_network_free(network);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    json_decref(root);
    return 0;
}
