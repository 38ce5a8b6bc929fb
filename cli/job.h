/*
 * job.h - what the commands that work for long have in common: a
 * configuration with overrides, and stopping at a signal.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <signal.h>

#include "cli/cli.h"
#include "search/config.h"

/* The rows that the option tables of these commands share. */
#define CLI_JOB_DATA                                                           \
    {                                                                          \
        "data", CLI_TEXT, "DIR", "the data folder, one folder per domain", 0,  \
            0, true                                                            \
    }
#define CLI_JOB_OPTIONS                                                        \
    CLI_SET,                                                                   \
        {"seed", CLI_INT, "N", "same as --set seed=N", 0, INT64_MAX, false},   \
        CLI_THREADS,                                                           \
        {"quiet", CLI_FLAG, NULL, "no progress on stderr", 0, 0, false},       \
        CLI_JSON

/* For those that can work on one domain of a model, with their own "start". */
#define CLI_JOB_DOMAIN                                                         \
    {                                                                          \
        "domain", CLI_TEXT, "D",                                               \
            "work on this domain alone, over --start MODEL", 0, 0, false       \
    }

/*
 * The domain that --domain names, of a command that has --start too, or NULL.
 * SY_BAD_INPUT: it is there without --start; with `both`, also the other way.
 */
enum sy_status cli_job_domain(const struct cli_args *args, bool both,
                              const char **domain,
                              struct sy_error *err) SY_MUST_USE;

/*
 * Loads the configuration that the first argument names, with --set and
 * --seed of CLI_JOB_OPTIONS; `domain`, where not NULL, stands for its list of
 * domains. Owned: nas_config_release.
 */
enum sy_status cli_job_config(const struct cli_args *args, const char *domain,
                              struct nas_config *config,
                              struct sy_error *err) SY_MUST_USE;

/*
 * From now on the first SIGINT or SIGTERM sets the flag that is returned, for
 * the job to write a checkpoint and end; the second ends the program.
 */
const volatile sig_atomic_t *cli_job_stop(void);

#endif
