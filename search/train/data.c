/*
 * data.c - opens domains and makes their training and validation loaders.
 */
#include "search/train/data.h"

#include <math.h>
#include <string.h>

/* Memory that all loaders of a run may take for decoded images together; what
   does not fit is read again from disk. */
static const size_t cache_bytes = (size_t)4 << 30;

/*
 * The share that is held out. The images for calibration are the first of
 * those that `holdout` takes, so they stay held out when the rest is not.
 */
static double held_share(const struct nas_train_config *train)
{
    double share = train->use_holdout ? 0.0 : train->holdout;
    return share > train->calibration ? share : train->calibration;
}

/* One domain: open, hash, loaders. */
static enum sy_status open_one(struct nas_data *data,
                               const struct nas_config *config, int d,
                               const char *dir, struct sy_pool *pool,
                               struct sy_error *err)
{
    const struct nas_train_config *train = &config->train;
    struct dom_options options = {.holdout = held_share(train),
                                  .fraction = config->fraction[d]};
    struct dom_loader_options loader = {
        .split = DOM_TRAIN,
        .height = config->network.input.h,
        .width = config->network.input.w,
        .balanced = train->balance_classes,
        .augment = {.shift = train->shift,
                    .flip = config->flip[d],
                    .cutout = train->cutout},
        .seed = config->seed,
        .index = (uint32_t)d,
        .cache_bytes = cache_bytes / (2 * (size_t)config->domain_count),
    };
    SY_TRY(dom_open(&data->domain[d], dir, config->domain[d], &options, err));
    data->count = d + 1;
    SY_TRY(dom_hash(data->domain[d], data->hash[d], err));
    SY_TRY(
        dom_loader_new(&data->train[d], data->domain[d], &loader, pool, err));
    if (dom_count(data->domain[d], DOM_VALID) > 0) {
        loader.split = DOM_VALID;
        loader.augment = (struct dom_augment){0};
        SY_TRY(dom_loader_new(&data->valid[d], data->domain[d], &loader, pool,
                              err));
    }
    return SY_OK;
}

enum sy_status nas_data_open(struct nas_data *data,
                             const struct nas_config *config, const char *dir,
                             struct sy_pool *pool, struct sy_error *err)
{
    memset(data, 0, sizeof *data);
    for (int d = 0; d < config->domain_count; d++) {
        enum sy_status status = open_one(data, config, d, dir, pool, err);
        if (status != SY_OK) {
            nas_data_close(data);
            return status;
        }
    }
    return SY_OK;
}

void nas_data_close(struct nas_data *data)
{
    for (int d = 0; d < SY_MAX_DOMAINS; d++) {
        dom_loader_free(data->train[d]);
        dom_loader_free(data->valid[d]);
        dom_close(data->domain[d]);
    }
    memset(data, 0, sizeof *data);
}

int64_t nas_data_images(const struct nas_data *data)
{
    int64_t images = 0;
    for (int d = 0; d < data->count; d++) {
        images += dom_loader_images(data->train[d]);
    }
    return images;
}

enum sy_status nas_data_deal(const struct nas_data *data,
                             const struct nas_config *config,
                             int images[SY_MAX_DOMAINS], struct sy_error *err)
{
    int64_t all = nas_data_images(data);
    int64_t total = (int64_t)config->train.batch * data->count;
    for (int d = 0; d < data->count; d++) {
        int64_t mine = dom_loader_images(data->train[d]);
        int64_t share = config->train.balance_domains
                            ? config->train.batch
                            : (mine * total + all / 2) / all;
        images[d] = (int)(share > 2 ? share : 2);
        if (mine < images[d]) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected at least a batch of %d training "
                           "images, found %lld; lower train.batch, or add "
                           "some",
                           config->domain[d], images[d], (long long)mine);
        }
    }
    return SY_OK;
}

int64_t nas_data_steps(const struct nas_data *data,
                       const int images[SY_MAX_DOMAINS], double passes)
{
    int64_t per_step = 0;
    for (int d = 0; d < data->count; d++) {
        per_step += images[d];
    }
    double steps =
        ceil(passes * (double)nas_data_images(data) / (double)per_step);
    return steps > 1 ? (int64_t)steps : 1;
}
