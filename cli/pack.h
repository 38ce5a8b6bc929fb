/*
 * pack.h - what `inspect` shows of an expert pack.
 */
#ifndef CLI_PACK_H
#define CLI_PACK_H

#include <stdbool.h>

/* Opens the file and prints what it says; returns the exit status. */
int cli_pack_show(const char *path, bool as_json);

#endif
