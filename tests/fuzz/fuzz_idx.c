/*
 * fuzz_idx.c - arbitrary bytes as an IDX file, plain or gzip'd. The rank that
 * a file's name would promise is taken from the header, so that most inputs
 * get past that check.
 */
#include "domains/formats/gzip.h"
#include "domains/formats/idx.h"
#include "runtime/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void try_plain(const uint8_t *data, size_t bytes)
{
    struct dom_idx idx;
    const uint8_t *values;
    int rank = bytes > 3 && data[3] >= 1 && data[3] <= 4 ? data[3] : 3;
    if (dom_idx_parse(&idx, &values, data, bytes, rank, "input", NULL) ==
        SY_OK) {
        volatile uint8_t last = data[bytes - 1];
        (void)last;
        SY_ASSERT(values <= data + bytes);
    }
}

static void try_zipped(const uint8_t *data, size_t bytes)
{
    uint8_t head[DOM_IDX_HEAD_BYTES];
    size_t found = 0;
    struct dom_idx idx;
    uint8_t *out = NULL;
    if (dom_gzip_head(data, bytes, "input", head, sizeof(head), &found, NULL) !=
        SY_OK) {
        return;
    }
    int rank = found > 3 && head[3] >= 1 && head[3] <= 4 ? head[3] : 3;
    if (dom_idx_header(&idx, head, found, rank, "input", NULL) == SY_OK &&
        dom_gzip_inflate(data, bytes, "input", idx.bytes, &out, NULL) ==
            SY_OK) {
        try_plain(out, idx.bytes);
    }
    sy_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    try_plain(data, bytes);
    try_zipped(data, bytes);
    return 0;
}
