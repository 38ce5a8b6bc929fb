/*
 * text.h - a text that grows, and the JSON pieces written into it.
 *
 * Replies are written by hand, member by member, because their numbers are
 * ours to format (float_text.h) and their order of keys is part of the wire.
 *
 * The first allocation that fails marks the text as failed; later calls do
 * nothing, and the caller looks once, at the end. So a writer is a list of
 * calls without a check each.
 *
 * Thread: any (a text belongs to one thread).
 */
#ifndef SRV_PROTOCOL_TEXT_H
#define SRV_PROTOCOL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* Start it with `= {0}`. */
struct srv_text {
    char *data; /* owned; ends with a NUL that `bytes` does not count */
    size_t bytes;
    size_t room;
    bool failed;
};

/* Marks the text as failed, as an allocation that fails does. */
void srv_text_fail(struct srv_text *text);

/* Gives the bytes back; the text is then empty and may be used again. */
void srv_text_release(struct srv_text *text);

/*
 * At least `more` free bytes behind the content, or NULL (then failed). The
 * caller writes there and adds what it wrote to `bytes`.
 */
char *srv_text_reserve(struct srv_text *text, size_t more);

void srv_text_add(struct srv_text *text, const char *data, size_t bytes);
void srv_text_puts(struct srv_text *text, const char *data);
void srv_text_printf(struct srv_text *text, const char *format, ...)
    SY_PRINTF(2, 3);

/*
 * A JSON string with its quotes. Control characters and quotes are escaped;
 * bytes that are not UTF-8 become U+FFFD, so that a reply is valid JSON
 * whatever name a request carried.
 */
void srv_text_string(struct srv_text *text, const char *value);

void srv_text_int(struct srv_text *text, int64_t value);

/* A float as srv_float_text writes it. */
void srv_text_float(struct srv_text *text, float value);

#endif
