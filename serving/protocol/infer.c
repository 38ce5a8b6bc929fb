/*
 * infer.c - inference requests: JSON to a job, a finished job to JSON.
 *
 * DESIGN: unknown members are passed over, as other servers of the protocol
 * do, but everything that is used is checked, and parameters must be plain
 * values. The shape is held against the length of the text before memory is
 * taken for it, so that a short request cannot ask for much.
 *
 * FP32 pixels are what an 8-bit pixel is after division by 255; they go
 * through the same float expression as dom_normalise has for bytes,
 * x * 2 - 1, so u / 255 written with nine digits gives the very bits that u
 * itself gives.
 */
#include "serving/protocol/infer.h"

#include <string.h>

#include "domains/batch/batch.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/protocol/json_tensor.h"
#include "serving/protocol/work.h"

static const char *const output_name[SRV_OUTPUTS] = {
    "probabilities", "logits", "domain", "label", "probability"};

/* How far outside [0, 1] a pixel may lie. */
static const float PIXEL_SLACK = 1e-3f;

/* The input tensor as the envelope describes it. */
struct input {
    bool is_u8;
    struct srv_dims dims;
    size_t elements;
    const struct srv_span *data;
};

/* Checks that a "parameters" member holds plain values only. */
static enum sy_status check_parameters(const json_t *owner, const char *where,
                                       struct sy_error *err)
{
    json_t *parameters = json_object_get(owner, "parameters");
    if (parameters == NULL) {
        return SY_OK;
    }
    if (!json_is_object(parameters)) {
        return sy_fail(err, SY_BAD_INPUT, "%sparameters: expected an object",
                       where);
    }
    const char *key;
    json_t *value;
    json_object_foreach(parameters, key, value)
    {
        if (!json_is_string(value) && !json_is_number(value) &&
            !json_is_boolean(value)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%sparameters.%s: expected a string, a number or "
                           "a boolean",
                           where, key);
        }
    }
    /* Those that ask for binary outputs are wishes: clients read JSON too. */
    static const char *const refused[] = {
        "binary_data_size", "shared_memory_region", "classification"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (json_object_get(parameters, refused[i]) != NULL) {
            return sy_fail(err, SY_UNSUPPORTED,
                           "%sparameters.%s: only whole JSON tensors are "
                           "supported by this server",
                           where, refused[i]);
        }
    }
    return SY_OK;
}

/* The domain: the model's own, or the one that a parameter names. */
static enum sy_status find_domain(const struct srv_infer *infer, int *domain,
                                  struct sy_error *err)
{
    json_t *parameters = json_object_get(infer->root, "parameters");
    json_t *name = json_object_get(parameters, "domain");
    if (name != NULL && !json_is_string(name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "parameters.domain: expected a string");
    }
    return srv_model_domain(&infer->model, json_string_value(name), domain,
                            err);
}

static enum sy_status read_shape(struct srv_dims *dims, const json_t *input,
                                 struct sy_shape want, int max_images,
                                 struct sy_error *err)
{
    json_t *shape = json_object_get(input, "shape");
    size_t count = json_array_size(shape);
    int64_t found[4] = {0};
    bool whole = json_is_array(shape) && count == 4;
    for (size_t i = 0; i < 4 && whole; i++) {
        const json_t *extent = json_array_get(shape, i);
        whole = json_is_integer(extent);
        found[i] = json_integer_value(extent);
    }
    if (!whole || found[0] < 1 || found[1] != want.h || found[2] != want.w ||
        found[3] != want.c) {
        char text[64];
        size_t bytes = json_dumpb(shape, text, sizeof text,
                                  JSON_COMPACT | JSON_ENCODE_ANY);
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].shape: expected [N,%d,%d,%d] with N at "
                       "least 1, found %.*s",
                       want.h, want.w, want.c,
                       bytes <= sizeof text ? (int)bytes : 0, text);
    }
    if (found[0] > max_images) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].shape: %lld images are more than the %d "
                       "that one request may hold",
                       (long long)found[0], max_images);
    }
    dims->count = 4;
    for (int i = 0; i < 4; i++) {
        dims->extent[i] = (size_t)found[i];
    }
    return SY_OK;
}

/* The array that was cut out of this input. */
static enum sy_status find_data(struct input *in, const json_t *input,
                                const struct srv_envelope *envelope,
                                struct sy_error *err)
{
    json_t *data = json_object_get(input, "data");
    if (!json_is_array(data)) {
        return sy_fail(err, SY_BAD_INPUT,
                       data == NULL
                           ? "inputs[0].data: is missing"
                           : "inputs[0].data: expected an array of numbers");
    }
    json_int_t mark = json_integer_value(json_array_get(data, 0));
    if (json_array_size(data) != 1 || mark < 0 || mark >= envelope->cut_count) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].data: expected an array of numbers");
    }
    in->data = &envelope->cut[mark];
    return SY_OK;
}

