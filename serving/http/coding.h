/*
 * coding.h - content codings of bodies: gzip, deflate, identity.
 *
 * Requests may come in any of the three; replies that a handler marks as
 * compressible go out as Accept-Encoding wishes. "deflate" is what HTTP means
 * by it: a zlib stream.
 *
 * Thread: any.
 */
#ifndef SRV_HTTP_CODING_H
#define SRV_HTTP_CODING_H

#include "serving/http/message.h"

/*
 * Answers 501, with an Accept-Encoding header that names those there are, when
 * Content-Encoding is none that srv_coding_decode knows.
 */
void srv_coding_check(const struct srv_request *request,
                      struct srv_reply *reply);

/*
 * Undoes the Content-Encoding: `*body` (owned, sy_alloc family, NUL behind
 * its end) is replaced and the request shows the new one. Answers 413 when
 * there are more than `limit` bytes, 400 for damaged data, and returns false.
 */
bool srv_coding_decode(struct srv_request *request, char **body, size_t limit,
                       struct srv_reply *reply) SY_MUST_USE;

/*
 * Compresses a reply that is compressible, by the coding of the highest
 * q-value, ties to the one named first; "*" is passed over. Where that fails
 * the reply stays as it is.
 */
void srv_coding_encode(const struct srv_request *request,
                       struct srv_reply *reply);

#endif
