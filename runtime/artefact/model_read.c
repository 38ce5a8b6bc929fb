/*
 * model_read.c - from model.json to a network, checked.
 *
 * DESIGN. What the file says twice is compared, not chosen from: blocks and
 * norms are listed with their kinds, costs and hashes, and the list must be
 * the one that the network itself would write. Names, paths and labels are
 * read into an arena that ends with the call; sy_network_new copies them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/model.h"
#include "runtime/base/arena.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/rest.h"

/* A model.json while it is read. */
struct reading {
    json_t *root;
    const char *file;
    struct sy_arena arena;
    struct sy_network_parts parts;
    char name[SY_NAME_BYTES];
    struct sy_network_spec *spec;
    struct sy_domain *domain;
    struct sy_expert *expert;
    struct sy_gate *gate;
    struct sy_error *err;
};

static enum sy_status no_memory(const struct reading *in)
{
    return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory to read it", in->file);
}

static bool is_hash(const char *text)
{
    return strlen(text) == SY_HASH_TEXT_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SY_HASH_TEXT_BYTES - 1;
}

/* Compares the digest, where there is one, with the rest of the file. */
static enum sy_status check_digest(const struct reading *in)
{
    char found[SY_HASH_TEXT_BYTES];
    json_t *digest = json_object_get(in->root, "digest");
    if (digest == NULL) {
        return SY_OK;
    }
    if (!sy_model_digest(in->root, found)) {
        return no_memory(in);
    }
    if (!json_is_string(digest) ||
        strcmp(json_string_value(digest), found) != 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: digest: expected %s, the hash of what the file "
                       "holds; it was changed after it was written",
                       in->file, found);
    }
    return SY_OK;
}

static enum sy_status read_labels(struct reading *in, struct sy_domain *domain,
                                  struct sy_json *json)
{
    size_t count = (size_t)domain->classes;
    json_t *labels = sy_json_array(json, "labels", count, count);
    if (labels == NULL) {
        return json->status;
    }
    domain->labels = sy_arena_zero(&in->arena, count, sizeof *domain->labels);
    if (domain->labels == NULL) {
        return no_memory(in);
    }
    for (size_t k = 0; k < count; k++) {
        json_t *label = json_array_get(labels, k);
        if (!json_is_string(label) ||
            json_string_length(label) >= SY_LABEL_BYTES) {
            sy_json_reject(json, "labels",
                           "[%zu]: expected a text of at most %d bytes", k,
                           SY_LABEL_BYTES - 1);
            return json->status;
        }
        domain->labels[k] =
            sy_arena_strdup(&in->arena, json_string_value(label));
        if (domain->labels[k] == NULL) {
            return no_memory(in);
        }
    }
    return SY_OK;
}

static enum sy_status read_domains(struct reading *in, json_t *array)
{
    char place[64];
    size_t count = json_array_size(array);
    in->domain = sy_arena_zero(&in->arena, count, sizeof *in->domain);
    if (in->domain == NULL) {
        return no_memory(in);
    }
    for (size_t d = 0; d < count; d++) {
        struct sy_domain *domain = &in->domain[d];
        (void)snprintf(place, sizeof place, "domains[%zu]", d);
        struct sy_json json =
            sy_json_object(json_array_get(array, d), in->file, place, in->err);
        sy_json_text(&json, "name", domain->name, sizeof domain->name);
        sy_json_int(&json, "classes", 1, SY_MAX_CHANNELS, &domain->classes);
        if (json.status == SY_OK) {
            SY_TRY(read_labels(in, domain, &json));
        }
        SY_TRY(sy_json_end(&json));
    }
    in->parts.domain_count = (int)count;
    return SY_OK;
}

/* The index of the domain named under "domain"; rejects another name. */
static int read_domain_name(const struct reading *in, struct sy_json *json)
{
    char name[SY_NAME_BYTES] = "";
    sy_json_text(json, "domain", name, sizeof name);
    for (int d = 0; d < in->parts.domain_count; d++) {
        if (strcmp(in->domain[d].name, name) == 0) {
            return d;
        }
    }
    sy_json_reject(json, "domain", "no domain has that name");
    return 0;
}