/* Everything about the one input but its numbers. */
static enum sy_status read_input(struct input *in,
                                 const struct srv_infer *infer,
                                 const struct srv_envelope *envelope,
                                 int max_images, struct sy_error *err)
{
    json_t *inputs = json_object_get(infer->root, "inputs");
    json_t *input = json_array_get(inputs, 0);
    if (json_array_size(inputs) != 1 || !json_is_object(input)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs: expected an array with the one input "
                       "'image', found %zu entries",
                       json_array_size(inputs));
    }
    const char *name = json_string_value(json_object_get(input, "name"));
    if (name == NULL || strcmp(name, "image") != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].name: unexpected inference input '%s' for "
                       "model '%s', expected 'image'",
                       name == NULL ? "" : name, infer->model.name);
    }
    SY_TRY(check_parameters(input, "inputs[0].", err));
    const char *type = json_string_value(json_object_get(input, "datatype"));
    if (type == NULL ||
        (strcmp(type, "UINT8") != 0 && strcmp(type, "FP32") != 0)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].datatype: expected UINT8 or FP32, found "
                       "'%s'",
                       type == NULL ? "" : type);
    }
    in->is_u8 = strcmp(type, "UINT8") == 0;
    SY_TRY(read_shape(&in->dims, input, infer->model.live->network->spec.input,
                      max_images, err));
    SY_TRY(find_data(in, input, envelope, err));
    in->elements = srv_dims_elements(&in->dims, in->data->bytes / 2);
    if (in->elements == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "inputs[0].data: fewer values than the shape says");
    }
    return SY_OK;
}

/* The outputs that this model has, in their own order. */
static int model_outputs(const struct srv_model *model,
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

/* Adds the output that `wanted` names to the list of those to answer. */
static enum sy_status add_output(struct srv_infer *infer, const json_t *wanted,
                                 const enum srv_output *all, int count,
                                 struct sy_error *err)
{
    const char *name = json_string_value(json_object_get(wanted, "name"));
    SY_TRY(check_parameters(wanted, "outputs[].", err));
    for (int i = 0; i < count && name != NULL; i++) {
        if (strcmp(name, output_name[all[i]]) != 0) {
            continue;
        }
        for (int k = 0; k < infer->output_count; k++) {
            if (infer->output[k] == all[i]) {
                return sy_fail(err, SY_BAD_INPUT,
                               "outputs: '%s' is asked for twice", name);
            }
        }
        infer->output[infer->output_count++] = all[i];
        return SY_OK;
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "outputs: unexpected inference output '%s' for model '%s'",
                   name == NULL ? "" : name, infer->model.name);
}

static enum sy_status read_outputs(struct srv_infer *infer,
                                   struct sy_error *err)
{
    enum srv_output all[SRV_OUTPUTS];
    int count = model_outputs(&infer->model, all);
    json_t *outputs = json_object_get(infer->root, "outputs");
    if (outputs != NULL && !json_is_array(outputs)) {
        return sy_fail(err, SY_BAD_INPUT, "outputs: expected an array");
    }
    if (json_array_size(outputs) == 0) {
        infer->output_count = count;
        memcpy(infer->output, all, sizeof all);
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

/* FP32 pixels to the network's range, in place; refuses what is no pixel. */
static enum sy_status normalise_floats(float *pixels, size_t count,
                                       struct sy_error *err)
{
    for (size_t i = 0; i < count; i++) {
        /* Written so that NaN fails too. */
        if (!(pixels[i] >= -PIXEL_SLACK && pixels[i] <= 1.0f + PIXEL_SLACK)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "inputs[0].data: element %zu: FP32 pixels lie in "
                           "[0, 1], found %g",
                           i, (double)pixels[i]);
        }
        pixels[i] = pixels[i] * 2.0f - 1.0f;
    }
    return SY_OK;
}

/* The numbers, scanned and normalised into the job. */
static enum sy_status read_pixels(const struct input *in, float *images,
                                  struct sy_error *err)
{
    if (!in->is_u8) {
        enum sy_status status =
            srv_tensor_f32(in->data, &in->dims, images, err);
        if (status != SY_OK) {
            sy_error_prefix(err, "inputs[0]");
            return status;
        }
        return normalise_floats(images, in->elements, err);
    }
    uint8_t *pixels = sy_alloc(in->elements);
    if (pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "inputs[0]: out of memory");
    }
    enum sy_status status = srv_tensor_u8(in->data, &in->dims, pixels, err);
    if (status == SY_OK) {
        dom_normalise(pixels, in->elements, images);
    } else {
        sy_error_prefix(err, "inputs[0]");
    }
    sy_free(pixels);
    return status;
}

/* The envelope's JSON, its id and its parameters. */
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
    return check_parameters(infer->root, "", err);
}

