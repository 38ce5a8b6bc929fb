/*
 * cmd_swap.c - `switchyard swap`: an expert pack on a running server.
 *
 * DESIGN: the steps that were asked for, in the order of their lives: stage
 * (left out where the server has the pack staged already), shadow, canary,
 * promote; or rollback, or drop. A shadow or canary is watched until a window
 * of its rules has been judged, so that what comes next rests on something.
 */
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "runtime/artefact/pack.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "serving/load/wire.h"

enum {
    HEADER_BYTES = 4096,
    TARGET_BYTES = 512,
    MAX_PACK_BYTES = 1 << 30,
    STAGE_TIMEOUT_MS = 600000,
    LOOK_MS = 250
};

static atomic_bool stopped;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopped, true);
}

struct swap_client {
    struct srv_wire_target target;
    char headers[HEADER_BYTES];
    char network[SY_NAME_BYTES];
    char id[SY_PACK_ID_BYTES];
    char *pack; /* owned: the file's bytes, or NULL: an id was given */
    size_t pack_bytes;
    bool quiet;     /* no progress on stderr */
    json_t *answer; /* owned: the swap as last told, or NULL */
};

/* One exchange; any status but 200 is a failure, 404 one of its own. */
static enum sy_status ask(struct swap_client *client, const char *method,
                          const char *path, const char *body, size_t bytes,
                          struct sy_error *err)
{
    struct srv_wire_request request = {.method = method,
                                       .path = path,
                                       .headers = client->headers,
                                       .body = body,
                                       .body_bytes = bytes,
                                       .timeout_ms = STAGE_TIMEOUT_MS};
    char *text = NULL;
    size_t length = 0;
    int code = 0;
    json_t *root = NULL;
    SY_TRY(srv_wire_ask(&client->target, &request, &code, &text, &length, err));
    enum sy_status status =
        sy_json_parse(text, length, "the server's answer", &root, err);
    sy_free(text);
    SY_TRY(status);
    if (code != 200) {
        const char *why = json_string_value(json_object_get(root, "error"));
        status = sy_fail(err,
                         code == 404   ? SY_NOT_FOUND
                         : code == 400 ? SY_BAD_INPUT
                                       : SY_BUSY,
                         "the server says %d: %s", code,
                         why != NULL ? why : "nothing further");
        json_decref(root);
        return status;
    }
    json_decref(client->answer);
    client->answer = root;
    return SY_OK;
}

/* "/v1/networks/NET/packs[/ID[/ACT]]" */
static const char *path_of(const struct swap_client *client, const char *id,
                           const char *act, char path[TARGET_BYTES])
{
    (void)snprintf(path, TARGET_BYTES, "/v1/networks/%s/packs%s%s%s%s",
                   client->network, id != NULL ? "/" : "", id != NULL ? id : "",
                   act != NULL ? "/" : "", act != NULL ? act : "");
    return path;
}

static double number_at(json_t *json, const char *a, const char *b)
{
    json_t *at = json_object_get(json, a);
    return json_number_value(b != NULL ? json_object_get(at, b) : at);
}

