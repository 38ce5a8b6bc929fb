/* test_artefact.c - saving, finding, loading, and refusing to load. */
#include "runtime/artefact/artefact.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/artefact/model.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/small_network.h"

/* Saves the small network as "m" and tells the paths of its two files. */
static struct sy_network *save(struct sy_artefact *artefact, char *model,
                               char *weights)
{
    struct sy_error err = {0};
    struct sy_network *network = sy_small_network(3);
    json_t *provenance = json_pack("{s:i}", "seed", 3);
    sy_check_ok(sy_artefact_save(network, sy_check_path("m"), provenance,
                                 artefact, &err),
                err);
    json_decref(provenance);
    snprintf(model, SY_PATH_BYTES, "%.4000s/model.json", artefact->path);
    snprintf(weights, SY_PATH_BYTES, "%.4000s/weights.safetensors",
             artefact->path);
    return network;
}

static enum sy_status load(struct sy_network **network, struct sy_error *err)
{
    struct sy_artefact artefact;
    return sy_artefact_load(sy_check_path("m"), network, &artefact, err);
}

/* A JSON file changed through a function, with a digest that fits again. */
static void change(const char *path, void (*edit)(json_t *root), bool digest)
{
    struct sy_error err = {0};
    json_t *root;
    char hash[SY_HASH_TEXT_BYTES];
    sy_check_ok(sy_json_load(path, &root, &err), err);
    edit(root);
    if (digest && json_object_get(root, "digest") != NULL) {
        ck_assert(sy_model_digest(root, hash));
        json_object_set_new(root, "digest", json_string(hash));
    }
    sy_check_ok(sy_json_save(path, root, &err), err);
    json_decref(root);
}

START_TEST(a_network_loads_back_bit_for_bit)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact saved, loaded;
    struct sy_network *again;
    int64_t live = sy_alloc_live();
    struct sy_network *network = save(&saved, model, weights);
    sy_network_set_route(network, 0, sy_route_new_expert(0));
    ck_assert_int_eq(saved.version, 1);
    ck_assert_str_eq(saved.name, "m");
    sy_check_ok(sy_artefact_load(sy_check_path("m"), &again, &loaded, &err),
                err);
    ck_assert(sy_networks_equal(network, again));
    ck_assert_str_eq(again->name, "small");
    ck_assert_str_eq(again->domain[0].labels[2], "three \"3\"");
    ck_assert_int_eq(again->expert_count, 3);
    ck_assert(again->expert[2].temperature == 0.7);
    ck_assert_str_eq(loaded.path, saved.path);
    ck_assert_int_eq(loaded.version, 1);
    sy_network_free(network);
    sy_network_free(again);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(a_supernet_loads_back_too)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again, *network = sy_small_supernet(3);
    sy_check_ok(
        sy_artefact_save(network, sy_check_path("m"), NULL, &artefact, &err),
        err);
    sy_check_ok(load(&again, &err), err);
    ck_assert(sy_networks_equal(network, again));
    sy_network_free(network);
    sy_network_free(again);
}
END_TEST

START_TEST(another_route_is_stored)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again, *network = sy_small_network(3);
    int expert = -1;
    sy_network_set_route(network, 0, sy_route_new_expert(1));
    sy_check_ok(
        sy_artefact_save(network, sy_check_path("m"), NULL, &artefact, &err),
        err);
    sy_check_ok(load(&again, &err), err);
    ck_assert_int_eq(sy_network_route_experts(again, 0, &expert, 1), 1);
    ck_assert_int_eq(expert, 1);
    sy_network_free(network);
    sy_network_free(again);
}
END_TEST

START_TEST(the_same_network_gives_the_same_bytes)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    static char model2[SY_PATH_BYTES], weights2[SY_PATH_BYTES];
    struct sy_artefact a, b;
    char hash[4][SY_HASH_TEXT_BYTES];
    struct sy_error err = {0};
    sy_network_free(save(&a, model, weights));
    sy_network_free(save(&b, model2, weights2));
    ck_assert_int_eq(b.version, 2);
    sy_check_ok(sy_hash_file(model, hash[0], &err), err);
    sy_check_ok(sy_hash_file(model2, hash[1], &err), err);
    sy_check_ok(sy_hash_file(weights, hash[2], &err), err);
    sy_check_ok(sy_hash_file(weights2, hash[3], &err), err);
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_str_eq(hash[2], hash[3]);
}
END_TEST

