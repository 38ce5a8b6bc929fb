/*
 * batch.c - slices of jobs to the executor's requests, and their ways back.
 *
 * DESIGN: where a candidate is on trial the executor's network holds more than
 * an answer may know of. Everything that leaves here is told in the domains
 * and experts of the one state that gave the answer (job->pick.named).
 */
#include "serving/batch.h"

#include "runtime/executor/top.h"

/* The executor's request for one image of a job. */
static void fill_request(struct sy_request *request, const struct srv_job *job,
                         size_t image)
{
    size_t classes = (size_t)job->classes;
    *request =
        (struct sy_request){.image = job->images + image * job->image_floats,
                            .domain = job->pick.run_domain,
                            .max_madds = job->max_madds};
    if (job->expert >= 0) {
        bool canary = job->pick.named != job->live;
        request->lane_count = 1;
        request->expert[0] =
            canary ? job->live->trial->joined_expert[job->expert] : job->expert;
    }
    request->result[0].outputs = job->logits + image * classes;
    request->result[0].probabilities = job->probabilities + image * classes;
}

int srv_batch_fill(struct sy_request *requests, const struct srv_slice *slices,
                   int slice_count)
{
    struct sy_request *first = requests;
    struct sy_request *request = first;
    for (int i = 0; i < slice_count; i++) {
        const struct srv_slice *slice = &slices[i];
        for (int n = slice->first; n < slice->first + slice->count; n++) {
            fill_request(request++, slice->job, (size_t)n);
        }
    }
    struct sy_request *end = request;
    for (int i = 0; i < slice_count; i++) {
        const struct srv_slice *slice = &slices[i];
        const struct srv_job *job = slice->job;
        size_t classes = (size_t)job->pick.beside_classes;
        for (int n = 0; n < slice->count; n++, first++) {
            if (job->pick.compare) {
                *end++ = (struct sy_request){
                    .image = first->image,
                    .domain = job->pick.beside_domain,
                    .beside = first,
                    .result = {{.probabilities =
                                    job->beside +
                                    (size_t)(slice->first + n) * classes}}};
            }
        }
    }
    return (int)(end - requests);
}

/* What one of the two routes said of an image. */
struct said {
    const struct sy_domain *domain;
    const float *probabilities;
    const struct sy_request *request;
};

static int best_of(const struct said *said)
{
    int best = 0;
    (void)sy_top_classes(said->probabilities, said->domain->classes, &best, 1);
    return best;
}

/* Multiply-adds of the whole way, what was shared included. */
static int64_t way_madds(const struct srv_job *job,
                         const struct sy_request *request)
{
    return sy_route_madds(sy_snapshot_network(job->live->snapshot),
                          &request->taken.ran, &request->taken.asked);
}

/* Counts an image that both ran. */
static void count_pair(struct srv_job *job, int image,
                       const struct sy_request *own,
                       const struct sy_request *other)
{
    const struct srv_trial *trial = job->live->trial;
    const struct srv_trial_domain *on_trial = job->pick.trial;
    bool canary = job->pick.named != job->live;
    size_t at = (size_t)image;
    struct said first = {srv_job_domain(job),
                         job->probabilities + at * (size_t)job->classes, own};
    struct said second = {
        canary ? &trial->base->network->domain[on_trial->served]
               : &trial->next->network->domain[on_trial->next],
        job->beside + at * (size_t)job->pick.beside_classes, other};
    const struct said *served = canary ? &second : &first;
    const struct said *next = canary ? &first : &second;
    int a = best_of(served), b = best_of(next);
    struct srv_pair pair = {
        .served_label = served->domain->labels[a],
        .next_label = next->domain->labels[b],
        .served_confidence = (double)served->probabilities[a],
        .next_confidence = (double)next->probabilities[b],
        .served_madds = way_madds(job, served->request),
        .next_madds = way_madds(job, next->request),
        .served_ns = served->request->ns,
        .next_ns = next->request->ns,
        .extra_madds = other->madds,
        .extra_blocks = other->blocks,
        .failed = next->request->status != SY_OK,
    };
    srv_tally_pair(&job->pick.trial->tally, &pair);
}

void srv_batch_count_pairs(const struct sy_request *requests, int images,
                           const struct srv_slice *slices, int slice_count)
{
    const struct sy_request *own = requests;
    const struct sy_request *other = own + images;
    for (int i = 0; i < slice_count; i++) {
        const struct srv_slice *slice = &slices[i];
        for (int n = 0; n < slice->count; n++, own++) {
            if (slice->job->pick.compare) {
                count_pair(slice->job, slice->first + n, own, other++);
            }
        }
    }
}

/* An expert of the executor's network, as the answer's network counts it. */
static int named_expert(const struct srv_job *job, int expert)
{
    bool canary = job->pick.named != job->live;
    return expert >= 0 && canary ? job->live->trial->next_expert[expert]
                                 : expert;
}

/* The way of a request, told in the answer's experts. */
static struct sy_route_taken named_way(const struct srv_job *job,
                                       const struct sy_request *request)
{
    struct sy_route_taken taken = request->taken;
    taken.expert = named_expert(job, taken.expert);
    for (int i = 0; i < taken.ran.count; i++) {
        taken.ran.expert[i] = named_expert(job, taken.ran.expert[i]);
    }
    for (int i = 0; i < taken.asked.count && job->pick.named != job->live;
         i++) {
        taken.asked.gate[i] = job->live->trial->next_gate[taken.asked.gate[i]];
    }
    return taken;
}

void srv_batch_take(struct srv_job *job, int image,
                    const struct sy_request *request)
{
    struct sy_route_taken way = named_way(job, request);
    const struct sy_route_taken *taken = &way;
    int answered = job->expert >= 0 ? job->expert : taken->expert;
    job->madds += request->madds;
    if (job->found != NULL) {
        job->found[image] =
            (struct srv_found){request->found, (float)request->sureness};
    }
    bool abstained = job->found != NULL && request->status == SY_NOT_FOUND;
    job->failed |= request->status != SY_OK && !abstained;
    if (job->expert >= 0) {
        sy_route_add_expert(&job->ran, job->expert);
    }
    for (int i = 0; i < taken->ran.count; i++) {
        sy_route_add_expert(&job->ran, taken->ran.expert[i]);
    }
    struct sy_route_experts own = {.count = job->expert >= 0 ? 1 : 0,
                                   .expert = {job->expert}};
    if (job->pick.named == job->live) { /* a candidate has its own tally */
        srv_traffic_image(job->live->traffic,
                          job->expert >= 0 ? &own : &taken->ran, answered,
                          request->madds);
        int domain = job->found != NULL ? request->found : job->domain;
        if (job->expert < 0 && domain >= 0) {
            srv_traffic_gates(job->live->traffic, domain, taken);
        }
    }
    if (image == 0) {
        job->way = *taken;
        job->exit = answered;
    }
    job->exit = job->exit == answered ? job->exit : -1;
}
