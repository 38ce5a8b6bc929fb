/*
 * tf_predict.c - POST /v1/models/M[/versions/V]:predict.
 *
 * DESIGN: both forms are brought to an array of images: in the row form
 * ("instances") each entry is an image, or an object whose one member "image"
 * is; in the column form ("inputs") the tensor of all images stands alone or
 * as the member "image". The answer has the form of the question. The numbers
 * become bytes or floats and then take the way of every other request.
 *
 * Source: tensorflow/serving, g3doc/api_rest.md.
 */
#include <stdio.h>
#include <string.h>

#include "domains/batch/batch.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/protocol/admit.h"
#include "serving/protocol/infer_input.h"
#include "serving/protocol/tf.h"
#include "serving/protocol/work.h"

static const char verb[] = ":predict";

struct predict_call {
    struct srv_work work; /* first */
    bool rows;            /* "instances" -> "predictions" */
};

/* A request's body, checked as far as its numbers. */
struct question {
    json_t *root; /* owned */
    const json_t *images;
    const char *where; /* the member that holds them */
    bool rows;
    bool is_u8;
};

static enum sy_status read_question(struct question *q,
                                    const struct srv_request *in,
                                    struct sy_error *err)
{
    SY_TRY(
        sy_json_parse(in->body, in->body_bytes, "request body", &q->root, err));
    const json_t *rows = json_object_get(q->root, "instances");
    const json_t *columns = json_object_get(q->root, "inputs");
    if ((rows == NULL) == (columns == NULL)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request body: expected either 'instances' or "
                       "'inputs'");
    }
    q->rows = rows != NULL;
    q->where = q->rows ? "instances" : "inputs";
    q->images = q->rows ? rows : columns;
    if (!q->rows && json_is_object(columns) && json_object_size(columns) == 1) {
        q->images = json_object_get(columns, "image");
    }
    const json_t *name = json_object_get(q->root, "signature_name");
    const char *text =
        name == NULL ? "serving_default" : json_string_value(name);
    q->is_u8 = text != NULL && strcmp(text, "serving_default") == 0;
    if (!q->is_u8 && (text == NULL || strcmp(text, "serving_float") != 0)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "signature_name: expected serving_default (UINT8) or "
                       "serving_float (FP32), found '%s'",
                       text == NULL ? "" : text);
    }
    if (!json_is_array(q->images) || json_array_size(q->images) == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected an array of images, 'image'", q->where);
    }
    return SY_OK;
}

/* The tensor that is being filled. */
struct filling {
    const struct question *question;
    int extent[3]; /* of an image */
    void *out;     /* uint8_t or float */
    size_t index;
    struct sy_error *err;
};

static enum sy_status fill_number(struct filling *fill, const json_t *number)
{
    bool is_u8 = fill->question->is_u8;
    json_int_t whole = json_integer_value(number);
    double value = json_number_value(number);
    bool good = is_u8 ? json_is_integer(number) && whole >= 0 && whole <= 255
                      : json_is_number(number);
    if (!good) {
        return sy_fail(fill->err, SY_BAD_INPUT, "%s: element %zu: expected %s",
                       fill->question->where, fill->index,
                       is_u8 ? "a whole number from 0 to 255" : "a number");
    }
    if (is_u8) {
        ((uint8_t *)fill->out)[fill->index++] = (uint8_t)whole;
    } else {
        ((float *)fill->out)[fill->index++] = (float)value;
    }
    return SY_OK;
}

/* An array `level` dimensions into an image; at 3 its numbers follow. */
static enum sy_status fill_array(struct filling *fill, const json_t *array,
                                 int level)
{
    size_t count = (size_t)fill->extent[level];
    if (!json_is_array(array) || json_array_size(array) != count) {
        return sy_fail(fill->err, SY_BAD_INPUT,
                       "%s: at element %zu: an image is an array of "
                       "[%d,%d,%d] numbers",
                       fill->question->where, fill->index, fill->extent[0],
                       fill->extent[1], fill->extent[2]);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(array, i);
        SY_TRY(level == 2 ? fill_number(fill, entry)
                          : fill_array(fill, entry, level + 1));
    }
    return SY_OK;
}

/* All images, normalised into the job. */
static enum sy_status fill_job(struct srv_job *job, const struct question *q,
                               struct sy_error *err)
{
    struct sy_shape input = job->live->network->spec.input;
    size_t elements = (size_t)job->image_count * job->image_floats;
    uint8_t *pixels = q->is_u8 ? sy_alloc(elements) : NULL;
    if (q->is_u8 && pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: out of memory", q->where);
    }
    struct filling fill = {.question = q,
                           .extent = {input.h, input.w, input.c},
                           .out = q->is_u8 ? (void *)pixels : job->images,
                           .err = err};
    enum sy_status status = SY_OK;
    for (size_t n = 0; n < json_array_size(q->images); n++) {
        const json_t *image = json_array_get(q->images, n);
        if (q->rows && json_is_object(image) && json_object_size(image) == 1) {
            image = json_object_get(image, "image");
        }
        SY_TRY_OUT(fill_array(&fill, image, 0));
    }
    if (q->is_u8) {
        dom_normalise(pixels, elements, job->images);
    } else {
        status = srv_normalise_floats(job->images, elements, q->where, err);
    }
out:
    sy_free(pixels);
    return status;
}

