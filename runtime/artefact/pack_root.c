/*
 * pack_root.c - the root gate that a pack brings.
 *
 * DESIGN. The root gate knows the first domains of the network that is served
 * afterwards, and most of them are not the pack's: so it stands beside the
 * pack's own network, with the names of the domains that it knows. Everything
 * is checked twice over: that it fits itself when the pack is read, that it
 * fits the network when the pack is applied.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/sums.h"

enum { PREFIX_BYTES = SY_NAME_BYTES + 8 };

/* The names of the domains that it knows, in the order of its scores. */
static enum sy_status read_names(struct sy_pack_root *root,
                                 struct sy_json *json)
{
    size_t count = (size_t)root->gate.outputs - 1;
    json_t *names = sy_json_array(json, "domains", count, count);
    for (size_t i = 0; names != NULL && i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        bool good = name != NULL && sy_name_valid(name);
        for (size_t o = 0; good && o < i; o++) {
            good = strcmp(name, root->domain[o]) != 0;
        }
        if (!good) {
            sy_json_reject(json, "domains",
                           "[%zu]: expected the name of a domain, once", i);
            break;
        }
        memcpy(root->domain[i], name, strlen(name) + 1);
    }
    return json->status;
}

/* What is known of the stem behind which it reads. */
static void hash_stem(const struct sy_network *network,
                      char text[SY_HASH_TEXT_BYTES])
{
    struct sy_pack_content content;
    struct sy_hash hash;
    sy_pack_content(network, network->stem, &content);
    sy_hash_init(&hash);
    sy_hash_add(&hash, &content, sizeof content);
    sy_hash_end(&hash, text);
}

/* The gate as far as it stands for itself. */
static enum sy_status read_gate(struct sy_pack_root *root, json_t *row,
                                const char *file, struct sy_error *err)
{
    struct sy_network_parts parts = {.gate_count = 1, .gate = &root->gate};
    json_t *rows = json_pack("[O]", row);
    if (rows == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", file);
    }
    enum sy_status status =
        sy_model_read_gates(&root->gate, &parts, rows, file, err);
    json_decref(rows);
    SY_TRY(status);
    (void)snprintf(root->hash, sizeof root->hash, "%s",
                   json_string_value(json_object_get(row, "hash")));
    parts.domain_count = root->gate.outputs - 1;
    status = sy_gate_check(&parts, 0, err);
    if (status != SY_OK) {
        sy_error_prefix(err, "%s: root", file);
    }
    return status;
}

enum sy_status sy_pack_root_read(struct sy_pack_root **root, json_t *described,
                                 const char *file, struct sy_error *err)
{
    struct sy_json json = sy_json_object(described, file, "root", err);
    json_t *row = sy_json_child(&json, "gate").object;
    SY_TRY(json.status);
    struct sy_pack_root *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", file);
    }
    enum sy_status status = read_gate(made, row, file, err);
    if (status == SY_OK) {
        sy_json_text(&json, "stem", made->stem, sizeof made->stem);
        (void)read_names(made, &json);
        status = sy_json_end(&json);
    }
    if (status != SY_OK) {
        sy_free(made);
        return status;
    }
    *root = made;
    return SY_OK;
}

bool sy_pack_root_owns(const struct sy_pack_root *root, const char *tensor)
{
    char prefix[PREFIX_BYTES];
    int length = snprintf(prefix, sizeof prefix, "gate.%s.", root->gate.name);
    return strncmp(tensor, prefix, (size_t)length) == 0;
}

/* Whether the first domains are those that the gate knows. */
static enum sy_status check_names(const struct sy_pack *pack,
                                  const struct sy_network *network,
                                  struct sy_error *err)
{
    const struct sy_pack_root *root = pack->root_gate;
    for (int d = 0; d < root->gate.outputs - 1; d++) {
        const char *found =
            d < network->domain_count ? network->domain[d].name : "no domain";
        if (strcmp(found, root->domain[d]) != 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "its root gate knows \"%s\" as domain %d, where the "
                           "network would have \"%s\"; fit it for the network "
                           "with these domains in this order",
                           root->domain[d], d, found);
        }
    }
    return SY_OK;
}

/* Copies the gate's numbers out of the file. */
static enum sy_status fill(struct sy_network *network, int unit,
                           const struct sy_pack *pack, struct sy_error *err)
{
    char hash[SY_HASH_TEXT_BYTES];
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        if (tensor->unit != unit) {
            continue;
        }
        const struct sy_st_entry *entry =
            sy_st_find(pack->tensors, tensor->name);
        if (entry == NULL) {
            return sy_fail(err, SY_BAD_INPUT, "%s: the tensor is missing",
                           tensor->name);
        }
        SY_TRY(sy_model_check_shape(tensor, entry, "root", err));
        SY_TRY(sy_model_check_values(tensor, entry->data, "root", err));
        memcpy(network->values + tensor->offset, entry->data,
               tensor->count * sizeof(float));
    }
    sy_network_hash_weights(network, unit, hash);
    return strcmp(hash, pack->root_gate->hash) == 0
               ? SY_OK
               : sy_fail(err, SY_BAD_INPUT,
                         "root.gate.hash: expected %s, the hash of the gate in "
                         "the file",
                         hash);
}

enum sy_status sy_pack_root_apply(struct sy_network **network,
                                  const struct sy_pack *pack,
                                  struct sy_error *err)
{
    struct sy_gate gates[SY_MAX_GATES];
    struct sy_network *now = *network;
    int count = 0;
    char stem[SY_HASH_TEXT_BYTES];
    hash_stem(now, stem);
    if (strcmp(stem, pack->root_gate->stem) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "its root gate reads behind another stem than that of "
                       "network \"%s\"",
                       now->name);
    }
    SY_TRY(check_names(pack, now, err));
    for (int g = 0; g < now->gate_count; g++) {
        if (now->gate[g].domain >= 0) {
            gates[count++] = now->gate[g];
        }
    }
    if (count == SY_MAX_GATES) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "the gates together are more than %d", SY_MAX_GATES);
    }
    gates[count++] = pack->root_gate->gate;
    SY_TRY(sy_network_set_gates(network, gates, count, err));
    return fill(*network, sy_network_gate(*network, count - 1), pack, err);
}

json_t *sy_pack_root_describe(const struct sy_network *network)
{
    int root = sy_network_root_gate(network);
    char stem[SY_HASH_TEXT_BYTES];
    json_t *names = json_array();
    json_t *rows = sy_model_gates(network);
    hash_stem(network, stem);
    for (int d = 0; d < network->gate[root].outputs - 1; d++) {
        if (json_array_append_new(names,
                                  json_string(network->domain[d].name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    }
    json_t *made =
        json_pack("{s:O,s:o,s:s}", "gate", json_array_get(rows, (size_t)root),
                  "domains", names, "stem", stem);
    json_decref(rows);
    return made;
}
