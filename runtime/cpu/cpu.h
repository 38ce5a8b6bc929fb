/*
 * cpu.h - the CPU backends: one source, compiled once per instruction set.
 *
 * All three have the same entries and differ in the width of a vector
 * (4, 8, 16 floats) and in the tile sizes that follow from it. Where a
 * backend is compiled in, `available` says whether this machine (processor
 * and operating system) can run it.
 */
#ifndef SY_CPU_CPU_H
#define SY_CPU_CPU_H

#include "runtime/backend/backend.h"

extern const struct sy_backend sy_backend_portable;
#ifdef SY_HAVE_X86_KERNELS
extern const struct sy_backend sy_backend_avx2, sy_backend_avx512;
#endif

#endif
