/*
 * cmd_train.c - `switchyard train`: stage two.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "search/train/trainer.h"

static int print_json(const struct nas_train_report *report)
{
    json_t *domains = json_array();
    for (int d = 0; d < report->domain_count; d++) {
        json_t *row = json_pack("{s:s, s:f}", "name", report->name[d], "loss",
                                report->loss[d]);
        if (report->valid[d].n > 0) {
            (void)json_object_set_new(row, "valid_top1",
                                      json_real(report->valid[d].top1));
        }
        (void)json_array_append_new(domains, row);
    }
    return cli_json(json_pack(
        "{s:s, s:s, s:i, s:I, s:f, s:f, s:o}", "model", report->artefact.name,
        "path", report->artefact.path, "version", report->artefact.version,
        "steps", (json_int_t)report->steps, "seconds", report->seconds,
        "images_per_s", report->images_per_s, "domains", domains));
}

static void print_text(const struct nas_train_report *report)
{
    printf("%-16s %10s %12s\n", "domain", "loss", "valid top-1");
    for (int d = 0; d < report->domain_count; d++) {
        printf("%-16s %10.4f ", report->name[d], report->loss[d]);
        if (report->valid[d].n > 0) {
            printf("%12.4f\n", report->valid[d].top1);
        } else {
            printf("%12s\n", "-");
        }
    }
    printf("%lld steps in %.0f s, %.0f images/s\nwritten to %s\n",
           (long long)report->steps, report->seconds, report->images_per_s,
           report->artefact.path);
}

static int run(const struct cli_args *args)
{
    static struct nas_config config;
    static struct nas_train_report report;
    struct sy_error err = {0};
    if (cli_flag(args, "freeze") && cli_text(args, "start", NULL) == NULL) {
        (void)sy_fail(&err, SY_BAD_INPUT,
                      "--freeze keeps the numbers of --start MODEL: name it");
        return cli_error(&err);
    }
    const char *domain = NULL;
    if (cli_job_domain(args, false, &domain, &err) != SY_OK ||
        cli_job_config(args, domain, &config, &err) != SY_OK) {
        return cli_error(&err);
    }
    struct nas_train_job job = {
        .config = &config,
        .data = cli_text(args, "data", NULL),
        .model = cli_text(args, "out", NULL),
        .paths_file = cli_text(args, "paths", NULL),
        .start = cli_text(args, "start", NULL),
        .freeze = cli_flag(args, "freeze"),
        .one_domain = domain != NULL,
        .study = cli_text(args, "study", NULL),
        .resume = cli_flag(args, "resume"),
        .quiet = cli_flag(args, "quiet"),
        .threads = (int)cli_int(args, "threads", 0),
        .stop = cli_job_stop(),
    };
    enum sy_status status = nas_train(&job, &report, &err);
    nas_config_release(&config);
    if (status != SY_OK) {
        return cli_error(&err);
    }
    if (cli_flag(args, "json")) {
        return print_json(&report);
    }
    print_text(&report);
    return CLI_OK;
}

static const struct cli_option options[] = {
    CLI_JOB_DATA,
    {"out", CLI_TEXT, "MODEL", "REPOSITORY/NAME; its next version is written",
     0, 0, true},
    {"paths", CLI_TEXT, "FILE", "paths.json of a search", 0, 0, false},
    {"start", CLI_TEXT, "MODEL", "begin with the numbers of this model", 0, 0,
     false},
    {"freeze", CLI_FLAG, NULL, "keep those numbers as they are", 0, 0, false},
    CLI_JOB_DOMAIN,
    {"study", CLI_TEXT, "FILE", "SQLite file for the history of all steps", 0,
     0, false},
    {"resume", CLI_FLAG, NULL, "go on from the last checkpoint", 0, 0, false},
    CLI_JOB_OPTIONS,
    CLI_END,
};

const struct cli_command cmd_train = {
    .name = "train",
    .usage = "train CONFIG --data DIR --out MODEL [--paths FILE] [--resume]",
    .summary = "Trains one network whose domains travel given paths",
    .about =
        "Checkpoints go to MODEL/.train on a schedule and at SIGINT; --resume\n"
        "continues to the same bits as an uninterrupted run. --start takes "
        "the\n"
        "numbers of all blocks, norms and heads that MODEL has under the same\n"
        "ids and names; with --freeze these do not move, and only what is new "
        "is\n"
        "trained. With --domain D the network has this domain alone, on a "
        "path\n"
        "of `search --start MODEL --domain D`: blocks that MODEL's other "
        "domains\n"
        "need do not move. `pack` makes of it what a server can swap in.",
    .example = "switchyard train configs/first.json --data ../shared/data \\\n"
               "      --out runs/models/first",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
