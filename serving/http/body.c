/*
 * body.c - pieces of a body to one.
 */
#include "serving/http/body.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "serving/http/coding.h"

enum { FIRST_BYTES = 16 << 10 };

static const char used_up[] = "the memory for requests is used up for now";

void srv_body_init(struct srv_body *body, struct srv_request *request,
                   struct srv_budget *budget, size_t most_bytes)
{
    *body = (struct srv_body){.budget = budget, .most_bytes = most_bytes};
    request->body = "";
    request->body_bytes = 0;
}

void srv_body_drop(struct srv_body *body, struct srv_request *request)
{
    sy_free(body->data);
    srv_budget_give(body->budget, body->room);
    body->data = NULL;
    body->room = 0;
    request->body = "";
    request->body_bytes = 0;
}

/* Makes room for `need` bytes, or answers 503. */
static bool grow(struct srv_body *body, struct srv_request *request,
                 size_t need, struct srv_reply *reply)
{
    size_t room = body->room * 2;
    room = room < FIRST_BYTES ? FIRST_BYTES : room;
    room = room > body->most_bytes ? body->most_bytes + 1 : room;
    room = room < need ? need : room;
    if (!srv_budget_take(body->budget, room - body->room)) {
        srv_body_drop(body, request);
        srv_reply_error(reply, 503, used_up);
        return false;
    }
    char *data = sy_realloc(body->data, room);
    if (data == NULL) {
        srv_budget_give(body->budget, room - body->room);
        srv_body_drop(body, request);
        srv_reply_error(reply, 503, "out of memory");
        return false;
    }
    body->data = data;
    body->room = room;
    request->body = data;
    return true;
}

bool srv_body_add(struct srv_body *body, struct srv_request *request,
                  const char *piece, size_t bytes, struct srv_reply *reply)
{
    if (bytes > body->most_bytes - request->body_bytes) {
        srv_body_drop(body, request);
        srv_reply_error(reply, 413,
                        "the body is larger than this server accepts");
        return false;
    }
    size_t need = request->body_bytes + bytes + 1;
    if (need > body->room && !grow(body, request, need, reply)) {
        return false;
    }
    memcpy(body->data + request->body_bytes, piece, bytes);
    request->body_bytes += bytes;
    body->data[request->body_bytes] = '\0';
    return true;
}

/* The budget learns of the size afterwards: it is bounded by most_bytes. */
bool srv_body_decode(struct srv_body *body, struct srv_request *request,
                     struct srv_reply *reply)
{
    if (!srv_coding_decode(request, &body->data, body->most_bytes, reply)) {
        return false;
    }
    size_t need = request->body_bytes + 1;
    if (body->data != NULL && need > body->room) {
        if (!srv_budget_take(body->budget, need - body->room)) {
            srv_reply_error(reply, 503, used_up);
            return false;
        }
        body->room = need;
    }
    return true;
}
