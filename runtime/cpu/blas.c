/*
 * blas.c - OpenBLAS behind dlopen, or our own product where it is missing.
 *
 * DESIGN: the environment must hold OPENBLAS_CORETYPE when the library's
 * constructor runs, hence dlopen and not a link. A core type, or a number of
 * threads, that the user has set is respected. The library is told to use one
 * thread: parallelism is our pool's, over images. Opening happens once and
 * lazily, so that a product never depends on whether anybody called
 * sy_blas_open before.
 */
#include "runtime/cpu/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"

void sy_gemm_portable(const struct sy_gemm *gemm, const float *a,
                      const float *b, float *c);
#ifdef SY_HAVE_X86_KERNELS
void sy_gemm_avx2(const struct sy_gemm *gemm, const float *a, const float *b,
                  float *c);
void sy_gemm_avx512(const struct sy_gemm *gemm, const float *a, const float *b,
                    float *c);
#endif

/* cblas.h's numbers; the header itself is not needed for one function. */
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

typedef void (*cblas_sgemm_fn)(int order, int transpose_a, int transpose_b,
                               int m, int n, int k, float alpha, const float *a,
                               int lda, const float *b, int ldb, float beta,
                               float *c, int ldc);
typedef void (*own_gemm_fn)(const struct sy_gemm *gemm, const float *a,
                            const float *b, float *c);
typedef void (*set_threads_fn)(int threads);
typedef char *(*text_fn)(void);

/* Written once under `once`, read-only afterwards. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static cblas_sgemm_fn blas_sgemm;
static own_gemm_fn own_gemm = sy_gemm_portable;
static char blas_name[96] = "none";

/* ISO C has no cast from an object pointer to a function pointer. */
static void *symbol(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found;
}

static void choose_core(void)
{
#ifdef SY_HAVE_X86_KERNELS
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        own_gemm = sy_gemm_avx512;
        (void)setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    } else if (__builtin_cpu_supports("avx2") &&
               __builtin_cpu_supports("fma")) {
        own_gemm = sy_gemm_avx2;
        (void)setenv("OPENBLAS_CORETYPE", "Haswell", 0);
    }
#endif
    /* Otherwise the constructor starts threads that nobody will use. */
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 0);
}

static void open_library(void)
{
    choose_core();
    /* Never closed: pool threads may be inside until the process ends. */
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        sy_log_info("OpenBLAS is not installed: using our own product");
        return;
    }
    set_threads_fn set_threads = NULL;
    text_fn config = NULL, core = NULL;
    (void)symbol(library, "openblas_set_num_threads", &set_threads);
    (void)symbol(library, "openblas_get_config", &config);
    (void)symbol(library, "openblas_get_corename", &core);
    if (symbol(library, "cblas_sgemm", &blas_sgemm) == NULL) {
        sy_log_warn("libopenblas.so.0 has no cblas_sgemm: using our own");
        return;
    }
    if (set_threads != NULL) {
        set_threads(1);
    }
    /* The configuration reads "OpenBLAS 0.3.21 NO_AFFINITY ...". */
    char library_name[32] = "OpenBLAS";
    if (config != NULL) {
        const char *text = config();
        size_t words = strcspn(text, " ");
        words += text[words] == ' ' ? 1 + strcspn(text + words + 1, " ") : 0;
        (void)snprintf(library_name, sizeof library_name, "%.*s", (int)words,
                       text);
    }
    (void)snprintf(blas_name, sizeof blas_name, "%s %.48s", library_name,
                   core != NULL ? core() : "");
    sy_log_info("products by %s, one thread each", blas_name);
}

bool sy_blas_open(void)
{
    (void)pthread_once(&once, open_library);
    return blas_sgemm != NULL;
}

const char *sy_blas_name(void)
{
    (void)sy_blas_open();
    return blas_name;
}

void sy_sgemm(const struct sy_gemm *gemm, const float *a, const float *b,
              float *c)
{
    if (!sy_blas_open()) {
        own_gemm(gemm, a, b, c);
        return;
    }
    blas_sgemm(ROW_MAJOR, gemm->transpose_a ? TRANSPOSED : PLAIN,
               gemm->transpose_b ? TRANSPOSED : PLAIN, gemm->m, gemm->n,
               gemm->k, 1.0f, a, gemm->lda, b, gemm->ldb,
               gemm->accumulate ? 1.0f : 0.0f, c, gemm->ldc);
}
