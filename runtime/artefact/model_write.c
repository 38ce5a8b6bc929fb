/*
 * model_write.c - the model.json of a network.
 *
 * DESIGN. Rows of blocks and norms stand in the order of the units, so that a
 * reader compares the list it makes itself with the list in the file, row by
 * row. A block's hash is over its weights only: the norms that domains keep at
 * the block have their own, since a swap may replace the one and keep the
 * other. The digest is over the meaning of the file and not over its bytes.
 */
#include "runtime/artefact/model.h"
#include "runtime/base/json.h"
#include "runtime/network/sums.h"

/* Puts a new value under the key; false when it or the place is missing. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool append(json_t *array, json_t *value)
{
    return json_array_append_new(array, value) == 0;
}

static const char *kind_name(const struct sy_network *network, int unit)
{
    const struct sy_unit *at = &network->unit[unit];
    const struct sy_network_spec *spec = &network->spec;
    if (unit == network->trunk) {
        return "trunk";
    }
    return sy_block_names[unit == network->stem ? spec->stem.kind
                                                : spec->layer[at->layer]
                                                      .block[at->block]
                                                      .spec.kind];
}

json_t *sy_model_blocks(const struct sy_network *network, bool hashes)
{
    char hash[SY_HASH_TEXT_BYTES] = "";
    json_t *rows = json_array();
    for (int u = 0; rows != NULL && u < network->first_head; u++) {
        const struct sy_unit *unit = &network->unit[u];
        if (hashes) {
            sy_network_hash_weights(network, u, hash);
        }
        json_t *row = json_pack("{s:s,s:s,s:I,s:I,s:s}", "id", unit->id, "kind",
                                kind_name(network, u), "params",
                                (json_int_t)unit->cost.params, "madds",
                                (json_int_t)unit->cost.madds, "hash", hash);
        if (!append(rows, row)) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

json_t *sy_model_norms(const struct sy_network *network, bool hashes)
{
    char hash[SY_HASH_TEXT_BYTES] = "", whose[SY_SLOT_NAME_BYTES];
    int slots = sy_network_slots(network);
    json_t *rows = json_array();
    for (int i = 0; rows != NULL && i < network->first_head * slots; i++) {
        int unit = i / slots;
        int slot = i % slots;
        const struct sy_unit *at = &network->unit[unit];
        if (at->plan.norm_count == 0 ||
            at->norm[slot * at->plan.norm_count] == SY_ABSENT) {
            continue;
        }
        if (hashes) {
            sy_network_hash_norms(network, unit, slot, hash);
        }
        sy_network_slot_name(network, unit, slot, whose);
        json_t *row = json_pack("{s:s,s:s,s:s}", "slot", whose, "id", at->id,
                                "hash", hash);
        if (!append(rows, row)) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

static json_t *domain_json(const struct sy_domain *domain)
{
    json_t *labels = json_array();
    for (int k = 0; labels != NULL && k < domain->classes; k++) {
        if (!append(labels, json_string(domain->labels[k]))) {
            json_decref(labels);
            return NULL;
        }
    }
    return json_pack("{s:s,s:i,s:o}", "name", domain->name, "classes",
                     domain->classes, "labels", labels);
}

static json_t *expert_json(const struct sy_network *network,
                           const struct sy_expert *expert)
{
    json_t *path = json_array();
    for (int l = 0; path != NULL && l < network->spec.layer_count; l++) {
        int block = expert->path.block[l];
        if (!append(path,
                    json_string(network->spec.layer[l].block[block].id))) {
            json_decref(path);
            return NULL;
        }
    }
    return json_pack("{s:s,s:s,s:o,s:f}", "domain",
                     network->domain[expert->domain].name, "name", expert->name,
                     "path", path, "temperature", expert->temperature);
}

/* Fills "domains", "experts" and "routes" of the root. */
static bool put_people(json_t *root, const struct sy_network *network)
{
    json_t *domains = json_object_get(root, "domains");
    json_t *experts = json_object_get(root, "experts");
    json_t *routes = json_object_get(root, "routes");
    bool made = true;
    for (int d = 0; made && d < network->domain_count; d++) {
        made = append(domains, domain_json(&network->domain[d]));
    }
    for (int e = 0; made && e < network->expert_count; e++) {
        made = append(experts, expert_json(network, &network->expert[e]));
    }
    for (int d = 0; made && d < network->domain_count; d++) {
        if (network->route[d] != NULL) {
            made = put(routes, network->domain[d].name,
                       sy_route_to_json(network->route[d], network));
        }
    }
    return made;
}

json_t *sy_artefact_describe(const struct sy_network *network)
{
    json_t *root = json_object();
    if (root != NULL && put(root, "format", json_string(SY_MODEL_FORMAT)) &&
        put(root, "format_version", json_integer(SY_MODEL_FORMAT_VERSION)) &&
        put(root, "name", json_string(network->name)) &&
        put(root, "network", sy_spec_to_json(&network->spec)) &&
        put(root, "domains", json_array()) &&
        put(root, "experts", json_array()) &&
        put(root, "routes", json_object()) && put_people(root, network) &&
        (network->gate_count == 0 ||
         put(root, "gates", sy_model_gates(network))) &&
        put(root, "blocks", sy_model_blocks(network, true)) &&
        put(root, "norms", sy_model_norms(network, true)) &&
        put(root, "weights",
            json_pack("{s:s}", "file", SY_MODEL_WEIGHTS_FILE))) {
        return root;
    }
    json_decref(root);
    return NULL;
}

json_t *sy_model_copy(json_t *object)
{
    json_t *copy = json_copy(object);
    if (copy != NULL && json_object_size(copy) != json_object_size(object)) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

bool sy_model_digest(json_t *root, char text[SY_HASH_TEXT_BYTES])
{
    json_t *rest = sy_model_copy(root);
    if (rest == NULL) {
        return false;
    }
    (void)json_object_del(rest, "digest");
    bool hashed = sy_json_hash(rest, text);
    json_decref(rest);
    return hashed;
}
