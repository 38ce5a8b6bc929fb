/*
 * gemm.c - products of matrices: register tiles over packed column panels.
 *
 * DESIGN: B is cut into panels of 1 to 4 vectors and packed so that the inner
 * loop reads it in one stream; A is read where it lies, one broadcast per
 * row and step. A tile of `rows` x `vectors` accumulators stays in registers
 * for the whole length of k. The number of rows per tile is what the register
 * file allows: 32 registers with AVX-512, 16 otherwise. Rows are cut into
 * tiles of nearly equal height, so that 16 rows become 8 + 8 and not 12 + 4:
 * a tile needs at least 8 accumulators to hide the latency of a multiply-add.
 *
 * While a tile computes, it asks for memory that is read later, one line with
 * each step of k. Asked for in one go, as many lines take as long as if they
 * were read: the core can only wait for so many at a time.
 *
 * B may be stored in half the width: where rows are few, a product takes as
 * long as B takes to arrive. Its numbers are widened, exactly, as they are
 * loaded, so the product is that of the same numbers stored as floats.
 *
 * Every element is summed along k in order with one accumulator, so neither
 * the height of the tile nor the place of the row in it changes a bit.
 *
 * Source: K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", ACM TOMS 34(3), 2008; the small-matrix choices follow
 * measurements in docs/performance.md.
 */
#include "runtime/cpu/kernels/kernels.h"

/* Rows of a tile of so many vectors. */
#if defined(SY_SMALL_TILES)
#define ROWS_1 3
#define ROWS_2 3
#define ROWS_3 3
#define ROWS_4 3
#elif defined(__AVX512F__)
#define ROWS_1 MAX_HEIGHT
#define ROWS_2 12
#define ROWS_3 8
#define ROWS_4 6
#else
#define ROWS_1 MAX_HEIGHT
#define ROWS_2 (VL == 4 ? 4 : 6)
#endif

enum { LINE_BYTES = 64 };

enum { PACK_K = 128 }; /* steps of k packed at a time by the plain product */

/* acc -> act(scale * acc + bias) + residual, for one tile. */
INLINE void tile_epilogue(const struct panel *p, int i0, const int rows,
                          const int vectors, vf acc[MAX_HEIGHT][MAX_VECTORS],
                          struct lanes last)
{
    if (p->scale != NULL) {
        UNROLL for (int j = 0; j < vectors; j++)
        {
            vf s = j + 1 < vectors ? v_load(p->scale + j * VL)
                                   : v_get(p->scale + j * VL, last);
            UNROLL for (int i = 0; i < rows; i++)
            {
                acc[i][j] *= s;
            }
        }
    }
    if (p->bias != NULL) {
        UNROLL for (int j = 0; j < vectors; j++)
        {
            vf b = j + 1 < vectors ? v_load(p->bias + j * VL)
                                   : v_get(p->bias + j * VL, last);
            UNROLL for (int i = 0; i < rows; i++)
            {
                acc[i][j] += b;
            }
        }
    }
    if (p->act != SY_ACT_NONE) {
        WITH_ACT(
            p->act, UNROLL for (int i = 0; i < rows; i++) {
                UNROLL for (int j = 0; j < vectors; j++)
                {
                    acc[i][j] = v_act(act, acc[i][j]);
                }
            });
    }
    if (p->residual != NULL) {
        UNROLL for (int i = 0; i < rows; i++)
        {
            const float *r = p->residual + (i0 + i) * p->c_row;
            UNROLL for (int j = 0; j < vectors; j++)
            {
                acc[i][j] += j + 1 < vectors ? v_load(r + j * VL)
                                             : v_get(r + j * VL, last);
            }
        }
    }
}

INLINE void tile_store(const struct panel *p, int i0, const int rows,
                       const int vectors, vf acc[MAX_HEIGHT][MAX_VECTORS],
                       struct lanes last)
{
    const ptrdiff_t step = p->c_step != 0 ? p->c_step : VL;
    float *to = p->c + i0 * p->c_row;
    int at = 0; /* row of C in its row of the image */
    if (p->c_width > 0) {
        at = i0 % p->c_width;
        to += i0 / p->c_width * p->c_gap;
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vectors; j++)
        {
            if (j + 1 < vectors) {
                v_store(to + j * step, acc[i][j]);
            } else {
                v_put(to + j * step, acc[i][j], last);
            }
        }
        to += p->c_row;
        if (++at == p->c_width) {
            at = 0;
            to += p->c_gap;
        }
    }
}

/*
 * True if the tile asks for a line of what is read later with each step of k.
 * A tile of one vector has no load to spare for it.
 */