static const char *text_at(json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* A line for each domain that is compared. */
static void print_trial(json_t *swap, FILE *out)
{
    size_t i;
    json_t *domain;
    json_array_foreach(json_object_get(swap, "domains"), i, domain)
    {
        json_t *t = json_object_get(domain, "trial");
        if (t == NULL) {
            continue;
        }
        fprintf(out,
                "  %-12s %8.0f pairs, agreement %.4f, confidence %.4f -> %.4f, "
                "MAdds %.0f -> %.0f (+%.0f), block us %.1f -> %.1f, answered "
                "%.0f of %.0f, errors %.0f\n",
                text_at(domain, "name"), number_at(t, "pairs", NULL),
                number_at(t, "agreement", NULL),
                number_at(t, "confidence", "served"),
                number_at(t, "confidence", "next"),
                number_at(t, "madds", "served"), number_at(t, "madds", "next"),
                number_at(t, "madds", "extra"), number_at(t, "us", "served"),
                number_at(t, "us", "next"), number_at(t, "answered", NULL),
                number_at(t, "answered", NULL) + number_at(t, "stayed", NULL),
                number_at(t, "errors", NULL));
    }
}

static void print_staged(json_t *swap, FILE *out)
{
    size_t i;
    json_t *domain;
    fprintf(out,
            "pack %s for %s: %s -> %s; bytes: %.0f new, %.0f shared, %.0f "
            "freed; %.0f probe images, largest difference %.2g; checked in "
            "%.1f ms\n",
            text_at(swap, "id"), text_at(swap, "network"),
            text_at(swap, "served"), text_at(swap, "next"),
            number_at(swap, "bytes", "new"), number_at(swap, "bytes", "shared"),
            number_at(swap, "bytes", "freed"),
            number_at(swap, "probes", "count"),
            number_at(swap, "probes", "difference"),
            number_at(swap, "stage_us", NULL) / 1e3);
    json_array_foreach(json_object_get(swap, "domains"), i, domain)
    {
        fprintf(out,
                "  %-12s at most %.0f -> %.0f MAdds, alone %.1f -> %.1f us%s\n",
                text_at(domain, "name"),
                number_at(domain, "most_madds", "served"),
                number_at(domain, "most_madds", "next"),
                number_at(domain, "alone_us", "served"),
                number_at(domain, "alone_us", "next"),
                json_is_true(json_object_get(domain, "new")) ? " (new)" : "");
    }
}

static void print_phase(json_t *swap, FILE *out)
{
    fprintf(out, "%s: %s%s%s%s\n", text_at(swap, "id"), text_at(swap, "phase"),
            json_is_true(json_object_get(swap, "automatic")) ? " by its rules"
                                                             : "",
            text_at(swap, "reason")[0] != '\0' ? ": " : "",
            text_at(swap, "reason"));
}

static void say(const struct swap_client *client,
                void (*print)(json_t *, FILE *))
{
    if (!client->quiet) {
        print(client->answer, stderr);
    }
}

/* Whether the server has this pack staged; its state is then the answer. */
static bool is_there(struct swap_client *client)
{
    char path[TARGET_BYTES];
    return ask(client, "GET", path_of(client, client->id, NULL, path), NULL, 0,
               NULL) == SY_OK;
}

static enum sy_status stage(struct swap_client *client, bool dry_run,
                            struct sy_error *err)
{
    char path[TARGET_BYTES], target[TARGET_BYTES + 16];
    if (!dry_run && is_there(client)) {
        return SY_OK;
    }
    if (client->pack == NULL) {
        return sy_fail(err, SY_NOT_FOUND,
                       "the server has no pack %s staged: name its file",
                       client->id);
    }
    (void)snprintf(target, sizeof target, "%s%s",
                   path_of(client, NULL, NULL, path),
                   dry_run ? "?dry_run=true" : "");
    SY_TRY(ask(client, "POST", target, client->pack, client->pack_bytes, err));
    say(client, print_staged);
    return SY_OK;
}

static enum sy_status act(struct swap_client *client, const char *what,
                          json_t *body, struct sy_error *err)
{
    char path[TARGET_BYTES];
    char *text = json_dumps(body, JSON_COMPACT);
    if (text == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "out of memory");
    }
    enum sy_status status =
        ask(client, "POST", path_of(client, client->id, what, path), text,
            strlen(text), err);
    sy_free(text);
    if (status == SY_OK) {
        say(client, print_phase);
    }
    return status;
}

/* Watches a trial until a window was judged good, its phase has changed, or
   the time is over; in the second case the outcome is the server's. */
static enum sy_status watch(struct swap_client *client, const char *phase,
                            double seconds, struct sy_error *err)
{
    char path[TARGET_BYTES];
    int64_t until_ns = sy_now_ns() + (int64_t)(seconds * 1e9);
    while (!atomic_load(&stopped) && sy_now_ns() < until_ns) {
        struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
        nanosleep(&look, NULL);
        SY_TRY(ask(client, "GET", path_of(client, client->id, NULL, path), NULL,
                   0, err));
        bool left = strcmp(text_at(client->answer, "phase"), phase) != 0;
        bool bad = text_at(client->answer, "reason")[0] != '\0';
        if (left || bad || number_at(client->answer, "windows", NULL) >= 1) {
            say(client, print_trial);
            if (strcmp(text_at(client->answer, "phase"), "promoted") == 0) {
                say(client, print_phase);
                return SY_OK;
            }
            return left || bad
                       ? sy_fail(err, SY_CANCELLED, "pack %s is %s: %s",
                                 client->id, text_at(client->answer, "phase"),
                                 text_at(client->answer, "reason"))
                       : SY_OK;
        }
    }
    say(client, print_trial);
    return sy_fail(err, SY_BUSY,
                   "pack %s is in %s still: %s (see --rule min_samples and "
                   "--wait)",
                   client->id, phase,
                   atomic_load(&stopped) ? "interrupted"
                                         : "too few images came to judge it");
}

