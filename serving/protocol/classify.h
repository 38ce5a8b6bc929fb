/*
 * classify.h - POST /v1/classify: a picture in, a label out.
 *
 * For people and scripts: the body is a PNG or JPEG file of any size, the
 * answer says what it shows and which route found that out. docs/http.md has
 * an example.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_CLASSIFY_H
#define SRV_PROTOCOL_CLASSIFY_H

#include "serving/http/router.h"

/* POST /v1/classify/NET.DOMAIN, or /v1/classify/NET?domain=DOMAIN. */
void srv_classify(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later);

#endif