static enum sy_status parse(struct srv_work *work,
                            const struct srv_model *model,
                            const struct srv_request *in, struct sy_error *err)
{
    struct predict_call *call = (struct predict_call *)work;
    struct srv_context *server = work->server;
    struct question q = {0};
    struct srv_params params = {0};
    enum sy_status status;
    if (model->domain < 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "model '%s' is a whole network, and this protocol "
                       "cannot name a domain: ask '%s.DOMAIN'",
                       model->name, model->name);
    }
    SY_TRY(srv_batcher_room(server->batcher, model->live, model->domain, err));
    SY_TRY_OUT(read_question(&q, in, err));
    if (json_array_size(q.images) > (size_t)server->max_images) {
        status =
            sy_fail(err, SY_BAD_INPUT,
                    "%s: %zu images are more than the %d that one "
                    "request may hold",
                    q.where, json_array_size(q.images), server->max_images);
        goto out;
    }
    SY_TRY_OUT(srv_admit(&call->work.job, model, &params,
                         (int)json_array_size(q.images), err));
    SY_TRY_OUT(fill_job(call->work.job, &q, err));
    call->rows = q.rows;
out:
    json_decref(q.root);
    return status;
}

static void put_row(struct srv_text *text, const float *row, int classes)
{
    for (int k = 0; k < classes; k++) {
        srv_text_puts(text, k > 0 ? "," : "[");
        srv_text_float(text, row[k]);
    }
    srv_text_puts(text, "]");
}

/* One output of all images. */
static void put_column(struct srv_text *text, const struct srv_job *job,
                       const float *rows)
{
    for (int n = 0; n < job->image_count; n++) {
        srv_text_puts(text, n > 0 ? "," : "[");
        put_row(text, rows + (size_t)n * (size_t)job->classes, job->classes);
    }
    srv_text_puts(text, "]");
}

static void put_answer(struct srv_text *text, const struct predict_call *call)
{
    const struct srv_job *job = call->work.job;
    if (!call->rows) {
        srv_text_puts(text, "{\"outputs\":{\"probabilities\":");
        put_column(text, job, job->probabilities);
        srv_text_puts(text, ",\"logits\":");
        put_column(text, job, job->logits);
        srv_text_puts(text, "}}");
        return;
    }
    srv_text_puts(text, "{\"predictions\":[");
    for (int n = 0; n < job->image_count; n++) {
        size_t at = (size_t)n * (size_t)job->classes;
        srv_text_puts(text,
                      n > 0 ? ",{\"probabilities\":" : "{\"probabilities\":");
        put_row(text, job->probabilities + at, job->classes);
        srv_text_puts(text, ",\"logits\":");
        put_row(text, job->logits + at, job->classes);
        srv_text_puts(text, "}");
    }
    srv_text_puts(text, "]}");
}

static void answer(struct srv_work *work, struct srv_reply *reply)
{
    struct srv_text text = {0};
    put_answer(&text, (struct predict_call *)work);
    srv_reply_take(reply, 200, "application/json", text.data, text.bytes);
    reply->compressible = true;
}

static const struct srv_work_kind kind = {
    .bytes = sizeof(struct predict_call), .parse = parse, .answer = answer};

/* The model before the verb, which ends the last part of the path. */
static bool find_model(struct srv_model *model, struct srv_context *server,
                       const struct srv_request *in, struct srv_reply *reply)
{
    struct sy_error err = {0};
    char last[SRV_TARGET_BYTES];
    const char *version = in->capture[1];
    int bytes = snprintf(last, sizeof last, "%s",
                         version != NULL ? version : in->capture[0]);
    char *colon = strrchr(last, ':');
    if (bytes >= (int)sizeof last || colon == NULL) {
        srv_reply_error(reply, 404, "Not Found");
        return false;
    }
    if (strcmp(colon, verb) != 0) {
        srv_reply_error(reply, 501, "only '%s' is supported, found '%s'", verb,
                        colon);
        return false;
    }
    *colon = '\0';
    if (srv_model_find(model, server->repository,
                       version != NULL ? in->capture[0] : last,
                       version != NULL ? last : NULL, &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return false;
    }
    return true;
}

SRV_HANDLER(srv_tf_predict)
{
    struct srv_context *server = context;
    struct srv_model model;
    if (find_model(&model, server, in, reply)) {
        srv_work_run(&kind, server, &model, in, reply, later);
    }
}
