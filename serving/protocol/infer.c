/*
 * infer.c - inference requests: a body to a job.
 *
 * DESIGN: unknown members are passed over, as other servers of the protocol
 * do, but everything that is used is checked. What the request asks for in
 * its parameters (params.h) is settled before its pixels are looked at.
 */
#include "serving/protocol/infer.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/json.h"
#include "serving/protocol/admit.h"
#include "serving/protocol/infer_input.h"

const char *srv_output_name(enum srv_output output)
{
    static const char *const names[SRV_OUTPUTS] = {
        "probabilities", "logits", "domain", "label", "probability"};
    return names[output];
}

bool srv_output_is_text(enum srv_output output)
{
    return output == SRV_OUT_DOMAIN || output == SRV_OUT_LABEL;
}

int srv_model_outputs(const struct srv_model *model,
                      enum srv_output output[SRV_OUTPUTS])
{
    int first = model->domain >= 0 ? SRV_OUT_PROBABILITIES : SRV_OUT_DOMAIN;
    int last = model->domain >= 0 ? SRV_OUT_LOGITS : SRV_OUT_PROBABILITY;
    int count = 0;
    for (int o = first; o <= last; o++) {
        output[count++] = (enum srv_output)o;
    }
    return count;
}

int srv_output_columns(const struct srv_model *model, enum srv_output output)
{
    bool is_row = output == SRV_OUT_PROBABILITIES || output == SRV_OUT_LOGITS;
    return is_row ? model->live->network->domain[model->domain].classes : 1;
}

/* Adds the output that `wanted` names to the list of those to answer. */
static enum sy_status add_output(struct srv_infer *infer, const json_t *wanted,
                                 const enum srv_output *all, int count,
                                 struct sy_error *err)
{
    const char *name = json_string_value(json_object_get(wanted, "name"));
    struct srv_infer_output made = {0};
    SY_TRY(srv_output_params_read(&made.params, wanted,
                                  infer->params.binary_output, err));
    int i = 0;
    while (i < count &&
           (name == NULL || strcmp(name, srv_output_name(all[i])) != 0)) {
        i++;
    }
    if (i == count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "outputs: unexpected inference output '%s' for model "
                       "'%s'",
                       name == NULL ? "" : name, infer->model.name);
    }
    made.output = all[i];
    for (int k = 0; k < infer->output_count; k++) {
        if (infer->output[k].output == made.output) {
            return sy_fail(err, SY_BAD_INPUT,
                           "outputs: '%s' is asked for twice", name);
        }
    }
    if (made.params.classes > 0 && infer->model.domain < 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "outputs: 'classification' applies to the outputs of "
                       "the models of single domains, found '%s'",
                       name);
    }
    infer->output[infer->output_count++] = made;
    return SY_OK;
}

/* All outputs, none asked for in particular. */
static void take_all_outputs(struct srv_infer *infer, bool binary)
{
    enum srv_output all[SRV_OUTPUTS];
    infer->output_count = srv_model_outputs(&infer->model, all);
    for (int i = 0; i < infer->output_count; i++) {
        infer->output[i] = (struct srv_infer_output){
            .output = all[i], .params = {.binary = binary}};
    }
}

static enum sy_status read_outputs(struct srv_infer *infer,
                                   struct sy_error *err)
{
    enum srv_output all[SRV_OUTPUTS];
    int count = srv_model_outputs(&infer->model, all);
    json_t *outputs = json_object_get(infer->root, "outputs");
    if (outputs != NULL && !json_is_array(outputs)) {
        return sy_fail(err, SY_BAD_INPUT, "outputs: expected an array");
    }
    if (json_array_size(outputs) == 0) {
        take_all_outputs(infer, infer->params.binary_output);
        return SY_OK;
    }
    size_t i;
    json_t *wanted;
    json_array_foreach(outputs, i, wanted)
    {
        SY_TRY(add_output(infer, wanted, all, count, err));
    }
    return SY_OK;
}

