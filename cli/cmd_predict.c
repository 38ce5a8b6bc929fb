/*
 * cmd_predict.c - `switchyard predict`: labels for image files.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "domains/batch/batch.h"
#include "domains/image/image.h"
#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "runtime/network/route.h"

enum { PREDICT_TOP = 5 };

/* Memory for one image on its way to an answer. */
struct predict_buffers {
    uint8_t *pixels;
    float *image;
    float *outputs;
    float *probabilities;
};

static enum sy_status predict_file(const struct cli_session *session,
                                   int domain, const char *path,
                                   const struct predict_buffers *buffers,
                                   struct sy_error *err)
{
    const struct sy_network *network = session->network;
    struct sy_shape input = network->spec.input;
    struct dom_image image = {0};
    struct sy_request request = {.image = buffers->image, .domain = domain};
    SY_TRY(dom_image_load(&image, path, err));
    enum sy_status status =
        dom_image_fit(&image, input.h, input.w, buffers->pixels, err);
    dom_image_release(&image);
    SY_TRY(status);
    dom_normalise(buffers->pixels, sy_shape_floats(input), buffers->image);
    request.lane_count =
        sy_network_route_experts(network, domain, request.expert, SY_MAX_LANES);
    request.result[0].outputs = buffers->outputs;
    request.result[0].probabilities = buffers->probabilities;
    sy_executor_run(session->executor, &request, 1, NULL);
    return SY_OK;
}

static json_t *row_json(const struct sy_domain *domain, const char *path,
                        const float *probabilities)
{
    int top[PREDICT_TOP];
    int count =
        sy_top_classes(probabilities, domain->classes, top, PREDICT_TOP);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        (void)json_array_append_new(
            list, json_pack("{s:s, s:f}", "label", domain->labels[top[i]],
                            "probability", (double)probabilities[top[i]]));
    }
    return json_pack("{s:s, s:s, s:s, s:f, s:o}", "file", path, "domain",
                     domain->name, "label", domain->labels[top[0]],
                     "probability", (double)probabilities[top[0]], "top", list);
}

static void print_row(const struct sy_domain *domain, const char *path,
                      const float *probabilities)
{
    int top[PREDICT_TOP];
    int count =
        sy_top_classes(probabilities, domain->classes, top, PREDICT_TOP);
    printf("%s: %s", path, domain->name);
    for (int i = 0; i < count && i < 3; i++) {
        printf("%s %s %.4f", i > 0 ? "," : "", domain->labels[top[i]],
               (double)probabilities[top[i]]);
    }
    printf("\n");
}

/* All files, in order; stops at the first that is no image. */
static int predict_all(const struct cli_session *session, int domain,
                       const struct predict_buffers *buffers,
                       const struct cli_args *args)
{
    struct sy_error err = {0};
    bool as_json = cli_flag(args, "json");
    const struct sy_domain *known = &session->network->domain[domain];
    json_t *rows = json_array();
    int status = CLI_OK;
    for (int i = 1; i < cli_count(args) && status == CLI_OK; i++) {
        const char *path = cli_arg(args, i);
        if (predict_file(session, domain, path, buffers, &err) != SY_OK) {
            status = cli_error(&err);
        } else if (as_json) {
            (void)json_array_append_new(
                rows, row_json(known, path, buffers->probabilities));
        } else {
            print_row(known, path, buffers->probabilities);
        }
    }
    if (as_json && status == CLI_OK) {
        return cli_json(rows);
    }
    json_decref(rows);
    return status;
}

static int run(const struct cli_args *args)
{
    struct cli_session session;
    struct sy_error err = {0};
    int domain = 0;
    int status = CLI_FAILED;
    if (cli_session_open(&session, cli_arg(args, 0), 1, 1, &err) != SY_OK) {
        return cli_error(&err);
    }
    if (cli_session_domain(&session, cli_text(args, "domain", NULL), &domain,
                           &err) != SY_OK) {
        cli_session_close(&session);
        return cli_error(&err);
    }
    size_t floats = sy_shape_floats(session.network->spec.input);
    size_t classes = (size_t)session.network->domain[domain].classes;
    struct predict_buffers buffers = {
        .pixels = sy_alloc(floats),
        .image = sy_alloc(floats * sizeof(float)),
        .outputs = sy_alloc(classes * sizeof(float)),
        .probabilities = sy_alloc(classes * sizeof(float)),
    };
    if (buffers.pixels && buffers.image && buffers.outputs &&
        buffers.probabilities) {
        status = predict_all(&session, domain, &buffers, args);
    }
    sy_free(buffers.pixels);
    sy_free(buffers.image);
    sy_free(buffers.outputs);
    sy_free(buffers.probabilities);
    cli_session_close(&session);
    return status;
}

static const struct cli_option options[] = {
    {"domain", CLI_TEXT, "D", "whose labels to give", 0, 0, false},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_predict = {
    .name = "predict",
    .usage = "predict MODEL [--domain D] IMAGE...",
    .summary = "Labels PNG and JPEG files",
    .about = "--domain may be left out when the model has one domain only.",
    .example = "switchyard predict runs/models/first --domain mnist digit.png",
    .options = options,
    .min_args = 2,
    .max_args = -1,
    .run = run,
};
