/*
 * main.c - the program: finds the subcommand and runs it.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "runtime/base/json.h"

const struct cli_command *const cli_commands[] = {
    &cmd_domains, &cmd_search,  &cmd_train,   &cmd_compare,
    &cmd_eval,    &cmd_inspect, &cmd_predict, &cmd_serve,
    &cmd_export,  &cmd_bench,   &cmd_latency, &cmd_load,
    &cmd_swap,    &cmd_report,  &cmd_pack,    NULL,
};

static void list_commands(FILE *out)
{
    (void)fprintf(out,
                  "switchyard %s: one vision model, a path for every domain\n"
                  "\nusage: switchyard COMMAND ...\n\ncommands:\n",
                  SY_VERSION);
    for (int i = 0; cli_commands[i] != NULL; i++) {
        (void)fprintf(out, "  %-10s %s\n", cli_commands[i]->name,
                      cli_commands[i]->summary);
    }
    (void)fprintf(out, "\n`switchyard help COMMAND` shows options and an "
                       "example.\n");
}

static const struct cli_command *find_command(const char *name)
{
    for (int i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[sizeof cli_commands / sizeof *cli_commands] = {NULL};
    for (int i = 0; cli_commands[i] != NULL; i++) {
        names[i] = cli_commands[i]->name;
    }
    const char *near = sy_nearest_word(name, names);
    (void)fprintf(stderr, "switchyard: there is no command \"%s\"%s%s%s\n",
                  name, near != NULL ? "; did you mean \"" : "",
                  near != NULL ? near : "", near != NULL ? "\"?" : "");
    return CLI_BAD_INPUT;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        list_commands(stderr);
        return CLI_BAD_INPUT;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("switchyard %s\n", SY_VERSION);
        return CLI_OK;
    }
    bool help = strcmp(argv[1], "help") == 0 ||
                strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
    if (help && argc == 2) {
        list_commands(stdout);
        return CLI_OK;
    }
    const char *name = argv[help ? 2 : 1];
    const struct cli_command *command = find_command(name);
    if (command == NULL) {
        return unknown_command(name);
    }
    if (help && argc > 3 && strcmp(argv[3], "--man") == 0) {
        cli_man(command);
        return CLI_OK;
    }
    if (help) {
        cli_help(command);
        return CLI_OK;
    }
    return cli_run(command, argc - 2, argv + 2);
}
