/*
 * stats.c - the counters of a network's models.
 *
 * DESIGN: one mutex per network, held for a dozen additions. It makes a copy
 * whole: no reader ever sees a success without its time in the queue, which
 * is what clients that subtract two snapshots rely on.
 */
#include "serving/stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/network/spec.h"

struct srv_stats {
    atomic_int references;
    atomic_llong images[SY_MAX_DOMAINS];
    pthread_mutex_t lock; /* guards model[] */
    int models;
    struct srv_model_stats model[];
};

enum sy_status srv_stats_new(struct srv_stats **stats, int models,
                             struct sy_error *err)
{
    SY_ASSERT(models > 0);
    struct srv_stats *made =
        sy_alloc_zero(1, sizeof *made + (size_t)models * sizeof made->model[0]);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "statistics: out of memory");
    }
    atomic_init(&made->references, 1);
    made->models = models;
    pthread_mutex_init(&made->lock, NULL);
    *stats = made;
    return SY_OK;
}

struct srv_stats *srv_stats_ref(struct srv_stats *stats)
{
    atomic_fetch_add(&stats->references, 1);
    return stats;
}

void srv_stats_unref(struct srv_stats *stats)
{
    if (stats != NULL && atomic_fetch_sub(&stats->references, 1) == 1) {
        pthread_mutex_destroy(&stats->lock);
        sy_free(stats);
    }
}

/* The model's counters, locked; NULL where there are none. */
static struct srv_model_stats *open_model(struct srv_stats *stats, int model)
{
    if (stats == NULL) {
        return NULL;
    }
    SY_ASSERT(model >= 0 && model < stats->models);
    pthread_mutex_lock(&stats->lock);
    return &stats->model[model];
}

static void add(struct srv_timed *timed, int64_t ns)
{
    timed->count++;
    timed->ns += ns;
}

void srv_stats_succeed(struct srv_stats *stats, int model,
                       const struct srv_request_times *times)
{
    struct srv_model_stats *m = open_model(stats, model);
    if (m == NULL) {
        return;
    }
    m->inferences += times->images;
    add(&m->success, times->total_ns);
    add(&m->queue, times->queue_ns);
    add(&m->input, times->input_ns);
    add(&m->infer, times->infer_ns);
    add(&m->output, times->output_ns);
    pthread_mutex_unlock(&stats->lock);
}

void srv_stats_fail(struct srv_stats *stats, int model,
                    enum srv_fail_reason reason, int64_t total_ns)
{
    struct srv_model_stats *m = open_model(stats, model);
    if (m == NULL) {
        return;
    }
    add(&m->fail[reason], total_ns);
    pthread_mutex_unlock(&stats->lock);
}

void srv_stats_execute(struct srv_stats *stats, int model, int images,
                       int64_t infer_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct srv_model_stats *m = open_model(stats, model);
    if (m == NULL) {
        return;
    }
    m->last_inference_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    m->executions++;
    add(&m->batch[images < SRV_STATS_SIZES ? images : SRV_STATS_SIZES],
        infer_ns);
    pthread_mutex_unlock(&stats->lock);
}

void srv_stats_read(struct srv_stats *stats, int model,
                    struct srv_model_stats *copy)
{
    const struct srv_model_stats *m = open_model(stats, model);
    *copy = (struct srv_model_stats){0};
    if (m != NULL) {
        *copy = *m;
        pthread_mutex_unlock(&stats->lock);
    }
}

void srv_stats_add_images(struct srv_stats *stats, int domain, int images)
{
    atomic_fetch_add_explicit(&stats->images[domain], images,
                              memory_order_relaxed);
}

int64_t srv_stats_images(struct srv_stats *stats, int domain)
{
    return atomic_load(&stats->images[domain]);
}
