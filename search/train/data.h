/*
 * data.h - the domains of a job, opened, with their loaders.
 *
 * Thread: init; the loaders: one at a time.
 */
#ifndef NAS_TRAIN_DATA_H
#define NAS_TRAIN_DATA_H

#include "domains/batch/batch.h"
#include "runtime/base/hash.h"
#include "search/config.h"

struct nas_data {
    int count;
    struct dom_domain *domain[SY_MAX_DOMAINS];
    struct dom_loader *train[SY_MAX_DOMAINS];
    struct dom_loader *valid[SY_MAX_DOMAINS]; /* NULL: nothing is held out */
    char hash[SY_MAX_DOMAINS][SY_HASH_TEXT_BYTES];
};

/* Opens every domain of the config under `dir` and reads its images. */
enum sy_status nas_data_open(struct nas_data *data,
                             const struct nas_config *config, const char *dir,
                             struct sy_pool *pool,
                             struct sy_error *err) SY_MUST_USE;
void nas_data_close(struct nas_data *data);

/* Training images of all domains together. */
int64_t nas_data_images(const struct nas_data *data);

/*
 * Deals the images of a training step to the domains: `batch` each with
 * balance_domains, else batch * domains in proportion, at least 2. A domain
 * that has fewer images than its part of one batch is SY_BAD_INPUT.
 */
enum sy_status nas_data_deal(const struct nas_data *data,
                             const struct nas_config *config,
                             int images[SY_MAX_DOMAINS],
                             struct sy_error *err) SY_MUST_USE;

/* Steps of so many images for `passes` over all of them, at least one. */
int64_t nas_data_steps(const struct nas_data *data,
                       const int images[SY_MAX_DOMAINS], double passes);

#endif
