/*
 * queue.c - stride scheduling of domains.
 *
 * DESIGN: each flow has a pass, which grows by (work / weight) with each image
 * that a batch takes from it; the lowest pass comes next. A flow that was
 * empty starts at the pass that was served last: being quiet earns no credit
 * to spend in one burst. Over any stretch in which two flows both wait, what
 * they get differs from their weights by at most one image each.
 *
 * A flow is looked for by walking over the network's domains, once an image:
 * some dozen comparisons against the thousands of multiply-adds that the
 * image costs.
 *
 * Source: Waldspurger and Weihl, "Stride Scheduling", 1995. The bound on
 * places is the dynamic threshold of Choudhury and Hahne, 1998.
 */
#include "serving/queue.h"

#include <stddef.h>

#define PRIORITY_STEP_NS INT64_C(100000000)

enum {
    PASS_SCALE = 1024,    /* so that a weight of 1000 still divides a unit */
    MADDS_OF_UNIT = 1000, /* keeps passes far from the end of their type */
    SLACK_PART = 2,       /* half again, for those who come later */
    ESTIMATE_SHARE = 8,   /* the newest batch counts one in so many */
    COMPANY = 8, /* images to which one flow fills the batch of others; from
                    there on an image costs little less in a larger batch */
};

static int64_t units_of_image(const struct srv_live *live, int domain)
{
    return 1 + live->cost_madds[domain] / MADDS_OF_UNIT;
}

static int weight_of(struct srv_live *live, int domain)
{
    int weight =
        atomic_load_explicit(&live->weight[domain], memory_order_relaxed);
    return weight > 0 ? weight : 1;
}

static void list(struct srv_queue *queue, struct srv_live *live)
{
    struct srv_waiting *waiting = &live->waiting;
    waiting->live = live;
    waiting->previous = NULL;
    waiting->next = queue->first;
    if (queue->first != NULL) {
        queue->first->previous = waiting;
    }
    queue->first = waiting;
}

static void unlist(struct srv_queue *queue, struct srv_waiting *waiting)
{
    if (waiting->previous != NULL) {
        waiting->previous->next = waiting->next;
    } else {
        queue->first = waiting->next;
    }
    if (waiting->next != NULL) {
        waiting->next->previous = waiting->previous;
    }
}

/* Puts a job into its line, behind those whose turn is not later. */
static void link_job(struct srv_flow *flow, struct srv_job *job)
{
    struct srv_job *before = flow->tail;
    while (before != NULL && before->order_ns > job->order_ns) {
        before = before->previous;
    }
    job->previous = before;
    job->next = before != NULL ? before->next : flow->head;
    *(before != NULL ? &before->next : &flow->head) = job;
    *(job->next != NULL ? &job->next->previous : &flow->tail) = job;
}

static void unlink_job(struct srv_flow *flow, struct srv_job *job)
{
    *(job->previous != NULL ? &job->previous->next : &flow->head) = job->next;
    *(job->next != NULL ? &job->next->previous : &flow->tail) = job->previous;
    job->next = NULL;
    job->previous = NULL;
}

static int64_t order_of(const struct srv_job *job, int64_t since_ns)
{
    int priority = job->priority > 0 ? job->priority : SRV_PRIORITY_DEFAULT;
    return since_ns + (priority - 1) * PRIORITY_STEP_NS;
}

/* What is left of a job, counted in or out of everybody's sums. */
static void count_job(struct srv_queue *queue, struct srv_job *job, int sign)
{
    struct srv_waiting *waiting = &job->live->waiting;
    struct srv_flow *flow = &waiting->flow[job->domain];
    int images = job->image_count - job->taken;
    int64_t units = images * units_of_image(job->live, job->domain);
    flow->jobs += sign;
    flow->units += sign * units;
    waiting->jobs += sign;
    waiting->images += sign * images;
    queue->jobs += sign;
    queue->units += sign * units;
}

void srv_queue_add(struct srv_queue *queue, struct srv_job *job)
{
    struct srv_waiting *waiting = &job->live->waiting;
    struct srv_flow *flow = &waiting->flow[job->domain];
    if (waiting->jobs == 0) {
        list(queue, job->live);
    }
    if (flow->jobs == 0 && flow->pass < queue->virtual_pass) {
        flow->pass = queue->virtual_pass;
    }
    job->order_ns = order_of(job, job->submitted_ns);
    link_job(flow, job);
    count_job(queue, job, 1);
    job->queued = true;
}

