/*
 * machine.h - what measurements say they were made on.
 *
 * Thread: any.
 */
#ifndef SY_BASE_MACHINE_H
#define SY_BASE_MACHINE_H

#include <stddef.h>

enum { SY_MACHINE_BYTES = 128 };

/*
 * The processor's name as /proc/cpuinfo has it, printable and without quotes
 * and backslashes; "unknown" where there is none. Returns `out`.
 */
const char *sy_machine_cpu(char *out, size_t bytes);

#endif
