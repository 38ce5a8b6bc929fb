/*
 * framing.c - Host, Content-Length and Transfer-Encoding, taken together.
 *
 * Source: RFC 9112, sections 3.2, 6.1 to 6.3.
 */
#include "serving/http/framing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void srv_framing_see(struct srv_framing *framing, const char *name,
                     const char *value)
{
    if (strcasecmp(name, "Host") == 0) {
        framing->hosts++;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->unknown_coding |=
            framing->chunked || strcasecmp(value, "chunked") != 0;
        framing->chunked = true;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        /* More digits than that are no length of anything. */
        size_t digits = strspn(value, "0123456789");
        framing->length_is_bad |= digits == 0 || value[digits] != '\0' ||
                                  digits >= sizeof framing->length;
        if (framing->lengths++ == 0) {
            snprintf(framing->length, sizeof framing->length, "%s", value);
        } else if (strcmp(framing->length, value) != 0) {
            framing->lengths_differ = true;
        }
    }
}

bool srv_framing_judge(const struct srv_framing *framing, size_t max_body_bytes,
                       struct srv_reply *reply)
{
    const char *message = NULL;
    int status = 400;
    if (framing->hosts > 1) {
        message = "more than one Host header";
    } else if (framing->chunked && framing->lengths > 0) {
        message = "Content-Length together with Transfer-Encoding";
    } else if (framing->lengths_differ) {
        message = "Content-Length headers that differ";
    } else if (framing->length_is_bad) {
        message = "Content-Length is not a whole number of bytes";
    } else if (framing->unknown_coding) {
        status = 501;
        message = "only the transfer coding 'chunked' is supported";
    } else if (framing->lengths > 0 &&
               strtoumax(framing->length, NULL, 10) > max_body_bytes) {
        status = 413;
        message = "the body is larger than this server accepts";
    }
    if (message == NULL) {
        return true;
    }
    srv_reply_error(reply, status, "%s", message);
    reply->close = true;
    return false;
}
