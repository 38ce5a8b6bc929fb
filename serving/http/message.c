/*
 * message.c - replies.
 *
 * DESIGN: every failure leaves as JSON with the member "error", because
 * clients of the Open Inference Protocol show that text; a fixed literal
 * stands ready for the case that there is no memory to write one.
 */
#include "serving/http/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "serving/protocol/text.h"

enum srv_method srv_method_read(const char *text)
{
    static const struct {
        const char *text;
        enum srv_method method;
    } methods[] = {{"GET", SRV_GET},
                   {"HEAD", SRV_GET},
                   {"POST", SRV_POST},
                   {"PUT", SRV_PUT},
                   {"DELETE", SRV_DELETE}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(text, methods[i].text) == 0) {
            return methods[i].method;
        }
    }
    return SRV_OTHER_METHOD;
}

void srv_reply_release(struct srv_reply *reply)
{
    sy_free(reply->body);
    *reply = (struct srv_reply){0};
}

void srv_reply_take(struct srv_reply *reply, int status,
                    const char *content_type, char *body, size_t bytes)
{
    sy_free(reply->body);
    reply->status = body == NULL ? 500 : status;
    reply->content_type = body == NULL ? "application/json" : content_type;
    reply->body = body;
    reply->body_bytes = body == NULL ? 0 : bytes;
}

void srv_copy_text(char *out, size_t room, const char *text)
{
    size_t bytes = strnlen(text, room - 1);
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

void srv_reply_header_text(struct srv_reply *reply, const char *name,
                           const char *value)
{
    struct srv_header *header = &reply->header[reply->header_count];
    if (reply->header_count == SRV_MAX_HEADERS ||
        strlen(name) >= sizeof header->name ||
        strlen(value) >= sizeof header->value) {
        return;
    }
    srv_copy_text(header->name, sizeof header->name, name);
    srv_copy_text(header->value, sizeof header->value, value);
    reply->header_count++;
}

void srv_reply_header(struct srv_reply *reply, const char *name,
                      const char *format, ...)
{
    char value[SRV_HEADER_BYTES];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (bytes >= 0 && bytes < (int)sizeof value) {
        srv_reply_header_text(reply, name, value);
    }
}

int srv_http_status(enum sy_status status)
{
    switch (status) {
    case SY_OK:
        return 200;
    case SY_BAD_INPUT:
        return 400;
    case SY_NOT_FOUND:
        return 404;
    case SY_UNSUPPORTED:
        return 501;
    case SY_BUSY:
    case SY_CANCELLED:
        return 503;
    case SY_IO:
    case SY_NO_MEMORY:
    case SY_INTERNAL:
        break;
    }
    return 500;
}

void srv_reply_retry(struct srv_reply *reply)
{
    srv_reply_header_text(reply, "Retry-After", "1");
}

static void put_error(struct srv_reply *reply, int status, const char *message)
{
    struct srv_text text = {0};
    srv_text_puts(&text, "{\"error\":");
    srv_text_string(&text, message);
    srv_text_puts(&text, "}");
    srv_reply_take(reply, status, "application/json", text.data, text.bytes);
    if (status == 503) {
        srv_reply_retry(reply);
    }
}

void srv_reply_error(struct srv_reply *reply, int status, const char *format,
                     ...)
{
    char message[SY_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    put_error(reply, status, message);
}

void srv_reply_failure(struct srv_reply *reply, const struct sy_error *err)
{
    put_error(reply, srv_http_status(err->status),
              err->message[0] != '\0' ? err->message
                                      : sy_status_text(err->status));
}