/* The rules of --rule KEY=VALUE; owned. */
static enum sy_status make_rules(const struct cli_args *args, json_t **rules,
                                 struct sy_error *err)
{
    int count = 0;
    const char *const *rule = cli_list(args, "rule", &count);
    *rules = json_object();
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(rule[i], '=');
        char key[64];
        json_t *value = equals != NULL
                            ? json_loads(equals + 1, JSON_DECODE_ANY, NULL)
                            : NULL;
        if (value == NULL || (size_t)(equals - rule[i]) >= sizeof key) {
            json_decref(value);
            json_decref(*rules);
            *rules = NULL;
            return sy_fail(err, SY_BAD_INPUT,
                           "--rule: expected KEY=VALUE, for instance "
                           "min_samples=500, found \"%s\"",
                           rule[i]);
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)(equals - rule[i]),
                       rule[i]);
        (void)json_object_set_new(*rules, key, value);
    }
    return SY_OK;
}

static enum sy_status take_percent(const struct cli_args *args,
                                   const char *name, double *percent,
                                   struct sy_error *err)
{
    const char *text = cli_text(args, name, NULL);
    char *end = NULL;
    if (text == NULL) {
        return SY_OK;
    }
    *percent = strtod(text, &end);
    if (end == text || *end != '\0' || !(*percent >= 0 && *percent <= 100)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--%s: expected a percentage from 0 to 100, found "
                       "\"%s\"",
                       name, text);
    }
    return SY_OK;
}

/* A trial of one kind, and what came of it. */
static enum sy_status try_it(struct swap_client *client, const char *what,
                             double percent, json_t *rules, double wait_s,
                             struct sy_error *err)
{
    json_t *body = json_pack("{s:f}", "percent", percent);
    if (json_object_size(rules) > 0) {
        (void)json_object_set(body, "rules", rules);
    }
    enum sy_status status = act(client, what, body, err);
    json_decref(body);
    return status == SY_OK ? watch(client, what, wait_s, err) : status;
}

static enum sy_status end_it(struct swap_client *client,
                             const struct cli_args *args, struct sy_error *err)
{
    char path[TARGET_BYTES];
    json_t *none = json_object();
    enum sy_status status = SY_OK;
    bool promoted = strcmp(text_at(client->answer, "phase"), "promoted") == 0;
    if (cli_flag(args, "rollback")) {
        status = act(client, "rollback", none, err);
    } else if (cli_flag(args, "promote") && !promoted) {
        status = act(client, "promote", none, err);
    }
    json_decref(none);
    if (status == SY_OK && cli_flag(args, "drop")) {
        status = ask(client, "DELETE", path_of(client, client->id, NULL, path),
                     NULL, 0, err);
    }
    return status;
}

/* Everything that was asked for, in order. */
static enum sy_status do_all(struct swap_client *client,
                             const struct cli_args *args, struct sy_error *err)
{
    double shadow = -1, canary = -1, wait_s = 60;
    json_t *rules = NULL;
    const char *wait = cli_text(args, "wait", NULL);
    char *end = NULL;
    SY_TRY(take_percent(args, "shadow", &shadow, err));
    SY_TRY(take_percent(args, "canary", &canary, err));
    if (wait != NULL) {
        wait_s = strtod(wait, &end);
        if (end == wait || *end != '\0' || !(wait_s > 0)) {
            return sy_fail(err, SY_BAD_INPUT,
                           "--wait: expected seconds, found \"%s\"", wait);
        }
    }
    bool dry_run = cli_flag(args, "dry-run");
    bool ends = !dry_run && shadow < 0 && canary < 0 &&
                (cli_flag(args, "rollback") || cli_flag(args, "drop"));
    if (ends && !cli_flag(args, "promote")) {
        return end_it(client, args, err); /* of what is there already */
    }
    SY_TRY(make_rules(args, &rules, err));
    enum sy_status status = stage(client, dry_run, err);
    if (dry_run) {
        json_decref(rules);
        return status;
    }
    if (status == SY_OK && shadow >= 0) {
        status = try_it(client, "shadow", shadow, rules, wait_s, err);
    }
    if (status == SY_OK && canary >= 0) {
        status = try_it(client, "canary", canary, rules, wait_s, err);
    }
    json_decref(rules);
    return status == SY_OK ? end_it(client, args, err) : status;
}