START_TEST(the_description_makes_the_network_again)
{
    struct sy_error err = {0};
    struct sy_network *again, *network = sy_small_network(3);
    json_t *json = sy_artefact_describe(network);
    sy_check_ok(sy_artefact_network(&again, json, "m.json", &err), err);
    ck_assert_uint_eq(again->value_count, network->value_count);
    for (size_t i = 0; i < again->value_count; i++) {
        ck_assert(again->values[i] == 0.0f);
    }
    json_decref(json);
    sy_network_free(network);
    sy_network_free(again);
}
END_TEST

START_TEST(provenance_is_kept_and_gets_the_program)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    json_t *root;
    sy_network_free(save(&artefact, model, weights));
    sy_check_ok(sy_json_load(model, &root, &err), err);
    json_t *origin = json_object_get(root, "provenance");
    ck_assert_int_eq(json_integer_value(json_object_get(origin, "seed")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(origin, "program")),
                     "switchyard 0.1.0");
    json_decref(root);
}
END_TEST

START_TEST(blocks_and_norms_are_listed_with_their_hashes)
{
    struct sy_network *network = sy_small_network(3);
    json_t *blocks = sy_model_blocks(network, true);
    json_t *norms = sy_model_norms(network, true);
    char expected[SY_HASH_TEXT_BYTES];
    const struct sy_unit *unit = &network->unit[3]; /* l1b0 */
    struct sy_hash hash;
    sy_hash_init(&hash);
    for (int p = 0; p < unit->plan.param_count; p++) {
        size_t end = p + 1 < unit->plan.param_count ? unit->weight[p + 1]
                                                    : unit->norm[0];
        sy_hash_add(&hash, network->values + unit->weight[p],
                    (end - unit->weight[p]) * sizeof(float));
    }
    sy_hash_end(&hash, expected);
    json_t *row = json_array_get(blocks, 3);
    ck_assert_str_eq(json_string_value(json_object_get(row, "id")), "l1b0");
    ck_assert_str_eq(json_string_value(json_object_get(row, "kind")), "mbconv");
    ck_assert_str_eq(json_string_value(json_object_get(row, "hash")), expected);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "params")),
                     unit->cost.params);
    /* stem, l0b0, skip, l1b0, l1b1, trunk */
    ck_assert_uint_eq(json_array_size(blocks), 6);
    /* stem 1, l0b0 2, skip 0, l1b0 1, l1b1 2, trunk 2 */
    ck_assert_uint_eq(json_array_size(norms), 8);
    json_decref(blocks);
    json_decref(norms);
    sy_network_free(network);
}
END_TEST

START_TEST(versions_are_numbered_and_the_newest_is_meant)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again, *network = sy_small_network(1);
    static char version[SY_PATH_BYTES];
    for (int v = 1; v <= 3; v++) {
        network->values[0] = (float)v;
        sy_check_ok(sy_artefact_save(network, sy_check_path("m"), NULL,
                                     &artefact, &err),
                    err);
        ck_assert_int_eq(artefact.version, v);
    }
    sy_check_ok(load(&again, &err), err);
    ck_assert(again->values[0] == 3.0f);
    sy_network_free(again);
    snprintf(version, sizeof version, "%s/m/2", sy_check_folder());
    sy_check_ok(sy_artefact_load(version, &again, &artefact, &err), err);
    ck_assert(again->values[0] == 2.0f);
    ck_assert_int_eq(artefact.version, 2);
    ck_assert_str_eq(artefact.name, "m");
    sy_network_free(again);
    sy_network_free(network);
    ck_assert_int_eq(sy_check_folder_count(), 1);
}
END_TEST

