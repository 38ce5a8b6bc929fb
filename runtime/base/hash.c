/*
 * hash.c - SHA-256 by libsodium, as lower-case hex.
 *
 * DESIGN. The library's state lives in the caller's struct, so hashing
 * allocates nothing but the read buffer of sy_hash_file. A file is read and
 * not mapped: one that shrinks meanwhile gives a hash, not a SIGBUS.
 */
#include "runtime/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/rest.h"

enum { READ_BYTES = 256 * 1024, PIECE_BYTES = 64 * 1024 };

_Static_assert(sizeof(crypto_hash_sha256_state) <=
                   sizeof(((struct sy_hash *)0)->state),
               "the library's state fits");
_Static_assert(crypto_hash_sha256_BYTES * 2 + 1 == SY_HASH_TEXT_BYTES,
               "two digits a byte and the NUL");

static crypto_hash_sha256_state *state_of(struct sy_hash *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

void sy_hash_init(struct sy_hash *hash)
{
    crypto_hash_sha256_init(state_of(hash));
}

void sy_hash_add(struct sy_hash *hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    while (bytes > 0) {
        size_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        crypto_hash_sha256_update(state_of(hash), at, piece);
        at += piece;
        bytes -= piece;
        sy_rest();
    }
}

void sy_hash_end(struct sy_hash *hash, char text[SY_HASH_TEXT_BYTES])
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state_of(hash), digest);
    sodium_bin2hex(text, SY_HASH_TEXT_BYTES, digest, sizeof digest);
}

void sy_hash_bytes(const void *data, size_t bytes,
                   char text[SY_HASH_TEXT_BYTES])
{
    struct sy_hash hash;
    sy_hash_init(&hash);
    sy_hash_add(&hash, data, bytes);
    sy_hash_end(&hash, text);
}

/* Opens a regular file; the descriptor is the caller's. */
static enum sy_status open_regular(int *out, const char *path,
                                   struct sy_error *err)
{
    struct stat info;
    /* Not blocking: opening a pipe without a writer would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return sy_fail_errno(err, absent ? SY_NOT_FOUND : SY_IO, errno,
                             "%s: cannot open", path);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return sy_fail(err, SY_BAD_INPUT, "%s: expected a regular file", path);
    }
    *out = fd;
    return SY_OK;
}

enum sy_status sy_hash_file(const char *path, char text[SY_HASH_TEXT_BYTES],
                            struct sy_error *err)
{
    enum sy_status status = SY_OK;
    struct sy_hash hash;
    ssize_t got;
    int fd = -1;
    SY_TRY(open_regular(&fd, path, err));
    uint8_t *buffer = sy_alloc(READ_BYTES);
    if (buffer == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", path);
        goto out;
    }
    sy_hash_init(&hash);
    while ((got = read(fd, buffer, READ_BYTES)) != 0) {
        if (got > 0) {
            sy_hash_add(&hash, buffer, (size_t)got);
        } else if (errno != EINTR) {
            status = sy_fail_errno(err, SY_IO, errno, "%s: cannot read", path);
            goto out;
        }
    }
    sy_hash_end(&hash, text);
out:
    sy_free(buffer);
    close(fd);
    return status;
}

bool sy_hash_same(const char a[SY_HASH_TEXT_BYTES],
                  const char b[SY_HASH_TEXT_BYTES])
{
    return sodium_memcmp(a, b, SY_HASH_TEXT_BYTES) == 0;
}

void sy_hash_random(char text[SY_HASH_TEXT_BYTES])
{
    uint8_t bytes[crypto_hash_sha256_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(text, SY_HASH_TEXT_BYTES, bytes, sizeof bytes);
}
