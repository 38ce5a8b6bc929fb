/*
 * loader.c - batches of one split of one domain.
 *
 * DESIGN. Pictures are decoded and resized by the pool, in groups of GROUP:
 * once into the cache when all of them fit, else again for every batch.
 * Which worker takes which group is not determined, so a group depends on
 * its index only; of several failures the one of the lowest image is
 * reported, whichever thread met it first.
 */
#include <pthread.h>
#include <string.h>

#include "domains/batch/augment.h"
#include "domains/batch/batch.h"
#include "domains/batch/order.h"
#include "runtime/base/memory.h"

enum { GROUP = 16, CHANNELS = 3 };

static const size_t default_cache_bytes = (size_t)1 << 30;

struct dom_loader {
    const struct dom_domain *domain;
    struct dom_loader_options options;
    struct dom_order order;
    int images;
    int first_part; /* images of the split; the rest, if any, is VALID */
    size_t bytes;   /* of one picture */
    int *labels;    /* of all images */
    uint8_t *cache; /* all pictures, or NULL */
    int *picks;     /* of the batch that is being filled */
    int picks_room;
};

/* One loop over the pool, and the first failure in it by image. */
struct work {
    struct dom_loader *loader;
    int count;
    int64_t step;
    float *images;        /* of a batch, or NULL while the cache is filled */
    pthread_mutex_t lock; /* guards the fields below */
    int failed_at;
    enum sy_status status;
    struct sy_error err;
};

static void note_failure(struct work *work, int at, enum sy_status status,
                         const struct sy_error *err)
{
    pthread_mutex_lock(&work->lock);
    if (work->status == SY_OK || at < work->failed_at) {
        work->failed_at = at;
        work->status = status;
        work->err = *err;
    }
    pthread_mutex_unlock(&work->lock);
}

/* Reads one image from disk, resized. */
static enum sy_status read_image(const struct dom_loader *loader, int image,
                                 uint8_t *pixels, struct sy_error *err)
{
    enum dom_split split = loader->options.split;
    int index = image;
    if (image >= loader->first_part) {
        split = DOM_VALID;
        index -= loader->first_part;
    }
    return dom_read(loader->domain, split, index, loader->options.height,
                    loader->options.width, pixels, err);
}

static void cache_group(void *context, int task, int worker)
{
    (void)worker;
    struct work *work = context;
    struct dom_loader *loader = work->loader;
    for (int i = task * GROUP; i < (task + 1) * GROUP && i < work->count; i++) {
        struct sy_error err = {0};
        enum sy_status status = read_image(
            loader, i, loader->cache + (size_t)i * loader->bytes, &err);
        if (status != SY_OK) {
            note_failure(work, i, status, &err);
            return;
        }
    }
}

/* One slot of a batch: its picture from the cache or disk, changed. */
static enum sy_status fill_slot(const struct work *work, int slot,
                                uint8_t *scratch, struct sy_error *err)
{
    const struct dom_loader *loader = work->loader;
    const struct dom_loader_options *options = &loader->options;
    int image = loader->picks[slot];
    const uint8_t *pixels = scratch;
    if (loader->cache != NULL) {
        pixels = loader->cache + (size_t)image * loader->bytes;
    } else {
        SY_TRY(read_image(loader, image, scratch, err));
    }
    struct sy_rng rng =
        sy_rng_stream(options->seed, SY_RNG_AUGMENT, (uint64_t)work->step,
                      dom_slot(options->index, slot));
    struct dom_change change = dom_change_draw(
        &options->augment, options->height, options->width, &rng);
    dom_change_apply(&change, pixels, options->height, options->width,
                     work->images + (size_t)slot * loader->bytes);
    return SY_OK;
}

static void fill_group(void *context, int task, int worker)
{
    (void)worker;
    struct work *work = context;
    struct sy_error err = {0};
    int first = task * GROUP;
    uint8_t *scratch = NULL;
    if (work->loader->cache == NULL) {
        scratch = sy_alloc(work->loader->bytes);
        if (scratch == NULL) {
            note_failure(work, first, SY_NO_MEMORY, &err);
            return;
        }
    }
    for (int i = first; i < first + GROUP && i < work->count; i++) {
        enum sy_status status = fill_slot(work, i, scratch, &err);
        if (status != SY_OK) {
            note_failure(work, i, status, &err);
            break;
        }
    }
    sy_free(scratch);
}

/* Runs `group` over work->count images and returns the first failure. */
static enum sy_status run_groups(struct work *work, sy_task_fn group,
                                 struct sy_pool *pool, struct sy_error *err)
{
    pthread_mutex_init(&work->lock, NULL);
    sy_pool_run(pool, (work->count + GROUP - 1) / GROUP, group, work);
    pthread_mutex_destroy(&work->lock);
    if (work->status != SY_OK) {
        return sy_fail(
            err, work->status, "%s: %s", dom_name(work->loader->domain),
            work->err.message[0] != '\0' ? work->err.message : "out of memory");
    }
    return SY_OK;
}

