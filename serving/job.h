/*
 * job.h - some images of one domain of one network, on the way to an answer.
 *
 * Made by srv_job_new, filled by the submitter, then the batcher's until its
 * `done` is called. Reference counted, because a job that expired while it
 * ran is still written to by the engine when its waiter has long gone.
 *
 * Thread: any, where nothing else is said.
 */
#ifndef SRV_JOB_H
#define SRV_JOB_H

#include <stdint.h>

#include "serving/live.h"

enum srv_job_end {
    SRV_JOB_OPEN,          /* not ended yet */
    SRV_JOB_DONE,          /* the outputs are there */
    SRV_JOB_FAILED,        /* an answer is not made of numbers */
    SRV_JOB_EXPIRED,       /* the deadline passed in the queue */
    SRV_JOB_EXPIRED_AWAKE, /* the deadline passed while it ran */
    SRV_JOB_CANCELLED,     /* nobody waits for the answer any more */
    SRV_JOB_STOPPED        /* the server stops */
};

/* Priorities of requests: 1 is the highest; 0 takes the default. */
enum { SRV_PRIORITY_DEFAULT = 4, SRV_PRIORITY_LAST = 8 };

/* `more`: as of srv_wake_fn in http/message.h. */
typedef void (*srv_done_fn)(void *waiter, bool more);

/* What the root gate said of an image. */
struct srv_found {
    int domain;     /* of the answer's network; -1: it abstained */
    float sureness; /* the probability of the likeliest domain */
};

struct srv_job {
    struct srv_live *live; /* owned reference */
    int domain;            /* of live->network: in whose line it waits */
    struct srv_pick pick;  /* who answers, and whether it is compared */
    int expert; /* of the answer's network; that alone answers, or -1: by the
                   domain's route */
    int model;  /* that was asked, for the counters: see stats.h */
    int image_count;
    size_t image_floats; /* of one image */
    int classes;
    int priority;        /* 0..SRV_PRIORITY_LAST; set by the submitter */
    int64_t timeout_ns;  /* that the request asked for; 0: none */
    int64_t deadline_ns; /* sy_now_ns; set by the submitter */
    int64_t max_madds;   /* that an image may cost; 0: no limit */
    bool timed;          /* max_madds comes from a deadline, or is less */
    bool degraded;       /* max_madds is the server's, because it is pressed */

    float *images;        /* [image_count][image_floats], normalised; in */
    float *logits;        /* [image_count][classes]; out */
    float *probabilities; /* [image_count][classes]; out */
    float *beside; /* [image_count][pick.beside_classes], where compared */
    struct srv_found *found; /* [image_count]; NULL: the domain was named */

    /* The answer's circumstances; read them after `done`. */
    enum srv_job_end end;
    int blocks;    /* run for the first image of the last batch */
    int reused;    /* of those on its experts' paths, not run again */
    int64_t madds; /* spent on all images */
    bool failed;   /* an answer is not made of numbers */
    struct sy_route_experts ran; /* for any of the images; these and all
                                    experts here are the answer's network's */
    int exit; /* the expert that answered for all images; -1: several */
    struct sy_route_taken way; /* that the first image took */
    int64_t queue_ns;          /* from submission to the first batch */
    int64_t compute_ns;        /* in batches that held images of it */

    /* Private to queue.c and batcher.c. */
    atomic_int refs;
    size_t bytes; /* taken from the live network's budget */
    struct srv_job *next, *previous;
    bool queued;
    bool cancelled;   /* before it was submitted */
    int64_t order_ns; /* its place among those of its domain */
    int taken;        /* images given to batches so far */
    int finished;     /* images whose outputs are there */
    int running;      /* images in the batch that runs now */
    int64_t submitted_ns;
    srv_done_fn done;
    void *waiter;
};

/*
 * A job for `image_count` images with room for input and output; takes a
 * reference to `live` of its own. SY_BUSY: the memory for requests is used
 * up, try again later. `pick` is what srv_trial_pick decided for the domain.
 */
enum sy_status srv_job_new_picked(struct srv_job **job, struct srv_live *live,
                                  int domain, const struct srv_pick *pick,
                                  int image_count,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * One whose images' domains the network's root gate is to find. Its answers
 * are what is served, whatever is on trial.
 */
enum sy_status srv_job_new_finding(struct srv_job **job, struct srv_live *live,
                                   int image_count,
                                   struct sy_error *err) SY_MUST_USE;

/* One that is answered by what is served. */
enum sy_status srv_job_new(struct srv_job **job, struct srv_live *live,
                           int domain, int image_count,
                           struct sy_error *err) SY_MUST_USE;
void srv_job_unref(struct srv_job *job); /* NULL is legal */

/* The answer's network, its domain there, and the name of its snapshot. */
static inline const struct sy_network *srv_job_network(
    const struct srv_job *job)
{
    return job->pick.named->network;
}

static inline const struct sy_domain *srv_job_domain(const struct srv_job *job)
{
    return &job->pick.named->network->domain[job->pick.named_domain];
}

/* The domain of an image there, -1 where the root gate abstained. */
static inline int srv_job_image_domain(const struct srv_job *job, int image)
{
    return job->found != NULL ? job->found[image].domain
                              : job->pick.named_domain;
}

/* The domain of all images by name; "several", or "" where none was found. */
const char *srv_job_domain_name(const struct srv_job *job);

static inline const char *srv_job_label(const struct srv_job *job)
{
    return job->pick.named->label;
}

#endif
