/*
 * machine.c - what this machine can do.
 *
 * DESIGN. The loops are written once with vector types and compiled for each
 * instruction set; the backend's name chooses. Contraction to multiply-adds
 * is asked for here, because it is off outside the kernels.
 */
#include "bench/lib/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/machine.h"
#include "runtime/base/memory.h"

#define CHAINS 12

/* `rounds` multiply-adds in each of CHAINS independent chains. */
#define PEAK(name, bytes, ...)                                                 \
    __attribute__((__VA_ARGS__ noinline)) static double name(long rounds)      \
    {                                                                          \
        typedef float v __attribute__((vector_size(bytes)));                   \
        v a[CHAINS], m = (v){0} + 0.999f, s = (v){0} + 0.001f;                 \
        for (int i = 0; i < CHAINS; i++) {                                     \
            a[i] = (v){0} + (float)i;                                          \
        }                                                                      \
        for (long r = 0; r < rounds; r++) {                                    \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)          \
            {                                                                  \
                a[i] = a[i] * m + s;                                           \
            }                                                                  \
            __asm__ volatile("");                                              \
        }                                                                      \
        float sum = 0.0f;                                                      \
        for (int i = 0; i < CHAINS; i++) {                                     \
            sum += a[i][0];                                                    \
        }                                                                      \
        return (double)sum;                                                    \
    }

/* One pass over `count` vectors, eight at a time: loads decide, not adds. */
#define READ(name, bytes, ...)                                                 \
    __attribute__((__VA_ARGS__ noinline)) static double name(                  \
        const void *memory, size_t count)                                      \
    {                                                                          \
        typedef float v __attribute__((vector_size(bytes)));                   \
        const v *p = memory;                                                   \
        v a[8] = {0};                                                          \
        for (size_t i = 0; i + 8 <= count; i += 8) {                           \
            _Pragma("GCC unroll 8") for (size_t j = 0; j < 8; j++)             \
            {                                                                  \
                a[j] += p[i + j];                                              \
            }                                                                  \
        }                                                                      \
        v sum = a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];         \
        return (double)sum[0];                                                 \
    }

PEAK(peak_portable, 16, optimize("O3", "fp-contract=fast"), )
READ(read_portable, 16, optimize("O3"), )
#ifdef __x86_64__
PEAK(peak_avx2, 32, optimize("O3", "fp-contract=fast"), target("avx2,fma"), )
PEAK(peak_avx512, 64, optimize("O3", "fp-contract=fast"),
     target("avx512f,fma"), )
READ(read_avx2, 32, optimize("O3"), target("avx2"), )
READ(read_avx512, 64, optimize("O3"), target("avx512f"), )
#endif

struct loops {
    const char *backend;
    int lanes;
    double (*peak)(long rounds);
    double (*read)(const void *memory, size_t count);
};

/* The loops of that backend's vector width. */
static const struct loops *loops_of(const struct sy_backend *backend)
{
    static const struct loops table[] = {
        {"portable", 4, peak_portable, read_portable},
#ifdef __x86_64__
        {"avx2", 8, peak_avx2, read_avx2},
        {"avx512", 16, peak_avx512, read_avx512},
#endif
    };
    for (size_t i = 1; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(backend->name, table[i].backend) == 0) {
            return &table[i];
        }
    }
    return &table[0];
}

int64_t bench_thread_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double bench_peak_gflops(const struct sy_backend *backend)
{
    static volatile double sink;
    const struct loops *loops = loops_of(backend);
    const long rounds = 200000;
    double best = 0.0;
    for (int i = 0; i < 3; i++) {
        int64_t start_ns = bench_thread_ns();
        sink = loops->peak(rounds);
        int64_t took_ns = bench_thread_ns() - start_ns;
        double rate =
            2.0 * CHAINS * loops->lanes * (double)rounds / (double)took_ns;
        best = rate > best ? rate : best;
    }
    (void)sink;
    return best;
}

double bench_read_gbytes(const struct sy_backend *backend, size_t bytes)
{
    static volatile double sink;
    const struct loops *loops = loops_of(backend);
    size_t vector = (size_t)loops->lanes * sizeof(float);
    long passes = 1 + (long)(((size_t)64 << 20) / bytes);
    double best = 0.0;
    bytes = bytes / (8 * vector) * (8 * vector);
    void *memory = sy_alloc(bytes); /* a cache line's alignment, as all ours */
    if (memory == NULL) {
        return 0.0;
    }
    memset(memory, 0, bytes); /* every page is there before the clock runs */
    for (int i = 0; i < 5; i++) {
        int64_t start_ns = bench_thread_ns();
        for (long pass = 0; pass < passes; pass++) {
            sink = loops->read(memory, bytes / vector);
        }
        int64_t took_ns = bench_thread_ns() - start_ns;
        double rate = (double)bytes * (double)passes / (double)took_ns;
        best = rate > best ? rate : best;
    }
    (void)sink;
    sy_free(memory);
    return best;
}

/* The system's answer, or `usual` where it has none. */
static size_t cache_bytes(int name, size_t usual)
{
    long bytes = sysconf(name);
    return bytes > 0 ? (size_t)bytes : usual;
}

void bench_levels(const struct sy_backend *backend,
                  struct bench_level level[BENCH_LEVELS])
{
    enum { MOST = 512 << 20 /* of memory that a measurement takes */ };
    size_t l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    size_t l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
    size_t l3 = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 32 << 20);
    const struct bench_level found[BENCH_LEVELS] = {
        {"L1", l1, 0}, {"L2", l2, 0}, {"L3", l3, 0}, {"DRAM", SIZE_MAX, 0}};
    size_t work[BENCH_LEVELS] = {l1 / 2, l2 / 2, 4 * l2, 2 * l3};

    /* A shared L3 is never all ours: four times L2 is surely past L2. */
    work[2] = work[2] > l3 / 2 ? l3 / 2 : work[2];
    work[3] = work[3] > MOST ? MOST : work[3];
    for (int i = 0; i < BENCH_LEVELS; i++) {
        level[i] = found[i];
        level[i].gbytes = bench_read_gbytes(backend, work[i]);
    }
}

json_t *bench_machine(const struct sy_backend *backend)
{
    char cpu[128], system[160];
    struct utsname name = {0};

    (void)sy_machine_cpu(cpu, sizeof cpu);
    (void)uname(&name);
    (void)snprintf(system, sizeof system, "%s %s", name.sysname, name.release);
    return json_pack("{s:s, s:I, s:s, s:s}", "cpu", cpu, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "system",
                     system, "kernels", backend->name);
}

json_t *bench_row(json_t *rows, const char *name, const char *peer,
                  const char *unit, double ours, double theirs)
{
    double ratio = theirs > 0.0 || theirs < 0.0 ? ours / theirs : 0.0;
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "case", name, "peer", peer,
                  "unit", unit, "ours", ours, "theirs", theirs, "ratio", ratio);
    (void)json_array_append_new(rows, row);
    return row;
}

void bench_print(json_t *machine, json_t *rows)
{
    json_t *all = json_pack("{s:o, s:o}", "machine", machine, "rows", rows);
    (void)json_dumpf(all, stdout, JSON_INDENT(1));
    printf("\n");
    json_decref(all);
}
