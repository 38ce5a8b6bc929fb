/*
 * zip.h - members of a zip archive in memory, by libzip. For NPZ.
 *
 * Thread: one at a time per archive.
 */
#ifndef DOM_FORMATS_ZIP_H
#define DOM_FORMATS_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct dom_zip;

/*
 * Opens an archive, borrowing `data` and `name` (for messages) until
 * dom_zip_close. Errors: SY_BAD_INPUT, SY_NO_MEMORY.
 */
enum sy_status dom_zip_open(struct dom_zip **zip, const uint8_t *data,
                            size_t bytes, const char *name,
                            struct sy_error *err) SY_MUST_USE;

/* NULL is legal. */
void dom_zip_close(struct dom_zip *zip);

bool dom_zip_has(const struct dom_zip *zip, const char *member);

/*
 * Unpacks a member into an owned block (sy_free), its checksum checked. At
 * most 4 GiB, and no more than its compressed bytes can hold.
 */
enum sy_status dom_zip_read(struct dom_zip *zip, const char *member,
                            uint8_t **data, size_t *bytes,
                            struct sy_error *err) SY_MUST_USE;

#endif
