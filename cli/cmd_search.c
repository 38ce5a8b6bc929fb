/*
 * cmd_search.c - `switchyard search`: stage one.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "search/supernet/search.h"

static int print_json(const struct nas_search_report *report, const char *run)
{
    char path[SY_PATH_TEXT_BYTES];
    json_t *domains = json_array();
    for (int d = 0; d < report->domain_count; d++) {
        (void)json_array_append_new(
            domains,
            json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "name",
                      report->domain[d].name, "path",
                      sy_path_text(&report->domain[d].path, path), "madds",
                      (json_int_t)report->domain[d].size.madds, "params",
                      (json_int_t)report->domain[d].size.params, "cost",
                      report->domain[d].cost, "target",
                      report->domain[d].target, "valid_top1",
                      report->domain[d].accuracy, "reward",
                      report->domain[d].reward, "entropy",
                      report->domain[d].entropy));
    }
    return cli_json(json_pack(
        "{s:s, s:s, s:I, s:f, s:f, s:f, s:b, s:o}", "run", run, "paths",
        report->paths_file, "steps", (json_int_t)report->steps, "seconds",
        report->seconds, "images_per_s", report->images_per_s, "entropy",
        report->entropy, "decided", report->entropy <= NAS_SEARCH_UNDECIDED,
        "domains", domains));
}

static void print_text(const struct nas_search_report *report)
{
    char path[SY_PATH_TEXT_BYTES];
    printf("%-16s %11s %9s %8s %8s %8s  %s\n", "domain", "valid top-1", "MAdds",
           "params", "reward", "entropy", "path");
    for (int d = 0; d < report->domain_count; d++) {
        printf("%-16s %11.4f %9lld %8lld %8.4f %7.0f%%  %s\n",
               report->domain[d].name, report->domain[d].accuracy,
               (long long)report->domain[d].size.madds,
               (long long)report->domain[d].size.params,
               report->domain[d].reward, 100 * report->domain[d].entropy,
               sy_path_text(&report->domain[d].path, path));
    }
    printf("%lld steps in %.0f s, %.0f images/s; entropy %.0f%% of its start\n"
           "written to %s\n",
           (long long)report->steps, report->seconds, report->images_per_s,
           100 * report->entropy, report->paths_file);
}

static int run(const struct cli_args *args)
{
    static struct nas_config config;
    static struct nas_search_report report;
    struct sy_error err = {0};
    const char *domain = NULL;
    if (cli_job_domain(args, true, &domain, &err) != SY_OK ||
        cli_job_config(args, domain, &config, &err) != SY_OK) {
        return cli_error(&err);
    }
    struct nas_search_job job = {
        .config = &config,
        .data = cli_text(args, "data", NULL),
        .run = cli_text(args, "out", NULL),
        .start = cli_text(args, "start", NULL),
        .resume = cli_flag(args, "resume"),
        .quiet = cli_flag(args, "quiet"),
        .threads = (int)cli_int(args, "threads", 0),
        .stop = cli_job_stop(),
    };
    enum sy_status status = nas_search(&job, &report, &err);
    nas_config_release(&config);
    if (status != SY_OK) {
        return cli_error(&err);
    }
    if (cli_flag(args, "json")) {
        return print_json(&report, job.run);
    }
    print_text(&report);
    return CLI_OK;
}

static const struct cli_option options[] = {
    CLI_JOB_DATA,
    {"out", CLI_TEXT, "RUN", "the folder for paths.json and the checkpoint", 0,
     0, true},
    {"start", CLI_TEXT, "MODEL", "search over the blocks of this model", 0, 0,
     false},
    CLI_JOB_DOMAIN,
    {"resume", CLI_FLAG, NULL, "go on from the last checkpoint", 0, 0, false},
    CLI_JOB_OPTIONS,
    CLI_END,
};

const struct cli_command cmd_search = {
    .name = "search",
    .usage = "search CONFIG --data DIR --out RUN [--resume]",
    .summary = "Searches a path for every domain on one supernet",
    .about =
        "Leaves RUN/paths.json, for `train --paths`, and RUN/report.html for\n"
        "people; RUN/study.sqlite has the history. The checkpoint goes to RUN\n"
        "on a schedule and at SIGINT; --resume continues to the same bits as\n"
        "an uninterrupted run. While it runs, `r` is each domain's reward, "
        "`H`\n"
        "what its controller has not decided yet, `c` the cost to expect of\n"
        "its path.\n"
        "\n"
        "With --start MODEL --domain D it looks for a better path of this "
        "domain\n"
        "alone, or for one of a domain that MODEL does not have, over MODEL's\n"
        "blocks and the candidates that CONFIG has beside them. Blocks that "
        "the\n"
        "other domains need do not move. Then `train --start --domain "
        "--paths`\n"
        "and `pack --base`.",
    .example = "switchyard search configs/five.json --data ../shared/data \\\n"
               "      --out runs/five",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
