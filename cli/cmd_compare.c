/*
 * cmd_compare.c - `switchyard compare`: strategies side by side.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "runtime/base/memory.h"
#include "search/compare/compare.h"
#include "search/compare/text.h"

static int run(const struct cli_args *args)
{
    static struct nas_config config;
    struct sy_error err = {0};
    json_t *table = NULL;
    if (cli_job_config(args, NULL, &config, &err) != SY_OK) {
        return cli_error(&err);
    }
    struct nas_compare_job job = {
        .config = &config,
        .data = cli_text(args, "data", NULL),
        .out = cli_text(args, "out", NULL),
        .resume = cli_flag(args, "resume"),
        .quiet = cli_flag(args, "quiet"),
        .threads = (int)cli_int(args, "threads", 0),
        .stop = cli_job_stop(),
    };
    int status = CLI_OK;
    if (nas_compare(&job, &table, &err) != SY_OK) {
        status = cli_error(&err);
    } else if (cli_flag(args, "json")) {
        status = cli_json(table);
    } else {
        char *text = nas_compare_text(&config, table);
        printf("%s\nwritten to %s: table.json, table.md, report.html\n",
               text != NULL ? text : "", job.out);
        sy_free(text);
        json_decref(table);
    }
    nas_config_release(&config);
    return status;
}

static const struct cli_option options[] = {
    CLI_JOB_DATA,
    {"out", CLI_TEXT, "DIR", "the folder for all runs and the tables", 0, 0,
     true},
    {"resume", CLI_FLAG, NULL, "go on with what has begun there", 0, 0, false},
    CLI_JOB_OPTIONS,
    CLI_END,
};

const struct cli_command cmd_compare = {
    .name = "compare",
    .usage = "compare CONFIG --data DIR --out DIR [--resume]",
    .summary = "Sets strategies side by side: one network each, one for all",
    .about =
        "Searches, trains and tests every strategy of docs/compare.md with "
        "the\n"
        "same passes over every domain, for every seed of compare.seeds, then\n"
        "the losses and random paths that the configuration asks for. Leaves\n"
        "table.json, table.md and report.html. Hours long; SIGINT writes a "
        "checkpoint, and\n"
        "--resume does what is left.",
    .example = "switchyard compare configs/five.json --data ../shared/data \\\n"
               "      --out runs/compare-five",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
