/*
 * keys.c - the file of keys, and the one comparison that must not tell how
 * far it came.
 */
#include "serving/access/keys.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"

static const char *const class_names[] = {"infer", "read", "admin", NULL};
static const enum srv_class class_of_name[] = {SRV_INFER, SRV_READ, SRV_ADMIN};

static unsigned read_classes(struct sy_json *in, const char *key)
{
    unsigned classes = 0;
    json_t *list = sy_json_array(in, key, 0, 3);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int at = 0;
        while (text != NULL && class_names[at] != NULL &&
               strcmp(class_names[at], text) != 0) {
            at++;
        }
        if (text == NULL || class_names[at] == NULL) {
            sy_json_reject(in, key,
                           "expected \"infer\", \"read\" or \"admin\"");
        } else {
            classes |= 1U << class_of_name[at];
        }
    }
    return classes;
}

static enum sy_status read_key(struct srv_keys *keys, json_t *value,
                               const char *path, struct sy_error *err)
{
    struct srv_key *key = &keys->key[keys->count];
    char place[32];
    snprintf(place, sizeof place, "keys[%d]", keys->count);
    struct sy_json in = sy_json_object(value, path, place, err);
    sy_json_text(&in, "name", key->name, sizeof key->name);
    sy_json_text(&in, "sha256", key->sha256, sizeof key->sha256);
    key->classes = read_classes(&in, "classes");
    if (strspn(key->sha256, "0123456789abcdef") != SY_HASH_TEXT_BYTES - 1) {
        sy_json_reject(&in, "sha256", "expected %d lower-case hex digits",
                       SY_HASH_TEXT_BYTES - 1);
    }
    for (int i = 0; i < keys->count; i++) {
        if (strcmp(keys->key[i].name, key->name) == 0) {
            sy_json_reject(&in, "name", "\"%s\" is there twice", key->name);
        }
    }
    SY_TRY(sy_json_end(&in));
    keys->count++;
    return SY_OK;
}

enum sy_status srv_keys_load(struct srv_keys *keys, const char *path,
                             struct sy_error *err)
{
    json_t *root = NULL;
    SY_TRY(sy_json_load(path, &root, err));
    memset(keys, 0, sizeof *keys);
    struct sy_json in = sy_json_object(root, path, "", err);
    if (sy_json_has(&in, "anonymous")) {
        keys->anonymous = read_classes(&in, "anonymous");
    }
    json_t *list = sy_json_array(&in, "keys", 0, SRV_MAX_KEYS);
    enum sy_status status = sy_json_end(&in);
    for (size_t i = 0; status == SY_OK && i < json_array_size(list); i++) {
        status = read_key(keys, json_array_get(list, i), path, err);
    }
    json_decref(root);
    return status;
}

const struct srv_key *srv_keys_find(const struct srv_keys *keys,
                                    const char *text)
{
    char sha256[SY_HASH_TEXT_BYTES];
    const struct srv_key *found = NULL;
    sy_hash_bytes(text, strlen(text), sha256);
    for (int i = 0; i < keys->count; i++) {
        if (sy_hash_same(keys->key[i].sha256, sha256)) {
            found = &keys->key[i];
        }
    }
    return found;
}

void srv_key_make(char text[SRV_KEY_TEXT_BYTES],
                  char sha256[SY_HASH_TEXT_BYTES])
{
    char random[SY_HASH_TEXT_BYTES];
    sy_hash_random(random);
    /* The prefix lets scanners of leaked secrets find it. */
    snprintf(text, SRV_KEY_TEXT_BYTES, "sy_%s", random);
    sy_hash_bytes(text, strlen(text), sha256);
}
