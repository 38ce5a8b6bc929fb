/*
 * sign.h - Ed25519 signatures (RFC 8032), by libsodium.
 *
 * A key file is one line of text:
 *
 *     switchyard-secret-key HEX     (64 digits: the seed; mode 0600)
 *     switchyard-public-key HEX     (64 digits)
 *
 * What follows behind the digits is a comment.
 *
 * Thread: any.
 */
#ifndef SY_BASE_SIGN_H
#define SY_BASE_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum {
    SY_SIGN_KEY_TEXT_BYTES = 65, /* 64 digits and the NUL */
    SY_SIGNATURE_TEXT_BYTES = 129
};

struct sy_public_key {
    char text[SY_SIGN_KEY_TEXT_BYTES];
};

struct sy_sign_key {
    uint8_t secret[64];                       /* the library's own form */
    char public_text[SY_SIGN_KEY_TEXT_BYTES]; /* of the public key */
};

/*
 * Makes a pair: `path` (readable by its owner only) and `path`.pub. Files that
 * are there are never replaced.
 */
enum sy_status sy_sign_make(const char *path, struct sy_sign_key *key,
                            struct sy_error *err) SY_MUST_USE;

/* Reads a secret key. Wipe it when it is no longer needed. */
enum sy_status sy_sign_load(const char *path, struct sy_sign_key *key,
                            struct sy_error *err) SY_MUST_USE;
void sy_sign_wipe(struct sy_sign_key *key);

/*
 * Reads a file of public keys, one a line; empty lines and those that begin
 * with '#' are skipped. More than `max` keys, and none at all, are
 * SY_BAD_INPUT.
 */
enum sy_status sy_sign_public_load(const char *path, struct sy_public_key *keys,
                                   int max, int *count,
                                   struct sy_error *err) SY_MUST_USE;

void sy_sign(const struct sy_sign_key *key, const void *data, size_t bytes,
             char signature[SY_SIGNATURE_TEXT_BYTES]);

/* False as well for a key or signature that is none. */
bool sy_sign_check(const char *public_text, const void *data, size_t bytes,
                   const char *signature) SY_MUST_USE;

#endif