INLINE bool fetches(const struct panel *p, const int vectors)
{
    return vectors > 1 && p->ahead != NULL && p->ahead->at < p->ahead->end;
}

/*
 * Hides where the pointer comes from. Rows of A are addressed as 0, 1 and 2
 * rows from every third, which the instructions themselves can; seeing that
 * all are multiples of one distance, the compiler would keep a register for
 * each, run out of them, and fetch them back through the port of a
 * multiply-add.
 */
INLINE void hide(const float **p)
{
    __asm__("" : "+r"(*p));
}

/* One tile: rows i0 .. i0 + rows - 1 of the panel. */
INLINE void tile(const struct panel *p, int i0, const int rows,
                 const int vectors, const bool half)
{
    struct lanes last = v_lanes((vectors - 1) * VL, p->n);
    vf acc[MAX_HEIGHT][MAX_VECTORS];
    const float *a = p->a + i0 * p->a_row;
    const int groups = (rows + 2) / 3;
    const char *b = p->b;
    const ptrdiff_t vector = VL * (half ? sizeof(uint16_t) : sizeof(float));
    const ptrdiff_t row = p->a_row, step = p->a_step;
    float *c = p->c + i0 * p->c_row;

    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int j = 0; j < vectors; j++)
        {
            acc[i][j] = v_zero();
        }
    }
    if (p->accumulate) {
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int j = 0; j < vectors; j++)
            {
                const float *from = c + i * p->c_row + j * VL;
                acc[i][j] = j + 1 < vectors ? v_load(from) : v_get(from, last);
            }
        }
    }
    if (p->far) {
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int j = 0; j < vectors; j++)
            {
                v_fetch_to_write(c, i * p->c_row + j * VL);
            }
        }
    }
    const char *fetch = b;
    ptrdiff_t fetch_step = 0;
    if (fetches(p, vectors)) {
        fetch = p->ahead->at;
        fetch_step = LINE_BYTES;
    }
    for (int t = 0; t < p->taps; t++) {
        const float *at[MAX_HEIGHT / 3 + 1];
        UNROLL for (int g = 0; g < groups; g++)
        {
            at[g] = a + p->tap[t] + 3 * g * row;
            hide(&at[g]);
        }
        for (int k = p->k; k > 0; k--) {
            vf bv[MAX_VECTORS];
            if (vectors > 1) {
                __builtin_prefetch(fetch, 0, 2);
                fetch += fetch_step;
            }
            UNROLL for (int j = 0; j < vectors; j++)
            {
                const char *from = b + j * vector;
                bv[j] = half ? v_load_half(from) : v_load((const float *)from);
            }
            UNROLL for (int i = 0; i < rows; i++)
            {
                vf av = v_set(at[i / 3][i % 3 * row]);
                UNROLL for (int j = 0; j < vectors; j++)
                {
                    acc[i][j] += av * bv[j];
                }
            }
            UNROLL for (int g = 0; g < groups; g++)
            {
                at[g] += step;
            }
            b += vectors * vector;
        }
    }
    if (fetch_step != 0) {
        p->ahead->at = fetch < p->ahead->end ? fetch : p->ahead->end;
    }
    tile_epilogue(p, i0, rows, vectors, acc, last);
    tile_store(p, i0, rows, vectors, acc, last);
}

/* A tile of a height that is known at run time only. */
INLINE void tile_rows(const struct panel *p, int i0, int rows,
                      const int vectors, const bool half)
{
    switch (rows) {
#define CASE(n)                                                                \
    case n:                                                                    \
        tile(p, i0, n, vectors, half);                                         \
        break;
        EACH_HEIGHT(CASE)
#undef CASE
    default:
        break;
    }
}

INLINE void run_panel(const struct panel *p, const int vectors,
                      const int max_rows, const bool half)
{
    struct cut tiles = cut_evenly(p->m, max_rows);
    int i = 0;
    for (int t = 0; t < tiles.parts; t++) {
        int rows = tiles.low + (t < tiles.more ? 1 : 0);
        if (rows > max_rows) {
            __builtin_unreachable();
        }
        tile_rows(p, i, rows, vectors, half);
        i += rows;
    }
}

INLINE void any_panel(const struct panel *p, const bool half)
{
    switch (p->vectors) {
    case 1:
        run_panel(p, 1, ROWS_1, half);
        break;
    case 2:
        run_panel(p, 2, ROWS_2, half);
        break;
#if defined(__AVX512F__)
    case 3:
        run_panel(p, 3, ROWS_3, half);
        break;
    case 4:
        run_panel(p, 4, ROWS_4, half);
        break;
#endif
    default:
        break;
    }
}

