/*
 * router.c - the walk through the table of routes.
 *
 * DESIGN: a table of some dozen lines is walked for each request; comparing
 * a few short segments costs far less than reading the request did, and the
 * table needs no building and has no state.
 */
#include "serving/http/router.h"

#include <stdio.h>
#include <string.h>

/* True when the segments fit the pattern; captures are then filled in. */
static bool pattern_matches(const char *pattern,
                            const struct srv_target *target,
                            const char *capture[SRV_MAX_CAPTURES])
{
    int captures = 0;
    for (int i = 0; i < target->segment_count; i++) {
        size_t bytes = strcspn(pattern, "/");
        const char *segment = target->segment[i];
        if (bytes == 0) {
            return false;
        }
        if (bytes == 1 && *pattern == '*') {
            if (*segment == '\0' || captures == SRV_MAX_CAPTURES) {
                return false;
            }
            capture[captures++] = segment;
        } else if (strlen(segment) != bytes ||
                   memcmp(segment, pattern, bytes) != 0) {
            return false;
        }
        pattern += bytes;
        pattern += *pattern == '/' ? 1 : 0;
    }
    return *pattern == '\0';
}

static const char *method_text(enum srv_method method)
{
    switch (method) {
    case SRV_GET:
        return "GET, HEAD";
    case SRV_POST:
        return "POST";
    case SRV_PUT:
        return "PUT";
    case SRV_DELETE:
        return "DELETE";
    case SRV_OTHER_METHOD:
        break;
    }
    return "";
}

bool srv_route_find(const struct srv_route *table, struct srv_request *request,
                    struct srv_reply *reply)
{
    char allow[64] = "";
    size_t used = 0;
    for (const struct srv_route *route = table; route->pattern != NULL;
         route++) {
        const char *capture[SRV_MAX_CAPTURES] = {0};
        if (!pattern_matches(route->pattern, &request->target, capture)) {
            continue;
        }
        if (route->method == request->method) {
            request->route = route;
            memcpy(request->capture, capture, sizeof capture);
            return true;
        }
        const char *text = method_text(route->method);
        if (strstr(allow, text) == NULL && used < sizeof allow) {
            used += (size_t)snprintf(allow + used, sizeof allow - used, "%s%s",
                                     used > 0 ? ", " : "", text);
        }
    }
    if (used > 0) {
        srv_reply_error(reply, 405, "Method Not Allowed");
        srv_reply_header(reply, "Allow", "%s", allow);
    } else {
        srv_reply_error(reply, 404, "Not Found");
    }
    return false;
}
