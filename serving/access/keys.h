/*
 * keys.h - API keys: who may ask what.
 *
 * A key is 32 random bytes as text. The file holds only its SHA-256, so that
 * who reads the file cannot use the keys; a slow password hash would add
 * nothing, because nobody can guess 256 bits. A key is compared with all of
 * them in constant time.
 *
 *     {"keys": [{"name": "ci", "sha256": "...", "classes": ["infer"]}],
 *      "anonymous": ["read"]}
 *
 * Thread: any; what is loaded does not change.
 */
#ifndef SRV_ACCESS_KEYS_H
#define SRV_ACCESS_KEYS_H

#include "runtime/base/hash.h"
#include "serving/http/router.h"

enum { SRV_MAX_KEYS = 256, SRV_KEY_NAME_BYTES = 64, SRV_KEY_TEXT_BYTES = 80 };

struct srv_key {
    char name[SRV_KEY_NAME_BYTES];
    char sha256[SY_HASH_TEXT_BYTES];
    unsigned classes; /* bit (1 << enum srv_class) */
};

struct srv_keys {
    int count;
    struct srv_key key[SRV_MAX_KEYS];
    unsigned anonymous; /* classes that need no key */
};

/* Reads a file of keys; SY_BAD_INPUT names what is wrong in it. */
enum sy_status srv_keys_load(struct srv_keys *keys, const char *path,
                             struct sy_error *err) SY_MUST_USE;

/* The key whose text this is, or NULL. */
const struct srv_key *srv_keys_find(const struct srv_keys *keys,
                                    const char *text);

/* A new key: its text, and what the file holds of it. */
void srv_key_make(char text[SRV_KEY_TEXT_BYTES],
                  char sha256[SY_HASH_TEXT_BYTES]);

#endif
