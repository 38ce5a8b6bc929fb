/*
 * fuzz_target.c - the request target, and the router behind it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serving/protocol/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *raw = malloc(bytes + 1);
    struct srv_request *request = calloc(1, sizeof *request);
    if (raw == NULL || request == NULL) {
        abort();
    }
    memcpy(raw, data, bytes);
    raw[bytes] = '\0';
    request->method =
        bytes > 0 ? (enum srv_method)(data[bytes - 1] % 5) : SRV_GET;
    struct srv_reply reply = {0};
    struct sy_error err = {0};
    if (srv_target_parse(&request->target, raw, &err) == SY_OK) {
        for (int i = 0; i < request->target.segment_count; i++) {
            const char *segment = request->target.segment[i];
            if (strcmp(segment, "..") == 0 || strpbrk(segment, "\n\r\t")) {
                abort();
            }
        }
        bool found = srv_route_find(srv_routes, request, &reply);
        if (found == (reply.status != 0)) {
            abort();
        }
    } else {
        srv_reply_failure(&reply, &err);
    }
    srv_reply_release(&reply);
    free(request);
    free(raw);
    return 0;
}
