/*
 * inputs.c - what a load sends: the server's networks, the images, the bytes.
 */
#include "serving/load/inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/domain.h"
#include "domains/image/image.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

const char *const srv_load_format_names[SRV_LOAD_FORMATS + 1] = {
    [SRV_LOAD_BINARY] = "binary",
    [SRV_LOAD_JSON] = "json",
    [SRV_LOAD_IMAGE] = "image",
    [SRV_LOAD_FORMATS] = NULL,
};

/* GET as JSON. */
static enum sy_status get_json(const struct srv_inputs *inputs,
                               const char *path,
                               const struct srv_inputs_options *options,
                               json_t **root, struct sy_error *err)
{
    char *body = NULL;
    size_t bytes = 0;

    SY_TRY(srv_wire_get(&inputs->target, path, options->headers,
                        options->timeout_ms, &body, &bytes, err));
    enum sy_status status = sy_json_parse(body, bytes, path, root, err);
    sy_free(body);
    return status;
}

/* The network's name: the one asked for, or the only one. */
static enum sy_status find_network(struct srv_inputs *inputs,
                                   const struct srv_inputs_options *options,
                                   struct sy_error *err)
{
    json_t *root = NULL, *each;
    const char *wanted = options->network, *found = NULL;
    enum sy_status status = SY_OK;
    size_t i;

    SY_TRY(get_json(inputs, "/v1/networks", options, &root, err));
    const json_t *networks = json_object_get(root, "networks");
    json_array_foreach(networks, i, each)
    {
        const char *name = json_string_value(json_object_get(each, "name"));
        if (name != NULL && strlen(name) < sizeof inputs->network &&
            (wanted != NULL ? strcmp(name, wanted) == 0
                            : json_array_size(networks) == 1)) {
            found = name;
        }
    }
    if (found != NULL) {
        (void)snprintf(inputs->network, sizeof inputs->network, "%s", found);
    } else if (wanted != NULL) {
        status = sy_fail(err, SY_BAD_INPUT, "http://%s has no network \"%s\"",
                         inputs->target.host, wanted);
    } else {
        status = sy_fail(err, SY_BAD_INPUT,
                         "http://%s serves %zu networks: choose one with "
                         "--network",
                         inputs->target.host, json_array_size(networks));
    }
    json_decref(root);
    return status;
}

static enum sy_status describe(struct srv_inputs *inputs,
                               const struct srv_inputs_options *options,
                               struct sy_error *err)
{
    char path[SY_NAME_BYTES + 16];
    int h, w, c;

    (void)snprintf(path, sizeof path, "/v1/networks/%s", inputs->network);
    SY_TRY(get_json(inputs, path, options, &inputs->described, err));
    if (json_unpack(inputs->described, "{s:[i,i,i]}", "input", &h, &w, &c) !=
            0 ||
        h < 1 || w < 1 || c != 3 || h > DOM_MAX_SIDE || w > DOM_MAX_SIDE) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected \"input\": [height, width, 3]", path);
    }
    inputs->shape = (struct sy_shape){h, w, c};
    return SY_OK;
}

/* Takes one of the server's domains, with its share of the requests. */
static enum sy_status take_domain(struct srv_inputs *inputs, const char *text,
                                  struct sy_error *err)
{
    size_t length = strcspn(text, "=");
    double weight = 1.0;
    size_t i;
    json_t *found = NULL, *each;

    if (text[length] == '=') {
        char *end = NULL;
        weight = strtod(text + length + 1, &end);
        if (*end != '\0' || !(weight > 0.0) || weight > 1e6) {
            return sy_fail(err, SY_BAD_INPUT,
                           "\"%s\": expected NAME or NAME=WEIGHT with a weight "
                           "above 0",
                           text);
        }
    }
    json_array_foreach(json_object_get(inputs->described, "domains"), i, each)
    {
        const char *name = json_string_value(json_object_get(each, "name"));
        if (name != NULL && strlen(name) == length && length < SY_NAME_BYTES &&
            memcmp(name, text, length) == 0) {
            found = each;
        }
    }
    if (found == NULL || inputs->domain_count == SY_MAX_DOMAINS) {
        return sy_fail(err, SY_BAD_INPUT,
                       "network \"%s\" has no domain "
                       "\"%.*s\"",
                       inputs->network, (int)length, text);
    }
    struct srv_input_domain *domain = &inputs->domain[inputs->domain_count++];
    *domain = (struct srv_input_domain){
        .share = weight, .labels = json_object_get(found, "labels")};
    memcpy(domain->name, text, length);
    return SY_OK;
}

static enum sy_status take_domains(struct srv_inputs *inputs,
                                   const struct srv_inputs_options *options,
                                   struct sy_error *err)
{
    double sum = 0.0;
    size_t i;
    json_t *each;