/* The envelope's JSON, its id, its parameters and the wanted outputs. */
static enum sy_status read_root(struct srv_infer *infer,
                                const struct srv_envelope *envelope,
                                struct sy_error *err)
{
    SY_TRY(sy_json_parse(envelope->text, envelope->bytes, "request body",
                         &infer->root, err));
    if (!json_is_object(infer->root)) {
        return sy_fail(err, SY_BAD_INPUT, "request body: expected an object");
    }
    json_t *id = json_object_get(infer->root, "id");
    if (id != NULL && !json_is_string(id)) {
        return sy_fail(err, SY_BAD_INPUT, "id: expected a string");
    }
    infer->id = json_string_value(id);
    SY_TRY(srv_params_read(&infer->params, infer->root, err));
    return read_outputs(infer, err);
}

/* The job for this input, filled. */
static enum sy_status make_job(struct srv_infer *infer,
                               const struct srv_input *in, struct sy_error *err)
{
    struct srv_job *job = NULL;
    SY_TRY(srv_admit(&job, &infer->model, &infer->params,
                     (int)in->dims.extent[0], err));
    enum sy_status status = srv_input_pixels(in, job->images, err);
    if (status != SY_OK) {
        srv_job_unref(job);
        return status;
    }
    infer->job = job;
    return SY_OK;
}

enum sy_status srv_infer_split(struct srv_infer_body *body, const char *header,
                               const char *data, size_t bytes,
                               struct sy_error *err)
{
    uintmax_t json_bytes = bytes;
    if (header[0] != '\0') {
        char *end;
        json_bytes = strtoumax(header, &end, 10);
        if (header[0] < '0' || header[0] > '9' || *end != '\0' ||
            json_bytes > bytes) {
            return sy_fail(err, SY_BAD_INPUT,
                           SRV_INFER_HEADER
                           ": expected a whole number up to the size of the "
                           "body, %zu bytes, found '%s'",
                           bytes, header);
        }
    }
    *body = (struct srv_infer_body){
        .data = data,
        .bytes = bytes,
        .json_bytes = (size_t)json_bytes,
        .raw = header[0] != '\0' && json_bytes == 0,
    };
    return SY_OK;
}

enum sy_status srv_infer_parse(struct srv_infer *infer,
                               const struct srv_model *model,
                               const struct srv_infer_body *body,
                               int max_images, struct sy_error *err)
{
    SY_ASSERT(body->json_bytes <= body->bytes);
    struct srv_infer made = {.model = *model};
    struct srv_envelope envelope = {0};
    struct srv_input in = {0};
    struct srv_input_rules rules = {.model = model->name,
                                    .shape = model->live->network->spec.input,
                                    .max_images = max_images};
    enum sy_status status;
    srv_live_ref(made.model.live);
    if (body->raw) {
        struct srv_span all = {body->data, body->bytes};
        take_all_outputs(&made, true);
        SY_TRY_OUT(srv_input_raw(&in, all, &rules, err));
    } else {
        struct srv_span binary = {body->data + body->json_bytes,
                                  body->bytes - body->json_bytes};
        SY_TRY_OUT(
            srv_envelope_cut(&envelope, body->data, body->json_bytes, err));
        SY_TRY_OUT(read_root(&made, &envelope, err));
        SY_TRY_OUT(
            srv_input_read(&in, made.root, &envelope, binary, &rules, err));
    }
    SY_TRY_OUT(make_job(&made, &in, err));
    *infer = made;
    made = (struct srv_infer){0};
out:
    srv_envelope_release(&envelope);
    srv_infer_release(&made);
    return status;
}

void srv_infer_release(struct srv_infer *infer)
{
    srv_job_unref(infer->job);
    json_decref(infer->root);
    srv_model_release(&infer->model);
    *infer = (struct srv_infer){0};
}
