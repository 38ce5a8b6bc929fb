/*
 * router.h - method and path to handler, from one table.
 *
 * A pattern is path segments joined by '/', where `*` matches any one
 * segment: "v2/models/" "*" "/infer". A new route is one line of the table
 * (serving/protocol/routes.c), its handler and its test.
 *
 * Thread: any.
 */
#ifndef SRV_HTTP_ROUTER_H
#define SRV_HTTP_ROUTER_H

#include "serving/http/message.h"

/* Answers a request now (reply) or later; `context` is the server's. */
typedef void (*srv_handler_fn)(void *context, const struct srv_request *in,
                               struct srv_reply *reply,
                               struct srv_later *later);

/* What a route is for, which decides who may ask (serving/access). */
enum srv_class {
    SRV_ADMIN, /* changes what is served */
    SRV_INFER, /* answers about images */
    SRV_READ,  /* tells what there is and how it goes */
    SRV_OPEN   /* for everybody, always: health */
};

struct srv_route {
    enum srv_method method;
    const char *pattern;
    srv_handler_fn handler;
    enum srv_class class;
};

/*
 * Finds the route of a request whose method and target are set, and sets its
 * route and captures. Otherwise answers 404, or 405 with an Allow header
 * where the path is known under other methods, and returns false. The first
 * matching line wins; the table ends with a NULL pattern.
 */
bool srv_route_find(const struct srv_route *table, struct srv_request *request,
                    struct srv_reply *reply) SY_MUST_USE;

#endif