START_TEST(the_next_version_is_behind_the_largest_number)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    sy_check_ok(sy_dir_make(sy_check_path("m/10"), &err), err);
    sy_check_ok(sy_dir_make(sy_check_path("m/9"), &err), err);
    sy_check_ok(sy_dir_make(sy_check_path("m/011"), &err), err);
    sy_check_ok(sy_dir_make(sy_check_path("m/99x"), &err), err);
    sy_check_ok(sy_file_write(sy_check_path("m/11"), "x", 1, &err), err);
    sy_check_ok(
        sy_artefact_save(network, sy_check_path("m/"), NULL, &artefact, &err),
        err);
    /* A file stands in the way of 11: it is not replaced. */
    ck_assert_int_eq(artefact.version, 12);
    sy_network_free(network);
}
END_TEST

START_TEST(current_names_the_version_that_is_meant)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    static char m[SY_PATH_BYTES]; /* the helper's buffers are used in turn */
    snprintf(m, sizeof m, "%s/m", sy_check_folder());
    sy_check_ok(sy_artefact_save(network, m, NULL, &artefact, &err), err);
    sy_check_ok(sy_artefact_save(network, m, NULL, &artefact, &err), err);
    static const struct {
        const char *text;
        enum sy_status status;
        int version;
    } cases[] = {{"1\n", SY_OK, 1},
                 {"2", SY_OK, 2},
                 {"1\r\nshadow 7\n", SY_BAD_INPUT, 0},
                 {"", SY_BAD_INPUT, 0},
                 {"x\n1\n", SY_BAD_INPUT, 0},
                 {"01\n", SY_BAD_INPUT, 0},
                 {" 1\n", SY_BAD_INPUT, 0},
                 {"../1\n", SY_BAD_INPUT, 0},
                 {"7\n", SY_NOT_FOUND, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sy_check_ok(sy_file_write(sy_check_path("m/CURRENT"), cases[i].text,
                                  strlen(cases[i].text), &err),
                    err);
        memset(&artefact, 0, sizeof artefact);
        if (cases[i].status == SY_OK) {
            sy_check_ok(sy_artefact_find(m, &artefact, &err), err);
        } else {
            sy_check_fails(sy_artefact_find(m, &artefact, &err),
                           cases[i].status, err);
            sy_check_says(err, "CURRENT");
        }
        ck_assert_int_eq(artefact.version, cases[i].version);
    }
    sy_network_free(network);
}
END_TEST

START_TEST(what_is_not_a_model_is_not_found)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = NULL;
    sy_check_fails(sy_artefact_find(sy_check_path("no"), &artefact, &err),
                   SY_NOT_FOUND, err);
    sy_check_fails(sy_artefact_find("", &artefact, &err), SY_BAD_INPUT, err);
    sy_check_ok(sy_dir_make(sy_check_path("empty"), &err), err);
    sy_check_fails(sy_artefact_find(sy_check_path("empty"), &artefact, &err),
                   SY_NOT_FOUND, err);
    sy_check_says(err, "holds no version");
    sy_check_ok(sy_dir_make(sy_check_path("broken/4"), &err), err);
    sy_check_fails(
        sy_artefact_load(sy_check_path("broken"), &network, &artefact, &err),
        SY_NOT_FOUND, err);
    sy_check_says(err, "broken/4/model.json");
    sy_check_fails(
        sy_artefact_load(sy_check_path("broken/5"), &network, &artefact, &err),
        SY_NOT_FOUND, err);
}
END_TEST

START_TEST(a_model_needs_a_name_to_be_saved)
{
    static const char *const names[] = {"", ".", "a.b", "7", "m/3", "m/.."};
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[SY_PATH_BYTES];
        snprintf(path, sizeof path, "%.2000s/%s",
                 i == 0 ? "" : sy_check_folder(), names[i]);
        sy_check_fails(sy_artefact_save(network, path, NULL, &artefact, &err),
                       SY_BAD_INPUT, err);
    }
    json_t *list = json_array();
    sy_check_fails(
        sy_artefact_save(network, sy_check_path("m"), list, &artefact, &err),
        SY_BAD_INPUT, err);
    json_decref(list);
    sy_network_free(network);
    ck_assert_int_eq(sy_check_folder_count(), 0);
}
END_TEST

