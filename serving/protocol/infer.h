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
#include "serving/protocol/params.h"
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

/* Its name and whether it is BYTES (else FP32); the outputs of a model. */
const char *srv_output_name(enum srv_output output);
bool srv_output_is_text(enum srv_output output);
int srv_model_outputs(const struct srv_model *model,
                      enum srv_output output[SRV_OUTPUTS]);

/* Its extent behind the batch: classes, or 1. */
int srv_output_columns(const struct srv_model *model, enum srv_output output);

/*
 * A body as HTTP brought it: `json_bytes` of envelope, then binary tensors.
 * Or, raw: nothing but the bytes of the one tensor. The byte behind the body
 * must be readable.
 */
struct srv_infer_body {
    const char *data;
    size_t bytes;
    size_t json_bytes; /* at most `bytes` */
    bool raw;
};

#define SRV_INFER_HEADER "Inference-Header-Content-Length"

/*
 * A body as the value of that header ("" when there is none) says it is made
 * up; "0" stands for a raw one. SY_BAD_INPUT: no number up to `bytes`.
 */
enum sy_status srv_infer_split(struct srv_infer_body *body, const char *header,
                               const char *data, size_t bytes,
                               struct sy_error *err) SY_MUST_USE;

struct srv_infer_output {
    enum srv_output output;
    struct srv_output_params params;
};

struct srv_infer {
    struct srv_model model; /* owns a reference */
    json_t *root;           /* owned: the envelope; NULL: raw */
    const char *id;         /* borrowed from root, or NULL */
    struct srv_params params;
    int output_count;
    struct srv_infer_output output[SRV_OUTPUTS];
    struct srv_job *job; /* owned reference; its images are filled */
};

/*
 * Parses a body for a model, of which a reference is taken, with at most
 * `max_images` images. SY_BAD_INPUT names the member that is wrong;
 * SY_UNSUPPORTED what is not offered here.
 */
enum sy_status srv_infer_parse(struct srv_infer *infer,
                               const struct srv_model *model,
                               const struct srv_infer_body *body,
                               int max_images,
                               struct sy_error *err) SY_MUST_USE;

/*
 * The answer's body, once the job is done; *json_bytes of it are JSON, and
 * what follows are binary outputs in their order.
 */
void srv_infer_encode(const struct srv_infer *infer, struct srv_text *text,
                      size_t *json_bytes);

void srv_infer_release(struct srv_infer *infer);

#endif
