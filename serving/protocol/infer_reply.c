/*
 * infer_reply.c - a finished job to the answer's bytes.
 *
 * DESIGN: binary outputs are written to a second text while the JSON is
 * written to the first, because the JSON must say how long they are; the one
 * is then put behind the other. An output is a matrix of floats or of texts;
 * texts have one writer with two forms, JSON strings or length-prefixed
 * bytes.
 *
 * Source: Triton's extension_binary_data.md and extension_classification.md;
 * order of keys as Triton writes them. Nothing but "binary_data_size" goes
 * into an output's parameters: Triton's C++ client takes any other for it.
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "serving/protocol/infer.h"
#include "serving/protocol/way.h"
#include "serving/protocol/work.h"

/* Where the elements of one output go. */
struct sink {
    struct srv_text *json;
    struct srv_text *blob; /* NULL: into the JSON */
    bool first;            /* no element yet */
};

static void put_text(struct sink *sink, const char *element)
{
    if (sink->blob == NULL) {
        srv_text_puts(sink->json, sink->first ? "" : ",");
        srv_text_string(sink->json, element);
    } else {
        uint32_t bytes = (uint32_t)strlen(element);
        srv_text_add(sink->blob, (const char *)&bytes, sizeof bytes);
        srv_text_add(sink->blob, element, bytes);
    }
    sink->first = false;
}

static void put_floats(struct sink *sink, const float *values, size_t count)
{
    if (sink->blob != NULL) {
        srv_text_add(sink->blob, (const char *)values, count * sizeof *values);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!sink->first) {
            srv_text_add(sink->json, ",", 1);
        }
        srv_text_float(sink->json, values[i]);
        sink->first = false;
    }
}

static const float *rows_of(const struct srv_job *job, enum srv_output output)
{
    return output == SRV_OUT_LOGITS ? job->logits : job->probabilities;
}

/* The best `most` classes of each image as "value:index:label". */
static void put_classes(struct sink *sink, const struct srv_job *job,
                        const float *rows, int most)
{
    const struct sy_domain *domain = srv_job_domain(job);
    struct srv_text element = {0};
    int *top = sy_alloc((size_t)most * sizeof *top);
    if (top == NULL) {
        srv_text_fail(sink->json);
        return;
    }
    for (int n = 0; n < job->image_count; n++) {
        const float *row = rows + (size_t)n * (size_t)job->classes;
        (void)sy_top_classes(row, job->classes, top, most);
        for (int i = 0; i < most; i++) {
            element.bytes = 0;
            srv_text_printf(&element, "%f:%d:%s", (double)row[top[i]], top[i],
                            domain->labels[top[i]]);
            put_text(sink, element.failed ? "" : element.data);
        }
    }
    if (element.failed) {
        srv_text_fail(sink->json);
    }
    srv_text_release(&element);
    sy_free(top);
}

/*
 * One value per image: the domain's name, the label, or its probability. Where
 * the root gate abstained these are "", "" and the likeliest domain's.
 */
static void put_column(struct sink *sink, const struct srv_job *job,
                       enum srv_output output)
{
    for (int n = 0; n < job->image_count; n++) {
        int best = srv_job_class(job, n), at = srv_job_image_domain(job, n);
        const struct sy_domain *domain =
            at >= 0 ? &srv_job_network(job)->domain[at] : NULL;
        const float *row =
            job->probabilities + (size_t)n * (size_t)job->classes;
        if (output == SRV_OUT_DOMAIN) {
            put_text(sink, domain != NULL ? domain->name : "");
        } else if (output == SRV_OUT_LABEL) {
            put_text(sink, domain != NULL ? domain->labels[best] : "");
        } else {
            put_floats(
                sink, domain != NULL ? &row[best] : &job->found[n].sureness, 1);
        }
    }
}

