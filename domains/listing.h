/*
 * listing.h - what stands in a data folder, for `domains list`.
 */
#ifndef DOM_LISTING_H
#define DOM_LISTING_H

#include "domains/domain.h"

/* One sub-folder: a domain, or why it is none. */
struct dom_listed {
    char name[256];
    enum sy_status status;        /* SY_OK: the fields below hold */
    char message[SY_ERROR_BYTES]; /* else: what is wrong with it */
    const char *format;           /* static text */
    int classes;
    int height, width, channels; /* height = width = 0: mixed sizes */
    int train, test;             /* images */
};

struct dom_listing {
    struct dom_listed *items; /* in order of name */
    int count;
};

/*
 * Opens every sub-folder of `dir` (names that begin with a dot left out) and
 * closes it again. A damaged domain becomes an item with its message; only
 * `dir` itself can make the call fail: SY_NOT_FOUND, SY_IO, SY_NO_MEMORY.
 * Thread: any.
 */
enum sy_status dom_listing_make(struct dom_listing *listing, const char *dir,
                                struct sy_error *err) SY_MUST_USE;
void dom_listing_release(struct dom_listing *listing);

#endif
