/*
 * text.c - the growing text behind every reply.
 *
 * DESIGN: the room doubles, so writing n bytes costs O(n). The content always
 * ends with a NUL, which makes it printable in tests and logs; a text that
 * failed holds nothing, so half a reply cannot be sent by mistake.
 */
#include "serving/protocol/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "serving/protocol/float_text.h"

enum { FIRST_ROOM_BYTES = 512 };

void srv_text_release(struct srv_text *text)
{
    sy_free(text->data);
    *text = (struct srv_text){0};
}

void srv_text_fail(struct srv_text *text)
{
    srv_text_release(text);
    text->failed = true;
}

char *srv_text_reserve(struct srv_text *text, size_t more)
{
    if (text->failed) {
        return NULL;
    }
    if (more > SIZE_MAX / 4 - text->bytes) {
        srv_text_fail(text);
        return NULL;
    }
    size_t need = text->bytes + more + 1;
    if (need > text->room) {
        size_t room = text->room == 0 ? FIRST_ROOM_BYTES : text->room * 2;
        if (room < need) {
            room = need;
        }
        char *data = sy_realloc(text->data, room);
        if (data == NULL) {
            srv_text_fail(text);
            return NULL;
        }
        text->data = data;
        text->room = room;
    }
    text->data[text->bytes] = '\0';
    return text->data + text->bytes;
}

void srv_text_add(struct srv_text *text, const char *data, size_t bytes)
{
    char *end = srv_text_reserve(text, bytes);
    if (end != NULL) {
        memcpy(end, data, bytes);
        end[bytes] = '\0';
        text->bytes += bytes;
    }
}

void srv_text_puts(struct srv_text *text, const char *data)
{
    srv_text_add(text, data, strlen(data));
}

void srv_text_printf(struct srv_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0) {
        srv_text_fail(text);
        return;
    }
    char *end = srv_text_reserve(text, (size_t)bytes);
    if (end == NULL) {
        return;
    }
    va_start(args, format);
    vsnprintf(end, (size_t)bytes + 1, format, args);
    va_end(args);
    text->bytes += (size_t)bytes;
}

/*
 * Length of the UTF-8 sequence at `s`, or 0 when it is none (RFC 3629:
 * overlong forms, surrogates and values above U+10FFFF are none).
 */
static size_t utf8_bytes(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t bytes = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return bytes;
}

void srv_text_string(struct srv_text *text, const char *value)
{
    srv_text_add(text, "\"", 1);
    const unsigned char *s = (const unsigned char *)value;
    while (*s != '\0') {
        size_t bytes = utf8_bytes(s);
        if (bytes == 0) {
            srv_text_puts(text, "\\ufffd");
            bytes = 1;
        } else if (*s == '"' || *s == '\\') {
            char escaped[2] = {'\\', (char)*s};
            srv_text_add(text, escaped, 2);
        } else if (*s == '\n') {
            srv_text_puts(text, "\\n");
        } else if (*s < 0x20 || *s == 0x7f) {
            srv_text_printf(text, "\\u%04x", *s);
        } else {
            srv_text_add(text, (const char *)s, bytes);
        }
        s += bytes;
    }
    srv_text_add(text, "\"", 1);
}

void srv_text_int(struct srv_text *text, int64_t value)
{
    srv_text_printf(text, "%lld", (long long)value);
}

void srv_text_float(struct srv_text *text, float value)
{
    char *end = srv_text_reserve(text, SRV_FLOAT_TEXT_BYTES);
    if (end != NULL) {
        text->bytes += srv_float_text(value, end);
    }
}