void srv_queue_remove(struct srv_queue *queue, struct srv_job *job)
{
    struct srv_waiting *waiting = &job->live->waiting;
    unlink_job(&waiting->flow[job->domain], job);
    count_job(queue, job, -1);
    job->queued = false;
    if (waiting->jobs == 0) {
        unlist(queue, waiting);
    }
}

/*
 * How long a job that came now would take: no longer than if everything that
 * waits came first, and no longer than if its domain got no more than the
 * share of its weight.
 */
static int64_t expected_ns(const struct srv_queue *queue,
                           const struct srv_arrival *arrival, int64_t now_ns)
{
    struct srv_live *live = arrival->live;
    const struct srv_flow *own = &live->waiting.flow[arrival->domain];
    int64_t weights = own->jobs > 0 ? 0 : weight_of(live, arrival->domain);
    for (const struct srv_waiting *w = queue->first; w != NULL; w = w->next) {
        for (int d = 0; d <= w->live->network->domain_count; d++) {
            weights += w->flow[d].jobs > 0 ? weight_of(w->live, d) : 0;
        }
    }
    double ahead = (double)own->units * (double)weights /
                   (double)weight_of(live, arrival->domain);
    ahead = ahead < (double)queue->units ? ahead : (double)queue->units;
    double running_ns = 0;
    if (queue->running_units > 0) {
        running_ns = (double)queue->running_units * queue->unit_ns -
                     (double)(now_ns - queue->running_since_ns);
        running_ns = running_ns > 0 ? running_ns : 0;
    }
    double work = ahead + (double)(arrival->image_count *
                                   units_of_image(live, arrival->domain));
    return (int64_t)(running_ns + work * queue->unit_ns);
}

enum sy_status srv_queue_room(const struct srv_queue *queue,
                              const struct srv_arrival *arrival, int64_t now_ns,
                              struct sy_error *err)
{
    const struct srv_waiting *waiting = &arrival->live->waiting;
    int free_places = queue->options.max_queue - waiting->jobs;
    if (free_places <= 0) {
        return sy_fail(err, SY_BUSY,
                       "the queue is full: Exceeds maximum queue size");
    }
    if (arrival->domain < 0) {
        return SY_OK;
    }
    if (arrival->live->network->domain_count > 1 &&
        waiting->flow[arrival->domain].jobs >= free_places) {
        return sy_fail(err, SY_BUSY,
                       "the domain has its share of the queue: Exceeds "
                       "maximum queue size");
    }
    int64_t take_ns = expected_ns(queue, arrival, now_ns);
    if (queue->unit_ns > 0 &&
        take_ns + take_ns / SLACK_PART > arrival->deadline_ns - now_ns) {
        return sy_fail(err, SY_BUSY,
                       "Request timeout: %.1f ms are left, and with what "
                       "waits already the answer takes about %.1f ms",
                       (double)(arrival->deadline_ns - now_ns) / 1e6,
                       (double)take_ns / 1e6);
    }
    return SY_OK;
}

/* The waiting flow of a network with the lowest pass, or NULL. */
static struct srv_flow *next_flow(struct srv_waiting *waiting)
{
    struct srv_flow *best = NULL;
    for (int d = 0; d <= waiting->live->network->domain_count; d++) {
        struct srv_flow *flow = &waiting->flow[d];
        if (flow->head != NULL && (best == NULL || flow->pass < best->pass)) {
            best = flow;
        }
    }
    return best;
}

/* How many images of a network make the next batch; 0: better to wait. */
static int batch_size(const struct srv_queue *queue,
                      const struct srv_waiting *waiting, int64_t now_ns,
                      int64_t *wake_ns)
{
    const struct srv_queue_options *o = &queue->options;
    int most = waiting->images < o->max_batch ? waiting->images : o->max_batch;
    if (most == o->max_batch) {
        return most;
    }
    for (int i = o->preferred_count - 1; i >= 0; i--) {
        if (most >= o->preferred[i]) {
            return o->preferred[i];
        }
    }
    int64_t oldest_ns = INT64_MAX;
    for (int d = 0; d <= waiting->live->network->domain_count; d++) {
        const struct srv_job *head = waiting->flow[d].head;
        if (head != NULL && head->submitted_ns < oldest_ns) {
            oldest_ns = head->submitted_ns;
        }
    }
    if (now_ns - oldest_ns >= o->max_delay_ns) {
        return most;
    }
    if (oldest_ns + o->max_delay_ns < *wake_ns) {
        *wake_ns = oldest_ns + o->max_delay_ns;
    }
    return 0;
}

