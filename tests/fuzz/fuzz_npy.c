/*
 * fuzz_npy.c - arbitrary bytes as an NPY file, and as an NPZ archive of them.
 */
#include "domains/formats/npy.h"
#include "domains/formats/zip.h"
#include "runtime/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void try_array(const uint8_t *data, size_t bytes)
{
    struct dom_npy npy;
    if (dom_npy_parse(&npy, data, bytes, "input", NULL) == SY_OK) {
        size_t count = 1;
        for (int d = 0; d < npy.rank; d++) {
            count *= (size_t)npy.size[d];
        }
        volatile int64_t first = dom_npy_value(&npy, 0);
        volatile int64_t last = dom_npy_value(&npy, count - 1);
        (void)first;
        (void)last;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const members[] = {"images.npy", "labels.npy"};
    struct dom_zip *zip = NULL;
    try_array(data, bytes);
    if (dom_zip_open(&zip, data, bytes, "input", NULL) != SY_OK) {
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        uint8_t *member = NULL;
        size_t length = 0;
        if (dom_zip_has(zip, members[i]) &&
            dom_zip_read(zip, members[i], &member, &length, NULL) == SY_OK) {
            try_array(member, length);
            sy_free(member);
        }
    }
    dom_zip_close(zip);
    return 0;
}
