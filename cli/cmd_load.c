/*
 * cmd_load.c - `switchyard load`: a load on a running server.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "runtime/base/json.h"
#include "serving/load/load.h"

enum { DEFAULT_CLIENTS = 8, OPEN_CLIENTS = 1024, HEADER_BYTES = 4096 };

static atomic_bool stopped;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopped, true);
}

/* Quantiles that are told, as a text, a key and a share. */
static const struct {
    const char *name;
    double q;
} quantiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}};
enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static json_t *latency_json(const struct srv_histogram *latency)
{
    json_t *out = json_pack("{s:f}", "mean", srv_histogram_mean(latency) / 1e3);
    for (int i = 0; i < QUANTILES; i++) {
        int64_t ns = srv_histogram_quantile(latency, quantiles[i].q);
        (void)json_object_set_new(out, quantiles[i].name,
                                  json_real((double)ns / 1e3));
    }
    return out;
}

/* How many inputs were answered, and how many of them by the true class. */
static void count_right(const struct srv_inputs *inputs, int domain,
                        int *answered, int *right)
{
    *answered = *right = 0;
    for (int i = 0; i < inputs->count; i++) {
        const struct srv_input *input = &inputs->input[i];
        bool counts = domain < 0 || input->domain == domain;
        *answered += counts && input->answered;
        *right += counts && input->answered && input->right;
    }
}

/* Top-1 of the answered inputs, or null where no labels are known. */
static json_t *top1_json(const struct srv_inputs *inputs, int domain)
{
    int answered, right;
    count_right(inputs, domain, &answered, &right);
    bool known = inputs->input[0].label >= 0;
    return known && answered > 0 ? json_real((double)right / answered)
                                 : json_null();
}

static json_t *failures_json(const struct srv_load_result *r)
{
    json_t *statuses = json_object();
    for (int status = 0; status < SRV_LOAD_STATUSES; status++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%d", status);
        if (r->status[status] > 0) {
            (void)json_object_set_new(statuses, key,
                                      json_integer(r->status[status]));
        }
    }
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I}", "no_connection",
        (json_int_t)r->no_one, "closed", (json_int_t)r->closed, "timed_out",
        (json_int_t)r->timed_out, "not_http", (json_int_t)r->not_http, "unsent",
        (json_int_t)r->unsent, "status", statuses, "other_bits",
        (json_int_t)r->wrong_bits, "not_an_answer",
        (json_int_t)r->wrong_answer);
}

static int print_json(const char *url, const struct srv_inputs *inputs,
                      const struct srv_load_options *options,
                      const struct srv_load_result *r)
{
    json_t *domains = json_array();
    int answered, right;
    count_right(inputs, -1, &answered, &right);
    for (int d = 0; d < inputs->domain_count; d++) {
        (void)json_array_append_new(
            domains,
            json_pack("{s:s, s:I, s:o, s:o}", "name", inputs->domain[d].name,
                      "done", (json_int_t)r->domain_done[d], "latency_us",
                      latency_json(&r->domain_latency[d]), "top1",
                      top1_json(inputs, d)));
    }
    return cli_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:I, s:I, s:f, s:I, s:o, s:I, "
        "s:o, s:i, s:i, s:o, s:i, s:I, s:o}",
        "url", url, "network", inputs->network, "loop",
        options->rate > 0.0 ? "open" : "closed", "send",
        srv_load_format_names[inputs->format], "clients", options->clients,
        "rate_wanted", options->rate, "seconds", r->seconds, "sent",
        (json_int_t)r->sent, "done", (json_int_t)r->done, "rate",
        r->seconds > 0.0 ? (double)r->done / r->seconds : 0.0, "refused",
        (json_int_t)r->refused, "failed", failures_json(r), "failures",
        (json_int_t)srv_load_failures(r), "latency_us",
        latency_json(&r->latency), "inputs", inputs->count, "answered",
        answered, "top1", top1_json(inputs, -1), "alike",
        srv_inputs_alike(inputs), "connections", (json_int_t)r->connections,
        "domains", domains));
}

static void print_latency(const struct srv_histogram *latency)
{
    for (int i = 0; i < QUANTILES; i++) {
        printf("  %s %.3f", quantiles[i].name,
               (double)srv_histogram_quantile(latency, quantiles[i].q) / 1e6);
    }
    printf("\n");
}

static void print_failures(const struct srv_load_result *r)
{
    const struct {
        const char *text;
        int64_t count;
    } kinds[] = {
        {"without a connection", r->no_one},
        {"closed before the answer", r->closed},
        {"timed out", r->timed_out},
        {"answered with something that is not HTTP", r->not_http},
        {"due and never sent", r->unsent},
        {"answered with other bits than before", r->wrong_bits},
        {"answered with something that is no answer", r->wrong_answer},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].count > 0) {
            printf("failed     %12lld  %s\n", (long long)kinds[i].count,
                   kinds[i].text);
        }
    }
    for (int status = 0; status < SRV_LOAD_STATUSES; status++) {
        if (r->status[status] > 0) {
            printf("failed     %12lld  answered with status %d\n",
                   (long long)r->status[status], status);
        }
    }
}

