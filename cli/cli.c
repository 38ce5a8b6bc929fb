/*
 * cli.c - parsing and help, made from a command's option table.
 *
 * Options and positional arguments may come in any order; "--" ends the
 * options; "--name=value" is the same as "--name value".
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"

struct cli_args {
    const struct cli_command *command;
    int count;
    const char *arg[CLI_MAX_ARGS];
    bool given[CLI_MAX_OPTIONS];
    const char *text[CLI_MAX_OPTIONS];
    int64_t number[CLI_MAX_OPTIONS];
    int list_count[CLI_MAX_OPTIONS];
    const char *list[CLI_MAX_OPTIONS][CLI_MAX_LIST];
};

static int find_option(const struct cli_command *command, const char *name,
                       size_t length)
{
    for (int i = 0; command->options[i].name != NULL; i++) {
        if (strlen(command->options[i].name) == length &&
            strncmp(command->options[i].name, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

static int option_index(const struct cli_args *args, const char *name)
{
    int index = find_option(args->command, name, strlen(name));
    SY_ASSERT(index >= 0);
    return index;
}

int cli_count(const struct cli_args *args)
{
    return args->count;
}

const char *cli_arg(const struct cli_args *args, int index)
{
    return args->arg[index];
}

bool cli_flag(const struct cli_args *args, const char *name)
{
    return args->given[option_index(args, name)];
}

const char *cli_text(const struct cli_args *args, const char *name,
                     const char *otherwise)
{
    int index = option_index(args, name);
    return args->given[index] ? args->text[index] : otherwise;
}

int64_t cli_int(const struct cli_args *args, const char *name,
                int64_t otherwise)
{
    int index = option_index(args, name);
    return args->given[index] ? args->number[index] : otherwise;
}

const char *const *cli_list(const struct cli_args *args, const char *name,
                            int *count)
{
    int index = option_index(args, name);
    *count = args->list_count[index];
    return args->list[index];
}

int cli_error(const struct sy_error *err)
{
    (void)fprintf(stderr, "switchyard: %s\n",
                  err->message[0] != '\0' ? err->message
                                          : sy_status_text(err->status));
    return err->status == SY_BAD_INPUT || err->status == SY_NOT_FOUND
               ? CLI_BAD_INPUT
               : CLI_FAILED;
}

int cli_json(json_t *root)
{
    /* Fifteen digits bring every float back to its bits. */
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(15);
    bool done = root != NULL && json_dumpf(root, stdout, flags) == 0;
    json_decref(root);
    if (!done) {
        (void)fprintf(stderr,
                      "switchyard: the JSON document could not be made\n");
        return CLI_FAILED;
    }
    printf("\n");
    return CLI_OK;
}

void cli_help(const struct cli_command *command)
{
    printf("usage: switchyard %s\n\n%s.\n", command->usage, command->summary);
    if (command->about != NULL) {
        printf("\n%s\n", command->about);
    }
    printf("\noptions:\n");
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name,
                       o->value != NULL ? " " : "",
                       o->value != NULL ? o->value : "");
        printf("  %-22s %s%s\n", left, o->help,
               o->required ? " (required)" : "");
    }
    printf("  %-22s %s\n", "--help", "show this text");
    printf("\nexample:\n  %s\n", command->example);
}

/* A one-line complaint about the use of a command. */
static int misuse(const struct cli_command *command, const char *what,
                  const char *word)
{
    (void)fprintf(stderr,
                  "switchyard %s: %s%s%s\n"
                  "usage: switchyard %s\n",
                  command->name, what, word != NULL ? ": " : "",
                  word != NULL ? word : "", command->usage);
    return CLI_BAD_INPUT;
}