START_TEST(what_cannot_be_loaded_is_not_saved)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    size_t var = sy_network_norm(network, network->stem, 0, 0) + 3 * 8;
    static const struct {
        int at; /* 0 weight, 1 variance */
        float value;
    } cases[] = {{0, NAN}, {0, INFINITY}, {1, -1e-6f}, {1, NAN}};
    for (int i = 0; i < 4; i++) {
        float *value = &network->values[cases[i].at == 0 ? 0 : var];
        float before = *value;
        *value = cases[i].value;
        sy_check_fails(sy_artefact_save(network, sy_check_path("m"), NULL,
                                        &artefact, &err),
                       SY_BAD_INPUT, err);
        sy_check_says(err, cases[i].at == 0 ? "block.stem.conv.weight"
                                            : "norm.all.stem.conv.var");
        *value = before;
    }
    network->expert[0].temperature = 0.0;
    sy_check_fails(
        sy_artefact_save(network, sy_check_path("m"), NULL, &artefact, &err),
        SY_BAD_INPUT, err);
    sy_check_says(err, "temperature");
    sy_network_free(network);
    /* The folder of the name is there, and nothing in it. */
    ck_assert_int_eq(rmdir(sy_check_path("m")), 0);
}
END_TEST

START_TEST(a_full_disk_leaves_no_version)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *network = sy_small_network(1);
    const char *m = sy_check_path("m");
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes <= 16384; bytes += 512) {
        /* Check writes to files as well: no assertion under the limit. */
        struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
        int limited = setrlimit(RLIMIT_FSIZE, &limit);
        enum sy_status status =
            sy_artefact_save(network, m, NULL, &artefact, &err);
        setrlimit(RLIMIT_FSIZE, &none);
        ck_assert_int_eq(limited, 0);
        if (status == SY_OK) {
            struct sy_network *again;
            sy_check_ok(load(&again, &err), err);
            ck_assert(sy_networks_equal(network, again));
            sy_network_free(again);
            ck_assert_uint_gt(bytes, 4096);
            break;
        }
        ck_assert_int_eq(status, SY_IO);
        ck_assert_int_eq(rmdir(sy_check_path("m")), 0);
    }
    sy_network_free(network);
}
END_TEST

/* Loads after every flip of one byte of a file. */
static void flip_all(const char *path, const struct sy_network *network,
                     bool any_is_caught)
{
    struct sy_error err = {0};
    char *data;
    size_t bytes;
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    int64_t live = sy_alloc_live();
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    setvbuf(file, NULL, _IONBF, 0);
    for (size_t i = 0; i < bytes; i++) {
        struct sy_network *again = NULL;
        unsigned char flipped =
            (unsigned char)((unsigned char)data[i] ^ (1 << i * 7 % 8));
        fseek(file, (long)i, SEEK_SET);
        fputc(flipped, file);
        enum sy_status status = load(&again, &err);
        if (status == SY_OK) {
            ck_assert_msg(!any_is_caught, "byte %zu", i);
            ck_assert_msg(sy_networks_equal(network, again), "byte %zu", i);
            sy_network_free(again);
        } else {
            ck_assert_msg(err.message[0] != '\0', "byte %zu", i);
        }
        fseek(file, (long)i, SEEK_SET);
        fputc((unsigned char)data[i], file);
        ck_assert_int_eq(sy_alloc_live(), live);
    }
    fclose(file);
    sy_free(data);
    struct sy_network *again;
    sy_check_ok(load(&again, &err), err);
    sy_network_free(again);
}

START_TEST(every_flipped_byte_of_the_weights_is_caught)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_artefact artefact;
    struct sy_network *network = save(&artefact, model, weights);
    flip_all(weights, network, true);
    sy_network_free(network);
}
END_TEST