/* Reads a path of block ids. */
static void read_path(const struct reading *in, struct sy_json *json,
                      struct sy_path *path)
{
    size_t layers = (size_t)in->spec->layer_count;
    json_t *ids = sy_json_array(json, "path", layers, layers);
    path->layer_count = in->spec->layer_count;
    for (int l = 0; ids != NULL && l < path->layer_count; l++) {
        const struct sy_layer_spec *layer = &in->spec->layer[l];
        const char *id = json_string_value(json_array_get(ids, (size_t)l));
        path->block[l] = -1;
        for (int b = 0; id != NULL && b < layer->block_count; b++) {
            if (strcmp(layer->block[b].id, id) == 0) {
                path->block[l] = b;
            }
        }
        if (path->block[l] < 0) {
            sy_json_reject(json, "path",
                           "[%d]: expected the id of a block of layer %d, for "
                           "instance \"%s\"",
                           l, l, layer->block[0].id);
            return;
        }
    }
}

static enum sy_status read_experts(struct reading *in, json_t *array)
{
    char place[64];
    size_t count = json_array_size(array);
    in->expert = sy_arena_zero(&in->arena, count, sizeof *in->expert);
    if (in->expert == NULL) {
        return no_memory(in);
    }
    for (size_t e = 0; e < count; e++) {
        struct sy_expert *expert = &in->expert[e];
        (void)snprintf(place, sizeof place, "experts[%zu]", e);
        struct sy_json json =
            sy_json_object(json_array_get(array, e), in->file, place, in->err);
        expert->domain = read_domain_name(in, &json);
        expert->temperature = 1.0;
        sy_json_text(&json, "name", expert->name, sizeof expert->name);
        read_path(in, &json, &expert->path);
        sy_json_opt_real(&json, "temperature", SY_TEMPERATURE_MIN,
                         SY_TEMPERATURE_MAX, &expert->temperature);
        SY_TRY(sy_json_end(&json));
    }
    in->parts.expert_count = (int)count;
    return SY_OK;
}

static enum sy_status read_gates(struct reading *in, json_t *array)
{
    size_t count = json_array_size(array);
    in->gate = sy_arena_zero(&in->arena, count, sizeof *in->gate);
    if (in->gate == NULL) {
        return no_memory(in);
    }
    in->parts.domain = in->domain;
    in->parts.expert = in->expert;
    in->parts.gate_count = (int)count;
    return sy_model_read_gates(in->gate, &in->parts, array, in->file, in->err);
}

/* Reads all that a network is built from. */
static enum sy_status read_parts(struct reading *in)
{
    static const char *const formats[] = {SY_MODEL_FORMAT, NULL};
    int format = 0;
    int version = 0;
    struct sy_json json = sy_json_object(in->root, in->file, "", in->err);
    sy_json_choice(&json, "format", formats, &format);
    sy_json_int(&json, "format_version", SY_MODEL_FORMAT_VERSION,
                SY_MODEL_FORMAT_VERSION, &version);
    sy_json_text(&json, "name", in->name, sizeof in->name);
    json_t *domains = sy_json_array(&json, "domains", 1, SY_MAX_DOMAINS);
    json_t *experts = sy_json_array(&json, "experts", 0, SY_MAX_EXPERTS);
    (void)sy_json_child(&json, "network");
    (void)sy_json_child(&json, "routes");
    if (sy_json_has(&json, "weights")) {
        (void)sy_json_child(&json, "weights");
    }
    (void)sy_json_array(&json, "blocks", 1, SIZE_MAX);
    (void)sy_json_array(&json, "norms", 0, SIZE_MAX);
    json_t *gates = sy_json_has(&json, "gates")
                        ? sy_json_array(&json, "gates", 0, SY_MAX_GATES)
                        : NULL;
    if (sy_json_has(&json, "provenance")) {
        (void)sy_json_child(&json, "provenance");
    }
    (void)sy_json_has(&json, "digest");
    SY_TRY(sy_json_end(&json));
    in->spec = sy_arena_zero(&in->arena, 1, sizeof *in->spec);
    if (in->spec == NULL) {
        return no_memory(in);
    }
    SY_TRY(sy_spec_from_json(in->spec, json_object_get(in->root, "network"),
                             in->file, "network", in->err));
    SY_TRY(read_domains(in, domains));
    SY_TRY(read_experts(in, experts));
    return read_gates(in, gates);
}