/* Complains about "--name", of which `length` bytes are the name. */
static int unknown_option(const struct cli_command *command, const char *name,
                          size_t length)
{
    const char *names[CLI_MAX_OPTIONS + 1] = {NULL};
    char word[64] = "";
    int count = 0;
    while (command->options[count].name != NULL && count < CLI_MAX_OPTIONS) {
        names[count] = command->options[count].name;
        count++;
    }
    (void)snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *near = sy_nearest_word(word, names);
    if (near == NULL) {
        return misuse(command, "unknown option", name);
    }
    (void)fprintf(stderr,
                  "switchyard %s: unknown option: --%s; did you mean --%s?\n",
                  command->name, word, near);
    return CLI_BAD_INPUT;
}

/* Stores one option's value; false after a complaint. */
static bool take_value(struct cli_args *args, int index, const char *value)
{
    const struct cli_option *option = &args->command->options[index];
    char *end = NULL;
    args->given[index] = true;
    if (option->kind == CLI_TEXT) {
        args->text[index] = value;
        return true;
    }
    if (option->kind == CLI_LIST) {
        if (args->list_count[index] == CLI_MAX_LIST) {
            (void)misuse(args->command, "given too often", option->name);
            return false;
        }
        args->list[index][args->list_count[index]++] = value;
        return true;
    }
    errno = 0;
    args->number[index] = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 ||
        args->number[index] < option->low ||
        args->number[index] > option->high) {
        (void)fprintf(stderr,
                      "switchyard %s: --%s: expected a whole number from %lld "
                      "to %lld, found \"%s\"\n",
                      args->command->name, option->name, (long long)option->low,
                      (long long)option->high, value);
        return false;
    }
    return true;
}

/* Reads one "--name[=value]" at argv[*at]; returns an exit status or -1. */
static int take_option(struct cli_args *args, int argc, char **argv, int *at)
{
    const struct cli_command *command = args->command;
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    if (strcmp(name, "help") == 0) {
        cli_help(command);
        return CLI_OK;
    }
    int index = find_option(command, name, length);
    if (index < 0) {
        return unknown_option(command, name, length);
    }
    if (command->options[index].kind == CLI_FLAG) {
        if (equals != NULL) {
            return misuse(command, "takes no value", argv[*at]);
        }
        args->given[index] = true;
        return -1;
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL) {
        if (*at + 1 >= argc) {
            return misuse(command, "needs a value", argv[*at]);
        }
        value = argv[++*at];
    }
    return take_value(args, index, value) ? -1 : CLI_BAD_INPUT;
}

/* Everything required is there. */
static int check_args(const struct cli_args *args)
{
    const struct cli_command *command = args->command;
    if (args->count < command->min_args) {
        return misuse(command, "an argument is missing", NULL);
    }
    if (command->max_args >= 0 && args->count > command->max_args) {
        return misuse(command, "unexpected argument",
                      args->arg[command->max_args]);
    }
    for (int i = 0; command->options[i].name != NULL; i++) {
        if (command->options[i].required && !args->given[i]) {
            return misuse(command, "missing option", command->options[i].name);
        }
    }
    return -1;
}

/* What was printed has arrived; a full disk or a closed pipe is a failure. */
static int check_output(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    (void)fprintf(stderr, "switchyard: writing to stdout: %s\n",
                  strerror(errno));
    return status == CLI_OK ? CLI_FAILED : status;
}

int cli_run(const struct cli_command *command, int argc, char **argv)
{
    static struct cli_args args; /* large, one command a process */
    bool options_end = false;
    args.command = command;
    for (int i = 0; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            int status = take_option(&args, argc, argv, &i);
            if (status >= 0) {
                return status;
            }
        } else if (!options_end && strcmp(argv[i], "-h") == 0) {
            cli_help(command);
            return CLI_OK;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
            return misuse(command, "unknown option", argv[i]);
        } else if (args.count == CLI_MAX_ARGS) {
            return misuse(command, "too many arguments", NULL);
        } else {
            args.arg[args.count++] = argv[i];
        }
    }
    int status = check_args(&args);
    return status >= 0 ? status : check_output(command->run(&args));
}
