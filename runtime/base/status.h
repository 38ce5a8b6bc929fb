/*
 * status.h - errors are values.
 *
 * Every function that can fail returns an `enum sy_status`, leaves its out
 * pointers untouched on failure, and must be checked. Functions that judge
 * input from outside (files, requests, configuration) also take a last
 * `struct sy_error *`, owned by the caller, in which they say in one message
 * what was wrong, where, what was expected against what was found, and what
 * to do about it. A NULL error pointer is legal everywhere: the message is
 * then dropped.
 *
 * Programming errors are not values: SY_ASSERT stops the program, in release
 * builds too. Input from outside never reaches one.
 *
 * Thread: any.
 */
#ifndef SY_BASE_STATUS_H
#define SY_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#define SY_MUST_USE          __attribute__((warn_unused_result))
#define SY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* One list makes the enum, its names and its texts. */
#define SY_STATUS_LIST(X)                                                      \
    X(SY_OK, "ok")                                                             \
    X(SY_BAD_INPUT, "bad input")                                               \
    X(SY_NOT_FOUND, "not found")                                               \
    X(SY_IO, "input/output error")                                             \
    X(SY_NO_MEMORY, "out of memory")                                           \
    X(SY_UNSUPPORTED, "not supported here")                                    \
    X(SY_BUSY, "busy")                                                         \
    X(SY_CANCELLED, "cancelled")                                               \
    X(SY_INTERNAL, "internal error")

enum sy_status {
#define SY_STATUS_ENUM(name, text) name,
    SY_STATUS_LIST(SY_STATUS_ENUM)
#undef SY_STATUS_ENUM
};

enum { SY_ERROR_BYTES = 768 };

/* Owned by the caller; start it with `struct sy_error err = {0};`. */
struct sy_error {
    enum sy_status status;
    char message[SY_ERROR_BYTES];
};

/* The status as words, for instance "bad input". Never NULL. */
const char *sy_status_text(enum sy_status status);

/*
 * Writes `status` and the formatted message to `err` (may be NULL) and
 * returns `status`, so that a failure is one line:
 *     return sy_fail(err, SY_BAD_INPUT, "%s: expected ..., found ...", path);
 * A message longer than the buffer is cut and ends with "...".
 */
enum sy_status sy_fail(struct sy_error *err, enum sy_status status,
                       const char *format, ...) SY_PRINTF(3, 4);

/* As sy_fail, and ends the message with ": " and strerror(errno_value). */
enum sy_status sy_fail_errno(struct sy_error *err, enum sy_status status,
                             int errno_value, const char *format, ...)
    SY_PRINTF(4, 5);

/* Puts "prefix: " before the message that is already in `err`. */
void sy_error_prefix(struct sy_error *err, const char *format, ...)
    SY_PRINTF(2, 3);

/* Prints the broken condition with its place and stops the program. */
_Noreturn void sy_assert_failed(const char *condition, const char *file,
                                int line);

#define SY_ASSERT(condition)                                                   \
    ((condition) ? (void)0 : sy_assert_failed(#condition, __FILE__, __LINE__))

/* Returns the status of `call` from the calling function unless SY_OK. */
#define SY_TRY(call)                                                           \
    do {                                                                       \
        enum sy_status sy_try_status = (call);                                 \
        if (sy_try_status != SY_OK) {                                          \
            return sy_try_status;                                              \
        }                                                                      \
    } while (0)

/* Sets `status` and jumps to `out:` unless `call` is SY_OK. */
#define SY_TRY_OUT(call)                                                       \
    do {                                                                       \
        status = (call);                                                       \
        if (status != SY_OK) {                                                 \
            goto out;                                                          \
        }                                                                      \
    } while (0)

#endif
