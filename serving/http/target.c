/*
 * target.c - the raw request target, taken apart.
 *
 * DESIGN: the target is copied once and decoded in place; decoding only ever
 * shortens, so the writing end never passes the reading end. Splitting comes
 * before decoding, so no escape can change the structure.
 *
 * Source: RFC 9112 section 3.2, RFC 3986 sections 2.1 and 3.
 */
#include "serving/http/target.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX in place, and '+' as a space in a query. */
static enum sy_status decode(char *text, bool query, struct sy_error *err)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        unsigned char c = (unsigned char)*in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0) {
                return sy_fail(err, SY_BAD_INPUT,
                               "request target: '%%' must be followed by two "
                               "hexadecimal digits");
            }
            c = (unsigned char)(high * 16 + low);
            in += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f) {
            return sy_fail(err, SY_BAD_INPUT,
                           "request target: control characters are refused "
                           "(%%%02X)",
                           (unsigned)c);
        }
        *out++ = (char)c;
    }
    *out = '\0';
    return SY_OK;
}

/* Splits at `separator`: ends `*rest` there and moves it on, or NULL. */
static char *next_piece(char **rest, char separator)
{
    char *piece = *rest;
    char *end = strchr(piece, separator);
    if (end != NULL) {
        *end = '\0';
        *rest = end + 1;
    } else {
        *rest = NULL;
    }
    return piece;
}

static enum sy_status parse_path(struct srv_target *target, char *path,
                                 struct sy_error *err)
{
    size_t bytes = strlen(path);
    if (bytes > 0 && path[bytes - 1] == '/') {
        path[bytes - 1] = '\0';
    }
    char *rest = *path == '\0' ? NULL : path;
    while (rest != NULL) {
        char *piece = next_piece(&rest, '/');
        SY_TRY(decode(piece, false, err));
        if (strcmp(piece, ".") == 0 || strcmp(piece, "..") == 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "request target: '%s' in the path is refused",
                           piece);
        }
        if (target->segment_count == SRV_MAX_SEGMENTS) {
            return sy_fail(err, SY_BAD_INPUT,
                           "request target: more than %d path segments",
                           SRV_MAX_SEGMENTS);
        }
        target->segment[target->segment_count++] = piece;
    }
    return SY_OK;
}

static enum sy_status parse_query(struct srv_target *target, char *query,
                                  struct sy_error *err)
{
    char *rest = query;
    while (rest != NULL) {
        char *value = next_piece(&rest, '&');
        if (*value == '\0') {
            continue;
        }
        char *name = next_piece(&value, '=');
        SY_TRY(decode(name, true, err));
        if (value != NULL) {
            SY_TRY(decode(value, true, err));
        }
        if (target->query_count == SRV_MAX_QUERY) {
            return sy_fail(err, SY_BAD_INPUT,
                           "request target: more than %d query members",
                           SRV_MAX_QUERY);
        }
        target->query[target->query_count++] = (struct srv_query){
            .name = name, .value = value == NULL ? "" : value};
    }
    return SY_OK;
}

enum sy_status srv_target_parse(struct srv_target *target, const char *raw,
                                struct sy_error *err)
{
    target->segment_count = 0;
    target->query_count = 0;
    if (strncasecmp(raw, "http://", 7) == 0 ||
        strncasecmp(raw, "https://", 8) == 0) {
        raw = strstr(raw, "//") + 2;
        raw += strcspn(raw, "/?");
    }
    size_t bytes = strlen(raw);
    if (bytes > SRV_TARGET_BYTES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request target: longer than %d bytes",
                       SRV_TARGET_BYTES);
    }
    memcpy(target->room, raw, bytes + 1);
    char *path = target->room;
    if (*path != '/') {
        return sy_fail(err, SY_BAD_INPUT,
                       "request target: must begin with '/'");
    }
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    SY_TRY(parse_path(target, path + 1, err));
    return parse_query(target, query, err);
}

const char *srv_target_query(const struct srv_target *target, const char *name)
{
    for (int i = 0; i < target->query_count; i++) {
        if (strcmp(target->query[i].name, name) == 0) {
            return target->query[i].value;
        }
    }
    return NULL;
}
