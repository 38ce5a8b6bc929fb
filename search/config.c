/*
 * config.c - reads and checks a configuration.
 *
 * The file is parsed to JSON, overrides change that JSON, then every section
 * is read through the checked reader of runtime/base/json.h: an unknown key
 * or a value out of range is an error with its place, whether it came from
 * the file or from the command line.
 */
#include "search/config_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/domain.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

enum { MAX_INDEX_DIGITS = 9 };

/* Parses VALUE: JSON if it is JSON, else a text. Owned reference. */
static json_t *parse_value(const char *text)
{
    json_t *value =
        json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return value != NULL ? value : json_string(text);
}

/* Reads an array's index: digits and nothing else. */
static bool read_index(const char *key, size_t *index)
{
    size_t digits = strspn(key, "0123456789");
    if (digits == 0 || digits > MAX_INDEX_DIGITS || key[digits] != '\0') {
        return false;
    }
    *index = (size_t)strtoul(key, NULL, 10);
    return true;
}

/* The member of an object or array that `key` names, or NULL. */
static json_t *step_into(json_t *at, const char *key)
{
    size_t index = 0;
    if (json_is_array(at)) {
        return read_index(key, &index) ? json_array_get(at, index) : NULL;
    }
    return json_object_get(at, key);
}

/* Puts `value` at `key` of an object or an existing place of an array. */
static int put(json_t *at, const char *key, json_t *value)
{
    size_t index = 0;
    if (!json_is_array(at)) {
        return json_object_set_new(at, key, value);
    }
    if (!read_index(key, &index)) {
        json_decref(value);
        return -1;
    }
    return json_array_set_new(at, index, value);
}

enum sy_status nas_config_set(json_t *root, const char *assignment,
                              struct sy_error *err)
{
    enum sy_status status = SY_OK;
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--set %s: expected KEY=VALUE, for instance "
                       "train.epochs=5",
                       assignment);
    }
    char *key = sy_strdup(assignment);
    if (key == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "--set: no memory");
    }
    key[equals - assignment] = '\0';
    json_t *at = root;
    char *part = key;
    for (char *dot = strchr(part, '.'); dot != NULL; dot = strchr(part, '.')) {
        *dot = '\0';
        json_t *next = step_into(at, part);
        if (next == NULL && json_is_object(at)) {
            next = json_object();
            if (put(at, part, next) != 0) {
                next = NULL;
            }
        }
        if (!json_is_object(next) && !json_is_array(next)) {
            status = sy_fail(err, SY_BAD_INPUT,
                             "--set %s: \"%s\" is not an object or array",
                             assignment, part);
            goto out;
        }
        at = next;
        part = dot + 1;
    }
    json_t *value = parse_value(equals + 1);
    if (value == NULL || put(at, part, value) != 0) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "--set %s: there is no such place to set", assignment);
    }
out:
    sy_free(key);
    return status;
}

/* Reads an array of names into rows of `bytes` each; returns their number. */
int nas_config_names(struct sy_json *in, const char *key, size_t low,
                     char *rows, size_t bytes)
{
    json_t *array = sy_json_array(in, key, low, SY_MAX_DOMAINS);
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text == NULL || strlen(text) >= bytes) {
            sy_json_reject(in, key,
                           "entry %zu is not a text of at most %zu "
                           "characters",
                           i, bytes - 1);
            return 0;
        }
        memcpy(rows + i * bytes, text, strlen(text) + 1);
    }
    return (int)count;
}

static int find_name(const struct nas_config *config, const char *name)
{
    for (int d = 0; d < config->domain_count; d++) {
        if (strcmp(config->domain[d], name) == 0) {
            return d;
        }
    }
    return -1;
}

/* "domains": distinct folder names. */
static void read_domains(struct nas_config *config, struct sy_json *in)
{
    config->domain_count = 0;
    int count = nas_config_names(in, "domains", 1, config->domain[0],
                                 sizeof config->domain[0]);
    for (int d = 0; d < count; d++) {
        if (!dom_name_is_valid(config->domain[d])) {
            sy_json_reject(in, "domains",
                           "\"%s\" is no domain name: letters, digits, '_' "
                           "and '-' only",
                           config->domain[d]);
        }
        if (find_name(config, config->domain[d]) >= 0) {
            sy_json_reject(in, "domains", "\"%s\" is named twice",
                           config->domain[d]);
        }
        config->domain_count = d + 1;
    }
}

