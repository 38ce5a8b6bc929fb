/*
 * job.h - what the commands that work for long have in common: a
 * configuration with overrides, and stopping at a signal.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <signal.h>

#include "cli/cli.h"
#include "search/config.h"

/*
 * Loads the configuration that the first argument names, with --set and
 * --seed (options that the command must have). Owned: nas_config_release.
 */
enum sy_status cli_job_config(const struct cli_args *args,
                              struct nas_config *config,
                              struct sy_error *err) SY_MUST_USE;

/*
 * From now on the first SIGINT or SIGTERM sets the flag that is returned, for
 * the job to write a checkpoint and end; the second ends the program.
 */
const volatile sig_atomic_t *cli_job_stop(void);

#endif