static enum sy_status check_options(const struct dom_domain *domain,
                                    const struct dom_loader_options *options,
                                    struct sy_error *err)
{
    static const char *const splits[] = {"training", "held-out", "test"};
    SY_ASSERT(!options->with_all || options->split == DOM_TRAIN);
    const struct dom_augment *augment = &options->augment;
    if (options->height < 1 || options->height > DOM_MAX_SIDE ||
        options->width < 1 || options->width > DOM_MAX_SIDE ||
        options->index >= DOM_MAX_INDEX) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected an input of 1 to %d pixels a side and a "
                       "domain number below %d, found %d x %d and %u",
                       dom_name(domain), DOM_MAX_SIDE, DOM_MAX_INDEX,
                       options->height, options->width, options->index);
    }
    if (augment->shift < 0 || augment->shift > DOM_MAX_SIDE ||
        augment->cutout < 0 || augment->cutout > DOM_MAX_SIDE) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a shift and a cutout from 0 to %d "
                       "pixels, found %d and %d",
                       dom_name(domain), DOM_MAX_SIDE, augment->shift,
                       augment->cutout);
    }
    if (dom_count(domain, options->split) == 0 && !options->with_all) {
        return sy_fail(err, SY_BAD_INPUT, "%s: the %s split has no images; %s",
                       dom_name(domain), splits[options->split],
                       options->split == DOM_VALID ? "hold out a share above 0"
                                                   : "add some");
    }
    return SY_OK;
}

/* Collects the labels of all images, in the order of the loader. */
static enum sy_status collect_labels(struct dom_loader *loader,
                                     struct sy_error *err)
{
    const struct dom_domain *domain = loader->domain;
    loader->labels =
        sy_alloc_zero((size_t)loader->images, sizeof(loader->labels[0]));
    if (loader->labels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", dom_name(domain));
    }
    for (int i = 0; i < loader->images; i++) {
        int rest = i - loader->first_part;
        loader->labels[i] = rest < 0
                                ? dom_label(domain, loader->options.split, i)
                                : dom_label(domain, DOM_VALID, rest);
    }
    return SY_OK;
}

/* Reads all pictures into the cache when they fit. */
static enum sy_status fill_cache(struct dom_loader *loader,
                                 struct sy_pool *pool, struct sy_error *err)
{
    size_t most = loader->options.cache_bytes;
    most = most == 0 ? default_cache_bytes : most;
    if ((size_t)loader->images > most / loader->bytes) {
        return SY_OK;
    }
    loader->cache = sy_alloc((size_t)loader->images * loader->bytes);
    if (loader->cache == NULL) {
        return SY_OK; /* no memory for a cache: read again from disk */
    }
    struct work work = {.loader = loader, .count = loader->images};
    return run_groups(&work, cache_group, pool, err);
}

enum sy_status dom_loader_new(struct dom_loader **loader,
                              const struct dom_domain *domain,
                              const struct dom_loader_options *options,
                              struct sy_pool *pool, struct sy_error *err)
{
    SY_TRY(check_options(domain, options, err));
    struct dom_loader *made = sy_alloc_zero(1, sizeof(*made));
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", dom_name(domain));
    }
    enum sy_status status = SY_OK;
    made->domain = domain;
    made->options = *options;
    made->first_part = dom_count(domain, options->split);
    made->images = made->first_part;
    made->images += options->with_all ? dom_count(domain, DOM_VALID) : 0;
    made->bytes = (size_t)options->height * (size_t)options->width * CHANNELS;
    SY_TRY_OUT(collect_labels(made, err));
    SY_TRY_OUT(dom_order_init(&made->order, made->labels, made->images,
                              dom_classes(domain), options->balanced,
                              options->seed, options->index, err));
    SY_TRY_OUT(fill_cache(made, pool, err));
    *loader = made;
    made = NULL;
out:
    dom_loader_free(made);
    return status;
}

void dom_loader_free(struct dom_loader *loader)
{
    if (loader != NULL) {
        dom_order_release(&loader->order);
        sy_free(loader->labels);
        sy_free(loader->cache);
        sy_free(loader->picks);
        sy_free(loader);
    }
}

int dom_loader_images(const struct dom_loader *loader)
{
    return loader->images;
}

/* Room for the picks of a batch; kept from batch to batch. */
static enum sy_status reserve_picks(struct dom_loader *loader, int count,
                                    struct sy_error *err)
{
    if (count <= loader->picks_room) {
        return SY_OK;
    }
    int *grown =
        sy_realloc(loader->picks, (size_t)count * sizeof(loader->picks[0]));
    if (grown == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory",
                       dom_name(loader->domain));
    }
    loader->picks = grown;
    loader->picks_room = count;
    return SY_OK;
}

enum sy_status dom_loader_fill(struct dom_loader *loader, int64_t step,
                               int count, float *images, int *labels,
                               struct sy_pool *pool, struct sy_error *err)
{
    SY_ASSERT(step >= 0);
    if (count < 1 || count > DOM_MAX_BATCH) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a batch of 1 to %d images, found %d",
                       dom_name(loader->domain), DOM_MAX_BATCH, count);
    }
    SY_TRY(reserve_picks(loader, count, err));
    dom_order_pick(&loader->order, step, count, loader->picks);
    struct work work = {
        .loader = loader, .count = count, .step = step, .images = images};
    SY_TRY(run_groups(&work, fill_group, pool, err));
    for (int i = 0; i < count; i++) {
        labels[i] = loader->labels[loader->picks[i]];
    }
    return SY_OK;
}

enum sy_status dom_loader_read(struct dom_loader *loader, int first, int count,
                               uint8_t *pixels, int *labels,
                               struct sy_error *err)
{
    SY_ASSERT(first >= 0 && count >= 0 && first <= loader->images - count);
    for (int i = 0; i < count; i++) {
        uint8_t *to = pixels + (size_t)i * loader->bytes;
        if (loader->cache != NULL) {
            memcpy(to, loader->cache + (size_t)(first + i) * loader->bytes,
                   loader->bytes);
        } else {
            SY_TRY(read_image(loader, first + i, to, err));
        }
        labels[i] = loader->labels[first + i];
    }
    return SY_OK;
}