enum sy_status srv_infer_parse(struct srv_infer *infer,
                               const struct srv_model *model, const char *body,
                               size_t bytes, int max_images,
                               struct sy_error *err)
{
    struct srv_infer made = {.model = *model};
    struct srv_envelope envelope = {0};
    struct input in = {0};
    int domain;
    srv_live_ref(made.model.live);
    enum sy_status status = srv_envelope_cut(&envelope, body, bytes, err);
    if (status != SY_OK) {
        goto out;
    }
    SY_TRY_OUT(read_root(&made, &envelope, err));
    SY_TRY_OUT(find_domain(&made, &domain, err));
    SY_TRY_OUT(read_outputs(&made, err));
    SY_TRY_OUT(read_input(&in, &made, &envelope, max_images, err));
    SY_TRY_OUT(srv_job_new(&made.job, made.model.live, domain,
                           (int)in.dims.extent[0], err));
    SY_TRY_OUT(read_pixels(&in, made.job->images, err));
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
    srv_model_release(&infer->model);
    json_decref(infer->root);
    *infer = (struct srv_infer){0};
}

static void put_floats(struct srv_text *text, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            srv_text_add(text, ",", 1);
        }
        srv_text_float(text, values[i]);
    }
}

/* One value per image: the domain's name, the label, or its probability. */
static void put_column(struct srv_text *text, const struct srv_job *job,
                       enum srv_output output)
{
    const struct sy_domain *domain = &job->live->network->domain[job->domain];
    for (int n = 0; n < job->image_count; n++) {
        srv_text_puts(text, n > 0 ? "," : "");
        int best = srv_job_class(job, n);
        if (output == SRV_OUT_DOMAIN) {
            srv_text_string(text, domain->name);
        } else if (output == SRV_OUT_LABEL) {
            srv_text_string(text, domain->labels[best]);
        } else {
            srv_text_float(text,
                           job->probabilities[(size_t)n * (size_t)job->classes +
                                              (size_t)best]);
        }
    }
}

static void put_output(struct srv_text *text, const struct srv_job *job,
                       enum srv_output output)
{
    bool is_row = output == SRV_OUT_PROBABILITIES || output == SRV_OUT_LOGITS;
    bool is_text = output == SRV_OUT_DOMAIN || output == SRV_OUT_LABEL;
    srv_text_printf(
        text,
        "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%d,%d],\"data\":[",
        output_name[output], is_text ? "BYTES" : "FP32", job->image_count,
        is_row ? job->classes : 1);
    if (is_row) {
        put_floats(text,
                   output == SRV_OUT_LOGITS ? job->logits : job->probabilities,
                   (size_t)job->image_count * (size_t)job->classes);
    } else {
        put_column(text, job, output);
    }
    srv_text_puts(text, "]}");
}

void srv_infer_encode(const struct srv_infer *infer, struct srv_text *text)
{
    const struct srv_job *job = infer->job;
    const struct sy_network *network = job->live->network;
    srv_text_puts(text, "{");
    if (infer->id != NULL) {
        srv_text_puts(text, "\"id\":");
        srv_text_string(text, infer->id);
        srv_text_puts(text, ",");
    }
    srv_text_puts(text, "\"model_name\":");
    srv_text_string(text, infer->model.name);
    srv_text_printf(text,
                    ",\"model_version\":\"%s\",\"parameters\":{"
                    "\"snapshot\":\"%s\",\"domain\":",
                    job->live->label, job->live->label);
    srv_text_string(text, network->domain[job->domain].name);
    srv_text_puts(text, ",\"experts\":");
    srv_text_string(text, network->expert[job->expert].name);
    srv_text_printf(text, ",\"madds\":%lld},\"outputs\":[",
                    (long long)job->madds);
    for (int i = 0; i < infer->output_count; i++) {
        srv_text_puts(text, i > 0 ? "," : "");
        put_output(text, job, infer->output[i]);
    }
    srv_text_puts(text, "]}");
}
