/*
 * json_envelope.h - an inference request without its numbers.
 *
 * A request is a little JSON around very many numbers. Parsing each number
 * into a node of its own is what makes JSON servers slow, so the arrays under
 * inputs[i].data are cut out first: the envelope, with "[k]" in place of the
 * k-th array, goes to the JSON library, and the arrays themselves are scanned
 * straight into tensors (json_tensor.h).
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_JSON_ENVELOPE_H
#define SRV_PROTOCOL_JSON_ENVELOPE_H

#include <stddef.h>

#include "runtime/base/status.h"

enum {
    SRV_MAX_CUTS = 16,           /* data arrays of one request */
    SRV_ENVELOPE_BYTES = 1 << 20 /* JSON around the arrays */
};

/* Bytes of somebody else's text. */
struct srv_span {
    const char *text;
    size_t bytes;
};

struct srv_envelope {
    char *text; /* owned; ends with a NUL that `bytes` does not count */
    size_t bytes;
    int cut_count;
    struct srv_span cut[SRV_MAX_CUTS]; /* "[...]", in the body */
};

/*
 * Cuts `body`, whose byte behind the end must be readable and which must
 * outlive the envelope. Only the structure is looked at: what is not JSON
 * is left for the JSON library and the tensor scanner to refuse. Fails for
 * arrays that do not end, more than SRV_MAX_CUTS of them, and an envelope of
 * more than SRV_ENVELOPE_BYTES.
 */
enum sy_status srv_envelope_cut(struct srv_envelope *envelope, const char *body,
                                size_t bytes, struct sy_error *err) SY_MUST_USE;
void srv_envelope_release(struct srv_envelope *envelope);

#endif