static void print_text(const struct srv_inputs *inputs,
                       const struct srv_load_options *options,
                       const struct srv_load_result *r)
{
    int answered, right;
    count_right(inputs, -1, &answered, &right);
    if (options->rate > 0.0) {
        printf("open loop, %.0f requests/s", options->rate);
    } else {
        printf("closed loop, %d clients", options->clients);
    }
    printf(", %s, network %s, %.2f s\n", srv_load_format_names[inputs->format],
           inputs->network, r->seconds);
    printf("done       %12lld  %.0f requests/s\n", (long long)r->done,
           r->seconds > 0.0 ? (double)r->done / r->seconds : 0.0);
    if (r->refused > 0) {
        printf("refused    %12lld  503 or 429\n", (long long)r->refused);
    }
    print_failures(r);
    printf("latency ms            ");
    print_latency(&r->latency);
    for (int d = 0; d < inputs->domain_count && inputs->domain_count > 1; d++) {
        printf("  %-20s", inputs->domain[d].name);
        print_latency(&r->domain_latency[d]);
    }
    printf("answers    %12d inputs", answered);
    if (inputs->input[0].label >= 0 && answered > 0) {
        printf(", top-1 %.4f", (double)right / answered);
    }
    printf(r->wrong_bits > 0 ? "; NOT always the same bits\n"
                             : "; always the same bits\n");
}

static void on_progress(void *context, const struct srv_load_result *r)
{
    (void)context;
    if (r->seconds <= 0.0) {
        (void)fprintf(stderr, "\rwarming up");
    } else {
        (void)fprintf(
            stderr,
            "\r%6.1f s  %9.0f requests/s  p99 %8.3f ms  %lld refused, "
            "%lld failed ",
            r->seconds, (double)r->done / r->seconds,
            (double)srv_histogram_quantile(&r->latency, 0.99) / 1e6,
            (long long)r->refused, (long long)srv_load_failures(r));
    }
    (void)fflush(stderr);
}

/* A number of at most `high`, above `low`; text options hold what is not
   whole. */
static enum sy_status take_real(const struct cli_args *args, const char *name,
                                double low, double high, double *value,
                                struct sy_error *err)
{
    const char *text = cli_text(args, name, NULL);
    char *end = NULL;
    if (text == NULL) {
        return SY_OK;
    }
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !(*value >= low && *value <= high)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--%s: expected a number from %g to %g, found \"%s\"",
                       name, low, high, text);
    }
    return SY_OK;
}

/* The index of a word among names that end with NULL. */
static enum sy_status take_choice(const struct cli_args *args, const char *name,
                                  const char *const *names, int *choice,
                                  struct sy_error *err)
{
    const char *text = cli_text(args, name, names[0]);
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *choice = i;
            return SY_OK;
        }
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "--%s: expected %s or %s%s%s, found "
                   "\"%s\"",
                   name, names[0], names[1], names[2] ? " or " : "",
                   names[2] ? names[2] : "", text);
}

static enum sy_status take_headers(const struct cli_args *args,
                                   char lines[HEADER_BYTES],
                                   struct sy_error *err)
{
    int count = 0;
    const char *const *header = cli_list(args, "header", &count);
    size_t used = 0;
    lines[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *colon = strchr(header[i], ':');
        if (colon == NULL || colon == header[i] ||
            strpbrk(header[i], "\r\n") != NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "--header: expected \"Name: value\", found \"%s\"",
                           header[i]);
        }
        int wrote =
            snprintf(lines + used, HEADER_BYTES - used, "%s\r\n", header[i]);
        used += (size_t)wrote;
        if (used >= HEADER_BYTES) {
            return sy_fail(err, SY_BAD_INPUT, "--header: more than %d bytes",
                           HEADER_BYTES);
        }
    }
    return SY_OK;
}

/* The options of both parts; `headers` outlives them. */
static enum sy_status take_options(const struct cli_args *args,
                                   struct srv_inputs_options *in,
                                   struct srv_load_options *load,
                                   char headers[HEADER_BYTES],
                                   struct sy_error *err)
{
    static const char *const arrivals[] = {"poisson", "fixed", NULL};
    static const char *const datatypes[] = {"UINT8", "FP32", NULL};
    int format = 0, arrival = 0, datatype = 0;
    double timeout_s = 10.0;

