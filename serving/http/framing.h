/*
 * framing.h - what the header list says about where a request ends.
 *
 * libmicrohttpd 0.9.75 takes requests that two programs can frame in two
 * ways (Content-Length together with Transfer-Encoding, lengths that differ,
 * several Hosts), which is how requests are smuggled past a proxy. What can
 * be seen of that in the header list is refused, and the connection ended.
 *
 * Thread: any.
 */
#ifndef SRV_HTTP_FRAMING_H
#define SRV_HTTP_FRAMING_H

#include "serving/http/message.h"

/* Start it with `= {0}`. */
struct srv_framing {
    int hosts;
    bool chunked;
    bool unknown_coding;
    int lengths;
    bool lengths_differ;
    bool length_is_bad;
    char length[32];
};

/* Sees one header; call it for each, in any order. */
void srv_framing_see(struct srv_framing *framing, const char *name,
                     const char *value);

/*
 * True when the request can be read in one way only and its body is announced
 * with at most `max_body_bytes`; else answers 400, 413 or 501 and marks the
 * reply as the connection's last.
 */
bool srv_framing_judge(const struct srv_framing *framing, size_t max_body_bytes,
                       struct srv_reply *reply) SY_MUST_USE;

#endif