void SY_KERNEL(panel)(const struct panel *panel)
{
    if (panel->half) {
        any_panel(panel, true);
    } else {
        any_panel(panel, false);
    }
}

int SY_KERNEL(panel_vectors)(int n, int columns, int most)
{
    struct cut panels = cut_evenly((columns + VL - 1) / VL, most);
    return n / VL < panels.more * (panels.low + 1) ? panels.low + 1
                                                   : panels.low;
}

size_t SY_KERNEL(packed)(int k, int n)
{
    return (size_t)k * (size_t)((n + VL - 1) / VL * VL);
}

/* As pack_panel, where the columns of B lie along memory: squares of VL. */
static void pack_transposed(float *to, const float *b, ptrdiff_t column, int k,
                            int n, int vectors)
{
    int width = vectors * VL;
    for (int p = 0; p < k; p += VL) {
        struct lanes steps = v_lanes(p, k);
        int count = k - p < VL ? k - p : VL;
        for (int j = 0; j < width; j += VL) {
            vf square[VL];
            UNROLL for (int i = 0; i < VL; i++)
            {
                square[i] = j + i < n ? v_get(b + (j + i) * column + p, steps)
                                      : v_zero();
            }
            v_transpose(square);
            if (count == VL) {
                UNROLL for (int i = 0; i < VL; i++)
                {
                    v_store(to + (p + i) * width + j, square[i]);
                }
                continue;
            }
            for (int i = 0; i < count; i++) {
                v_store(to + (p + i) * width + j, square[i]);
            }
        }
    }
}

/* One panel: n columns (the rest of the last vector is zero). */
static void pack_panel(float *to, const float *b, ptrdiff_t row, ptrdiff_t step,
                       int k, int n, int vectors)
{
    int width = vectors * VL;
    if (step == 1) {
        struct lanes last = v_lanes(width - VL, n);
        for (int p = 0; p < k; p++) {
            for (int j = 0; j < width - VL; j += VL) {
                v_store(to + j, v_load(b + p * row + j));
            }
            v_store(to + width - VL, v_get(b + p * row + width - VL, last));
            to += width;
        }
        return;
    }
    if (row == 1) {
        pack_transposed(to, b, step, k, n, vectors);
        return;
    }
    for (int p = 0; p < k; p++) {
        for (int j = 0; j < n; j++) {
            to[j] = b[p * row + j * step];
        }
        for (int j = n; j < width; j++) {
            to[j] = 0.0f;
        }
        to += width;
    }
}

void SY_KERNEL(pack)(float *packed, const float *b, ptrdiff_t row,
                     ptrdiff_t step, int k, int n, int most)
{
    for (int j = 0; j < n;) {
        int vectors = SY_KERNEL(panel_vectors)(j, n, most);
        int width = vectors * VL;
        int part = n - j < width ? n - j : width;
        pack_panel(packed, b + j * step, row, step, k, part, vectors);
        packed += (size_t)k * (size_t)width;
        j += width;
    }
}

void SY_KERNEL(gemm)(const struct sy_gemm *gemm, const float *a, const float *b,
                     float *c)
{
    _Alignas(64) float packed[PACK_K * MAX_VECTORS * VL];
    ptrdiff_t b_row = gemm->transpose_b ? 1 : gemm->ldb;
    ptrdiff_t b_step = gemm->transpose_b ? gemm->ldb : 1;
    const ptrdiff_t no_tap = 0;
    struct panel panel = {
        .taps = 1,
        .tap = &no_tap,
        .a_row = gemm->transpose_a ? 1 : gemm->lda,
        .a_step = gemm->transpose_a ? gemm->lda : 1,
        .b = packed,
        .m = gemm->m,
        .c_row = gemm->ldc,
        .act = SY_ACT_NONE,
    };
    for (int j = 0; j < gemm->n;) {
        panel.vectors = SY_KERNEL(panel_vectors)(j, gemm->n, MAX_VECTORS);
        int width = panel.vectors * VL;
        panel.n = gemm->n - j < width ? gemm->n - j : width;
        panel.c = c + j;
        panel.accumulate = gemm->accumulate;
        panel.far = true;
        int k = 0;
        do {
            panel.k = gemm->k - k < PACK_K ? gemm->k - k : PACK_K;
            panel.a = a + k * panel.a_step;
            pack_panel(packed, b + k * b_row + j * b_step, b_row, b_step,
                       panel.k, panel.n, panel.vectors);
            SY_KERNEL(panel)(&panel);
            panel.accumulate = true;
            panel.far = false;
            k += panel.k;
        } while (k < gemm->k);
        j += width;
    }
}
