/*
 * optimiser.c - the three update rules, run tensor by tensor on the pool.
 */
#include "search/train/optimiser.h"

#include <math.h>

#include "runtime/base/memory.h"

const char *const nas_optimiser_names[NAS_OPTIMISERS + 1] = {"sgd", "rmsprop",
                                                             "adamw", NULL};

struct nas_optimiser_config nas_optimiser_defaults(enum nas_optimiser_kind k)
{
    static const struct nas_optimiser_config defaults[NAS_OPTIMISERS] = {
        [NAS_SGD] = {.kind = NAS_SGD,
                     .rate = 0.1,
                     .momentum = 0.9,
                     .nesterov = true,
                     .decay = 1e-4},
        [NAS_RMSPROP] = {.kind = NAS_RMSPROP,
                         .rate = 0.01,
                         .momentum = 0.9,
                         .rho = 0.9,
                         .epsilon = 1e-3,
                         .decay = 4e-5},
        [NAS_ADAMW] = {.kind = NAS_ADAMW,
                       .rate = 2e-3,
                       .beta1 = 0.9,
                       .rho = 0.999,
                       .epsilon = 1e-8,
                       .decay = 0.02},
    };
    return defaults[k];
}

int nas_optimiser_slots(const struct nas_optimiser *optimiser)
{
    return optimiser->config.kind == NAS_SGD ? 1 : 2;
}

enum sy_status nas_optimiser_init(struct nas_optimiser *optimiser,
                                  const struct nas_optimiser_config *config,
                                  size_t value_count, struct sy_error *err)
{
    *optimiser =
        (struct nas_optimiser){.config = *config, .value_count = value_count};
    for (int s = 0; s < nas_optimiser_slots(optimiser); s++) {
        optimiser->slot[s] = sy_alloc_zero(value_count, sizeof(float));
        if (optimiser->slot[s] == NULL) {
            nas_optimiser_release(optimiser);
            return sy_fail(err, SY_NO_MEMORY, "optimiser: no memory");
        }
    }
    if (config->kind == NAS_RMSPROP) {
        for (size_t i = 0; i < value_count; i++) {
            optimiser->slot[1][i] = 1.0f;
        }
    }
    return SY_OK;
}

void nas_optimiser_release(struct nas_optimiser *optimiser)
{
    sy_free(optimiser->slot[0]);
    sy_free(optimiser->slot[1]);
    *optimiser = (struct nas_optimiser){0};
}

/* A step as the pool sees it: one tensor per task. */
struct step_job {
    struct nas_optimiser *optimiser;
    struct sy_network *network;
    const float *grads;
    const uint8_t *used;
    float rate;
    float first_debias, second_debias; /* adamw */
};

/* The ranges of one tensor that a rule works on. */
struct range {
    float *w;
    const float *g;
    float *m, *v;
    size_t count;
    float decay;
};

static void sgd_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float mu = (float)c->momentum;
    for (size_t i = 0; i < r.count; i++) {
        float g = r.g[i] + r.decay * r.w[i];
        r.m[i] = mu * r.m[i] + g;
        r.w[i] -= job->rate * (c->nesterov ? g + mu * r.m[i] : r.m[i]);
    }
}

static void rmsprop_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float mu = (float)c->momentum;
    float rho = (float)c->rho;
    float epsilon = (float)c->epsilon;
    for (size_t i = 0; i < r.count; i++) {
        float g = r.g[i] + r.decay * r.w[i];
        r.v[i] = rho * r.v[i] + (1.0f - rho) * g * g;
        r.m[i] = mu * r.m[i] + job->rate * g / sqrtf(r.v[i] + epsilon);
        r.w[i] -= r.m[i];
    }
}

static void adamw_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float b1 = (float)c->beta1;
    float b2 = (float)c->rho;
    float epsilon = (float)c->epsilon;
    for (size_t i = 0; i < r.count; i++) {
        r.m[i] = b1 * r.m[i] + (1.0f - b1) * r.g[i];
        r.v[i] = b2 * r.v[i] + (1.0f - b2) * r.g[i] * r.g[i];
        float m = r.m[i] * job->first_debias;
        float v = r.v[i] * job->second_debias;
        r.w[i] -= job->rate * (m / (sqrtf(v) + epsilon) + r.decay * r.w[i]);
    }
}

static void step_tensor(void *context, int index, int worker)
{
    const struct step_job *job = context;
    const struct sy_tensor *tensor = &job->network->tensor[index];
    struct nas_optimiser *o = job->optimiser;
    (void)worker;
    if (!job->used[index]) {
        return;
    }
    struct range range = {
        .w = job->network->values + tensor->offset,
        .g = job->grads + tensor->offset,
        .m = o->slot[0] + tensor->offset,
        .v = o->slot[1] != NULL ? o->slot[1] + tensor->offset : NULL,
        .count = tensor->count,
        .decay = tensor->decay ? (float)o->config.decay : 0.0f,
    };
    switch (o->config.kind) {
    case NAS_SGD:
        sgd_range(job, range);
        break;
    case NAS_RMSPROP:
        rmsprop_range(job, range);
        break;
    case NAS_ADAMW:
        adamw_range(job, range);
        break;
    case NAS_OPTIMISERS:
        SY_ASSERT(false);
    }
}

void nas_optimiser_step(struct nas_optimiser *optimiser,
                        struct sy_network *network, const float *grads,
                        const uint8_t *used, double rate, int64_t step,
                        struct sy_pool *pool)
{
    double t = (double)step + 1.0;
    const struct nas_optimiser_config *c = &optimiser->config;
    struct step_job job = {optimiser, network, grads, used, (float)rate, 1, 1};
    if (c->kind == NAS_ADAMW) {
        job.first_debias = (float)(1.0 / (1.0 - pow(c->beta1, t)));
        job.second_debias = (float)(1.0 / (1.0 - pow(c->rho, t)));
    }
    sy_pool_run(pool, network->tensor_count, step_tensor, &job);
}

double nas_rate(double peak, double warmup, int64_t step, int64_t steps)
{
    double rising = warmup * (double)steps;
    if ((double)step < rising) {
        return peak * ((double)step + 1.0) / (rising + 1.0);
    }
    double left = (double)steps - rising;
    double done = ((double)step - rising) / (left > 1.0 ? left : 1.0);
    return peak * 0.5 * (1.0 + cos(3.14159265358979323846 * done));
}