    for (int d = 0; d < options->domain_count; d++) {
        SY_TRY(take_domain(inputs, options->domains[d], err));
    }
    if (options->domain_count == 0) {
        json_array_foreach(json_object_get(inputs->described, "domains"), i,
                           each)
        {
            const char *name = json_string_value(json_object_get(each, "name"));
            SY_TRY(take_domain(inputs, name != NULL ? name : "", err));
        }
    }
    for (int d = 0; d < inputs->domain_count; d++) {
        sum += inputs->domain[d].share;
    }
    for (int d = 0; d < inputs->domain_count; d++) {
        inputs->domain[d].share /= sum;
    }
    return inputs->domain_count > 0
               ? SY_OK
               : sy_fail(err, SY_BAD_INPUT, "network \"%s\" has no domains",
                         inputs->network);
}

/* A growing text. */
struct text {
    char *data;
    size_t used, room;
    bool failed;
};

static void append(struct text *text, const void *data, size_t bytes)
{
    if (text->used + bytes > text->room && !text->failed) {
        size_t room = 2 * (text->used + bytes) + 1024;
        char *larger = sy_realloc(text->data, room);
        text->failed = larger == NULL;
        text->data = larger != NULL ? larger : text->data;
        text->room = larger != NULL ? room : text->room;
    }
    if (!text->failed) {
        memcpy(text->data + text->used, data, bytes);
        text->used += bytes;
    }
}

static void append_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append_format(struct text *text, const char *format, ...)
{
    char line[1024];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    SY_ASSERT(length >= 0 && (size_t)length < sizeof line);
    append(text, line, (size_t)length);
}

