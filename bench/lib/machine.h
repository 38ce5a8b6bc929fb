/*
 * machine.h - what this machine can do, measured beside what is judged by it.
 *
 * Ceilings are measured in thread CPU time with plain loops compiled for a
 * backend's vector width, so that a share of a peak means the same on every
 * machine. Thread: any, one at a time.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/backend/backend.h"

/* CPU time of the calling thread: the machine may be shared. */
int64_t bench_thread_ns(void);

/*
 * The multiply-add peak of one core in GFLOP/s (2 per multiply-add): twelve
 * independent chains in registers, the best of three rounds of about 1 ms.
 */
double bench_peak_gflops(const struct sy_backend *backend);

/*
 * GB/s of reading `bytes` again and again with one core, the best of several
 * rounds; 0 when there is no memory for it.
 */
double bench_read_gbytes(const struct sy_backend *backend, size_t bytes);

/* A level of the memory: its size, and how fast one core reads from it. */
struct bench_level {
    const char *name; /* "L1", "L2", "L3", "DRAM" */
    size_t bytes;     /* what it holds; SIZE_MAX for DRAM */
    double gbytes;    /* per second */
};

enum { BENCH_LEVELS = 4 };

/*
 * Measures each level with a working set that fits well into it and not into
 * the one before. Sizes are those that the system tells, or usual ones.
 */
void bench_levels(const struct sy_backend *backend,
                  struct bench_level level[BENCH_LEVELS]);

/* {"cpu", "cores", "system", "kernels"}: owned by the caller. */
json_t *bench_machine(const struct sy_backend *backend);

/*
 * Appends {"case", "peer", "unit", "ours", "theirs", "ratio"}, the row that
 * every program here prints with --json, and returns it (borrowed).
 */
json_t *bench_row(json_t *rows, const char *name, const char *peer,
                  const char *unit, double ours, double theirs);

/* Prints {"machine", "rows"}; takes both. */
void bench_print(json_t *machine, json_t *rows);

#endif
