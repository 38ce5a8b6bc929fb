/*
 * gate.h - whether a request may go on: key, class, place, rate.
 *
 * Without keys everybody may read and infer, and administration is for
 * clients on this machine. With keys, a request needs one that has its
 * route's class, unless the class is open to anonymous clients.
 * Administration from elsewhere needs TLS and a key or a client certificate,
 * or the operator's word that it is meant (insecure_admin). A request that
 * came through a proxy is from elsewhere, and one that a web page of another
 * origin sent is no administration.
 *
 * Thread: init and configure: init. The rest: any.
 */
#ifndef SRV_ACCESS_GATE_H
#define SRV_ACCESS_GATE_H

#include "serving/access/keys.h"
#include "serving/access/rate.h"

struct srv_gate_options {
    bool has_keys;
    struct srv_keys keys;
    bool client_certificates; /* TLS clients have shown one */
    bool insecure_admin;
    int client_rate; /* requests a second of one client; 0: no limit */
};

struct srv_gate {
    pthread_rwlock_t lock; /* guards the options */
    struct srv_gate_options options;
    struct srv_rate rate;
};

void srv_gate_init(struct srv_gate *gate,
                   const struct srv_gate_options *options);
void srv_gate_release(struct srv_gate *gate);
void srv_gate_configure(struct srv_gate *gate,
                        const struct srv_gate_options *options);

/*
 * Judges a request whose route is known. Writes who asks (the key's name, or
 * the address) to request->client. False after an answer of 401, 403 or 429.
 */
bool srv_gate_pass(struct srv_gate *gate, struct srv_request *request,
                   struct srv_reply *reply, int64_t now_ns) SY_MUST_USE;

#endif