/* Every domain has a route, or none where there are no experts. */
static enum sy_status read_routes(const struct reading *in,
                                  struct sy_network *network)
{
    char place[SY_NAME_BYTES + 16];
    struct sy_route *route = NULL;
    struct sy_json json = sy_json_object(json_object_get(in->root, "routes"),
                                         in->file, "routes", in->err);
    for (int d = 0; network->expert_count > 0 && d < network->domain_count;
         d++) {
        const char *name = network->domain[d].name;
        if (!sy_json_has(&json, name)) {
            sy_json_reject(&json, name, "expected a route, found nothing");
            return json.status;
        }
        (void)snprintf(place, sizeof place, "routes.%s", name);
        SY_TRY(sy_route_from_json(&route, json_object_get(json.object, name),
                                  network, d, in->file, place, in->err));
        sy_network_set_route(network, d, route);
    }
    return sy_json_end(&json);
}

/* Rows as they stand in the file: "blocks" and "norms". */
struct rows {
    const char *key;
    const char *fields[6];
};

static const struct rows block_rows = {
    "blocks", {"id", "kind", "params", "madds", "hash"}};
static const struct rows norm_rows = {"norms", {"slot", "id", "hash"}};

/* A value of a row for a message: a text, a number, or "?". */
static void field_text(json_t *value, char *text, size_t bytes)
{
    if (json_is_integer(value)) {
        (void)snprintf(text, bytes, "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
    } else {
        (void)snprintf(text, bytes, "%s",
                       json_is_string(value) ? json_string_value(value)
                       : value == NULL       ? "nothing"
                                             : "something else");
    }
}

/* Compares one row; `hashes` says whether hashes have values to compare. */
static enum sy_status check_row(const struct rows *rows, size_t index,
                                json_t *expected, json_t *found, bool hashes,
                                const char *file, struct sy_error *err)
{
    char place[64];
    char wanted[SY_NAME_BYTES + 16];
    (void)snprintf(place, sizeof place, "%s[%zu]", rows->key, index);
    struct sy_json json = sy_json_object(found, file, place, err);
    for (int f = 0; rows->fields[f] != NULL; f++) {
        const char *key = rows->fields[f];
        json_t *value = json_object_get(expected, key);
        if (!sy_json_has(&json, key)) {
            sy_json_reject(&json, key, "expected a value, found nothing");
        }
        if (strcmp(key, "hash") == 0 && !hashes) {
            const char *text =
                json_string_value(json_object_get(json.object, key));
            if (text == NULL || !is_hash(text)) {
                sy_json_reject(&json, key, "expected 64 hexadecimal digits");
            }
        } else if (!json_equal(value, json_object_get(json.object, key))) {
            field_text(value, wanted, sizeof wanted);
            sy_json_reject(&json, key, "expected %s, found another value",
                           wanted);
        }
    }
    return sy_json_end(&json);
}

static enum sy_status check_rows(const struct rows *rows, json_t *expected,
                                 json_t *root, bool hashes, const char *file,
                                 struct sy_error *err)
{
    json_t *found = json_object_get(root, rows->key);
    size_t count = json_array_size(expected);
    if (expected == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to check it", file);
    }
    if (json_array_size(found) != count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: %s: expected %zu rows, found %zu", file, rows->key,
                       count, json_array_size(found));
    }
    for (size_t i = 0; i < count; i++) {
        SY_TRY(check_row(rows, i, json_array_get(expected, i),
                         json_array_get(found, i), hashes, file, err));
    }
    return SY_OK;
}

