/*
 * packs.h - /v1/networks/NET/packs: the life of expert packs over HTTP.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_PACKS_H
#define SRV_PROTOCOL_PACKS_H

#include "serving/http/message.h"

/* GET: the network's swap, as a list of at most one. */
void srv_packs(void *context, const struct srv_request *in,
               struct srv_reply *reply, struct srv_later *later);

/* POST a pack: stages it. GET, DELETE a pack; POST one of its acts. */
void srv_packs_stage(void *context, const struct srv_request *in,
                     struct srv_reply *reply, struct srv_later *later);
void srv_pack(void *context, const struct srv_request *in,
              struct srv_reply *reply, struct srv_later *later);
void srv_pack_drop(void *context, const struct srv_request *in,
                   struct srv_reply *reply, struct srv_later *later);
void srv_pack_act(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later);

#endif
