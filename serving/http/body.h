/*
 * body.h - a request's body while it comes in: bounded, and paid for from the
 * budget of all requests.
 *
 * What is kept is request->body, NUL-terminated, "" while there is none.
 *
 * Thread: one at a time.
 */
#ifndef SRV_HTTP_BODY_H
#define SRV_HTTP_BODY_H

#include "serving/budget.h"
#include "serving/http/message.h"

/* Private to body.c. */
struct srv_body {
    struct srv_budget *budget; /* borrowed; NULL: no limit */
    size_t most_bytes;
    char *data; /* owned */
    size_t room;
};

void srv_body_init(struct srv_body *body, struct srv_request *request,
                   struct srv_budget *budget, size_t most_bytes);

/* Adds a piece; or drops the body and answers 413 or 503: then false. */
bool srv_body_add(struct srv_body *body, struct srv_request *request,
                  const char *piece, size_t bytes, struct srv_reply *reply);

/* Undoes Content-Encoding; false after an answer. */
bool srv_body_decode(struct srv_body *body, struct srv_request *request,
                     struct srv_reply *reply);

/* Gives it back. */
void srv_body_drop(struct srv_body *body, struct srv_request *request);

#endif