static void put_elements(struct sink *sink, const struct srv_job *job,
                         const struct srv_infer_output *wanted, int columns)
{
    bool is_row = wanted->output == SRV_OUT_PROBABILITIES ||
                  wanted->output == SRV_OUT_LOGITS;
    if (!is_row) {
        put_column(sink, job, wanted->output);
    } else if (wanted->params.classes > 0) {
        put_classes(sink, job, rows_of(job, wanted->output), columns);
    } else {
        put_floats(sink, rows_of(job, wanted->output),
                   (size_t)job->image_count * (size_t)columns);
    }
}

static void put_output(struct srv_text *json, struct srv_text *blobs,
                       const struct srv_infer *infer,
                       const struct srv_infer_output *wanted)
{
    int columns = wanted->output == SRV_OUT_PROBABILITIES ||
                          wanted->output == SRV_OUT_LOGITS
                      ? infer->job->classes
                      : 1;
    bool is_text = srv_output_is_text(wanted->output);
    if (wanted->params.classes > 0) {
        is_text = true;
        columns =
            wanted->params.classes < columns ? wanted->params.classes : columns;
    }
    srv_text_printf(json,
                    "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%d,%d],",
                    srv_output_name(wanted->output), is_text ? "BYTES" : "FP32",
                    infer->job->image_count, columns);
    struct sink sink = {.json = json,
                        .blob = wanted->params.binary ? blobs : NULL,
                        .first = true};
    size_t before = blobs->bytes;
    if (sink.blob == NULL) {
        srv_text_puts(json, "\"data\":[");
    }
    put_elements(&sink, infer->job, wanted, columns);
    if (sink.blob == NULL) {
        srv_text_puts(json, "]}");
    } else {
        srv_text_printf(json, "\"parameters\":{\"binary_data_size\":%zu}}",
                        blobs->bytes - before);
    }
}

/* The route's decisions: a text, since parameters are plain values. */
static void put_decisions(struct srv_text *json, const struct srv_job *job)
{
    char *told = srv_way_explain(job);
    srv_text_puts(json, ",\"explain\":");
    srv_text_string(json, told != NULL ? told : "");
    sy_free(told);
}

/* Everything before the outputs. */
static void put_head(struct srv_text *json, const struct srv_infer *infer)
{
    const struct srv_job *job = infer->job;
    char experts[SRV_EXPERTS_BYTES];
    srv_text_puts(json, "{");
    if (infer->id != NULL) {
        srv_text_puts(json, "\"id\":");
        srv_text_string(json, infer->id);
        srv_text_puts(json, ",");
    }
    srv_text_puts(json, "\"model_name\":");
    srv_text_string(json, infer->model.name);
    srv_text_printf(json,
                    ",\"model_version\":\"%s\",\"parameters\":{"
                    "\"snapshot\":\"%s\",\"domain\":",
                    srv_job_label(job), srv_job_label(job));
    srv_text_string(json, srv_job_domain_name(job));
    srv_text_puts(json, ",\"experts\":");
    srv_text_string(json, srv_way_experts(job, experts));
    srv_text_puts(json, ",\"exit\":");
    srv_text_string(json, srv_way_exit(job));
    if (infer->params.explain) {
        put_decisions(json, job);
    }
    if (job->timed) {
        srv_text_printf(json, ",\"max_madds\":%lld", (long long)job->max_madds);
    }
    if (job->degraded) {
        srv_text_printf(json, ",\"degraded\":%lld", (long long)job->max_madds);
    }
    srv_text_printf(json, ",\"madds\":%lld},\"outputs\":[",
                    (long long)job->madds);
}

void srv_infer_encode(const struct srv_infer *infer, struct srv_text *json,
                      size_t *json_bytes)
{
    struct srv_text blobs = {0};
    put_head(json, infer);
    for (int i = 0; i < infer->output_count; i++) {
        srv_text_puts(json, i > 0 ? "," : "");
        put_output(json, &blobs, infer, &infer->output[i]);
    }
    srv_text_puts(json, "]}");
    *json_bytes = json->bytes;
    if (blobs.failed) {
        srv_text_fail(json);
    } else if (blobs.bytes > 0) {
        srv_text_add(json, blobs.data, blobs.bytes);
    }
    srv_text_release(&blobs);
}