/* "train.augment": shift, cutout, and which domains may be mirrored. */
static void read_augment(struct nas_config *config, struct sy_json *train)
{
    char names[SY_MAX_DOMAINS][SY_NAME_BYTES];
    if (!sy_json_has(train, "augment")) {
        return;
    }
    struct sy_json in = sy_json_child(train, "augment");
    sy_json_opt_int(&in, "shift", 0, 64, &config->train.shift);
    sy_json_opt_int(&in, "cutout", 0, 64, &config->train.cutout);
    if (sy_json_has(&in, "flip")) {
        int count = nas_config_names(&in, "flip", 0, names[0], sizeof names[0]);
        for (int i = 0; i < count; i++) {
            int d = find_name(config, names[i]);
            if (d >= 0) { /* others are for another list of domains */
                config->flip[d] = true;
            }
        }
    }
    if (sy_json_end(&in) != SY_OK) {
        train->status = in.status;
    }
}

void nas_config_optimiser(struct nas_optimiser_config *optimiser,
                          struct sy_json *section)
{
    int kind = (int)optimiser->kind;
    if (!sy_json_has(section, "optimiser")) {
        return;
    }
    struct sy_json in = sy_json_child(section, "optimiser");
    sy_json_opt_choice(&in, "kind", nas_optimiser_names, &kind);
    if (kind != (int)optimiser->kind) {
        *optimiser = nas_optimiser_defaults((enum nas_optimiser_kind)kind);
    }
    sy_json_opt_real(&in, "rate", 0, 100, &optimiser->rate);
    sy_json_opt_real(&in, "momentum", 0, 0.9999, &optimiser->momentum);
    sy_json_opt_bool(&in, "nesterov", &optimiser->nesterov);
    sy_json_opt_real(&in, "rho", 0, 0.999999, &optimiser->rho);
    sy_json_opt_real(&in, "beta1", 0, 0.9999, &optimiser->beta1);
    sy_json_opt_real(&in, "epsilon", 1e-12, 10, &optimiser->epsilon);
    sy_json_opt_real(&in, "decay", 0, 1, &optimiser->decay);
    if (sy_json_end(&in) != SY_OK) {
        section->status = in.status;
    }
}

/* "train.weights": how the losses of domains are weighed. */
static void read_weights(struct nas_weighting_config *weights,
                         struct sy_json *train)
{
    int kind = (int)weights->kind;
    if (!sy_json_has(train, "weights")) {
        return;
    }
    struct sy_json in = sy_json_child(train, "weights");
    sy_json_opt_choice(&in, "kind", nas_weighting_names, &kind);
    weights->kind = (enum nas_weighting)kind;
    sy_json_opt_real(&in, "gamma", 0, 2, &weights->gamma);
    sy_json_opt_real(&in, "rate", 1e-6, 1, &weights->rate);
    sy_json_opt_real(&in, "memory", 0, 0.9999, &weights->memory);
    sy_json_opt_real(&in, "temperature", 0.01, 100, &weights->temperature);
    sy_json_opt_real(&in, "floor", 0, 1, &weights->floor);
    if (sy_json_end(&in) != SY_OK) {
        train->status = in.status;
    }
}

static void train_defaults(struct nas_train_config *train)
{
    *train = (struct nas_train_config){
        .epochs = train->epochs, /* of train_passes */
        .batch = 64,
        .warmup = 0.05,
        .smoothing = 0.1,
        .ema = 0.998,
        .holdout = 0.1,
        .calibration = 0.02,
        .balance_domains = true,
        .norm_momentum = 0.02,
        .checkpoint_every_s = 60,
        .shards = 8,
        .weighting = nas_weighting_defaults(NAS_WEIGHT_UNIFORM),
        .optimiser = nas_optimiser_defaults(NAS_SGD),
    };
}

/* "train". */
static enum sy_status read_train(struct nas_config *config,
                                 struct sy_json *root)
{
    struct nas_train_config *train = &config->train;
    train_defaults(train);
    struct sy_json in = sy_json_child(root, "train");
    sy_json_opt_real(&in, "epochs", 0.001, 100000, &train->epochs);
    sy_json_opt_int(&in, "batch", 2, 65536, &train->batch);
    sy_json_opt_real(&in, "warmup", 0, 1, &train->warmup);
    sy_json_opt_real(&in, "label_smoothing", 0, 0.9, &train->smoothing);
    sy_json_opt_real(&in, "ema", 0, 0.999999, &train->ema);
    sy_json_opt_real(&in, "holdout", 0, 0.5, &train->holdout);
    sy_json_opt_bool(&in, "use_holdout", &train->use_holdout);
    sy_json_opt_real(&in, "calibration", 0, 0.5, &train->calibration);
    sy_json_opt_bool(&in, "balance_classes", &train->balance_classes);
    sy_json_opt_bool(&in, "balance_domains", &train->balance_domains);
    sy_json_opt_real(&in, "norm_momentum", 1e-6, 1, &train->norm_momentum);
    sy_json_opt_real(&in, "checkpoint_every_s", 0, 1e9,
                     &train->checkpoint_every_s);
    sy_json_opt_int(&in, "shards", 1, 64, &train->shards);
    read_weights(&train->weighting, &in);
    nas_config_optimiser(&train->optimiser, &in);
    read_augment(config, &in);
    sy_json_opt_real(&in, "distil", 0, 1, &train->distil);
    nas_config_routes(&train->routes, &in);
    nas_config_root(&train->root, &in);
    return sy_json_end(&in);
}

