/*
 * cmd_latency.c - `switchyard latency build`: a table of what every block
 * costs on this machine.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "runtime/artefact/artefact.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "search/config.h"
#include "search/latency/build.h"

/* Predictions further off than this are worth a word. */
static const double fair_error = 0.1;

/* The network of a configuration, or of a model. */
static enum sy_status load_spec(struct sy_network_spec *spec,
                                char name[SY_NAME_BYTES], const char *what,
                                const char *const *set, int set_count,
                                struct sy_error *err)
{
    static struct nas_config config;
    struct sy_network *network = NULL;
    struct sy_artefact artefact;
    if (sy_file_exists(what)) {
        SY_TRY(nas_config_load(&config, what, set, set_count, err));
        *spec = config.network;
        memcpy(name, config.name, sizeof config.name);
        nas_config_release(&config);
        return SY_OK;
    }
    SY_TRY(sy_artefact_load(what, &network, &artefact, err));
    *spec = network->spec;
    memcpy(name, network->name, sizeof network->name);
    sy_network_free(network);
    return SY_OK;
}

static void print_text(const struct sy_latency *latency, const char *file)
{
    const struct sy_latency_check *check = &latency->check;
    printf("%s, %s kernels, one image on one thread\n", latency->cpu,
           latency->kernels);
    printf("any path %.2f us (stem, trunk, what lies between blocks), a head "
           "of 10 classes %.2f us\n",
           latency->constant_us, sy_latency_head_us(latency, 10));
    if (check->test_paths > 0) {
        printf("fitted on %d random paths; %d others: median error %.1f %%, "
               "worst %.1f %%\n",
               check->fit_paths, check->test_paths, 100 * check->median_error,
               100 * check->worst_error);
    }
    printf("written to %s\n", file);
}

static int build(const struct cli_args *args)
{
    static struct sy_network_spec spec;
    static struct sy_latency latency;
    char name[SY_NAME_BYTES];
    struct sy_error err = {0};
    json_t *table = NULL;
    int set_count = 0, status = CLI_OK;
    const char *file = cli_text(args, "out", NULL);
    const char *const *set = cli_list(args, "set", &set_count);
    struct nas_latency_options options = {
        .name = name,
        .rounds = (int)cli_int(args, "rounds", 0),
        .seed = (uint64_t)cli_int(args, "seed", 1)};
    if (load_spec(&spec, name, cli_arg(args, 1), set, set_count, &err) !=
            SY_OK ||
        nas_latency_build(&table, &latency, &spec, &options, &err) != SY_OK ||
        sy_json_save(file, table, &err) != SY_OK) {
        status = cli_error(&err);
    } else if (cli_flag(args, "json")) {
        status = cli_json(json_incref(table));
    } else {
        print_text(&latency, file);
    }
    if (status == CLI_OK && latency.check.median_error > fair_error) {
        (void)fprintf(stderr,
                      "switchyard: predictions are off by more than %.0f %%: "
                      "was the machine busy? measure again, or with more "
                      "--rounds\n",
                      100 * fair_error);
    }
    json_decref(table);
    return status;
}

static int run(const struct cli_args *args)
{
    if (strcmp(cli_arg(args, 0), "build") != 0) {
        (void)fprintf(stderr,
                      "switchyard latency: expected build, found \"%s\"\n",
                      cli_arg(args, 0));
        return CLI_BAD_INPUT;
    }
    return build(args);
}

static const struct cli_option options[] = {
    {"out", CLI_TEXT, "TABLE.json", "where the table is written", 0, 0, true},
    {"rounds", CLI_INT, "N", "measurements of each block (default 101)", 3,
     100000, false},
    {"seed", CLI_INT, "N", "of images, paths and orders (default 1)", 0,
     INT64_MAX, false},
    CLI_SET,
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_latency = {
    .name = "latency",
    .usage = "latency build MODEL_OR_CONFIG --out TABLE.json",
    .summary = "Measures what every block costs on this machine",
    .about =
        "Every candidate block of the network is timed at its place, one\n"
        "image on one thread; the sum is then checked against random paths\n"
        "measured end to end, and the file says how far off it is. Leave the\n"
        "machine alone meanwhile: some seconds.",
    .example = "switchyard latency build configs/first.json --out table.json",
    .options = options,
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
