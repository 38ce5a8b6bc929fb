/*
 * safetensors.h - the safetensors file format: float32, and uint8 where asked.
 *
 * Source: huggingface/safetensors, format description: u64 little-endian
 * header length, a JSON object {name: {dtype, shape, data_offsets}}, then the
 * bytes. We write tensors in the order given, packed, the header padded with
 * spaces to a multiple of 64 so that data is aligned.
 *
 * Reading checks everything: header length and depth, dtype, shapes whose
 * product overflows or disagrees with the offsets, overlaps, gaps, names
 * twice, bytes missing or left over. Values are not judged here.
 *
 * Thread: any (an open file is immutable).
 */
#ifndef SY_ARTEFACT_SAFETENSORS_H
#define SY_ARTEFACT_SAFETENSORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum { SY_ST_MAX_DIMS = 8, SY_ST_MAX_HEADER_BYTES = 100 << 20 };

struct sy_st_entry {
    const char *name; /* borrowed from the file when read */
    int dims;
    int64_t dim[SY_ST_MAX_DIMS];
    const float *data; /* borrowed */
    const uint8_t *u8; /* borrowed: a tensor of bytes, and `data` is NULL */
    size_t count;
};

struct sy_st_file;

/* Maps and checks a file. */
enum sy_status sy_st_open(struct sy_st_file **file, const char *path,
                          struct sy_error *err) SY_MUST_USE;

/* The same over bytes in memory (64-byte aligned), borrowed until close. */
enum sy_status sy_st_parse(struct sy_st_file **file, const uint8_t *data,
                           size_t bytes, const char *name,
                           struct sy_error *err) SY_MUST_USE;

/* The same where tensors of bytes (U8) are legal; elsewhere they are refused.
 */
enum sy_status sy_st_parse_mixed(struct sy_st_file **file, const uint8_t *data,
                                 size_t bytes, const char *name,
                                 struct sy_error *err) SY_MUST_USE;
void sy_st_close(struct sy_st_file *file);

int sy_st_count(const struct sy_st_file *file);
const struct sy_st_entry *sy_st_entry_at(const struct sy_st_file *file,
                                         int index);
/* NULL when there is none of that name. */
const struct sy_st_entry *sy_st_find(const struct sy_st_file *file,
                                     const char *name);
/* The text under "__metadata__", or NULL. */
const char *sy_st_metadata(const struct sy_st_file *file, const char *key);

/*
 * Writes a file atomically. `metadata` is an object of texts, or NULL. Tensors
 * of bytes come last, so that all float32 are aligned.
 */
enum sy_status sy_st_save(const char *path, const struct sy_st_entry *entries,
                          int count, json_t *metadata,
                          struct sy_error *err) SY_MUST_USE;

#endif
