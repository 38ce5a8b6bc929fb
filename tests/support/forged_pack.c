/*
 * forged_pack.c - see forged_pack.h.
 */
#include "tests/support/forged_pack.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

enum { MAX_ENTRIES = 1024, MAX_NUMBERS = 16384 };

static float numbers[MAX_NUMBERS];

void sy_forge_pack(const char *path, sy_forge_fn change)
{
    static struct sy_st_entry entry[MAX_ENTRIES];
    const struct sy_st_entry *entries[MAX_ENTRIES];
    struct sy_error err = {0};
    struct sy_pack *pack = NULL;
    char hash[SY_HASH_TEXT_BYTES];
    sy_check_ok(sy_pack_open(&pack, path, &err), err);
    int count = sy_st_count(pack->tensors);
    json_t *root = json_deep_copy(pack->root);
    ck_assert_int_lt(count, MAX_ENTRIES);
    for (int i = 0; i < count; i++) {
        entry[i] = *sy_st_entry_at(pack->tensors, i);
    }
    change(root, entry, &count);
    for (int i = 0; i < count; i++) {
        entries[i] = &entry[i];
    }
    ck_assert(sy_pack_hash_tensors(entries, count, hash));
    json_object_set_new(root, "tensors", json_string(hash));
    ck_assert(sy_pack_digest(root, hash));
    json_object_set_new(root, "digest", json_string(hash));
    char *text = json_dumps(root, JSON_COMPACT);
    json_t *metadata = json_pack("{s:s,s:s}", SY_PACK_KEY_FORMAT,
                                 SY_PACK_FORMAT, SY_PACK_KEY_PACK, text);
    sy_free(text);
    sy_check_ok(sy_st_save(path, entry, count, metadata, &err), err);
    json_decref(metadata);
    json_decref(root);
    sy_pack_close(pack);
}

struct sy_st_entry *sy_forge_entry(struct sy_st_entry *entry, int count,
                                   const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(entry[i].name, name) == 0) {
            return &entry[i];
        }
    }
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

float *sy_forge_numbers(struct sy_st_entry *entry)
{
    ck_assert_uint_lt(entry->count, MAX_NUMBERS);
    memcpy(numbers, entry->data, entry->count * sizeof(float));
    entry->data = numbers;
    return numbers;
}
