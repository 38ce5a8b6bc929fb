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

enum { PREDICT_TOP = 5 };

/* Memory for one image on its way to an answer. */
struct predict_buffers {
    uint8_t *pixels;
    float *image;
    float *outputs;
    float *probabilities;
    int64_t max_madds; /* 0: no limit */
};

/* Runs the image through its domain's route. */
static enum sy_status predict_file(const struct cli_session *session,
                                   int domain, const char *path,
                                   const struct predict_buffers *buffers,
                                   struct sy_request *answered,
                                   struct sy_error *err)
{
    const struct sy_network *network = session->network;
    struct sy_shape input = network->spec.input;
    struct dom_image image = {0};
    struct sy_request request = {.image = buffers->image,
                                 .domain = domain,
                                 .max_madds = buffers->max_madds};
    SY_TRY(dom_image_load(&image, path, err));
    enum sy_status status =
        dom_image_fit(&image, input.h, input.w, buffers->pixels, err);
    dom_image_release(&image);
    SY_TRY(status);
    dom_normalise(buffers->pixels, sy_shape_floats(input), buffers->image);
    request.result[0].outputs = buffers->outputs;
    request.result[0].probabilities = buffers->probabilities;
    sy_executor_run(session->executor, &request, 1, NULL);
    *answered = request;
    if (request.status != SY_OK && request.status != SY_NOT_FOUND) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: the network's answer is not made of finite "
                       "numbers",
                       path);
    }
    return SY_OK;
}

/* The names of the experts that ran. */
static json_t *ran_json(const struct sy_network *network,
                        const struct sy_request *request)
{
    json_t *list = json_array();
    for (int i = 0; i < request->taken.ran.count; i++) {
        int e = request->taken.ran.expert[i];
        (void)json_array_append_new(list, json_string(network->expert[e].name));
    }
    return list;
}

/* The way that the request took. */
static json_t *route_json(const struct sy_network *network,
                          const struct sy_request *request)
{
    const struct sy_route *route = network->route[request->found];
    int e = request->taken.expert;
    return json_pack("{s:o, s:s, s:i, s:i, s:I, s:b, s:o}", "experts",
                     ran_json(network, request), "exit",
                     e >= 0 ? network->expert[e].name : "several", "blocks",
                     request->blocks, "reused", request->reused, "madds",
                     (json_int_t)request->madds, "cut", request->taken.cut,
                     "decisions",
                     sy_route_explain(route, network, &request->taken));
}

/* The same in words, below the answer's line. */
static void print_route(const struct sy_network *network,
                        const struct sy_request *request)
{
    const struct sy_route *route = network->route[request->found];
    json_t *told = sy_route_explain(route, network, &request->taken), *one;
    size_t i;
    json_array_foreach(told, i, one)
    {
        const char *gate = json_string_value(json_object_get(one, "gate"));
        const char *exit = json_string_value(json_object_get(one, "exit"));
        bool yes = json_is_true(
            json_object_get(one, gate != NULL ? "chosen" : "ended"));
        printf("    node %lld, child %lld: %s%s %.4f, threshold %.4f: %s\n",
               json_integer_value(json_object_get(one, "node")),
               json_integer_value(json_object_get(one, "child")),
               gate != NULL ? "gate " : "", gate != NULL ? gate : exit,
               json_number_value(json_object_get(one, "value")),
               json_number_value(json_object_get(one, "threshold")),
               gate != NULL ? (yes ? "chosen" : "not chosen")
               : yes        ? "taken"
                            : "goes on");
    }
    json_decref(told);
    printf("    experts");
    for (int e = 0; e < request->taken.ran.count; e++) {
        printf(" %s", network->expert[request->taken.ran.expert[e]].name);
    }
    printf("; %d blocks, %d more reused, %lld MAdds%s\n", request->blocks,
           request->reused, (long long)request->madds,
           request->taken.cut ? "; the budget ended it" : "");
}

