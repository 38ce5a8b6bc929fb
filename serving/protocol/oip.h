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
#include "serving/protocol/model.h"
#include "serving/protocol/text.h"

#define SRV_HANDLER(name)                                                      \
    void name(void *context, const struct srv_request *in,                     \
              struct srv_reply *reply, struct srv_later *later)

/* Answers 200 with JSON; takes the text. */
void srv_oip_reply(struct srv_reply *reply, struct srv_text *text);

/* The model that a request's path names (the caller releases it), or false,
   and the failure is the answer. */
bool srv_oip_find(struct srv_context *server, const struct srv_request *in,
                  struct srv_model *model, struct srv_reply *reply) SY_MUST_USE;

SRV_HANDLER(srv_oip_server);           /* GET /v2 */
SRV_HANDLER(srv_oip_document);         /* GET /v2/docs/dataplane.json */
SRV_HANDLER(srv_oip_live);             /* GET /v2/health/live */
SRV_HANDLER(srv_oip_ready);            /* GET /v2/health/ready */
SRV_HANDLER(srv_oip_models);           /* GET /v2/models */
SRV_HANDLER(srv_oip_model);            /* GET /v2/models/M[/versions/V] */
SRV_HANDLER(srv_oip_model_ready);      /* GET .../ready */
SRV_HANDLER(srv_oip_config);           /* GET .../config */
SRV_HANDLER(srv_oip_stats);            /* GET .../stats */
SRV_HANDLER(srv_oip_all_stats);        /* GET /v2/models/stats */
SRV_HANDLER(srv_oip_index);            /* POST /v2/repository/index */
SRV_HANDLER(srv_oip_load);             /* POST /v2/repository/models/M/load */
SRV_HANDLER(srv_oip_unload);           /* POST /v2/repository/models/M/unload */
SRV_HANDLER(srv_oip_named_repository); /* POST /v2/repository/R/... */
SRV_HANDLER(srv_oip_infer);            /* POST .../infer */

#endif
