/*
 * walk.h - the hash of everything in a domain's folder.
 */
#ifndef DOM_WALK_H
#define DOM_WALK_H

#include "runtime/base/status.h"

/*
 * SHA-256 over the files of a folder and its sub-folders in order of name:
 * for each its path within the folder, a NUL, its size as 8 bytes (least
 * first), its bytes. Names that begin with a dot are left out, since systems
 * and editors drop such files everywhere. `text` holds SY_HASH_TEXT_BYTES.
 * Thread: any.
 */
enum sy_status dom_walk_hash(const char *folder, char *text,
                             struct sy_error *err) SY_MUST_USE;

#endif
