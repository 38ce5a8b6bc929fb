/*
 * blas.h - OpenBLAS, opened at run time.
 *
 * Debian's OpenBLAS 0.3.21 does not know newer CPUs and then falls back to
 * kernels a fifth as fast, so OPENBLAS_CORETYPE has to stand in the
 * environment before the library is loaded. That is why it is opened with
 * dlopen: the core type is set first, from what the CPU can do. It runs
 * single-threaded inside our own pool, and serves training products only.
 *
 * Thread: sy_blas_open: init (idempotent). sy_sgemm: any.
 */
#ifndef SY_CPU_BLAS_H
#define SY_CPU_BLAS_H

#include <stdbool.h>

/* Opens the library once. False when it is missing: sy_sgemm then uses a
   plain loop, and the log says so once. */
bool sy_blas_open(void);

/* "OpenBLAS 0.3.21 SkylakeX", or "none". */
const char *sy_blas_name(void);

struct sy_gemm {
    bool transpose_a, transpose_b;
    int m, n, k;
    int lda, ldb, ldc;
    bool accumulate; /* C += instead of C = */
};

/* Row-major C[m][n] (+)= op(A)[m][k] * op(B)[k][n]. */
void sy_sgemm(const struct sy_gemm *gemm, const float *a, const float *b,
              float *c);

#endif
