/*
 * fuzz_spec.c - any bytes as the JSON of a network's spec.
 *
 * What is accepted can be written, read again, and is then written the same.
 */
#include "runtime/base/json.h"
#include "runtime/network/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct sy_network_spec spec;
    struct sy_error err = {0};
    json_t *root;
    if (sy_json_parse((const char *)data, bytes, "fuzz", &root, &err) !=
        SY_OK) {
        return 0;
    }
    if (sy_spec_from_json(&spec, root, "fuzz", "network", &err) == SY_OK) {
        json_t *first = sy_spec_to_json(&spec);
        SY_ASSERT(first != NULL);
        SY_ASSERT(sy_spec_from_json(&spec, first, "again", "", &err) == SY_OK);
        json_t *second = sy_spec_to_json(&spec);
        SY_ASSERT(json_equal(first, second));
        json_decref(first);
        json_decref(second);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    json_decref(root);
    return 0;
}
