/*
 * gzip.h - gzip'd bytes in and out, by zlib. The only part of the room that
 * knows zlib.
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

#endif
