/*
 * fuzz_pack.c - any bytes as an expert pack.
 *
 * A pack whose hashes do not fit is refused before its content is looked at, so
 * the target first mends them in place, as a forger would; what is accepted is
 * applied to the network that it describes itself.
 */
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

enum { DIGITS = SY_HASH_TEXT_BYTES - 1, MAX_ENTRIES = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Writes a hash behind `key`, where it stands with room for one. */
static void mend(uint8_t *data, size_t bytes, const char *key, const char *hash)
{
    uint8_t *at = memmem(data, bytes, key, strlen(key));
    if (at != NULL && (size_t)(data + bytes - at) > strlen(key) + DIGITS) {
        memcpy(at + strlen(key), hash, DIGITS);
    }
}

static void mend_tensors(uint8_t *data, size_t bytes)
{
    struct sy_st_file *file;
    const struct sy_st_entry *entries[MAX_ENTRIES];
    char hash[SY_HASH_TEXT_BYTES];
    if (sy_st_parse_mixed(&file, data, bytes, "fuzz", NULL) == SY_OK) {
        int count = sy_st_count(file);
        for (int i = 0; i < count && count <= MAX_ENTRIES; i++) {
            entries[i] = sy_st_entry_at(file, i);
        }
        if (count <= MAX_ENTRIES &&
            sy_pack_hash_tensors(entries, count, hash)) {
            mend(data, bytes, "\\\"tensors\\\":\\\"", hash);
        }
        sy_st_close(file);
    }
}

static void mend_digest(uint8_t *data, size_t bytes)
{
    struct sy_st_file *file;
    char hash[SY_HASH_TEXT_BYTES];
    json_t *root = NULL;
    if (sy_st_parse_mixed(&file, data, bytes, "fuzz", NULL) == SY_OK) {
        const char *text = sy_st_metadata(file, SY_PACK_KEY_PACK);
        if (text != NULL &&
            sy_json_parse(text, strlen(text), "fuzz", &root, NULL) == SY_OK) {
            if (json_is_object(root) && sy_pack_digest(root, hash)) {
                mend(data, bytes, "\\\"digest\\\":\\\"", hash);
            }
            json_decref(root);
        }
        sy_st_close(file);
    }
}

static void use(struct sy_pack *pack)
{
    struct sy_error err = {0};
    struct sy_network *applied = NULL;
    struct sy_pack_report report;
    SY_ASSERT(sy_pack_id_valid(pack->id));
    if (pack->part != NULL &&
        sy_pack_apply(&applied, pack->part, pack, &report, &err) == SY_OK) {
        SY_ASSERT(applied->domain_count == pack->part->domain_count);
        SY_ASSERT(report.domains_added == 0);
        sy_network_free(applied);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sy_error err = {0};
    struct sy_pack *pack = NULL;
    struct sy_current current;
    char text[SY_CURRENT_TEXT_BYTES];
    uint8_t *copy = sy_alloc(bytes);
    SY_ASSERT(copy != NULL);
    memcpy(copy, data, bytes);
    mend_tensors(copy, bytes);
    mend_digest(copy, bytes);
    if (sy_pack_parse(&pack, copy, bytes, "fuzz", &err) == SY_OK) {
        use(pack);
        sy_pack_close(pack);
    } else {
        SY_ASSERT(err.message[0] != '\0');
    }
    if (sy_current_parse(&current, (const char *)data, bytes, "fuzz", &err) ==
        SY_OK) {
        SY_ASSERT(sy_current_text(&current, text, &err) == SY_OK);
    }
    sy_free(copy);
    return 0;
}
