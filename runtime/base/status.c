/*
 * status.c - the texts of the statuses, and the messages of errors.
 *
 * DESIGN. A message is built in a local buffer and copied last, because its
 * arguments may point into the very message that it replaces. What does not
 * fit is cut at the border of a UTF-8 character and ends with "...", so that
 * a cut message is valid text and shows that it was cut.
 */
#include "runtime/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_texts[] = {
#define SY_STATUS_TEXT(name, text) [name] = (text),
    SY_STATUS_LIST(SY_STATUS_TEXT)
#undef SY_STATUS_TEXT
};

enum { STATUS_COUNT = sizeof status_texts / sizeof status_texts[0] };

const char *sy_status_text(enum sy_status status)
{
    size_t index = (size_t)status;
    return index < STATUS_COUNT ? status_texts[index] : "unknown status";
}

/* Ends a text that was cut with "...", at the border of a character. */
static void mark_cut(char message[SY_ERROR_BYTES])
{
    size_t end = SY_ERROR_BYTES - sizeof "...";
    while (end > 0 && ((unsigned char)message[end] & 0xC0U) == 0x80U) {
        end--;
    }
    memcpy(message + end, "...", sizeof "...");
}

/* Adds `text` to the message of `used` bytes and returns the new length. */
static size_t append(char message[SY_ERROR_BYTES], size_t used,
                     const char *text)
{
    size_t bytes = strlen(text);
    size_t room = SY_ERROR_BYTES - 1 - used;
    size_t kept = bytes < room ? bytes : room;
    memcpy(message + used, text, kept);
    message[used + kept] = '\0';
    if (kept < bytes) {
        mark_cut(message);
    }
    return used + kept;
}

/* Formats into `message` and returns its length after any cut. */
static size_t format_message(char message[SY_ERROR_BYTES], const char *format,
                             va_list args) SY_PRINTF(2, 0);

static size_t format_message(char message[SY_ERROR_BYTES], const char *format,
                             va_list args)
{
    int bytes = vsnprintf(message, SY_ERROR_BYTES, format, args);
    if (bytes < 0) {
        message[0] = '\0';
    } else if (bytes >= SY_ERROR_BYTES) {
        mark_cut(message);
    }
    return strlen(message);
}

/* Gives the finished message to the caller's error, if there is one. */
static void store(struct sy_error *err, enum sy_status status,
                  const char message[SY_ERROR_BYTES])
{
    err->status = status;
    memcpy(err->message, message, strlen(message) + 1);
}

enum sy_status sy_fail(struct sy_error *err, enum sy_status status,
                       const char *format, ...)
{
    if (err != NULL) {
        char message[SY_ERROR_BYTES];
        va_list args;
        va_start(args, format);
        format_message(message, format, args);
        va_end(args);
        store(err, status, message);
    }
    return status;
}

enum sy_status sy_fail_errno(struct sy_error *err, enum sy_status status,
                             int errno_value, const char *format, ...)
{
    if (err != NULL) {
        char message[SY_ERROR_BYTES];
        char reason[128];
        va_list args;
        va_start(args, format);
        size_t used = format_message(message, format, args);
        va_end(args);
        used = append(message, used, ": ");
        append(message, used, strerror_r(errno_value, reason, sizeof reason));
        store(err, status, message);
    }
    return status;
}

void sy_error_prefix(struct sy_error *err, const char *format, ...)
{
    if (err != NULL) {
        char message[SY_ERROR_BYTES];
        va_list args;
        va_start(args, format);
        size_t used = format_message(message, format, args);
        va_end(args);
        used = append(message, used, ": ");
        append(message, used, err->message);
        store(err, err->status, message);
    }
}

_Noreturn void sy_assert_failed(const char *condition, const char *file,
                                int line)
{
    /* No buffer and no lock: the program is in an unknown state. */
    dprintf(2, "%s:%d: broken assertion: %s\n", file, line, condition);
    abort();
}
