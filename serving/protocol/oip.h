/*
 * oip.h - the Open Inference Protocol (KServe v2) over HTTP and JSON.
 *
 * Handlers for the routes under /v2; docs/http.md describes each of them with
 * an example. They fit srv_handler_fn; `context` is a struct srv_context.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_OIP_H
#define SRV_PROTOCOL_OIP_H

#include "serving/http/router.h"

#define SRV_HANDLER(name)                                                      \
    void name(void *context, const struct srv_request *in,                     \
              struct srv_reply *reply, struct srv_later *later)

SRV_HANDLER(srv_oip_server);      /* GET /v2 */
SRV_HANDLER(srv_oip_live);        /* GET /v2/health/live */
SRV_HANDLER(srv_oip_ready);       /* GET /v2/health/ready */
SRV_HANDLER(srv_oip_models);      /* GET /v2/models */
SRV_HANDLER(srv_oip_model);       /* GET /v2/models/M[/versions/V] */
SRV_HANDLER(srv_oip_model_ready); /* GET .../ready */
SRV_HANDLER(srv_oip_infer);       /* POST .../infer */

#endif
