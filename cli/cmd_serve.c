/*
 * cmd_serve.c - `switchyard serve`: the server.
 *
 * DESIGN: the first SIGINT or SIGTERM stops cleanly; the handler takes itself
 * away, so the same one again ends the program at once. The flags are made
 * from the table of settings, so the two cannot differ.
 */
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/commands.h"
#include "serving/access/keys.h"
#include "serving/server.h"

enum { LARGE_BYTES = 1 << 20 };

/* What the signal handler stops; set before the handler is. */
static _Atomic(struct srv_server *) running;

static void on_signal(int number)
{
    struct srv_server *server = atomic_load(&running);
    if (server != NULL && number == SIGHUP) {
        srv_server_reload(server);
    } else if (server != NULL) {
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
    action.sa_flags = SA_RESTART;
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The one line on stdout, or the one document. */
static void print_address(const struct cli_args *args,
                          const struct srv_settings *settings, int port)
{
    const char *host = settings->host;
    bool bare = strchr(host, ':') == NULL;
    char url[SRV_TEXT_SETTING_BYTES + 32];
    (void)snprintf(url, sizeof url, "http%s://%s%s%s:%d",
                   settings->tls_cert[0] != '\0' ? "s" : "", bare ? "" : "[",
                   host, bare ? "" : "]", port);
    if (cli_flag(args, "json")) {
        (void)cli_json(json_pack("{s:s, s:s, s:i}", "url", url, "host", host,
                                 "port", port));
    } else {
        printf("listening on %s\n", url);
    }
    (void)fflush(stdout);
}

static enum sy_status take_text(char *field, size_t bytes, const char *flag,
                                const char *text, struct sy_error *err)
{
    if (text == field) {
        return SY_OK;
    }
    if (strlen(text) >= bytes) {
        return sy_fail(err, SY_BAD_INPUT, "--%s: longer than %zu bytes", flag,
                       bytes - 1);
    }
    memcpy(field, text, strlen(text) + 1);
    return SY_OK;
}

/* What was given on the command line goes over the configuration file. */
static enum sy_status take_flags(const struct cli_args *args,
                                 struct srv_settings *settings,
                                 struct sy_error *err)
{
#define TAKE_INT(field, flag, value, def, low, high, live, help)               \
    settings->field = (int)cli_int(args, flag, settings->field);
#define TAKE_TEXT(field, flag, value, def, live, help)                         \
    SY_TRY(take_text(settings->field, sizeof settings->field, flag,            \
                     cli_text(args, flag, settings->field), err));
#define TAKE_FLAG(field, flag, live, help)                                     \
    settings->field |= cli_flag(args, flag);
    SRV_SETTINGS(TAKE_INT, TAKE_TEXT, TAKE_FLAG)
#undef TAKE_INT
#undef TAKE_TEXT
#undef TAKE_FLAG
    int count;
    const char *const *list = cli_list(args, "weight", &count);
    for (int i = 0; i < count; i++) {
        SY_TRY(srv_settings_add_weight(settings, list[i], err));
    }
    list = cli_list(args, "preferred-batch", &count);
    settings->preferred_count = count > 0 ? 0 : settings->preferred_count;
    for (int i = 0; i < count; i++) {
        SY_TRY(srv_settings_add_preferred(settings,
                                          (int)strtol(list[i], NULL, 10), err));
    }
    return cli_count(args) == 0
               ? SY_OK
               : take_text(settings->repository, sizeof settings->repository,
                           "REPOSITORY", cli_arg(args, 0), err);
}

/* Defaults, then the file, then the command line. */
static enum sy_status read_settings(void *context,
                                    struct srv_settings *settings,
                                    struct sy_error *err)
{
    const struct cli_args *args = context;
    const char *path = cli_text(args, "config", NULL);
    srv_settings_default(settings);
    if (path != NULL) {
        SY_TRY(srv_settings_load(settings, path, err));
    }
    return take_flags(args, settings, err);
}

/* As many open files as we may have: connections are made of them. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A new key: its text for the client, its entry for the file of keys. */
static int run_make_key(const char *name)
{
    char text[SRV_KEY_TEXT_BYTES], sha256[SY_HASH_TEXT_BYTES];
    srv_key_make(text, sha256);
    return cli_json(json_pack("{s:s, s:{s:s, s:s, s:[s,s]}}", "key", text,
                              "entry", "name", name, "sha256", sha256,
                              "classes", "infer", "read"));
}

static int run_check(const struct srv_settings *settings)
{
    struct sy_error err = {0};
    if (srv_server_check(settings, &err) != SY_OK) {
        return cli_error(&err);
    }
    printf("%s can be served\n", settings->repository);
    return CLI_OK;
}

/*
 * glibc keeps small freed blocks apart and joins all of them whenever a large
 * one is asked for, which each request does. Without that list a request costs
 * a tenth less.
 *
 * And it keeps large freed blocks once it has seen some. The buffers of a state
 * that is served no more go back to the system: a fifth of the memory of a
 * server that swaps packs.
 */
static void tune_malloc(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#ifdef M_MXFAST
    (void)mallopt(M_MXFAST, 0);
#endif
}

static int run_serve(const struct cli_args *args)
{
    static struct srv_settings settings; /* large, one command a process */
    struct sy_error err = {0};
    struct srv_server *server;
    struct srv_reload reload = {read_settings, (void *)(uintptr_t)args};
    if (cli_text(args, "make-key", NULL) != NULL) {
        return run_make_key(cli_text(args, "make-key", NULL));
    }
    if (read_settings(reload.context, &settings, &err) != SY_OK) {
        return cli_error(&err);
    }
    if (settings.repository[0] == '\0') {
        (void)fprintf(stderr,
                      "switchyard serve: no repository is named, neither as "
                      "argument nor in a configuration\nusage: switchyard %s\n",
                      cmd_serve.usage);
        return CLI_BAD_INPUT;
    }
    if (cli_flag(args, "check")) {
        return run_check(&settings);
    }
    raise_file_limit();
    tune_malloc();
    if (srv_server_new(&server, &settings, &err) != SY_OK) {
        return cli_error(&err);
    }
    atomic_store(&running, server);
    catch_signals();
    print_address(args, &settings, srv_server_port(server));
    srv_server_run(server, &reload);
    atomic_store(&running, NULL);
    srv_server_free(server);
    return CLI_OK;
}

#define DEFAULT(number) " (default: " #number ")"
#define ROW_INT(field, flag, value, def, low, high, live, help)                \
    {flag, CLI_INT, value, help DEFAULT(def), low, high, false},
#define ROW_TEXT(field, flag, value, def, live, help)                          \
    {flag, CLI_TEXT, value, help, 0, 0, false},
#define ROW_FLAG(field, flag, live, help)                                      \
    {flag, CLI_FLAG, NULL, help, 0, 0, false},

static const struct cli_option serve_options[] = {
    {"config", CLI_TEXT, "FILE", "settings as JSON; flags go over them", 0, 0,
     false},
    {"check", CLI_FLAG, NULL, "check settings and networks, and exit", 0, 0,
     false},
    {"make-key", CLI_TEXT, "NAME", "make an API key for the file of keys", 0, 0,
     false},
    SRV_SETTINGS(ROW_INT, ROW_TEXT, ROW_FLAG) //
    {"weight", CLI_LIST, "M=N", "share of the engine of model NET.DOMAIN", 0, 0,
     false},
    {"preferred-batch", CLI_LIST, "N", "a batch of that size is not waited for",
     0, 0, false},
    CLI_JSON,
    CLI_END};

const struct cli_command cmd_serve = {
    .name = "serve",
    .usage = "serve [REPOSITORY] [--config FILE] [--host H] [--port N]",
    .summary = "Serves the networks of a folder over HTTP",
    .about =
        "Speaks the Open Inference Protocol, takes pictures at /v1/classify\n"
        "and has a page at /; docs/http.md describes all of it, docs/serve.md\n"
        "how to run it. Prints one line when it listens. SIGTERM or SIGINT\n"
        "stops it cleanly, SIGHUP reads the configuration again.",
    .example = "switchyard serve runs/models --port 8000",
    .options = serve_options,
    .min_args = 0,
    .max_args = 1,
    .run = run_serve};
