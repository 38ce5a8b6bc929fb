/*
 * coding.c - Content-Encoding and Accept-Encoding.
 *
 * DESIGN: only inference replies are compressible: some clients of the
 * protocol announce Accept-Encoding with every request and then read anything
 * but an inference reply as it comes. zlib itself is in domains/formats.
 *
 * Source: RFC 9110, 8.4 and 12.5.3.
 */
#include "serving/http/coding.h"

#include <string.h>
#include <strings.h>

#include "domains/formats/gzip.h"
#include "runtime/base/memory.h"

enum coding { IDENTITY, GZIP, DEFLATE, UNKNOWN };

static const char *const coding_name[] = {"identity", "gzip", "deflate"};

static bool is_word(const char *text, size_t bytes, const char *word)
{
    return strlen(word) == bytes && strncasecmp(text, word, bytes) == 0;
}

static enum coding find_coding(const char *text, size_t bytes)
{
    for (int c = IDENTITY; c < UNKNOWN; c++) {
        if (is_word(text, bytes, coding_name[c])) {
            return (enum coding)c;
        }
    }
    return is_word(text, bytes, "x-gzip") ? GZIP : UNKNOWN;
}

static enum coding request_coding(const struct srv_request *request)
{
    const char *text = request->content_encoding;
    return text[0] == '\0' ? IDENTITY : find_coding(text, strlen(text));
}

void srv_coding_check(const struct srv_request *request,
                      struct srv_reply *reply)
{
    if (request_coding(request) == UNKNOWN) {
        srv_reply_error(reply, 501, "Content-Encoding '%s' is not supported",
                        request->content_encoding);
        srv_reply_header(reply, "Accept-Encoding", "gzip, deflate");
    }
}

bool srv_coding_decode(struct srv_request *request, char **body, size_t limit,
                       struct srv_reply *reply)
{
    enum coding coding = request_coding(request);
    if (coding == IDENTITY) {
        return true;
    }
    struct sy_error err = {0};
    uint8_t *plain = NULL;
    size_t bytes = 0;
    bool too_large = false;
    if (dom_inflate_within((const uint8_t *)request->body, request->body_bytes,
                           coding == GZIP ? DOM_WRAP_GZIP : DOM_WRAP_ZLIB,
                           limit, &plain, &bytes, &too_large, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return false;
    }
    if (too_large) {
        srv_reply_error(reply, 413,
                        "the body is larger than this server accepts, once "
                        "it is decompressed");
        return false;
    }
    sy_free(*body);
    *body = (char *)plain;
    request->body = *body;
    request->body_bytes = bytes;
    return true;
}

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t");
}

/* The q-value in thousandths of the parameters at `text`; 1000 by default. */
static int read_quality(const char *text, const char *end)
{
    while ((text = memchr(text, ';', (size_t)(end - text))) != NULL) {
        text = skip_space(text + 1);
        if (strncasecmp(text, "q=", 2) != 0) {
            continue;
        }
        text += 2;
        int quality = *text == '1' ? 1000 : 0;
        if (quality == 0 && text[0] == '0' && text[1] == '.') {
            int scale = 100;
            for (text += 2; *text >= '0' && *text <= '9'; text++) {
                quality += (*text - '0') * scale;
                scale /= 10;
            }
        }
        return quality;
    }
    return 1000;
}

/* The coding that the client likes best. */
static enum coding choose(const char *accept)
{
    enum coding best = IDENTITY;
    int best_quality = 0;
    while (*accept != '\0') {
        accept = skip_space(accept);
        const char *end = accept + strcspn(accept, ",");
        size_t word = strcspn(accept, "; \t,");
        enum coding coding = find_coding(accept, word);
        int quality = read_quality(accept, end);
        if (coding != UNKNOWN && quality > best_quality) {
            best = coding;
            best_quality = quality;
        }
        accept = *end == ',' ? end + 1 : end;
    }
    return best;
}

void srv_coding_encode(const struct srv_request *request,
                       struct srv_reply *reply)
{
    enum coding coding = choose(request->accept_encoding);
    if (!reply->compressible || reply->body == NULL || coding == IDENTITY) {
        return;
    }
    uint8_t *packed;
    size_t bytes;
    if (dom_deflate_fast((const uint8_t *)reply->body, reply->body_bytes,
                         coding == GZIP ? DOM_WRAP_GZIP : DOM_WRAP_ZLIB,
                         &packed, &bytes, NULL) != SY_OK) {
        return;
    }
    sy_free(reply->body);
    reply->body = (char *)packed;
    reply->body_bytes = bytes;
    srv_reply_header(reply, "Content-Encoding", "%s", coding_name[coding]);
}
