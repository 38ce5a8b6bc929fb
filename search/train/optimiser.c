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

/* A step as the pool sees it: PART_FLOATS values per task. */
enum { PART_FLOATS = 16384, LANES = 8 };
struct step_job {
    struct nas_optimiser *optimiser;
    struct sy_network *network;
    const float *grads;
    const uint8_t *used;
    float rate;
    float first_debias, second_debias; /* adamw */
};

/* The range of one tensor that a rule works on. */
struct range {
    float *w;
    const float *g;
    float *m, *v;
    size_t count;
    float decay;
};

/*
 * RULE(i) for every i below `count`, LANES at a time: a loop of fixed length
 * becomes vector instructions at every level of optimisation.
 */
#define FOR_LANES(count, RULE)                                                 \
    do {                                                                       \
        size_t i_ = 0;                                                         \
        for (; i_ + LANES <= (count); i_ += LANES) {                           \
            for (size_t l_ = 0; l_ < LANES; l_++) {                            \
                RULE(i_ + l_);                                                 \
            }                                                                  \
        }                                                                      \
        for (; i_ < (count); i_++) {                                           \
            RULE(i_);                                                          \
        }                                                                      \
    } while (0)

static void sgd_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float *restrict w = r.w;
    float *restrict m = r.m;
    const float *restrict grad = r.g;
    const float mu = (float)c->momentum;
    const float rate = job->rate;
#define PLAIN(i)                                                               \
    do {                                                                       \
        m[i] = mu * m[i] + (grad[i] + r.decay * w[i]);                         \
        w[i] -= rate * m[i];                                                   \
    } while (0)
#define NESTEROV(i)                                                            \
    do {                                                                       \
        float g = grad[i] + r.decay * w[i];                                    \
        m[i] = mu * m[i] + g;                                                  \
        w[i] -= rate * (g + mu * m[i]);                                        \
    } while (0)
    if (c->nesterov) {
        FOR_LANES(r.count, NESTEROV);
    } else {
        FOR_LANES(r.count, PLAIN);
    }
#undef PLAIN
#undef NESTEROV
}

static void rmsprop_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float *restrict w = r.w;
    float *restrict m = r.m;
    float *restrict v = r.v;
    const float *restrict grad = r.g;
    const float mu = (float)c->momentum;
    const float rho = (float)c->rho;
    const float epsilon = (float)c->epsilon;
    const float rate = job->rate;
#define RULE(i)                                                                \
    do {                                                                       \
        float g = grad[i] + r.decay * w[i];                                    \
        v[i] = rho * v[i] + (1.0f - rho) * g * g;                              \
        m[i] = mu * m[i] + rate * g / sqrtf(v[i] + epsilon);                   \
        w[i] -= m[i];                                                          \
    } while (0)
    FOR_LANES(r.count, RULE);
#undef RULE
}

static void adamw_range(const struct step_job *job, struct range r)
{
    const struct nas_optimiser_config *c = &job->optimiser->config;
    float *restrict w = r.w;
    float *restrict m = r.m;
    float *restrict v = r.v;
    const float *restrict g = r.g;
    const float b1 = (float)c->beta1;
    const float b2 = (float)c->rho;
    const float epsilon = (float)c->epsilon;
    const float rate = job->rate;
    const float first = job->first_debias;
    const float second = job->second_debias;
#define RULE(i)                                                                \
    do {                                                                       \
        m[i] = b1 * m[i] + (1.0f - b1) * g[i];                                 \
        v[i] = b2 * v[i] + (1.0f - b2) * g[i] * g[i];                          \
        float mean = m[i] * first;                                             \
        float square = v[i] * second;                                          \
        w[i] -= rate * (mean / (sqrtf(square) + epsilon) + r.decay * w[i]);    \
    } while (0)
    FOR_LANES(r.count, RULE);
#undef RULE
}

/* The part of one tensor that lies in values [begin, end). */
static void step_tensor(const struct step_job *job,
                        const struct sy_tensor *tensor, size_t begin,
                        size_t end)
{
    struct nas_optimiser *o = job->optimiser;
    size_t tensor_end = tensor->offset + tensor->count;
    size_t at = tensor->offset > begin ? tensor->offset : begin;
    end = tensor_end < end ? tensor_end : end;
    struct range range = {
        .w = job->network->values + at,
        .g = job->grads + at,
        .m = o->slot[0] + at,
        .v = o->slot[1] != NULL ? o->slot[1] + at : NULL,
        .count = end - at,
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

/* The first tensor that ends behind value `at`; tensors stand in order. */
static int find_tensor(const struct sy_network *network, size_t at)
{
    int low = 0;
    int high = network->tensor_count;
    while (low < high) {
        int middle = (low + high) / 2;
        const struct sy_tensor *tensor = &network->tensor[middle];
        if (tensor->offset + tensor->count > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void step_part(void *context, int index, int worker)
{
    const struct step_job *job = context;
    const struct sy_network *network = job->network;
    size_t begin = (size_t)index * PART_FLOATS;
    size_t end = begin + PART_FLOATS;
    (void)worker;
    for (int t = find_tensor(network, begin);
         t < network->tensor_count && network->tensor[t].offset < end; t++) {
        if (job->used[t]) {
            step_tensor(job, &network->tensor[t], begin, end);
        }
    }
}

static int parts_of(size_t values)
{
    return (int)((values + PART_FLOATS - 1) / PART_FLOATS);
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
    sy_pool_run(pool, parts_of(network->value_count), step_part, &job);
}

/* A moving average as the pool sees it. */
struct average_job {
    float *average;
    const float *values;
    size_t count;
    float share;
};

static void average_part(void *context, int index, int worker)
{
    const struct average_job *job = context;
    size_t begin = (size_t)index * PART_FLOATS;
    size_t left = job->count - begin;
    size_t count = left < PART_FLOATS ? left : PART_FLOATS;
    float *restrict average = job->average + begin;
    const float *restrict values = job->values + begin;
    const float share = job->share;
    (void)worker;
#define RULE(i) average[i] += share * (values[i] - average[i])
    FOR_LANES(count, RULE);
#undef RULE
}

void nas_average_step(float *average, const float *values, size_t count,
                      double share, struct sy_pool *pool)
{
    struct average_job job = {average, values, count, (float)share};
    sy_pool_run(pool, parts_of(count), average_part, &job);
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