START_TEST(a_flipped_byte_of_the_description_is_caught_or_harmless)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_artefact artefact;
    struct sy_network *network = save(&artefact, model, weights);
    flip_all(model, network, false);
    sy_network_free(network);
}
END_TEST

START_TEST(truncated_and_lengthened_weights_are_refused)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again = NULL;
    struct stat info;
    sy_network_free(save(&artefact, model, weights));
    ck_assert_int_eq(stat(weights, &info), 0);
    const off_t sizes[] = {0, 7, 8, 100, info.st_size - 1, info.st_size + 1};
    for (int i = 5; i >= 0; i--) {
        ck_assert_int_eq(truncate(weights, sizes[i]), 0);
        sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
        sy_check_says(err, "weights.safetensors: SHA-256: expected");
    }
    unlink(weights);
    sy_check_fails(load(&again, &err), SY_NOT_FOUND, err);
}
END_TEST

/* Gives model.json the hash that the weights have now. */
static char new_hash[SY_HASH_TEXT_BYTES];
static void set_hash(json_t *root)
{
    json_object_set_new(json_object_get(root, "weights"), "sha256",
                        json_string(new_hash));
}

/* Saves other weights under a fitting file hash. */
static void replace_weights(const char *model, const char *weights,
                            const struct sy_st_entry *entries, int count)
{
    struct sy_error err = {0};
    sy_check_ok(sy_st_save(weights, entries, count, NULL, &err), err);
    sy_check_ok(sy_hash_file(weights, new_hash, &err), err);
    change(model, set_hash, true);
}

START_TEST(tensors_must_be_those_of_the_network)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    static struct sy_st_entry entries[256];
    static float copy[65536];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again = NULL;
    struct sy_network *network = save(&artefact, model, weights);
    int count = network->tensor_count;
    int var = -1;
    memcpy(copy, network->values, network->value_count * sizeof(float));
    for (int t = 0; t < count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        entries[t].name = tensor->name;
        entries[t].dims = tensor->dims;
        for (int d = 0; d < tensor->dims; d++) {
            entries[t].dim[d] = tensor->dim[d];
        }
        entries[t].data = copy + tensor->offset;
        entries[t].count = tensor->count;
        if (strcmp(tensor->name, "norm.digits.trunk.conv.var") == 0) {
            var = t;
        }
    }
    ck_assert_int_ge(var, 0);
    replace_weights(model, weights, entries, count);
    sy_check_ok(load(&again, &err), err);
    sy_network_free(again);
    again = NULL;

    /* In another order they are the same. */
    struct sy_st_entry first = entries[0];
    entries[0] = entries[count - 1];
    entries[count - 1] = first;
    replace_weights(model, weights, entries, count);
    sy_check_ok(load(&again, &err), err);
    ck_assert(sy_networks_equal(network, again));
    sy_network_free(again);
    again = NULL;

    replace_weights(model, weights, entries, count - 1);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "block.stem.conv.weight: the tensor is missing");

    entries[count] = (struct sy_st_entry){
        .name = "block.extra", .dims = 1, .dim = {1}, .data = copy, .count = 1};
    replace_weights(model, weights, entries, count + 1);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "block.extra: the network has no such tensor");

    entries[var].dims = 2;
    entries[var].dim[1] = 1;
    replace_weights(model, weights, entries, count);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "norm.digits.trunk.conv.var: expected 1 dimensions");
    entries[var].dims = 1;

    float *value = copy + network->tensor[var].offset;
    float before = *value;
    *value = NAN;
    replace_weights(model, weights, entries, count);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "norm.digits.trunk.conv.var: value 0");
    *value = -0.5f;
    replace_weights(model, weights, entries, count);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "expected a variance, 0 or more, found -0.5");
    *value = before;

    /* Another finite value: only the hash of the norm can tell. */
    *value = before + 1.0f;
    replace_weights(model, weights, entries, count);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "norms[6].hash: expected");
    *value = before;
    copy[0] += 1.0f;
    replace_weights(model, weights, entries, count);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "blocks[0].hash: expected");
    ck_assert_ptr_null(again);
    sy_network_free(network);
}
END_TEST

