/*
 * trace.h - what ties a request to others: its own id, and the caller's trace.
 *
 * Thread: any.
 */
#ifndef SRV_HTTP_TRACE_H
#define SRV_HTTP_TRACE_H

#include <stdbool.h>

enum {
    SRV_REQUEST_ID_BYTES = 65,
    SRV_TRACE_ID_BYTES = 33,
    SRV_SPAN_ID_BYTES = 17
};

/*
 * The id of a request: the client's, where it is 1 to 64 letters, digits,
 * '-', '_' or '.', so that it can stand in any log; else a new one.
 */
void srv_request_id(char id[SRV_REQUEST_ID_BYTES], const char *given);

/*
 * Takes trace id and caller's span from a W3C traceparent header; both become
 * "" when the text is none (the specification asks to ignore it then).
 */
bool srv_trace_parse(const char *text, char trace_id[SRV_TRACE_ID_BYTES],
                     char span_id[SRV_SPAN_ID_BYTES]);

/* Whether a text that srv_trace_parse took has the sampled flag. */
bool srv_trace_is_sampled(const char *text);

/* A new trace, and a new span. */
void srv_trace_new(char trace_id[SRV_TRACE_ID_BYTES],
                   char span_id[SRV_SPAN_ID_BYTES]);

#endif