    SY_TRY(take_real(args, "rate", 1e-3, 1e6, &load->rate, err));
    SY_TRY(take_real(args, "seconds", 0.01, 1e6, &load->seconds, err));
    SY_TRY(take_real(args, "warmup", 0.0, 1e6, &load->warmup_s, err));
    SY_TRY(take_real(args, "timeout", 0.01, 3600.0, &timeout_s, err));
    SY_TRY(take_choice(args, "send", srv_load_format_names, &format, err));
    SY_TRY(take_choice(args, "arrivals", arrivals, &arrival, err));
    SY_TRY(take_choice(args, "datatype", datatypes, &datatype, err));
    SY_TRY(take_headers(args, headers, err));
    load->requests = cli_int(args, "requests", 0);
    if (load->requests == 0 && load->seconds <= 0.0) {
        load->seconds = 10.0;
    }
    load->arrivals = (enum srv_arrivals)arrival;
    load->clients = (int)cli_int(
        args, "clients", load->rate > 0.0 ? OPEN_CLIENTS : DEFAULT_CLIENTS);
    load->timeout_ms = (int)(timeout_s * 1e3);
    load->seed = (uint64_t)cli_int(args, "seed", 1);
    in->network = cli_text(args, "network", NULL);
    in->domains = cli_list(args, "domain", &in->domain_count);
    in->data = cli_text(args, "data", NULL);
    in->format = (enum srv_load_format)format;
    in->floats = datatype == 1;
    in->per_domain = (int)cli_int(args, "inputs", 64);
    in->headers = headers;
    in->timeout_ms = load->timeout_ms;
    in->seed = load->seed;
    return SY_OK;
}

static int run(const struct cli_args *args)
{
    static struct srv_load_result result; /* a histogram is large */
    struct srv_inputs inputs;
    struct srv_inputs_options in = {0};
    struct srv_load_options load = {.warmup_s = 1.0};
    struct sy_error err = {0};
    char headers[HEADER_BYTES];
    const char *url = cli_arg(args, 0);
    bool terminal = isatty(STDERR_FILENO) != 0;

    if (take_options(args, &in, &load, headers, &err) != SY_OK ||
        srv_inputs_open(&inputs, url, &in, &err) != SY_OK) {
        return cli_error(&err);
    }
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    load.progress = terminal ? on_progress : NULL;
    int status = CLI_OK;
    if (srv_load_run(&result, &inputs, &load, &stopped, &err) != SY_OK) {
        status = cli_error(&err);
    } else {
        (void)fputs(terminal ? "\n" : "", stderr);
        if (cli_flag(args, "json")) {
            status = print_json(url, &inputs, &load, &result);
        } else {
            print_text(&inputs, &load, &result);
        }
        if (srv_load_failures(&result) > 0 || result.done == 0) {
            status = CLI_FAILED;
        }
    }
    srv_load_release(&result);
    srv_inputs_close(&inputs);
    return status;
}

static const struct cli_option load_options[] = {
    {"network", CLI_TEXT, "NET", "which network (default: the only one)", 0, 0,
     false},
    {"domain", CLI_LIST, "D[=W]",
     "a domain, and its weight in the mix (default: all, equally)", 0, 0,
     false},
    {"clients", CLI_INT, "N",
     "closed loop: so many clients (default: 8); with --rate: at most so many "
     "connections (default: 1024)",
     1, 65536, false},
    {"rate", CLI_TEXT, "R",
     "open loop: R requests a second; latency counts from when they are due", 0,
     0, false},
    {"arrivals", CLI_TEXT, "A", "poisson or fixed gaps (default: poisson)", 0,
     0, false},
    {"seconds", CLI_TEXT, "S", "how long (default: 10)", 0, 0, false},
    {"requests", CLI_INT, "N", "how many, in place of --seconds", 1, 1000000000,
     false},
    {"warmup", CLI_TEXT, "S", "sent before and not counted (default: 1)", 0, 0,
     false},
    {"timeout", CLI_TEXT, "S", "of one request (default: 10)", 0, 0, false},
    {"send", CLI_TEXT, "F",
     "binary or json tensors, or image: a PNG to /v1/classify (default: "
     "binary)",
     0, 0, false},
    {"datatype", CLI_TEXT, "T", "of tensors: UINT8 or FP32 (default: UINT8)", 0,
     0, false},
    {"data", CLI_TEXT, "DIR",
     "test images of a data folder, whose labels give top-1 (default: random "
     "pixels)",
     0, 0, false},
    {"inputs", CLI_INT, "N", "different images of each domain (default: 64)", 1,
     100000, false},
    {"header", CLI_LIST, "H", "sent with every request, e.g. a key", 0, 0,
     false},
    {"seed", CLI_INT, "N", "of pixels, order and arrivals (default: 1)", 0,
     INT32_MAX, false},
    CLI_JSON,
    CLI_END};

const struct cli_command cmd_load = {
    .name = "load",
    .usage = "load URL [--rate R | --clients N]",
    .summary = "Puts a load on a running server and checks its answers",
    .about = "Closed loop with --clients, open loop with --rate. Every answer "
             "to an\n"
             "image must have the same bits as the one before from the same\n"
             "snapshot. Exit status 1 when a request failed or an answer was "
             "wrong;\n"
             "503 and 429, with which a server sheds load, are counted apart.\n"
             "docs/load.md says how the figures come about.",
    .example = "switchyard load http://127.0.0.1:8000 --rate 500 --seconds 30",
    .options = load_options,
    .min_args = 1,
    .max_args = 1,
    .run = run};
