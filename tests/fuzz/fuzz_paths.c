/*
 * fuzz_paths.c - any bytes as paths.json, and as the text of one path.
 *
 * The spec is fixed: layers with 2, 1 and 32 candidates.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/paths_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void make_spec(struct sy_network_spec *spec)
{
    spec->layer_count = 3;
    spec->layer[0].block_count = 2;
    spec->layer[1].block_count = 1;
    spec->layer[2].block_count = 32;
}

static void check_text(const struct sy_network_spec *spec, const uint8_t *data,
                       size_t bytes)
{
    struct sy_error err = {0};
    struct sy_path path;
    char again[SY_PATH_TEXT_BYTES];
    char *text = sy_alloc(bytes + 1);
    SY_ASSERT(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (sy_path_parse(&path, text, spec, "fuzz", &err) == SY_OK) {
        SY_ASSERT(strcmp(sy_path_text(&path, again), text) == 0);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    sy_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sy_network_spec spec;
    static struct sy_paths paths;
    static struct sy_paths again;
    struct sy_error err = {0};
    json_t *root;
    make_spec(&spec);
    check_text(&spec, data, bytes);
    if (sy_json_parse((const char *)data, bytes, "fuzz", &root, &err) !=
        SY_OK) {
        return 0;
    }
    if (sy_paths_from_json(&paths, root, &spec, "fuzz", &err) == SY_OK) {
        json_t *json = sy_paths_to_json(&paths);
        SY_ASSERT(json != NULL);
        SY_ASSERT(sy_paths_from_json(&again, json, &spec, "again", &err) ==
                  SY_OK);
        SY_ASSERT(again.count == paths.count);
        json_decref(json);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    json_decref(root);
    return 0;
}