/* The network whose turn it is, among those of which a batch may go. */
static struct srv_waiting *next_waiting(struct srv_queue *queue, int64_t now_ns,
                                        int *size, int64_t *wake_ns)
{
    struct srv_waiting *best = NULL;
    int64_t best_pass = 0;
    *wake_ns = INT64_MAX;
    for (struct srv_waiting *w = queue->first; w != NULL; w = w->next) {
        int count = batch_size(queue, w, now_ns, wake_ns);
        int64_t pass = next_flow(w)->pass;
        if (count > 0 && (best == NULL || pass < best_pass)) {
            best = w;
            best_pass = pass;
            *size = count;
        }
    }
    return best;
}

/* Takes one image of the first job of a flow. */
static void take_image(struct srv_queue *queue, struct srv_flow *flow,
                       int64_t now_ns, struct srv_slice *slice,
                       int *slice_count)
{
    struct srv_job *job = flow->head;
    int64_t units = units_of_image(job->live, job->domain);
    count_job(queue, job, -1);
    if (job->taken == 0) {
        job->queue_ns = now_ns - job->submitted_ns;
    }
    if (job->running == 0) {
        slice[(*slice_count)++] = (struct srv_slice){job, job->taken, 0};
    }
    /* The slice is not far: jobs of a flow are taken one after another. */
    struct srv_slice *own = &slice[*slice_count - 1];
    while (own->job != job) {
        own--;
    }
    own->count++;
    job->running++;
    job->taken++;
    if (job->taken == job->image_count) {
        unlink_job(flow, job);
        job->queued = false;
    } else {
        count_job(queue, job, 1);
    }
    if (flow->pass > queue->virtual_pass) {
        queue->virtual_pass = flow->pass;
    }
    flow->pass += units * PASS_SCALE / weight_of(job->live, job->domain);
    queue->running_units += units;
}

/*
 * Whether all that waits is of one flow, and the batch holds others' images:
 * of the domain `first`, or of several.
 */
static bool only_one_is_left(const struct srv_waiting *waiting, int first,
                             bool several)
{
    int left = 0, domain = 0;
    for (int d = 0; d <= waiting->live->network->domain_count; d++) {
        if (waiting->flow[d].head != NULL) {
            left++;
            domain = d;
        }
    }
    return left == 1 && (several || domain != first);
}

int srv_queue_take(struct srv_queue *queue, int64_t now_ns,
                   struct srv_slice *slice, int *slice_count, int64_t *wake_ns)
{
    int size = 0;
    bool several = false; /* domains */
    *slice_count = 0;
    struct srv_waiting *waiting = next_waiting(queue, now_ns, &size, wake_ns);
    if (waiting == NULL) {
        return 0;
    }
    queue->running_units = 0;
    queue->running_since_ns = now_ns;
    int company = queue->options.preferred_count == 0 ? COMPANY : size;
    for (int i = 0; i < size; i++) {
        if (i >= company &&
            only_one_is_left(waiting, slice[0].job->domain, several)) {
            size = i;
            break;
        }
        take_image(queue, next_flow(waiting), now_ns, slice, slice_count);
        several |= slice[*slice_count - 1].job->domain != slice[0].job->domain;
    }
    for (int i = 0; i < *slice_count; i++) {
        struct srv_job *job = slice[i].job;
        if (job->queued) {
            struct srv_flow *flow = &waiting->flow[job->domain];
            unlink_job(flow, job);
            job->order_ns = order_of(job, now_ns);
            link_job(flow, job);
        }
    }
    if (waiting->jobs == 0) {
        unlist(queue, waiting);
    }
    return size;
}

void srv_queue_ran(struct srv_queue *queue, int64_t ns)
{
    if (queue->running_units > 0) {
        double seen = (double)ns / (double)queue->running_units;
        queue->unit_ns =
            queue->unit_ns > 0
                ? queue->unit_ns + (seen - queue->unit_ns) / ESTIMATE_SHARE
                : seen;
    }
    queue->running_units = 0;
}

void srv_queue_each(struct srv_queue *queue,
                    void (*see)(void *context, struct srv_job *job),
                    void *context)
{
    struct srv_waiting *next_w;
    for (struct srv_waiting *w = queue->first; w != NULL; w = next_w) {
        next_w = w->next;
        int domains = w->live->network->domain_count;
        for (int d = 0; d <= domains; d++) {
            struct srv_job *next;
            for (struct srv_job *j = w->flow[d].head; j != NULL; j = next) {
                next = j->next;
                see(context, j);
            }
        }
    }
}
