/* test_images.c - see test_images.h. */
#include "search/eval/test_images.h"

enum sy_status nas_test_images_open(struct nas_test_images *images,
                                    const struct sy_network *network,
                                    const char *dir, const char *name,
                                    struct sy_pool *pool, struct sy_error *err)
{
    static const struct dom_options none;
    const struct dom_loader_options options = {
        .split = DOM_TEST,
        .height = network->spec.input.h,
        .width = network->spec.input.w,
    };
    *images = (struct nas_test_images){0};
    SY_TRY(dom_open(&images->domain, dir, name, &none, err));
    enum sy_status status =
        dom_loader_new(&images->loader, images->domain, &options, pool, err);
    if (status != SY_OK) {
        nas_test_images_close(images);
    }
    return status;
}

void nas_test_images_close(struct nas_test_images *images)
{
    dom_loader_free(images->loader);
    dom_close(images->domain);
    *images = (struct nas_test_images){0};
}