/* The tensor's bytes as `data`, in JSON or binary. */
static void append_tensor(struct text *text, const uint8_t *pixels,
                          size_t count, bool json, bool floats)
{
    if (!json && !floats) {
        append(text, pixels, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        float value = (float)pixels[i] / 255.0f;
        if (!json) {
            append(text, &value, sizeof value);
        } else if (floats) {
            append_format(text, "%s%.9g", i > 0 ? "," : "", (double)value);
        } else {
            append_format(text, "%s%d", i > 0 ? "," : "", pixels[i]);
        }
    }
}

/* The body; `head_bytes` is the length of the JSON before binary data. */
static void make_tensor_body(struct text *body, const struct srv_inputs *inputs,
                             const uint8_t *pixels, bool floats,
                             size_t *head_bytes)
{
    struct sy_shape s = inputs->shape;
    size_t count = sy_shape_floats(s);
    bool json = inputs->format == SRV_LOAD_JSON;

    append_format(body,
                  "{\"inputs\":[{\"name\":\"image\",\"shape\":[1,%d,%d,%d],"
                  "\"datatype\":\"%s\",",
                  s.h, s.w, s.c, floats ? "FP32" : "UINT8");
    if (json) {
        append_format(body, "\"data\":[");
        append_tensor(body, pixels, count, true, floats);
        append_format(body, "]}],\"outputs\":[{\"name\":\"probabilities\"}]}");
        *head_bytes = body->used;
        return;
    }
    append_format(body,
                  "\"parameters\":{\"binary_data_size\":%zu}}],\"outputs\":[{"
                  "\"name\":\"probabilities\",\"parameters\":{\"binary_data\":"
                  "true}}]}",
                  floats ? count * sizeof(float) : count);
    *head_bytes = body->used;
    append_tensor(body, pixels, count, false, floats);
}

static enum sy_status make_request(struct srv_inputs *inputs,
                                   const struct srv_inputs_options *options,
                                   struct srv_input *input, uint8_t *pixels,
                                   struct sy_error *err)
{
    struct text body = {0}, request = {0};
    size_t head_bytes = 0;
    const char *domain = inputs->domain[input->domain].name;
    bool image = inputs->format == SRV_LOAD_IMAGE;

    if (image) {
        struct dom_image picture = {inputs->shape.h, inputs->shape.w,
                                    inputs->shape.c, pixels};
        uint8_t *png = NULL;
        size_t bytes = 0;
        SY_TRY(dom_image_encode_png(&picture, &png, &bytes, err));
        append(&body, png, bytes);
        sy_free(png);
    } else {
        make_tensor_body(&body, inputs, pixels, options->floats, &head_bytes);
    }
    append_format(&request,
                  image ? "POST /v1/classify/%s.%s HTTP/1.1\r\n"
                        : "POST /v2/models/%s.%s/infer HTTP/1.1\r\n",
                  inputs->network, domain);
    append_format(&request, "Host: %s\r\nContent-Length: %zu\r\n",
                  inputs->target.host, body.used);
    if (inputs->format == SRV_LOAD_BINARY) {
        append_format(&request,
                      "Content-Type: application/octet-stream\r\n"
                      "Inference-Header-Content-Length: %zu\r\n",
                      head_bytes);
    } else {
        append_format(&request, "Content-Type: %s\r\n",
                      image ? "image/png" : "application/json");
    }
    append(&request, options->headers, strlen(options->headers));
    append(&request, "\r\n", 2);
    append(&request, body.data, body.used);
    sy_free(body.data);
    input->request = request.data;
    input->request_bytes = request.used;
    return body.failed || request.failed
               ? sy_fail(err, SY_NO_MEMORY, "no memory for requests")
               : SY_OK;
}

/* The network's class of a test image's label, by its text. */
static enum sy_status find_label(const struct srv_input_domain *domain,
                                 const char *text, int *label,
                                 struct sy_error *err)
{
    size_t k;
    json_t *each;

    json_array_foreach(domain->labels, k, each)
    {
        if (json_string_value(each) != NULL &&
            strcmp(json_string_value(each), text) == 0) {
            *label = (int)k;
            return SY_OK;
        }
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "domain \"%s\": the server does not know the class \"%s\" "
                   "of the data folder",
                   domain->name, text);
}

/* The inputs of one domain: test images, or random pixels. */
static enum sy_status make_inputs(struct srv_inputs *inputs,
                                  const struct srv_inputs_options *options,
                                  int d, uint8_t *pixels, struct sy_error *err)
{
    struct srv_input_domain *domain = &inputs->domain[d];
    struct sy_rng rng =
        sy_rng_stream(options->seed, SY_RNG_BENCH, 2, (uint32_t)d);
    struct dom_domain *data = NULL;
    enum sy_status status = SY_OK;
    size_t floats = sy_shape_floats(inputs->shape);

    if (options->data != NULL) {
        struct dom_options all = {0};
        SY_TRY(dom_open(&data, options->data, domain->name, &all, err));
    }
    int there = data != NULL ? dom_count(data, DOM_TEST) : options->per_domain;
    domain->first = inputs->count;
    domain->count = there < options->per_domain ? there : options->per_domain;
    if (domain->count == 0) {
        status = sy_fail(err, SY_BAD_INPUT, "%s/%s has no test images",
                         options->data, domain->name);
    }
    for (int i = 0; i < domain->count && status == SY_OK; i++) {
        struct srv_input *input = &inputs->input[inputs->count++];
        *input = (struct srv_input){.domain = d, .label = -1};
        if (data != NULL) {
            int index = (int)((int64_t)i * there / domain->count);
            status = dom_read(data, DOM_TEST, index, inputs->shape.h,
                              inputs->shape.w, pixels, err);
            int truth = dom_label(data, DOM_TEST, index);
            if (status == SY_OK) {
                status = find_label(domain, dom_class_name(data, truth),
                                    &input->label, err);
            }
        } else {
            for (size_t p = 0; p < floats; p++) {
                pixels[p] = (uint8_t)sy_rng_below(&rng, 256);
            }
        }
        if (status == SY_OK) {
            status = make_request(inputs, options, input, pixels, err);
        }
    }
    dom_close(data);
    return status;
}

enum sy_status srv_inputs_open(struct srv_inputs *inputs, const char *url,
                               const struct srv_inputs_options *options,
                               struct sy_error *err)
{
    uint8_t *pixels = NULL;
    enum sy_status status = SY_OK;

    *inputs = (struct srv_inputs){.format = options->format};
    SY_TRY_OUT(srv_wire_find(&inputs->target, url, err));
    SY_TRY_OUT(find_network(inputs, options, err));
    SY_TRY_OUT(describe(inputs, options, err));
    SY_TRY_OUT(take_domains(inputs, options, err));
    inputs->input = sy_alloc_zero((size_t)inputs->domain_count *
                                      (size_t)options->per_domain,
                                  sizeof *inputs->input);
    pixels = sy_alloc(sy_shape_floats(inputs->shape));
    if (inputs->input == NULL || pixels == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "no memory for requests");
        goto out;
    }
    for (int d = 0; d < inputs->domain_count; d++) {
        SY_TRY_OUT(make_inputs(inputs, options, d, pixels, err));
    }
out:
    sy_free(pixels);
    if (status != SY_OK) {
        srv_inputs_close(inputs);
    }
    return status;
}

void srv_inputs_close(struct srv_inputs *inputs)
{
    for (int i = 0; i < inputs->count; i++) {
        sy_free(inputs->input[i].request);
        for (int k = 0; k < SRV_LOAD_SNAPSHOTS; k++) {
            sy_free(inputs->input[i].known[k].answer);
        }
    }
    sy_free(inputs->input);
    json_decref(inputs->described);
    *inputs = (struct srv_inputs){0};
}

int srv_inputs_draw(const struct srv_inputs *inputs, struct sy_rng *rng)
{
    double at = (double)sy_rng_uniform(rng);
    int d = 0;
    while (d < inputs->domain_count - 1 && at >= inputs->domain[d].share) {
        at -= inputs->domain[d++].share;
    }
    const struct srv_input_domain *domain = &inputs->domain[d];
    return domain->first + (int)sy_rng_below(rng, (uint32_t)domain->count);
}
