/*
 * find.c - how well the root gate finds domains.
 */
#include "search/eval/find.h"

#include <string.h>

#include "domains/image/image.h"
#include "runtime/base/arena.h"
#include "runtime/base/memory.h"
#include "runtime/executor/top.h"
#include "search/eval/test_images.h"

/* Buffers of a batch. */
struct pass {
    uint8_t *pixels;
    float *images;
    int *labels;
    float *probabilities;
    size_t classes; /* most of a domain */
    struct sy_request request[NAS_SCORE_BATCH];
};

static bool make_pass(struct pass *pass, struct sy_arena *arena,
                      const struct sy_network *network)
{
    size_t image = sy_shape_floats(network->spec.input);
    for (int d = 0; d < network->domain_count; d++) {
        size_t classes = (size_t)network->domain[d].classes;
        pass->classes = classes > pass->classes ? classes : pass->classes;
    }
    pass->pixels = sy_arena_zero(arena, NAS_SCORE_BATCH, image);
    pass->images = sy_arena_zero(arena, NAS_SCORE_BATCH * image, sizeof(float));
    pass->labels = sy_arena_zero(arena, NAS_SCORE_BATCH, sizeof(int));
    pass->probabilities =
        sy_arena_zero(arena, NAS_SCORE_BATCH * pass->classes, sizeof(float));
    return pass->pixels && pass->images && pass->labels && pass->probabilities;
}

static enum sy_status take(struct nas_finding *finding,
                           const struct sy_network *network,
                           const struct pass *pass, int i, struct sy_error *err)
{
    const struct sy_request *request = &pass->request[i];
    finding->madds_mean += (double)request->madds;
    if (request->status == SY_NOT_FOUND) {
        finding->abstained++;
        return SY_OK;
    }
    if (request->status != SY_OK) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: an answer is not made of finite numbers",
                       finding->name);
    }
    int best = 0;
    (void)sy_top_classes(request->result[0].probabilities,
                         network->domain[request->found].classes, &best, 1);
    finding->found[request->found]++;
    finding->right +=
        request->found == finding->domain && best == pass->labels[i];
    return SY_OK;
}

/* All images of the loader. */
static enum sy_status run(struct nas_finding *finding, struct pass *pass,
                          struct sy_executor *executor,
                          struct dom_loader *loader, int jpeg,
                          struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    size_t image = sy_shape_floats(network->spec.input);
    finding->n = dom_loader_images(loader);
    for (int first = 0; first < finding->n; first += NAS_SCORE_BATCH) {
        int left = finding->n - first;
        int count = left < NAS_SCORE_BATCH ? left : NAS_SCORE_BATCH;
        SY_TRY(dom_loader_read(loader, first, count, pass->pixels, pass->labels,
                               err));
        for (int i = 0; i < count && jpeg > 0; i++) {
            SY_TRY(dom_image_through_jpeg(pass->pixels + (size_t)i * image,
                                          network->spec.input.h,
                                          network->spec.input.w, jpeg, err));
        }
        dom_normalise(pass->pixels, (size_t)count * image, pass->images);
        memset(pass->request, 0, sizeof pass->request);
        for (int i = 0; i < count; i++) {
            struct sy_request *request = &pass->request[i];
            request->image = pass->images + (size_t)i * image;
            request->domain = -1;
            request->result[0].probabilities =
                pass->probabilities + (size_t)i * pass->classes;
        }
        sy_executor_run(executor, pass->request, count, NULL);
        for (int i = 0; i < count; i++) {
            SY_TRY(take(finding, network, pass, i, err));
        }
    }
    finding->madds_mean /= finding->n > 0 ? finding->n : 1;
    return SY_OK;
}

enum sy_status nas_find(struct nas_finding *finding,
                        struct sy_executor *executor, const char *dir,
                        const char *name,
                        const struct nas_find_options *options,
                        struct sy_pool *pool, struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    struct nas_test_images images;
    enum sy_status status = SY_OK;
    struct pass pass = {0};
    struct sy_arena arena;
    SY_ASSERT(sy_network_root_gate(network) >= 0);
    *finding =
        (struct nas_finding){.domain = sy_network_find_domain(network, name)};
    sy_arena_init(&arena, 0);
    SY_TRY(nas_test_images_open(&images, network, dir, name, pool, err));
    memcpy(finding->name, name, strlen(name) + 1);
    if (!make_pass(&pass, &arena, network)) {
        status = sy_fail(err, SY_NO_MEMORY, "evaluation: no memory");
        goto out;
    }
    SY_TRY_OUT(run(finding, &pass, executor, images.loader,
                   options != NULL ? options->jpeg : 0, err));
out:
    sy_arena_release(&arena);
    nas_test_images_close(&images);
    return status;
}

double nas_found_balanced(const struct nas_finding *rows, int count)
{
    double sum = 0.0;
    int domains = 0;
    for (int i = 0; i < count; i++) {
        if (rows[i].domain >= 0 && rows[i].n > 0) {
            sum += (double)rows[i].found[rows[i].domain] / rows[i].n;
            domains++;
        }
    }
    return domains > 0 ? sum / domains : 0.0;
}
