/*
 * cmd_report.c - `switchyard report`: draws a search's report again.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "search/report/report.h"

static int run(const struct cli_args *args)
{
    struct sy_error err = {0};
    const char *folder = cli_arg(args, 0);
    if (nas_report_folder(folder, cli_text(args, "table", NULL), &err) !=
        SY_OK) {
        return cli_error(&err);
    }
    if (cli_flag(args, "json")) {
        return cli_json(json_pack("{s:o}", "report",
                                  json_sprintf("%s/report.html", folder)));
    }
    printf("written to %s/report.html\n", folder);
    return CLI_OK;
}

static const struct cli_option options[] = {
    {"table", CLI_TEXT, "FILE", "table.json of a comparison, to show as well",
     0, 0, false},
    CLI_JSON,
    CLI_END,
};

const struct cli_command cmd_report = {
    .name = "report",
    .usage = "report RUN [--table FILE]",
    .summary = "Draws the report of a search, also while it runs",
    .about =
        "Writes RUN/report.html from the study store and paths.json in RUN:\n"
        "one page that needs no network. A search does so at its end; this\n"
        "does it at any time.",
    .example = "switchyard report runs/five",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
