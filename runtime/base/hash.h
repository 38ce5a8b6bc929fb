/*
 * hash.h - SHA-256 (FIPS 180-4), by libsodium, as lower-case hex.
 * Thread: any (a running hash belongs to one thread).
 */
#ifndef SY_BASE_HASH_H
#define SY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { SY_HASH_TEXT_BYTES = 65 }; /* 64 digits and the NUL */

/* A hash in progress: `state` holds the library's own state. */
struct sy_hash {
    _Alignas(16) uint8_t state[128];
};

void sy_hash_init(struct sy_hash *hash);
void sy_hash_add(struct sy_hash *hash, const void *data, size_t bytes);
void sy_hash_end(struct sy_hash *hash, char text[SY_HASH_TEXT_BYTES]);

/* All three for one block of bytes. */
void sy_hash_bytes(const void *data, size_t bytes,
                   char text[SY_HASH_TEXT_BYTES]);

/* The hash of a whole file. */
enum sy_status sy_hash_file(const char *path, char text[SY_HASH_TEXT_BYTES],
                            struct sy_error *err) SY_MUST_USE;

/* Whether two hashes are the same, in a time that does not tell where they
   differ. */
bool sy_hash_same(const char a[SY_HASH_TEXT_BYTES],
                  const char b[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

/* As many hex digits of the system's randomness, for secrets. */
void sy_hash_random(char text[SY_HASH_TEXT_BYTES]);

#endif
