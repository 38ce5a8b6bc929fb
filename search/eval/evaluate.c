/*
 * evaluate.c - scores a network on the test images of its domains.
 */
#include "search/eval/evaluate.h"

#include "search/eval/test_images.h"

int64_t nas_domain_params(const struct sy_network *network, int domain)
{
    int64_t params = 0;
    for (int u = 0; u < network->unit_count; u++) {
        bool needed = false;
        for (int e = 0; e < network->expert_count && !needed; e++) {
            const struct sy_expert *expert = &network->expert[e];
            for (int s = 0;
                 s < sy_network_stages(network) && expert->domain == domain;
                 s++) {
                needed |= u == sy_network_stage_unit(network, s, &expert->path,
                                                     domain);
            }
        }
        for (int g = 0; g < network->gate_count; g++) {
            needed |= u == sy_network_gate(network, g) &&
                      network->gate[g].domain == domain;
        }
        params += needed ? network->unit[u].cost.params : 0;
    }
    return params;
}

enum sy_status nas_evaluate(struct nas_evaluation *evaluation,
                            struct sy_executor *executor, int domain,
                            const char *dir,
                            const struct nas_score_options *options,
                            struct sy_pool *pool, struct sy_error *err)
{
    const struct sy_network *network = sy_executor_network(executor);
    const struct sy_domain *known = &network->domain[domain];
    struct nas_test_images images;
    enum sy_status status = SY_OK;
    SY_TRY(nas_test_images_open(&images, network, dir, known->name, pool, err));
    if (dom_classes(images.domain) != known->classes) {
        status =
            sy_fail(err, SY_BAD_INPUT,
                    "%s/%s: has %d classes, the model was trained for %d", dir,
                    known->name, dom_classes(images.domain), known->classes);
        goto out;
    }
    SY_TRY_OUT(nas_score_domain(&evaluation->score, executor, network, domain,
                                images.loader, options, err));
    evaluation->domain = domain;
    evaluation->params = nas_domain_params(network, domain);
out:
    nas_test_images_close(&images);
    return status;
}
