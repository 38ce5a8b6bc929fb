/*
 * oip_server.h - a served network without HTTP, for tests of handlers.
 *
 * oip_set_up saves a random network "net" with the domains d0, d1, d2 (one
 * expert "e0" each) in the test's folder and serves it in batches of up to
 * four images; oip_ask does with a request what the front does.
 */
#ifndef SY_TESTS_OIP_SERVER_H
#define SY_TESTS_OIP_SERVER_H

#include <jansson.h>

#include "serving/context.h"
#include "serving/http/message.h"

extern struct srv_context oip_server;
extern struct sy_shape oip_shape; /* of the network's input */
extern int oip_classes;           /* of domain d0 */
extern bool oip_pressed;          /* requests come by a thread that is behind */

void oip_set_up(void);

/*
 * As above with the experts e0, e1 and e2 of each domain, which goes the way
 * of this route (its JSON).
 */
void oip_set_up_route(const char *route);

/*
 * As that, or as the first where `route` is NULL, with the latency table of a
 * very slow machine, so that no test waits for it: 25 s for stem, trunk and
 * head, and 1 s for every 10,000 multiply-adds of blocks. Where `threshold` is
 * not below 0 there is a root gate.
 */
void oip_set_up_timed(const char *route, double threshold);

/* As the first, with a root gate that abstains below this probability. */
void oip_set_up_root(double threshold);
void oip_tear_down(void);

/* Saves the next version of a network into the repository; its input becomes
   oip_shape. */
void oip_save_network(const char *name, uint64_t seed);

/*
 * Asks, with the header Inference-Header-Content-Length unless that is NULL;
 * returns the status. The reply is the caller's to release.
 */
int oip_ask_bytes(enum srv_method method, const char *raw, const char *header,
                  const char *body, size_t bytes, struct srv_reply *reply);

/* The reply as JSON, owned; the status must be the expected one. */
json_t *oip_ask(enum srv_method method, const char *raw, const char *body,
                int expected);

/* A POST that must fail with this status and these words. */
void oip_fails(const char *raw, const char *body, int expected,
               const char *says);

/* One such POST, as a row of a table. */
struct oip_refusal {
    const char *raw, *body;
    int status;
    const char *says;
};
void oip_refuses(const struct oip_refusal *refusal);

/*
 * A body with `images` images; pixel i is (i * 7) % 256, as UINT8 or, over
 * 255, as FP32. `before` and `after` stand around its "inputs". Owned.
 */
char *oip_make_body(int images, bool floats, const char *before,
                    const char *after);

/* Posts such a body; the reply, owned. */
json_t *oip_infer(const char *raw, int images, bool floats, const char *before,
                  const char *after);

/* The data of the index-th output, which must have this name. */
json_t *oip_output(json_t *reply, size_t index, const char *name);

#endif