static enum sy_status check_lists(const struct sy_network *network,
                                  json_t *root, bool hashes, const char *file,
                                  struct sy_error *err)
{
    json_t *blocks = sy_model_blocks(network, hashes);
    json_t *norms = sy_model_norms(network, hashes);
    enum sy_status status =
        check_rows(&block_rows, blocks, root, hashes, file, err);
    if (status == SY_OK) {
        status = check_rows(&norm_rows, norms, root, hashes, file, err);
    }
    json_decref(blocks);
    json_decref(norms);
    return status;
}

enum sy_status sy_model_check_hashes(const struct sy_network *network,
                                     json_t *root, const char *file,
                                     struct sy_error *err)
{
    SY_TRY(check_lists(network, root, true, file, err));
    return sy_model_check_gates(network, root, file, err);
}

enum sy_status sy_model_read(struct sy_network **network, json_t *root,
                             const char *file, size_t max_values,
                             struct sy_error *err)
{
    enum sy_status status;
    struct sy_network *made = NULL;
    struct reading in = {.root = root, .file = file, .err = err};
    sy_arena_init(&in.arena, 0);
    SY_TRY_OUT(check_digest(&in));
    SY_TRY_OUT(read_parts(&in));
    in.parts.name = in.name;
    in.parts.spec = in.spec;
    in.parts.gate = in.gate;
    in.parts.max_values = max_values;
    status = sy_network_new(&made, &in.parts, err);
    if (status != SY_OK) {
        sy_error_prefix(err, "%s", file);
        goto out;
    }
    SY_TRY_OUT(read_routes(&in, made));
    SY_TRY_OUT(check_lists(made, root, false, file, err));
    *network = made;
    made = NULL;
out:
    sy_network_free(made);
    sy_arena_release(&in.arena);
    return status;
}

enum sy_status sy_artefact_network(struct sy_network **network, json_t *root,
                                   const char *file, struct sy_error *err)
{
    return sy_model_read(network, root, file, 0, err);
}

enum sy_status sy_model_read_weights(struct sy_model_weights *weights,
                                     json_t *root, const char *file,
                                     struct sy_error *err)
{
    struct sy_json json = sy_json_object(root, file, "", err);
    struct sy_json in = sy_json_child(&json, "weights");
    sy_json_text(&in, "file", weights->file, sizeof weights->file);
    sy_json_text(&in, "sha256", weights->sha256, sizeof weights->sha256);
    if (in.status == SY_OK &&
        strcmp(weights->file, SY_MODEL_WEIGHTS_FILE) != 0) {
        sy_json_reject(&in, "file", "expected \"%s\"", SY_MODEL_WEIGHTS_FILE);
    }
    if (in.status == SY_OK && !is_hash(weights->sha256)) {
        sy_json_reject(&in, "sha256", "expected 64 hexadecimal digits");
    }
    SY_TRY(sy_json_end(&in));
    if (!sy_json_has(&json, "digest")) {
        sy_json_reject(&json, "digest", "expected a hash, found nothing");
    }
    return json.status;
}

enum sy_status sy_model_check_values(const struct sy_tensor *tensor,
                                     const float *values, const char *file,
                                     struct sy_error *err)
{
    const char *dot = strrchr(tensor->name, '.');
    bool variance = tensor->slot >= 0 && strcmp(dot, ".var") == 0;
    sy_rest();
    for (size_t i = 0; i < tensor->count; i++) {
        if (!isfinite(values[i]) || (variance && values[i] < 0.0f)) {
            return sy_fail(
                err, SY_BAD_INPUT, "%s: %s: value %zu: expected %s, found %g",
                file, tensor->name, i,
                variance ? "a variance, 0 or more" : "a finite number",
                (double)values[i]);
        }
    }
    return SY_OK;
}
