/*
 * job.c - the life of a job.
 */
#include "serving/job.h"

#include "runtime/base/memory.h"

enum sy_status srv_job_new(struct srv_job **job, struct srv_live *live,
                           int domain, int image_count, struct sy_error *err)
{
    struct srv_pick served = {
        .named = live, .named_domain = domain, .run_domain = domain};
    return srv_job_new_picked(job, live, domain, &served, image_count, err);
}

enum sy_status srv_job_new_finding(struct srv_job **job, struct srv_live *live,
                                   int image_count, struct sy_error *err)
{
    struct srv_pick unknown = {
        .named = live, .named_domain = -1, .run_domain = -1};
    return srv_job_new_picked(job, live, live->network->domain_count, &unknown,
                              image_count, err);
}

const char *srv_job_domain_name(const struct srv_job *job)
{
    int first = srv_job_image_domain(job, 0);
    for (int i = 1; i < job->image_count; i++) {
        if (srv_job_image_domain(job, i) != first) {
            return "several";
        }
    }
    return first < 0 ? "" : srv_job_network(job)->domain[first].name;
}

static int most_classes(const struct sy_network *network)
{
    int most = 0;
    for (int d = 0; d < network->domain_count; d++) {
        int classes = network->domain[d].classes;
        most = classes > most ? classes : most;
    }
    return most;
}

enum sy_status srv_job_new_picked(struct srv_job **job, struct srv_live *live,
                                  int domain, const struct srv_pick *pick,
                                  int image_count, struct sy_error *err)
{
    size_t count = (size_t)image_count;
    size_t floats = sy_shape_floats(live->network->spec.input);
    bool finds = pick->named_domain < 0;
    int classes =
        finds ? most_classes(live->network)
              : pick->named->network->domain[pick->named_domain].classes;
    size_t beside = pick->compare ? (size_t)pick->beside_classes : 0;
    size_t told = finds ? sizeof(struct srv_found) / sizeof(float) : 0;
    size_t each = floats + 2 * (size_t)classes + beside + told;
    bool fits = count <= SIZE_MAX / sizeof(float) / each;
    size_t bytes = fits ? count * each * sizeof(float) : SIZE_MAX;
    if (!srv_budget_take(live->budget, bytes)) {
        return sy_fail(err, SY_BUSY,
                       "the memory for requests is used up: no room for %d "
                       "images now",
                       image_count);
    }
    struct srv_job *made = sy_alloc_zero(1, sizeof *made);
    float *room = fits ? sy_alloc(bytes) : NULL;
    if (made == NULL || room == NULL) {
        srv_budget_give(live->budget, bytes);
        sy_free(made);
        sy_free(room);
        return sy_fail(err, SY_NO_MEMORY,
                       "out of memory for a request of %d images", image_count);
    }
    made->live = srv_live_ref(live);
    made->bytes = bytes;
    made->domain = domain;
    made->pick = *pick;
    made->expert = -1;
    made->model = domain;
    made->found =
        finds ? (struct srv_found *)(void *)(room + count * (each - told))
              : NULL;
    made->image_count = image_count;
    made->image_floats = floats;
    made->classes = classes;
    made->images = room;
    made->logits = room + count * floats;
    made->probabilities = made->logits + count * (size_t)classes;
    made->beside =
        pick->compare ? made->probabilities + count * (size_t)classes : NULL;
    atomic_init(&made->refs, 1);
    *job = made;
    return SY_OK;
}

void srv_job_unref(struct srv_job *job)
{
    if (job == NULL || atomic_fetch_sub(&job->refs, 1) != 1) {
        return;
    }
    srv_budget_give(job->live->budget, job->bytes);
    srv_live_unref(job->live);
    sy_free(job->images);
    sy_free(job);
}
