/*
 * model_gates.c - the gates of a model.json.
 *
 * DESIGN. A gate is small and a pack may bring one, so its row says all of it:
 * where it reads, its size, and the hash of its numbers. "gates" is left out
 * where there are none, as in models that were written before there were any.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/model.h"
#include "runtime/base/json.h"
#include "runtime/network/sums.h"

/* The index of the domain named under "domain"; -1 where it is not named. */
static int read_domain(const struct sy_network_parts *parts, struct sy_json *in)
{
    char name[SY_NAME_BYTES] = "";
    if (!sy_json_has(in, "domain")) {
        return -1;
    }
    sy_json_text(in, "domain", name, sizeof name);
    for (int d = 0; d < parts->domain_count; d++) {
        if (strcmp(parts->domain[d].name, name) == 0) {
            return d;
        }
    }
    sy_json_reject(in, "domain", "no domain has that name");
    return 0;
}

/* The expert of the domain, along whose path the gate reads. */
static int read_expert(const struct sy_network_parts *parts, int domain,
                       struct sy_json *in)
{
    char name[SY_NAME_BYTES] = "";
    if (!sy_json_has(in, "expert")) {
        return -1;
    }
    sy_json_text(in, "expert", name, sizeof name);
    for (int e = 0; e < parts->expert_count; e++) {
        if (parts->expert[e].domain == domain &&
            strcmp(parts->expert[e].name, name) == 0) {
            return e;
        }
    }
    sy_json_reject(in, "expert", "the gate's domain has no expert \"%s\"",
                   name);
    return -1;
}

/* The root gate's "threshold": one for all domains, or a list of theirs. */
static void read_thresholds(struct sy_gate *gate, struct sy_json *in)
{
    size_t count = (size_t)gate->outputs - 1;
    if (in->status != SY_OK) {
        return;
    }
    if (!json_is_array(json_object_get(in->object, "threshold"))) {
        double all = 0.0;
        sy_json_opt_real(in, "threshold", 0.0, 1.0, &all);
        for (size_t d = 0; d < count; d++) {
            gate->threshold[d] = all;
        }
        return;
    }
    json_t *list = sy_json_array(in, "threshold", count, count);
    for (size_t d = 0; d < json_array_size(list); d++) {
        json_t *value = json_array_get(list, d);
        double number = json_number_value(value);
        if (!json_is_number(value) || !(number >= 0.0 && number <= 1.0)) {
            sy_json_reject(in, "threshold",
                           "[%zu]: expected a number from 0 to 1", d);
            return;
        }
        gate->threshold[d] = number;
    }
}

static enum sy_status read_gate(struct sy_gate *gate,
                                const struct sy_network_parts *parts,
                                json_t *value, const char *file,
                                const char *place, struct sy_error *err)
{
    char hash[SY_HASH_TEXT_BYTES] = "";
    struct sy_json in = sy_json_object(value, file, place, err);
    *gate = (struct sy_gate){.cells = 1};
    sy_json_text(&in, "name", gate->name, sizeof gate->name);
    gate->domain = read_domain(parts, &in);
    sy_json_opt_int(&in, "layers", 0, SY_MAX_LAYERS, &gate->layers);
    gate->expert = read_expert(parts, gate->domain, &in);
    sy_json_opt_int(&in, "cells", 1, SY_GATE_MAX_CELLS, &gate->cells);
    sy_json_opt_bool(&in, "textures", &gate->textures);
    sy_json_opt_int(&in, "hidden", 0, SY_GATE_MAX_HIDDEN, &gate->hidden);
    sy_json_int(&in, "outputs", 2, SY_GATE_MAX_OUTPUTS, &gate->outputs);
    if (gate->domain < 0) {
        read_thresholds(gate, &in);
    }
    sy_json_text(&in, "hash", hash, sizeof hash);
    if (in.status == SY_OK &&
        (strlen(hash) != SY_HASH_TEXT_BYTES - 1 ||
         strspn(hash, "0123456789abcdef") != strlen(hash))) {
        sy_json_reject(&in, "hash", "expected 64 hexadecimal digits");
    }
    return sy_json_end(&in);
}

enum sy_status sy_model_read_gates(struct sy_gate *gates,
                                   const struct sy_network_parts *parts,
                                   json_t *array, const char *file,
                                   struct sy_error *err)
{
    char place[32];
    for (size_t g = 0; g < json_array_size(array); g++) {
        (void)snprintf(place, sizeof place, "gates[%zu]", g);
        SY_TRY(read_gate(&gates[g], parts, json_array_get(array, g), file,
                         place, err));
    }
    return SY_OK;
}

/* The other way round. */
static json_t *make_thresholds(const struct sy_gate *gate)
{
    bool alike = true;
    for (int d = 1; d + 1 < gate->outputs; d++) {
        alike = alike && gate->threshold[d] == gate->threshold[0];
    }
    if (alike) {
        return json_real(gate->threshold[0]);
    }
    json_t *list = json_array();
    for (int d = 0; list != NULL && d + 1 < gate->outputs; d++) {
        if (json_array_append_new(list, json_real(gate->threshold[d])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* Adds what is not as it is where it is left out. */
static bool put_options(json_t *row, const struct sy_network *network,
                        const struct sy_gate *gate)
{
    bool made = true;
    if (gate->domain >= 0) {
        const char *name = network->domain[gate->domain].name;
        made = json_object_set_new(row, "domain", json_string(name)) == 0;
    } else {
        made =
            json_object_set_new(row, "threshold", make_thresholds(gate)) == 0;
    }
    if (made && gate->textures) {
        made = json_object_set_new(row, "textures", json_true()) == 0;
    }
    if (made && gate->layers > 0) {
        made =
            json_object_set_new(row, "layers", json_integer(gate->layers)) == 0;
    }
    if (made && gate->expert >= 0) {
        const char *name = network->expert[gate->expert].name;
        made = json_object_set_new(row, "expert", json_string(name)) == 0;
    }
    return made;
}

json_t *sy_model_gates(const struct sy_network *network)
{
    char hash[SY_HASH_TEXT_BYTES];
    json_t *rows = json_array();
    for (int g = 0; rows != NULL && g < network->gate_count; g++) {
        const struct sy_gate *gate = &network->gate[g];
        sy_network_hash_weights(network, sy_network_gate(network, g), hash);
        json_t *row = json_pack("{s:s,s:i,s:i,s:i,s:s}", "name", gate->name,
                                "cells", gate->cells, "hidden", gate->hidden,
                                "outputs", gate->outputs, "hash", hash);
        if (row == NULL || !put_options(row, network, gate)) {
            json_decref(row);
            row = NULL;
        }
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

enum sy_status sy_model_check_gates(const struct sy_network *network,
                                    json_t *root, const char *file,
                                    struct sy_error *err)
{
    char hash[SY_HASH_TEXT_BYTES];
    json_t *rows = json_object_get(root, "gates");
    for (int g = 0; g < network->gate_count; g++) {
        json_t *row = json_array_get(rows, (size_t)g);
        sy_network_hash_weights(network, sy_network_gate(network, g), hash);
        const char *found = json_string_value(json_object_get(row, "hash"));
        if (found == NULL || strcmp(found, hash) != 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: gates[%d].hash: expected %s, found another "
                           "value",
                           file, g, hash);
        }
    }
    return SY_OK;
}
