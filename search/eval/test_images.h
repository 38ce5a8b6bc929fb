/*
 * test_images.h - the test images of a folder, in a network's size.
 *
 * Thread: one at a time.
 */
#ifndef NAS_EVAL_TEST_IMAGES_H
#define NAS_EVAL_TEST_IMAGES_H

#include "domains/batch/batch.h"
#include "runtime/network/network.h"

struct nas_test_images {
    struct dom_domain *domain;
    struct dom_loader *loader;
};

/*
 * Opens the test part of DIR/NAME, without augmentation; `pool` may be NULL.
 * Owned: nas_test_images_close, which a failure leaves nothing to do.
 */
enum sy_status nas_test_images_open(struct nas_test_images *images,
                                    const struct sy_network *network,
                                    const char *dir, const char *name,
                                    struct sy_pool *pool,
                                    struct sy_error *err) SY_MUST_USE;
void nas_test_images_close(struct nas_test_images *images);

#endif
