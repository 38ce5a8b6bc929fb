/*
 * controller.c - the table of controllers, and what all members share:
 * drawing, warm-up, entropy.
 */
#include "search/controllers/controller.h"

#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"

const char *const nas_controller_names[NAS_CONTROLLERS + 1] = {"reinforce",
                                                               "random", NULL};

static const struct nas_controller_type *const types[NAS_CONTROLLERS] = {
    [NAS_CONTROLLER_REINFORCE] = &nas_controller_reinforce,
    [NAS_CONTROLLER_RANDOM] = &nas_controller_random,
};

struct nas_controller_config nas_controller_defaults(void)
{
    return (struct nas_controller_config){
        .kind = NAS_CONTROLLER_REINFORCE,
        .travel = 100,
        .growth = 10,
        .delay = 0.25,
        .baseline = 0.95,
        .batch_baseline = true,
    };
}

/* The candidate with the most channels inside; ties go to the first. */
static int find_widest(const struct sy_network_spec *spec, int layer)
{
    int channels = sy_spec_shape(spec, layer).c;
    int best = 0;
    int most = -1;
    for (int b = 0; b < spec->layer[layer].block_count; b++) {
        const struct sy_block_spec *block = &spec->layer[layer].block[b].spec;
        bool inside = block->kind == SY_BLOCK_MBCONV ||
                      block->kind == SY_BLOCK_FUSED ||
                      block->kind == SY_BLOCK_GROUP;
        int width = inside ? sy_block_expanded(block, channels) : 0;
        if (width > most) {
            most = width;
            best = b;
        }
    }
    return best;
}

enum sy_status nas_controller_init(struct nas_controller *controller,
                                   const struct nas_controller_config *config,
                                   const struct sy_network_spec *spec,
                                   int64_t steps, struct sy_error *err)
{
    SY_ASSERT(steps > 0);
    memset(controller, 0, sizeof *controller);
    controller->type = types[config->kind];
    controller->config = *config;
    controller->steps = steps;
    controller->layer_count = spec->layer_count;
    for (int l = 0; l < spec->layer_count; l++) {
        controller->choices[l] = spec->layer[l].block_count;
        controller->first[l] = controller->choice_count;
        controller->widest[l] = find_widest(spec, l);
        controller->choice_count += spec->layer[l].block_count;
    }
    controller->state_count = controller->type->state_count(controller);
    controller->state = sy_alloc_zero(controller->state_count, sizeof(float));
    return controller->state != NULL
               ? SY_OK
               : sy_fail(err, SY_NO_MEMORY, "controller: no memory");
}

void nas_controller_release(struct nas_controller *controller)
{
    sy_free(controller->state);
    controller->state = NULL;
}

/* The choice at which the running sum of probabilities passes `u`. */
static int choose(const double *p, int count, double u)
{
    double sum = 0;
    int last = 0;
    for (int i = 0; i < count; i++) {
        if (p[i] > 0) {
            last = i;
        }
        sum += p[i];
        if (u < sum) {
            return i;
        }
    }
    return last; /* the sum was rounded below u */
}

void nas_controller_propose(const struct nas_controller *controller,
                            const struct nas_warmup *warmup, struct sy_rng *rng,
                            struct nas_proposal *proposal)
{
    double p[SY_MAX_BLOCKS];
    proposal->path.layer_count = controller->layer_count;
    for (int l = 0; l < controller->layer_count; l++) {
        /* Three numbers a layer whatever happens, so that the shares of the
           warm-up do not shift what the other layers draw. */
        double mean = (double)sy_rng_uniform(rng);
        double widest = (double)sy_rng_uniform(rng);
        double block = (double)sy_rng_uniform(rng);
        controller->type->probabilities(controller, l, p);
        proposal->path.block[l] = choose(p, controller->choices[l], block);
        proposal->pick[l] = NAS_PICK_BLOCK;
        if (controller->choices[l] == 1) {
            continue;
        }
        if (mean < warmup->mean_share) {
            proposal->pick[l] = NAS_PICK_MEAN;
        } else if (widest < warmup->widest_share) {
            proposal->pick[l] = NAS_PICK_WIDEST;
            proposal->path.block[l] = controller->widest[l];
        }
    }
}

void nas_controller_update(struct nas_controller *controller, int64_t step,
                           const struct nas_proposal *proposals,
                           const double *rewards, int count)
{
    SY_ASSERT(count > 0);
    controller->type->update(controller, step, proposals, rewards, count);
}

void nas_controller_result(const struct nas_controller *controller,
                           struct sy_path *path)
{
    memset(path, 0, sizeof *path);
    path->layer_count = controller->layer_count;
    controller->type->result(controller, path);
}

void nas_controller_probabilities(const struct nas_controller *controller,
                                  int layer, double *p)
{
    controller->type->probabilities(controller, layer, p);
}

double nas_controller_entropy_nats(const struct nas_controller *controller)
{
    double p[SY_MAX_BLOCKS];
    double entropy = 0;
    for (int l = 0; l < controller->layer_count; l++) {
        controller->type->probabilities(controller, l, p);
        for (int i = 0; i < controller->choices[l]; i++) {
            entropy -= p[i] > 0 ? p[i] * log(p[i]) : 0;
        }
    }
    return entropy;
}

double nas_controller_entropy(const struct nas_controller *controller)
{
    double most = 0;
    for (int l = 0; l < controller->layer_count; l++) {
        most += log(controller->choices[l]);
    }
    return most > 0 ? nas_controller_entropy_nats(controller) / most : 0;
}

double nas_controller_rate(const struct nas_controller_config *config,
                           int64_t step, int64_t steps)
{
    int64_t delay = (int64_t)(config->delay * (double)steps);
    if (step < delay) {
        return 0;
    }
    double learning = (double)(steps - delay > 1 ? steps - delay : 1);
    double factor = pow(config->growth, 1.0 / learning);
    double sum = fabs(factor - 1.0) < 1e-12
                     ? learning
                     : (config->growth - 1.0) / (factor - 1.0);
    return config->travel / sum * pow(factor, (double)(step - delay));
}