/* Of an image for which the root gate found no domain. */
static json_t *nothing_json(const char *path, const struct sy_request *request)
{
    return json_pack("{s:s, s:n, s:n, s:f}", "file", path, "domain", "label",
                     "probability", request->sureness);
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
    struct sy_request request;
    const struct sy_network *network = session->network;
    bool as_json = cli_flag(args, "json");
    bool explain = cli_flag(args, "explain");
    json_t *rows = json_array();
    int status = CLI_OK;
    for (int i = 1; i < cli_count(args) && status == CLI_OK; i++) {
        const char *path = cli_arg(args, i);
        if (predict_file(session, domain, path, buffers, &request, &err) !=
            SY_OK) {
            status = cli_error(&err);
        } else if (request.status == SY_NOT_FOUND && as_json) {
            (void)json_array_append_new(rows, nothing_json(path, &request));
        } else if (request.status == SY_NOT_FOUND) {
            printf("%s: none of the domains (the likeliest %.4f)\n", path,
                   request.sureness);
        } else if (as_json) {
            const struct sy_domain *known = &network->domain[request.found];
            json_t *row = row_json(known, path, buffers->probabilities);
            if (explain) {
                (void)json_object_set_new(row, "route",
                                          route_json(network, &request));
            }
            (void)json_array_append_new(rows, row);
        } else {
            print_row(&network->domain[request.found], path,
                      buffers->probabilities);
            if (explain) {
                print_route(network, &request);
            }
        }
    }
    if (as_json && status == CLI_OK) {
        return cli_json(rows);
    }
    json_decref(rows);
    return status;
}

/* Refuses a budget in which no answer fits. */
static enum sy_status check_budget(const struct cli_session *session,
                                   int domain, int64_t max_madds,
                                   struct sy_error *err)
{
    const struct sy_network *network = session->network;
    int64_t least =
        domain >= 0 ? sy_route_least_madds(network->route[domain], network) : 0;
    if (domain < 0 && max_madds > 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--max-madds: what is enough depends on the domain; "
                       "name it with --domain");
    }
    if (max_madds > 0 && max_madds < least) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--max-madds: expected at least %lld, the multiply-adds "
                       "of the cheapest answer for domain \"%s\", found %lld",
                       (long long)least, network->domain[domain].name,
                       (long long)max_madds);
    }
    return SY_OK;
}

/* The domain of that name; without one -1 where a root gate can find it. */
static enum sy_status choose_domain(const struct cli_session *session,
                                    const char *name, int *domain,
                                    struct sy_error *err)
{
    if (name == NULL && sy_network_root_gate(session->network) >= 0) {
        *domain = -1;
        return SY_OK;
    }
    return cli_session_domain(session, name, domain, err);
}

static size_t most_classes(const struct sy_network *network)
{
    size_t most = 0;
    for (int d = 0; d < network->domain_count; d++) {
        size_t classes = (size_t)network->domain[d].classes;
        most = classes > most ? classes : most;
    }
    return most;
}

static int run(const struct cli_args *args)
{
    struct cli_session session;
    struct sy_error err = {0};
    int domain = 0;
    int status = CLI_FAILED;
    struct cli_session_options opened = {
        .threads = 1, .max_requests = 1, .weights = cli_weights(args)};
    if (cli_session_open(&session, cli_arg(args, 0), &opened, &err) != SY_OK) {
        return cli_error(&err);
    }
    if (cli_session_answers(&session, &err) != SY_OK ||
        choose_domain(&session, cli_text(args, "domain", NULL), &domain,
                      &err) != SY_OK ||
        check_budget(&session, domain, cli_int(args, "max-madds", 0), &err) !=
            SY_OK) {
        cli_session_close(&session);
        return cli_error(&err);
    }
    size_t floats = sy_shape_floats(session.network->spec.input);
    size_t classes = most_classes(session.network);
    struct predict_buffers buffers = {
        .pixels = sy_alloc(floats),
        .image = sy_alloc(floats * sizeof(float)),
        .outputs = sy_alloc(classes * sizeof(float)),
        .probabilities = sy_alloc(classes * sizeof(float)),
        .max_madds = cli_int(args, "max-madds", 0),
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
    {"explain", CLI_FLAG, NULL, "also the way through the domain's route", 0, 0,
     false},
    {"max-madds", CLI_INT, "N", "what an image may cost, in multiply-adds", 1,
     INT64_MAX, false},
    CLI_HALF_WEIGHTS,
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_predict = {
    .name = "predict",
    .usage = "predict MODEL [--domain D] [--explain] IMAGE...",
    .summary = "Labels PNG and JPEG files",
    .about =
        "--domain may be left out when the model has one domain only, or a\n"
        "root gate, which then finds the domain of each image.",
    .example = "switchyard predict runs/models/first --domain mnist digit.png",
    .options = options,
    .min_args = 2,
    .max_args = -1,
    .run = run,
};
