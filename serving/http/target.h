/*
 * target.h - the request target: path segments and query, checked.
 *
 * libmicrohttpd decodes before it splits and cuts at %00, so the raw target
 * is taken apart here: split at '/', then decode each segment. What could be
 * read in two ways is refused: %00 and other control characters, segments
 * "." and "..", broken escapes. "a%2Fb" is one segment with a '/' in it,
 * which no name has, so it is simply not found.
 *
 * Thread: any.
 */
#ifndef SRV_HTTP_TARGET_H
#define SRV_HTTP_TARGET_H

#include <stddef.h>

#include "runtime/base/status.h"

enum {
    SRV_TARGET_BYTES = 2048, /* longest target, in bytes */
    SRV_MAX_SEGMENTS = 12,
    SRV_MAX_QUERY = 16
};

struct srv_query {
    const char *name;
    const char *value; /* "" when there is no '=' */
};

/* The texts point into `room`; so a target must not be copied. */
struct srv_target {
    int segment_count; /* 0 for "/" */
    const char *segment[SRV_MAX_SEGMENTS];
    int query_count;
    struct srv_query query[SRV_MAX_QUERY];
    char room[SRV_TARGET_BYTES + 1];
};

/*
 * Parses a raw target: "/path?query" or "http://host/path?query". One '/' at
 * the end of the path is dropped. SY_BAD_INPUT says what is wrong with it.
 */
enum sy_status srv_target_parse(struct srv_target *target, const char *raw,
                                struct sy_error *err) SY_MUST_USE;

/* The value of the first query member of that name, or NULL. */
const char *srv_target_query(const struct srv_target *target, const char *name);

#endif
