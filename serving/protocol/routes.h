/*
 * routes.h - the table of all routes. A new route is one line in routes.c.
 */
#ifndef SRV_PROTOCOL_ROUTES_H
#define SRV_PROTOCOL_ROUTES_H

#include "serving/http/router.h"

/* Ends with a NULL pattern. The handlers' context: struct srv_context. */
extern const struct srv_route srv_routes[];

#endif
