/*
 * fuzz_config.c - a configuration, and one --set override in its first line:
 * any bytes are read or refused with a message.
 */
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "search/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct nas_config config;
    struct sy_error err = {0};
    json_t *root;
    const uint8_t *line = memchr(data, '\n', bytes);
    if (line == NULL) {
        return 0;
    }
    size_t length = (size_t)(line - data);
    char *set = sy_alloc_zero(length + 1, 1);
    if (set == NULL) {
        return 0;
    }
    memcpy(set, data, length);
    const char *const sets[] = {set};
    if (sy_json_parse((const char *)line + 1, bytes - length - 1, "fuzz", &root,
                      &err) == SY_OK) {
        if (nas_config_take(&config, root, "fuzz", sets, length > 0 ? 1 : 0,
                            &err) == SY_OK) {
            SY_ASSERT(config.domain_count > 0);
            SY_ASSERT(strlen(config.hash) == SY_HASH_TEXT_BYTES - 1);
            nas_config_release(&config);
        } else {
            SY_ASSERT(err.message[0] != '\0');
        }
    }
    sy_free(set);
    return 0;
}
