/*
 * gzip.h - compressed bytes in and out, by zlib: gzip files, and the gzip and
 * deflate codings of HTTP bodies. The only part that knows zlib.
 *
 * Thread: any.
 */
#ifndef DOM_FORMATS_GZIP_H
#define DOM_FORMATS_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* True when the bytes begin as a gzip file does. */
bool dom_gzip_recognise(const uint8_t *data, size_t bytes);

/*
 * Inflates the first bytes of a gzip file, at most `room` of them; *found is
 * how many there are. Errors: SY_BAD_INPUT (not gzip, damaged), SY_NO_MEMORY.
 * `name` stands for the bytes in messages.
 */
enum sy_status dom_gzip_head(const uint8_t *data, size_t bytes,
                             const char *name, uint8_t *out, size_t room,
                             size_t *found, struct sy_error *err) SY_MUST_USE;

/*
 * Inflates a whole gzip file, which must hold exactly `expected` bytes; more,
 * fewer, a wrong checksum and anything after the last member are
 * SY_BAD_INPUT. A size that `bytes` cannot possibly hold is refused before
 * memory is taken. *out is owned by the caller (sy_free).
 */
enum sy_status dom_gzip_inflate(const uint8_t *data, size_t bytes,
                                const char *name, size_t expected,
                                uint8_t **out,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Deflates into an owned gzip file in memory, without name or time, so that
 * the same bytes in give the same bytes out.
 */
enum sy_status dom_gzip_deflate(const uint8_t *data, size_t bytes,
                                uint8_t **out, size_t *out_bytes,
                                struct sy_error *err) SY_MUST_USE;

/* What is around a deflate stream. HTTP calls them "gzip" and "deflate". */
enum dom_wrapper { DOM_WRAP_GZIP, DOM_WRAP_ZLIB };

/*
 * Inflates one stream whose size nobody tells, as it comes from strangers:
 * never more than `limit` bytes. *out (owned, sy_free) has a NUL behind its
 * end. When there is more, the outcome is SY_OK with *too_large and no bytes.
 * SY_BAD_INPUT: damaged, cut short, or followed by other bytes.
 */
enum sy_status dom_inflate_within(const uint8_t *data, size_t bytes,
                                  enum dom_wrapper wrapper, size_t limit,
                                  uint8_t **out, size_t *out_bytes,
                                  bool *too_large,
                                  struct sy_error *err) SY_MUST_USE;

/* Deflates in a hurry: level 1. *out is owned. */
enum sy_status dom_deflate_fast(const uint8_t *data, size_t bytes,
                                enum dom_wrapper wrapper, uint8_t **out,
                                size_t *out_bytes,
                                struct sy_error *err) SY_MUST_USE;

#endif
