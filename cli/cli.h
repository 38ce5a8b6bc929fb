/*
 * cli.h - what a subcommand is: one thin file, one table, one function.
 *
 * The option table is the only description of a command's options: parsing,
 * --help and the manual are made from it. Exit status: 0 done, 1 failed while
 * working, 2 wrong use or bad input.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_BAD_INPUT = 2 };
enum { CLI_MAX_ARGS = 4096, CLI_MAX_OPTIONS = 64, CLI_MAX_LIST = 64 };

enum cli_kind {
    CLI_FLAG, /* --json */
    CLI_TEXT, /* --out DIR */
    CLI_INT,  /* --threads N, within [low, high] */
    CLI_LIST  /* --set K=V, may be given many times */
};

struct cli_option {
    const char *name; /* without the dashes; NULL ends the table */
    enum cli_kind kind;
    const char *value; /* what --help calls the value: "N", "DIR" */
    const char *help;
    int64_t low, high; /* CLI_INT */
    bool required;
};

struct cli_args;

struct cli_command {
    const char *name;
    const char *usage;   /* "train CONFIG --data DIR --out MODEL" */
    const char *summary; /* one line for the list of commands */
    const char *about;   /* a paragraph for --help, or NULL */
    const char *example;
    const struct cli_option *options;
    int min_args, max_args; /* positional arguments; max < 0: any number */
    int (*run)(const struct cli_args *args);
};

/* Every command has --help and --json. */
#define CLI_JSON                                                               \
    {                                                                          \
        "json", CLI_FLAG, NULL, "print one JSON document on stdout", 0, 0,     \
            false                                                              \
    }
#define CLI_THREADS                                                            \
    {                                                                          \
        "threads", CLI_INT, "N", "worker threads (default: all CPUs)", 1,      \
            1024, false                                                        \
    }
#define CLI_SET                                                                \
    {                                                                          \
        "set", CLI_LIST, "KEY=VALUE",                                          \
            "override a configuration key, e.g. train.epochs=5", 0, 0, false   \
    }
#define CLI_END                                                                \
    {                                                                          \
        NULL, CLI_FLAG, NULL, NULL, 0, 0, false                                \
    }

/* All commands, in the order of `switchyard help`; ends with NULL. */
extern const struct cli_command *const cli_commands[];

/* Positional arguments. */
int cli_count(const struct cli_args *args);
const char *cli_arg(const struct cli_args *args, int index);

/* Values by option name; asking for a name not in the table is a bug. */
bool cli_flag(const struct cli_args *args, const char *name);
const char *cli_text(const struct cli_args *args, const char *name,
                     const char *otherwise);
int64_t cli_int(const struct cli_args *args, const char *name,
                int64_t otherwise);
const char *const *cli_list(const struct cli_args *args, const char *name,
                            int *count);

/*
 * Parses the arguments after the command's name and runs it. Prints help or
 * what was wrong by itself. Returns the exit status.
 */
int cli_run(const struct cli_command *command, int argc, char **argv);

/* Prints a command's help on stdout. */
void cli_help(const struct cli_command *command);

/* Prints its manual page (mdoc), made from the same table. */
void cli_man(const struct cli_command *command);

/*
 * Prints the one document of --json on stdout and drops it; returns the exit
 * status. NULL means that there was no memory for it.
 */
int cli_json(json_t *root);

/* Prints "switchyard: MESSAGE" on stderr; returns the exit status for it. */
int cli_error(const struct sy_error *err);

#endif
