/*
 * machine.c - the processor's name.
 */
#include "runtime/base/machine.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static const size_t max_cpuinfo_bytes = (size_t)16 << 20;

const char *sy_machine_cpu(char *out, size_t bytes)
{
    char *text;
    size_t length;

    (void)snprintf(out, bytes, "unknown");
    if (sy_file_read("/proc/cpuinfo", max_cpuinfo_bytes, &text, &length,
                     NULL) != SY_OK) {
        return out;
    }
    const char *at = strstr(text, "model name");
    at = at != NULL ? strchr(at, ':') : NULL;
    if (at != NULL) {
        at += strspn(at, ": \t");
        (void)snprintf(out, bytes, "%.*s", (int)strcspn(at, "\n\"\\"), at);
    }
    sy_free(text);
    return out;
}