/* Every path is one of the network, also those that no domain takes. */
static enum sy_status check_paths(const struct nas_config *config,
                                  const char *file, struct sy_error *err)
{
    char what[SY_PATH_BYTES];
    struct sy_path path;
    for (int i = 0; i < config->path_count; i++) {
        (void)snprintf(what, sizeof what, "%s: paths[%d]", file, i);
        SY_TRY(
            sy_path_parse(&path, config->path[i], &config->network, what, err));
    }
    return SY_OK;
}

/*
 * "search_passes" and "train_passes". The second is a name for train.epochs
 * beside the first; the root has been asked for both before its end is read.
 */
static void read_passes(struct nas_config *config, struct sy_json *root)
{
    config->search.passes = 15;
    config->train.epochs = 15;
    sy_json_opt_real(root, "search_passes", 0.001, 100000,
                     &config->search.passes);
    sy_json_opt_real(root, "train_passes", 0.001, 100000,
                     &config->train.epochs);
    json_t *train = json_object_get(root->object, "train");
    if (json_object_get(root->object, "train_passes") != NULL &&
        json_object_get(train, "epochs") != NULL) {
        sy_json_reject(root, "train_passes",
                       "is the same as train.epochs: give one of them");
    }
}

/* Every section of the file. */
static enum sy_status read_root(struct nas_config *config, const char *path,
                                struct sy_error *err)
{
    int64_t seed = 1;
    struct sy_json in = sy_json_object(config->effective, path, "", err);
    sy_json_text(&in, "name", config->name, sizeof config->name);
    if (!sy_name_valid(config->name)) {
        sy_json_reject(&in, "name",
                       "expected letters, digits, '_' and '-', found \"%s\"",
                       config->name);
    }
    if (sy_json_has(&in, "seed")) {
        sy_json_int64(&in, "seed", 0, INT64_MAX, &seed);
    }
    config->seed = (uint64_t)seed;
    read_domains(config, &in);
    if (sy_json_has(&in, "paths")) {
        config->path_count = nas_config_names(&in, "paths", 1, config->path[0],
                                              sizeof config->path[0]);
    }
    for (int d = 0; d < config->domain_count; d++) {
        config->fraction[d] = 1.0;
    }
    nas_config_by_domain(config, &in, "fractions", 0.0001, 1, config->fraction);
    bool has_network = sy_json_has(&in, "network");
    bool has_train = sy_json_has(&in, "train");
    read_passes(config, &in);
    (void)sy_json_has(&in, "search");
    (void)sy_json_has(&in, "compare");
    if (!has_network || !has_train) {
        sy_json_reject(&in, has_network ? "train" : "network", "is missing");
    }
    SY_TRY(sy_json_end(&in));
    SY_TRY(sy_spec_from_json(&config->network,
                             json_object_get(config->effective, "network"),
                             path, "network", err));
    SY_TRY(check_paths(config, path, err));
    SY_TRY(read_train(config, &in));
    SY_TRY(nas_config_read_search(config, &in));
    return nas_config_read_compare(config, &in);
}

enum sy_status nas_config_load(struct nas_config *config, const char *path,
                               const char *const *set, int set_count,
                               struct sy_error *err)
{
    json_t *root = NULL;
    memset(config, 0, sizeof *config);
    SY_TRY(sy_json_load(path, &root, err));
    return nas_config_take(config, root, path, set, set_count, err);
}

enum sy_status nas_config_take(struct nas_config *config, json_t *root,
                               const char *path, const char *const *set,
                               int set_count, struct sy_error *err)
{
    enum sy_status status = SY_OK;
    memset(config, 0, sizeof *config);
    config->effective = root;
    for (int i = 0; i < set_count; i++) {
        SY_TRY_OUT(nas_config_set(config->effective, set[i], err));
    }
    SY_TRY_OUT(read_root(config, path, err));
    if (!sy_json_hash(config->effective, config->hash)) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory to hash it", path);
    }
out:
    if (status != SY_OK) {
        nas_config_release(config);
    }
    return status;
}

void nas_config_release(struct nas_config *config)
{
    json_decref(config->effective);
    config->effective = NULL;
}
