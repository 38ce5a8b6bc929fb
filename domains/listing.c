/*
 * listing.c - what stands in a data folder.
 *
 * DESIGN. The listing says of a folder exactly what training would say,
 * because it opens it the same way.
 */
#include "domains/listing.h"

#include <stdio.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

struct scan {
    struct dom_listing *listing;
    const char *dir;
    int room;
};

static void describe(struct dom_listed *item, const char *dir)
{
    struct dom_domain *domain = NULL;
    struct sy_error err = {0};
    item->status = dom_open(&domain, dir, item->name, NULL, &err);
    if (item->status != SY_OK) {
        (void)snprintf(item->message, sizeof(item->message), "%s", err.message);
        return;
    }
    item->format = dom_format(domain);
    item->classes = dom_classes(domain);
    item->height = dom_height(domain);
    item->width = dom_width(domain);
    item->channels = dom_channels(domain);
    item->train = dom_count(domain, DOM_TRAIN);
    item->test = dom_count(domain, DOM_TEST);
    dom_close(domain);
}

static enum sy_status add_folder(void *context, const char *name, bool is_dir,
                                 struct sy_error *err)
{
    struct scan *scan = context;
    struct dom_listing *listing = scan->listing;
    if (!is_dir || name[0] == '.') {
        return SY_OK;
    }
    if (listing->count == scan->room) {
        int room = 2 * scan->room + 16;
        struct dom_listed *grown = sy_realloc(
            listing->items, (size_t)room * sizeof(listing->items[0]));
        if (grown == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "%s: no memory", scan->dir);
        }
        listing->items = grown;
        scan->room = room;
    }
    struct dom_listed *item = &listing->items[listing->count++];
    *item = (struct dom_listed){.format = ""};
    (void)snprintf(item->name, sizeof(item->name), "%s", name);
    describe(item, scan->dir);
    return SY_OK;
}

enum sy_status dom_listing_make(struct dom_listing *listing, const char *dir,
                                struct sy_error *err)
{
    struct dom_listing made = {0};
    struct scan scan = {.listing = &made, .dir = dir};
    enum sy_status status = sy_dir_list(dir, add_folder, &scan, err);
    if (status != SY_OK) {
        dom_listing_release(&made);
        return status;
    }
    *listing = made;
    return SY_OK;
}

void dom_listing_release(struct dom_listing *listing)
{
    sy_free(listing->items);
    *listing = (struct dom_listing){0};
}
