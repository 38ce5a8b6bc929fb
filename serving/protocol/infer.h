/*
 * infer.h - one inference request of the protocol, parsed and answered.
 *
 * Two stages with a type between them: bytes -> struct srv_infer (checked,
 * with its job filled), and, when the job is done, struct srv_infer -> bytes.
 * Neither knows of connections.
 *
 * Thread: any (a request belongs to one thread at a time).
 */
#ifndef SRV_PROTOCOL_INFER_H
#define SRV_PROTOCOL_INFER_H

#include <jansson.h>

#include "serving/protocol/model.h"
#include "serving/protocol/text.h"

/* What a model can answer. NET.DOMAIN has the first two, NET the others. */
enum srv_output {
    SRV_OUT_PROBABILITIES,
    SRV_OUT_LOGITS,
    SRV_OUT_DOMAIN,
    SRV_OUT_LABEL,
    SRV_OUT_PROBABILITY,
    SRV_OUTPUTS
};

struct srv_infer {
    struct srv_model model; /* owns a reference */
    json_t *root;           /* owned: the envelope */
    const char *id;         /* borrowed from root, or NULL */
    int output_count;
    enum srv_output output[SRV_OUTPUTS];
    struct srv_job *job; /* owned reference; its images are filled */
};

/*
 * Parses a body (whose byte behind the end is readable) for a model, of
 * which a reference is taken, with at most `max_images` images. SY_BAD_INPUT
 * names the member that is wrong; SY_UNSUPPORTED what is not offered here.
 */
enum sy_status srv_infer_parse(struct srv_infer *infer,
                               const struct srv_model *model, const char *body,
                               size_t bytes, int max_images,
                               struct sy_error *err) SY_MUST_USE;

/* The answer's JSON, once the job is done. */
void srv_infer_encode(const struct srv_infer *infer, struct srv_text *text);

void srv_infer_release(struct srv_infer *infer);

#endif
