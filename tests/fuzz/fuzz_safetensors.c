/*
 * fuzz_safetensors.c - any bytes as a safetensors file.
 *
 * What is accepted must lie within the bytes: every value is read.
 */
#include <string.h>

#include "runtime/artefact/safetensors.h"
#include "runtime/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sy_error err = {0};
    struct sy_st_file *file;
    uint8_t *copy = sy_alloc(bytes);
    SY_ASSERT(copy != NULL);
    memcpy(copy, data, bytes);
    if (sy_st_parse(&file, copy, bytes, "fuzz", &err) == SY_OK) {
        size_t values = 0;
        volatile float sum = 0.0f;
        for (int i = 0; i < sy_st_count(file); i++) {
            const struct sy_st_entry *entry = sy_st_entry_at(file, i);
            SY_ASSERT(sy_st_find(file, entry->name) == entry);
            for (size_t v = 0; v < entry->count; v++) {
                sum = sum + entry->data[v];
            }
            values += entry->count;
        }
        SY_ASSERT(values * sizeof(float) < bytes);
        (void)sy_st_metadata(file, "format");
        sy_st_close(file);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    sy_free(copy);
    return 0;
}