static enum sy_status take_headers(const struct cli_args *args,
                                   struct swap_client *client,
                                   struct sy_error *err)
{
    int count = 0;
    size_t used = 0;
    const char *const *header = cli_list(args, "header", &count);
    for (int i = 0; i < count; i++) {
        int wrote = snprintf(client->headers + used, HEADER_BYTES - used,
                             "%s\r\n", header[i]);
        used += (size_t)wrote;
        if (strchr(header[i], ':') == NULL || used >= HEADER_BYTES ||
            strpbrk(header[i], "\r\n") != NULL) {
            return sy_fail(err, SY_BAD_INPUT,
                           "--header: expected \"Name: value\", found \"%s\"",
                           header[i]);
        }
    }
    return SY_OK;
}

/* The pack's file, or an id of one that is staged. */
static enum sy_status take_pack(struct swap_client *client, const char *pack,
                                struct sy_error *err)
{
    if (!sy_file_exists(pack) && sy_pack_id_valid(pack)) {
        memcpy(client->id, pack, sizeof client->id);
        return client->network[0] != '\0'
                   ? SY_OK
                   : sy_fail(err, SY_BAD_INPUT,
                             "a pack that is named by its id needs --network");
    }
    struct sy_pack *opened = NULL;
    SY_TRY(sy_pack_open(&opened, pack, err));
    memcpy(client->id, opened->id, sizeof client->id);
    if (client->network[0] == '\0') {
        memcpy(client->network, opened->network, sizeof client->network);
    }
    sy_pack_close(opened);
    return sy_file_read(pack, MAX_PACK_BYTES, &client->pack,
                        &client->pack_bytes, err);
}

static int run(const struct cli_args *args)
{
    struct swap_client client = {.quiet = cli_flag(args, "json")};
    struct sy_error err = {0};
    const char *network = cli_text(args, "network", "");
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND};
    int exit_status = CLI_OK;

    (void)snprintf(client.network, sizeof client.network, "%s", network);
    if (srv_wire_find(&client.target, cli_arg(args, 0), &err) != SY_OK ||
        take_headers(args, &client, &err) != SY_OK ||
        take_pack(&client, cli_arg(args, 1), &err) != SY_OK) {
        sy_free(client.pack);
        return cli_error(&err);
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (do_all(&client, args, &err) != SY_OK) {
        exit_status = cli_error(&err);
    }
    if (cli_flag(args, "json") && client.answer != NULL) {
        int printed = cli_json(json_incref(client.answer));
        exit_status = exit_status != CLI_OK ? exit_status : printed;
    }
    json_decref(client.answer);
    sy_free(client.pack);
    return exit_status;
}

static const struct cli_option swap_options[] = {
    {"network", CLI_TEXT, "NET", "which network (default: the pack's)", 0, 0,
     false},
    {"dry-run", CLI_FLAG, NULL,
     "check the pack and tell bytes new, shared and freed; keep nothing", 0, 0,
     false},
    {"shadow", CLI_TEXT, "N",
     "run it beside what is served for N % of its domains' requests", 0, 0,
     false},
    {"canary", CLI_TEXT, "P", "let it answer P % of them", 0, 0, false},
    {"promote", CLI_FLAG, NULL, "serve it", 0, 0, false},
    {"rollback", CLI_FLAG, NULL, "serve what was before", 0, 0, false},
    {"drop", CLI_FLAG, NULL,
     "forget it; after a promotion: what was before is not kept any more", 0, 0,
     false},
    {"rule", CLI_LIST, "KEY=VALUE",
     "how a trial is judged: min_samples, windows, min_agreement, "
     "max_confidence_drift, max_time_ratio, max_errors, promote, rollback",
     0, 0, false},
    {"wait", CLI_TEXT, "S",
     "seconds that a trial may need to be judged (default: 60)", 0, 0, false},
    {"header", CLI_LIST, "H", "sent with every request, e.g. a key", 0, 0,
     false},
    CLI_JSON,
    CLI_END};

const struct cli_command cmd_swap = {
    .name = "swap",
    .usage = "swap URL PACK [--shadow N] [--canary P] [--promote] [--rollback]",
    .summary = "Stages, tries, promotes or rolls back a pack on a server",
    .about = "PACK is a file that `switchyard pack` wrote, or the id of a pack "
             "that is\n"
             "staged. The steps are taken in their order, each once the one "
             "before was\n"
             "judged good; without any the pack is staged and waits. "
             "docs/hot-swap.md\n"
             "says what happens on the server. Exit status 1 when the server "
             "refused, or\n"
             "its rules rolled the pack back.",
    .example = "switchyard swap http://127.0.0.1:8000 better.pack --shadow 100 "
               "--canary 10 --promote",
    .options = swap_options,
    .min_args = 2,
    .max_args = 2,
    .run = run};
