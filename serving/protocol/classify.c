/*
 * classify.c - picture bytes to a job, a finished job to a label.
 *
 * DESIGN: decoding and resizing happen on the HTTP thread, so the engine only
 * ever sees tensors of the network's size; resizing is the same integer
 * arithmetic that training used (domains/image), so an image that was trained
 * on gives the server the bits it gave the trainer.
 */
#include "serving/protocol/classify.h"

#include <errno.h>
#include <stdlib.h>

#include "domains/batch/batch.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "serving/protocol/admit.h"
#include "serving/protocol/text.h"
#include "serving/protocol/way.h"
#include "serving/protocol/work.h"

enum { TOP_CLASSES = 5 };

static void put_route(struct srv_text *text, const struct srv_job *job);

/* The answer to an image of none of the domains. */
static void put_nothing(struct srv_text *text, const struct srv_job *job)
{
    srv_text_puts(text, "{\"domain\":null,\"label\":null,\"probability\":null,"
                        "\"top\":[],\"domain_probability\":");
    srv_text_float(text, job->found[0].sureness);
    put_route(text, job);
}

static void put_answer(struct srv_text *text, const struct srv_job *job)
{
    int top[TOP_CLASSES];
    int at = srv_job_image_domain(job, 0);
    if (at < 0) {
        put_nothing(text, job);
        return;
    }
    const struct sy_domain *domain = &srv_job_network(job)->domain[at];
    int count =
        sy_top_classes(job->probabilities, domain->classes, top, TOP_CLASSES);
    srv_text_puts(text, "{\"domain\":");
    srv_text_string(text, domain->name);
    srv_text_puts(text, ",\"label\":");
    srv_text_string(text, domain->labels[top[0]]);
    srv_text_puts(text, ",\"probability\":");
    srv_text_float(text, job->probabilities[top[0]]);
    srv_text_puts(text, ",\"top\":[");
    for (int i = 0; i < count; i++) {
        srv_text_puts(text, i > 0 ? ",{\"label\":" : "{\"label\":");
        srv_text_string(text, domain->labels[top[i]]);
        srv_text_puts(text, ",\"probability\":");
        srv_text_float(text, job->probabilities[top[i]]);
        srv_text_puts(text, "}");
    }
    srv_text_puts(text, "]");
    if (job->found != NULL) {
        srv_text_puts(text, ",\"domain_probability\":");
        srv_text_float(text, job->found[0].sureness);
    }
    put_route(text, job);
}

static void put_route(struct srv_text *text, const struct srv_job *job)
{
    const struct sy_network *network = srv_job_network(job);
    srv_text_puts(text, ",\"route\":{\"experts\":[");
    for (int i = 0; i < job->ran.count; i++) {
        srv_text_puts(text, i > 0 ? "," : "");
        srv_text_string(text, network->expert[job->ran.expert[i]].name);
    }
    srv_text_puts(text, "],\"exit\":");
    srv_text_string(text, srv_way_exit(job));
    srv_text_printf(text,
                    ",\"blocks\":%d,\"reused\":%d,\"madds\":%lld,"
                    "\"us\":%lld,\"decisions\":",
                    job->blocks, job->reused, (long long)job->madds,
                    (long long)(job->compute_ns / 1000));
    char *told = srv_way_explain(job);
    srv_text_puts(text, told != NULL ? told : "null");
    sy_free(told);
    if (job->timed) {
        srv_text_printf(text, ",\"max_madds\":%lld", (long long)job->max_madds);
    }
    if (job->degraded) {
        srv_text_printf(text, ",\"degraded\":%lld", (long long)job->max_madds);
    }
    srv_text_puts(text, "}");
    srv_text_puts(text, ",\"snapshot\":");
    srv_text_string(text, srv_job_label(job));
    srv_text_puts(text, "}");
}

static void answer(struct srv_work *work, struct srv_reply *reply)
{
    struct srv_text text = {0};
    put_answer(&text, work->job);
    srv_reply_take(reply, 200, "application/json", text.data, text.bytes);
}

/* Decodes and resizes the picture into the job's one image. */
static enum sy_status fill_image(struct srv_job *job,
                                 const struct srv_request *in,
                                 struct sy_error *err)
{
    struct sy_shape input = job->live->network->spec.input;
    struct dom_image image = {0};
    uint8_t *pixels = sy_alloc(job->image_floats);
    if (pixels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "request body: out of memory");
    }
    enum sy_status status;
    SY_TRY_OUT(dom_image_decode(&image, (const uint8_t *)in->body,
                                in->body_bytes, "request body", err));
    SY_TRY_OUT(dom_image_fit(&image, input.h, input.w, pixels, err));
    dom_normalise(pixels, job->image_floats, job->images);
out:
    dom_image_release(&image);
    sy_free(pixels);
    return status;
}

/* A number of the query, where it is there. */
static enum sy_status read_count(int64_t *count, const char *key, int64_t most,
                                 const struct srv_request *in,
                                 struct sy_error *err)
{
    const char *text = srv_target_query(&in->target, key);
    char *end = NULL;
    if (text == NULL) {
        return SY_OK;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 1 ||
        number > most) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a whole number from 1 to %lld, found "
                       "\"%s\"",
                       key, (long long)most, text);
    }
    *count = number;
    return SY_OK;
}

/* A job for the picture; all that can be wrong with the request is here. */
static enum sy_status parse(struct srv_work *work,
                            const struct srv_model *model,
                            const struct srv_request *in, struct sy_error *err)
{
    struct srv_params params = {.domain =
                                    srv_target_query(&in->target, "domain")};
    if (in->body_bytes == 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "request body: expected the bytes of a PNG or JPEG "
                       "file, found nothing");
    }
    SY_TRY(read_count(&params.max_madds, "max_madds", INT64_MAX, in, err));
    SY_TRY(read_count(&params.deadline_us, "deadline_us", SRV_MAX_TIMEOUT_US,
                      in, err));
    params.timeout_ns = params.deadline_us * 1000;
    SY_TRY(srv_batcher_room(work->server->batcher, model->live, model->domain,
                            err));
    SY_TRY(srv_admit(&work->job, model, &params, 1, err));
    return fill_image(work->job, in, err);
}

static const struct srv_work_kind kind = {
    .bytes = sizeof(struct srv_work), .parse = parse, .answer = answer};

void srv_classify(void *context, const struct srv_request *in,
                  struct srv_reply *reply, struct srv_later *later)
{
    struct srv_context *server = context;
    struct sy_error err = {0};
    struct srv_model model;
    if (srv_model_find(&model, server->repository, in->capture[0], NULL,
                       &err) != SY_OK) {
        srv_reply_failure(reply, &err);
        return;
    }
    srv_work_run(&kind, server, &model, in, reply, later);
}