/* Sets what stands at a path of keys and indices, "domains/0/name". */
static json_t *at_path(json_t *root, const char *path, char *last)
{
    for (;;) {
        size_t length = strcspn(path, "/");
        memcpy(last, path, length);
        last[length] = '\0';
        if (path[length] == '\0') {
            return root;
        }
        root = json_is_array(root)
                   ? json_array_get(root, (size_t)(last[0] - '0'))
                   : json_object_get(root, last);
        ck_assert_ptr_nonnull(root);
        path += length + 1;
    }
}

static const struct {
    const char *path;
    const char *json; /* NULL: removed */
    const char *says;
} edits[] = {
    {"format", "\"other\"", "format: expected \"switchyard-model\""},
    {"format_version", "2", "format_version: expected a whole number from 1"},
    {"name", "\"a/b\"", "name: expected letters"},
    {"nmae", "1", "nmae: unknown key; did you mean \"name\"?"},
    {"domains", "[]", "domains: expected an array"},
    {"domains/0/name", "\"shapes\"", "domain"},
    {"domains/1/name", "\"digits\"", "domain"},
    {"domains/0/name", "\"a.b\"", "domain"},
    {"domains/0/classes", "4", "domains[0].labels: expected an array of 4"},
    {"domains/0/classes", "0", "domains[0].classes"},
    {"domains/0/labels/1", "7", "domains[0].labels: [1]: expected a text"},
    {"domains/0/labels", NULL, "domains[0].labels"},
    {"domains/0/label", "[]", "unknown key; did you mean \"labels\"?"},
    {"experts/0/domain", "\"digit\"", "experts[0].domain"},
    {"experts/0/name", "\"second\"", "experts[1].name"},
    {"experts/0/path", "[\"l0b0\"]", "experts[0].path: expected an array of 2"},
    {"experts/0/path/0", "\"l1b0\"",
     "experts[0].path: [0]: expected the id of a block of layer 0"},
    {"experts/0/path/0", "0", "experts[0].path: [0]"},
    {"experts/1/path/0", "\"l0b0\"", "block \"skip\" is on no expert's path"},
    {"experts/0/temperature", "0", "experts[0].temperature"},
    {"experts/0/temperature", "\"1\"", "experts[0].temperature"},
    {"experts", "[]", "routes"},
    {"routes/digits", NULL, "routes.digits: expected a route"},
    {"routes/digit", "{}", "routes.digit: unknown key"},
    {"routes/shapes/expert", "\"second\"", "routes.shapes.expert"},
    {"routes", "[]", "routes: expected an object"},
    {"blocks", "[]", "blocks"},
    {"blocks/1/id", "\"l0b7\"", "blocks[1].id: expected l0b0"},
    {"blocks/1/kind", "\"fused\"", "blocks[1].kind: expected conv"},
    {"blocks/1/params", "97", "blocks[1].params: expected 96"},
    {"blocks/1/madds", "1.5", "blocks[1].madds: expected 3072"},
    {"blocks/1/hash", "\"00\"", "blocks[1].hash: expected 64 hexadecimal"},
    {"blocks/1/hash", NULL, "blocks[1].hash"},
    {"blocks/1/other", "1", "blocks[1].other: unknown key"},
    {"blocks/1", "3", "blocks[1]: expected an object"},
    {"norms/0/slot", "\"digits\"", "norms[0].slot: expected all"},
    {"norms/0/id", "\"l0b0\"", "norms[0].id: expected stem"},
    {"weights", NULL, "weights"},
    {"weights/file", "\"../x\"", "weights.file: expected \"weights"},
    {"weights/sha256", "\"12\"", "weights.sha256: expected 64 hexadecimal"},
    {"weights/sha256", NULL, "weights.sha256"},
    {"weights/size", "1", "weights.size: unknown key"},
    {"digest", NULL, "digest: expected a hash"},
    {"provenance", "3", "provenance"},
    {"network", "[]", "network: expected an object"},
    {"network/layers/0/blocks/0/id", "\"x\"", "model.json"},
    {"network/layers/0/channels", "16", "model.json"},
    {"network/head/width", "8000", "values, expected at most"},
    {"network/norm", "\"shared\"", "model.json"},
};

