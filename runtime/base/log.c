/*
 * log.c - lines for people, on stderr.
 *
 * DESIGN. A line is built on the stack and goes out in one write, which the
 * kernel does not mix with other writes to the same open file as long as it
 * fits a pipe's atomic size (LINE_BYTES <= PIPE_BUF). No lock, no buffer and
 * no allocation, so a line may be logged from anywhere, out of memory too.
 *
 * Control characters (C0, DEL, C1) and bytes that are not UTF-8 are written
 * as \n, \t or \xNN: text from outside can neither begin a line nor drive the
 * reader's terminal.
 */
#include "runtime/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"

enum { MESSAGE_BYTES = 2048, LINE_BYTES = 4096 };

static atomic_int least_level = SY_LOG_INFO;

static const char *const level_names[] = {
    [SY_LOG_DEBUG] = "debug",
    [SY_LOG_INFO] = "info",
    [SY_LOG_WARN] = "warn",
    [SY_LOG_ERROR] = "error",
};

void sy_log_set_level(enum sy_log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

/*
 * The bytes of the printable UTF-8 character at `text`, which ends with a
 * NUL; 0 when there is none: a control character or a broken sequence.
 */
static size_t printable(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    if (at[0] < 0x80) {
        return at[0] >= 0x20 && at[0] != 0x7F ? 1 : 0;
    }
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    size_t bytes = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint32_t code = at[0] & (0x7FU >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0U) != 0x80U) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3FU);
    }
    static const uint32_t least[] = {0, 0, 0xA0, 0x800, 0x10000};
    bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < least[bytes] || code > 0x10FFFF || surrogate ? 0 : bytes;
}

/* Copies one character, escaped if need be; returns the bytes written. */
static size_t put_character(char out[5], const char *text, size_t *used)
{
    size_t bytes = printable(text);
    if (bytes > 0) {
        memcpy(out, text, bytes);
        *used = bytes;
        return bytes;
    }
    *used = 1;
    if (*text == '\n' || *text == '\t') {
        out[0] = '\\';
        out[1] = *text == '\n' ? 'n' : 't';
        return 2;
    }
    static const char digits[] = "0123456789abcdef";
    uint8_t byte = (uint8_t)*text;
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15U];
    return 4;
}

/* Writes the message from `used` on and the last newline; the new length. */
static size_t put_message(char line[LINE_BYTES], size_t used,
                          const char *message)
{
    while (*message != '\0') {
        if (used > LINE_BYTES - sizeof "....\\xNN\n") {
            memcpy(line + used, "...", 3);
            used += 3;
            break;
        }
        size_t taken;
        used += put_character(line + used, message, &taken);
        message += taken;
    }
    line[used++] = '\n';
    return used;
}

void sy_log(enum sy_log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    int saved_errno = errno;
    char message[MESSAGE_BYTES];
    char line[LINE_BYTES];
    char stamp[32];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (bytes >= MESSAGE_BYTES) {
        memcpy(message + MESSAGE_BYTES - sizeof "...", "...", sizeof "...");
    }
    sy_clock_stamp(stamp, sizeof stamp);
    int head = snprintf(line, sizeof line, "%s %s ", stamp, level_names[level]);
    size_t length =
        put_message(line, (size_t)head, bytes < 0 ? "(no text)" : message);
    /* A reader that has gone away is no reason to fail. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    errno = saved_errno;
}
