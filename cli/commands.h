/*
 * commands.h - one line per subcommand; each is defined in cmd_NAME.c.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_domains, cmd_search, cmd_compare, cmd_train,
    cmd_eval, cmd_inspect, cmd_predict, cmd_serve, cmd_export, cmd_bench,
    cmd_latency, cmd_load, cmd_pack, cmd_swap, cmd_report;

#endif
