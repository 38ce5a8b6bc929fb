/*
 * states.h - how every network and each of its domains is, as JSON.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_STATES_H
#define SRV_PROTOCOL_STATES_H

#include "serving/context.h"
#include "serving/protocol/text.h"

/*
 * An array of {"name","version","state","reason"}, as the repository index
 * has it: first a network, then its domains while it serves. With
 * `ready_only` those alone that serve.
 */
void srv_states_put(struct srv_text *text, struct srv_context *server,
                    bool ready_only);

#endif