static int edit_index;
static void edit_one(json_t *root)
{
    char last[SY_NAME_BYTES];
    json_t *parent = at_path(root, edits[edit_index].path, last);
    const char *text = edits[edit_index].json;
    json_t *value =
        text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_array(parent)) {
        json_array_set_new(parent, (size_t)(last[0] - '0'), value);
    } else if (value != NULL) {
        json_object_set_new(parent, last, value);
    } else {
        json_object_del(parent, last);
    }
}

START_TEST(a_wrong_description_is_refused_with_its_place)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again = NULL;
    sy_network_free(save(&artefact, model, weights));
    int64_t live = sy_alloc_live();
    edit_index = _i;
    change(model, edit_one, true);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, edits[_i].says);
    sy_check_says(err, "model.json");
    ck_assert_ptr_null(again);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

static void edit_label(json_t *root)
{
    json_t *domain = json_array_get(json_object_get(root, "domains"), 0);
    json_array_set_new(json_object_get(domain, "labels"), 0,
                       json_string("changed"));
}

START_TEST(a_changed_label_is_seen_by_the_digest)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again = NULL;
    sy_network_free(save(&artefact, model, weights));
    change(model, edit_label, false);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "digest: expected");
    change(model, edit_label, true);
    sy_check_ok(load(&again, &err), err);
    ck_assert_str_eq(again->domain[0].labels[0], "changed");
    sy_network_free(again);
}
END_TEST

START_TEST(a_domain_named_twice_as_a_key_is_refused)
{
    static char model[SY_PATH_BYTES], weights[SY_PATH_BYTES];
    struct sy_error err = {0};
    struct sy_artefact artefact;
    struct sy_network *again = NULL;
    sy_network_free(save(&artefact, model, weights));
    static const char text[] = "{\"routes\":{\"a\":1,\"a\":2}}";
    sy_check_ok(sy_file_write(model, text, sizeof text - 1, &err), err);
    sy_check_fails(load(&again, &err), SY_BAD_INPUT, err);
    sy_check_says(err, "duplicate");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("artefact");
    TCase *tc = tcase_create("artefact");
    tcase_set_timeout(tc, 300); /* much of it is waiting for disks */
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_network_loads_back_bit_for_bit);
    tcase_add_test(tc, a_supernet_loads_back_too);
    tcase_add_test(tc, another_route_is_stored);
    tcase_add_test(tc, the_same_network_gives_the_same_bytes);
    tcase_add_test(tc, the_description_makes_the_network_again);
    tcase_add_test(tc, provenance_is_kept_and_gets_the_program);
    tcase_add_test(tc, blocks_and_norms_are_listed_with_their_hashes);
    tcase_add_test(tc, versions_are_numbered_and_the_newest_is_meant);
    tcase_add_test(tc, the_next_version_is_behind_the_largest_number);
    tcase_add_test(tc, current_names_the_version_that_is_meant);
    tcase_add_test(tc, what_is_not_a_model_is_not_found);
    tcase_add_test(tc, a_model_needs_a_name_to_be_saved);
    tcase_add_test(tc, what_cannot_be_loaded_is_not_saved);
    tcase_add_test(tc, a_full_disk_leaves_no_version);
    tcase_add_test(tc, every_flipped_byte_of_the_weights_is_caught);
    tcase_add_test(tc, a_flipped_byte_of_the_description_is_caught_or_harmless);
    tcase_add_test(tc, truncated_and_lengthened_weights_are_refused);
    tcase_add_test(tc, tensors_must_be_those_of_the_network);
    tcase_add_loop_test(tc, a_wrong_description_is_refused_with_its_place, 0,
                        (int)(sizeof edits / sizeof edits[0]));
    tcase_add_test(tc, a_changed_label_is_seen_by_the_digest);
    tcase_add_test(tc, a_domain_named_twice_as_a_key_is_refused);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
