/*
 * sign.c - Ed25519 by libsodium.
 *
 * DESIGN. The file keeps the seed, of which the library makes the pair again;
 * so a key file is one short line, and a damaged one cannot be half right.
 */
#include "runtime/base/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum {
    KEY_DIGITS = SY_SIGN_KEY_TEXT_BYTES - 1,
    KEY_FILE_BYTES = 1024,
    PUBLIC_FILE_BYTES = 65536
};

static const char secret_word[] = "switchyard-secret-key ";
static const char public_word[] = "switchyard-public-key ";

_Static_assert(crypto_sign_SECRETKEYBYTES ==
                   sizeof(((struct sy_sign_key *)0)->secret),
               "the library's key fits");
_Static_assert(crypto_sign_PUBLICKEYBYTES * 2 == KEY_DIGITS &&
                   crypto_sign_SEEDBYTES * 2 == KEY_DIGITS,
               "two digits a byte");
_Static_assert(crypto_sign_BYTES * 2 + 1 == SY_SIGNATURE_TEXT_BYTES,
               "two digits a byte and the NUL");

/* Exactly so many bytes of exactly so many digits. */
static bool from_hex(uint8_t *out, size_t bytes, const char *digits,
                     size_t length)
{
    size_t made = 0;
    return length == 2 * bytes &&
           sodium_hex2bin(out, bytes, digits, length, NULL, &made, NULL) == 0 &&
           made == bytes;
}

static void from_seed(struct sy_sign_key *key, const uint8_t *seed)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    (void)crypto_sign_seed_keypair(public_key, key->secret, seed);
    sodium_bin2hex(key->public_text, sizeof key->public_text, public_key,
                   sizeof public_key);
}

/* Writes a file that was not there. */
static enum sy_status write_new(const char *path, mode_t mode, const char *word,
                                const char *digits, struct sy_error *err)
{
    char line[KEY_FILE_BYTES];
    int length = snprintf(line, sizeof line, "%s%s\n", word, digits);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool written =
        fd >= 0 && write(fd, line, (size_t)length) == length && fsync(fd) == 0;
    int because = errno;
    if (fd >= 0) {
        close(fd);
    }
    sodium_memzero(line, sizeof line);
    if (written) {
        return SY_OK;
    }
    if (fd >= 0) {
        (void)unlink(path);
    }
    return sy_fail_errno(err, because == EEXIST ? SY_BAD_INPUT : SY_IO, because,
                         "%s: cannot make the key file", path);
}

enum sy_status sy_sign_make(const char *path, struct sy_sign_key *key,
                            struct sy_error *err)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    char digits[SY_SIGN_KEY_TEXT_BYTES];
    char beside[SY_PATH_BYTES];
    int length = snprintf(beside, sizeof beside, "%s.pub", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        return sy_fail(err, SY_BAD_INPUT, "the path of the key is too long");
    }
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return sy_fail_errno(err, SY_IO, errno, "no random numbers for a key");
    }
    from_seed(key, seed);
    sodium_bin2hex(digits, sizeof digits, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    enum sy_status status = write_new(path, 0600, secret_word, digits, err);
    sodium_memzero(digits, sizeof digits);
    if (status == SY_OK) {
        status = write_new(beside, 0644, public_word, key->public_text, err);
        if (status != SY_OK) {
            (void)unlink(path);
        }
    }
    return status;
}

/* The key's bytes in the line that begins with `word`; false where it does not
   or they are no key. */
static bool read_line(const char *line, const char *word,
                      uint8_t bytes[crypto_sign_SEEDBYTES])
{
    size_t skip = strlen(word);
    return strncmp(line, word, skip) == 0 &&
           from_hex(bytes, crypto_sign_SEEDBYTES, line + skip,
                    strcspn(line + skip, " \t\r\n"));
}

static enum sy_status not_a_key(const char *path, const char *word,
                                struct sy_error *err)
{
    return sy_fail(err, SY_BAD_INPUT,
                   "%s: expected a line \"%s\" and %d hexadecimal digits", path,
                   word, KEY_DIGITS);
}

enum sy_status sy_sign_load(const char *path, struct sy_sign_key *key,
                            struct sy_error *err)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    char *text = NULL;
    size_t size = 0;
    SY_TRY(sy_file_read(path, KEY_FILE_BYTES, &text, &size, err));
    bool good = read_line(text, secret_word, seed);
    sodium_memzero(text, size);
    sy_free(text);
    if (!good) {
        return not_a_key(path, secret_word, err);
    }
    from_seed(key, seed);
    sodium_memzero(seed, sizeof seed);
    return SY_OK;
}

void sy_sign_wipe(struct sy_sign_key *key)
{
    sodium_memzero(key, sizeof *key);
}

enum sy_status sy_sign_public_load(const char *path, struct sy_public_key *keys,
                                   int max, int *count, struct sy_error *err)
{
    uint8_t bytes[crypto_sign_PUBLICKEYBYTES];
    enum sy_status status = SY_OK;
    char *text = NULL;
    size_t size = 0;
    int found = 0;
    SY_TRY(sy_file_read(path, PUBLIC_FILE_BYTES, &text, &size, err));
    for (char *line = text; status == SY_OK && *line != '\0';) {
        if (*line != '#' && strcspn(line, "\r\n") > 0) {
            if (!read_line(line, public_word, bytes) || found == max) {
                status = not_a_key(path, public_word, err);
                break;
            }
            sodium_bin2hex(keys[found++].text, SY_SIGN_KEY_TEXT_BYTES, bytes,
                           sizeof bytes);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    sy_free(text);
    if (status == SY_OK && found == 0) {
        status = not_a_key(path, public_word, err);
    }
    *count = status == SY_OK ? found : *count;
    return status;
}

void sy_sign(const struct sy_sign_key *key, const void *data, size_t bytes,
             char signature[SY_SIGNATURE_TEXT_BYTES])
{
    uint8_t made[crypto_sign_BYTES];
    (void)crypto_sign_detached(made, NULL, data, bytes, key->secret);
    sodium_bin2hex(signature, SY_SIGNATURE_TEXT_BYTES, made, sizeof made);
}

bool sy_sign_check(const char *public_text, const void *data, size_t bytes,
                   const char *signature)
{
    uint8_t key[crypto_sign_PUBLICKEYBYTES];
    uint8_t sum[crypto_sign_BYTES];
    return from_hex(key, sizeof key, public_text, strlen(public_text)) &&
           from_hex(sum, sizeof sum, signature, strlen(signature)) &&
           crypto_sign_verify_detached(sum, data, bytes, key) == 0;
}
