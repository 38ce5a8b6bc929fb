/*
 * cmd_serve.c - `switchyard serve`: the server.
 *
 * DESIGN: the first SIGINT or SIGTERM stops cleanly; the handler takes itself
 * away, so the same one again ends the program at once.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "serving/server.h"

/* What the signal handler stops; set before the handler is. */
static _Atomic(struct srv_server *) running;

static void on_signal(int number)
{
    (void)number;
    struct srv_server *server = atomic_load(&running);
    if (server != NULL) {
        srv_server_stop(server);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The one line on stdout, or the one document. */
static void print_address(const struct cli_args *args, const char *host,
                          int port)
{
    bool bare = strchr(host, ':') == NULL;
    char url[512];
    (void)snprintf(url, sizeof url, "http://%s%s%s:%d", bare ? "" : "[", host,
                   bare ? "" : "]", port);
    if (cli_flag(args, "json")) {
        (void)cli_json(json_pack("{s:s, s:s, s:i}", "url", url, "host", host,
                                 "port", port));
    } else {
        printf("listening on %s\n", url);
    }
    (void)fflush(stdout);
}

static int run_serve(const struct cli_args *args)
{
    struct srv_server_options options = {
        .repository = cli_arg(args, 0),
        .host = cli_text(args, "host", "127.0.0.1"),
        .port = (int)cli_int(args, "port", 8000),
        .http_threads = (int)cli_int(args, "http-threads", 2),
        .threads = (int)cli_int(args, "threads", 0),
        .max_batch = (int)cli_int(args, "max-batch", 32),
        .max_queue = (int)cli_int(args, "max-queue", 256),
        .max_images = (int)cli_int(args, "max-images", 4096),
        .request_timeout_ms = (int)cli_int(args, "request-timeout-ms", 10000),
        .drain_ms = (int)cli_int(args, "drain-ms", 10000),
        .max_body_bytes = (size_t)cli_int(args, "max-body-mib", 64) << 20,
    };
    struct sy_error err = {0};
    struct srv_server *server;
    if (srv_server_new(&server, &options, &err) != SY_OK) {
        return cli_error(&err);
    }
    atomic_store(&running, server);
    catch_signals();
    print_address(args, options.host, srv_server_port(server));
    srv_server_run(server);
    atomic_store(&running, NULL);
    srv_server_free(server);
    return CLI_OK;
}

static const struct cli_option serve_options[] = {
    {"host", CLI_TEXT, "H", "name or address (default: 127.0.0.1)", 0, 0,
     false},
    {"port", CLI_INT, "N", "port; 0: any free one (default: 8000)", 0, 65535,
     false},
    CLI_THREADS,
    {"http-threads", CLI_INT, "N", "that read and write (default: 2)", 1, 64,
     false},
    {"max-batch", CLI_INT, "N", "images in one batch (default: 32)", 1, 1024,
     false},
    {"max-queue", CLI_INT, "N", "requests that wait (default: 256)", 1, 65536,
     false},
    {"max-images", CLI_INT, "N", "images in one request (default: 4096)", 1,
     1 << 20, false},
    {"max-body-mib", CLI_INT, "N", "largest body, MiB (default: 64)", 1, 1024,
     false},
    {"request-timeout-ms", CLI_INT, "N",
     "until a request is given up (default: 10000)", 1, 3600000, false},
    {"drain-ms", CLI_INT, "N",
     "for requests under way when stopping (default: 10000)", 1, 3600000,
     false},
    CLI_JSON,
    CLI_END};

const struct cli_command cmd_serve = {
    .name = "serve",
    .usage = "serve REPOSITORY [--host H] [--port N]",
    .summary = "Serves the networks of a folder over HTTP",
    .about =
        "Speaks the Open Inference Protocol, takes pictures at /v1/classify\n"
        "and has a page at /; docs/http.md describes all of it. Prints one\n"
        "line when it listens. SIGTERM or SIGINT stops it cleanly.",
    .example = "switchyard serve runs/models --port 8000",
    .options = serve_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_serve};
