/*
 * networks.h - what is served, for people and scripts, and the page.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_NETWORKS_H
#define SRV_PROTOCOL_NETWORKS_H

#include "serving/http/router.h"

/* GET /v1/networks: every network with its state and domains. */
void srv_networks(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later);

/* GET /v1/networks/NET: as `inspect --json`, with live counts. */
void srv_network(void *context, const struct srv_request *in,
                 struct srv_reply *reply, struct srv_later *later);

/* GET /: the page. */
void srv_page(void *context, const struct srv_request *in,
              struct srv_reply *reply, struct srv_later *later);

#endif
