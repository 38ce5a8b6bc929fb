/*
 * man.c - manual pages, from the tables that also make --help.
 *
 * DESIGN: `switchyard help COMMAND --man` is run when the project is
 * installed, so a page cannot say anything that the program does not.
 *
 * Source: mdoc(7).
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Text, with what roff would take for its own escaped. */
static void put_text(const char *text)
{
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\'')) {
            printf("\\&");
        }
        start = *text == '\n';
        if (*text == '\\') {
            printf("\\e");
        } else if (*text == '-') {
            printf("\\-");
        } else {
            (void)putchar(*text);
        }
    }
    printf("\n");
}

static void put_option(const char *name, const char *value, const char *help,
                       bool required)
{
    printf(".It Fl \\-%s", name);
    if (value != NULL) {
        printf(" Ar %s", value);
    }
    printf("\n");
    put_text(help);
    if (required) {
        printf("(required)\n");
    }
}

void cli_man(const struct cli_command *command)
{
    /* The date is the version's, not the build's: same source, same page. */
    printf(".Dd November 25, 2026\n.Dt SWITCHYARD\\-");
    for (const char *c = command->name; *c != '\0'; c++) {
        (void)putchar(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    printf(" 1\n.Os\n.Sh NAME\n.Nm switchyard\\-%s\n.Nd ", command->name);
    put_text(command->summary);
    printf(".Sh SYNOPSIS\n.Bd \\-literal\n");
    printf("switchyard ");
    put_text(command->usage);
    printf(".Ed\n.Sh DESCRIPTION\n");
    put_text(command->about != NULL ? command->about : command->summary);
    printf(".Pp\nThe options are:\n.Bl \\-tag \\-width Ds\n");
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        put_option(o->name, o->value, o->help, o->required);
    }
    put_option("help", NULL, "show a short form of this page", false);
    printf(".El\n.Sh EXIT STATUS\n0: done.\n1: failed while working.\n"
           "2: wrong use or bad input.\n.Sh EXAMPLES\n.Bd \\-literal\n");
    put_text(command->example);
    printf(".Ed\n");
}
